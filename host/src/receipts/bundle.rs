//! A day's receipts, with all that they are verified by, as one file: a POSIX ustar
//! archive in which the same content is the same bytes.
//!
//! Its entries are, in this order, `bundle.json` ([`Manifest`]), `head.json`
//! ([`SignedHead`](super::SignedHead), if there is one), `receipts.jsonl`, `linked.jsonl`,
//! `proofs.json` ([`Proofs`]) and `blobs/sha256/<digest>.zst`, by digest. Whoever has a file
//! reads it with any `tar`.

mod blob;
mod problem;
mod proofs;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use blob::{BlobProblem, compress, decompress};
pub use problem::{BundleProblem, Fault};
pub use proofs::{LeafProof, Proofs};
pub use read::{Bundle, Entry};
pub use write::{BundleWriter, WriteError, receipt_line};

use crate::canonical::is_digest;
use serde::{Deserialize, Serialize};
use tar::{EntryType, Header};

/// Which form a bundle has.
const VERSION: &str = "proctor-bundle-1";

const MANIFEST: &str = "bundle.json";
const HEAD: &str = "head.json";
const RECEIPTS: &str = "receipts.jsonl";
const LINKED: &str = "linked.jsonl";
const PROOFS: &str = "proofs.json";
const BLOBS: &str = "blobs/sha256/";
const FRAME: &str = ".zst";

/// Headers and contents begin at multiples of this.
const BLOCK: u64 = 512;

/// What eleven octal digits hold: 8 GiB − 1.
const MAX_ENTRY: u64 = 0o777_7777_7777;

/// What a bundle is of, and what is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The day of whose tree it has all receipts, `YYYY-MM-DD`, UTC; none of a bundle of
    /// one receipt.
    pub day: Option<String>,
    /// `proctor-bundle-1`.
    pub version: String,
    /// What its receipts name and it has not, by digest.
    pub withheld: Vec<Withheld>,
}

/// What is not in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Why it is not in it.
    pub why: Why,
}

/// Why something is not in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The challenge's author does not want it to be given out.
    Private,
    /// It is the environment of a call, which is given to nobody.
    Environment,
    /// It is not kept any more.
    Missing,
    /// Whoever made the bundle left it out: a component, an artifact, or what nothing in
    /// the bundle is verified by.
    NotIncluded,
}

impl Why {
    /// The stable name, such as `not_included`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Why::Private => "private",
            Why::Environment => "environment",
            Why::Missing => "missing",
            Why::NotIncluded => "not_included",
        }
    }
}

impl Manifest {
    /// Of a day, or of one receipt. `withheld` is put in order.
    #[must_use]
    pub fn new(day: Option<String>, mut withheld: Vec<Withheld>) -> Self {
        withheld.sort_by(|a, b| a.digest.cmp(&b.digest));
        Manifest {
            day,
            version: VERSION.to_owned(),
            withheld,
        }
    }

    /// Why what has this digest is not in the bundle; none if it does not say.
    #[must_use]
    pub fn why(&self, digest: &str) -> Option<Why> {
        let of = |withheld: &Withheld| withheld.digest.as_str().cmp(digest);
        let at = self.withheld.binary_search_by(of).ok()?;
        self.withheld.get(at).map(|withheld| withheld.why)
    }

    /// What is wrong with it, beside its types.
    fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            let version = &self.version;
            return Err(format!("version {version:?}: this one knows {VERSION}"));
        }
        if let Some(bad) = self.withheld.iter().find(|w| !is_digest(&w.digest)) {
            return Err(format!("{:?} is no digest", bad.digest));
        }
        if !self.withheld.is_sorted_by(|a, b| a.digest < b.digest) {
            return Err("what is withheld is not in order".to_owned());
        }
        Ok(())
    }
}

/// The header of an entry: the only one that an entry of this name and size can have. None
/// if there is no room for the size, or the name.
fn header(name: &str, size: u64) -> Option<[u8; 512]> {
    let mut header = Header::new_ustar();
    header.set_path(name).ok().filter(|()| size <= MAX_ENTRY)?;
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Some(*header.as_bytes())
}

/// Zeros between the end of a content and the next header.
fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK) - size
}

/// Name of the entry of a blob.
pub(crate) fn blob_name(digest: &str) -> String {
    format!("{BLOBS}{digest}{FRAME}")
}

/// The digest in the name of a blob's entry.
fn digest_in(name: &str) -> Option<&str> {
    let digest = name.strip_prefix(BLOBS)?.strip_suffix(FRAME)?;
    is_digest(digest).then_some(digest)
}
