//! A fake of the storage service: its routes, its check of signatures, and the ways
//! in which it may fail. For tests, and for people who try things out
//! (`proctor dev storage`).
//!
//! What the real service does is known from its clients alone. Where they do not
//! tell, `src/peer.rs` says what was chosen.
//!
//! Beside the service's own routes there is a control plane under `/dev/`, which is
//! not signed:
//!
//! | route | is |
//! |---|---|
//! | `PUT /dev/miner-commits/{validator_uid}` | what `/fetch-latest-miner-commits` answers for a validator, as `{"miner_commits": …}` |
//! | `GET /dev/uploads?since=N` | what was uploaded after the Nth upload, oldest first |
//! | `GET /dev/requests` | how many requests had which answer, by route |
//! | `PUT`, `DELETE /dev/faults` | a list of [`Fault`]s |
//! | `GET /dev/state` | all that it knows |

mod book;
mod clock;
mod control;
mod faults;
mod gate;
mod peer;
mod refusal;
mod server;
mod signature;

pub use book::{StateError, Upload};
pub use clock::Clock;
pub use faults::{Fault, FaultError, FaultKind};
pub use server::{FakeStorage, Options, Requests, RunningStorage, StartError};
