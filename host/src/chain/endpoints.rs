//! Several endpoints of one chain, of which one is asked at a time.

mod connection;

use super::error::{ChainError, SubmitError};
use super::network;
use super::rejection::Rejection;
use crate::metrics::Metrics;
use connection::{Connection, Failure};
use futures_util::Stream;
use serde_json::value::RawValue;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use subxt_rpcs::client::{RawRpcFuture, RawRpcSubscription, RpcClientT};
use subxt_rpcs::{Error as RpcError, UserError};
use tokio::time::Instant;

/// Blocks that an endpoint may be behind what was finalized: 4 minutes of Bittensor's.
const BEHIND: u64 = 20;

/// How long an endpoint and the host wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For an answer, after which the next endpoint is asked.
    pub(super) answer: Duration,
    /// After all endpoints failed in vain; twice as long each time, and less by chance,
    /// so that not all hosts come back to an endpoint at once.
    pub(super) pause: Duration,
    /// The longest such pause.
    pub(super) longest_pause: Duration,
    /// With an endpoint that is not the first, before those before it are tried again.
    pub(super) away: Duration,
}

impl Patience {
    pub(super) fn of(answer: Duration) -> Self {
        Patience {
            answer,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            away: Duration::from_secs(600),
        }
    }
}

/// The endpoints. Clones share the connection.
///
/// A request that gets no answer is put to the next endpoint, once more than there are
/// endpoints, so that one that only lost its connection is asked again. Nothing that
/// submits is ever repeated.
#[derive(Debug, Clone)]
pub(super) struct Endpoints(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What to connect to, and what of it may be shown.
    addresses: Vec<(String, String)>,
    patience: Patience,
    metrics: Arc<Metrics>,
    /// Of the first endpoint that answered.
    genesis: OnceLock<[u8; 32]>,
    current: Mutex<Current>,
    /// Held by who connects; the others wait for what comes of it.
    round: tokio::sync::Mutex<Round>,
    /// Requests in a row for which no endpoint had an answer.
    failures: AtomicU32,
    going_back: AtomicBool,
    /// The greatest number of a finalized block that any endpoint told.
    finalized: AtomicU64,
}

#[derive(Debug)]
struct Current {
    connection: Option<Arc<Connection>>,
    /// The endpoint to begin with when there is no connection.
    next: usize,
    /// When the endpoints before the current one are tried again.
    go_back: Instant,
    /// Nothing is tried before.
    pause_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Round {
    /// When the last one ended in vain, and why.
    failed: Option<(Instant, ChainError)>,
    /// The endpoint that was connected to last.
    last: Option<usize>,
}

impl Endpoints {
    /// Endpoints to be tried in this order. Nothing is connected yet.
    pub(super) fn new(addresses: Vec<String>, patience: Patience, metrics: Arc<Metrics>) -> Self {
        let shown = |address: String| {
            let label = network::label(&address).unwrap_or_else(|| "an endpoint".into());
            (address, label)
        };
        Endpoints(Arc::new(Shared {
            addresses: addresses.into_iter().map(shown).collect(),
            patience,
            metrics,
            genesis: OnceLock::new(),
            current: Mutex::new(Current {
                connection: None,
                next: 0,
                go_back: Instant::now(),
                pause_until: None,
            }),
            round: tokio::sync::Mutex::default(),
            failures: AtomicU32::new(0),
            going_back: AtomicBool::new(false),
            finalized: AtomicU64::new(0),
        }))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        let current = self.0.current.lock();
        current.unwrap_or_else(PoisonError::into_inner)
    }

    /// The endpoint that is connected, without what is secret in its address.
    pub(super) fn connected_to(&self) -> Option<String> {
        let current = self.current();
        let alive = current.connection.as_ref().filter(|c| c.is_alive());
        alive.map(|connection| connection.label.clone())
    }

    /// Takes note of a finalized block, which endpoints must not be far behind of.
    pub(super) fn note_final(&self, number: u64) {
        self.0.finalized.fetch_max(number, Ordering::Relaxed);
    }

