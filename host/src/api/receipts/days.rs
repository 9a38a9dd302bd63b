//! The trees of days, and their leaves.

use super::{LeafView, Receipts, TreeState, signed_head};
use crate::api::page::Page;
use crate::api::params::{Params, Segments, is_day};
use crate::api::problem::{Problem, ProblemDetails};
use crate::receipts::{Kind, SignedHead};
use crate::store::{ReceiptRow, StoreError};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Leaves that are read at a time while those are looked for that are asked for.
const LOOKED_AT: u32 = 1_000;

/// Query of `GET /v1/days`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DaysQuery {
    /// Only days before this one: `next` of the page before.
    before: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// A page of days.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayPage {
    /// The last head of each day, the newest day first.
    days: Vec<SignedHead>,
    /// What `before` is of the next page; none if this is the last.
    next: Option<String>,
}

/// The tree of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayView {
    /// Its last head.
    head: SignedHead,
    /// The tree when each challenge was finalized, by challenge: it had all of this
    /// challenge's receipts of the day.
    finalizations: Vec<FinalizedTree>,
    /// Id of the receipt of the day's weight vector, if there is one.
    vector: Option<String>,
}

/// The tree of a day when a challenge was finalized.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FinalizedTree {
    /// The challenge.
    challenge: String,
    /// How many leaves it had.
    size: u64,
    /// Its root, 64 lower-case hexadecimal digits.
    root: String,
}

/// Query of `GET /v1/days/{day}/receipts`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LeavesQuery {
    /// Only leaves after this one: `next` of the page before.
    after: Option<u64>,
    /// How many, 1 to 1000. Default: 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// Only those of this challenge.
    challenge: Option<String>,
    /// Only those of this kind: `evaluate`, `compare`, `judge`, `get_weights` or
    /// `vector`.
    kind: Option<String>,
}

/// A page of leaves.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeafPage {
    /// In the order of the tree.
    receipts: Vec<LeafView>,
    /// What `after` is of the next page; none if this is the last.
    next: Option<u64>,
}

/// Query of `GET /v1/days/{day}/consistency`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ConsistencyQuery {
    /// How many leaves the older tree has: one of which there is a head.
    #[param(minimum = 1)]
    from: u64,
    /// How many leaves the newer tree has: one of which there is a head. Default: as many
    /// as there are.
    to: Option<u64>,
}

/// Two states of a day's tree.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsistencyView {
    /// The older one.
    from: TreeState,
    /// The newer one.
    to: TreeState,
    /// The consistency proof of RFC 6962: the older one is the beginning of the newer.
    proof: Vec<String>,
}

