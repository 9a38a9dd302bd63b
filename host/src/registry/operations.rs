//! What operators do with records.

use super::error::RegistryError;
use super::fields::{self, overlay, unknown};
use super::reconcile::no_file;
use super::record::{Identity, Record, Spec, Status, Track, slug_problem};
use super::service::{Edit, Registry, gone};
use super::{FieldProblem, audit, tokens};
use crate::config;
use crate::plugins::Rejection;
use crate::store::Written;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// A record that was made.
#[derive(Debug)]
pub struct Created {
    /// The record.
    pub record: Record,
    /// Its token, which is told this once; none of a dry run.
    pub token: Option<String>,
}

/// What became of a challenge's data when its record was deleted.
#[derive(Debug)]
pub struct Deleted {
    /// The volume, and whether it is kept.
    pub volume: PathBuf,
    /// Whether there is one, and it is kept.
    pub volume_kept: bool,
}

impl Registry {
    /// Makes a record from the fields that are given, and a token for it.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn create(
        &self,
        mut body: Map<String, Value>,
        edit: Edit,
    ) -> Result<Created, RegistryError> {
        let mut problems = Vec::new();
        let slug: String = take(&mut body, "slug", &mut problems).unwrap_or_default();
        problems.extend(slug_problem(&slug));
        if !body.contains_key("artifact") {
            problems.push(FieldProblem::new("artifact", "must be given"));
        }
        let status = take(&mut body, "status", &mut problems);
        let version = take::<String>(&mut body, "version", &mut problems);
        if !problems.is_empty() {
            return Err(RegistryError::Invalid(problems));
        }
        if self.0.store.registry_record(slug.clone()).await?.is_some() {
            return Err(RegistryError::Exists(slug));
        }
        let base = Spec {
            identity: Identity::new(&slug, "", Track::None),
            given: self.default_given(&slug),
        };
        let spec = self.edit_spec(&slug, &base, body)?;
        let draft = Record {
            status: status.unwrap_or(Status::Draft),
            spec,
            digest: String::new(),
            version: String::new(),
            capabilities: Vec::new(),
            origin: "admin".into(),
            revision: 0,
            active_since: None,
            created_at: edit.now,
            updated_at: edit.now,
            slug,
        };
        if !matches!(draft.status, Status::Draft | Status::Active) {
            return Err(RegistryError::Transition(Status::Draft, draft.status));
        }
        self.check_runner(None, &draft).await?;
        let digest = self.fetch(&draft).await?.digest;
        let record = self.check(draft, digest, version.as_deref()).await?;
        let record = self.activated(None, record, edit.now).await?;
        if edit.dry_run {
            return Ok(Created {
                record,
                token: None,
            });
        }
        let token = tokens::generate()?;
        let kept = (
            tokens::hash(&self.0.seal, &record.slug, &token),
            tokens::hint(&token),
        );
        let changes = audit::difference(None, &record);
        let change = edit.change("create", changes);
        let record = self.put(record, None, change, Some(kept)).await?;
        Ok(Created {
            record,
            token: Some(token),
        })
    }

    /// Changes the fields that are given. Maps and lists are replaced as a whole.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn update(
        &self,
        slug: &str,
        mut body: Map<String, Value>,
        edit: Edit,
    ) -> Result<Record, RegistryError> {
        let before = self.current(slug, &edit).await?;
        let mut problems = Vec::new();
        let status = take(&mut body, "status", &mut problems).unwrap_or(before.status);
        let version = take::<String>(&mut body, "version", &mut problems);
        if !problems.is_empty() {
            return Err(RegistryError::Invalid(problems));
        }
        let resigned = body.contains_key("signed_by");
        let refetch = body.contains_key("artifact") || body.contains_key("track");
        let spec = self.edit_spec(slug, &before.spec, body)?;
        transition(before.status, status)?;
        let changed = Record {
            status,
            spec,
            ..before.clone()
        };
        self.check_runner(Some(&before), &changed).await?;
        let digest = if refetch {
            self.fetch(&changed).await?.digest
        } else {
            if resigned {
                self.look_for_signatures(&changed).await?;
            }
            before.digest.clone()
        };
        let changed = self.check(changed, digest, version.as_deref()).await?;
        let changed = self.activated(Some(&before), changed, edit.now).await?;
        self.change(&before, changed, "update", &edit).await
    }

    /// Changes the status.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn set_status(
        &self,
        slug: &str,
        to: Status,
        edit: Edit,
    ) -> Result<Record, RegistryError> {
        let before = self.current(slug, &edit).await?;
        transition(before.status, to)?;
        let changed = Record {
            status: to,
            ..before.clone()
        };
        let changed = if to == Status::Active {
            self.check_runner(Some(&before), &changed).await?;
            let digest = changed.digest.clone();
            let changed = self.check(changed, digest, None).await?;
            self.activated(Some(&before), changed, edit.now).await?
        } else {
            changed
        };
        let action = match to {
            Status::Draft => "update",
            Status::Active => "activate",
            Status::Inactive => "deactivate",
            Status::Disabled => "disable",
        };
        self.change(&before, changed, action, &edit).await
    }

    /// Goes back to a component that the challenge ran before: that of `digest`, or
    /// the one that it ran last before this. It is pinned then.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn rollback(
        &self,
        slug: &str,
        digest: Option<String>,
        edit: Edit,
    ) -> Result<Record, RegistryError> {
        let before = self.current(slug, &edit).await?;
        let versions = self.0.store.versions(slug.to_owned()).await?;
        let wanted = digest.as_deref().map(|d| d.trim_start_matches("sha256:"));
        let target = versions.into_iter().find(|version| match wanted {
            Some(wanted) => version.digest == wanted,
            None => version.digest != before.digest,
        });
        let target = target.ok_or_else(|| RegistryError::Unknown {
            what: "earlier version",
            name: digest.clone().unwrap_or_else(|| "before this one".into()),
        })?;
        let mut changed = before.clone();
        changed.spec.identity.artifact = format!("sha256:{}", target.digest);
        changed.spec.identity.track = Track::None;
        let changed = self.check(changed, target.digest, None).await?;
        self.change(&before, changed, "rollback", &edit).await
    }

    /// Fetches the component again: what a followed tag points to now, or a pinned
    /// one that the host has lost.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn pull(&self, slug: &str, edit: Edit) -> Result<Record, RegistryError> {
        let before = self.current(slug, &edit).await?;
        let digest = self.fetch(&before).await?.digest;
        let changed = self.check(before.clone(), digest, None).await?;
        if changed == before {
            if !edit.dry_run {
                // What it lacked, a signature perhaps, may have come with it.
                self.reconcile(slug, false).await;
            }
            return Ok(before);
        }
        self.change(&before, changed, "pull", &edit).await
    }

    /// Loads the challenge anew, as its record says.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn restart(&self, slug: &str, edit: Edit) -> Result<Record, RegistryError> {
        let record = self.current(slug, &edit).await?;
        if !edit.dry_run {
            let change = edit.change("restart", Value::Object(Map::new()));
            self.0.store.note_change(slug.to_owned(), change).await?;
            self.reconcile(slug, true).await;
        }
        Ok(record)
    }

    /// Deletes a record, its tokens and its secrets. With `purge` its volume goes as
    /// well; what was scored stays.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn delete(
        &self,
        slug: &str,
        purge: bool,
        edit: Edit,
    ) -> Result<Deleted, RegistryError> {
        let before = self.current(slug, &edit).await?;
        if before.status == Status::Active {
            return Err(RegistryError::StillActive);
        }
        if !self.plugins().is_scanned() {
            let reason = "the plugins folder is still being read";
            return Err(RegistryError::NotReady(Rejection::new("loading", reason)));
        }
        if let Some(file) = self.file_with(slug, &before) {
            return Err(RegistryError::InFolder(file));
        }
        let volume = self.0.config.data_dir.join("volumes").join(slug);
        let there = volume.exists();
        if !edit.dry_run {
            let change = edit.change("delete", audit::difference(Some(&before), &before));
            let deleted = self
                .0
                .store
                .delete_record(slug.to_owned(), before.revision, change)
                .await?;
            if let Written::Changed(revision) = deleted {
                return Err(gone(slug, revision));
            }
            let purged = (purge && there).then(|| volume.clone());
            self.retire(slug, purged).await?;
            self.report().await?;
            tracing::info!(
                challenge = slug,
                purge,
                actor = edit.actor,
                "challenge deleted"
            );
        }
        Ok(Deleted {
            volume,
            volume_kept: there && !purge,
        })
    }

    /// The file in the plugins folder that would bring a challenge back.
    fn file_with(&self, slug: &str, record: &Record) -> Option<String> {
        let candidates = self.plugins().candidates().into_iter();
        let mut of_slug = candidates.filter(|(_, c)| c.description.name == slug);
        let read = of_slug.next().map(|(path, _)| path);
        // One that cannot be read now may be read later.
        let path = read.or_else(|| self.file_of(record).filter(|file| file.exists()))?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    }

    /// A record that is active now, if everything is there for it to run.
    async fn activated(
        &self,
        before: Option<&Record>,
        mut record: Record,
        now: f64,
    ) -> Result<Record, RegistryError> {
        let was_active = before.is_some_and(|before| before.status == Status::Active);
        if record.status != Status::Active || was_active {
            return Ok(record);
        }
        let not_ready = RegistryError::NotReady;
        if let Some(file) = self.file_of(&record).filter(|file| !file.exists()) {
            return Err(not_ready(no_file(&file)));
        }
        self.clear_secrets(&record).await.map_err(not_ready)?;
        record.active_since = Some(now);
        Ok(record)
    }

    /// What a challenge is given of which nothing was said.
    fn default_given(&self, slug: &str) -> config::Challenge {
        match self.0.config.challenges.get(slug) {
            Some(section) => section.clone(),
            None => config::Challenge {
                emission_percent: 0.0,
                ..config::Challenge::default()
            },
        }
    }

    /// A spec with fields changed, and checked.
    fn edit_spec(
        &self,
        slug: &str,
        base: &Spec,
        mut body: Map<String, Value>,
    ) -> Result<Spec, RegistryError> {
        let identity = overlay(&base.identity, &mut body);
        let given = overlay(&base.given, &mut body);
        let mut problems: Vec<FieldProblem> = unknown(&body).collect();
        let (identity, given) = match (identity, given) {
            (Ok(identity), Ok(given)) => (identity, given),
            (identity, given) => {
                problems.extend(identity.err().into_iter().flatten());
                problems.extend(given.err().into_iter().flatten());
                return Err(RegistryError::Invalid(problems));
            }
        };
        let spec = Spec { identity, given };
        problems.extend(spec.problems());
        if !problems.is_empty() {
            return Err(RegistryError::Invalid(problems));
        }
        if self.0.config.challenges.contains_key(slug) && spec.given != base.given {
            let fields = audit::changed_fields(&base.given, &spec.given);
            let slug = slug.to_owned();
            return Err(RegistryError::Configured { slug, fields });
        }
        Ok(spec)
    }
}

fn transition(from: Status, to: Status) -> Result<(), RegistryError> {
    if from.may_become(to) {
        return Ok(());
    }
    Err(RegistryError::Transition(from, to))
}

/// Takes a field out of a body.
fn take<T: serde::de::DeserializeOwned>(
    body: &mut Map<String, Value>,
    field: &str,
    problems: &mut Vec<FieldProblem>,
) -> Option<T> {
    let value = body.shift_remove(field)?;
    match fields::read(value) {
        Ok(value) => Some(value),
        Err(message) => {
            problems.push(FieldProblem::new(field, message));
            None
        }
    }
}
