//! What may go wrong between a node and its clients.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::watch;

use crate::node::RpcError;

/// The faults of a [`Server`](crate::Server), and what it has seen. Clones share them.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plan: Mutex<Plan>,
    line: watch::Sender<Line>,
    seen: watch::Sender<u64>,
}

/// What all connections are told at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Grows when all that are open are to be closed.
    pub(crate) cuts: u64,
    /// Nothing is read and nothing is sent.
    pub(crate) silent: bool,
}

#[derive(Debug, Default)]
struct Plan {
    refused_connections: usize,
    connections: usize,
    rules: Vec<Rule>,
    /// Notifications that are not sent.
    muted: Vec<String>,
    /// How many answers are held before they are sent, the last one first.
    reorder: usize,
    requests: Vec<(String, Vec<Json>)>,
}

#[derive(Debug)]
struct Rule {
    method: String,
    left: usize,
    act: Act,
}

/// What is done to a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    CutBefore,
    CutAfter,
    Ignore,
    Fail(RpcError),
    Delay(Duration),
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            plan: Mutex::default(),
            line: watch::Sender::new(Line::default()),
            seen: watch::Sender::new(0),
        }))
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rule(&self, method: &str, count: usize, act: Act) {
        self.plan().rules.push(Rule {
            method: method.to_owned(),
            left: count,
            act,
        });
    }

    /// Closes the next connections before their handshake; 0 is none any more.
    pub fn refuse_connections(&self, count: usize) {
        self.plan().refused_connections = count;
    }

    /// Closes all connections that are open.
    pub fn disconnect(&self) {
        self.0.line.send_modify(|line| line.cuts += 1);
    }

    /// Closes the connection at the next requests of a method (`*` is any), and does not
    /// carry them out.
    pub fn cut_before(&self, method: &str, count: usize) {
        self.rule(method, count, Act::CutBefore);
    }

    /// Closes the connection at the next requests of a method (`*` is any), which are
    /// carried out: only the answer is lost.
    pub fn cut_after(&self, method: &str, count: usize) {
        self.rule(method, count, Act::CutAfter);
    }

    /// Carries out the next requests of a method (`*` is any) and never answers.
    pub fn ignore(&self, method: &str, count: usize) {
        self.rule(method, count, Act::Ignore);
    }

    /// Answers the next requests of a method (`*` is any) with an error, and does not
    /// carry them out.
    pub fn fail(&self, method: &str, count: usize, error: RpcError) {
        self.rule(method, count, Act::Fail(error));
    }

    /// Answers the next requests of a method (`*` is any) so much later.
    pub fn delay(&self, method: &str, count: usize, by: Duration) {
        self.rule(method, count, Act::Delay(by));
    }

    /// Holds this many answers of a connection and sends them the last one first, once.
    /// As many requests must be under way at once, else none is answered.
    pub fn reorder(&self, count: usize) {
        self.plan().reorder = count;
    }

    /// Sends no notifications of a kind, such as `chain_finalizedHead`, any more.
    pub fn mute(&self, notification: &str) {
        self.plan().muted.push(notification.to_owned());
    }

    /// Whether nothing is read and nothing is sent, with connections open.
    pub fn silent(&self, silent: bool) {
        self.0.line.send_modify(|line| line.silent = silent);
    }

    /// Takes back every fault that has not come yet.
    pub fn clear(&self) {
        let mut plan = self.plan();
        plan.refused_connections = 0;
        plan.rules.clear();
        plan.muted.clear();
        plan.reorder = 0;
        drop(plan);
        self.silent(false);
    }

    /// How many connections were made, those not counted that were refused.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.plan().connections
    }

    /// How many requests of a method came in (`*` is any).
    #[must_use]
    pub fn requests(&self, method: &str) -> usize {
        let plan = self.plan();
        let is_it = |(one, _): &&(String, _)| method == "*" || one == method;
        plan.requests.iter().filter(is_it).count()
    }

    /// The parameters of every request of a method, oldest first.
    #[must_use]
    pub fn parameters(&self, method: &str) -> Vec<Vec<Json>> {
        let plan = self.plan();
        let of_method = plan.requests.iter().filter(|(one, _)| one == method);
        of_method.map(|(_, params)| params.clone()).collect()
    }

    /// Waits until something holds. It is looked at after every request and connection.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut seen = self.seen();
        while !holds(self) {
            // The sender is in `self`.
            let _ = seen.changed().await;
        }
    }

    pub(crate) fn seen(&self) -> watch::Receiver<u64> {
        self.0.seen.subscribe()
    }

    pub(crate) fn line(&self) -> watch::Receiver<Line> {
        self.0.line.subscribe()
    }

    /// Whether a connection that comes now is let in.
    pub(crate) fn lets_in(&self) -> bool {
        let mut plan = self.plan();
        if plan.refused_connections > 0 {
            plan.refused_connections -= 1;
            return false;
        }
        plan.connections += 1;
        drop(plan);
        self.0.seen.send_modify(|seen| *seen += 1);
        true
    }

    /// Notes a request, and says what is to be done to it.
    pub(crate) fn next(&self, method: &str, params: &[Json]) -> Option<Act> {
        let mut plan = self.plan();
        plan.requests.push((method.to_owned(), params.to_vec()));
        self.0.seen.send_modify(|seen| *seen += 1);
        let rule = plan
            .rules
            .iter_mut()
            .find(|rule| rule.left > 0 && (rule.method == "*" || rule.method == method))?;
        rule.left -= 1;
        Some(rule.act.clone())
    }

    pub(crate) fn is_muted(&self, notification: &str) -> bool {
        self.plan().muted.iter().any(|one| one == notification)
    }

    /// How many answers are to be held.
    pub(crate) fn held(&self) -> usize {
        self.plan().reorder
    }
}