/// The days that have a tree of receipts, the newest first
///
/// Each with its last head. A head names the last head of the day before, so the heads of
/// all days are a chain.
#[utoipa::path(
    get,
    path = "/v1/days",
    operation_id = "list_days",
    tag = "receipts",
    params(DaysQuery),
    responses(
        (status = 200, body = DayPage, description = "A page"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`, `invalid_limit`, `invalid_day`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(
    State(receipts): State<Receipts>,
    Params(query): Params<DaysQuery>,
) -> Result<Json<DayPage>, Problem> {
    let page: Page<String> = Page::read(None, query.limit.as_deref())?;
    if query.before.as_deref().is_some_and(|day| !is_day(day)) {
        let detail = "before is not a day as in 2026-08-22";
        return Err(Problem::bad_request("invalid_day", detail));
    }
    let found = receipts.store.heads(query.before, page.look_for());
    let mut heads = found.await?;
    let next = page.cut_plain(&mut heads, |head| head.day.clone());
    let days = heads.iter().map(signed_head);
    let days = days.collect::<Result<_, _>>()?;
    Ok(Json(DayPage { days, next }))
}

/// The tree of a day's receipts
#[utoipa::path(
    get,
    path = "/v1/days/{day}",
    operation_id = "get_day",
    tag = "receipts",
    params(("day" = String, Path, description = "The day, `YYYY-MM-DD`, UTC")),
    responses(
        (status = 200, body = DayView, description = "Its last head"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_day`: it has no tree"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn one(
    State(receipts): State<Receipts>,
    Segments(day): Segments<String>,
) -> Result<Json<DayView>, Problem> {
    let head = receipts.head(&day).await?;
    let rows = receipts.store.finalizations_of(day.clone()).await?;
    let finalizations = rows.into_iter().filter_map(|row| {
        let (size, root) = row.tree?;
        let challenge = row.finalization.challenge;
        Some(FinalizedTree {
            challenge,
            size,
            root,
        })
    });
    let vector = receipts.store.weight_vector(day).await?;
    Ok(Json(DayView {
        head: signed_head(&head)?,
        finalizations: finalizations.collect(),
        // It became a leaf with the vector.
        vector: vector.and_then(|vector| vector.receipt),
    }))
}

/// The leaves of a day's tree, in order
#[utoipa::path(
    get,
    path = "/v1/days/{day}/receipts",
    operation_id = "list_receipts",
    tag = "receipts",
    params(
        ("day" = String, Path, description = "The day, `YYYY-MM-DD`, UTC"),
        LeavesQuery,
    ),
    responses(
        (status = 200, body = LeafPage, description = "A page"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`, `invalid_query`, `invalid_limit`, `invalid_kind`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_day`: it has no tree"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn receipts(
    State(receipts): State<Receipts>,
    Segments(day): Segments<String>,
    Params(query): Params<LeavesQuery>,
) -> Result<Json<LeafPage>, Problem> {
    let page: Page<u64> = Page::read(None, query.limit.as_deref())?;
    if let Some(kind) = &query.kind
        && !Kind::ALL.iter().any(|known| known.name() == kind)
    {
        let names = Kind::ALL.map(Kind::name).join(", ");
        let detail = format!("kind is not one of {names}");
        return Err(Problem::bad_request("invalid_kind", detail));
    }
    // No leaf has a number that the database cannot hold.
    if query
        .after
        .is_some_and(|after| i64::try_from(after).is_err())
    {
        let detail = "after is not the number of a leaf";
        return Err(Problem::bad_request("invalid_query", detail));
    }
    receipts.head(&day).await?;
    let wanted = |row: &ReceiptRow| {
        let is_of = |challenge: &str| row.challenge.as_deref() == Some(challenge);
        query.challenge.as_deref().is_none_or(is_of)
            && query.kind.as_ref().is_none_or(|kind| row.kind == *kind)
    };
    let look_for = page.look_for() as usize;
    let at_a_time = match (&query.challenge, &query.kind) {
        (None, None) => page.look_for(),
        _ => LOOKED_AT,
    };
    let mut after = query.after;
    let mut rows: Vec<ReceiptRow> = Vec::new();
    while rows.len() < look_for {
        let found = receipts
            .store
            .receipts_of_day(day.clone(), after, at_a_time);
        let found = found.await?;
        let is_last = found.len() < at_a_time as usize;
        after = found.last().and_then(|row| row.leaf);
        rows.extend(found.into_iter().filter(wanted));
        if is_last {
            break;
        }
    }
    let next = page.cut_plain(&mut rows, |row| row.leaf).flatten();
    let receipts = rows.into_iter().map(LeafView::new);
    let receipts = receipts.collect::<Result<_, _>>()?;
    Ok(Json(LeafPage { receipts, next }))
}

/// The proof that a day's tree only grew
///
/// From a tree with `from` leaves to one with `to`: who knows the older root sees that
/// nothing in it was changed or taken out.
#[utoipa::path(
    get,
    path = "/v1/days/{day}/consistency",
    operation_id = "get_consistency",
    tag = "receipts",
    params(
        ("day" = String, Path, description = "The day, `YYYY-MM-DD`, UTC"),
        ConsistencyQuery,
    ),
    responses(
        (status = 200, body = ConsistencyView, description = "The proof"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_path`, `invalid_query`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_day`: it has no tree"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_range`: `from` is above `to`, or there is no head of a tree \
                of as many leaves as `from` or `to`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn consistency(
    State(receipts): State<Receipts>,
    Segments(day): Segments<String>,
    Params(query): Params<ConsistencyQuery>,
) -> Result<Json<ConsistencyView>, Problem> {
    let size = receipts.head(&day).await?.size;
    let (from, to) = (query.from, query.to.unwrap_or(size));
    let invalid = |detail: String| Problem::unprocessable("invalid_range", detail);
    if from > to {
        return Err(invalid(format!("from is {from}, and to is {to}")));
    }
    // Trees are made of sizes alone that a head says: whoever asks can have few of them made.
    let head = async |of: u64| {
        let head = match i64::try_from(of) {
            Ok(_) => receipts.store.head(day.clone(), Some(of)).await?,
            Err(_) => None,
        };
        head.ok_or_else(|| {
            let detail = "there is no head of a tree of so many leaves, and the last has";
            invalid(format!("{of}: {detail} {size}"))
        })
    };
    let (older, newer) = (head(from).await?, head(to).await?);
    let tree = receipts.trees.get(&receipts.store, &day, to).await?;
    let proof = tree.consistency(from).ok_or_else(|| {
        let problem = format!("{day} has a head of {from} leaves, and its tree cannot have");
        StoreError::Corrupt(problem)
    })?;
    Ok(Json(ConsistencyView {
        from: TreeState::of(older),
        to: TreeState::of(newer),
        proof,
    }))
}
