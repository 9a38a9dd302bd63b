//! The plugins that there are: the files of the drop folder, and the challenges
//! that run.

use super::active::ActivePlugin;
use super::load::{Candidate, Rejection};
use crate::clock;
use crate::sandbox::Journal;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use tokio::sync::watch;
use utoipa::ToSchema;

/// How far a plugin's file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// The file is there.
    Discovered,
    /// It was read, and is small enough.
    Verified,
    /// It is being compiled: a component of some megabytes takes seconds, once.
    Compiling,
    /// It is a component, and machine code now.
    Compiled,
    /// Everything that it imports is there.
    Linked,
    /// It told its name, version and settings. A challenge that is not to run now
    /// stays here.
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
            PluginState::Compiling => "compiling",
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
    /// The component in the file, as it was when it could last be read.
    pub(super) candidate: Option<Arc<Candidate>>,
}

/// How a challenge that should run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It is being loaded.
    Loading,
    /// It runs as its record says.
    Running,
    /// An earlier version or record of it runs; the status says why not the last.
    Degraded,
    /// It should run and does not; the status says why.
    Failed,
    /// It should not run.
    Stopped,
}

impl RunState {
    /// Every state.
    pub const ALL: [RunState; 5] = [
        RunState::Loading,
        RunState::Running,
        RunState::Degraded,
        RunState::Failed,
        RunState::Stopped,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            RunState::Loading => "loading",
            RunState::Running => "running",
            RunState::Degraded => "degraded",
            RunState::Failed => "failed",
            RunState::Stopped => "stopped",
        }
    }
}

/// A challenge, whether it runs or not.
#[derive(Debug, Clone)]
pub struct Running {
    /// How it does.
    pub state: RunState,
    /// Why, if it does not run as its record says.
    pub reason: Option<Rejection>,
    /// Since when it is in this state, in seconds since the Unix epoch.
    pub since: f64,
    /// The revision of the record that was last looked at, and the component.
    pub wanted: Option<(i64, String)>,
    /// The file of the drop folder that it came from.
    pub file: Option<PathBuf>,
    /// What runs: the last good version.
    pub active: Option<Arc<ActivePlugin>>,
}

/// What people are told of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginStatus {
    /// Name of the file.
    pub file: String,
    /// Name of the challenge, if the plugin ever told it.
    pub name: Option<String>,
    /// Version of what is active, or else of the file.
    pub version: Option<String>,
    /// SHA-256 of what is active, or else of the file.
    pub digest: Option<String>,
    /// What the active version exports.
    pub exports: Vec<String>,
    /// What the active version can do.
    pub capabilities: Vec<&'static str>,
    /// How far it has come; `active` if a version is, even if the file's last
    /// change was rejected.
    pub state: PluginState,
    /// Why the file, as it is now, was rejected.
    pub rejected: Option<Rejection>,
}

#[derive(Debug, Default)]
struct Known {
    files: BTreeMap<PathBuf, Entry>,
    challenges: BTreeMap<String, Running>,
    journals: BTreeMap<String, Arc<Journal>>,
}

/// The plugins that there are. Clones share everything.
#[derive(Debug, Clone)]
pub struct Plugins {
    known: Arc<RwLock<Known>>,
    changes: Arc<watch::Sender<u64>>,
    scanned: Arc<AtomicBool>,
}

impl Default for Plugins {
    fn default() -> Self {
        Plugins {
            known: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
            scanned: Arc::default(),
        }
    }
}

impl Plugins {
    /// The challenge of this name, if it is active. What is returned can be
    /// called for as long as it is held.
    pub fn get(&self, challenge: &str) -> Option<Arc<ActivePlugin>> {
        self.read(|known| known.challenges.get(challenge)?.active.clone())
    }

    /// Every active challenge, by name.
    pub fn active(&self) -> Vec<Arc<ActivePlugin>> {
        self.read(|known| {
            let running = known.challenges.values();
            running.filter_map(|one| one.active.clone()).collect()
        })
    }

    /// How a challenge does, if anything was ever to be done for it.
    pub fn running(&self, challenge: &str) -> Option<Running> {
        self.read(|known| known.challenges.get(challenge).cloned())
    }

