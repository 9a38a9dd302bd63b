//! Tokens and secrets.

use super::super::admin::show::text;
use super::change::print_token;
use super::{Asker, change};
use anyhow::Context;
use clap::Args;
use reqwest::Method;
use serde_json::json;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct RotateToken {
    /// The challenge.
    #[arg(value_parser = super::slug)]
    slug: String,
    /// Seconds that the tokens before stay valid, 0 to 604800.
    #[arg(long, default_value_t = 3_600.0, value_name = "SECONDS")]
    overlap: f64,
}

#[derive(Debug, Args)]
pub(super) struct RevokeToken {
    /// The challenge.
    #[arg(value_parser = super::slug)]
    slug: String,
    /// The token's number, as `proctor challenge show` tells it.
    id: i64,
}

#[derive(Debug, Args)]
pub(super) struct SetSecret {
    /// The challenge.
    #[arg(value_parser = super::slug)]
    slug: String,
    /// The secret, one of the record's `secrets`.
    name: String,
    /// Read the value from a file. Default: from the standard input. One newline at
    /// its end is left out.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RemoveSecret {
    /// The challenge.
    #[arg(value_parser = super::slug)]
    slug: String,
    /// The secret.
    name: String,
}

impl RotateToken {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let parts = ["challenges", self.slug.as_str(), "rotate-token"];
        let body = json!({ "overlap_s": self.overlap });
        let answer = asker.api.post_once(&parts, &[], &body).await?;
        if asker.json {
            return asker.print(&answer.body, |_| String::new());
        }
        print_token(&text(&answer.body, "/challenge_token"));
        eprintln!("Those before it end within {} s.", self.overlap);
        Ok(ExitCode::SUCCESS)
    }
}

impl RevokeToken {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let id = self.id.to_string();
        let parts = ["challenges", self.slug.as_str(), "tokens", id.as_str()];
        change(asker, Method::DELETE, &parts, &[], None, None).await?;
        said(
            asker,
            &format!("token {id} of {} is no token any more", self.slug),
        )
    }
}

impl SetSecret {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let value = secret(self.from_file.as_deref(), &self.name)?;
        let parts = [
            "challenges",
            self.slug.as_str(),
            "secrets",
            self.name.as_str(),
        ];
        let body = json!({ "value": value });
        change(asker, Method::PUT, &parts, &[], None, Some(&body)).await?;
        said(
            asker,
            &format!("the secret {} of {} is set", self.name, self.slug),
        )
    }
}

impl RemoveSecret {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let parts = [
            "challenges",
            self.slug.as_str(),
            "secrets",
            self.name.as_str(),
        ];
        change(asker, Method::DELETE, &parts, &[], None, None).await?;
        said(
            asker,
            &format!(
                "the secret {} of {} has no value any more",
                self.name, self.slug
            ),
        )
    }
}

/// Says what was done, of which the API answers nothing.
fn said(asker: &Asker, text: &str) -> anyhow::Result<ExitCode> {
    if !asker.json {
        println!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A secret from a file or the standard input: arguments are seen by everybody on the
/// machine.
pub(in crate::cli) fn secret(file: Option<&Path>, name: &str) -> anyhow::Result<String> {
    let mut value = match file {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string())?,
        None => {
            let mut stdin = std::io::stdin();
            if stdin.is_terminal() {
                eprintln!("The value of {name}, which will be seen; Ctrl-D on a new line ends it:");
            }
            let mut value = Vec::new();
            stdin.read_to_end(&mut value)?;
            value
        }
    };
    if value.last() == Some(&b'\n') {
        value.pop();
    }
    String::from_utf8(value).with_context(|| format!("the value of {name} is no text"))
}
