//! Loading one file: each step can only be reached through the one before.

use super::files::{read, stamp, wasm_files};
use super::state::{Entry, PluginState, Plugins};
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::sandbox::{
    Capability, Description, Grants, Limits, Outcome, PluginComponent, PluginError, Sandbox,
    sha256_hex,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

/// A challenge that can be called.
#[derive(Debug)]
pub struct ActivePlugin {
    /// The component.
    pub component: PluginComponent,
    /// What it told of itself.
    pub description: Description,
    /// The operator's settings, JSON.
    pub settings: Arc<str>,
    /// SHA-256 of the settings.
    pub settings_digest: String,
    /// What results depend on beside plugin, settings and artifact: the sandbox's
    /// [identity](Sandbox::identity), and the limits below.
    pub engine: String,
    /// What a call may take.
    pub limits: Limits,
    /// What a submission may take for each task.
    pub solver_limits: Limits,
    /// What it may reach.
    pub grants: Grants,
    /// The challenge's share of the emission, in percent.
    pub emission_percent: f64,
}

impl ActivePlugin {
    /// Name of the challenge.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Whether it has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.component.capabilities().contains(&capability)
    }
}

/// Why a file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// A stable code: that of an outcome, or `unreadable`, `too_large`,
    /// `invalid_name`, `invalid_settings`, `duplicate_name`.
    pub code: &'static str,
    /// The same for people.
    pub reason: String,
}

impl Rejection {
    pub(super) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Rejection {
            code,
            reason: reason.into(),
        }
    }
}

impl Rejection {
    /// Whether the same file may be good at another time: the name may have
    /// become free, or the host less busy.
    fn may_pass(&self) -> bool {
        let transient = Outcome::from_code(self.code).is_some_and(Outcome::is_transient);
        transient || matches!(self.code, "duplicate_name" | "unreadable")
    }
}

impl From<PluginError> for Rejection {
    fn from(error: PluginError) -> Self {
        Rejection::new(error.outcome.code(), error.message)
    }
}

/// Loads plugins, one file at a time.
#[derive(Debug, Clone)]
pub struct Loader {
    sandbox: Sandbox,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    plugins: Plugins,
}

impl Loader {
    /// A loader of what is in the configuration's drop folder.
    pub fn new(sandbox: Sandbox, config: Arc<Config>, metrics: Arc<Metrics>) -> Self {
        Loader {
            sandbox,
            config,
            metrics,
            plugins: Plugins::default(),
        }
    }

    /// What was loaded.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Makes the plugins what the folder is now: loads what is new or changed,
    /// retires what is gone.
    ///
    /// # Errors
    ///
    /// The folder cannot be read; nothing changes then.
    pub async fn scan(&self) -> io::Result<()> {
        let files = wasm_files(&self.config.plugins.dir)?;
        self.retire_others(&files);
        loop {
            let before = self.names();
            self.load_changed(&files).await;
            // A name that became free may be one that another file waits for.
            if self.names().is_superset(&before) {
                break;
            }
        }
        let status = self.plugins.status();
        let states = status.iter().map(|s| (s.file.as_str(), s.state.name()));
        self.metrics.set_plugins(states);
        self.plugins.set_scanned();
        Ok(())
    }

    /// Names of the challenges that are active.
    fn names(&self) -> BTreeSet<String> {
        let active = self.plugins.active();
        active.iter().map(|a| a.name().to_owned()).collect()
    }

    async fn load_changed(&self, files: &BTreeSet<PathBuf>) {
        for path in files {
            let stamp = stamp(path);
            let known = self.plugins.look(|entries| {
                let entry = entries.get(path)?;
                let again = entry.rejection.as_ref().is_some_and(Rejection::may_pass);
                (!again).then_some(entry.stamp)
            });
            if known.is_none_or(|known| known.is_none() || known != stamp) {
                self.load(path.clone()).await;
            }
        }
    }

    fn retire_others(&self, files: &BTreeSet<PathBuf>) {
        let gone: Vec<PathBuf> = self.plugins.look(|entries| {
            entries
                .keys()
                .filter(|path| !files.contains(*path))
                .cloned()
                .collect()
        });
        for path in gone {
            self.plugins.update(|entries| entries.remove(&path));
            tracing::info!(file = %path.display(), "plugin retired");
        }
    }

    async fn load(&self, path: PathBuf) {
        self.plugins.update(|entries| {
            let entry = entries.entry(path.clone()).or_insert(Entry {
                stamp: None,
                digest: None,
                state: PluginState::Discovered,
                rejection: None,
                told: None,
                active: None,
            });
            entry.state = PluginState::Discovered;
            entry.told = None;
        });
        let result = self.load_steps(&path).await;
        self.plugins.update(|entries| {
            let Some(entry) = entries.get_mut(&path) else {
                return;
            };
            match result {
                Ok(active) => {
                    if let Some(active) = active {
                        tracing::info!(
                            file = %path.display(),
                            challenge = active.name(),
                            version = active.description.version,
                            digest = active.component.digest(),
                            "plugin active"
                        );
                        entry.active = Some(Arc::new(active));
                    }
                    entry.state = PluginState::Active;
                    entry.rejection = None;
                }
                Err(rejection) => {
                    tracing::warn!(
                        file = %path.display(),
                        code = rejection.code,
                        reason = rejection.reason,
                        kept = entry.active.as_ref().map(|a| a.component.digest()),
                        "plugin rejected"
                    );
                    entry.state = PluginState::Rejected;
                    entry.rejection = Some(rejection);
                }
            }
        });
    }

