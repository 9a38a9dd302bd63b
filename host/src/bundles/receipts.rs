//! Receipts that anybody may see, and where they are leaves.

use super::{CollectError, signed_head};
use crate::receipts::bundle::{LeafProof, Proofs, receipt_line};
use crate::receipts::tree::Tree;
use crate::receipts::{Receipt, SignedReceipt};
use crate::store::{ReceiptRow, Store};
use std::collections::{BTreeMap, BTreeSet};

/// A receipt that anybody may see.
#[derive(Debug, Clone)]
pub(super) struct Public {
    pub(super) id: String,
    pub(super) receipt: Receipt,
    /// Its line in a bundle.
    pub(super) line: String,
    /// The day whose leaf it is, and which; none of a solve.
    pub(super) place: Option<(String, u64)>,
}

impl Public {
    /// From its row, which is public.
    pub(super) fn read(row: ReceiptRow) -> Result<Public, CollectError> {
        let wrong = |what: String| CollectError::Corrupt(format!("{}: {what}", row.id));
        if !row.is_public() {
            return Err(wrong("it is not public".to_owned()));
        }
        if Receipt::id_of(&row.body) != row.id {
            return Err(wrong("its id is not its digest".to_owned()));
        }
        let receipt = Receipt::parse(&row.body).map_err(wrong)?;
        let signed = SignedReceipt {
            id: row.id.clone(),
            receipt,
            signature: row.signature.clone(),
            signer: row.signer.clone(),
        };
        let line = receipt_line(&signed).map_err(|e| wrong(e.to_string()))?;
        Ok(Public {
            id: signed.id,
            receipt: signed.receipt,
            line,
            place: row.day.zip(row.leaf),
        })
    }
}

/// Leaves of a day, from the `at`th.
pub(super) async fn read_leaves(
    store: &Store,
    day: &str,
    at: u64,
    limit: u32,
) -> Result<Vec<Public>, CollectError> {
    let after = at.checked_sub(1);
    let rows = store.receipts_of_day(day.to_owned(), after, limit).await?;
    rows.into_iter().map(Public::read).collect()
}

/// Those of the ids that are of public receipts, in order.
pub(super) async fn linked(
    store: &Store,
    ids: BTreeSet<String>,
) -> Result<Vec<String>, CollectError> {
    let ids: Vec<String> = ids.into_iter().collect();
    let mut linked = Vec::new();
    for page in ids.chunks(super::PAGE as usize) {
        let rows = store.receipts(page.to_vec()).await?;
        let public = rows.into_iter().filter(ReceiptRow::is_public);
        linked.extend(public.map(|row| row.id));
    }
    Ok(linked)
}

/// The receipts with these ids, which are public, by id.
pub(super) async fn read(store: &Store, ids: &[String]) -> Result<Vec<Public>, CollectError> {
    let rows = store.receipts(ids.to_vec()).await?;
    rows.into_iter().map(Public::read).collect()
}

/// Places in the trees of days: which leaf of which a receipt is, by day.
pub(super) type Places = BTreeMap<String, Vec<(u64, String)>>;

/// That receipts are leaves of their days, each day's tree as it is now. Holds one tree at a
/// time.
///
/// # Errors
///
/// [`CollectError::Corrupt`] if one is of the bundle's own `day` and not in it, or is no leaf.
pub(super) async fn proofs(
    store: &Store,
    places: Places,
    day: Option<&str>,
) -> Result<Proofs, CollectError> {
    let (mut heads, mut leaves) = (Vec::new(), Vec::new());
    for (of, places) in places {
        let wrong = |what: &str| CollectError::Corrupt(format!("the tree of {of}: {what}"));
        if day == Some(of.as_str()) {
            return Err(wrong("a leaf depends on a later one"));
        }
        let head = store.head(of.clone(), None).await?;
        let head = signed_head(&head.ok_or_else(|| wrong("it has no head"))?)?;
        let ids = store.leaf_ids(of.clone()).await?;
        let size = usize::try_from(head.head.size).unwrap_or(usize::MAX);
        let tree = Tree::of(ids.iter().take(size)).map_err(|e| wrong(&e.to_string()))?;
        if tree.size() != head.head.size || tree.root() != head.head.root {
            return Err(wrong("it is not that of its head"));
        }
        for (leaf, id) in places {
            let at = usize::try_from(leaf).ok();
            let is_there = at.and_then(|at| ids.get(at)) == Some(&id);
            let proof = tree.inclusion(leaf).filter(|_| is_there);
            leaves.push(LeafProof {
                proof: proof.ok_or_else(|| wrong(&format!("{id} is not its leaf {leaf}")))?,
                day: of.clone(),
                id,
                leaf,
            });
        }
        heads.push(head);
    }
    Ok(Proofs::new(heads, leaves))
}
