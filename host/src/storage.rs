//! The storage service: commits in, results out and back.
//!
//! [`Poller`] asks the service for what each validator saw, and at the start for
//! evaluations that this host, or one before it, had stored there. What goes out
//! is the [`outbox`](crate::outbox)'s. Verdicts and finalizations are not asked
//! for: they follow from the evaluations, and come to the same again.
//!
//! Nothing that the service does holds anything else up: each request has a
//! deadline and a largest answer, and what it answers is checked before it counts.

mod client;
mod poll;
mod provenance;
mod restore;
mod status;

pub use client::{Answer, Client, StorageError};
pub use poll::{Poller, Round};
pub use status::{PollState, PollStatus};

pub(crate) use provenance::{Provenance, scoring_logs};
