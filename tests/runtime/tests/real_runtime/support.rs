//! The subnet that all tests begin with, and how an extrinsic gets into it.

use futures_util::StreamExt;
use proctor_host::chain::Hotkey;
use proctor_host::chain::call::WeightCall;
use proctor_host::chain::client::{AtBlock, Chain, Progress};
use proctor_host::chain::error::SubmitError;
use proctor_host::chain::preflight::ChainState;
use proctor_host::chain::read;
use proctor_host::chain::rejection::Rejection;
use proctor_host::chain::transaction::{self, Mortality, Signed};
use proctor_host::config;
use proctor_host::metrics::Metrics;
use proctor_runtime_tests::{Member, Node, Subnet, genesis_or_skip};
use proctor_simulated_chain::Server;
use std::sync::Arc;
use subxt::error::DispatchError;
use subxt::events::Phase;
use subxt::utils::H256;

pub(crate) const NETUID: u16 = 1;

/// The tempo of the subnet. Epochs of this runtime are a block longer.
pub(crate) const TEMPO: u16 = 10;

/// The block that tests begin after.
pub(crate) const BEGINS: u32 = 12;

/// What a TAO or an alpha has.
pub(crate) const RAO: u64 = 1_000_000_000;

/// Who is registered, by uid; each with less stake than the one before. All have permits:
/// this build of the runtime has an epoch in each block, and gives one to everybody,
/// whatever `MaxAllowedValidators` says.
pub(crate) const MEMBERS: [&str; 4] = ["//Bob", "//Charlie", "//Dave", "//Eve"];

/// Who has an account, and is not registered.
pub(crate) const STRANGER: &str = "//Ferdie";

/// A key of the names above.
pub(crate) fn hotkey(uri: &str) -> Hotkey {
    Hotkey::from_uri(uri).unwrap()
}

pub(crate) fn subnet() -> Subnet {
    let member = |(uid, uri): (u64, &str)| Member {
        hotkey: hotkey(uri).public_key(),
        alpha: (4 - uid) * 1_000 * RAO,
    };
    Subnet {
        netuid: NETUID,
        members: (0..).zip(MEMBERS).map(member).collect(),
        strangers: vec![hotkey(STRANGER).public_key()],
        coldkey: hotkey("//Alice").public_key(),
        tempo: TEMPO,
        rate_limit: 3,
        min_allowed_weights: 1,
        commit_reveal: false,
    }
}

/// The subnet on a real runtime, and the host's client of it.
pub(crate) struct Real {
    pub(crate) node: Node,
    pub(crate) chain: Chain,
    /// What leads to the node.
    pub(crate) config: config::Chain,
    _server: Server,
}

impl Real {
    /// None, with a word about it, where there is no runtime.
    pub(crate) async fn begin(test: &str, subnet: Subnet) -> Option<Self> {
        let mut storage = genesis_or_skip(test)?;
        subnet.write(&mut storage);
        let node = Node::begin(storage);
        // The first epoch of commits would have begun before the chain.
        node.mine_to(BEGINS);
        let server = Server::start(Arc::new(node.clone())).await.unwrap();
        let config = config::Chain {
            network: Some(server.url()),
            netuid: Some(NETUID),
            ..config::Chain::default()
        };
        let chain = Chain::open(&config, Arc::new(Metrics::default())).unwrap();
        Some(Real {
            node,
            chain,
            config,
            _server: server,
        })
    }

    pub(crate) async fn at(&self) -> AtBlock {
        self.chain.at_finalized().await.unwrap()
    }

    /// What decides about a hotkey in the next block.
    pub(crate) async fn state(&self, who: &Hotkey) -> ChainState {
        let account = who.public_key();
        read::chain_state(&self.at().await, NETUID, 0, &account)
            .await
            .unwrap()
    }

    pub(crate) async fn row(&self, uid: u16) -> Vec<(u16, u16)> {
        read::weights_row(&self.at().await, NETUID, 0, uid)
            .await
            .unwrap()
    }

    pub(crate) async fn sign(&self, who: &Hotkey, call: &WeightCall) -> Signed {
        let at = self.at().await;
        let nonce = self.chain.next_nonce(&who.public_key()).await.unwrap();
        let mortality = Mortality {
            block: at.block_number(),
            hash: at.block_hash().0,
            period: 16,
        };
        transaction::sign(&at, call, who, nonce, mortality).unwrap()
    }

    /// Signs a call, sends it, makes a block, and says what became of it.
    pub(crate) async fn send(&self, who: &Hotkey, call: &WeightCall) -> Result<(), Rejection> {
        let signed = self.sign(who, call).await;
        self.send_signed(&signed).await
    }

    pub(crate) async fn send_signed(&self, signed: &Signed) -> Result<(), Rejection> {
        let mut progress = match self.chain.submit(&signed.extrinsic).await {
            Ok(progress) => progress,
            Err(SubmitError::Refused(rejection)) => return Err(rejection),
            Err(error) => panic!("{error}"),
        };
        self.node.mine(1);
        loop {
            match progress.next().await.unwrap().unwrap() {
                Progress::Finalized(block) => return self.outcome(block, signed).await,
                last if last.is_last() => panic!("{last:?}"),
                _ => {}
            }
        }
    }

    /// What the events of a block say of an extrinsic in it.
    async fn outcome(&self, block: H256, signed: &Signed) -> Result<(), Rejection> {
        let at = self.chain.at_hash(block).await.unwrap();
        let body = at.extrinsics().fetch().await.unwrap();
        let index = body
            .iter()
            .position(|other| other.unwrap().bytes() == signed.extrinsic)
            .expect("the block has the extrinsic");
        let index = u32::try_from(index).unwrap();
        let events = at.events().fetch().await.unwrap();
        for event in events.iter() {
            let event = event.unwrap();
            if event.phase() != Phase::ApplyExtrinsic(index) || event.pallet_name() != "System" {
                continue;
            }
            match event.event_name() {
                "ExtrinsicSuccess" => return Ok(()),
                "ExtrinsicFailed" => {
                    let error = DispatchError::decode_from(event.field_bytes(), at.metadata());
                    return Err(Rejection::dispatch(&error.unwrap()));
                }
                _ => {}
            }
        }
        panic!("the events do not have the extrinsic");
    }
}

/// `set_weights` of a vector.
pub(crate) fn set(uids: &[u16], values: &[u16]) -> WeightCall {
    WeightCall::Set {
        netuid: NETUID,
        mechanism: 0,
        uids: uids.to_vec(),
        values: values.to_vec(),
        version_key: 0,
    }
}
