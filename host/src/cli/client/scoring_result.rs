//! `proctor client scoring-result`.

use super::super::{print_json, runtime};
use crate::chain::{Hotkey, signed};
use crate::clock;
use anyhow::{Context, bail};
use clap::Args;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Ciphertexts in one request, at most.
const MAX_COMMITS: usize = 10_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct ScoringResult {
    /// Address of the host.
    #[arg(long, default_value = "http://127.0.0.1:47920", value_name = "URL")]
    url: String,
    /// The challenge.
    #[arg(long, value_name = "NAME")]
    challenge: String,
    /// What was published; `-` reads one a line from the standard input.
    #[arg(value_name = "ENCRYPTED_COMMIT")]
    encrypted_commits: Vec<String>,
    /// Ask again until the challenge is done for today.
    #[arg(long)]
    wait: bool,
    /// Seconds between two questions.
    #[arg(
        long,
        default_value_t = 600.0,
        value_name = "SECONDS",
        requires = "wait"
    )]
    poll_interval: f64,
    /// Give up after so many seconds; status 1.
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    deadline: Option<f64>,
    /// Be content as validators of the replaced API are: also when each commit is
    /// known, scored or not.
    #[arg(long, requires = "wait")]
    legacy: bool,
    /// Milliseconds that one question may take.
    #[arg(long, default_value_t = 60_000, value_name = "MS")]
    timeout_ms: u64,
    #[command(flatten)]
    signer: Signer,
}

/// Who asks, for hosts with `public.signed_results`.
#[derive(Debug, Args)]
struct Signer {
    /// The folder of all wallets.
    #[arg(
        long = "wallet.path",
        default_value = "~/.bittensor/wallets",
        value_name = "DIR"
    )]
    wallet_path: PathBuf,
    /// The wallet to sign with. Default: nothing is signed.
    #[arg(long = "wallet.name", value_name = "NAME", requires = "uid")]
    wallet: Option<String>,
    /// The hotkey in the wallet.
    #[arg(long = "wallet.hotkey", default_value = "default", value_name = "NAME")]
    hotkey: String,
    /// The hotkey's uid on the subnet.
    #[arg(long, value_name = "UID")]
    uid: Option<u16>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Data {
    commits: Map<String, Value>,
    is_done: Option<bool>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

impl Data {
    fn is_done(&self) -> bool {
        self.is_done == Some(true)
    }

    /// Whether a validator of the replaced API would ask no more.
    fn is_done_for_peers(&self, asked: usize) -> bool {
        let known = self.commits.values().filter(|commit| !commit.is_null());
        self.is_done() || known.count() == asked
    }
}

impl ScoringResult {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let encrypted = self.asked()?;
        let hotkey = match &self.signer.wallet {
            Some(name) => {
                let Signer {
                    wallet_path,
                    hotkey,
                    ..
                } = &self.signer;
                Some(Hotkey::load(wallet_path, name, hotkey)?)
            }
            None => None,
        };
        runtime()?.block_on(async {
            let client = reqwest::Client::builder()
                .timeout(Duration::from_millis(self.timeout_ms))
                .redirect(reqwest::redirect::Policy::none())
                .build()?;
            let asker = Asker {
                client,
                url: format!("{}/get_scoring_result", self.url.trim_end_matches('/')),
                hotkey,
                uid: self.signer.uid.map_or(-1, i32::from),
            };
            let (data, done) = self.ask(&asker, &encrypted).await?;
            print_json(&json!({"commits": data.commits, "is_done": data.is_done}))?;
            Ok(if done || !self.wait {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        })
    }

    /// Each ciphertext once, in order.
    fn asked(&self) -> anyhow::Result<Vec<String>> {
        let mut encrypted = Vec::new();
        for given in &self.encrypted_commits {
            if given == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                let lines = text.lines().map(str::trim);
                encrypted.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
            } else {
                encrypted.push(given.clone());
            }
        }
        let mut seen = BTreeSet::new();
        encrypted.retain(|text| seen.insert(text.clone()));
        Ok(encrypted)
    }

    /// Returns the last answer, and whether that is what was waited for.
    async fn ask(&self, asker: &Asker, encrypted: &[String]) -> anyhow::Result<(Data, bool)> {
        let start = Instant::now();
        loop {
            let answer = asker.ask_all(&self.challenge, encrypted).await;
            match answer {
                Ok(data) => {
                    let done = if self.legacy {
                        data.is_done_for_peers(encrypted.len())
                    } else {
                        data.is_done()
                    };
                    if done || !self.wait || self.is_late(start) {
                        return Ok((data, done));
                    }
                }
                Err(error) if !self.wait || error.is::<Refused>() || self.is_late(start) => {
                    return Err(error);
                }
                Err(error) => tracing::warn!("{error:#}: asking again"),
            }
            let pause = Duration::try_from_secs_f64(self.poll_interval.max(0.1))
                .context("--poll-interval is no time")?;
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the next question would come after the deadline.
    fn is_late(&self, start: Instant) -> bool {
        self.deadline
            .is_some_and(|deadline| start.elapsed().as_secs_f64() + self.poll_interval > deadline)
    }
}

/// The host understands the question, and will not answer it.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {detail}")]
struct Refused {
    status: StatusCode,
    detail: String,
}

struct Asker {
    client: reqwest::Client,
    url: String,
    hotkey: Option<Hotkey>,
    uid: i32,
}

impl Asker {
    async fn ask_all(&self, challenge: &str, encrypted: &[String]) -> anyhow::Result<Data> {
        let mut all = Data {
            is_done: Some(true),
            ..Data::default()
        };
        let parts: Vec<&[String]> = match encrypted {
            [] => vec![&[]],
            encrypted => encrypted.chunks(MAX_COMMITS).collect(),
        };
        for part in parts {
            let data = self.ask(challenge, part).await?;
            all.commits.extend(data.commits);
            all.is_done = all.is_done.filter(|_| data.is_done == Some(true));
        }
        all.is_done = Some(all.is_done());
        Ok(all)
    }

    async fn ask(&self, challenge: &str, encrypted: &[String]) -> anyhow::Result<Data> {
        let body = json!({"challenge_name": challenge, "encrypted_commits": encrypted});
        let body = serde_json::to_vec(&body)?;
        let mut request = self.client.post(&self.url);
        if let Some(hotkey) = &self.hotkey {
            for (name, value) in signed::sign(hotkey, self.uid, &body, clock::unix_now_ns()) {
                request = request.header(name, value);
            }
        }
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let detail = match problem.get("detail") {
                Some(Value::String(detail)) => detail.clone(),
                Some(detail) => detail.to_string(),
                None => text.chars().take(300).collect(),
            };
            // It may be loading the challenge.
            let passes =
                status.is_server_error() || matches!(status.as_u16(), 404 | 408 | 425 | 429);
            if passes {
                bail!("{status}: {detail}");
            }
            return Err(Refused { status, detail }.into());
        }
        let answer: Answer = serde_json::from_str(&text).context("no scoring result")?;
        Ok(answer.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_content_with_known_commits_and_we_are_not() {
        let data = |is_done, commits: Value| Data {
            commits: commits.as_object().unwrap().clone(),
            is_done,
        };
        let unscored = data(Some(false), json!({"a": {"score": null}, "b": {}}));
        assert!(!unscored.is_done() && unscored.is_done_for_peers(2));
        let unknown = data(Some(false), json!({"a": {}, "b": null}));
        assert!(!unknown.is_done_for_peers(2));
        assert!(data(Some(true), json!({"a": null})).is_done_for_peers(1));
        assert!(!data(None, json!({})).is_done());
    }
}
