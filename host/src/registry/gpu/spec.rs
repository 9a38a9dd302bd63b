//! What is said of a GPU server.

use super::Capacity;
use crate::registry::FieldProblem;
use crate::store::{GpuServerRow, StoreError};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a server may be called, for people.
pub(super) const ID: &str = "must be 1 to 128 of a-z, A-Z, 0-9, _, . and -";

/// What operators say of a GPU server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GpuServerSpec {
    /// Address of its agent, as in `https://gpu-1.lan:8443`. Must be given.
    pub base_url: String,
    /// Whether challenges may use it. Default: yes.
    pub enabled: bool,
    /// Whether its certificate is checked. Default: yes.
    pub verify_tls: bool,
    /// Seconds that it may take to tell its health, up to 300. Default: 30.
    pub timeout_seconds: f64,
    /// For people; at most 4,000 characters. Default: none.
    pub description: String,
    /// For people and scripts: at most 64, names of 1 to 63 characters, values of at
    /// most 256. Default: none.
    pub labels: BTreeMap<String, String>,
    /// GPUs that it has at least, 1 or more. Default: 1.
    pub min_gpu_count: u32,
}

impl Default for GpuServerSpec {
    fn default() -> Self {
        GpuServerSpec {
            base_url: String::new(),
            enabled: true,
            verify_tls: true,
            timeout_seconds: 30.0,
            description: String::new(),
            labels: BTreeMap::new(),
            min_gpu_count: 1,
        }
    }
}

/// A GPU server, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct GpuServer {
    /// What operators call it.
    pub id: String,
    /// What they say of it.
    #[serde(flatten)]
    pub spec: GpuServerSpec,
    /// First and last characters of its token; none if it has no token.
    pub token_hint: Option<String>,
    /// Grows with every change; no two states of any server have the same.
    pub revision: i64,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When it was changed last, in seconds since the Unix epoch.
    pub updated_at: f64,
}

/// A new GPU server, as a client sends it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewGpuServer {
    /// What operators call it: 1 to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`.
    pub id: String,
    /// What it is asked with, as a bearer token: at most 4,096 visible ASCII
    /// characters. Never shown again. Default: none.
    pub token: Option<String>,
    /// What operators say of it.
    #[serde(flatten)]
    pub spec: GpuServerSpec,
}

impl GpuServerSpec {
    /// What is wrong with it but for the address, by field.
    pub(super) fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut problem = |field: &str, message: &str| {
            problems.push(FieldProblem::new(field, message));
        };
        if !(self.timeout_seconds > 0.0 && self.timeout_seconds <= 300.0) {
            problem("timeout_seconds", "must be above 0 and at most 300");
        }
        if self.min_gpu_count == 0 {
            problem("min_gpu_count", "must be at least 1");
        }
        if self.description.chars().count() > 4_000 {
            problem("description", "must have at most 4000 characters");
        }
        if self.labels.len() > 64 {
            problem("labels", "must be at most 64");
        }
        for (name, value) in &self.labels {
            if !matches!(name.chars().count(), 1..=63) || value.chars().count() > 256 {
                let message = "must have a name of 1 to 63 characters and a value of at most 256";
                problem(&format!("labels.{name}"), message);
            }
        }
        problems
    }

    /// What it can take.
    pub fn capacity(&self) -> Capacity {
        Capacity {
            enabled: self.enabled,
            min_gpu_count: self.min_gpu_count,
        }
    }
}

impl GpuServer {
    pub(super) fn from_row(row: GpuServerRow) -> Result<Self, StoreError> {
        Ok(GpuServer {
            id: row.id,
            spec: serde_json::from_str(&row.spec)?,
            token_hint: row.token_hint,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Whether a server may be called that: [`ID`].
pub(super) fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    // Clients take the dots for steps of a path.
    matches!(id.len(), 1..=128) && !matches!(id, "." | "..") && id.bytes().all(allowed)
}

/// An address to put a path after.
///
/// # Errors
///
/// What is wrong, for people.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    let url = text.parse::<Url>().ok();
    let Some(url) = url.filter(|_| is_http && text.len() <= 2_048) else {
        return Err("must be given, and begin with http:// or https://".into());
    };
    let bare = url.username().is_empty() && url.password().is_none();
    if !bare || url.query().is_some() || url.fragment().is_some() {
        return Err("must have no user, password, query or fragment in it".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_safe_in_paths_and_an_address_has_no_secrets() {
        for id in ["gpu-1", "A.b_c", &"x".repeat(128)] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", "a/b", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(!is_id(id), "{id}");
        }
        assert!(address("https://gpu.lan:8443/agent").is_ok());
        for bad in [
            "",
            "gpu.lan",
            "ftp://gpu.lan",
            "https://",
            "https://u:p@gpu.lan",
            "https://u@gpu.lan",
            "https://gpu.lan/?token=x",
            "https://gpu.lan/#x",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_problem_names_its_field() {
        let spec = GpuServerSpec {
            timeout_seconds: f64::NAN,
            description: "x".repeat(4_001),
            labels: BTreeMap::from([(String::new(), "x".into())]),
            min_gpu_count: 0,
            ..GpuServerSpec::default()
        };
        let fields: Vec<String> = spec.problems().into_iter().map(|p| p.field).collect();
        let expected = ["timeout_seconds", "min_gpu_count", "description", "labels."];
        assert_eq!(fields, expected);
        assert_eq!(GpuServerSpec::default().problems(), []);
    }
}
