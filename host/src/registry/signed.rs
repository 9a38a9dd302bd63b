//! Whether a component is signed as its record wants it.
//!
//! A challenge that follows a file of the drop folder is signed by what is beside the
//! file, `NAME.wasm.sig`, so that taking that away is noticed. For all others, and for
//! versions that are gone back to, what counts is the evidence that was kept when they
//! came.

use super::error::RegistryError;
use super::record::Record;
use super::reference::{ArtifactSource, OciReference};
use super::service::Registry;
use super::signature::{Evidence, MAX_EVIDENCE, Signatures, TrustedKey, read_evidence};
use crate::plugins::Rejection;
use std::io;
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

impl Registry {
    /// That a component is signed by one of those that a record names, if it names any.
    /// Asks no registry.
    pub(super) async fn check_signature(
        &self,
        record: &Record,
        digest: &str,
    ) -> Result<(), Rejection> {
        if record.spec.given.signed_by.is_empty() {
            return Ok(());
        }
        let trusted = trusted(record);
        let beside = self.file_of(record).filter(|path| self.has(path, digest));
        let (kept, digest) = (self.0.signatures.clone(), digest.to_owned());
        let judged = spawn_blocking(move || judge(&trusted, beside.as_deref(), &kept, &digest));
        let judged = judged.await.map_err(io::Error::other).flatten();
        judged.unwrap_or_else(|error| {
            let reason = format!("its signatures cannot be read: {error}");
            Err(Rejection::new("unsigned", reason))
        })
    }

    /// Keeps evidence for a component that is in the store. Tells whether there was room.
    ///
    /// # Errors
    ///
    /// The component is not there, or the evidence cannot be written.
    pub async fn add_signature(
        &self,
        digest: &str,
        evidence: Evidence,
    ) -> Result<bool, RegistryError> {
        if !self.0.loader.components().contains(digest) {
            return Err(RegistryError::Unknown {
                what: "component",
                name: format!("sha256:{digest}"),
            });
        }
        self.with_signatures(digest, move |kept, digest| kept.add(digest, &evidence))
            .await
    }

    async fn kept_signatures(&self, digest: &str) -> Result<Vec<Evidence>, RegistryError> {
        self.with_signatures(digest, Signatures::of).await
    }

    async fn with_signatures<T: Send + 'static>(
        &self,
        digest: &str,
        work: impl FnOnce(&Signatures, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let (kept, digest) = (self.0.signatures.clone(), digest.to_owned());
        let done = spawn_blocking(move || work(&kept, &digest)).await;
        let done = done.map_err(io::Error::other).flatten();
        done.map_err(|error| RegistryError::Volume {
            path: self.0.config.data_dir.join("signatures"),
            error,
        })
    }

    /// Keeps what is beside a file of the drop folder. What cannot be read is told when
    /// it is wanted.
    pub(super) async fn keep_beside(&self, file: &Path, digest: &str) {
        let (kept, path, digest) = (
            self.0.signatures.clone(),
            signature_file(file),
            digest.to_owned(),
        );
        let work = spawn_blocking(move || {
            if let Ok(Ok(evidence)) = read_evidence(&path) {
                kept.add(&digest, &evidence)?;
            }
            io::Result::Ok(())
        });
        if let Err(error) = work.await.map_err(io::Error::other).flatten() {
            tracing::warn!(file = %file.display(), %error, "cannot keep a signature");
        }
    }