    /// Whether an endpoint with this finalized block is far behind what was finalized.
    pub(super) fn is_behind(&self, number: u64) -> bool {
        number.saturating_add(BEHIND) < self.0.finalized.load(Ordering::Relaxed)
    }

    /// The endpoint answers, but has had nothing new `for_long`: the next one is to be
    /// tried.
    pub(super) fn leave_still(&self, number: u64, for_long: Duration) {
        let connection = self.current().connection.clone();
        if let Some(connection) = connection {
            let (label, seconds) = (&connection.label, for_long.as_secs_f64());
            let problem = format!(
                "{label} is behind or stands still: its last finalized block is {number}, and that for {seconds} s"
            );
            self.lost(&connection, &ChainError::Connection(problem));
        }
    }

    /// The connection, made if there is none. An endpoint that is behind is taken only
    /// if all are that answer: then the one that is so the least.
    async fn connection(&self) -> Result<Arc<Connection>, ChainError> {
        if let Some(connection) = self.alive() {
            return Ok(connection);
        }
        let asked = Instant::now();
        let mut round = self.0.round.lock().await;
        // Somebody else may have connected meanwhile, or found that nobody answers.
        if let Some(connection) = self.alive() {
            return Ok(connection);
        }
        if let Some((ended, error)) = &round.failed
            && *ended >= asked
        {
            return Err(error.clone());
        }
        let pause = self.current().pause_until;
        if let Some(until) = pause {
            tokio::time::sleep_until(until).await;
        }
        let first = self.current().next;
        let count = self.0.addresses.len();
        let mut problems: Vec<ChainError> = Vec::new();
        let mut behind: Option<Connection> = None;
        for index in (first..count).chain(0..first.min(count)) {
            match self.open(index).await {
                Ok(connection) if connection.behind_at.is_none() => {
                    return Ok(self.settle(&mut round, connection));
                }
                Ok(connection) => {
                    if behind
                        .as_ref()
                        .is_none_or(|b| b.behind_at < connection.behind_at)
                    {
                        behind = Some(connection);
                    }
                }
                Err(error) => problems.push(error),
            }
        }
        if let Some(connection) = behind {
            return Ok(self.settle(&mut round, connection));
        }
        self.back_off();
        let error = one_of(problems);
        round.failed = Some((Instant::now(), error.clone()));
        Err(error)
    }

    fn settle(&self, round: &mut Round, connection: Connection) -> Arc<Connection> {
        let connection = Arc::new(connection);
        self.take(&connection, round.last);
        round.last = Some(connection.index);
        round.failed = None;
        connection
    }

    fn alive(&self) -> Option<Arc<Connection>> {
        let mut current = self.current();
        let connection = current.connection.clone()?;
        if !connection.is_alive() {
            drop(current);
            let problem = ChainError::Connection(format!("{}: closed", connection.label));
            self.lost(&connection, &problem);
            return None;
        }
        if connection.index > 0 && current.go_back <= Instant::now() {
            current.go_back = Instant::now() + self.0.patience.away;
            drop(current);
            self.go_back(Arc::clone(&connection));
        }
        Some(connection)
    }

