//! Loading a component: each step can only be reached through the one before.

use super::background::{Background, Loads, every_few_seconds, telling};
use super::files::{read, stamp, wasm_files};
use super::state::{Entry, PluginState, Plugins};
use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::sandbox::{
    CacheUse, Description, Limits, Outcome, PluginComponent, PluginError, Sandbox, sha256_hex,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// A component that told what it is, and is not configured yet.
#[derive(Debug)]
pub struct Candidate {
    /// The component.
    pub component: Arc<PluginComponent>,
    /// What it told of itself.
    pub description: Description,
}

/// Why a file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// A stable code: that of an outcome, or `unreadable`, `too_large`,
    /// `invalid_name`, `invalid_settings`, `duplicate_name`, `pinned`,
    /// `missing_capability`, `missing_secret`, `missing_component`, `no_file`.
    pub code: &'static str,
    /// The same for people.
    pub reason: String,
}

impl Rejection {
    pub(crate) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Rejection {
            code,
            reason: reason.into(),
        }
    }
}

impl Rejection {
    /// Whether the same file may be good at another time: the name may have
    /// become free, or the host less busy.
    pub(crate) fn may_pass(&self) -> bool {
        let transient = Outcome::from_code(self.code).is_some_and(Outcome::is_transient);
        transient
            || matches!(
                self.code,
                "duplicate_name" | "unreadable" | "missing_component"
            )
    }
}

impl From<PluginError> for Rejection {
    fn from(error: PluginError) -> Self {
        Rejection::new(error.outcome.code(), error.message)
    }
}

/// Loads components. Clones share everything.
#[derive(Debug, Clone)]
pub struct Loader {
    pub(super) sandbox: Sandbox,
    pub(super) config: Arc<Config>,
    metrics: Arc<Metrics>,
    pub(super) plugins: Plugins,
    components: ArtifactStore,
    background: Background,
}

impl Loader {
    /// A loader of what is in the configuration's drop folder, and in `components`,
    /// which keeps every component that was ever loaded.
    pub fn new(
        sandbox: Sandbox,
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        components: ArtifactStore,
    ) -> Self {
        Loader {
            sandbox,
            config,
            metrics,
            plugins: Plugins::default(),
            components,
            background: Background::default(),
        }
    }

    /// What was loaded.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Every component that was ever loaded, by digest.
    pub fn components(&self) -> &ArtifactStore {
        &self.components
    }

    /// Makes what is known of the drop folder what it is now: begins to load what is new
    /// or changed, each file by itself, and forgets what is gone. [`loads`](Self::loads)
    /// tells when one is done.
    ///
    /// # Errors
    ///
    /// The folder cannot be read; nothing changes then.
    pub fn scan(&self) -> io::Result<()> {
        let files = wasm_files(&self.config.plugins.dir)?;
        self.plugins
            .update_files(|known| known.retain(|path, _| files.contains(path)));
        for path in files {
            if self.is_to_load(&path) {
                self.discover(&path);
                let (loader, file) = (self.clone(), path.clone());
                self.background.begin(&path, move || {
                    let (loader, file) = (loader.clone(), file.clone());
                    async move { loader.load_file(&file).await }
                });
            }
        }
        Ok(())
    }

    /// The files that are being loaded now. It changes when one is done.
    pub fn loads(&self) -> watch::Receiver<Loads> {
        self.background.subscribe()
    }

    /// Whether a component is not loaded, and comes from a file that is being loaded, as
    /// far as is known.
    pub fn is_loading(&self, path: &Path, digest: &str) -> bool {
        let is_other = |entries: &BTreeMap<PathBuf, Entry>| {
            let known = entries.get(path)?.digest.as_deref()?;
            Some(known != digest)
        };
        self.background.is_loading(path)
            && !self.plugins.look(is_other).unwrap_or_default()
            && self.loaded(digest).is_none()
    }