    fn reach(&self, path: &Path, state: PluginState) {
        self.plugins.update(|entries| {
            if let Some(entry) = entries.get_mut(path) {
                entry.state = state;
            }
        });
    }

    /// Returns nothing if the file has the bytes that are active already.
    async fn load_steps(&self, path: &Path) -> Result<Option<ActivePlugin>, Rejection> {
        let (bytes, stamp) = read(path, self.config.plugins.max_bytes)?;
        let digest = sha256_hex(&bytes);
        let unchanged = self.plugins.update(|entries| {
            entries.get_mut(path).is_some_and(|entry| {
                entry.stamp = Some(stamp);
                entry.digest = Some(digest.clone());
                entry
                    .active
                    .as_ref()
                    .is_some_and(|active| active.component.digest() == digest)
            })
        });
        if unchanged {
            return Ok(None);
        }
        self.reach(path, PluginState::Verified);
        let (component, description) = self.link(path, bytes).await?;
        self.plugins.update(|entries| {
            if let Some(entry) = entries.get_mut(path) {
                let Description { name, version, .. } = &description;
                entry.told = Some((name.clone(), version.clone()));
            }
        });
        self.reach(path, PluginState::Described);
        check_name(&description.name)?;
        let taken = self.plugins.look(|entries| {
            entries.iter().any(|(other, entry)| {
                other != path
                    && entry
                        .active
                        .as_ref()
                        .is_some_and(|a| a.name() == description.name)
            })
        });
        if taken {
            let reason = format!(
                "another file has the challenge {:?} already",
                description.name
            );
            return Err(Rejection::new("duplicate_name", reason));
        }
        let active = self.configure(component, description).await?;
        self.reach(path, PluginState::Configured);
        Ok(Some(active))
    }

    /// Compiles off the threads that serve requests.
    async fn link(
        &self,
        path: &Path,
        bytes: Vec<u8>,
    ) -> Result<(PluginComponent, Description), Rejection> {
        let start = Instant::now();
        tracing::info!(file = %path.display(), bytes = bytes.len(), "compiling plugin");
        let sandbox = self.sandbox.clone();
        let loaded =
            tokio::task::spawn_blocking(move || PluginComponent::load(&sandbox, &bytes)).await;
        let (component, cache) =
            loaded.map_err(|e| Rejection::new("host_error", e.to_string()))??;
        self.metrics.compiled(cache, start.elapsed());
        self.reach(path, PluginState::Linked);
        let description = component
            .describe(&self.sandbox, &describe_limits())
            .await
            .result?;
        Ok((component, description))
    }

    async fn configure(
        &self,
        component: PluginComponent,
        description: Description,
    ) -> Result<ActivePlugin, Rejection> {
        let challenge = self.config.challenge(&description.name);
        let settings = serde_json::to_string(&challenge.settings)
            .map_err(|e| Rejection::new("invalid_settings", e.to_string()))?;
        let problems = component
            .validate_settings(&self.sandbox, &describe_limits(), &settings)
            .await
            .result?;
        if !problems.is_empty() {
            let reason = problems
                .iter()
                .map(|p| {
                    format!(
                        "challenges.{}.settings.{}: {}",
                        description.name, p.path, p.message
                    )
                })
                .collect::<Vec<_>>()
                .join("; ");
            return Err(Rejection::new("invalid_settings", reason));
        }
        let grants = grants(&self.config.data_dir, &description.name, &challenge)
            .map_err(|e| Rejection::new("host_error", format!("cannot make its volume: {e}")))?;
        let (limits, solver_limits) = (challenge.limits, challenge.solver.limits());
        let budget = serde_json::to_vec(&(limits, solver_limits))
            .map_err(|e| Rejection::new("host_error", e.to_string()))?;
        let identity = self.sandbox.identity();
        Ok(ActivePlugin {
            engine: format!("{identity}+limits.{:.16}", sha256_hex(&budget)),
            settings_digest: sha256_hex(settings.as_bytes()),
            settings: settings.into(),
            limits,
            solver_limits,
            emission_percent: challenge.emission_percent,
            grants,
            component,
            description,
        })
    }
}

/// What telling one's name may take: little, so that a hostile plugin holds the
/// loading of others up for a moment only.
fn describe_limits() -> Limits {
    Limits {
        fuel: 1_000_000_000,
        wall_ms: 5_000,
        output_bytes: 1 << 20,
        ..Limits::default()
    }
}

/// What a challenge may reach, in a volume of its own below `data_dir`.
///
/// # Errors
///
/// The volume cannot be made.
pub fn grants(data_dir: &Path, name: &str, challenge: &config::Challenge) -> io::Result<Grants> {
    let volume = data_dir.join("volumes").join(name);
    let data = volume.join("data");
    if challenge.data {
        fs::create_dir_all(&data)?;
    } else if challenge.database {
        fs::create_dir_all(&volume)?;
    }
    Ok(Grants {
        data: challenge.data.then_some(data),
        database: challenge.database.then(|| volume.join("database.sqlite")),
        database_pages: u32::try_from(challenge.database_max_bytes / 4096).unwrap_or(u32::MAX),
        statement: Duration::from_millis(challenge.statement_ms),
    })
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
