//! Deleting records.

use super::super::admin::show::text;
use super::look::each;
use super::{Asker, change};
use anyhow::bail;
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// What becomes of the volume.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Data {
    /// Keep it, with its files and database.
    Keep,
    /// Delete it.
    Purge,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The challenge. Must not be active.
    #[arg(value_parser = super::slug)]
    slug: String,
    /// What becomes of its volume.
    #[arg(long, value_enum, default_value = "keep")]
    data: Data,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Only tell what would go.
    #[arg(long)]
    dry_run: bool,
}

impl Delete {
    pub(super) async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        let parts = ["challenges", self.slug.as_str()];
        let data = match self.data {
            Data::Keep => "keep",
            Data::Purge => "purge",
        };
        // What is looked at now is what is deleted.
        let record = asker.api.get(&parts, &[]).await?;
        let etag = record.etag.as_deref();
        let query = [("data", data), ("dry_run", "true")];
        let would = change(asker, Method::DELETE, &parts, &query, etag, None).await?;
        if self.dry_run {
            return asker.print(&would.body, |body| told(body, "would go", "would stay"));
        }
        if !self.yes {
            eprint!("{}", told(&would.body, "goes", "stays"));
            ask(&self.slug)?;
        }
        let query = [("data", data)];
        let gone = change(asker, Method::DELETE, &parts, &query, etag, None).await?;
        asker.print(&gone.body, |body| {
            format!("{} is deleted\n{}", self.slug, told(body, "gone", "kept"))
        })
    }
}

/// Asks whoever is at the terminal.
fn ask(slug: &str) -> anyhow::Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("nothing was deleted: there is nobody to ask, so give --yes");
    }
    eprint!("Type {slug} to delete it: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    if line.trim() != slug {
        bail!("nothing was deleted");
    }
    Ok(())
}

/// What a deletion comes to.
fn told(body: &Value, goes: &str, stays: &str) -> String {
    let names = |pointer: &str| {
        let names = each(body, pointer).iter().filter_map(Value::as_str);
        let names = names.map(|name| match name {
            "volume" => format!("volume ({})", text(body, "/volume")),
            "audit_log" => "audit log".into(),
            name => name.to_owned(),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    format!(
        "{goes}: {}\n{stays}: {}\n",
        names("/removed"),
        names("/kept")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_goes_and_what_stays_is_told() {
        let body = json!({"removed": ["record", "volume"], "kept": ["audit_log"], "volume": "/v"});
        let expected = "gone: record, volume (/v)\nkept: audit log\n";
        assert_eq!(told(&body, "gone", "kept"), expected);
    }
}
