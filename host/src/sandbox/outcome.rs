//! What a call in the sandbox comes to.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a call came to. The codes are stable: the API, metric labels and the
/// command line use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned a valid result.
    Ok,
    /// It returned an error of its own.
    GuestError,
    /// Something that it needs is not there now: try again.
    Unavailable,
    /// It trapped: unreachable code, a bad access, a panic, an exit.
    Trap,
    /// It used up its fuel.
    OutOfFuel,
    /// It passed its deadline.
    Timeout,
    /// It was refused memory or table space, and gave up.
    OutOfMemory,
    /// Its calls nest too deep.
    StackOverflow,
    /// It tried what it may not, or called the host too often.
    Denied,
    /// Its result is too large, malformed, or out of range.
    InvalidOutput,
    /// It is no component that this host can run.
    LinkError,
    /// The host failed.
    HostError,
}

impl Outcome {
    /// Every outcome, in the order of the type.
    pub const ALL: [Outcome; 12] = [
        Outcome::Ok,
        Outcome::GuestError,
        Outcome::Unavailable,
        Outcome::Trap,
        Outcome::OutOfFuel,
        Outcome::Timeout,
        Outcome::OutOfMemory,
        Outcome::StackOverflow,
        Outcome::Denied,
        Outcome::InvalidOutput,
        Outcome::LinkError,
        Outcome::HostError,
    ];

    /// The stable code, such as `out_of_fuel`.
    pub fn code(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::GuestError => "guest_error",
            Outcome::Unavailable => "unavailable",
            Outcome::Trap => "trap",
            Outcome::OutOfFuel => "out_of_fuel",
            Outcome::Timeout => "timeout",
            Outcome::OutOfMemory => "out_of_memory",
            Outcome::StackOverflow => "stack_overflow",
            Outcome::Denied => "denied",
            Outcome::InvalidOutput => "invalid_output",
            Outcome::LinkError => "link_error",
            Outcome::HostError => "host_error",
        }
    }

    /// The outcome of a [`code`](Self::code).
    pub fn from_code(code: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.code() == code)
    }

    /// Whether the same call may come to something else at another time. The
    /// others are a function of the call.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Outcome::Unavailable | Outcome::Timeout | Outcome::HostError
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Whose fault a failed call is. Only a submission's own fault may cost it its
/// score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The miner's submission.
    Submission,
    /// The challenge's plugin.
    Plugin,
    /// The host, or what it depends on.
    Host,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{outcome}: {message}")]
pub struct PluginError {
    /// What happened; never [`Outcome::Ok`].
    pub outcome: Outcome,
    /// Whose fault it is.
    pub blame: Blame,
    /// The same for people.
    pub message: String,
    /// Names of the guest's functions, innermost first, if it trapped.
    pub frames: Vec<String>,
}

/// The most bytes of a message.
const MAX_MESSAGE: usize = 1_000;

impl PluginError {
    /// An error that the plugin is to blame for, or the host if the outcome says
    /// so. A message of more than 1,000 bytes is cut: a guest may have a hand in it.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        let blame = match outcome {
            Outcome::Unavailable | Outcome::HostError => Blame::Host,
            _ => Blame::Plugin,
        };
        PluginError {
            outcome,
            blame,
            message,
            frames: Vec::new(),
        }
    }

    /// An error that the submission is to blame for.
    pub fn submission(outcome: Outcome, message: impl Into<String>) -> Self {
        PluginError {
            blame: Blame::Submission,
            ..PluginError::new(outcome, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_serde_writes() {
        for outcome in Outcome::ALL {
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.code());
            assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        }
        assert_eq!(Outcome::from_code("fine"), None);
    }
}
