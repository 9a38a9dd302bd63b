//! What miners committed, as validators saw it: read, sifted, merged, opened.
//!
//! A validator publishes a document ([`wire::parse`]) with every commit it has
//! seen. [`collect`](fn@collect) turns the documents of all validators into one list of
//! commits by miner and challenge:
//!
//! 1. views of validators with too little stake are left out ([`admit`]);
//! 2. keys and plain commits that do not verify are removed ([`sift`](fn@sift)), so
//!    that one bad key never hides a good one of another validator;
//! 3. the rest is merged ([`aggregate`](fn@aggregate)).
//!
//! Once a commit [is on time](is_on_time) and has a key, [`unseal`] gives the
//! artifact that is to be scored.
//!
//! Everything here is pure, without I/O or clock, but for [`ingest`](fn@ingest),
//! which keeps the documents and what is known of each commit in the store.

mod aggregate;
mod collect;
mod ingest;
mod rejected;
mod reveal;
mod sift;
mod timestamp;
mod versions;
pub mod wire;

pub use aggregate::{MinerCommits, ResolvedView, aggregate, merge, resolve};
pub use collect::{Collected, Ineligible, admit, collect};
pub use ingest::{Delivery, IngestError, IngestReport, ingest, ingest_again};
pub use reveal::{
    ArtifactRef, DEFAULT_REVEAL_INTERVAL, InvalidArtifact, RevealedCommit, SealFault, is_on_time,
    open, unseal,
};
pub use sift::{CommitFault, FaultKind, Sifted, sift};
pub use timestamp::resolve as resolve_timestamp;
pub use versions::{CommitVersion, versions};
pub use wire::{ObservedCommit, ValidatorView};
