//! Signatures and trees of bundles of which nothing is computed.

use super::*;
use crate::canonical::digest;
use crate::chain::Hotkey;
use crate::receipts::bundle::{Bundle, BundleWriter, LeafProof, Manifest, receipt_line};
use crate::receipts::{Head, Receipt, Signer};
use crate::verify::documents::Documents;
use crate::verify::report::{Finding, Verdict};
use std::io::{BufReader, Write};

const BEFORE: &str = "2026-08-21";

fn signer(name: &str) -> Signer {
    Signer::from(Hotkey::from_uri(name).unwrap())
}

fn address(name: &str) -> String {
    signer(name).address().to_owned()
}

fn receipt(input: &str, depends_on: &[&SignedReceipt]) -> SignedReceipt {
    let receipt = Receipt::of_rule(Kind::Judge, None, digest(input), digest("out"))
        .depending_on(depends_on.iter().map(|of| of.id.clone()));
    let id = Receipt::id_of(&receipt.text().unwrap());
    let mut signed = SignedReceipt {
        id,
        receipt,
        signature: None,
        signer: None,
    };
    sign(&mut signed, "//Alice");
    signed
}

fn sign(receipt: &mut SignedReceipt, name: &str) {
    receipt.signature = Some(signer(name).sign_receipt(&receipt.id));
    receipt.signer = Some(address(name));
}

/// A day of two leaves, the second of which depends on a leaf of the day before.
struct Made {
    head: Option<SignedHead>,
    leaves: Vec<SignedReceipt>,
    linked: SignedReceipt,
    proofs: Proofs,
}

impl Made {
    fn day() -> Made {
        let linked = receipt("of the day before", &[]);
        let before = [digest("first"), linked.id.clone()];
        let proof = LeafProof {
            day: BEFORE.into(),
            id: linked.id.clone(),
            leaf: 1,
            proof: Tree::of(&before).unwrap().inclusion(1).unwrap(),
        };
        let head = |day: &str, ids: &[String]| {
            let head = Head::of(day, ids, None).unwrap();
            signer("//Alice").sign_head(head).unwrap()
        };
        let leaves = vec![receipt("first", &[]), receipt("second", &[&linked])];
        let ids: Vec<String> = leaves.iter().map(|leaf| leaf.id.clone()).collect();
        Made {
            head: Some(head("2026-08-22", &ids)),
            leaves,
            linked,
            proofs: Proofs::new(vec![head(BEFORE, &before)], vec![proof]),
        }
    }

    /// What is found, if `named` should have signed.
    fn found(&self, named: Option<&str>) -> Vec<Finding> {
        let day = self.head.as_ref().map(|head| head.head.day.clone());
        let file = tempfile::tempfile().unwrap();
        let mut writer = BundleWriter::new(file, &Manifest::new(day, Vec::new())).unwrap();
        if let Some(head) = &self.head {
            writer.head(head).unwrap();
        }
        let lines = self.leaves.iter().map(|leaf| receipt_line(leaf).unwrap());
        let lines: String = lines.collect();
        writer.receipts(lines.len() as u64).unwrap();
        writer.line(&lines).unwrap();
        let line = receipt_line(&self.linked).unwrap();
        writer.linked(line.len() as u64).unwrap();
        writer.line(&line).unwrap();
        writer.proofs(&self.proofs).unwrap();
        let (mut file, _) = writer.finish().unwrap();
        file.flush().unwrap();
        let bundle = Bundle::from_reader(BufReader::new(file)).unwrap();
        let mut findings = Findings::default();
        let day = Day::new(Documents::open(bundle, None).unwrap(), &mut findings);
        let named = named.map(address);
        check(&day, named.as_deref(), &mut findings);
        check_tree(&day, &mut findings);
        findings.finish().0
    }

    /// The one thing that is found: where, whether it differs, of which receipt, and what.
    fn only(&self, named: Option<&str>) -> (Step, Verdict, Option<String>, String) {
        let mut found = self.found(named);
        assert_eq!(found.len(), 1, "{found:#?}");
        let found = found.remove(0);
        (found.step, found.result, found.receipt, found.what)
    }

    fn sign_before(&mut self, name: &str, change: impl FnOnce(&mut Head)) {
        let mut head = self.proofs.heads[0].head.clone();
        change(&mut head);
        self.proofs.heads[0] = signer(name).sign_head(head).unwrap();
    }
}

