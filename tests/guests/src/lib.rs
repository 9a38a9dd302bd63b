//! What the hostile guests do. Which of it is told by JSON, so that few
//! components serve for many tests.

mod files;
mod seen;
mod sockets;

use files::FileStep;
use serde::Deserialize;
use serde_json::{Value, json};
pub use sockets::reach;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Something that a challenge and a submission can both do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Act {
    /// Never comes back.
    Loop,
    /// Runs into `unreachable`.
    Trap,
    /// Panics with a message.
    Panic,
    /// Ends the process, as if all were well.
    Exit,
    /// Calls itself until the stack is full.
    Recurse,
    /// Takes memory until there is none.
    HoardMemory,
    /// Takes so many bytes, and gives them back.
    TakeMemory {
        /// How many.
        bytes: usize,
    },
    /// Calls the host for ever.
    FloodHost,
    /// Writes to stderr.
    FloodLog {
        /// How many lines of 1 KiB.
        lines: u64,
    },
    /// Waits by the clock that it is given.
    Sleep {
        /// How long.
        seconds: u64,
    },
    /// Returns a text that is so long.
    Output {
        /// How long.
        bytes: usize,
    },
    /// Counts how often this instance was called.
    Count,
    /// Returns random numbers.
    Random,
    /// Returns what the clocks show.
    Clocks,
    /// Returns arguments, environment and standard input.
    Environment,
    /// Works on files, and returns what came of each step.
    Files {
        /// One after the other.
        steps: Vec<FileStep>,
    },
}

impl Act {
    /// Does it, and returns what was seen.
    pub fn perform(self) -> Value {
        match self {
            Act::Loop => endless(|| {}),
            Act::Trap => trap(),
            Act::Panic => fail(),
            Act::Exit => std::process::exit(0),
            Act::Recurse => json!(recurse(1)),
            Act::HoardMemory => {
                let mut hoard = Vec::new();
                endless(|| hoard.push(black_box(vec![1_u8; 1 << 20])))
            }
            Act::TakeMemory { bytes } => json!(black_box(vec![1_u8; bytes]).len()),
            Act::FloodHost => endless(|| {
                black_box(Instant::now());
            }),
            Act::FloodLog { lines } => {
                for _ in 0..lines {
                    eprintln!("{}", "x".repeat(1023));
                }
                Value::Null
            }
            Act::Sleep { seconds } => {
                std::thread::sleep(Duration::from_secs(seconds));
                Value::Null
            }
            Act::Output { bytes } => json!("a".repeat(bytes)),
            Act::Count => seen::count(),
            Act::Random => seen::random(),
            Act::Clocks => seen::clocks(),
            Act::Environment => seen::environment(),
            Act::Files { steps } => steps.into_iter().map(FileStep::take).collect(),
        }
    }
}

fn endless(mut step: impl FnMut()) -> Value {
    while black_box(true) {
        step();
    }
    Value::Null
}

fn recurse(depth: u64) -> u64 {
    // The sum keeps it from being a loop. A big frame would overflow the stack
    // that Rust keeps in linear memory first, which is a trap like any other.
    if black_box(false) {
        0
    } else {
        recurse(depth + 1) + black_box(depth)
    }
}

#[allow(unsafe_code, reason = "it is what is tested")]
fn trap() -> Value {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort()
}

#[allow(clippy::panic, reason = "it is what is tested")]
fn fail() -> Value {
    panic!("the answer is {}", black_box(42))
}
