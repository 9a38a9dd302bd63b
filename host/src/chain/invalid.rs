//! What is wrong with a metagraph or its file.

use std::path::PathBuf;

/// What makes a list of neurons no metagraph.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidMetagraph {
    /// Two neurons have the same uid.
    #[error("uid {0} occurs twice")]
    DuplicateUid(u16),
    /// Two neurons have the same hotkey.
    #[error("hotkey {hotkey} occurs twice, at uid {first} and uid {second}")]
    DuplicateHotkey {
        /// The hotkey.
        hotkey: String,
        /// The lower uid.
        first: u16,
        /// The higher uid.
        second: u16,
    },
    /// A neuron has no hotkey.
    #[error("the hotkey of uid {0} is empty")]
    EmptyHotkey(u16),
    /// A stake is negative or not finite.
    #[error("the stake of uid {uid} is {stake}, which is not finite and at least 0")]
    InvalidStake {
        /// The neuron's uid.
        uid: u16,
        /// The stake as given.
        stake: f64,
    },
}

/// Why a metagraph file could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum MetagraphError {
    /// The file cannot be read.
    #[error("cannot read the metagraph {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not JSON of this shape.
    #[error("the metagraph {} is not of the expected shape", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// The neurons contradict each other.
    #[error("the metagraph {} is not valid", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: InvalidMetagraph,
    },
}
