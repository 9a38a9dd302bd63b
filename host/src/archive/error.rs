//! Why files are not in the archive.

/// Why files are not in the archive. Nothing of it has a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A path that no archive takes. Final.
    #[error("{path:?} cannot be a path in the archive: {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// What the archive is reached with is missing or wrong. Final.
    #[error("the archive cannot be opened: {0}")]
    Access(String),
    /// The archive said no, or not now: final or not by its status.
    #[error("the archive answered {status} to {request}: {answer}")]
    Refused {
        /// What was asked, for people.
        request: String,
        /// The HTTP status.
        status: u16,
        /// How its answer begins, without control characters, at most some hundred
        /// bytes.
        answer: String,
    },
    /// It said yes, but not as an archive does: something else may have answered.
    #[error("the archive's answer to {request} is not understood: {answer}")]
    NotUnderstood {
        /// What was asked, for people.
        request: String,
        /// How its answer begins, as in [`Refused`](Self::Refused).
        answer: String,
    },
    /// No answer: the network, a timeout.
    #[error("no answer from the archive to {request}: {problem}")]
    Unreachable {
        /// What was asked, for people.
        request: String,
        /// What went wrong.
        problem: String,
    },
    /// A file or directory cannot be written. Not final: an operator gives it room,
    /// permission or its disk back.
    #[error("cannot write to the archive: {0}")]
    Write(String),
}

impl ArchiveError {
    /// Whether asking again will not help: the request is wrong, or whoever asks is
    /// not allowed to. Of statuses those are 4xx, but for those that say "later": 408,
    /// 409, 412 and 429. Hubs answer 412 if another commit came in between.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Path { .. } | Self::Access(_) => true,
            Self::Refused { status, .. } => {
                (400..500).contains(status) && !matches!(status, 408 | 409 | 412 | 429)
            }
            Self::NotUnderstood { .. } | Self::Unreachable { .. } | Self::Write(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_that_stays_one_is_final() {
        let refused = |status| ArchiveError::Refused {
            request: String::new(),
            status,
            answer: String::new(),
        };
        for status in [400, 401, 403, 404, 413, 422] {
            assert!(refused(status).is_final(), "{status}");
        }
        for status in [302, 307, 408, 409, 412, 429, 500, 502, 503, 504] {
            assert!(!refused(status).is_final(), "{status}");
        }
    }
}
