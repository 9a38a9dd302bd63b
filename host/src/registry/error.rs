//! Why an operation on a record is refused.

use super::FieldProblem;
use super::gpu::GpuServerError;
use super::oci::OciError;
use super::record::Status;
use super::seal::SealError;
use crate::artifacts::ArtifactError;
use crate::plugins::Rejection;
use crate::store::StoreError;
use std::io;
use std::path::PathBuf;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such challenge.
    #[error("there is no challenge {0:?}")]
    NotFound(String),
    /// There is one already.
    #[error("there is a challenge {0:?} already")]
    Exists(String),
    /// Fields are not as they must be.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldProblem>),
    /// The record was changed since it was read.
    #[error("the record has revision {0} by now: read it again")]
    Stale(i64),
    /// The lifecycle does not allow it.
    #[error("{from} cannot become {to}", from = .0.name(), to = .1.name())]
    Transition(Status, Status),
    /// The configuration sets these fields.
    #[error(
        "the section challenges.{slug} of the configuration sets {}: change it there",
        fields.join(", ")
    )]
    Configured {
        /// The challenge.
        slug: String,
        /// The fields.
        fields: Vec<String>,
    },
    /// The component cannot do it.
    #[error("{}", .0.reason)]
    NotReady(Rejection),
    /// It is in the way that the challenge is active.
    #[error("the challenge is active: deactivate it first")]
    StillActive,
    /// It would come back.
    #[error("{0} in the plugins folder holds the challenge: remove it first")]
    InFolder(String),
    /// There is no such version, token or secret.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// What is meant.
        what: &'static str,
        /// What it was called.
        name: String,
    },
    /// The registry of components gives none.
    #[error(transparent)]
    Pull(#[from] OciError),
    /// The host's own store of components.
    #[error(transparent)]
    Components(#[from] ArtifactError),
    /// The volume cannot be removed.
    #[error("{path}: {error}")]
    Volume {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// The records of GPU servers.
    #[error(transparent)]
    GpuServers(#[from] GpuServerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cipher.
    #[error(transparent)]
    Seal(#[from] SealError),
}

fn list(problems: &[FieldProblem]) -> String {
    let problems = problems.iter();
    let lines: Vec<String> = problems
        .map(|p| format!("{}: {}", p.field, p.message))
        .collect();
    lines.join("; ")
}
