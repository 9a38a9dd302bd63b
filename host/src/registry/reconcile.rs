//! What should run against what runs.

use super::adopt::pinned;
use super::audit;
use super::check::can;
use super::error::RegistryError;
use super::record::{Record, Status, Track};
use super::reference::ArtifactSource;
use super::service::Registry;
use super::signed::is_about_signatures;
use crate::clock;
use crate::plugins::{
    ActivePlugin, Candidate, Configuration, FolderChanges, Loads, PluginState, Rejection, RunState,
};
use crate::store::{Change, StoreError, Written};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use std::{fs, io};
use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

/// What changes a record that is no operator.
pub(super) const FOLDER: &str = "folder";
const CONFIGURATION: &str = "configuration";
pub(super) const TAG: &str = "tag";

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The drop folder cannot be read.
    #[error("cannot read the plugins folder: {0}")]
    Folder(#[from] io::Error),
    /// The records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares records with what runs: at every change of the drop folder, and every
/// `registry.reconcile_s`. Returns when cancelled.
///
/// # Errors
///
/// The folder cannot be watched.
pub async fn watch(registry: Registry, stop: CancellationToken) -> notify::Result<()> {
    let config = &registry.0.config;
    let mut changes = FolderChanges::of(&config.plugins.dir)?;
    let pause = Duration::from_secs_f64(config.registry.reconcile_s);
    let mut loads = registry.0.loader.loads();
    let mut reads_folder = true;
    loop {
        if let Err(error) = registry.step(&mut loads, reads_folder).await {
            tracing::error!(%error, "reconciling failed: trying again");
        }
        reads_folder = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => true,
            more = changes.next() => if more { true } else { return Ok(()) },
            // What was loaded is taken up. What could not be is tried again another time.
            _ = loads.changed() => false,
        };
    }
}

impl Registry {
    /// One pass: reads the drop folder, takes up what is in it, and makes what runs
    /// what the records say. A challenge that fails stops no other. Returns when
    /// everything is loaded; what is loaded sooner runs sooner.
    ///
    /// # Errors
    ///
    /// See [`ReconcileError`]; what runs goes on.
    pub async fn pass(&self) -> Result<(), ReconcileError> {
        let mut loads = self.0.loader.loads();
        let mut done = self.step(&mut loads, true).await?;
        // The loader keeps the other side.
        while !done && loads.changed().await.is_ok() {
            done = self.step(&mut loads, false).await?;
        }
        Ok(())
    }

    /// What can be done now: with `reads_folder` begins to load what is new in it, takes
    /// up what is loaded, and makes what runs what the records say. Tells whether nothing
    /// is being loaded and nothing is left to be taken up; `loads` changes until then.
    async fn step(
        &self,
        loads: &mut watch::Receiver<Loads>,
        reads_folder: bool,
    ) -> Result<bool, ReconcileError> {
        loads.borrow_and_update();
        if reads_folder {
            self.0.loader.scan()?;
        }
        // Which of two files with one name is first must not depend on which of them takes
        // longer to compile, when a host starts with both.
        let adopts = self.plugins().is_scanned() || loads.borrow().is_empty();
        loop {
            let before = self.names();
            self.apply_configuration().await?;
            self.retire_gone();
            if adopts {
                self.adopt().await?;
            }
            let mut slugs: BTreeSet<String> =
                self.records().await?.into_iter().map(|r| r.slug).collect();
            slugs.extend(
                self.plugins()
                    .all_running()
                    .into_iter()
                    .map(|(slug, _)| slug),
            );
            for slug in slugs {
                self.reconcile(&slug, false).await;
            }
            // A name that became free may be one that another file waits for.
            if self.names().is_superset(&before) {
                break;
            }
        }
        self.report().await?;
        // In this order: what is done in between has changed it.
        let nothing_more = loads.borrow().is_empty();
        let done = nothing_more && !loads.has_changed().unwrap_or(false);
        if done {
            self.plugins().set_scanned();
        }
        Ok(done)
    }

    /// Names of the challenges that run.
    fn names(&self) -> BTreeSet<String> {
        let active = self.plugins().active();
        active.iter().map(|a| a.name().to_owned()).collect()
    }

    /// Tells the metrics what there is.
    pub(super) async fn report(&self) -> Result<(), StoreError> {
        let status = self.plugins().status();
        let files = status.iter().map(|s| (s.file.as_str(), s.state.name()));
        self.0.metrics.set_plugins(files);
        let mut challenges = Vec::new();
        for record in self.records().await? {
            let running = self.plugins().running(&record.slug);
            let state = running.map_or(RunState::Stopped, |running| running.state);
            challenges.push((record.slug, record.status.name(), state.name()));
        }
        let challenges = challenges
            .iter()
            .map(|(s, status, state)| (s.as_str(), *status, *state));
        self.0.metrics.set_records(challenges);
        Ok(())
    }

