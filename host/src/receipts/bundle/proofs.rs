//! That receipts of other days are leaves there.

use crate::canonical::is_digest;
use crate::receipts::tree::{TreeError, is_included};
use crate::receipts::{Kind, SignedHead, SignedReceipt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which form it has.
const VERSION: &str = "proctor-proofs-1";

/// For receipts of other days that a bundle has: where each is in the tree of its day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proofs {
    /// A head of each of those days, by day.
    pub heads: Vec<SignedHead>,
    /// Their places, by id.
    pub leaves: Vec<LeafProof>,
    /// `proctor-proofs-1`.
    pub version: String,
}

/// Where a receipt is in the tree of its day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafProof {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Id of the receipt.
    pub id: String,
    /// Which leaf it is, from 0 on.
    pub leaf: u64,
    /// The audit path to the root of the day's head, from the leaf up, each 64 lower-case
    /// hexadecimal digits.
    pub proof: Vec<String>,
}

impl Proofs {
    /// Of these days and leaves, which are put in order.
    #[must_use]
    pub fn new(mut heads: Vec<SignedHead>, mut leaves: Vec<LeafProof>) -> Self {
        heads.sort_by(|a, b| a.head.day.cmp(&b.head.day));
        leaves.sort_by(|a, b| a.id.cmp(&b.id));
        Proofs {
            heads,
            leaves,
            version: VERSION.to_owned(),
        }
    }

    /// The head of a day; none if no leaf is of it.
    #[must_use]
    pub fn head(&self, day: &str) -> Option<&SignedHead> {
        let of = |head: &SignedHead| head.head.day.as_str().cmp(day);
        let at = self.heads.binary_search_by(of).ok()?;
        self.heads.get(at)
    }

    /// Where a receipt is, and the head of its day; none if that is not shown.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<(&LeafProof, &SignedHead)> {
        let of = |leaf: &LeafProof| leaf.id.as_str().cmp(id);
        let at = self.leaves.binary_search_by(of).ok()?;
        let leaf = self.leaves.get(at)?;
        Some((leaf, self.head(&leaf.day)?))
    }

    /// What is wrong with it in a bundle of this day, beside its types.
    pub(super) fn check(&self, day: Option<&str>, linked: &[SignedReceipt]) -> Result<(), String> {
        if self.version != VERSION {
            let version = &self.version;
            return Err(format!("version {version:?}: this one knows {VERSION}"));
        }
        let days = || self.heads.iter().map(|head| head.head.day.as_str());
        if !days().is_sorted_by(|a, b| a < b) {
            return Err("heads are not in order".to_owned());
        }
        if let Some(day) = days().find(|of| Some(*of) == day) {
            return Err(format!("a head of {day}, which is the bundle's own day"));
        }
        if !self.leaves.is_sorted_by(|a, b| a.id < b.id) {
            return Err("leaves are not in order".to_owned());
        }
        for leaf in &self.leaves {
            let (id, day) = (&leaf.id, &leaf.day);
            let at = linked.binary_search_by(|of| of.id.cmp(id)).ok();
            let found = at.and_then(|at| linked.get(at));
            if found.is_none_or(|of| of.receipt.kind == Kind::Solve) {
                return Err(format!("{id:?} is not linked, or a solve"));
            }
            if self.head(day).is_none() {
                return Err(format!("{id} is of {day:?}, of which there is no head"));
            }
            if !leaf.proof.iter().all(|hash| is_digest(hash)) {
                return Err(format!("the proof of {id} is not of digests"));
            }
        }
        let used: BTreeSet<&str> = self.leaves.iter().map(|leaf| leaf.day.as_str()).collect();
        if let Some(day) = days().find(|day| !used.contains(day)) {
            return Err(format!("a head of {day:?}, and no leaf of that day"));
        }
        Ok(())
    }
}

impl LeafProof {
    /// Whether it is a leaf of the tree with this head.
    ///
    /// # Errors
    ///
    /// What is no hash.
    pub fn holds(&self, head: &SignedHead) -> Result<bool, TreeError> {
        let head = &head.head;
        is_included(&self.id, self.leaf, (&head.root, head.size), &self.proof)
    }
}
