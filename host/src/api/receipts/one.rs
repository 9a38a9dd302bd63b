//! One receipt.

use super::{LeafView, Receipts, signed_head};
use crate::api::params::Segments;
use crate::api::problem::{Problem, ProblemDetails};
use crate::receipts::{Receipt, SignedHead};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A receipt, and what shows that it is a leaf of its day's tree.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReceiptView {
    /// Its id: SHA-256 of its canonical text, 64 lower-case hexadecimal digits.
    id: String,
    /// What was computed, from what, and what came of it.
    receipt: Receipt,
    /// Who signed it, SS58; none of a solve, which the receipts sign that depend on it.
    signer: Option<String>,
    /// The signature over `proctor-receipt-1:<id>`, sr25519, 128 lower-case hexadecimal
    /// digits.
    signature: Option<String>,
    /// The day of whose tree it is a leaf, `YYYY-MM-DD`, UTC; none of a solve.
    day: Option<String>,
    /// Which leaf of that day it is, from 0; none of a solve.
    leaf: Option<u64>,
    /// The last head of that day's tree; none of a solve.
    head: Option<SignedHead>,
    /// The audit path of RFC 6962 from the leaf up to the head's root; none of a solve.
    inclusion: Option<Vec<String>>,
    /// Of a solve, a leaf that depends on it; else empty.
    parents: Vec<String>,
}

/// A receipt, with the proof that it is in its day's tree
///
/// There once its day is final: before that, and for what there is not, the answer is
/// the same. Of a run of a submission on one task (`solve`) there is no leaf: a leaf
/// names it.
#[utoipa::path(
    get,
    path = "/v1/receipts/{id}",
    operation_id = "get_receipt",
    tag = "receipts",
    params(("id" = String, Path, description = "Its id, 64 lower-case hexadecimal digits")),
    responses(
        (status = 200, body = ReceiptView, description = "The receipt"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_receipt`: there is none, or it is not public"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_id`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn one(
    State(receipts): State<Receipts>,
    Segments(id): Segments<String>,
) -> Result<Json<ReceiptView>, Problem> {
    let mut row = receipts.public(id).await?;
    let (mut head, mut inclusion) = (None, None);
    if let (Some(day), Some(leaf)) = (&row.day, row.leaf) {
        let last = receipts.head(day).await?;
        let tree = receipts.trees.get(&receipts.store, day, last.size).await?;
        inclusion = tree.inclusion(leaf);
        head = Some(signed_head(&last)?);
    }
    let day = row.day.take();
    let parents = row.named_by.take().into_iter().collect();
    let leaf = LeafView::new(row)?;
    Ok(Json(ReceiptView {
        id: leaf.id,
        receipt: leaf.receipt,
        signer: leaf.signer,
        signature: leaf.signature,
        day,
        leaf: leaf.leaf,
        head,
        inclusion,
        parents,
    }))
}
