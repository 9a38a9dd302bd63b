//! The receipts of a bundle, by id.

use super::documents::Documents;
use super::report::{Findings, Step, Trouble};
use crate::receipts::{Kind, Receipt, SignedReceipt};
use std::collections::{BTreeMap, BTreeSet};

/// What a receipt is in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A leaf of the day.
    Leaf,
    /// A submission's run that a leaf names.
    Solve,
    /// A leaf of another day: taken for what it says.
    External,
}

/// A bundle's receipts, and its documents.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) documents: Documents,
    receipts: BTreeMap<String, (Role, SignedReceipt)>,
    /// Ids of what is computed again, the leaves in their order, then the solves.
    pub(super) checked: Vec<String>,
}

impl Day {
    /// The receipts of a bundle.
    pub(super) fn new(documents: Documents, findings: &mut Findings) -> Self {
        let mut receipts = BTreeMap::new();
        let mut checked = Vec::new();
        for leaf in documents.bundle.receipts() {
            checked.push(leaf.id.clone());
            receipts.insert(leaf.id.clone(), (Role::Leaf, leaf.clone()));
        }
        let named: BTreeSet<&String> = {
            let leaves = documents.bundle.receipts().iter();
            leaves.flat_map(|leaf| &leaf.receipt.depends_on).collect()
        };
        for linked in documents.bundle.linked() {
            if !named.contains(&linked.id) {
                let trouble = Trouble::differs("no receipt of the bundle depends on it");
                let about = Some((linked.id.as_str(), linked.receipt.kind));
                findings.add(Step::Links, about, trouble);
                continue;
            }
            let role = match linked.receipt.kind {
                Kind::Solve => {
                    checked.push(linked.id.clone());
                    Role::Solve
                }
                _ => Role::External,
            };
            receipts.insert(linked.id.clone(), (role, linked.clone()));
        }
        Day {
            documents,
            receipts,
            checked,
        }
    }

    /// A receipt, if the bundle has it.
    pub(super) fn get(&self, id: &str) -> Option<&Receipt> {
        self.receipts.get(id).map(|(_, signed)| &signed.receipt)
    }

    /// All receipts, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = (Role, &SignedReceipt)> {
        self.receipts.values().map(|(role, signed)| (*role, signed))
    }

    /// What a receipt depends on, of one kind and of its challenge.
    pub(super) fn dependencies<'a>(
        &'a self,
        receipt: &'a Receipt,
        kind: Kind,
    ) -> impl Iterator<Item = (&'a str, &'a Receipt)> {
        let found = |id: &'a String| Some((id.as_str(), self.get(id)?));
        receipt
            .depends_on
            .iter()
            .filter_map(found)
            .filter(move |(_, of)| {
                of.kind == kind && (kind == Kind::Solve || of.challenge == receipt.challenge)
            })
    }
}
