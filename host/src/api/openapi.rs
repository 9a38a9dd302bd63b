//! The description of the API, and a page to read it.

use super::etag;
use axum::Router;
use axum::http::header;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

const PAGE: &str = include_str!("docs.html");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Proctor",
        version = "1",
        description = "Commits of miners, what they scored, and who stands where.\n\n\
            Times are in seconds since the Unix epoch, days are `YYYY-MM-DD` in UTC. Every `GET` \
            under `/v1` has an `ETag`, but the events, the picture, submissions, organic entries and \
            how organic scoring does, and what wants a signature. Errors are problem details (RFC 9457) with \
            a stable `code`, but for `/get_scoring_result`, which answers like the API that it \
            replaces. 503 comes with `Retry-After`.\n\n\
            `/challenges/{slug}` and `/challenges/{slug}/{path}`, with any method, are answered \
            by the challenge itself, if it has routes: what is there is the challenge's to \
            describe. Of its own the host answers 400 `bad_path`, 401 where the record wants a \
            miner's signature (`X-Hotkey`, `X-Signature`, `X-Nonce`, `X-Timestamp`), 403 \
            `path_not_allowed` (`/health`, `/version`, `/internal` and what runs benchmarks), \
            404 `unknown_challenge` and `no_routes`, 408 `too_slow`, 409 `replayed`, 413 \
            `body_too_large`, 429 `too_many_requests` and `too_many_uploads`, 507 `store_full`, 502 if the \
            challenge failed, 503, and 504 `timeout`. What the record calls organic is an \
            entry, as of `POST /v1/organic/{challenge}`.",
        license(name = "MIT OR Apache-2.0"),
    ),
    modifiers(&ChallengeTokens),
    tags(
        (name = "compatibility", description = "For validators of the replaced scoring API"),
        (name = "commits", description = "What validators have seen"),
        (name = "results", description = "What came of it"),
        (name = "challenges", description = "What is competed in"),
        (name = "finalizations", description = "The ledger"),
        (name = "weights", description = "What everybody is paid"),
        (name = "receipts", description = "What every score was computed from, signed"),
        (name = "organic", description = "What people really ask, and what miners answer"),
        (name = "validators", description = "Who does evaluations again"),
        (name = "events", description = "As it happens"),
        (name = "health", description = "How the host is"),
    ),
)]
struct Document;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Proctor, private",
        version = "1",
        description = "The challenges' records, and what is done with them.\n\n\
            Everything below `/v1` wants a token, as `Authorization: Bearer` or `X-Admin-Token`. \
            Who fails too often is locked out for a while: 429 with `Retry-After`. Times are in \
            seconds since the Unix epoch. Errors are problem details (RFC 9457) with a stable \
            `code`, and `errors` by field where it is about fields.",
        license(name = "MIT OR Apache-2.0"),
    ),
    modifiers(&Tokens),
    tags(
        (name = "challenges", description = "Records"),
        (name = "operations", description = "What runs"),
        (name = "access", description = "Tokens and secrets"),
        (name = "gpu servers", description = "Where runners are"),
        (name = "validators", description = "Who re-executes what"),
        (name = "organic", description = "Entries, iterations, and when they begin"),
    ),
)]
struct AdminDocument;

/// What a challenge's token is; the routes that want it say so.
struct ChallengeTokens;

impl utoipa::Modify for ChallengeTokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("challenge_token", bearer);
    }
}

/// That every route wants a token.
struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{
            Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        };
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", bearer);
        let required = SecurityRequirement::new("token", [""; 0]);
        document.security = Some(vec![required]);
    }
}

/// As [`router`], for the private listener.
pub(super) fn admin_router<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(AdminDocument::openapi())
}

/// A router without routes, with what is to be said of all of them.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// `GET /openapi.json` and `GET /docs`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(
    document: &utoipa::openapi::OpenApi,
) -> Router<S> {
    let json = text(document);
    let policy = policy(PAGE);
    let json = get(async move || {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (kind, json.clone()).into_response()
    });
    let page = get(async move || {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
            (header::CONTENT_SECURITY_POLICY, policy.clone()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        (headers, PAGE).into_response()
    });
    Router::new()
        .route("/openapi.json", json)
        .route("/docs", page)
        .layer(from_fn(etag::tag))
}

/// The document as it is served.
fn text(document: &utoipa::openapi::OpenApi) -> String {
    document.to_pretty_json().unwrap_or_else(|error| {
        tracing::error!(%error, "cannot write the OpenAPI document");
        String::new()
    })
}

/// Lets the page run its own script and style only, and talk to this host only.
fn policy(page: &str) -> String {
    let hash = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let inside = page
            .split_once(&open)
            .and_then(|(_, rest)| rest.split_once(&close));
        let inside = inside.map_or("", |(inside, _)| inside);
        STANDARD.encode(Sha256::digest(inside))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/openapi.json");

    fn document() -> String {
        let (_, document) = crate::api::described();
        text(&document) + "\n"
    }

    /// If it should differ, run this test with PROCTOR_TEST_UPDATE=1, and read what
    /// changed: clients are built against it.
    #[test]
    fn the_api_is_the_one_that_was_agreed_on() {
        let document = document();
        if std::env::var_os("PROCTOR_TEST_UPDATE").is_some() {
            std::fs::write(SNAPSHOT, &document).unwrap();
        }
        let agreed = std::fs::read_to_string(SNAPSHOT).unwrap();
        let differs = document.lines().zip(agreed.lines()).find(|(a, b)| a != b);
        assert!(
            document == agreed,
            "tests/openapi.json differs at {differs:?}; PROCTOR_TEST_UPDATE=1 writes it anew"
        );
    }

    #[test]
    fn every_reference_is_to_something_and_every_answer_is_described() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut references = BTreeSet::new();
        find_references(&document, &mut references);
        for reference in references {
            let path = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(path).is_some(), "{reference}");
        }
        let mut names = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                assert!(
                    names.insert(operation["operationId"].as_str()),
                    "{path}: the name is taken"
                );
                assert!(operation["summary"].is_string(), "{path}");
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    let described = answer["description"].as_str().unwrap();
                    assert!(!described.is_empty(), "{path} {status}");
                }
            }
        }
    }

    fn find_references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value.as_str() {
                        Some(text) if key == "$ref" => {
                            found.insert(text.to_owned());
                        }
                        _ => find_references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| find_references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn the_page_needs_nobody_else() {
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        for tag in ["<script", "<style"] {
            assert_eq!(PAGE.matches(tag).count(), 1, "the policy knows one {tag}");
        }
        for inline in [" onclick=", " style=", "javascript:", "innerHTML"] {
            assert!(!PAGE.contains(inline), "{inline}");
        }
    }
}
