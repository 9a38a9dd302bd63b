//! Making and changing records.

use super::super::admin::fields::{Fields, unset};
use super::super::admin::show::{changes, text};
use super::{Asker, change, dry, look, would};
use anyhow::bail;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The challenge: the name that its component tells.
    slug: String,
    /// The component: `file:NAME.wasm` in the plugins folder, `sha256:…` as `proctor
    /// component add` prints it, or an OCI reference.
    #[arg(long, value_name = "REFERENCE")]
    artifact: Option<String>,
    /// What people call it. Default: the slug.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    fields: Fields,
    /// Only check it.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// The challenge.
    #[arg(value_parser = super::slug)]
    slug: String,
    #[command(flatten)]
    fields: Fields,
    /// Remove what is in a map, as in `environment.KEY`.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Only check it.
    #[arg(long)]
    dry_run: bool,
}

/// What changes with every change.
const ALWAYS: [&str; 3] = ["revision", "updated_at", "runtime"];

impl Create {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let given = [("artifact", &self.artifact), ("name", &self.name)];
        let mut body = self.fields.body(&Value::Object(Map::new()), &given)?;
        if let Some(slug) = body.get("slug").filter(|slug| **slug != self.slug) {
            bail!("the fields are those of {slug}, not of {:?}", self.slug);
        }
        body.insert("slug".into(), Value::String(self.slug));
        let body = Value::Object(body);
        let query = dry(self.dry_run);
        let answer = asker.api.post_once(&["challenges"], query, &body).await?;
        if asker.json || self.dry_run {
            return asker.print(&answer.body, |body| {
                let record = body.get("challenge").unwrap_or(&Value::Null);
                would(self.dry_run) + &look::record(record)
            });
        }
        // The token alone goes to the standard output, for whoever keeps it.
        let record = answer.body.get("challenge").unwrap_or(&Value::Null);
        eprint!("{}", look::operation(record));
        if text(record, "/status") == "draft" {
            let slug = text(record, "/slug");
            eprintln!("It is a draft: proctor challenge activate {slug} has it run.");
        }
        print_token(&text(&answer.body, "/challenge_token"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints a token, and what to do with it.
pub(super) fn print_token(token: &str) {
    println!("{token}");
    eprintln!("This is the challenge's token. Keep it: it is told this once.");
}

impl Update {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let parts = ["challenges", self.slug.as_str()];
        let before = asker.api.get(&parts, &[]).await?;
        let mut body = self.fields.body(&before.body, &[])?;
        for key in &self.unset {
            unset(&mut body, &before.body, key)?;
        }
        if body.is_empty() {
            bail!("there is nothing to change: give --set, --unset or --from");
        }
        let body = Value::Object(body);
        let (query, etag) = (dry(self.dry_run), before.etag.as_deref());
        let answer = change(asker, Method::PATCH, &parts, query, etag, Some(&body)).await?;
        asker.print(&answer.body, |after| {
            let changed = changes(&before.body, after, &ALWAYS);
            let mut told = would(self.dry_run && !changed.is_empty());
            if changed.is_empty() {
                told.push_str("Nothing is different.\n");
            }
            for (field, change) in changed {
                told.push_str(&format!("{field}: {change}\n"));
            }
            told + &look::running(after)
        })
    }
}
