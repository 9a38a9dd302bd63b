//! Taking up what is in the drop folder.

use super::audit;
use super::check::describe;
use super::reconcile::FOLDER;
use super::record::{Identity, Record, Spec, Status, Track};
use super::service::Registry;
use crate::clock;
use crate::plugins::{Candidate, PluginState, Rejection};
use crate::store::{Change, StoreError};
use std::path::Path;
use std::sync::Arc;

impl Registry {
    /// Takes up the components in the drop folder: a new challenge gets a record, a
    /// new version of one that follows the folder becomes its version.
    pub(super) async fn adopt(&self) -> Result<(), StoreError> {
        for (path, candidate) in self.plugins().candidates() {
            let adopted = self.adopt_one(&path, &candidate).await?;
            if let Err(rejection) = adopted {
                self.0.loader.reject_file(&path, rejection);
            }
        }
        Ok(())
    }

    async fn adopt_one(
        &self,
        path: &Path,
        candidate: &Arc<Candidate>,
    ) -> Result<Result<(), Rejection>, StoreError> {
        let slug = &candidate.description.name;
        let digest = candidate.component.digest();
        let row = self.0.store.registry_record(slug.clone()).await?;
        let Some(row) = row else {
            return self.adopt_new(path, candidate).await;
        };
        let record = Record::from_row(row)?;
        if record.spec.identity.track != Track::Folder {
            if record.digest == digest {
                self.plugins().judge_file(path, Ok(PluginState::Described));
                return Ok(Ok(()));
            }
            return Ok(Err(pinned(slug, &record.digest)));
        }
        if let Some(other) = self.file_of(&record).filter(|other| other != path)
            && self.holds(&other, slug)
        {
            let reason = format!("another file has the challenge {slug:?} already");
            return Ok(Err(Rejection::new("duplicate_name", reason)));
        }
        let reference = artifact_of(path);
        if record.digest == digest && record.spec.identity.artifact == reference {
            return Ok(Ok(()));
        }
        let mut changed = record.clone();
        describe(&mut changed, candidate, digest.to_owned());
        changed.spec.identity.artifact = reference;
        if record.status == Status::Active
            && let Err(rejection) = self.prepare(&changed, candidate).await
        {
            return Ok(Err(rejection));
        }
        self.record_change(&record, changed, FOLDER, "update")
            .await?;
        Ok(Ok(()))
    }

    async fn adopt_new(
        &self,
        path: &Path,
        candidate: &Arc<Candidate>,
    ) -> Result<Result<(), Rejection>, StoreError> {
        let slug = &candidate.description.name;
        let status = if self.0.config.registry.auto_activate {
            Status::Active
        } else {
            Status::Draft
        };
        let now = clock::unix_now();
        let mut record = Record {
            slug: slug.clone(),
            status,
            spec: Spec {
                identity: Identity::new(slug, artifact_of(path), Track::Folder),
                given: self.0.config.challenge(slug),
            },
            digest: String::new(),
            version: String::new(),
            capabilities: Vec::new(),
            origin: FOLDER.into(),
            revision: 0,
            active_since: None,
            created_at: now,
            updated_at: now,
        };
        describe(
            &mut record,
            candidate,
            candidate.component.digest().to_owned(),
        );
        // What it can do now, a later version must be able to do as well.
        record.spec.identity.required_capabilities = record.capabilities.iter().cloned().collect();
        if status == Status::Active
            && let Err(rejection) = self.prepare(&record, candidate).await
            // It cannot be given a secret before it has a record.
            && rejection.code != "missing_secret"
        {
            return Ok(Err(rejection));
        }
        let change = Change {
            at: now,
            actor: FOLDER.into(),
            action: "create",
            changes: audit::difference(None, &record),
        };
        let reference = record.spec.identity.artifact.clone();
        self.0
            .store
            .put_record(record.to_row()?, reference, None, change, None)
            .await?;
        tracing::info!(
            challenge = slug,
            status = status.name(),
            "challenge registered"
        );
        Ok(Ok(()))
    }

    /// Whether a file of the drop folder has this challenge, or may have: what is
    /// broken now held it before.
    fn holds(&self, path: &Path, slug: &str) -> bool {
        let candidates = self.plugins().candidates();
        let candidate = candidates.iter().find(|(of, _)| of == path);
        match candidate {
            Some((_, candidate)) => candidate.description.name == slug,
            None => self.plugins().has_file(path),
        }
    }
}

/// The reference of a file of the drop folder.
fn artifact_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("file:{name}")
}

/// Why a file of the drop folder does not run.
pub(super) fn pinned(slug: &str, digest: &str) -> Rejection {
    let reason = format!(
        "the record of {slug} pins sha256:{digest}: set track to folder to have the file run"
    );
    Rejection::new("pinned", reason)
}
