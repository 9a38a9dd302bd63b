//! What the tests share: calls, and a client that signs with plain subxt.

use std::sync::Arc;

use proctor_simulated_chain::{
    Failure, NETUID, Node, Outcome, RpcError, Runtime, SimulatedChain, State, to_hex,
};
use serde_json::json;
use subxt::backend::LegacyBackend;
use subxt::client::OnlineClientAtBlock;
use subxt::config::substrate::SubstrateExtrinsicParamsBuilder as Params;
use subxt::dynamic::{self, Value};
use subxt::rpcs::RpcClient;
use subxt::tx::DynamicPayload;
use subxt::{OnlineClient, SubstrateConfig};
use subxt_signer::sr25519::Keypair;

pub(crate) type Client = OnlineClient<SubstrateConfig>;
pub(crate) type At = OnlineClientAtBlock<SubstrateConfig>;
pub(crate) type Call = DynamicPayload<Vec<Value>>;

/// A chain, and a subxt client of it.
pub(crate) struct Bench {
    pub(crate) chain: SimulatedChain,
    pub(crate) client: Client,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(SimulatedChain::usual_state(Runtime::v425())).await
    }

    pub(crate) async fn start_with(state: State) -> Self {
        let chain = SimulatedChain::start_with(state, "simulated").await;
        let client = client(&chain.url()).await;
        Self { chain, client }
    }

    /// The client at the best block.
    pub(crate) async fn at(&self) -> At {
        self.client.at_block(self.chain.best()).await.unwrap()
    }

    /// An extrinsic that may be in the next 64 blocks, with the account's next nonce.
    pub(crate) async fn sign(&self, who: &Keypair, call: &Call) -> Vec<u8> {
        let nonce = self.chain.read(|state| state.nonce(&who.public_key().0));
        self.sign_with(who, call, Params::new().nonce(nonce.into()).mortal(64))
            .await
    }

    pub(crate) async fn sign_with(
        &self,
        who: &Keypair,
        call: &Call,
        params: Params<SubstrateConfig>,
    ) -> Vec<u8> {
        let mut transactions = self.at().await.transactions();
        let signed = transactions.create_signed(call, who, params.build()).await;
        signed.unwrap().into_encoded()
    }

    /// Hands an extrinsic to the pool.
    pub(crate) fn submit(&self, extrinsic: &[u8]) -> Result<(), RpcError> {
        let params = [json!(to_hex(extrinsic))];
        let result = self.chain.request("author_submitExtrinsic", &params);
        result.map(|_| ())
    }

    /// Signs a call, and tells what the pool or the next block made of it.
    pub(crate) async fn send(&self, who: &Keypair, call: &Call) -> Result<(), Failed> {
        let extrinsic = self.sign(who, call).await;
        self.submit(&extrinsic).map_err(Failed::Pool)?;
        self.chain.mine(1);
        match self.last_outcome() {
            Outcome::Included { result, .. } => result.map_err(Failed::Block),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn last_outcome(&self) -> Outcome {
        self.chain.received().last().unwrap().outcome.clone()
    }

    /// The names of the events of the pallet in the best block.
    pub(crate) fn events(&self) -> Vec<&'static str> {
        let events = self.chain.events(self.chain.best());
        let of_pallet = events.iter().filter(|one| one.pallet == "SubtensorModule");
        of_pallet.map(|one| one.name).collect()
    }
}

/// Where a call failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failed {
    Pool(RpcError),
    Block(Failure),
}

impl Failed {
    /// In a block, with an error of the pallet.
    pub(crate) fn block(name: &'static str) -> Result<(), Self> {
        Err(Self::Block(Failure::Module(name)))
    }

    /// In the pool, with an error of the runtime's own.
    pub(crate) fn custom(code: u8) -> Result<(), Self> {
        let error = RpcError::new(1_010, "Invalid Transaction");
        Err(Self::Pool(error.with_data(format!("Custom error: {code}"))))
    }
}

/// A client of what is served there.
pub(crate) async fn client(url: &str) -> Client {
    let rpc = RpcClient::from_insecure_url(url).await.unwrap();
    let backend = LegacyBackend::builder().build(rpc);
    Client::from_backend(Arc::new(backend)).await.unwrap()
}

pub(crate) fn call(name: &str, arguments: Vec<Value>) -> Call {
    dynamic::transaction("SubtensorModule", name, arguments)
}

pub(crate) fn numbers<T: Copy + Into<u128>>(values: &[T]) -> Value {
    Value::unnamed_composite(values.iter().map(|value| Value::u128((*value).into())))
}

/// `set_weights` of the subnet, with version key 0.
pub(crate) fn set_weights(uids: &[u16], values: &[u16]) -> Call {
    let arguments = vec![number(NETUID), numbers(uids), numbers(values), number(0_u8)];
    call("set_weights", arguments)
}

pub(crate) fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}
