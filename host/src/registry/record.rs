//! A challenge's record.

use super::FieldProblem;
use super::reference::ArtifactSource;
use crate::config::{self, is_challenge_name};
use crate::sandbox::Capability;
use crate::store::{RegistryRow, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Whether a challenge is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not yet.
    Draft,
    /// Yes.
    Active,
    /// Not now.
    Inactive,
    /// Never again.
    Disabled,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 4] = [
        Status::Draft,
        Status::Active,
        Status::Inactive,
        Status::Disabled,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Active => "active",
            Status::Inactive => "inactive",
            Status::Disabled => "disabled",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a challenge may go from this status to another, or stay: draft →
    /// active ⇄ inactive, and → disabled, which is final.
    pub fn may_become(self, to: Status) -> bool {
        use Status::{Active, Disabled, Draft, Inactive};
        self == to
            || matches!(
                (self, to),
                (Draft | Inactive, Active)
                    | (Active, Inactive)
                    | (Draft | Active | Inactive, Disabled)
            )
    }
}

/// Who may change the component that a challenge runs, beside the operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// Nobody: it is pinned.
    #[default]
    None,
    /// The drop folder: what is in the file runs.
    Folder,
    /// The tag of its OCI reference: what it points to runs, once it was checked.
    Tag,
}

/// What a record says of a challenge beside what it is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// What people call it; at most 200 characters. Default: the slug.
    pub name: String,
    /// What it is about; at most 4,000 characters. Default: what the component says.
    pub description: String,
    /// Where the component comes from: `file:NAME.wasm` in the drop folder,
    /// `sha256:…` in the host's own store, or an OCI reference with a digest (or with
    /// a tag, if `track` is `tag`).
    pub artifact: String,
    /// Who may change the component. Default: nobody, it is pinned.
    pub track: Track,
    /// What the component must be able to do for the challenge to be active:
    /// `scoring`, `comparison`, `get_weights`, `proxy_routes`, `organic`. Default:
    /// `get_weights`.
    pub required_capabilities: BTreeSet<String>,
    /// For pages: scalars by name, as in `tagline`, `docs_url`. Default: none.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// What the operator says of a challenge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spec {
    /// What it is.
    pub identity: Identity,
    /// What it is given.
    pub given: config::Challenge,
}

/// A challenge's record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What commits and URLs call it.
    pub slug: String,
    /// Whether it is to run.
    pub status: Status,
    /// What the operator says.
    pub spec: Spec,
    /// SHA-256 of the component that it runs, 64 hexadecimal digits.
    pub digest: String,
    /// The version that this told.
    pub version: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Who made the record: `admin` or `folder`.
    pub origin: String,
    /// Grows with every change; no two states of any record have the same.
    pub revision: i64,
    /// Since when an operator has it active, in seconds since the Unix epoch; none if
    /// it was from the beginning.
    pub active_since: Option<f64>,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When it was changed last, in seconds since the Unix epoch.
    pub updated_at: f64,
}

/// Metadata that the public sees: the peer's fifteen keys.
const PUBLIC_METADATA: [&str; 15] = [
    "tagline",
    "summary",
    "docs_url",
    "miner_docs_url",
    "validator_docs_url",
    "repository_url",
    "website_url",
    "banner_url",
    "icon_url",
    "category",
    "difficulty",
    "benchmark_label",
    "submission_format",
    "evaluation_timeout_seconds",
    "rate_limit_label",
];

impl Identity {
    /// That of a challenge of which nothing was said.
    pub fn new(slug: &str, artifact: impl Into<String>, track: Track) -> Self {
        Identity {
            name: slug.to_owned(),
            description: String::new(),
            artifact: artifact.into(),
            track,
            required_capabilities: BTreeSet::from([Capability::GetWeights.name().to_owned()]),
            metadata: Map::new(),
        }
    }

    /// Where the component comes from; none if that cannot be read.
    pub fn source(&self) -> Option<ArtifactSource> {
        self.artifact.parse().ok()
    }

    fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: String| {
            problems.push(FieldProblem::new(field, message));
        };
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            problem("name", "must have 1 to 200 characters".into());
        }
        if self.description.chars().count() > 4_000 {
            problem("description", "must have at most 4000 characters".into());
        }
        match self.artifact.parse::<ArtifactSource>() {
            Err(error) => problem("artifact", error.to_string()),
            Ok(source) => {
                let (is_file, tag_only) = match &source {
                    ArtifactSource::File(_) => (true, false),
                    ArtifactSource::Store(_) => (false, false),
                    ArtifactSource::Oci(reference) => (false, reference.digest.is_none()),
                };
                if self.track == Track::Folder && !is_file {
                    problem(
                        "track",
                        "folder wants an artifact of the form file:NAME.wasm".into(),
                    );
                }
                if self.track == Track::Tag && !tag_only {
                    let message = "tag wants an OCI reference without a digest: a pin is never \
                                   rewritten";
                    problem("track", message.into());
                }
                if self.track != Track::Tag && tag_only {
                    let message = "must have a digest (…@sha256:…), or track must be tag";
                    problem("artifact", message.into());
                }
            }
        }
        for capability in &self.required_capabilities {
            if !Capability::ALL
                .iter()
                .any(|known| known.name() == capability)
            {
                let known = Capability::ALL.map(Capability::name).join(", ");
                let message = format!("{capability:?} is none of {known}");
                problem("required_capabilities", message);
            }
        }
        if self.metadata.len() > 64 {
            problem("metadata", "must have at most 64 entries".into());
        }
        for (key, value) in &self.metadata {
            let is_page = |text: &str| text.starts_with("https://") || text.starts_with("http://");
            if key.ends_with("_url") && !value.as_str().is_some_and(is_page) {
                let message = "must begin with https:// or http://: pages link to it";
                problem(&format!("metadata.{key}"), message.into());
                continue;
            }
            let too_long = value.as_str().is_some_and(|text| text.len() > 4_000);
            if value.is_array() || value.is_object() || value.is_null() || too_long {
                let message = "must be a text of at most 4000 bytes, a number, true or false";
                problem(&format!("metadata.{key}"), message.into());
            }
        }
        problems
    }
}

