//! Receipts, the trees that they are leaves of, and what they name by digest.
//!
//! What is in them is nobody's business here: bodies, documents and digests are texts
//! that others make. The one exception is `depends_on`, by which a leaf makes the
//! receipts of solvers' runs public, which go when they were long not stored anew.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub(super) use read::last_head;
pub(super) use write::{append, keep};

use std::fmt;
use std::sync::Arc;

/// A receipt to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReceipt {
    /// SHA-256 of the body, 64 lower-case hexadecimal digits.
    pub id: String,
    /// What was computed, a code; `solve` for a solver's run.
    pub kind: String,
    /// The challenge that it was computed for; none if for no single one.
    pub challenge: Option<String>,
    /// The receipt, canonical JSON.
    pub body: String,
    /// Who signed it, SS58; none if nobody did.
    pub signer: Option<String>,
    /// The signature, hexadecimal; there if there is a signer.
    pub signature: Option<String>,
}

/// What a receipt names by digest, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlob {
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// Size of the content, in bytes.
    pub size: u64,
    /// The content, compressed.
    pub zstd: Vec<u8>,
    /// Whether it is given to nobody. What once was private stays so.
    pub private: bool,
}

/// What is stored with a result; by default nothing. Stored again, it changes nothing
/// but for how long blobs and the receipts of solvers' runs stay.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// Receipts; those whose id is known are passed over.
    pub receipts: Vec<NewReceipt>,
    /// What they name; of those whose digest is known only `private` and the time count.
    pub blobs: Vec<NewBlob>,
    /// Digests of blobs that they name as well and that [are known
    /// already](super::Store::known_blobs): these stay as long as if they came now.
    pub used: Vec<String>,
    /// Other digests of what is given to nobody, such as a component's.
    pub private: Vec<String>,
    /// When, in seconds since the Unix epoch.
    pub at: f64,
}

/// Makes the head of a day's tree: of the day, the ids of all its leaves in order, and
/// the last head of the last day before it that has one. It runs in the thread that
/// writes, and everybody waits for it.
#[derive(Clone)]
pub struct HeadMaker(Arc<Make>);

type Make = dyn Fn(&str, &[String], Option<HeadRow>) -> HeadRow + Send + Sync;

impl HeadMaker {
    /// From what makes heads. Its heads are those of the day that it is given, and of
    /// as many leaves.
    pub fn new(
        make: impl Fn(&str, &[String], Option<HeadRow>) -> HeadRow + Send + Sync + 'static,
    ) -> Self {
        HeadMaker(Arc::new(make))
    }

    fn make(&self, day: &str, leaves: &[String], previous: Option<HeadRow>) -> HeadRow {
        (self.0)(day, leaves, previous)
    }
}

impl fmt::Debug for HeadMaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HeadMaker")
    }
}

/// Receipts that become leaves of a day's tree, and so public.
#[derive(Debug, Clone)]
pub struct Leaves {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Ids of receipts that are stored, or are stored with this. Those that are leaves
    /// of a day are passed over; the others are appended in this order.
    pub receipts: Vec<String>,
    /// Makes the new head, if anything was appended.
    pub head: HeadMaker,
}

/// What was said of a day's tree when it had a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRow {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// How many leaves the tree has, at least 1.
    pub size: u64,
    /// The root's hash, 64 lower-case hexadecimal digits.
    pub root: String,
    /// The head, canonical JSON.
    pub document: String,
    /// Who signed it, SS58.
    pub signer: String,
    /// The signature, hexadecimal.
    pub signature: String,
}

/// A receipt as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// SHA-256 of the body, 64 lower-case hexadecimal digits.
    pub id: String,
    /// What was computed, a code; `solve` for a solver's run.
    pub kind: String,
    /// The challenge that it was computed for; none if for no single one.
    pub challenge: Option<String>,
    /// The receipt, canonical JSON.
    pub body: String,
    /// Who signed it, SS58; none if nobody did.
    pub signer: Option<String>,
    /// The signature, hexadecimal; there if there is a signer.
    pub signature: Option<String>,
    /// The day of whose tree it is a leaf, `YYYY-MM-DD`, UTC.
    pub day: Option<String>,
    /// Which leaf of that day it is, from 0.
    pub leaf: Option<u64>,
    /// Of a solver's run: id of the first leaf, by day and number, that depends on it.
    pub named_by: Option<String>,
}

impl ReceiptRow {
    /// Whether anybody may see it: it is a leaf, or a solver's run that a leaf depends
    /// on.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.leaf.is_some() || self.named_by.is_some()
    }
}

/// What is stored of what a receipt names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// Size of the content, in bytes.
    pub size: u64,
    /// The content, compressed.
    pub zstd: Vec<u8>,
    /// Whether it is given to nobody.
    pub private: bool,
}
