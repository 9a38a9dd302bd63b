//! Why a registry was asked in vain.

use super::Unreachable;
use crate::registry::reach::{refused, with_causes};
use std::path::PathBuf;

/// Why a component was neither pulled nor pushed. Nothing of a login is in it.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// Whom to ask is not allowed.
    #[error("not asked: {0}")]
    Refused(#[from] Unreachable),
    /// There is no connection, or it ended before an answer.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// It took too long.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Interrupted(String),
    /// The registry wants a login, another one, or one that may do more.
    #[error("{host} does not let the host in: {reason}")]
    Unauthorized {
        /// Who was asked.
        host: String,
        /// Why.
        reason: String,
    },
    /// Docker's configuration file cannot be used.
    #[error("{path}: {reason}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no such repository, tag or manifest.
    #[error("{host} has no {what}")]
    NotFound {
        /// Who was asked.
        host: String,
        /// What for.
        what: String,
    },
    /// Another answer that is no success.
    #[error("{host} answered {status}")]
    Status {
        /// Who was asked.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not what the specification wants.
    #[error("the registry's answer is not understood: {0}")]
    Malformed(String),
    /// There is something, but no component.
    #[error("{0}")]
    NotAComponent(String),
    /// What came is not what was asked for.
    #[error("the {what} has the digest {found}, not {expected}")]
    Digest {
        /// Manifest, component or another blob.
        what: &'static str,
        /// The digest that was asked for.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// It is larger than a component may be.
    #[error("the {what} has more than the {max} bytes that it may have")]
    TooLarge {
        /// Manifest, component or signature.
        what: &'static str,
        /// The limit, in bytes.
        max: u64,
    },
    /// The reference is none to push to.
    #[error("{0}")]
    Reference(&'static str),
    /// No client can be made on this machine.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

impl OciError {
    /// The stable name.
    pub fn code(&self) -> &'static str {
        match self {
            OciError::Refused(_) => "address_refused",
            OciError::Unreachable { .. } => "registry_unreachable",
            OciError::Timeout(_) => "registry_timeout",
            OciError::Interrupted(_) => "registry_interrupted",
            OciError::Unauthorized { .. } => "registry_unauthorized",
            OciError::Credentials { .. } => "registry_credentials",
            OciError::NotFound { .. } => "component_not_found",
            OciError::Status { .. } => "registry_status",
            OciError::Malformed(_) => "registry_malformed",
            OciError::NotAComponent(_) => "not_a_component",
            OciError::Digest { .. } => "digest_mismatch",
            OciError::TooLarge { .. } => "component_too_large",
            OciError::Reference(_) => "invalid_reference",
            OciError::Setup(_) => "http_setup",
        }
    }

    /// Whether the same reference may be pulled at another time without anybody
    /// changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            OciError::Unreachable { .. } | OciError::Timeout(_) | OciError::Interrupted(_) => true,
            OciError::Status { status, .. } => *status >= 500 || matches!(status, 408 | 425 | 429),
            _ => false,
        }
    }

    pub(super) fn unanswered(host: &str, error: reqwest::Error) -> Self {
        if let Some(refused) = refused(&error) {
            return OciError::Refused(refused);
        }
        if error.is_timeout() {
            return OciError::Timeout(host.to_owned());
        }
        OciError::Unreachable {
            host: host.to_owned(),
            reason: with_causes(error),
        }
    }

    pub(super) fn interrupted(host: &str, error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return OciError::Timeout(host.to_owned());
        }
        OciError::Interrupted(with_causes(error))
    }
}