    async fn open(&self, index: usize) -> Result<Connection, ChainError> {
        let Some((address, label)) = self.0.addresses.get(index) else {
            return Err(ChainError::Connection("no such endpoint".into()));
        };
        let opened = Connection::open(index, address, label, self.0.patience.answer).await;
        let checked = opened.and_then(|(connection, found)| {
            let expected = *self.0.genesis.get_or_init(|| found);
            if expected == found {
                return Ok(connection);
            }
            let endpoint = label.clone();
            Err(ChainError::OtherChain {
                endpoint,
                expected,
                found,
            })
        });
        let checked = match checked {
            Ok(connection) => self.compare(connection).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &checked {
            self.0.metrics.chain_error(error.code());
            tracing::warn!(endpoint = %label, code = error.code(), "an endpoint of the chain cannot be used: {error}");
        }
        checked
    }

    /// Looks whether an endpoint is behind. With only one, or before anything is known
    /// to be final, it is not asked.
    async fn compare(&self, mut connection: Connection) -> Result<Connection, ChainError> {
        let known = self.0.finalized.load(Ordering::Relaxed);
        if known == 0 || self.0.addresses.len() < 2 {
            return Ok(connection);
        }
        let found = connection.finalized().await?;
        connection.behind_at = found.filter(|number| self.is_behind(*number));
        if let Some(number) = connection.behind_at {
            self.0.metrics.chain_error("behind");
            tracing::warn!(endpoint = %connection.label, "an endpoint of the chain is behind: block {number}, and {known} was final");
        }
        Ok(connection)
    }

    fn take(&self, connection: &Arc<Connection>, last: Option<usize>) {
        let mut current = self.current();
        current.connection = Some(Arc::clone(connection));
        current.next = connection.index;
        current.go_back = Instant::now() + self.0.patience.away;
        drop(current);
        self.0.metrics.set_chain_connected(true);
        if last.is_some_and(|last| last != connection.index) {
            self.0.metrics.chain_failover();
        }
        tracing::info!(endpoint = %connection.label, "connected to the chain");
    }

    /// The endpoint has no answer: the next one is to be tried.
    fn lost(&self, connection: &Arc<Connection>, error: &ChainError) {
        self.0.metrics.chain_error(error.code());
        connection.lose();
        let mut current = self.current();
        let is_current = current
            .connection
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, connection));
        if !is_current {
            return;
        }
        current.connection = None;
        current.next = (connection.index + 1) % self.0.addresses.len().max(1);
        drop(current);
        self.0.metrics.set_chain_connected(false);
        tracing::warn!(endpoint = %connection.label, code = error.code(), "the connection to the chain is lost: {error}");
    }

    /// Nobody answers: makes the next attempt wait.
    fn back_off(&self) {
        let patience = &self.0.patience;
        let before = self.0.failures.fetch_add(1, Ordering::Relaxed);
        let longest = patience
            .pause
            .saturating_mul(2_u32.saturating_pow(before.min(16)))
            .min(patience.longest_pause);
        let pause = longest.mul_f64(1.0 - rand::random::<f64>() / 2.0);
        self.current().pause_until = Some(Instant::now() + pause);
    }

    /// Tries the endpoints before the current one, while that is used on.
    fn go_back(&self, away: Arc<Connection>) {
        if self.0.going_back.swap(true, Ordering::Relaxed) {
            return;
        }
        let endpoints = self.clone();
        tokio::spawn(async move {
            for index in 0..away.index {
                let Ok(connection) = endpoints.open(index).await else {
                    continue;
                };
                if connection.behind_at.is_some() {
                    continue;
                }
                let mut round = endpoints.0.round.lock().await;
                if away.is_alive() {
                    endpoints.take(&Arc::new(connection), Some(away.index));
                    round.last = Some(index);
                    away.leave();
                }
                break;
            }
            endpoints.0.going_back.store(false, Ordering::Relaxed);
        });
    }

    /// The connection for the next attempt of a request, of which `problems` are the ones
    /// before.
    async fn attempt(&self, problems: &[ChainError]) -> Result<Arc<Connection>, RpcError> {
        if problems.len() <= self.0.addresses.len() {
            return self.connection().await.map_err(wrapped);
        }
        // Each could be connected to, and had no answer to this: it is not to be asked
        // the same again at once.
        self.back_off();
        Err(wrapped(one_of(problems.to_vec())))
    }

    /// What an attempt came to; none if there was no answer. An error is one.
    fn answer<T>(
        &self,
        connection: &Arc<Connection>,
        result: Result<T, Failure>,
        problems: &mut Vec<ChainError>,
    ) -> Option<Result<T, RpcError>> {
        let answer = match result {
            Ok(answer) => Ok(answer),
            Err(Failure::Answered(error)) => Err(RpcError::User(error)),
            Err(Failure::Lost(error)) => {
                self.lost(connection, &error);
                problems.push(error);
                return None;
            }
        };
        if self.0.failures.swap(0, Ordering::Relaxed) > 0 {
            self.current().pause_until = None;
        }
        Some(answer)
    }

