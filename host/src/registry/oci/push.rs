//! Pushing a component.

use super::layout::Layout;
use super::session::Session;
use super::{OciClient, OciError};
use crate::registry::reference::OciReference;
use bytes::Bytes;

/// A component that is in a registry now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The reference to it by the manifest's digest, `registry/repository@sha256:…`: what
    /// a record names, and every other tool reads.
    pub pinned: OciReference,
    /// The reference to it by its own digest: what a commit names, so that the same
    /// submission has the same digest wherever it was pushed to.
    pub submission: OciReference,
    /// Whether it is a challenge, and no submission.
    pub is_challenge: bool,
    /// The tag that points to it.
    pub tag: String,
    /// The manifest's digest, `sha256:<64 hex>`.
    pub manifest_digest: String,
    /// The component's digest, `sha256:<64 hex>`.
    pub layer_digest: String,
    /// Whether the component had to be sent: the registry may have had it.
    pub sent: bool,
}

/// What a push is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushStep {
    /// Sends the component, unless the registry has it.
    Component,
    /// Sends its manifest.
    Manifest,
}

impl Pushed {
    /// The reference to use: by the manifest for a record, by itself for a commit.
    pub fn reference(&self) -> &OciReference {
        match self.is_challenge {
            true => &self.pinned,
            false => &self.submission,
        }
    }
}

impl OciClient {
    /// Pushes a component as a Wasm artifact to the tag of a reference, or to `latest`.
    /// What the registry has is not sent again; what it says of digests must be so.
    ///
    /// # Errors
    ///
    /// See [`OciError`].
    pub async fn push(
        &self,
        reference: &OciReference,
        component: Bytes,
        step: &mut dyn FnMut(PushStep),
    ) -> Result<Pushed, OciError> {
        if reference.digest.is_some() {
            let problem = "push to a tag, as in ghcr.io/org/name:1.0.0: the digest is told then";
            return Err(OciError::Reference(problem));
        }
        if component.len() as u64 > self.max_bytes {
            return Err(self.too_large());
        }
        let layout = Layout::of(&component)?;
        let tag = reference.tag_or_latest().to_owned();
        self.in_time(reference, async {
            let mut session = Session::writing(self, reference)?;
            step(PushStep::Component);
            let sent = session.put_blob(&layout.component, component).await?;
            let config = Bytes::from(layout.config);
            session.put_blob(&layout.config_digest, config).await?;
            step(PushStep::Manifest);
            session.put_manifest(&tag, layout.manifest.into()).await?;
            let by = |digest: &String| OciReference {
                tag: None,
                digest: Some(digest.clone()),
                ..reference.clone()
            };
            Ok(Pushed {
                pinned: by(&layout.manifest_digest),
                submission: by(&layout.component),
                is_challenge: layout.is_challenge,
                tag: tag.clone(),
                manifest_digest: layout.manifest_digest,
                layer_digest: layout.component,
                sent,
            })
        })
        .await
    }
}