impl Spec {
    /// What is wrong with it, by field. Settings are for the challenge to check.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let given = self.given.problems().into_iter();
        let mut problems = self.identity.problems();
        problems.extend(given.map(|(field, message)| FieldProblem::new(field, message)));
        problems
    }

    /// Every field by name.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for part in [
            serde_json::to_value(&self.identity),
            serde_json::to_value(&self.given),
        ] {
            if let Ok(Value::Object(part)) = part {
                fields.extend(part);
            }
        }
        fields
    }
}

impl Record {
    /// The public path of its routes.
    pub fn public_path(&self) -> String {
        format!("/challenges/{}", self.slug)
    }

    /// The metadata that the public sees.
    pub fn public_metadata(&self) -> Map<String, Value> {
        let metadata = self.spec.identity.metadata.iter();
        let public = metadata.filter(|(key, _)| PUBLIC_METADATA.contains(&key.as_str()));
        public.map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Capabilities that it must have and its component does not.
    pub(super) fn missing(&self) -> Vec<&str> {
        let required = self.spec.identity.required_capabilities.iter();
        required
            .map(String::as_str)
            .filter(|required| !self.capabilities.iter().any(|has| has == required))
            .collect()
    }

    pub(super) fn from_row(row: RegistryRow) -> Result<Self, StoreError> {
        let status = Status::from_name(&row.status)
            .ok_or_else(|| StoreError::Corrupt(format!("status {:?}", row.status)))?;
        Ok(Record {
            slug: row.slug,
            status,
            spec: serde_json::from_str(&row.spec)?,
            digest: row.digest,
            version: row.version,
            capabilities: serde_json::from_str(&row.capabilities)?,
            origin: row.origin,
            revision: row.revision,
            active_since: row.active_since,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    pub(super) fn to_row(&self) -> Result<RegistryRow, StoreError> {
        Ok(RegistryRow {
            slug: self.slug.clone(),
            status: self.status.name().to_owned(),
            spec: serde_json::to_string(&self.spec)?,
            digest: self.digest.clone(),
            version: self.version.clone(),
            capabilities: serde_json::to_string(&self.capabilities)?,
            origin: self.origin.clone(),
            revision: self.revision,
            active_since: self.active_since,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// What is wrong with a slug, if anything is.
pub(super) fn slug_problem(slug: &str) -> Option<FieldProblem> {
    (!is_challenge_name(slug))
        .then(|| FieldProblem::new("slug", format!("is not {}", config::CHALLENGE_NAME)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_only_goes_where_the_lifecycle_allows() {
        use Status::{Active, Disabled, Draft, Inactive};
        for (from, to, may) in [
            (Draft, Active, true),
            (Draft, Inactive, false),
            (Draft, Disabled, true),
            (Active, Inactive, true),
            (Active, Draft, false),
            (Active, Disabled, true),
            (Inactive, Active, true),
            (Inactive, Draft, false),
            (Inactive, Disabled, true),
            (Disabled, Active, false),
            (Disabled, Inactive, false),
            (Disabled, Draft, false),
            (Disabled, Disabled, true),
        ] {
            assert_eq!(from.may_become(to), may, "{from:?} -> {to:?}");
        }
    }

    fn spec(artifact: &str, track: Track) -> Spec {
        Spec {
            identity: Identity::new("digits", artifact, track),
            given: config::Challenge::default(),
        }
    }

    fn fields(spec: &Spec) -> Vec<String> {
        spec.problems().into_iter().map(|p| p.field).collect()
    }

    #[test]
    fn a_component_is_pinned_by_digest_unless_its_tag_is_followed() {
        let pin = format!("ghcr.io/org/digits:1.0.0@sha256:{}", "a".repeat(64));
        let tag = "ghcr.io/org/digits:1.0.0";
        assert_eq!(fields(&spec(&pin, Track::None)), [""; 0]);
        assert_eq!(fields(&spec(tag, Track::Tag)), [""; 0]);
        assert_eq!(fields(&spec("file:digits.wasm", Track::Folder)), [""; 0]);
        assert_eq!(fields(&spec(&pin, Track::Tag)), ["track"]);
        assert_eq!(fields(&spec(tag, Track::None)), ["artifact"]);
        assert_eq!(fields(&spec(&pin, Track::Folder)), ["track"]);
        assert_eq!(fields(&spec("file:../x.wasm", Track::None)), ["artifact"]);
    }

    #[test]
    fn problems_are_told_by_field() {
        let mut spec = spec("sha256:x", Track::None);
        spec.identity.name = " ".into();
        spec.identity.required_capabilities = BTreeSet::from(["magic".into()]);
        spec.identity
            .metadata
            .insert("tags".into(), Value::Array(vec![]));
        let script = Value::from("javascript:alert(1)");
        spec.identity.metadata.insert("icon_url".into(), script);
        spec.given.emission_percent = f64::INFINITY;
        let expected = [
            "name",
            "artifact",
            "required_capabilities",
            "metadata.tags",
            "metadata.icon_url",
            "emission_percent",
        ];
        assert_eq!(fields(&spec), expected);
    }
}
