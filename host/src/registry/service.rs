//! The registry as a whole: its records, and how they are stored.

use super::audit;
use super::error::RegistryError;
use super::gpu::GpuServers;
use super::oci::OciClient;
use super::record::Record;
use super::seal::Seal;
use super::signature::Signatures;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::plugins::{Loader, Plugins};
use crate::store::{AuditRow, Change, Store, StoreError, VersionRow, Written};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How a change is made.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Who makes it.
    pub actor: String,
    /// The revision that it is a change of; none is whichever there is.
    pub expected: Option<i64>,
    /// Whether only to check it.
    pub dry_run: bool,
    /// When, in seconds since the Unix epoch.
    pub now: f64,
}

/// The registry. Clones share everything.
#[derive(Debug, Clone)]
pub struct Registry(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Arc<Config>,
    pub(super) store: Store,
    pub(super) loader: Loader,
    pub(super) metrics: Arc<Metrics>,
    pub(super) seal: Seal,
    pub(super) oci: OciClient,
    pub(super) signatures: Signatures,
    pub(super) gpu_servers: GpuServers,
    /// One change of what runs at a time, for each challenge.
    pub(super) turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// What tags were last seen to point to: manifest and component.
    pub(super) tags: Mutex<BTreeMap<String, (String, String)>>,
}

impl Registry {
    /// The registry of a host.
    ///
    /// # Errors
    ///
    /// The key cannot be used, or registries cannot be asked.
    pub fn open(
        config: Arc<Config>,
        store: Store,
        loader: Loader,
        metrics: Arc<Metrics>,
    ) -> Result<Self, RegistryError> {
        let seal = Seal::open(&config.registry_key_path())?;
        let oci = OciClient::new(&config.registry, config.plugins.max_bytes)?;
        let signatures = Signatures::at(config.data_dir.join("signatures"));
        let gpu_servers = GpuServers::new(store.clone(), seal.clone(), &config.registry);
        Ok(Registry(Arc::new(Inner {
            config,
            store,
            loader,
            metrics,
            seal,
            oci,
            signatures,
            gpu_servers,
            turns: Mutex::default(),
            tags: Mutex::default(),
        })))
    }

    /// What runs.
    pub fn plugins(&self) -> &Plugins {
        self.0.loader.plugins()
    }

    /// What seals secrets.
    pub fn seal(&self) -> &Seal {
        &self.0.seal
    }

    /// The GPU servers.
    pub fn gpu_servers(&self) -> &GpuServers {
        &self.0.gpu_servers
    }

    /// Every record, by slug.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn records(&self) -> Result<Vec<Record>, StoreError> {
        let rows = self.0.store.registry().await?;
        rows.into_iter().map(Record::from_row).collect()
    }

    /// The record of a challenge.
    ///
    /// # Errors
    ///
    /// [`RegistryError::NotFound`].
    pub async fn get(&self, slug: &str) -> Result<Record, RegistryError> {
        match self.0.store.registry_record(slug.to_owned()).await? {
            Some(row) => Ok(Record::from_row(row)?),
            None => Err(RegistryError::NotFound(slug.to_owned())),
        }
    }

    /// The components that a challenge ran, the last one first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn versions(&self, slug: &str) -> Result<Vec<VersionRow>, StoreError> {
        self.0.store.versions(slug.to_owned()).await
    }

    /// Who changed what, the last change first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn audit_log(
        &self,
        subject: Option<String>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.0.store.audit_log(subject, before, limit).await
    }

    /// The record as it is now, which must have the revision that is expected.
    pub(super) async fn current(&self, slug: &str, edit: &Edit) -> Result<Record, RegistryError> {
        let record = self.get(slug).await?;
        match edit.expected {
            Some(expected) if expected != record.revision => {
                Err(RegistryError::Stale(record.revision))
            }
            _ => Ok(record),
        }
    }

    /// Stores a changed record, unless it is a dry run, and has it run.
    pub(super) async fn change(
        &self,
        before: &Record,
        changed: Record,
        action: &'static str,
        edit: &Edit,
    ) -> Result<Record, RegistryError> {
        if edit.dry_run || changed == *before {
            return Ok(changed);
        }
        let change = edit.change(action, audit::difference(Some(before), &changed));
        let expected = Some(before.revision);
        self.put(changed, expected, change, None).await
    }

    /// Stores a record, and has it run.
    pub(super) async fn put(
        &self,
        record: Record,
        expected: Option<i64>,
        change: Change,
        token: Option<(Vec<u8>, String)>,
    ) -> Result<Record, RegistryError> {
        let (action, actor) = (change.action, change.actor.clone());
        let reference = record.spec.identity.artifact.clone();
        let stored = self
            .0
            .store
            .put_record(record.to_row()?, reference, expected, change, token)
            .await?;
        match stored {
            Written::Changed(revision) if expected.is_none() && revision.is_some() => {
                Err(RegistryError::Exists(record.slug))
            }
            Written::Changed(revision) => Err(gone(&record.slug, revision)),
            Written::Done(row) => {
                let record = Record::from_row(row)?;
                tracing::info!(
                    challenge = record.slug,
                    action,
                    actor,
                    status = record.status.name(),
                    digest = record.digest,
                    "registry changed"
                );
                self.0.metrics.registry_changed(action);
                self.reconcile(&record.slug, false).await;
                // So that an alert does not wait for the next pass.
                self.report().await?;
                Ok(record)
            }
        }
    }
}

impl Edit {
    pub(super) fn change(&self, action: &'static str, changes: Value) -> Change {
        Change {
            at: self.now,
            actor: self.actor.clone(),
            action,
            changes,
        }
    }
}

pub(super) fn gone(slug: &str, revision: Option<i64>) -> RegistryError {
    match revision {
        Some(revision) => RegistryError::Stale(revision),
        None => RegistryError::NotFound(slug.to_owned()),
    }
}
