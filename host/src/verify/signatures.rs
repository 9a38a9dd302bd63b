//! Who signed, and the tree of the leaves.

#[cfg(test)]
mod tests;

use super::day::{Day, Role};
use super::report::{Findings, Step, Trouble, Why};
use crate::receipts::bundle::Proofs;
use crate::receipts::tree::Tree;
use crate::receipts::{Kind, SignedHead, SignedReceipt, signs_head, signs_receipt};

/// Checks every signature of a receipt. Returns whose they should be.
pub(super) fn check(day: &Day, named: Option<&str>, findings: &mut Findings) -> Option<String> {
    let signer = signer(day);
    if let Some(named) = named
        && signer.as_deref() != Some(named)
    {
        let found = signer.as_deref().unwrap_or("nobody");
        let what = format!("signed by {found} instead of {named}");
        findings.add(Step::Signatures, None, Trouble::differs(what));
    }
    let signers = Signers {
        first: signer.as_deref(),
        named,
        is_tree: day.documents.bundle.head().is_some(),
    };
    for (role, signed) in day.all() {
        if let Err(trouble) = signers.of_receipt(role, signed) {
            let about = Some((signed.id.as_str(), signed.receipt.kind));
            findings.add(Step::Signatures, about, trouble);
        }
    }
    signer
}

/// Whose all signatures should be: the head's signer, or that of the one receipt.
fn signer(day: &Day) -> Option<String> {
    let bundle = &day.documents.bundle;
    let head = bundle.head().map(|head| head.signer.clone());
    head.or_else(|| {
        bundle
            .receipts()
            .iter()
            .find_map(|leaf| leaf.signer.clone())
    })
}

struct Signers<'a> {
    first: Option<&'a str>,
    /// Who should have signed, if that was said.
    named: Option<&'a str>,
    /// Whether leaves are of a tree, whose head is signed too.
    is_tree: bool,
}

impl Signers<'_> {
    fn of_receipt(&self, role: Role, signed: &SignedReceipt) -> Result<(), Trouble> {
        let (signer, signature) = match (&signed.signer, &signed.signature) {
            (Some(_), _) if signed.receipt.kind == Kind::Solve => {
                return Err(Trouble::differs("a solve is signed by nobody"));
            }
            (Some(signer), Some(signature)) => (signer.as_str(), signature),
            // Another receipt signs it, or it is the only one there.
            (None, None) if role == Role::Solve => return Ok(()),
            (None, None) if signed.receipt.kind == Kind::Solve && !self.is_tree => return Ok(()),
            _ => return Err(Trouble::differs("it is not signed")),
        };
        if !signs_receipt(&signed.id, signer, signature) {
            let what = format!("the signature is not of {signer}");
            return Err(Trouble::differs(what));
        }
        if Some(signer) == self.first {
            return Ok(());
        }
        let first = self.first.unwrap_or("nobody");
        let is_named = |named: &str| named == signer || named == first;
        match role {
            // A host may have got another key since that day.
            Role::External => Err(Trouble::not_checkable(
                Why::NoReceipt,
                format!("of another day, signed by {signer} and not by {first}"),
            )),
            // Or since that evaluation. The head's signer signed it too, by its id.
            Role::Leaf if self.is_tree && self.named.is_none_or(is_named) => {
                Err(Trouble::not_checkable(
                    Why::NoReceipt,
                    format!(
                        "signed by {signer}, the head by {first}: the host may have changed its key"
                    ),
                ))
            }
            _ => {
                let what = format!("signed by {signer} and not by {first}");
                Err(Trouble::differs(what))
            }
        }
    }
}

/// Checks that the leaves make the root that the head's signer signed, and that receipts
/// of other days are leaves there.
pub(super) fn check_tree(day: &Day, findings: &mut Findings) {
    let bundle = &day.documents.bundle;
    if let Some(signed) = bundle.head() {
        for trouble in tree_troubles(signed, bundle.receipts()) {
            findings.add(Step::Tree, None, trouble);
        }
    }
    let (proofs, signer) = (bundle.proofs(), signer(day));
    for head in &proofs.heads {
        if let Err(trouble) = of_head(head, signer.as_deref()) {
            findings.add(Step::Tree, None, trouble);
        }
    }
    let external = day.all().filter(|(role, _)| *role == Role::External);
    for (_, signed) in external {
        if let Err(trouble) = of_other_day(&signed.id, proofs) {
            let about = Some((signed.id.as_str(), signed.receipt.kind));
            findings.add(Step::Tree, about, trouble);
        }
    }
}

/// The head of another day.
fn of_head(signed: &SignedHead, expected: Option<&str>) -> Result<(), Trouble> {
    let (day, signer) = (&signed.head.day, signed.signer.as_str());
    if !signs_head(signed) {
        let what = format!("the head of {day} is not signed by {signer}");
        return Err(Trouble::differs(what));
    }
    if Some(signer) == expected {
        return Ok(());
    }
    let expected = expected.unwrap_or("nobody");
    Err(Trouble::not_checkable(
        Why::NoReceipt,
        format!("the head of {day} is signed by {signer} and not by {expected}"),
    ))
}

fn of_other_day(id: &str, proofs: &Proofs) -> Result<(), Trouble> {
    let Some((leaf, head)) = proofs.of(id) else {
        return Err(Trouble::not_checkable(
            Why::NoReceipt,
            "nothing shows that it is a leaf of another day",
        ));
    };
    match leaf.holds(head) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trouble::differs(format!(
            "it is not shown to be leaf {} of {}, which has the root {}",
            leaf.leaf, leaf.day, head.head.root
        ))),
        Err(error) => Err(Trouble::differs(error.to_string())),
    }
}

fn tree_troubles(signed: &SignedHead, leaves: &[SignedReceipt]) -> Vec<Trouble> {
    let (head, mut troubles) = (&signed.head, Vec::new());
    let mut differs = |what: String| troubles.push(Trouble::differs(what));
    if !signs_head(signed) {
        differs(format!("the head is not signed by {}", signed.signer));
    }
    if leaves.len() as u64 != head.size {
        let leaves = leaves.len();
        differs(format!("{leaves} leaves, and the head is of {}", head.size));
    }
    match Tree::of(leaves.iter().map(|leaf| &leaf.id)).map(|tree| tree.root()) {
        Ok(root) if root == head.root => {}
        Ok(root) => differs(format!(
            "the leaves have the root {root}, and the head {}",
            head.root
        )),
        Err(error) => differs(error.to_string()),
    }
    troubles
}