    /// Whether a file is new, or changed since it was read, or may be good now.
    fn is_to_load(&self, path: &Path) -> bool {
        let stamp = stamp(path);
        let known = self.plugins.look(|entries| {
            let entry = entries.get(path)?;
            let again = entry.rejection.as_ref().is_some_and(Rejection::may_pass);
            let unread = again && entry.candidate.is_none() && !self.background.is_loading(path);
            (!unread).then_some(entry.stamp)
        });
        known.is_none_or(|known| known.is_none() || known != stamp)
    }

    /// Notes that a file is there.
    fn discover(&self, path: &Path) {
        let new = Entry {
            stamp: stamp(path),
            digest: None,
            state: PluginState::Discovered,
            rejection: None,
            candidate: None,
        };
        self.plugins.update_files(|entries| {
            entries.entry(path.to_owned()).or_insert(new);
        });
    }

    async fn load_file(&self, path: &Path) {
        let stamp = stamp(path);
        self.plugins.update_files(|entries| {
            if let Some(entry) = entries.get_mut(path) {
                entry.state = PluginState::Discovered;
                // What changes from now on is news.
                entry.stamp = stamp;
            }
        });
        match self.read_file(path).await {
            Ok(Some(candidate)) => self.plugins.update_files(|entries| {
                if let Some(entry) = entries.get_mut(path) {
                    entry.state = PluginState::Described;
                    entry.rejection = None;
                    entry.candidate = Some(Arc::new(candidate));
                }
            }),
            Ok(None) => self.plugins.update_files(|entries| {
                if let Some(entry) = entries.get_mut(path) {
                    entry.state = PluginState::Described;
                    entry.rejection = None;
                }
            }),
            Err(rejection) => {
                // It may become readable without a change.
                if rejection.code == "unreadable" {
                    self.plugins.update_files(|entries| {
                        if let Some(entry) = entries.get_mut(path) {
                            entry.stamp = None;
                        }
                    });
                }
                self.reject_file(path, rejection);
            }
        }
    }

    /// Notes, and tells, that a file cannot be used.
    pub(crate) fn reject_file(&self, path: &Path, rejection: Rejection) {
        let running = self.plugins.all_running().into_iter();
        let mut of_file = running.filter(|(_, running)| running.file.as_deref() == Some(path));
        let kept = of_file.find_map(|(_, running)| running.active);
        if self.plugins.judge_file(path, Err(rejection.clone())) {
            tracing::warn!(
                file = %path.display(),
                code = rejection.code,
                reason = rejection.reason,
                kept = kept.as_ref().map(|active| active.component.digest()),
                "plugin rejected"
            );
        }
    }

    /// Returns nothing if the file has the bytes that were read before.
    async fn read_file(&self, path: &Path) -> Result<Option<Candidate>, Rejection> {
        let (file, max_bytes) = (path.to_owned(), self.config.plugins.max_bytes);
        let (bytes, stamp, digest) = blocking(move || {
            let (bytes, stamp) = read(&file, max_bytes)?;
            let digest = sha256_hex(&bytes);
            Ok((bytes, stamp, digest))
        })
        .await?;
        let unchanged = self.plugins.update_files(|entries| {
            entries.get_mut(path).is_some_and(|entry| {
                entry.stamp = Some(stamp);
                entry.digest = Some(digest.clone());
                let known = entry.candidate.as_ref();
                known.is_some_and(|known| known.component.digest() == digest)
            })
        });
        if unchanged {
            return Ok(None);
        }
        let reach = |state| {
            self.plugins.update_files(|entries| {
                if let Some(entry) = entries.get_mut(path) {
                    entry.state = state;
                }
            });
        };
        reach(PluginState::Verified);
        let components = self.components.clone();
        let bytes = blocking(move || {
            components.add(&bytes).map_err(component_error)?;
            Ok(bytes)
        })
        .await?;
        let begins = || reach(PluginState::Compiling);
        let component = self.link(bytes, path.display(), begins).await?;
        reach(PluginState::Linked);
        let _turn = self.background.turn_to_tell().await;
        self.describe(component).await.map(Some)
    }

