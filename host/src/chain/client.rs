//! The chain, through whichever of its endpoints answers.

mod finalized;
mod progress;

use super::endpoints::{Endpoints, Patience};
use super::error::{ChainError, SubmitError};
use super::network;
use crate::config;
use crate::metrics::Metrics;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;
use subxt::SubstrateConfig;
use subxt::backend::{BlockRef, LegacyBackend};
use subxt::client::{OnlineClient, OnlineClientAtBlock};
use subxt::config::RpcConfigFor;
use subxt::utils::AccountId32;
use subxt_rpcs::{LegacyRpcMethods, RpcClient};
use tokio::sync::OnceCell;
use tokio_rustls::rustls::crypto::aws_lc_rs;

pub use progress::Progress;
/// The hash of a block.
pub use subxt::utils::H256;

/// The chain as of one block, with the metadata of the runtime of that block.
pub type AtBlock = OnlineClientAtBlock<SubstrateConfig>;

/// Block times without a new finalized block, after which another endpoint is tried.
const STILL_BLOCKS: f64 = 10.0;

type Methods = LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>;

/// A chain. Clones share the connection and the metadata. Nothing is connected before it
/// is first used.
///
/// A request that an endpoint does not answer in `chain.timeout_s` is put to the next
/// one. If none answers, that is an error, and the next request waits, up to 30 s,
/// before it tries them again: whoever asks in a loop needs no pauses of its own.
///
/// An endpoint that is more than 20 blocks behind what another one told to be final is
/// passed over, unless all that answer are so.
#[derive(Debug, Clone)]
pub struct Chain {
    endpoints: Endpoints,
    methods: Methods,
    /// It keeps metadata by spec version, for as long as the host runs.
    client: Arc<OnceCell<OnlineClient<SubstrateConfig>>>,
    timeout: Duration,
    /// How long the finalized chain may stand still.
    still: Duration,
}

impl Chain {
    /// The chain of the configuration.
    ///
    /// # Errors
    ///
    /// [`ChainError::Network`] if `chain.network` or one of `chain.endpoints` is none.
    pub fn open(config: &config::Chain, metrics: Arc<Metrics>) -> Result<Self, ChainError> {
        let addresses = network::addresses(config.network.as_deref(), &config.endpoints)?;
        for address in addresses.iter().filter(|a| network::is_open(a)) {
            let label = network::label(address).unwrap_or_default();
            tracing::warn!(endpoint = %label, "what is said to this endpoint is not encrypted, and what it answers can be changed on the way: use wss://");
        }
        // The client of WebSockets takes ring for all TLS of the process unless
        // something is chosen; everything else here uses aws-lc-rs.
        let _ = aws_lc_rs::default_provider().install_default();
        let timeout = Duration::from_secs_f64(config.timeout_s);
        Ok(Self::with(
            Endpoints::new(addresses, Patience::of(timeout), metrics),
            timeout,
            // Of a chain that is fast, not sooner than an answer may take.
            Duration::from_secs_f64(config.block_time_s * STILL_BLOCKS).max(timeout),
        ))
    }

    fn with(endpoints: Endpoints, timeout: Duration, still: Duration) -> Self {
        Chain {
            methods: Methods::new(RpcClient::new(endpoints.clone())),
            endpoints,
            client: Arc::default(),
            timeout,
            still,
        }
    }

    async fn client(&self) -> Result<&OnlineClient<SubstrateConfig>, ChainError> {
        let make = async || {
            // The newer interface gave no keys of a chain just begun (chopsticks 1.5).
            let backend = LegacyBackend::builder()
                .storage_page_size(256)
                .build(RpcClient::new(self.endpoints.clone()));
            OnlineClient::from_backend(Arc::new(backend))
                .await
                .map_err(|e| ChainError::of("the genesis hash", 0, e))
        };
        self.client.get_or_try_init(make).await
    }

    /// The chain as of its last finalized block.
    ///
    /// # Errors
    ///
    /// No endpoint answers, or the metadata cannot be read.
    pub async fn at_finalized(&self) -> Result<AtBlock, ChainError> {
        let at = self.client().await?.at_current_block().await?;
        self.endpoints.note_final(at.block_number());
        Ok(at)
    }

    /// The chain as of its newest block, which may yet be replaced by another one.
    ///
    /// # Errors
    ///
    /// No endpoint answers, or the metadata cannot be read.
    pub async fn at_best(&self) -> Result<AtBlock, ChainError> {
        let best = self.methods.chain_get_block_hash(None).await?;
        let best = best.ok_or_else(|| ChainError::NoSuchBlock("that is the newest".into()))?;
        self.at_hash(best).await
    }

    /// The chain as of block `number`, as the endpoint sees it now.
    ///
    /// # Errors
    ///
    /// [`ChainError::NoSuchBlock`] if there is none yet; no endpoint answers; the
    /// metadata cannot be read. Endpoints that keep no old state say so with
    /// [`ChainError::StateDiscarded`].
    pub async fn at_number(&self, number: u64) -> Result<AtBlock, ChainError> {
        Ok(self.client().await?.at_block(number).await?)
    }

    /// The chain as of the block with this hash.
    ///
    /// # Errors
    ///
    /// Those of [`at_number`](Self::at_number).
    pub async fn at_hash(&self, hash: H256) -> Result<AtBlock, ChainError> {
        let block = BlockRef::from_hash(hash);
        Ok(self.client().await?.at_block(block).await?)
    }

    /// Number and hash of each finalized block from the current one on, in order and
    /// each once, whatever becomes of the connection. Of blocks that came while nothing
    /// was asked, or no endpoint answered, the newest 64 are told.
    ///
    /// While it is asked for, an endpoint without a new finalized block for 10 block
    /// times, or one that is far behind for as long, is left for the next one.
    ///
    /// An error is no end: the next item is waited for, and comes, as long as it is
    /// asked for.
    ///
    /// # Errors
    ///
    /// No endpoint answers.
    pub async fn finalized_blocks(
        &self,
    ) -> Result<BoxStream<'static, Result<(u64, H256), ChainError>>, ChainError> {
        let endpoints = self.endpoints.clone();
        finalized::follow(self.methods.clone(), endpoints, self.timeout, self.still).await
    }

    /// The hash of the first block, which tells this chain from all others.
    ///
    /// # Errors
    ///
    /// No endpoint answers.
    pub async fn genesis_hash(&self) -> Result<[u8; 32], ChainError> {
        Ok(self.client().await?.genesis_hash().0)
    }

    /// The nonce of the next extrinsic of `account`, after those that are in the pool of
    /// the endpoint.
    ///
    /// # Errors
    ///
    /// No endpoint answers.
    pub async fn next_nonce(&self, account: &[u8; 32]) -> Result<u64, ChainError> {
        let account = AccountId32(*account);
        Ok(self.methods.system_account_next_index(&account).await?)
    }

    /// Sends a signed extrinsic to one endpoint, and follows it there. It is sent once:
    /// not again, and to no other endpoint, even if the connection is lost.
    ///
    /// The stream ends with a [`Progress`] that [`is_last`](Progress::is_last), or with
    /// an error, after which nothing is known of the extrinsic but what the chain says.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`].
    pub async fn submit(
        &self,
        extrinsic: &[u8],
    ) -> Result<BoxStream<'static, Result<Progress, ChainError>>, SubmitError> {
        progress::submit(&self.endpoints, extrinsic).await
    }

    /// The endpoint that is connected, for people; none if none is. What may be a key in
    /// its address is left out.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        self.endpoints.connected_to()
    }
}
