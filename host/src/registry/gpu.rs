//! Servers with GPUs: what operators say of them, whether they are there, and whether
//! they can take what a challenge needs.
//!
//! A server's token goes in and never comes out: it is kept sealed, and only its first
//! and last characters are shown.

mod capability;
mod probe;
mod runners;
mod spec;

pub use capability::{Capacity, GpuProblem, capability};
pub use probe::{Health, HealthStatus};
pub use runners::used_by;
pub use spec::{GpuServer, GpuServerSpec, NewGpuServer};

pub(crate) use runners::is_on;

use super::fields::{overlay, unknown};
use super::reach::Reach;
use super::seal::{Seal, SealError};
use super::{Edit, FieldProblem, tokens};
use crate::config;
use crate::store::{Change, GpuServerRow, Store, StoreError, Written};
use reqwest::Url;
use serde_json::{Map, Value, json};

/// Longest token, in bytes.
const MAX_TOKEN: usize = 4 << 10;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum GpuServerError {
    /// There is no such server.
    #[error("GPU server {0:?} not found")]
    NotFound(String),
    /// There is one already.
    #[error("GPU server {0:?} already exists")]
    Exists(String),
    /// Fields are not as they must be.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldProblem>),
    /// It was changed since it was read.
    #[error("the GPU server has revision {0} by now: read it again")]
    Stale(i64),
    /// Challenges name it as their runner's.
    #[error("GPU server {id:?} is used by {}: change their runner first", used_by.join(", "))]
    InUse {
        /// The server.
        id: String,
        /// The challenges.
        used_by: Vec<String>,
    },
    /// The token was sealed with another key.
    #[error("the token of GPU server {0:?} was sealed with another key: set it again")]
    TokenLost(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cipher.
    #[error(transparent)]
    Seal(#[from] SealError),
}

fn list(problems: &[FieldProblem]) -> String {
    let lines = problems
        .iter()
        .map(|p| format!("{}: {}", p.field, p.message));
    lines.collect::<Vec<String>>().join("; ")
}

/// What is needed to ask a server.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// Without a slash at its end.
    pub(crate) base_url: String,
    pub(crate) token: Option<String>,
    pub(crate) verify_tls: bool,
    pub(crate) timeout_seconds: f64,
}

/// The GPU servers. Clones share everything.
#[derive(Debug, Clone)]
pub struct GpuServers {
    store: Store,
    seal: Seal,
    reach: Reach,
}

impl GpuServers {
    /// Those of a host. Private addresses are those of `registry.private_hosts`.
    pub fn new(store: Store, seal: Seal, config: &config::Registry) -> Self {
        GpuServers {
            store,
            seal,
            reach: Reach::new(config),
        }
    }

    /// Every server, by id.
    ///
    /// # Errors
    ///
    /// [`GpuServerError::Store`].
    pub async fn list(&self) -> Result<Vec<GpuServer>, GpuServerError> {
        let rows = self.store.gpu_servers().await?;
        Ok(rows
            .into_iter()
            .map(GpuServer::from_row)
            .collect::<Result<_, _>>()?)
    }

    /// A server.
    ///
    /// # Errors
    ///
    /// [`GpuServerError::NotFound`].
    pub async fn get(&self, id: &str) -> Result<GpuServer, GpuServerError> {
        Ok(GpuServer::from_row(self.row(id).await?)?)
    }

    /// Makes a server of the fields that are given: see [`NewGpuServer`].
    ///
    /// # Errors
    ///
    /// [`GpuServerError::Invalid`] with all that is wrong, [`GpuServerError::Exists`].
    pub async fn create(
        &self,
        mut body: Map<String, Value>,
        edit: &Edit,
    ) -> Result<GpuServer, GpuServerError> {
        let mut problems = Vec::new();
        let id = match body.shift_remove("id") {
            Some(Value::String(id)) if spec::is_id(&id) => id,
            _ => {
                problems.push(FieldProblem::new("id", spec::ID));
                String::new()
            }
        };
        let edited = self.edit_spec(&GpuServerSpec::default(), body);
        let (spec, token) = match edited {
            Ok(edited) if problems.is_empty() => edited,
            edited => {
                problems.extend(edited.err().unwrap_or_default());
                return Err(GpuServerError::Invalid(problems));
            }
        };
        if self.store.gpu_server(id.clone()).await?.is_some() {
            return Err(GpuServerError::Exists(id));
        }
        let row = GpuServerRow {
            id,
            spec: to_json(&spec)?,
            token: None,
            token_hint: None,
            revision: 0,
            created_at: edit.now,
            updated_at: edit.now,
        };
        let changes = difference(None, &spec);
        self.put(row, None, token, changes, "create", edit).await
    }

    /// Changes the fields that are given. Labels are replaced as a whole; an empty
    /// `token` removes the token.
    ///
    /// # Errors
    ///
    /// See [`GpuServerError`].
    pub async fn update(
        &self,
        id: &str,
        body: Map<String, Value>,
        edit: &Edit,
    ) -> Result<GpuServer, GpuServerError> {
        let row = self.current(id, edit).await?;
        let before = GpuServer::from_row(row.clone())?;
        let edited = self.edit_spec(&before.spec, body);
        let (spec, token) = edited.map_err(GpuServerError::Invalid)?;
        if spec == before.spec && token.is_none() {
            return Ok(before);
        }
        let changes = difference(Some(&before.spec), &spec);
        let row = GpuServerRow {
            spec: to_json(&spec)?,
            ..row
        };
        let expected = Some(before.revision);
        self.put(row, expected, token, changes, "update", edit)
            .await
    }

    /// Enables or disables a server. A challenge whose runner is on a disabled one is
    /// not run.
    ///
    /// # Errors
    ///
    /// See [`GpuServerError`].
    pub async fn set_enabled(
        &self,
        id: &str,
        enabled: bool,
        edit: &Edit,
    ) -> Result<GpuServer, GpuServerError> {
        let row = self.current(id, edit).await?;
        let before = GpuServer::from_row(row.clone())?;
        if before.spec.enabled == enabled {
            return Ok(before);
        }
        let spec = GpuServerSpec {
            enabled,
            ..before.spec.clone()
        };
        let changes = difference(Some(&before.spec), &spec);
        let row = GpuServerRow {
            spec: to_json(&spec)?,
            ..row
        };
        let action = if enabled { "enable" } else { "disable" };
        let expected = Some(before.revision);
        self.put(row, expected, None, changes, action, edit).await
    }

    /// Deletes a server that none of `used_by` names: see [`used_by`].
    ///
    /// # Errors
    ///
    /// See [`GpuServerError`].
    pub async fn delete(
        &self,
        id: &str,
        used_by: Vec<String>,
        edit: &Edit,
    ) -> Result<(), GpuServerError> {
        let row = self.current(id, edit).await?;
        let id = row.id.clone();
        if !used_by.is_empty() {
            return Err(GpuServerError::InUse { id, used_by });
        }
        if edit.dry_run {
            return Ok(());
        }
        let change = change("delete", json!({}), edit);
        let deleted = self.store.delete_gpu_server(id, row.revision, change);
        match deleted.await? {
            Written::Done(()) => {
                tracing::info!(server = row.id, actor = edit.actor, "GPU server deleted");
                Ok(())
            }
            Written::Changed(revision) => Err(gone(&row.id, revision)),
        }
    }

    /// Asks a server for `GET /health`, with its token, whether or not it is enabled.
    /// What is wrong with the server is an answer, not an error.
    ///
    /// # Errors
    ///
    /// [`GpuServerError::NotFound`], [`GpuServerError::TokenLost`].
    pub async fn health(&self, id: &str) -> Result<Health, GpuServerError> {
        let endpoint = self.endpoint(id).await?;
        Ok(probe::probe(id, &endpoint, &self.reach).await)
    }

    /// Whom the host may ask.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// What is needed to ask a server, with its token in clear.
    pub(crate) async fn endpoint(&self, id: &str) -> Result<Endpoint, GpuServerError> {
        let row = self.row(id).await?;
        let lost = || GpuServerError::TokenLost(id.to_owned());
        let token = match &row.token {
            Some(sealed) => {
                let clear = self.seal.unseal(&place(id), sealed).ok_or_else(lost)?;
                Some(String::from_utf8(clear).map_err(|_| lost())?)
            }
            None => None,
        };
        let spec = GpuServer::from_row(row)?.spec;
        Ok(Endpoint {
            base_url: spec.base_url.trim_end_matches('/').to_owned(),
            token,
            verify_tls: spec.verify_tls,
            timeout_seconds: spec.timeout_seconds,
        })
    }

    /// An address of a server or a runner, if it may be asked.
    pub(crate) fn address(&self, text: &str) -> Result<Url, String> {
        let url = spec::address(text)?;
        self.reach.check(&url).map_err(|error| error.to_string())?;
        if url.scheme() == "http" && !self.reach.is_private(&url) {
            return Err(format!(
                "must begin with https://, or its host must be in registry.private_hosts in the \
                 configuration: others could read what is sent to {}",
                url.host_str().unwrap_or_default()
            ));
        }
        Ok(url)
    }

    /// A spec with fields changed, and checked, and the token if there is a new one.
    fn edit_spec(
        &self,
        base: &GpuServerSpec,
        mut body: Map<String, Value>,
    ) -> Result<(GpuServerSpec, Option<String>), Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let token = match body.shift_remove("token") {
            None => None,
            Some(Value::String(token)) if is_token(&token) => Some(token),
            Some(_) => {
                let message = format!(
                    "must be a text of at most {MAX_TOKEN} visible ASCII characters; an empty one \
                     removes the token"
                );
                problems.push(FieldProblem::new("token", message));
                None
            }
        };
        let edited = overlay(base, &mut body);
        problems.extend(unknown(&body));
        match edited {
            Ok(spec) => {
                problems.extend(spec.problems());
                let address = self.address(&spec.base_url);
                problems.extend(address.err().map(|e| FieldProblem::new("base_url", e)));
                match problems.is_empty() {
                    true => Ok((spec, token)),
                    false => Err(problems),
                }
            }
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    /// Stores a server, with a new token if there is one, unless it is a dry run.
    async fn put(
        &self,
        mut row: GpuServerRow,
        expected: Option<i64>,
        token: Option<String>,
        mut changes: Map<String, Value>,
        action: &'static str,
        edit: &Edit,
    ) -> Result<GpuServer, GpuServerError> {
        if let Some(token) = token {
            let hint = (!token.is_empty()).then(|| tokens::hint(&token));
            changes.insert("token".into(), json!([row.token_hint, hint]));
            row.token = match &hint {
                Some(_) => Some(self.seal.seal(&place(&row.id), token.as_bytes())?),
                None => None,
            };
            row.token_hint = hint;
        }
        if edit.dry_run {
            return Ok(GpuServer::from_row(row)?);
        }
        let id = row.id.clone();
        let change = change(action, Value::Object(changes), edit);
        match self.store.put_gpu_server(row, expected, change).await? {
            Written::Done(row) => {
                tracing::info!(
                    server = id,
                    action,
                    actor = edit.actor,
                    "GPU server changed"
                );
                Ok(GpuServer::from_row(row)?)
            }
            Written::Changed(Some(_)) if expected.is_none() => Err(GpuServerError::Exists(id)),
            Written::Changed(revision) => Err(gone(&id, revision)),
        }
    }

    /// The server as it is now, which must have the revision that is expected.
    async fn current(&self, id: &str, edit: &Edit) -> Result<GpuServerRow, GpuServerError> {
        let row = self.row(id).await?;
        match edit.expected {
            Some(expected) if expected != row.revision => Err(GpuServerError::Stale(row.revision)),
            _ => Ok(row),
        }
    }

    async fn row(&self, id: &str) -> Result<GpuServerRow, GpuServerError> {
        let row = self.store.gpu_server(id.to_owned()).await?;
        row.ok_or_else(|| GpuServerError::NotFound(id.to_owned()))
    }
}

fn is_token(token: &str) -> bool {
    token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_graphic())
}

/// Where a token is sealed for.
fn place(id: &str) -> String {
    format!("gpu-server/{id}/token")
}

fn to_json(spec: &GpuServerSpec) -> Result<String, GpuServerError> {
    Ok(serde_json::to_string(spec).map_err(StoreError::from)?)
}

/// Each field that differs: `{"field": [before, after]}`.
fn difference(before: Option<&GpuServerSpec>, after: &GpuServerSpec) -> Map<String, Value> {
    let fields = |spec: &GpuServerSpec| match serde_json::to_value(spec) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let before = before.map(fields).unwrap_or_default();
    let mut changes = Map::new();
    for (field, value) in fields(after) {
        let was = before.get(&field).cloned().unwrap_or_default();
        if was != value {
            changes.insert(field, json!([was, value]));
        }
    }
    changes
}

fn change(action: &'static str, changes: Value, edit: &Edit) -> Change {
    Change {
        at: edit.now,
        actor: edit.actor.clone(),
        action,
        changes,
    }
}

fn gone(id: &str, revision: Option<i64>) -> GpuServerError {
    match revision {
        Some(revision) => GpuServerError::Stale(revision),
        None => GpuServerError::NotFound(id.to_owned()),
    }
}