    /// Has records follow the sections of the configuration, where there are any.
    async fn apply_configuration(&self) -> Result<(), StoreError> {
        for record in self.records().await? {
            let Some(section) = self.0.config.challenges.get(&record.slug) else {
                continue;
            };
            if *section == record.spec.given {
                continue;
            }
            let mut changed = record.clone();
            changed.spec.given = section.clone();
            self.record_change(&record, changed, CONFIGURATION, "update")
                .await?;
        }
        Ok(())
    }

    /// Ends what ran from a file that is gone, or has another challenge now.
    fn retire_gone(&self) {
        let candidates: BTreeMap<PathBuf, Arc<Candidate>> =
            self.plugins().candidates().into_iter().collect();
        for (slug, running) in self.plugins().all_running() {
            let (Some(file), Some(_)) = (&running.file, &running.active) else {
                continue;
            };
            let other = candidates
                .get(file)
                .is_some_and(|c| c.description.name != slug);
            if self.plugins().has_file(file) && !other {
                continue;
            }
            self.plugins().set_running(&slug, |running| {
                running.active = None;
                running.file = None;
                running.wanted = None;
                running.state = RunState::Failed;
                running.reason = Some(no_file(file));
            });
            tracing::info!(file = %file.display(), challenge = slug, "plugin retired");
        }
    }

    /// Stores a change that no operator made. If an operator was faster, the next
    /// pass looks again.
    pub(super) async fn record_change(
        &self,
        before: &Record,
        changed: Record,
        actor: &str,
        action: &'static str,
    ) -> Result<(), StoreError> {
        let change = Change {
            at: clock::unix_now(),
            actor: actor.to_owned(),
            action,
            changes: audit::difference(Some(before), &changed),
        };
        let reference = changed.spec.identity.artifact.clone();
        let (row, expected) = (changed.to_row()?, Some(before.revision));
        let put = self
            .0
            .store
            .put_record(row, reference, expected, change, None);
        if let Written::Done(_) = put.await? {
            tracing::info!(challenge = changed.slug, actor, action, "registry changed");
            self.0.metrics.registry_changed(action);
        }
        Ok(())
    }

    /// The file of the drop folder that a record follows.
    pub(super) fn file_of(&self, record: &Record) -> Option<PathBuf> {
        match record.spec.identity.source()? {
            ArtifactSource::File(name) if record.spec.identity.track == Track::Folder => {
                Some(self.0.config.plugins.dir.join(name))
            }
            _ => None,
        }
    }

    /// Makes what runs of one challenge what its record says. With `again` it is
    /// loaded anew even if it is that already.
    pub(super) async fn reconcile(&self, slug: &str, again: bool) {
        let _turn = self.turn(slug).await;
        let record = match self.0.store.registry_record(slug.to_owned()).await {
            Ok(Some(row)) => Record::from_row(row),
            Ok(None) => return self.forget(slug),
            Err(error) => Err(error),
        };
        match record {
            Ok(record) => self.run(&record, again).await,
            Err(error) => tracing::error!(challenge = slug, %error, "cannot read the record"),
        }
    }

