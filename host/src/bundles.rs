//! Bundles of receipts: collecting what one is made of, out of what a host keeps.
//!
//! Only what is public gets out: leaves of a day's tree, the submissions' runs that leaves
//! depend on, and what those name by digest. All that they name is either in the bundle or
//! said to be withheld.

mod digests;
mod receipts;

#[cfg(test)]
mod tests;

use crate::artifacts::{ArtifactError, ArtifactStore};
use crate::canonical::digest;
use crate::receipts::bundle::{BlobProblem, BundleWriter, Manifest, Why, Withheld, WriteError};
use crate::receipts::{SignedHead, compress, decompress};
use crate::store::{HeadRow, Store, StoreError};
use digests::{Digests, Source};
use receipts::{Places, Public, read_leaves};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Where what is collected is kept.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Receipts, trees, and what they name.
    pub store: Store,
    /// What miners submit.
    pub artifacts: ArtifactStore,
    /// The components of challenges.
    pub components: ArtifactStore,
}

/// What of it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether submissions are in the bundle.
    pub artifacts: bool,
    /// Whether the components of challenges are in the bundle.
    pub components: bool,
}

/// What a bundle came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// The leaves of the day, or the one receipt.
    pub receipts: u64,
    /// Other receipts that those depend on.
    pub linked: u64,
    /// Documents, components and artifacts in it.
    pub blobs: u64,
    /// How many are not in it, by the reason.
    pub withheld: BTreeMap<&'static str, u64>,
    /// Size of the bundle, in bytes.
    pub bytes: u64,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// There is no such receipt, or nobody may see it yet.
    #[error("there is no receipt {0}, or its day is not finalized")]
    NoReceipt(String),
    /// The day has no tree, or none of this size.
    #[error("there are no receipts of the day {0}")]
    NoDay(String),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A component or artifact is damaged, or cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A document is damaged.
    #[error("what is kept as {digest} is damaged: {problem}")]
    Blob {
        /// The document.
        digest: String,
        /// What is wrong with it.
        problem: BlobProblem,
    },
    /// Something that was to be given out is not kept any more, or has become private. Try
    /// again.
    #[error("{0} is not given out any more, and just was: try again")]
    Gone(String),
    /// A receipt or head is not one.
    #[error("what is kept is no receipt: {0}")]
    Corrupt(String),
    /// The bundle cannot be written.
    #[error("the bundle cannot be written")]
    Write(#[from] WriteError),
    /// There is no memory for something.
    #[error("a component or artifact cannot be compressed")]
    Compress(#[from] io::Error),
}

/// Writes the bundle of a day: the leaves that its tree has at the beginning, or its first
/// `size`, for which there is a head. Reads each receipt twice, each document once or twice,
/// and holds one of them at a time, all digests, and the proofs of receipts of other days.
///
/// # Errors
///
/// See [`CollectError`]. What was written then is not a whole bundle.
pub async fn collect_day<W: Write>(
    sources: &Sources,
    day: &str,
    size: Option<u64>,
    options: Options,
    out: W,
) -> Result<Collected, CollectError> {
    let head = sources.store.head(day.to_owned(), size).await?;
    let head = head.ok_or_else(|| CollectError::NoDay(day.to_owned()))?;
    let signed = signed_head(&head)?;
    let leaves = Leaves::Day {
        day,
        size: head.size,
    };
    collect(sources, leaves, Some((day, &signed)), options, out).await
}

/// Writes the bundle of one receipt, with those that it depends on.
///
/// # Errors
///
/// See [`CollectError`]. What was written then is not a whole bundle.
pub async fn collect_receipt<W: Write>(
    sources: &Sources,
    id: &str,
    options: Options,
    out: W,
) -> Result<Collected, CollectError> {
    let row = sources.store.receipt(id.to_owned()).await?;
    let row = row.filter(|row| row.is_public());
    let row = row.ok_or_else(|| CollectError::NoReceipt(id.to_owned()))?;
    let leaves = Leaves::One(Box::new(Public::read(row)?));
    collect(sources, leaves, None, options, out).await
}

/// What `receipts.jsonl` has.
enum Leaves<'a> {
    Day { day: &'a str, size: u64 },
    One(Box<Public>),
}

/// Receipts that are looked at together.
const PAGE: u32 = 500;

impl Leaves<'_> {
    /// The next ones, from the `at`th; none at the end.
    async fn page(&self, store: &Store, at: u64) -> Result<Vec<Public>, CollectError> {
        match self {
            Leaves::Day { day, size } => {
                let limit = size.saturating_sub(at).min(PAGE.into());
                match u32::try_from(limit) {
                    Ok(0) | Err(_) => Ok(Vec::new()),
                    Ok(limit) => read_leaves(store, day, at, limit).await,
                }
            }
            Leaves::One(receipt) if at == 0 => Ok(vec![Public::clone(receipt)]),
            Leaves::One(_) => Ok(Vec::new()),
        }
    }
}