#[test]
fn what_is_signed_and_shown_by_one_is_as_it_says() {
    assert_eq!(Made::day().found(None), []);
    assert_eq!(Made::day().found(Some("//Alice")), []);
    let found = Made::day().only(Some("//Bob"));
    assert!(matches!(
        found,
        (Step::Signatures, Verdict::Differs, None, _)
    ));
}

/// The host's key was changed after an evaluation and before its day was final.
#[test]
fn a_leaf_that_another_key_signed_is_not_checkable_as_the_head_is_signed_too() {
    let mut day = Made::day();
    sign(&mut day.leaves[0], "//Bob");
    let id = Some(day.leaves[0].id.clone());
    for named in [None, Some("//Alice")] {
        let (step, verdict, receipt, what) = day.only(named);
        let found = (step, verdict, receipt);
        assert_eq!(found, (Step::Signatures, Verdict::NotCheckable, id.clone()));
        assert!(what.contains("the host may have changed its key"), "{what}");
    }
    // Of neither who signed it nor who signed the head.
    let found = day.found(Some("//Charlie"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|found| found.result == Verdict::Differs));
    // A signature that is none is none.
    day.leaves[0].signature = day.leaves[1].signature.clone();
    assert_eq!(day.only(None).1, Verdict::Differs);
}

/// Nothing but its own signature says who made it.
#[test]
fn one_receipt_is_of_who_signed_it() {
    let mut one = Made::day();
    one.head = None;
    one.leaves.remove(0);
    assert_eq!(one.found(Some("//Alice")), []);
    sign(&mut one.leaves[0], "//Bob");
    let found = one.found(Some("//Alice"));
    assert_eq!(found[0].result, Verdict::Differs);
}

/// A host may sign anything. That it is a leaf of a day, which cannot be taken back, is
/// what counts.
#[test]
fn a_receipt_of_another_day_that_is_no_leaf_there_is_found() {
    let mut day = Made::day();
    let id = Some(day.linked.id.clone());
    day.proofs = Proofs::new(Vec::new(), Vec::new());
    let (step, verdict, receipt, what) = day.only(None);
    let found = (step, verdict, receipt);
    assert_eq!(found, (Step::Tree, Verdict::NotCheckable, id.clone()));
    assert!(what.contains("nothing shows"), "{what}");
    let changes: [fn(&mut Made); 5] = [
        |day| day.proofs.leaves[0].leaf = 0,
        |day| day.proofs.leaves[0].leaf = 2,
        |day| day.proofs.leaves[0].proof.clear(),
        |day| day.sign_before("//Alice", |head| head.root = digest("another")),
        |day| day.sign_before("//Alice", |head| head.size = 3),
    ];
    for change in changes {
        let mut day = Made::day();
        change(&mut day);
        let (step, verdict, receipt, _) = day.only(None);
        let found = (step, verdict, receipt);
        assert_eq!(found, (Step::Tree, Verdict::Differs, id.clone()));
    }
}

#[test]
fn a_solve_is_neither_a_leaf_nor_signed() {
    let mut day = Made::day();
    let solve = &mut day.leaves[0];
    solve.receipt.kind = Kind::Solve;
    solve.receipt.component = Some(digest("an artifact"));
    solve.id = Receipt::id_of(&solve.receipt.text().unwrap());
    sign(solve, "//Alice");
    let id = solve.id.clone();
    let ids = [id.clone(), day.leaves[1].id.clone()];
    let head = Head::of("2026-08-22", &ids, None).unwrap();
    day.head = Some(signer("//Alice").sign_head(head).unwrap());
    let found = day.only(None);
    assert_eq!((found.1, found.2.as_ref()), (Verdict::Differs, Some(&id)));
    day.leaves[0].signature = None;
    day.leaves[0].signer = None;
    let found = day.only(None);
    assert_eq!((found.1, found.2.as_ref()), (Verdict::Differs, Some(&id)));
}

#[test]
fn the_head_of_another_day_is_signed_and_by_the_same() {
    let mut day = Made::day();
    day.sign_before("//Bob", |_| ());
    let (step, verdict, receipt, what) = day.only(None);
    let found = (step, verdict, receipt);
    assert_eq!(found, (Step::Tree, Verdict::NotCheckable, None));
    assert!(what.contains(BEFORE), "{what}");
    day.proofs.heads[0].signer = address("//Alice");
    assert_eq!(day.only(None).1, Verdict::Differs);
}
