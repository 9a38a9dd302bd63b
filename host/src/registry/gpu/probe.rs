//! Whether a GPU server is there.

use super::Endpoint;
use crate::registry::reach::{Reach, refused, with_causes};
use reqwest::Url;
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use utoipa::ToSchema;

/// Largest answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// What a server said when it was asked how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// The server.
    pub id: String,
    /// Whether it is there, and well.
    pub status: HealthStatus,
    /// Of one that is not: `address_refused`, `unreachable`, `timeout`, `unauthorized`,
    /// `status`, `malformed` or `unwell`.
    pub code: Option<&'static str>,
    /// The same for people.
    pub detail: String,
    /// Milliseconds until it was known.
    pub elapsed_ms: u64,
}

/// Whether a server is there, and well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It is.
    Ok,
    /// It is not.
    Error,
}

type Fault = (&'static str, String);

/// Asks for `/health`. A server is well that answers with a success and a JSON object
/// in which `status`, if it is there, is `ok`.
pub(super) async fn probe(id: &str, endpoint: &Endpoint, reach: &Reach) -> Health {
    let start = Instant::now();
    let time = Duration::from_secs_f64(endpoint.timeout_seconds.clamp(0.001, 300.0));
    let passed = |_| Err(("timeout", format!("no answer in {time:?}")));
    let asked = timeout(time, ask(endpoint, reach)).await;
    let (status, code, detail) = match asked.unwrap_or_else(passed) {
        Ok(detail) => (HealthStatus::Ok, None, detail),
        Err((code, detail)) => (HealthStatus::Error, Some(code), detail),
    };
    Health {
        id: id.to_owned(),
        status,
        code,
        detail,
        elapsed_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

async fn ask(endpoint: &Endpoint, reach: &Reach) -> Result<String, Fault> {
    let url = format!("{}/health", endpoint.base_url).parse::<Url>();
    let url = url.map_err(|error| ("unreachable", error.to_string()))?;
    reach
        .check(&url)
        .map_err(|error| ("address_refused", error.to_string()))?;
    let client = reach
        .client()
        .tls_danger_accept_invalid_certs(!endpoint.verify_tls)
        .build();
    let client = client.map_err(|error| ("unreachable", with_causes(error)))?;
    let mut request = client.get(url);
    if let Some(token) = &endpoint.token {
        request = request.bearer_auth(token);
    }
    let mut response = request.send().await.map_err(fault)?;
    let status = response.status();
    if status.is_redirection() {
        let detail = format!("{status}: it sends us elsewhere, where its token does not go");
        return Err(("status", detail));
    }
    if matches!(status.as_u16(), 401 | 403) {
        return Err(("unauthorized", format!("{status}: it refuses the token")));
    }
    if !status.is_success() {
        return Err(("status", format!("it answered {status}")));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fault)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            let detail = format!("its answer is larger than {MAX_ANSWER} bytes");
            return Err(("malformed", detail));
        }
    }
    let answer = serde_json::from_slice::<Map<String, Value>>(&body);
    let answer = answer.map_err(|_| ("malformed", "its answer is no JSON object".to_owned()))?;
    match answer.get("status") {
        None => Ok("it answers".into()),
        Some(Value::String(status)) if status == "ok" => Ok("it says that it is ok".into()),
        Some(status) => {
            let status: String = status.to_string().chars().take(64).collect();
            Err(("unwell", format!("it says that its status is {status}")))
        }
    }
}

fn fault(error: reqwest::Error) -> Fault {
    match refused(&error) {
        Some(refused) => ("address_refused", refused.to_string()),
        None if error.is_timeout() => ("timeout", "it does not answer".into()),
        None => ("unreachable", with_causes(error)),
    }
}
