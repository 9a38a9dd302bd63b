//! Weights on their way to the chain.
//!
//! One task owns submitting. At each finalized block it looks what became of what is on
//! its way, whether what is on chain is what was sent, whether anything is to be
//! revealed, and, if `weights.submit` is set, whether the schedule wants something sent.
//! An operator asks it through a [`Submitter`], and it does the same for him.
//!
//! Nothing is submitted twice. A submission is a row before its bytes leave this host,
//! with the nonce and the era that it is signed for, and while it is not known what
//! became of it there is no other. That is known when a finalized block has it, or when
//! none can have it any more: its nonce was used, or the blocks of its era are all final.
//! What a node says of it does not count. The same bytes may be given away again, since
//! the chain takes a nonce once.

mod confirm;
mod consider;
mod draft;
mod error;
mod fate;
mod offline;
mod plan;
mod planning;
pub mod schedule;
mod task;
mod tell;
mod work;

pub use error::SubmissionError;
pub use offline::offline_plan;
pub use plan::{Plan, RevealPlan, SchedulePlan};
pub use task::{Answer, Asks, Submitter, channel, run};

use crate::chain::Hotkey;
use crate::chain::client::Chain;
use crate::chain::subnet::Subnet;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::scoring::Vector;
use crate::store::Store;
use std::sync::Arc;
use tokio::sync::watch;

/// What submitting needs. Clones share everything.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The configuration.
    pub config: Arc<Config>,
    /// Where submissions are.
    pub store: Store,
    /// Who is who on the subnet.
    pub subnet: Subnet,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// The current vector, [`changes`](crate::scoring::LatestVector::changes) of the
    /// latest one.
    pub vectors: watch::Receiver<Option<Arc<Vector>>>,
    /// The chain; none if the subnet is known from a file.
    pub chain: Option<Chain>,
    /// What this host signs with, if it has a wallet.
    pub hotkey: Option<Hotkey>,
    /// What time it is, in seconds since the Unix epoch:
    /// [`unix_now`](crate::clock::unix_now).
    pub clock: fn() -> f64,
}

impl Parts {
    fn now(&self) -> f64 {
        (self.clock)()
    }

    /// The current vector, unless it has expired.
    fn vector(&self) -> Result<Arc<Vector>, SubmissionError> {
        let vector = self.vectors.borrow().clone();
        let vector = vector.ok_or(SubmissionError::NoVector)?;
        if self.now() >= vector.valid_until {
            return Err(SubmissionError::Expired);
        }
        Ok(vector)
    }

    /// Whether what is known of the subnet is recent enough to submit with.
    fn check_fresh(&self, now: f64) -> Result<(), SubmissionError> {
        let stale = self.subnet.is_stale(now, self.config.chain.stale_after_s);
        self.metrics.set_metagraph_stale(stale);
        match self.subnet.read_at() {
            Some(read_at) if stale => Err(SubmissionError::Stale {
                age_s: now - read_at,
            }),
            _ => Ok(()),
        }
    }
}
