//! Loading a component: each step can only be reached through the one before.

use super::files::{read, stamp, wasm_files};
use super::state::{Entry, PluginState, Plugins};
use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::sandbox::{
    Description, Limits, Outcome, PluginComponent, PluginError, Sandbox, sha256_hex,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

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

    /// Makes what is known of the drop folder what it is now: reads what is new or
    /// changed, and forgets what is gone.
    ///
    /// # Errors
    ///
    /// The folder cannot be read; nothing changes then.
    pub async fn scan(&self) -> io::Result<()> {
        let files = wasm_files(&self.config.plugins.dir)?;
        self.plugins
            .update_files(|known| known.retain(|path, _| files.contains(path)));
        self.load_changed(&files).await;
        Ok(())
    }

    async fn load_changed(&self, files: &BTreeSet<PathBuf>) {
        for path in files {
            let stamp = stamp(path);
            let known = self.plugins.look(|entries| {
                let entry = entries.get(path)?;
                let again = entry.rejection.as_ref().is_some_and(Rejection::may_pass);
                let unread = again && entry.candidate.is_none();
                (!unread).then_some(entry.stamp)
            });
            if known.is_none_or(|known| known.is_none() || known != stamp) {
                self.load_file(path).await;
            }
        }
    }

    async fn load_file(&self, path: &Path) {
        self.plugins.update_files(|entries| {
            let entry = entries.entry(path.to_owned()).or_insert(Entry {
                stamp: None,
                digest: None,
                state: PluginState::Discovered,
                rejection: None,
                candidate: None,
            });
            entry.state = PluginState::Discovered;
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
            Err(rejection) => self.reject_file(path, rejection),
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
        tracing::info!(file = %path.display(), bytes = bytes.len(), "compiling plugin");
        let component = self.link(bytes).await?;
        reach(PluginState::Linked);
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
        tracing::info!(digest, bytes = bytes.len(), "compiling plugin");
        let component = self.link(bytes).await?;
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

    /// Compiles off the threads that serve requests.
    async fn link(&self, bytes: Vec<u8>) -> Result<Arc<PluginComponent>, Rejection> {
        let start = Instant::now();
        let sandbox = self.sandbox.clone();
        let (component, cache) =
            blocking(move || Ok(PluginComponent::load(&sandbox, &bytes)?)).await?;
        self.metrics.compiled(cache, start.elapsed());
        Ok(Arc::new(component))
    }

    async fn describe(&self, component: Arc<PluginComponent>) -> Result<Candidate, Rejection> {
        let described = component.describe(&self.sandbox, &describe_limits()).await;
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
        ArtifactError::Damaged { .. } | ArtifactError::Io { .. } => "unreadable",
    };
    Rejection::new(code, error.to_string())
}

/// What telling one's name may take: little, so that a hostile plugin holds the
/// loading of others up for a moment only.
pub(super) fn describe_limits() -> Limits {
    Limits {
        fuel: 1_000_000_000,
        wall_ms: 5_000,
        output_bytes: 1 << 20,
        ..Limits::default()
    }
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
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_paths_are_refused() {
        for good in ["digits", "a", "0-x_y"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "../x", "A", "a/b", "-a", "_a", "a.b", &"a".repeat(65)] {
            assert_eq!(check_name(bad).unwrap_err().code, "invalid_name");
        }
    }
}
