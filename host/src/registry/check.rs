//! Whether a component is fit for a record.

use super::FieldProblem;
use super::error::RegistryError;
use super::record::{Record, Status};
use super::reference::ArtifactSource;
use super::service::Registry;
use crate::plugins::{Candidate, Rejection};
use std::collections::BTreeSet;
use tokio::task::spawn_blocking;

/// A component that is in the store now.
pub(super) struct Fetched {
    /// Its SHA-256.
    pub(super) digest: String,
    /// The digest of the manifest that it was pulled by.
    pub(super) manifest: Option<String>,
}

impl Registry {
    /// Brings the component that a record names into the store.
    pub(super) async fn fetch(&self, record: &Record) -> Result<Fetched, RegistryError> {
        let artifact =
            |message: String| RegistryError::Invalid(vec![FieldProblem::new("artifact", message)]);
        let components = self.0.loader.components().clone();
        let unpulled = |digest| Fetched {
            digest,
            manifest: None,
        };
        match record.spec.identity.source() {
            None => Err(artifact("cannot be read".into())),
            Some(ArtifactSource::Store(digest)) if components.contains(&digest) => {
                Ok(unpulled(digest))
            }
            Some(ArtifactSource::Store(digest)) => {
                Err(artifact(format!("there is no component sha256:{digest}")))
            }
            Some(ArtifactSource::File(name)) => {
                let path = self.0.config.plugins.dir.join(&name);
                let file = path.clone();
                let added = spawn_blocking(move || components.add_file(&file)).await;
                match added {
                    Ok(Ok(component)) => {
                        self.keep_beside(&path, &component.digest).await;
                        Ok(unpulled(component.digest))
                    }
                    Ok(Err(error)) => Err(artifact(error.to_string())),
                    Err(error) => Err(artifact(error.to_string())),
                }
            }
            Some(ArtifactSource::Oci(reference)) => {
                let pulled = self.0.oci.pull(&reference).await?;
                let pulled_by = pulled.manifest_digest;
                let added = spawn_blocking(move || components.add(&pulled.bytes)).await;
                let added = added.map_err(|error| artifact(error.to_string()))??;
                self.keep_signatures(record, &reference, &pulled_by, &added.digest)
                    .await?;
                Ok(Fetched {
                    digest: added.digest,
                    manifest: Some(pulled_by),
                })
            }
        }
    }

    /// The record with what its component tells, if that is fit for it.
    pub(super) async fn check(
        &self,
        mut record: Record,
        digest: String,
        version: Option<&str>,
    ) -> Result<Record, RegistryError> {
        let invalid = |field: &str, message: String| {
            RegistryError::Invalid(vec![FieldProblem::new(field, message)])
        };
        // Before anything of it is run.
        let signed = self.check_signature(&record, &digest).await;
        signed.map_err(RegistryError::NotReady)?;
        let candidate = self.0.loader.load(&digest).await;
        let candidate = candidate.map_err(|rejection| {
            let message = format!("{}: {}", rejection.code, rejection.reason);
            invalid("artifact", message)
        })?;
        describe(&mut record, &candidate, digest);
        let told = &candidate.description;
        if told.name != record.slug {
            let message = format!("the component is of the challenge {:?}", told.name);
            return Err(invalid("artifact", message));
        }
        if let Some(version) = version
            && version != told.version
        {
            return Err(invalid(
                "version",
                format!("the component is {}", told.version),
            ));
        }
        let settings = self.0.loader.check_settings(&candidate, &record.spec.given);
        let problems = settings.await.map_err(RegistryError::NotReady)?;
        if !problems.is_empty() {
            let problems = problems.into_iter().map(|(path, message)| {
                let field = format!("settings.{path}");
                FieldProblem::new(field.trim_end_matches('.'), message)
            });
            return Err(RegistryError::Invalid(problems.collect()));
        }
        if record.status == Status::Active {
            can(&record).map_err(RegistryError::NotReady)?;
        }
        Ok(record)
    }

    /// That a runner can be used which a change brings, or an activation begins to
    /// use. One that is out of order meanwhile is in the way of no other change.
    pub(super) async fn check_runner(
        &self,
        before: Option<&Record>,
        record: &Record,
    ) -> Result<(), RegistryError> {
        let (servers, runner) = (self.gpu_servers(), &record.spec.given.runner);
        if before.is_none_or(|before| before.spec.given.runner != *runner) {
            let problems = servers.runner_problems(runner).await?;
            if !problems.is_empty() {
                return Err(RegistryError::Invalid(problems));
            }
        } else if record.status == Status::Active
            && before.is_some_and(|before| before.status != Status::Active)
            && let Some(problem) = servers.capability(runner).await?
        {
            let reason = format!("{}: {problem}", problem.field());
            let rejection = Rejection::new(problem.code(), reason);
            return Err(RegistryError::NotReady(rejection));
        }
        Ok(())
    }
}

/// Notes in a record what its component tells.
pub(super) fn describe(record: &mut Record, candidate: &Candidate, digest: String) {
    let told = &candidate.description;
    let capabilities = candidate.component.capabilities().into_iter();
    record.capabilities = capabilities.map(|c| c.name().to_owned()).collect();
    record.version = told.version.clone();
    record.digest = digest;
    if record.spec.identity.description.is_empty() {
        record.spec.identity.description = told.summary.chars().take(4_000).collect();
    }
}

/// That a component can do what its record requires.
pub(super) fn can(record: &Record) -> Result<(), Rejection> {
    let missing: BTreeSet<&str> = record.missing().into_iter().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<&str> = missing.into_iter().collect();
    let reason = format!(
        "the component does not export what the record requires: {}",
        missing.join(", ")
    );
    Err(Rejection::new("missing_capability", reason))
}
