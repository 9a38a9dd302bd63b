//! Records as the operator sees them.

use crate::config;
use crate::plugins::{Rejection, RunState, Running};
use crate::registry::{Identity, Record, Status};
use crate::store::{AuditRow, TokenRow, VersionRow};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A challenge's record, and how it does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChallengeView {
    /// What commits and URLs call it.
    slug: String,
    /// Whether it is to run.
    status: Status,
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    given: config::Challenge,
    /// The component that it is to run: `sha256:` and 64 hexadecimal digits.
    digest: String,
    /// The version that this tells.
    version: String,
    /// What it can do.
    capabilities: Vec<String>,
    /// Where its routes are, on the public listener.
    public_path: String,
    /// Who made the record: `admin` or `folder`.
    origin: String,
    /// Whether the configuration has a section for it, which wins.
    configured: bool,
    /// Grows with every change; the `ETag`.
    revision: i64,
    /// When it was made, in seconds since the Unix epoch.
    created_at: f64,
    /// When it was changed last, in seconds since the Unix epoch.
    updated_at: f64,
    /// Its secrets that have a value, and since when.
    secrets_set: BTreeMap<String, f64>,
    /// Its tokens.
    tokens: Vec<TokenView>,
    /// What runs of it.
    runtime: RuntimeView,
}

/// What runs of a challenge.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuntimeView {
    /// `loading`, `running`, `degraded` (an earlier version or record runs),
    /// `failed` or `stopped`.
    state: RunState,
    /// Why it does not run as the record says.
    reason: Option<ReasonView>,
    /// Since when it is in this state, in seconds since the Unix epoch.
    since: Option<f64>,
    /// The component that runs.
    digest: Option<String>,
    /// The version that runs.
    version: Option<String>,
    /// The revision of the record that runs.
    revision: Option<i64>,
    /// The file of the drop folder that it came from.
    file: Option<String>,
}

/// Why something is as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonView {
    /// A stable name.
    code: &'static str,
    /// The same for people.
    reason: String,
}

/// A token, without what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// Its number.
    id: i64,
    /// Its first and last characters.
    hint: String,
    /// When it was made, in seconds since the Unix epoch.
    created_at: f64,
    /// When it ends; none if it does not.
    expires_at: Option<f64>,
}

/// A component that a challenge ran.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionView {
    /// `sha256:` and 64 hexadecimal digits.
    digest: String,
    /// The version that it tells.
    version: String,
    /// Where it came from.
    reference: String,
    /// When it was first taken, in seconds since the Unix epoch.
    added_at: f64,
    /// Whether it is what the challenge is to run now.
    current: bool,
}

/// A change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditView {
    /// Number of the change.
    id: i64,
    /// When, in seconds since the Unix epoch.
    at: f64,
    /// Who: the name of a token, `folder`, `configuration` or `tag`.
    actor: String,
    /// What was changed: a challenge's slug, or `gpu-server:` and its id.
    subject: String,
    /// What was done.
    action: String,
    /// Each field that changed: `{"field": [before, after]}`.
    #[schema(value_type = Object)]
    changes: Value,
}

impl ChallengeView {
    pub(super) fn new(
        record: Record,
        configured: bool,
        secrets_set: BTreeMap<String, f64>,
        tokens: Vec<TokenRow>,
        running: Option<Running>,
    ) -> Self {
        ChallengeView {
            public_path: record.public_path(),
            slug: record.slug,
            status: record.status,
            identity: record.spec.identity,
            given: record.spec.given,
            digest: format!("sha256:{}", record.digest),
            version: record.version,
            capabilities: record.capabilities,
            origin: record.origin,
            configured,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
            secrets_set,
            tokens: tokens.into_iter().map(TokenView::from).collect(),
            runtime: RuntimeView::new(running),
        }
    }

    pub(super) fn revision(&self) -> i64 {
        self.revision
    }
}

impl RuntimeView {
    pub(super) fn new(running: Option<Running>) -> Self {
        let Some(running) = running else {
            return RuntimeView {
                state: RunState::Stopped,
                reason: None,
                since: None,
                digest: None,
                version: None,
                revision: None,
                file: None,
            };
        };
        let active = running.active.as_deref();
        let file = running.file.as_ref().and_then(|file| file.file_name());
        RuntimeView {
            state: running.state,
            reason: running.reason.map(ReasonView::from),
            since: Some(running.since),
            digest: active.map(|active| format!("sha256:{}", active.component.digest())),
            version: active.map(|active| active.description.version.clone()),
            revision: active.map(|active| active.revision),
            file: file.map(|name| name.to_string_lossy().into_owned()),
        }
    }
}

impl From<Rejection> for ReasonView {
    fn from(rejection: Rejection) -> Self {
        ReasonView {
            code: rejection.code,
            reason: rejection.reason,
        }
    }
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        TokenView {
            id: row.id,
            hint: row.hint,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

impl VersionView {
    pub(super) fn new(row: VersionRow, current: &str) -> Self {
        VersionView {
            current: row.digest == current,
            digest: format!("sha256:{}", row.digest),
            version: row.version,
            reference: row.reference,
            added_at: row.added_at,
        }
    }
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        AuditView {
            id: row.id,
            at: row.at,
            actor: row.actor,
            subject: row.subject,
            action: row.action,
            changes: row.changes,
        }
    }
}
