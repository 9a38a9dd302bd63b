//! The registry: a record for each challenge, of what the operator wants, and the
//! pass that makes what runs the same.
//!
//! A record says what is to run: a component by digest, with what it is given. It
//! is changed by the admin API, by what is dropped into the plugins folder, and by
//! the configuration; each change is checked as a whole before it is stored, and
//! stored with who made it. [`watch`] compares records with what runs, at every
//! change and every `registry.reconcile_s`.

mod adopt;
mod audit;
mod check;
mod credentials;
mod error;
mod fields;
pub mod gpu;
pub mod oci;
mod operations;
pub(crate) mod reach;
mod reconcile;
mod record;
pub mod reference;
mod seal;
mod service;
pub mod signature;
mod signed;
mod tags;
pub mod tokens;

pub use error::RegistryError;
pub use fields::FieldProblem;
pub use operations::{Created, Deleted};
pub use reconcile::{ReconcileError, watch};
pub use record::{Identity, Record, Spec, Status, Track};
pub use seal::{Seal, SealError, write_private};
pub use service::{Edit, Registry};
pub use tags::follow_tags;