    /// The component of a digest, from those that are kept.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be used.
    pub async fn load(&self, digest: &str) -> Result<Arc<Candidate>, Rejection> {
        if let Some(known) = self.loaded(digest) {
            return Ok(known);
        }
        let (components, wanted) = (self.components.clone(), digest.to_owned());
        let bytes = blocking(move || components.get(&wanted).map_err(component_error)).await?;
        let component = self.link(bytes, digest, || {}).await?;
        Ok(Arc::new(self.describe(component).await?))
    }

    /// A component that is loaded already.
    fn loaded(&self, digest: &str) -> Option<Arc<Candidate>> {
        let is_it = |component: &PluginComponent| component.digest() == digest;
        let files = self.plugins.candidates().into_iter();
        let mut files = files.map(|(_, candidate)| candidate);
        files.find(|c| is_it(&c.component)).or_else(|| {
            let active = self.plugins.active().into_iter();
            let mut active = active.filter(|active| is_it(&active.component));
            active.next().map(|active| {
                Arc::new(Candidate {
                    component: Arc::clone(&active.component),
                    description: active.description.clone(),
                })
            })
        })
    }

    /// Compiles off the threads that serve requests, when there is a place, and tells how
    /// it gets on. `of` is what people call the component.
    async fn link(
        &self,
        bytes: Vec<u8>,
        of: impl Display,
        begins: impl FnOnce(),
    ) -> Result<Arc<PluginComponent>, Rejection> {
        let size = bytes.len();
        let place = self.background.place(size).await;
        let place = place.ok_or_else(|| Rejection::new("host_error", "the host is stopping"))?;
        begins();
        tracing::info!(file = %of, bytes = size, "compiling plugin");
        let start = Instant::now();
        let sandbox = self.sandbox.clone();
        let linked = blocking(move || {
            // Compiling goes on, and takes a place, when whoever asked for it is gone.
            let _place = place;
            Ok(PluginComponent::load(&sandbox, &bytes)?)
        });
        let linked = telling(linked, every_few_seconds(), |elapsed| {
            let seconds = elapsed.as_secs();
            tracing::info!(file = %of, seconds, "still compiling plugin");
        });
        let (component, cache) = linked.await?;
        let elapsed = start.elapsed();
        let (seconds, cached) = (elapsed.as_secs_f64(), cache == CacheUse::Hit);
        tracing::info!(file = %of, seconds, cached, "plugin compiled");
        self.metrics.compiled(cache, elapsed);
        Ok(Arc::new(component))
    }

    async fn describe(&self, component: Arc<PluginComponent>) -> Result<Candidate, Rejection> {
        let described = component
            .describe(&self.sandbox, &Limits::to_describe())
            .await;
        let description = described.result?;
        check_name(&description.name)?;
        Ok(Candidate {
            component,
            description,
        })
    }
}

/// Runs what takes long, or waits for the disk, off the threads that serve requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Rejection::new("host_error", error.to_string()))?
}

fn component_error(error: ArtifactError) -> Rejection {
    let code = match error {
        ArtifactError::Missing(_) => "missing_component",
        ArtifactError::TooLarge { .. } => "too_large",
        ArtifactError::Damaged { .. } | ArtifactError::Full { .. } | ArtifactError::Io { .. } => {
            "unreadable"
        }
    };
    Rejection::new(code, error.to_string())
}

/// Names are part of paths and URLs.
fn check_name(name: &str) -> Result<(), Rejection> {
    if config::is_challenge_name(name) {
        return Ok(());
    }
    let reason = format!("{name:?} is not {}", config::CHALLENGE_NAME);
    Err(Rejection::new("invalid_name", reason))
}

#[cfg(test)]
mod tests;