    /// The right to change what runs of a challenge.
    async fn turn(&self, slug: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(slug.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// Forgets a challenge that has no record.
    fn forget(&self, slug: &str) {
        self.plugins().forget(slug);
        let mut tags = self.0.tags.lock().unwrap_or_else(PoisonError::into_inner);
        tags.remove(slug);
    }

    /// Ends a challenge whose record is gone, and removes its volume if it is to be
    /// purged: before another record of that name can have it.
    pub(super) async fn retire(
        &self,
        slug: &str,
        purge: Option<PathBuf>,
    ) -> Result<(), RegistryError> {
        let _turn = self.turn(slug).await;
        if let Ok(None) = self.0.store.registry_record(slug.to_owned()).await {
            self.forget(slug);
        }
        let Some(volume) = purge else {
            return Ok(());
        };
        let removed = tokio::task::spawn_blocking({
            let volume = volume.clone();
            move || {
                let gone = volume.with_file_name(format!(".gone-{:016x}", rand::random::<u64>()));
                fs::rename(&volume, &gone)?;
                fs::remove_dir_all(&gone)
            }
        });
        let removed = removed.await.map_err(io::Error::other).flatten();
        removed.map_err(|error| RegistryError::Volume {
            path: volume,
            error,
        })
    }

    async fn run(&self, record: &Record, again: bool) {
        let slug = record.slug.as_str();
        let plugins = self.plugins();
        let before = plugins.running(slug);
        if record.status != Status::Active {
            let ran = before.is_some_and(|running| running.active.is_some());
            plugins.set_running(slug, |running| {
                running.active = None;
                running.wanted = None;
                running.file = None;
                running.reason = None;
                running.state = RunState::Stopped;
            });
            if ran {
                tracing::info!(
                    challenge = slug,
                    status = record.status.name(),
                    "challenge stopped"
                );
            }
            return;
        }
        let file = self.file_of(record);
        if let Some(file) = file.as_ref().filter(|file| !plugins.has_file(file)) {
            plugins.set_running(slug, |running| {
                running.active = None;
                running.wanted = None;
                running.file = None;
                running.state = RunState::Failed;
                running.reason = Some(no_file(file));
            });
            return;
        }
        let wanted = Some((record.revision, record.digest.clone()));
        // Looked at in each pass: signatures come and go by themselves.
        let signed = self.check_signature(record, &record.digest).await;
        if let Some(before) = &before
            && !again
            && before.wanted == wanted
        {
            let reason = before.reason.as_ref();
            let passes = reason.is_some_and(Rejection::may_pass);
            let is_news = match &signed {
                Ok(()) => reason.is_some_and(is_about_signatures),
                Err(rejection) => reason != Some(rejection),
            };
            if !is_news && (before.state == RunState::Running || !passes) {
                return;
            }
        }
        if before.as_ref().is_none_or(|before| before.active.is_none()) {
            plugins.set_running(slug, |running| running.state = RunState::Loading);
        }
        // It is taken up when its file is loaded.
        if let Some(file) = &file
            && self.0.loader.is_loading(file, &record.digest)
        {
            return;
        }
        let loaded = match signed {
            Ok(()) => self.0.loader.load(&record.digest).await,
            Err(rejection) => Err(rejection),
        };
        let prepared = match loaded {
            Ok(candidate) => self.prepare(record, &candidate).await,
            Err(rejection) => Err(rejection),
        };
        match prepared {
            Ok(active) => self.start(active, wanted, file, again),
            Err(rejection) => {
                let told = before.is_some_and(|b| b.reason.as_ref() == Some(&rejection));
                if let Some(file) = &file {
                    self.0.loader.reject_file(file, rejection.clone());
                } else if !told {
                    tracing::warn!(
                        challenge = slug,
                        digest = record.digest,
                        code = rejection.code,
                        reason = rejection.reason,
                        "challenge rejected"
                    );
                }
                plugins.journal(slug).note(&format!(
                    "not loaded: {}: {}",
                    rejection.code, rejection.reason
                ));
                plugins.set_running(slug, |running| {
                    running.wanted = wanted;
                    running.state = match running.active {
                        Some(_) => RunState::Degraded,
                        None => RunState::Failed,
                    };
                    running.reason = Some(rejection);
                });
            }
        }
    }

    /// Swaps a version in: calls that began go on with the one before.
    fn start(
        &self,
        active: ActivePlugin,
        wanted: Option<(i64, String)>,
        file: Option<PathBuf>,
        again: bool,
    ) {
        let plugins = self.plugins();
        let slug = active.name().to_owned();
        let before = plugins.get(&slug);
        let from = plugins.running(&slug).and_then(|running| running.file);
        let active = Arc::new(active);
        let digest = active.component.digest();
        let is_new = before.is_none_or(|before| before.component.digest() != digest);
        if let Some(file) = &file {
            plugins.judge_file(file, Ok(PluginState::Active));
        }
        let note = format!(
            "runs version {} (sha256:{digest}), revision {}",
            active.description.version, active.revision
        );
        active.journal.note(&note);
        plugins.set_running(&slug, |running| {
            running.active = Some(Arc::clone(&active));
            running.wanted = wanted;
            running.file = file.clone();
            running.state = RunState::Running;
            running.reason = None;
        });
        // What it ran from before has not its version any more.
        if let Some(left) = from.filter(|from| file.as_ref() != Some(from)) {
            let held = plugins
                .candidates()
                .into_iter()
                .find(|(path, _)| *path == left);
            match held {
                Some((_, candidate)) if candidate.component.digest() != digest => {
                    self.0.loader.reject_file(&left, pinned(&slug, digest));
                }
                _ => drop(plugins.judge_file(&left, Ok(PluginState::Described))),
            }
        }
        // Told once it can be seen.
        if is_new || again {
            tracing::info!(
                file = file.as_ref().map(|file| file.display().to_string()),
                challenge = slug,
                version = active.description.version,
                digest,
                "plugin active"
            );
        } else {
            tracing::info!(
                challenge = slug,
                revision = active.revision,
                "challenge configured"
            );
        }
    }

    /// Makes a challenge that can be called of a component, as the record says: it is
    /// ready for traffic then.
    pub(super) async fn prepare(
        &self,
        record: &Record,
        candidate: &Candidate,
    ) -> Result<ActivePlugin, Rejection> {
        if candidate.description.name != record.slug {
            let reason = format!(
                "the component is of the challenge {:?}",
                candidate.description.name
            );
            return Err(Rejection::new("invalid_name", reason));
        }
        can(record)?;
        self.check_signature(record, candidate.component.digest())
            .await?;
        let wanted = Configuration {
            given: &record.spec.given,
            revision: record.revision,
            active_since: record.active_since,
            secrets: self.clear_secrets(record).await?,
        };
        self.0.loader.configure(candidate, wanted).await
    }
}

pub(super) fn no_file(file: &Path) -> Rejection {
    Rejection::new("no_file", format!("{} is not there", file.display()))
}