    async fn request(
        &self,
        method: &str,
        params: Option<Box<RawValue>>,
    ) -> Result<Box<RawValue>, RpcError> {
        let mut problems = Vec::new();
        loop {
            let connection = self.attempt(&problems).await?;
            let result = connection.request(method, params.clone()).await;
            if let Some(answer) = self.answer(&connection, result, &mut problems) {
                return answer;
            }
        }
    }

    async fn subscribe(
        &self,
        method: &str,
        params: Option<Box<RawValue>>,
        unsubscribe: &str,
    ) -> Result<RawRpcSubscription, RpcError> {
        let mut problems = Vec::new();
        loop {
            let connection = self.attempt(&problems).await?;
            let result = connection
                .subscribe(method, params.clone(), unsubscribe)
                .await;
            if let Some(answer) = self.answer(&connection, result, &mut problems) {
                let stream = Box::pin(connection.follow(answer?, true));
                return Ok(RawRpcSubscription { stream, id: None });
            }
        }
    }

    /// Puts an extrinsic, as `params`, to one endpoint, once, and follows it there.
    pub(super) async fn submit(
        &self,
        params: Box<RawValue>,
    ) -> Result<impl Stream<Item = Result<Box<RawValue>, RpcError>> + Send + 'static, SubmitError>
    {
        // That the connection broke long ago is often noticed only when something is
        // sent: better something that can be asked again.
        self.request("chain_getFinalizedHead", None)
            .await
            .map_err(|e| SubmitError::NotSent(e.into()))?;
        let connection = self.connection().await.map_err(SubmitError::NotSent)?;
        let watch = "author_submitAndWatchExtrinsic";
        let sent = connection.subscribe(watch, Some(params), "author_unwatchExtrinsic");
        match sent.await {
            Ok(subscription) => Ok(connection.follow(subscription, false)),
            Err(Failure::Answered(error)) => Err(refused(error)),
            Err(Failure::Lost(error)) => {
                self.lost(&connection, &error);
                Err(SubmitError::Unknown(error))
            }
        }
    }
}

fn refused(error: UserError) -> SubmitError {
    if let Some(rejection) = Rejection::pool(&error) {
        return SubmitError::Refused(rejection);
    }
    // Of JSON-RPC itself: the request was not understood. -32700 parse error, -32600
    // invalid request, -32601 no such method, -32602 invalid parameters.
    let not_understood = matches!(error.code, -32700 | -32602..=-32600);
    let error = RpcError::User(error).into();
    if not_understood {
        SubmitError::NotSent(error)
    } else {
        SubmitError::Unknown(error)
    }
}

fn wrapped(error: ChainError) -> RpcError {
    RpcError::Client(Box::new(error))
}

/// One error for those of all attempts: that of the endpoints if it is always the same.
fn one_of(mut problems: Vec<ChainError>) -> ChainError {
    problems.dedup();
    match <[ChainError; 1]>::try_from(problems) {
        Ok([only]) => only,
        Err(problems) => {
            let all: Vec<String> = problems
                .into_iter()
                .map(|problem| match problem {
                    ChainError::Connection(problem) => problem,
                    problem => problem.to_string(),
                })
                .collect();
            ChainError::Connection(all.join("; "))
        }
    }
}

impl RpcClientT for Endpoints {
    fn request_raw<'a>(
        &'a self,
        method: &'a str,
        params: Option<Box<RawValue>>,
    ) -> RawRpcFuture<'a, Box<RawValue>> {
        Box::pin(self.request(method, params))
    }

    fn subscribe_raw<'a>(
        &'a self,
        method: &'a str,
        params: Option<Box<RawValue>>,
        unsubscribe: &'a str,
    ) -> RawRpcFuture<'a, RawRpcSubscription> {
        Box::pin(self.subscribe(method, params, unsubscribe))
    }
}

#[cfg(test)]
mod tests;
