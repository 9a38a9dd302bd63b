//! `proctor organic send`.

use super::{show, slug};
use crate::chain::{Hotkey, btauth, ss58};
use crate::cli::admin::show::text;
use crate::cli::admin::{accept, base, end};
use crate::cli::{print_json, runtime};
use crate::clock;
use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// How often an answer is asked for that took longer than one request may.
const LOOK: Duration = Duration::from_secs(1);

/// The most seconds that one request waits for. What a host lets a request take is its
/// own to decide, and less is no failure.
const WAIT: u64 = 60;

#[derive(Debug, Args)]
pub(in crate::cli) struct Send {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    /// What miners are to be asked about, JSON, as the challenge takes it; `-` reads the
    /// standard input.
    #[arg(value_parser = body)]
    body: Body,
    /// Wait up to so many seconds for the answer; 0 does not wait.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
    /// Address of the host.
    #[arg(long, default_value = "http://127.0.0.1:47920", value_name = "URL")]
    url: String,
    /// The host's hotkey, which the entry is signed for. Default: the one that it tells.
    #[arg(long, value_name = "HOTKEY", value_parser = receiver)]
    receiver: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    signer: Signer,
}

/// Who signs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signer")]
struct Signer {
    /// The folder of all wallets.
    #[arg(
        long = "wallet.path",
        default_value = "~/.bittensor/wallets",
        value_name = "DIR"
    )]
    wallet_path: PathBuf,
    /// The wallet to sign with.
    #[arg(
        long = "wallet.name",
        value_name = "NAME",
        required_unless_present = "key_uri"
    )]
    wallet: Option<String>,
    /// The hotkey in the wallet.
    #[arg(long = "wallet.hotkey", default_value = "default", value_name = "NAME")]
    hotkey: String,
    /// A key for development instead, such as `//Alice`. Whoever may look at the process
    /// can read it.
    #[arg(long, value_name = "URI", conflicts_with = "wallet")]
    key_uri: Option<String>,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
enum Body {
    Given(String),
    StandardInput,
}

fn body(text: &str) -> Result<Body, String> {
    match text {
        "-" => Ok(Body::StandardInput),
        text => json(text).map(|()| Body::Given(text.to_owned())),
    }
}

/// That a text is JSON: the host would not say where it is not.
fn json(text: &str) -> Result<(), String> {
    let read: Result<&RawValue, _> = serde_json::from_str(text);
    read.map(drop).map_err(|error| format!("no JSON: {error}"))
}

fn receiver(text: &str) -> Result<String, String> {
    match ss58::decode(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("no hotkey, in SS58 with prefix 42".into()),
    }
}

impl Body {
    fn read(&self) -> anyhow::Result<String> {
        match self {
            Body::Given(text) => Ok(text.clone()),
            Body::StandardInput => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                json(&text).map_err(anyhow::Error::msg)?;
                Ok(text)
            }
        }
    }
}

impl Signer {
    fn open(&self) -> anyhow::Result<Hotkey> {
        Ok(match (&self.key_uri, &self.wallet) {
            (Some(uri), _) => Hotkey::from_uri(uri)?,
            (None, Some(wallet)) => Hotkey::load(&self.wallet_path, wallet, &self.hotkey)?,
            (None, None) => bail!("nobody signs: give --wallet.name"),
        })
    }
}

impl Send {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (hotkey, body) = (self.signer.open()?, self.body.read()?);
        let sent = runtime()?.block_on(async {
            let host = Host {
                base: base(&self.url)?,
                // The signature is for one address.
                client: Client::builder()
                    .redirect(reqwest::redirect::Policy::none())
                    .connect_timeout(Duration::from_secs(10))
                    .timeout(Duration::from_secs(WAIT + 30))
                    .build()?,
            };
            let entry = self.send(&host, &hotkey, body).await?;
            match self.json {
                true => print_json(&entry)?,
                false => print!("{}", show::entry(&entry)),
            }
            let has_answer = entry
                .pointer("/answer")
                .is_some_and(|answer| !answer.is_null());
            let is_done = text(&entry, "/state") == "done" && has_answer;
            let is_well = is_done || (self.wait == 0 && !is_lost(&entry));
            Ok(ExitCode::from(u8::from(!is_well)))
        });
        end(self.json, sent)
    }

    async fn send(&self, host: &Host, hotkey: &Hotkey, body: String) -> anyhow::Result<Value> {
        let receiver = match &self.receiver {
            Some(receiver) => receiver.clone(),
            None => host.hotkey(&self.challenge).await?,
        };
        let until = Instant::now() + Duration::from_secs(self.wait);
        let path = format!("/v1/organic/{}", self.challenge);
        let mut request = host.client.post(host.url(&["organic", &self.challenge]));
        // The path as the host sees it: what a proxy puts in front of it is not signed.
        let (to, now_ns) = (Some(receiver.as_str()), clock::unix_now_ns());
        for (name, value) in btauth::sign(hotkey, "POST", &path, body.as_bytes(), to, now_ns) {
            request = request.header(name, value);
        }
        if self.wait > 0 {
            request = request.header("prefer", format!("wait={}", self.wait.min(WAIT)));
        }
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let mut entry = host.ask(request).await?;
        while !is_ended(&entry) && Instant::now() < until {
            tokio::time::sleep(LOOK.min(until - Instant::now())).await;
            let id = text(&entry, "/id");
            let url = host.url(&["organic", &self.challenge, "entries", &id]);
            entry = host.ask(host.client.get(url)).await?;
        }
        Ok(entry)
    }
}

fn is_lost(entry: &Value) -> bool {
    matches!(text(entry, "/state").as_str(), "failed" | "dropped")
}

fn is_ended(entry: &Value) -> bool {
    is_lost(entry) || text(entry, "/state") == "done"
}

/// The public API of a host.
struct Host {
    base: Url,
    client: Client,
}

impl Host {
    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1"]).extend(parts);
        }
        url
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = accept(&self.base, request.send().await, "--url").await?;
        let text = answer.text().await?;
        serde_json::from_str(&text).with_context(|| format!("{} answers no JSON", self.base))
    }

    /// The hotkey that entries are signed for.
    async fn hotkey(&self, challenge: &str) -> anyhow::Result<String> {
        let url = self.url(&["organic", challenge]);
        let status = self.ask(self.client.get(url)).await?;
        let told = status.get("hotkey").and_then(Value::as_str);
        let told = told.with_context(|| {
            format!(
                "{} has no hotkey that an entry could be signed for",
                self.base
            )
        })?;
        receiver(told).map_err(|why| anyhow::anyhow!("{} tells {told:?}: {why}", self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_json_as_it_was_given() {
        let given = r#"{"prompt":  "1.0"}"#;
        assert_eq!(body(given).unwrap().read().unwrap(), given);
        assert_eq!(body("-"), Ok(Body::StandardInput));
        for broken in ["", "{", "{} {}", "{'a': 1}"] {
            assert!(body(broken).unwrap_err().starts_with("no JSON"), "{broken}");
        }
    }

    #[test]
    fn an_entry_that_is_lost_has_ended() {
        for (state, ended, lost) in [
            ("queued", false, false),
            ("leased", false, false),
            ("done", true, false),
            ("dropped", true, true),
            ("failed", true, true),
        ] {
            let entry = serde_json::json!({ "state": state });
            assert_eq!(
                (is_ended(&entry), is_lost(&entry)),
                (ended, lost),
                "{state}"
            );
        }
    }
}
