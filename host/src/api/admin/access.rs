//! Tokens and secrets of challenges.

use super::auth::Actor;
use super::body::{JsonBody, MaybeJson};
use super::challenges::{ChangeQuery, edit_of, problem};
use super::precondition::IfMatch;
use crate::api::App;
use crate::api::params::{Params, Segments};
use crate::api::problem::{Problem, ProblemDetails};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a token is rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RotateBody {
    /// Seconds that the tokens before stay valid, 0 to 604800. Default: 3600.
    overlap_s: f64,
}

impl Default for RotateBody {
    fn default() -> Self {
        RotateBody { overlap_s: 3_600.0 }
    }
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RotatedView {
    slug: String,
    /// The token. It is told this once, and only a hash of it is kept; none of a dry
    /// run.
    challenge_token: Option<String>,
    /// Its first and last characters; none of a dry run.
    token_hint: Option<String>,
    /// Whether nothing was made.
    dry_run: bool,
}

/// The value of a secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretBody {
    /// At most 65536 bytes, without NUL. It is never told again.
    value: String,
}

/// Make a new token; those before end after a while
#[utoipa::path(
    post,
    path = "/v1/admin/challenges/{slug}/rotate-token",
    operation_id = "rotate_challenge_token",
    tag = "access",
    params(
        ("slug" = String, Path, description = "The challenge"),
        ChangeQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Answers the same request the same"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant"),
    ),
    request_body(content = Option<RotateBody>, description = "For how long the tokens before stay valid"),
    responses(
        (status = 200, body = RotatedView, description = "The token, or, of a dry run, none"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
    ),
)]
pub(super) async fn rotate(
    State(app): State<App>,
    Segments(slug): Segments<String>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<ChangeQuery>,
    MaybeJson(body): MaybeJson<RotateBody>,
) -> Result<Json<RotatedView>, Problem> {
    if !(0.0..=604_800.0).contains(&body.overlap_s) {
        let message = "must be 0 to 604800";
        let field = crate::registry::FieldProblem::new("overlap_s", message);
        return Err(Problem::invalid(vec![field]));
    }
    let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run()).await?;
    let dry_run = edit.dry_run;
    let token = app
        .registry()
        .rotate_token(&slug, body.overlap_s, edit)
        .await;
    let challenge_token = token.map_err(problem)?;
    let hint = crate::registry::tokens::hint;
    Ok(Json(RotatedView {
        slug,
        token_hint: challenge_token.as_deref().map(hint),
        challenge_token,
        dry_run,
    }))
}

/// End a token at once
#[utoipa::path(
    delete,
    path = "/v1/admin/challenges/{slug}/tokens/{id}",
    operation_id = "revoke_challenge_token",
    tag = "access",
    params(
        ("slug" = String, Path, description = "The challenge"),
        ("id" = i64, Path, description = "The token's number"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant"),
    ),
    responses(
        (status = 204, description = "It is no token any more; of a dry run, it is one that could end"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`, `unknown_token`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
    ),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    Segments((slug, id)): Segments<(String, i64)>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<ChangeQuery>,
) -> Result<StatusCode, Problem> {
    let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run()).await?;
    let revoked = app.registry().revoke_token(&slug, id, edit).await;
    revoked.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set the value of a secret that the record names
#[utoipa::path(
    put,
    path = "/v1/admin/challenges/{slug}/secrets/{name}",
    operation_id = "set_challenge_secret",
    tag = "access",
    params(
        ("slug" = String, Path, description = "The challenge"),
        ("name" = String, Path, description = "The secret, one of the record's `secrets`"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is changed"),
    ),
    request_body(content = SecretBody, description = "The value"),
    responses(
        (status = 204, description = "It is set"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`, `unknown_secret`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
        (status = 422, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_fields`"),
    ),
)]
pub(super) async fn set_secret(
    State(app): State<App>,
    Segments((slug, name)): Segments<(String, String)>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<ChangeQuery>,
    JsonBody(body): JsonBody<SecretBody>,
) -> Result<StatusCode, Problem> {
    let dry_run = query.dry_run();
    let edit = edit_of(&app, &slug, actor, &if_match, dry_run).await?;
    let set = app
        .registry()
        .put_secret(&slug, &name, Some(&body.value), edit);
    set.await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove the value of a secret
#[utoipa::path(
    delete,
    path = "/v1/admin/challenges/{slug}/secrets/{name}",
    operation_id = "remove_challenge_secret",
    tag = "access",
    params(
        ("slug" = String, Path, description = "The challenge"),
        ("name" = String, Path, description = "The secret"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is changed"),
    ),
    responses(
        (status = 204, description = "It has no value any more"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`, `unknown_secret`"),
        (status = 412, body = ProblemDetails, content_type = "application/problem+json",
            description = "`precondition_failed`"),
    ),
)]
pub(super) async fn remove_secret(
    State(app): State<App>,
    Segments((slug, name)): Segments<(String, String)>,
    actor: Actor,
    if_match: IfMatch,
    Params(query): Params<ChangeQuery>,
) -> Result<StatusCode, Problem> {
    let edit = edit_of(&app, &slug, actor, &if_match, query.dry_run()).await?;
    let removed = app.registry().put_secret(&slug, &name, None, edit).await;
    removed.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}
