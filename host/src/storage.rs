//! The storage service: commits in, results out and back.
//!
//! [`Poller`] asks the service for what each validator saw, and at the start for
//! evaluations that this host, or one before it, had stored there. What goes out
//! is the [`outbox`](crate::outbox)'s. A host that knows nothing at all first asks
//! for where an earlier one of its hotkey left off ([`restore_state`]): standings,
//! references and the last days of the ledger. Other verdicts are not asked for.
//!
//! Nothing that the service does holds anything else up: each request has a
//! deadline and a largest answer, and what it answers is checked before it counts.

mod client;
mod poll;
mod provenance;
mod restore;
mod state;
mod status;

pub use client::{Answer, Client, StorageError};
pub use poll::{Poller, Round};
pub use restore::restore_state;
pub use status::{PollState, PollStatus};

pub(crate) use provenance::{Provenance, scoring_logs};
pub(crate) use state::{Kept, KeptChallenge};