    /// Asks the registry that a component comes from for its signatures, if the record
    /// wants any, and keeps those that count. Of others one is kept if there is nothing
    /// else, so that it can be told that it is signed by others, and does not take the
    /// place of one that counts.
    pub(super) async fn keep_signatures(
        &self,
        record: &Record,
        reference: &OciReference,
        manifest_digest: &str,
        digest: &str,
    ) -> Result<(), RegistryError> {
        if record.spec.given.signed_by.is_empty() {
            return Ok(());
        }
        let trusted = trusted(record);
        let found = self.0.oci.signatures(reference, manifest_digest).await?;
        let is_small = |evidence: &Evidence| {
            let is_small = evidence.text().len() as u64 <= MAX_EVIDENCE;
            if !is_small {
                tracing::warn!(%reference, digest, "a signature is too large to be kept");
            }
            is_small
        };
        let found = found.into_iter().filter(|found| found.is_about(digest));
        let found = found.filter(is_small);
        let (good, other): (Vec<_>, Vec<_>) =
            found.partition(|evidence| trusted.iter().any(|key| evidence.shows(key, digest)));
        if good.is_empty()
            && let Some(other) = other.into_iter().next()
            && self.kept_signatures(digest).await?.is_empty()
        {
            self.add_signature(digest, other).await?;
        }
        for evidence in good {
            if !self.add_signature(digest, evidence).await? {
                tracing::error!(
                    challenge = record.slug,
                    digest,
                    "no room for a signature that counts: remove what does not from \
                     `signatures` in the data directory"
                );
            }
        }
        Ok(())
    }

    /// The same for a record whose component is there already.
    pub(super) async fn look_for_signatures(&self, record: &Record) -> Result<(), RegistryError> {
        if record.spec.given.signed_by.is_empty() {
            return Ok(());
        }
        let Some(ArtifactSource::Oci(reference)) = record.spec.identity.source() else {
            return Ok(());
        };
        // Of a tag that is ahead of what runs the signatures are another component's.
        let manifest = self.0.oci.resolve(&reference).await?;
        self.keep_signatures(record, &reference, &manifest, &record.digest)
            .await
    }

    /// Whether a file of the drop folder holds a component now.
    fn has(&self, file: &Path, digest: &str) -> bool {
        let candidates = self.plugins().candidates().into_iter();
        let mut of_file = candidates.filter(|(path, _)| path == file);
        of_file.any(|(_, candidate)| candidate.component.digest() == digest)
    }
}

/// Whether a rejection may pass when a signature comes.
pub(super) fn is_about_signatures(rejection: &Rejection) -> bool {
    matches!(rejection.code, "unsigned" | "bad_signature")
}

fn trusted(record: &Record) -> Vec<TrustedKey> {
    let keys = record.spec.given.signed_by.iter();
    // Each was read when the record was written.
    keys.filter_map(|key| key.parse().ok()).collect()
}

/// The file with the signature of a file.
fn signature_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn judge(
    trusted: &[TrustedKey],
    beside: Option<&Path>,
    kept: &Signatures,
    digest: &str,
) -> io::Result<Result<(), Rejection>> {
    let wanted = wanted(trusted);
    let evidence = match beside.map(signature_file) {
        Some(path) => match read_evidence(&path) {
            Ok(Ok(evidence)) => vec![evidence],
            Ok(Err(error)) => {
                let reason = format!("{}: {error}", path.display());
                return Ok(Err(Rejection::new("bad_signature", reason)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let reason = format!(
                    "it must be signed by {wanted}, and {} is not there: `proctor plugin sign` \
                     writes it",
                    path.display()
                );
                return Ok(Err(Rejection::new("unsigned", reason)));
            }
            Err(error) => return Err(error),
        },
        None => kept.of(digest)?,
    };
    if evidence.is_empty() {
        let reason = format!(
            "it must be signed by {wanted}, and sha256:{digest} is not signed: push a signature \
             to its registry and pull again, or add one with `proctor component add --signature`"
        );
        return Ok(Err(Rejection::new("unsigned", reason)));
    }
    let good = evidence
        .iter()
        .find(|evidence| trusted.iter().any(|key| evidence.shows(key, digest)));
    match good {
        None => {
            let reason = format!(
                "it must be signed by {wanted}, and sha256:{digest} is signed by others, or was changed since"
            );
            Ok(Err(Rejection::new("bad_signature", reason)))
        }
        Some(evidence) => {
            // For a way back to this version when the file has another one.
            if beside.is_some() {
                kept.add(digest, evidence)?;
            }
            Ok(Ok(()))
        }
    }
}

/// Who must have signed, for people.
fn wanted(trusted: &[TrustedKey]) -> String {
    let keys: Vec<String> = trusted.iter().map(TrustedKey::to_string).collect();
    keys.join(" or ")
}
