//! What time it is for the freshness of signatures.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Where the time comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A file that holds the time as text, in seconds since the Unix epoch, read at
    /// each request. Replace it by renaming: a request that finds half of a file is
    /// answered with status 500.
    File(PathBuf),
}

impl Clock {
    /// Seconds since the Unix epoch, or why nobody knows.
    pub(crate) fn now(&self) -> Result<f64, String> {
        let path = match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                return Ok(since.unwrap_or(Duration::ZERO).as_secs_f64());
            }
            Clock::File(path) => path,
        };
        let text = fs::read_to_string(path).map_err(|error| format!("clock: {error}"))?;
        match text.trim().parse() {
            Ok(now) if f64::is_finite(now) => Ok(now),
            _ => Err(format!("clock: {} is no time", text.trim())),
        }
    }
}