    /// How every challenge does, by name.
    pub fn all_running(&self) -> Vec<(String, Running)> {
        self.read(|known| {
            let challenges = known.challenges.iter();
            challenges
                .map(|(name, running)| (name.clone(), running.clone()))
                .collect()
        })
    }

    /// The journal of a challenge: what it and the host said of its calls. It goes
    /// on from version to version.
    pub fn journal(&self, challenge: &str) -> Arc<Journal> {
        if let Some(journal) = self.read(|known| known.journals.get(challenge).cloned()) {
            return journal;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let journal = known.journals.entry(challenge.to_owned()).or_default();
        Arc::clone(journal)
    }

    /// The status of every file, by name.
    pub fn status(&self) -> Vec<PluginStatus> {
        self.read(|known| {
            let files = known.files.iter();
            files
                .map(|(path, entry)| status(path, entry, &known.challenges))
                .collect()
        })
    }

    /// Whether the drop folder was read to its end once.
    pub fn is_scanned(&self) -> bool {
        self.scanned.load(Ordering::Relaxed)
    }

    /// Notes that the drop folder was read, and what is in it dealt with.
    pub(crate) fn set_scanned(&self) {
        self.scanned.store(true, Ordering::Relaxed);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Is told each time something changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The components that the files of the drop folder hold, by file.
    pub(crate) fn candidates(&self) -> Vec<(PathBuf, Arc<Candidate>)> {
        self.read(|known| {
            let files = known.files.iter().filter(|(_, entry)| {
                // A file that was replaced by a bad one has nothing to offer.
                entry.digest.as_deref() == entry.candidate.as_ref().map(|c| c.component.digest())
            });
            files
                .filter_map(|(path, entry)| Some((path.clone(), entry.candidate.clone()?)))
                .collect()
        })
    }

    /// Whether there is this file in the drop folder.
    pub(crate) fn has_file(&self, path: &Path) -> bool {
        self.read(|known| known.files.contains_key(path))
    }

    /// Notes how far a file has come beyond what it tells of itself, or why not. Tells
    /// whether that is news.
    pub(crate) fn judge_file(&self, path: &Path, judged: Result<PluginState, Rejection>) -> bool {
        self.update_files(|files| {
            let Some(entry) = files.get_mut(path) else {
                return false;
            };
            let (state, rejection) = match judged {
                Ok(state) => (state, None),
                Err(rejection) => (PluginState::Rejected, Some(rejection)),
            };
            let news = entry.state != state || entry.rejection != rejection;
            (entry.state, entry.rejection) = (state, rejection);
            news
        })
    }

    /// Changes what is known of a challenge, and notes since when.
    pub(crate) fn set_running(&self, challenge: &str, change: impl FnOnce(&mut Running)) {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let fresh = || Running {
                state: RunState::Stopped,
                reason: None,
                since: clock::unix_now(),
                wanted: None,
                file: None,
                active: None,
            };
            let running = known
                .challenges
                .entry(challenge.to_owned())
                .or_insert_with(fresh);
            let before = (running.state, running.reason.clone());
            change(running);
            if before != (running.state, running.reason.clone()) {
                running.since = clock::unix_now();
            }
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// Forgets a challenge whose record is gone, with its journal.
    pub(crate) fn forget(&self, challenge: &str) {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.challenges.remove(challenge);
            known.journals.remove(challenge);
        }
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn update_files<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<PathBuf, Entry>) -> T,
    ) -> T {
        let result = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            change(&mut known.files)
        };
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&BTreeMap<PathBuf, Entry>) -> T) -> T {
        self.read(|known| look(&known.files))
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn status(path: &Path, entry: &Entry, challenges: &BTreeMap<String, Running>) -> PluginStatus {
    let running = challenges
        .values()
        .find(|running| running.active.is_some() && running.file.as_deref() == Some(path));
    let active = running.and_then(|running| running.active.as_deref());
    let told = entry.candidate.as_ref().map(|c| &c.description);
    PluginStatus {
        file: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        name: active
            .map(|plugin| plugin.name().to_owned())
            .or_else(|| Some(told?.name.clone())),
        version: active
            .map(|plugin| plugin.description.version.clone())
            .or_else(|| Some(told?.version.clone())),
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
