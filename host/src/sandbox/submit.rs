//! The import `submissions`: an artifact is committed for the miner who signed the
//! request.

use super::bindings::submissions::{Host, SubmitError, Submitted};
use super::state::{Denied, State};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Commits an artifact, `sha256:` and 64 hexadecimal digits, for whoever signed the
/// request. It is on disk when the future is done; dropped before, it may be or not.
pub type Submit =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<Submitted, SubmitError>> + Send + Sync>;

impl Host for State {
    async fn submit(
        &mut self,
        artifact: String,
    ) -> wasmtime::Result<Result<Submitted, SubmitError>> {
        let Some(route) = &self.route else {
            return Err(Denied("only a route may submit".into()).into());
        };
        let Some(submit) = &route.submit else {
            return Ok(Err(SubmitError::NotSigned));
        };
        if !is_reference(&artifact) {
            return Ok(Err(SubmitError::UnknownArtifact));
        }
        Ok(submit(artifact).await)
    }
}

fn is_reference(artifact: &str) -> bool {
    artifact.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_called_by_its_digest() {
        assert!(is_reference(&format!("sha256:{}", "0a".repeat(32))));
        for bad in [
            "0a".repeat(32),
            format!("sha256:{}", "0A".repeat(32)),
            format!("sha256:{}", "0a".repeat(31)),
            "sha256:../../../../../../../../../../../../../../../../../etc/pas".into(),
        ] {
            assert!(!is_reference(&bad), "{bad}");
        }
    }
}
