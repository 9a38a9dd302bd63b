//! The plugins that there are, and the state of each.

use super::load::{ActivePlugin, Rejection};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use tokio::sync::watch;

/// How far a plugin's file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// The file is there.
    Discovered,
    /// It was read, and is small enough.
    Verified,
    /// It is a component, and machine code now.
    Compiled,
    /// Everything that it imports is there.
    Linked,
    /// It told its name, version and settings.
    Described,
    /// The operator's settings are valid.
    Configured,
    /// It can be called.
    Active,
    /// It cannot be used; the status says why.
    Rejected,
}

impl PluginState {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            PluginState::Discovered => "discovered",
            PluginState::Verified => "verified",
            PluginState::Compiled => "compiled",
            PluginState::Linked => "linked",
            PluginState::Described => "described",
            PluginState::Configured => "configured",
            PluginState::Active => "active",
            PluginState::Rejected => "rejected",
        }
    }
}

/// What a file looked like when it was read: a change means to read it again.
pub(super) type Stamp = (u64, SystemTime);

/// One file of the drop folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) stamp: Option<Stamp>,
    pub(super) digest: Option<String>,
    pub(super) state: PluginState,
    pub(super) rejection: Option<Rejection>,
    /// What the file, as it is now, told of itself: name and version.
    pub(super) told: Option<(String, String)>,
    /// The last good version, which stays while the file is being replaced.
    pub(super) active: Option<Arc<ActivePlugin>>,
}

/// What people are told of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginStatus {
    /// Name of the file.
    pub file: String,
    /// Name of the challenge; none if the plugin never came that far.
    pub name: Option<String>,
    /// Version of the plugin that is active, or else of the file.
    pub version: Option<String>,
    /// SHA-256 of the component that is active, or else of the file.
    pub digest: Option<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it can do: `scoring`, `comparison`, `get_weights`.
    pub capabilities: Vec<&'static str>,
    /// How far it has come. `active` if a version is, even if the file's last
    /// change was rejected.
    pub state: PluginState,
    /// Why the file, as it is now, was rejected.
    pub rejected: Option<Rejection>,
}

/// All plugins. Clones share everything.
#[derive(Debug, Clone)]
pub struct Plugins {
    entries: Arc<RwLock<BTreeMap<PathBuf, Entry>>>,
    changes: Arc<watch::Sender<u64>>,
    scanned: Arc<AtomicBool>,
}

impl Default for Plugins {
    fn default() -> Self {
        Plugins {
            entries: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
            scanned: Arc::default(),
        }
    }
}

impl Plugins {
    /// The challenge of this name, if it is active. What is returned can be
    /// called for as long as it is held.
    pub fn get(&self, challenge: &str) -> Option<Arc<ActivePlugin>> {
        self.active()
            .into_iter()
            .find(|plugin| plugin.name() == challenge)
    }

    /// Every active challenge, by name.
    pub fn active(&self) -> Vec<Arc<ActivePlugin>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut active: Vec<_> = entries
            .values()
            .filter_map(|entry| entry.active.clone())
            .collect();
        active.sort_by(|a, b| a.name().cmp(b.name()));
        active
    }

    /// The status of every file, by name.
    pub fn status(&self) -> Vec<PluginStatus> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .map(|(path, entry)| status(path, entry))
            .collect()
    }

    /// Whether the drop folder was read to its end once.
    pub fn is_scanned(&self) -> bool {
        self.scanned.load(Ordering::Relaxed)
    }

    pub(super) fn set_scanned(&self) {
        self.scanned.store(true, Ordering::Relaxed);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Is told each time something changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn update<T>(&self, change: impl FnOnce(&mut BTreeMap<PathBuf, Entry>) -> T) -> T {
        let result = change(&mut self.entries.write().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&BTreeMap<PathBuf, Entry>) -> T) -> T {
        look(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn status(path: &Path, entry: &Entry) -> PluginStatus {
    let active = entry.active.as_deref();
    PluginStatus {
        file: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        name: active
            .map(|plugin| plugin.name().to_owned())
            .or_else(|| Some(entry.told.as_ref()?.0.clone())),
        version: active
            .map(|plugin| plugin.description.version.clone())
            .or_else(|| Some(entry.told.as_ref()?.1.clone())),
        digest: active
            .map(|plugin| plugin.component.digest().to_owned())
            .or_else(|| entry.digest.clone()),
        exports: active.map_or_else(Vec::new, |plugin| plugin.component.exports().to_vec()),
        capabilities: active.map_or_else(Vec::new, |plugin| {
            plugin
                .component
                .capabilities()
                .into_iter()
                .map(|c| c.name())
                .collect()
        }),
        state: if active.is_some() {
            PluginState::Active
        } else {
            entry.state
        },
        rejected: entry.rejection.clone(),
    }
}
