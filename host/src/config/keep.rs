//! What is kept, where, and for how long.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Section `backup`: `scoring_results.json`, from which `proctor restore` brings
/// everything back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// The file. Default: `scoring_results.json` in `data_dir`.
    #[schema(value_type = Option<String>)]
    pub path: Option<PathBuf>,
    /// Seconds after a change within which it is written, at the latest; a
    /// finalization is written at once. Default: 600.
    pub interval_s: f64,
}

impl Default for Backup {
    fn default() -> Self {
        Backup {
            path: None,
            interval_s: 600.0,
        }
    }
}

impl Backup {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(0.0..=86_400.0).contains(&self.interval_s) {
            let problem = format!("{} is not in 0 to 86400", self.interval_s);
            return Err(ConfigError::key("backup.interval_s", problem));
        }
        Ok(())
    }
}

/// Section `retention`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days after its finalization for which a day stays in the database; then
    /// what nothing refers to any more moves to a file in `archive/` of the data
    /// directory. 0 is for ever. Default: 90.
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { days: 90 }
    }
}

/// Section `events`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// How many of the last events can be resumed from. Default: 100 000.
    pub keep: u64,
}

impl Default for Events {
    fn default() -> Self {
        Events { keep: 100_000 }
    }
}
