//! Following the tags of OCI references.

use super::reconcile::TAG;
use super::record::{Record, Status, Track};
use super::reference::ArtifactSource;
use super::service::Registry;
use std::sync::PoisonError;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Looks at the tags that are followed, every `registry.tag_poll_s`. Returns when
/// cancelled.
pub async fn follow_tags(registry: Registry, stop: CancellationToken) {
    let pause = Duration::from_secs_f64(registry.0.config.registry.tag_poll_s);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        match registry.records().await {
            Ok(records) => {
                for record in records {
                    if record.spec.identity.track == Track::Tag && record.status != Status::Disabled
                    {
                        stop.run_until_cancelled(registry.follow_tag(&record)).await;
                    }
                }
            }
            Err(error) => tracing::error!(%error, "cannot look at tags"),
        }
    }
}

impl Registry {
    /// Takes up what a followed tag points to now, if that is something else and fit.
    async fn follow_tag(&self, record: &Record) {
        let Some(ArtifactSource::Oci(reference)) = record.spec.identity.source() else {
            return;
        };
        let slug = record.slug.as_str();
        let refused = |reason: String| {
            tracing::warn!(challenge = slug, reason, "the followed tag is not taken up");
            self.plugins().journal(slug).note(&format!("tag: {reason}"));
        };
        let manifest = match self.0.oci.resolve(&reference).await {
            Ok(manifest) => manifest,
            Err(error) => return refused(error.to_string()),
        };
        let digest = match self.pulled_by(slug, &manifest) {
            Some(digest) => {
                if digest == record.digest {
                    return;
                }
                // It may have been signed meanwhile.
                let kept = self.keep_signatures(record, &reference, &manifest, &digest);
                match kept.await {
                    Ok(()) => digest,
                    Err(error) => return refused(error.to_string()),
                }
            }
            None => match self.fetch(record).await {
                Ok(fetched) => {
                    let manifest = fetched.manifest.unwrap_or(manifest);
                    let mut tags = self.0.tags.lock().unwrap_or_else(PoisonError::into_inner);
                    tags.insert(slug.to_owned(), (manifest, fetched.digest.clone()));
                    fetched.digest
                }
                Err(error) => return refused(error.to_string()),
            },
        };
        if digest == record.digest {
            return;
        }
        match self.check(record.clone(), digest, None).await {
            Ok(changed) => {
                if let Err(error) = self.record_change(record, changed, TAG, "update").await {
                    tracing::error!(challenge = slug, %error, "cannot take up the followed tag");
                }
                self.reconcile(slug, false).await;
            }
            Err(error) => refused(error.to_string()),
        }
    }

    /// The component that a manifest was last pulled for, if it is still there: what is
    /// not fit is looked at again, as its record may have been mended.
    fn pulled_by(&self, slug: &str, manifest: &str) -> Option<String> {
        let tags = self.0.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let (pulled, digest) = tags.get(slug)?;
        let is_there = pulled == manifest && self.0.loader.components().contains(digest);
        is_there.then(|| digest.clone())
    }
}
