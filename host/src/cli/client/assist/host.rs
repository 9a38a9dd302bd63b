//! Requests that a validator signs.

use crate::chain::Hotkey;
use crate::chain::nonced::{self, Claims};
use crate::clock;
use crate::sandbox::sha256_hex;
use anyhow::{Context, ensure};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Bytes of an artifact or a component that are taken, at most.
const MAX_BYTES: usize = 512 << 20;

/// A host that is asked by a validator.
pub(super) struct Host {
    client: reqwest::Client,
    url: String,
    hotkey: Hotkey,
}

impl Host {
    pub(super) fn new(url: &str, hotkey: Hotkey, timeout: Duration) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Host {
            client,
            url,
            hotkey,
        })
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        let answer = self
            .ask(Method::POST, route, body.to_string().into())
            .await?;
        let text = answer.text().await?;
        serde_json::from_str(&text).with_context(|| format!("{route}: not the expected answer"))
    }

    pub(super) async fn fetch(&self, route: String) -> anyhow::Result<Vec<u8>> {
        let mut answer = self.ask(Method::GET, &route, Vec::new()).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            let size = bytes.len() + chunk.len();
            ensure!(size <= MAX_BYTES, "{route}: more than {MAX_BYTES} bytes");
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn ask(&self, method: Method, route: &str, body: Vec<u8>) -> anyhow::Result<Response> {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let now = clock::unix_now() as i64;
        let headers = headers(&self.hotkey, method.as_str(), route, &body, nonce, now);
        let mut request = self.client.request(method, format!("{}{route}", self.url));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json");
        let answer = request.body(body).send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let said = |key| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        anyhow::bail!("{route}: {status} {}: {}", said("code"), said("detail"))
    }
}

/// The headers of a request without a query. `now` is in seconds since the Unix epoch.
fn headers(
    hotkey: &Hotkey,
    method: &str,
    route: &str,
    body: &[u8],
    nonce: String,
    now: i64,
) -> [(&'static str, String); 4] {
    let claims = Claims {
        hotkey: hotkey.address().to_owned(),
        nonce,
        timestamp: now,
    };
    let digest = sha256_hex(body);
    let message = nonced::validator_message(method, route, None, &claims, &digest);
    let signature = hotkey.sign(message.as_bytes());
    [
        (nonced::HOTKEY, claims.hotkey),
        (nonced::NONCE, claims.nonce),
        (nonced::TIMESTAMP, claims.timestamp.to_string()),
        (nonced::SIGNATURE, hex::encode(signature)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_here_is_taken_by_hosts() {
        let hotkey = Hotkey::from_uri("//Alice").unwrap();
        let headers = headers(&hotkey, "POST", "/v1/x", b"{}", "n".into(), 1_000);
        let value = |name: &str| headers.iter().find(|(key, _)| *key == name);
        let checked = nonced::check(
            |name| value(name).map(|(_, value)| value.as_str()),
            1_001.0,
            |claims| nonced::validator_message("POST", "/v1/x", None, claims, &sha256_hex(b"{}")),
        );
        assert_eq!(checked.unwrap().hotkey, hotkey.address());
    }
}
