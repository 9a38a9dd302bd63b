//! What a challenge may reach.

use super::database::DatabaseGrant;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::volume::VolumeWatch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi::FsPerms;

/// What a challenge may reach.
#[derive(Debug, Clone)]
pub struct Grants {
    /// The directory that the guest sees as `/data`.
    pub data: Option<PathBuf>,
    /// Size that this directory may have, in bytes. A call during which it grows
    /// beyond that is [`Outcome::Denied`] if it is one of a route, and
    /// [`Outcome::Unavailable`] if not: whoever asks routes must not decide what is
    /// scored. When it is a quarter above, it can only be read.
    pub data_max_bytes: u64,
    /// The SQLite file behind the import `database`.
    pub database: Option<PathBuf>,
    /// Size that the database may have, in pages of 4 KiB.
    pub database_pages: u32,
    /// Time that one SQL statement may take.
    pub statement: Duration,
    /// What the guest sees as its environment, in this order. Results depend on it.
    pub environment: Arc<[(String, String)]>,
}

impl Default for Grants {
    /// Nothing: no files, no database, no environment.
    fn default() -> Self {
        Grants {
            data: None,
            data_max_bytes: 256 << 20,
            database: None,
            database_pages: 0,
            statement: Duration::ZERO,
            environment: Arc::default(),
        }
    }
}

impl Grants {
    /// Looks at the volume, if there is one. The call comes to `full` if it grows too
    /// large.
    pub(super) async fn watch(&self, full: Outcome) -> Result<Option<VolumeWatch>, PluginError> {
        let Some(data) = &self.data else {
            return Ok(None);
        };
        let watch = VolumeWatch::begin(data, self.data_max_bytes, full);
        watch.await.map(Some)
    }

    pub(super) fn data(&self, volume: Option<&VolumeWatch>) -> Option<(&Path, FsPerms)> {
        self.data.as_deref().zip(volume.map(VolumeWatch::perms))
    }

    pub(super) fn database(&self, limits: &Limits) -> Option<DatabaseGrant> {
        let path = self.database.clone()?;
        Some(DatabaseGrant::new(
            path,
            self.database_pages,
            self.statement,
            limits.output_bytes,
        ))
    }
}
