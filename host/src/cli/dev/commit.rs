//! `proctor dev commit`.

use crate::clock;
use crate::registry::reference::ArtifactSource;
use clap::Args;
use fernet::Fernet;
use serde_json::json;
use std::process::ExitCode;

/// Print what a validator publishes of a miner's commit, for `proctor ingest`: encrypted, with
/// its key, and made some hours ago, so that it can be opened now.
#[derive(Debug, Args)]
pub(in crate::cli) struct Commit {
    /// The challenge.
    challenge: String,
    /// What the miner submits, as `proctor artifact add` prints it, `sha256:…`, or as
    /// `proctor plugin push` does, `repository@sha256:…`.
    #[arg(value_parser = artifact)]
    artifact: String,
    /// The miner's hotkey.
    #[arg(long, value_name = "HOTKEY")]
    hotkey: String,
    /// Hours since it was committed. After `commits.reveal_interval_s`, a day by default, it is
    /// opened, and it counts at the next scoring hour.
    #[arg(long, default_value_t = 25.0, value_name = "HOURS")]
    hours_ago: f64,
}

impl Commit {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let key = Fernet::generate_key();
        let Some(fernet) = Fernet::new(&key) else {
            anyhow::bail!("a key that was just made is none");
        };
        let text = format!("{}---{}", self.challenge, self.artifact);
        let commit = json!({
            "encrypted_commit": fernet.encrypt(text.as_bytes()),
            "commit_timestamp": clock::unix_now() - self.hours_ago * 3_600.0,
            "key": key,
        });
        let document = json!({ "miner_commits": { self.hotkey: { self.challenge: commit } } });
        println!("{document:#}");
        Ok(ExitCode::SUCCESS)
    }
}

/// A submission that is named by its digest: another tag tomorrow is another submission.
fn artifact(text: &str) -> Result<String, String> {
    let named = match text.parse() {
        Ok(ArtifactSource::Store(_)) => true,
        Ok(ArtifactSource::Oci(reference)) => reference.digest.is_some(),
        Ok(ArtifactSource::File(_)) | Err(_) => false,
    };
    match named {
        true => Ok(text.to_owned()),
        false => {
            Err("it must be sha256: and 64 hexadecimal digits, or repository@sha256:…".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_named_by_its_digest() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let pushed = format!("ghcr.io/org/sum@{digest}");
        for good in [&digest, &pushed] {
            assert_eq!(artifact(good).as_ref(), Ok(good));
        }
        for bad in [
            "",
            "sha256:12",
            "sum.wasm",
            "file:sum.wasm",
            "ghcr.io/org/sum:1",
            "a@sha256:1",
        ] {
            assert!(artifact(bad).is_err(), "{bad}");
        }
    }
}
