//! What everybody may know of the challenges' records.

use super::App;
use super::problem::{Problem, ProblemDetails};
use crate::registry::{Record, Status};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Answer of `GET /v1/registry`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublicRegistry {
    /// Always `proctor`.
    network: &'static str,
    /// Version of what challenges are built against, as the peers call it.
    api_version: &'static str,
    /// The subnet.
    netuid: u16,
    /// By slug.
    challenges: Vec<PublicRecord>,
}

/// What everybody may know of a challenge's record.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct PublicRecord {
    /// What commits and URLs call it.
    slug: String,
    /// What people call it.
    name: String,
    /// What it is about.
    description: String,
    /// The version of its component.
    version: String,
    /// `active`, or `inactive`.
    #[schema(value_type = String)]
    status: Status,
    /// Its share of the emission, in percent, 0 to 100.
    emission_percent: f64,
    /// What its component can do: `scoring`, `comparison`, `get_weights`,
    /// `proxy_routes`, `organic`.
    capabilities: Vec<String>,
    /// What it must be able to do to be active.
    required_capabilities: BTreeSet<String>,
    /// Where its own routes are, if it has any.
    public_path: String,
    /// SHA-256 of its component, 64 lower-case hexadecimal digits.
    digest: String,
    /// For pages: texts, numbers, true and false by name, as in `tagline`, `docs_url`.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// The challenges, as their records say
///
/// Those that are active, and those that are not now. Drafts and what is disabled for
/// good are not told.
#[utoipa::path(
    get,
    path = "/v1/registry",
    operation_id = "get_registry",
    tag = "challenges",
    responses(
        (status = 200, body = PublicRegistry, description = "By slug"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<PublicRegistry>, Problem> {
    let records = app.registry().records().await?.into_iter();
    Ok(Json(PublicRegistry {
        network: "proctor",
        api_version: "1.0",
        netuid: app.metagraph().netuid(),
        challenges: records.filter(is_public).map(PublicRecord::new).collect(),
    }))
}

/// Whether the public is told of a record.
pub(super) fn is_public(record: &Record) -> bool {
    matches!(record.status, Status::Active | Status::Inactive)
}

impl PublicRecord {
    /// Field by field: whatever a record gets beside these is not for the public.
    fn new(record: Record) -> Self {
        let mut metadata = record.public_metadata();
        metadata.retain(|_, value| value.is_string() || value.is_number() || value.is_boolean());
        PublicRecord {
            metadata,
            public_path: record.public_path(),
            slug: record.slug,
            name: record.spec.identity.name,
            description: record.spec.identity.description,
            version: record.version,
            status: record.status,
            emission_percent: record.spec.given.emission_percent,
            capabilities: record.capabilities,
            required_capabilities: record.spec.identity.required_capabilities,
            digest: record.digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::registry::{Identity, Spec, Track};
    use serde_json::json;
    use std::collections::BTreeMap;

    /// A record with something in every field that is not for the public.
    fn record(status: Status) -> Record {
        let metadata = json!({"tagline": "t", "difficulty": 3, "docs_url": "https://x",
            "internal_note": "secret-note", "category": ["secret-list"]});
        let given = config::Challenge {
            emission_percent: 12.5,
            environment: BTreeMap::from([("MODE".into(), "secret-environment".into())]),
            secrets: BTreeSet::from(["SECRET_NAME".into()]),
            outbound: vec!["secret-host.example".into()],
            runner: config::Runner::Http {
                url: "https://secret-runner.example".into(),
                gpu_server: None,
                gpu_count: 0,
            },
            settings: json!({"answer": "secret-setting"})
                .as_object()
                .unwrap()
                .clone(),
            ..config::Challenge::default()
        };
        Record {
            slug: "digits".into(),
            status,
            spec: Spec {
                identity: Identity {
                    name: "Digits".into(),
                    metadata: metadata.as_object().unwrap().clone(),
                    ..Identity::new("digits", "file:secret-file.wasm", Track::Folder)
                },
                given,
            },
            digest: "0".repeat(64),
            version: "1.2.3".into(),
            capabilities: vec!["scoring".into()],
            origin: "folder".into(),
            revision: 7,
            active_since: None,
            created_at: 1.0,
            updated_at: 2.0,
        }
    }

    #[test]
    fn only_what_the_public_needs_is_told() {
        let told = serde_json::to_value(PublicRecord::new(record(Status::Active))).unwrap();
        assert!(
            !told.to_string().to_lowercase().contains("secret"),
            "{told}"
        );
        let expected = json!({
            "slug": "digits", "name": "Digits", "description": "", "version": "1.2.3",
            "status": "active", "emission_percent": 12.5, "capabilities": ["scoring"],
            "required_capabilities": ["get_weights"], "public_path": "/challenges/digits",
            "digest": "0".repeat(64),
            "metadata": {"tagline": "t", "difficulty": 3, "docs_url": "https://x"},
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn drafts_and_what_is_disabled_are_not_told() {
        let public = Status::ALL.map(|status| is_public(&record(status)));
        assert_eq!(public, [false, true, true, false]);
    }
}