async fn collect<W: Write>(
    sources: &Sources,
    leaves: Leaves<'_>,
    day: Option<(&str, &SignedHead)>,
    options: Options,
    out: W,
) -> Result<Collected, CollectError> {
    let store = &sources.store;
    let mut digests = Digests::default();
    // First everything is looked at: the manifest tells what is withheld, and each header
    // how much follows.
    let (mut count, mut bytes) = (0, 0);
    loop {
        let page = leaves.page(store, count).await?;
        if page.is_empty() {
            break;
        }
        for leaf in &page {
            bytes += leaf.line.len() as u64;
            digests.leaf(store, leaf).await?;
        }
        count += page.len() as u64;
    }
    let linked = receipts::linked(store, digests.take_linked()).await?;
    let (mut linked_bytes, mut places) = (0, Places::new());
    for ids in linked.chunks(PAGE as usize) {
        for receipt in receipts::read(store, ids).await? {
            linked_bytes += receipt.line.len() as u64;
            digests.linked(&receipt);
            if let Some((day, leaf)) = receipt.place {
                places.entry(day).or_default().push((leaf, receipt.id));
            }
        }
    }
    let proofs = receipts::proofs(store, places, day.map(|(day, _)| day)).await?;
    let (blobs, withheld) = digests.sort(sources, options).await?;
    let mut by_reason = BTreeMap::new();
    for withheld in &withheld {
        *by_reason.entry(withheld.why.name()).or_default() += 1;
    }
    let manifest = Manifest::new(day.map(|(day, _)| day.to_owned()), withheld);
    let mut writer = BundleWriter::new(out, &manifest)?;
    if let Some((_, head)) = day {
        writer.head(head)?;
    }
    writer.receipts(bytes)?;
    let mut at = 0;
    while at < count {
        let page = leaves.page(store, at).await?;
        if page.is_empty() {
            break;
        }
        for leaf in &page {
            writer.line(&leaf.line)?;
        }
        at += page.len() as u64;
    }
    writer.linked(linked_bytes)?;
    for ids in linked.chunks(PAGE as usize) {
        for receipt in receipts::read(store, ids).await? {
            writer.line(&receipt.line)?;
        }
    }
    writer.proofs(&proofs)?;
    let blob_count = blobs.len() as u64;
    for (digest, source) in blobs {
        let frame = frame(sources, &digest, source).await?;
        writer.blob(&digest, &frame)?;
    }
    let (_, bytes) = writer.finish()?;
    let collected = Collected {
        receipts: count,
        linked: linked.len() as u64,
        blobs: blob_count,
        withheld: by_reason,
        bytes,
    };
    let withheld: u64 = collected.withheld.values().sum();
    tracing::info!(
        day = day.map(|(day, _)| day),
        receipts = count,
        linked = collected.linked,
        blobs = blob_count,
        withheld,
        bytes,
        "collected a bundle of receipts"
    );
    Ok(collected)
}

/// What a digest stands for, compressed. It is checked once more: what is damaged here must
/// not be taken for what the host computed.
async fn frame(sources: &Sources, name: &str, source: Source) -> Result<Vec<u8>, CollectError> {
    let gone = || CollectError::Gone(name.to_owned());
    // It may have become private since it was looked at first.
    let private = sources.store.is_private(vec![name.to_owned()]).await?;
    if !private.is_empty() {
        return Err(gone());
    }
    let from = match source {
        Source::Blob => {
            let row = sources.store.blob(name.to_owned()).await?;
            let row = row.ok_or_else(gone)?;
            content(name, &row.zstd, row.size)?;
            return Ok(row.zstd);
        }
        Source::Component => &sources.components,
        Source::Artifact => &sources.artifacts,
    };
    Ok(compress(&from.get(name)?)?)
}

/// The content of a frame, checked.
fn content(name: &str, frame: &[u8], size: u64) -> Result<Vec<u8>, CollectError> {
    let damaged = |problem: BlobProblem| CollectError::Blob {
        digest: name.to_owned(),
        problem,
    };
    let content = decompress(frame, size).map_err(damaged)?;
    match digest(&content) {
        found if found == name => Ok(content),
        found => Err(damaged(BlobProblem::Digest(found))),
    }
}

/// A head as it is kept.
///
/// # Errors
///
/// [`CollectError::Corrupt`].
pub fn signed_head(row: &HeadRow) -> Result<SignedHead, CollectError> {
    let head = serde_json::from_str(&row.document);
    Ok(SignedHead {
        head: head.map_err(|e| CollectError::Corrupt(format!("head of {}: {e}", row.day)))?,
        signature: row.signature.clone(),
        signer: row.signer.clone(),
    })
}

fn withheld(digest: String, why: Why) -> Withheld {
    Withheld { digest, why }
}
