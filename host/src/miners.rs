//! Asking miners: `POST` over HTTP to the axons that the metagraph names, signed with
//! the host's hotkey.
//!
//! Miners are strangers. What one of them does wrong, or does slowly, costs its own
//! answer: there is one deadline for all of a request, a bound on what is read, a
//! bound on what each has under way, and none leads the host anywhere else.

mod answer;
mod json;
mod places;
mod reach;
mod sign;

use crate::chain::Hotkey;
use crate::config;
use crate::metrics::Metrics;
use crate::sandbox::organic::{Failure, Protocol, failure_name};
use places::Places;
use reach::Reach;
use reqwest::redirect::Policy;
use sign::Signer;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a connection is kept for the next request. An axon is a uvicorn, which
/// closes its own after five seconds: what is sent into that moment is lost.
const KEPT: Duration = Duration::from_secs(4);

/// Connections to one miner that are kept. More are only needed while iterations
/// overlap, and all of them are files of this process.
const KEPT_PER_MINER: usize = 1;

/// Asks miners. Clones share the connections, the bounds and the key.
#[derive(Debug, Clone)]
pub struct Miners {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: reqwest::Client,
    reach: Reach,
    places: Arc<Places>,
    signer: Option<Signer>,
    metrics: Arc<Metrics>,
}

/// Why miners cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum MinersError {
    /// There is no HTTP client to be had.
    #[error("cannot make an HTTP client for miners: {0}")]
    Client(#[source] reqwest::Error),
}

/// Who is asked, as the metagraph has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its slot on the subnet.
    pub uid: u16,
    /// Its hotkey, in SS58: whom the request is signed for.
    pub hotkey: String,
    /// The address of its axon; none, or an unspecified one, if it serves none.
    pub ip: Option<IpAddr>,
    /// The port of its axon; none or 0 if it serves none.
    pub port: Option<u16>,
}

/// What it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The path without the first `/`.
    pub path: String,
    /// A JSON object.
    pub body: String,
    /// How it is signed.
    pub protocol: Protocol,
}

/// What an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskRules {
    /// From the connection to the last byte of the answer, all together.
    pub timeout: Duration,
    /// The body of the answer, in bytes.
    pub max_bytes: usize,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The body of the answer, which is JSON, or how the miner failed.
    pub outcome: Result<String, Failure>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// From the request to the last byte of the answer, or the failure. Waiting for a
    /// place among the host's own requests is not in it.
    pub latency: Duration,
}

impl Miners {
    /// With no connection yet. Without a hotkey nobody can be asked: see
    /// [`can_sign`](Self::can_sign).
    ///
    /// # Errors
    ///
    /// [`MinersError::Client`], if the system gives no client.
    pub fn new(
        config: &config::Miners,
        hotkey: Option<Hotkey>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, MinersError> {
        // Addresses are numbers, so no name is ever looked up. Proxies of the
        // environment would be asked for private addresses.
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(KEPT_PER_MINER)
            .build()
            .map_err(MinersError::Client)?;
        Ok(Miners {
            shared: Arc::new(Shared {
                client,
                reach: Reach::new(config.networks()),
                places: Arc::new(Places::new(config.concurrency, config.per_miner)),
                signer: hotkey.map(Signer::new),
                metrics,
            }),
        })
    }

    /// Whether there is a hotkey to sign with. Without one every [`ask`](Self::ask)
    /// comes to [`Failure::Unreachable`], which is not the miners' fault.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.shared.signer.is_some()
    }

    /// Asks a miner, once, and counts what came of it under the challenge.
    ///
    /// Waits for one of `miners.concurrency` places, however long that takes, and
    /// then at most `rules.timeout`. A miner that has as many of the challenge's
    /// requests under way as it may is [`Failure::Busy`] at once. Nothing is sent to an address that is not
    /// public and not in `miners.private_networks`. Dropping the future closes the
    /// connection and frees the places; it is not counted then.
    pub async fn ask(
        &self,
        challenge: &str,
        target: &Target,
        request: &Request,
        rules: AskRules,
    ) -> Answer {
        let answer = self.shared.ask(challenge, target, request, rules).await;
        let outcome = match answer.outcome {
            Ok(_) => "ok",
            Err(failure) => failure_name(failure),
        };
        let metrics = &self.shared.metrics;
        metrics.miner_answered(challenge, outcome, answer.latency);
        tracing::debug!(
            challenge,
            uid = target.uid,
            outcome,
            status = answer.status,
            latency = answer.latency.as_secs_f64(),
            "miner asked"
        );
        answer
    }
}

impl Shared {
    async fn ask(
        &self,
        challenge: &str,
        target: &Target,
        request: &Request,
        rules: AskRules,
    ) -> Answer {
        let unasked = |failure| Answer {
            outcome: Err(failure),
            status: None,
            latency: Duration::ZERO,
        };
        let url = self.reach.url(target, &request.path);
        let (Some(url), Some(signer)) = (url, &self.signer) else {
            return unasked(Failure::Unreachable);
        };
        let Some(place) = self.places.take(challenge, &target.hotkey).await else {
            return unasked(Failure::Busy);
        };
        // Only now, so that it is fresh.
        let Some(signed) = signer.sign(&url, target, request, place.slot(), rules.timeout) else {
            tracing::error!(uid = target.uid, "a query that is no JSON object");
            return unasked(Failure::Unreachable);
        };
        let begun = Instant::now();
        let sent = self
            .client
            .post(url)
            .headers(signed.headers)
            .body(signed.body);
        let mut status = None;
        let read = answer::read(sent, rules.max_bytes, &mut status);
        let read = timeout(rules.timeout, read).await;
        let latency = begun.elapsed();
        place.free(read.is_err());
        let outcome = match read {
            Ok(Ok(body)) => json::text(body).await.ok_or(Failure::Malformed),
            Ok(Err(failure)) => Err(failure),
            Err(_elapsed) => Err(Failure::Timeout),
        };
        Answer {
            outcome,
            status,
            latency,
        }
    }
}
