//! Finalized blocks as they come.

use super::super::endpoints::Endpoints;
use super::super::error::ChainError;
use super::Methods;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::collections::VecDeque;
use std::time::Duration;
use subxt::SubstrateConfig;
use subxt::config::{Config, Header};
use subxt::utils::H256;
use subxt_rpcs::client::RpcSubscription;
use tokio::time::Instant;

/// How many blocks are made up for: the length of an era that extrinsics are signed for
/// is of this order, and of what is older nobody need be told one by one.
const MOST: u64 = 64;

type Heads = RpcSubscription<<SubstrateConfig as Config>::Header>;

struct Follower {
    methods: Methods,
    endpoints: Endpoints,
    /// After how long without news it is looked whether there are any: a subscription
    /// may die without a word.
    look: Duration,
    /// After how long without a new block the endpoint is left.
    still: Duration,
    /// The newest block that this subscription's endpoint told, and when it last had a
    /// new one that was not far behind.
    newest: u64,
    grown: Instant,
    heads: Option<Heads>,
    last: Option<u64>,
    ready: VecDeque<(u64, H256)>,
    /// The endpoint answered with an error: not to be asked again at once.
    pause: bool,
}

pub(super) async fn follow(
    methods: Methods,
    endpoints: Endpoints,
    look: Duration,
    still: Duration,
) -> Result<BoxStream<'static, Result<(u64, H256), ChainError>>, ChainError> {
    let mut follower = Follower {
        methods,
        endpoints,
        look,
        still,
        newest: 0,
        grown: Instant::now(),
        heads: None,
        last: None,
        ready: VecDeque::new(),
        pause: false,
    };
    follower.advance().await?;
    let blocks = stream::unfold(follower, async |mut follower| {
        Some((follower.next().await, follower))
    });
    Ok(blocks.boxed())
}

impl Follower {
    async fn next(&mut self) -> Result<(u64, H256), ChainError> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Ok(block);
            }
            if self.pause {
                tokio::time::sleep(self.look).await;
                self.pause = false;
            }
            if let Err(error) = self.advance().await {
                // If nobody answers, the endpoints make who asks again wait.
                self.pause = !error.is_connection();
                return Err(error);
            }
        }
    }

    /// Waits for news, and gets the hashes of the blocks that are new.
    async fn advance(&mut self) -> Result<(), ChainError> {
        let newest = self.news().await?;
        self.endpoints.note_final(newest);
        self.leave_if_still(newest);
        let first = match self.last {
            None => newest,
            Some(last) => (last + 1).max(newest.saturating_sub(MOST - 1)),
        };
        // By number and at one endpoint: after a fail-over, the next endpoint may be
        // behind, and has no answer yet.
        for number in first..=newest {
            let hash = self
                .methods
                .chain_get_block_hash(Some(number.into()))
                .await?;
            let Some(hash) = hash else { break };
            self.ready.push_back((number, hash));
            self.last = Some(number);
        }
        Ok(())
    }

    /// Leaves an endpoint that answers, but with old news only: else its blocks would be
    /// taken for the newest as long as it lives.
    fn leave_if_still(&mut self, newest: u64) {
        if newest > self.newest && !self.endpoints.is_behind(newest) {
            self.grown = Instant::now();
        }
        self.newest = self.newest.max(newest);
        if self.grown.elapsed() > self.still {
            self.endpoints.leave_still(newest, self.still);
            self.heads = None;
        }
    }

    /// The number of the newest finalized block, when it may be another one.
    async fn news(&mut self) -> Result<u64, ChainError> {
        if let Some(heads) = &mut self.heads {
            match tokio::time::timeout(self.look, heads.next()).await {
                Ok(Some(Ok(header))) => return Ok(header.number()),
                Ok(_) => self.heads = None,
                Err(_) => return newest(&self.methods).await,
            }
        }
        // What was finalized before the subscription is told by none of its items.
        self.heads = Some(self.methods.chain_subscribe_finalized_heads().await?);
        (self.newest, self.grown) = (0, Instant::now());
        newest(&self.methods).await
    }
}

async fn newest(methods: &Methods) -> Result<u64, ChainError> {
    let hash = methods.chain_get_finalized_head().await?;
    let header = methods.chain_get_header(Some(hash)).await?;
    let header = header.ok_or_else(|| ChainError::NoSuchBlock(format!("{hash:?}")))?;
    Ok(header.number())
}
