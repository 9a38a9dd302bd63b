//! What is kept so that scores can be computed again.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Section `receipts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Receipts {
    /// Whether receipts are made. Without them nobody can check a score. Default: yes.
    pub record: bool,
    /// Bytes of what the host answers in one call that are kept, at most 256 MiB. Of a call
    /// with more there is a receipt, but nobody can do it again. Default: 16 MiB.
    pub max_transcript_bytes: usize,
    /// Days for which what receipts name is kept in the database after it was last used, 1
    /// to 3 650; receipts and trees stay. Default: 30.
    pub keep_days: u32,
    /// Whether bundles of the public API may have miners' artifacts in them, of days that
    /// are finalized. Default: yes.
    pub artifacts: bool,
}

impl Default for Receipts {
    fn default() -> Self {
        Receipts {
            record: true,
            max_transcript_bytes: 16 << 20,
            keep_days: 30,
            artifacts: true,
        }
    }
}

impl Receipts {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_transcript_bytes > 256 << 20 {
            let problem = format!("{} is above 256 MiB", self.max_transcript_bytes);
            return Err(ConfigError::key("receipts.max_transcript_bytes", problem));
        }
        if !(1..=3_650).contains(&self.keep_days) {
            let problem = format!("{} is not in 1 to 3650", self.keep_days);
            return Err(ConfigError::key("receipts.keep_days", problem));
        }
        Ok(())
    }
}
