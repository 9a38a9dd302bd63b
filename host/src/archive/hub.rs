//! The archive as a dataset repository of Hugging Face.

use super::access::Secrets;
use super::{ArchiveAccess, ArchiveError, answer};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Files in one commit of a dataset repository.
pub const MAX_COMMIT_FILES: usize = 100;
/// Bytes of files in one commit of a dataset repository, before base64. A file that
/// is larger has a commit of its own; the hub takes up to 10 MB in this way.
pub const MAX_COMMIT_BYTES: usize = 5 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Hub {
    client: Client,
    url: Url,
    secrets: Secrets,
}

impl Hub {
    pub(super) fn open(
        repository: &str,
        access: &ArchiveAccess,
        timeout: Duration,
    ) -> Result<Self, ArchiveError> {
        let token = access.hf_token.as_deref().map(str::trim);
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| ArchiveError::Access("HF_TOKEN is not set".into()))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| ArchiveError::Access("HF_TOKEN is not a token".into()))?;
        bearer.set_sensitive(true);
        let endpoint = access.hf_endpoint.as_deref();
        let endpoint = endpoint.unwrap_or("https://huggingface.co");
        let endpoint = endpoint.trim_end_matches('/');
        let url = Url::parse(&format!("{endpoint}/api/datasets/{repository}/commit/main"))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            // They would be shown with the address.
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| {
                let problem = "HF_ENDPOINT is not an HTTP address without user and password";
                ArchiveError::Access(problem.into())
            })?;
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .connect_timeout(timeout)
            .timeout(timeout)
            // A page to log in at would be taken for the answer.
            .redirect(Policy::none())
            .build()
            .map_err(|error| ArchiveError::Access(answer::with_causes(&error)))?;
        let secrets = access.secrets();
        Ok(Self {
            client,
            url,
            secrets,
        })
    }

    pub(super) async fn put(&self, files: BTreeMap<String, Bytes>) -> Result<(), ArchiveError> {
        for files in commits(files) {
            self.commit(&files).await?;
        }
        Ok(())
    }

    async fn commit(&self, files: &[(String, Bytes)]) -> Result<(), ArchiveError> {
        let request = || format!("a commit of {} files", files.len());
        let sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(body(files))
            .send();
        let response = sent.await.map_err(|error| ArchiveError::Unreachable {
            request: request(),
            problem: answer::with_causes(&error.without_url()),
        })?;
        let status = response.status();
        let text = answer::read(response).await;
        if !status.is_success() {
            return Err(ArchiveError::Refused {
                request: request(),
                status: status.as_u16(),
                answer: self.secrets.excerpt(&text),
            });
        }
        let told: Option<Value> = serde_json::from_str(&text).ok();
        if told.is_some_and(|told| told.get("commitOid").is_some_and(Value::is_string)) {
            return Ok(());
        }
        Err(ArchiveError::NotUnderstood {
            request: request(),
            answer: self.secrets.excerpt(&text),
        })
    }
}

fn commits(files: BTreeMap<String, Bytes>) -> Vec<Vec<(String, Bytes)>> {
    let mut commits: Vec<Vec<(String, Bytes)>> = Vec::new();
    let mut bytes = 0;
    for (path, content) in files {
        bytes += content.len();
        match commits.last_mut() {
            Some(last) if last.len() < MAX_COMMIT_FILES && bytes <= MAX_COMMIT_BYTES => {
                last.push((path, content));
            }
            _ => {
                bytes = content.len();
                commits.push(vec![(path, content)]);
            }
        }
    }
    commits
}

fn body(files: &[(String, Bytes)]) -> String {
    let summary = format!("Archive {} files", files.len());
    let header = json!({"key": "header", "value": {"summary": summary}});
    let files = files.iter().map(|(path, content)| {
        let content = BASE64_STANDARD.encode(content);
        json!({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}})
    });
    let lines = std::iter::once(header).chain(files);
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(files: impl IntoIterator<Item = usize>) -> Vec<Vec<usize>> {
        let file = |(index, size)| (format!("{index:04}"), Bytes::from(vec![0; size]));
        let files = files.into_iter().enumerate().map(file).collect();
        let sizes = |commit: Vec<(String, Bytes)>| commit.iter().map(|(_, c)| c.len()).collect();
        commits(files).into_iter().map(sizes).collect()
    }

    #[test]
    fn a_commit_has_at_most_so_many_files_and_bytes() {
        let half = MAX_COMMIT_BYTES / 2;
        assert_eq!(sizes([]), [[0; 0]; 0]);
        assert_eq!(sizes([half, half, 1]), [vec![half, half], vec![1]]);
        assert_eq!(
            sizes([1, MAX_COMMIT_BYTES + 1, 1]),
            [[1], [MAX_COMMIT_BYTES + 1], [1]]
        );
        let counts: Vec<_> = sizes([1; 201]).iter().map(Vec::len).collect();
        assert_eq!(counts, [100, 100, 1]);
    }
}
