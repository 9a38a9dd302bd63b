//! `proctor receipts show`.

use super::{as_json, open, public};
use crate::cli::admin::show::time;
use crate::cli::{ConfigArgs, print_json, runtime};
use crate::receipts::Receipt;
use crate::store::ReceiptRow;
use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Its id, 64 lower-case hexadecimal digits.
    id: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let store = open(&self.config.load()?)?;
        let (row, others) = runtime()?.block_on(async {
            let row = public(&store, &self.id).await?;
            let depends_on = receipt(&row)?.depends_on;
            anyhow::Ok((row, store.receipts(depends_on).await?))
        })?;
        if self.json {
            print_json(&as_json(&row)?)?;
        } else {
            print!("{}", shown(&row, &others)?);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What a row's receipt says.
pub(super) fn receipt(row: &ReceiptRow) -> anyhow::Result<Receipt> {
    let read = Receipt::parse(&row.body).map_err(|e| anyhow!(e));
    read.with_context(|| format!("receipt {} cannot be read", row.id))
}

/// Dependencies of one kind that are listed; of more the number is told.
const LISTED: usize = 10;

fn shown(row: &ReceiptRow, others: &[ReceiptRow]) -> anyhow::Result<String> {
    let receipt = receipt(row)?;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| writeln!(text, "{name:<13}{value}");
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    line("receipt", &row.id)?;
    line("kind", receipt.kind.name())?;
    line("challenge", &or_none(&receipt.challenge))?;
    line("outcome", &receipt.outcome)?;
    line("fuel", &receipt.fuel.to_string())?;
    line("seed", &receipt.seed)?;
    let at = json!({"at": receipt.logical_time.0});
    line("logical time", &time(&at, "/at"))?;
    line("engine", &receipt.engine)?;
    for (name, digest) in [
        ("component", &receipt.component),
        ("settings", &receipt.settings),
        ("limits", &receipt.limits),
        ("environment", &receipt.environment),
        ("transcript", &receipt.transcript),
    ] {
        line(name, &or_none(digest))?;
    }
    line("input", &receipt.input)?;
    line("output", &receipt.output)?;
    let place = match (&row.day, row.leaf, &row.named_by) {
        (Some(day), Some(leaf), _) => format!("leaf {leaf} of {day}"),
        (_, _, Some(by)) => format!("none: {by} depends on it"),
        _ => "-".to_owned(),
    };
    line("leaf", &place)?;
    line("signer", &or_none(&row.signer))?;
    line("signature", &or_none(&row.signature))?;
    depends_on(&mut text, &receipt, others)?;
    Ok(text)
}

/// What a receipt depends on, by kind.
fn depends_on(text: &mut String, receipt: &Receipt, others: &[ReceiptRow]) -> std::fmt::Result {
    let known: BTreeMap<&String, &ReceiptRow> = others.iter().map(|row| (&row.id, row)).collect();
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for id in &receipt.depends_on {
        let row = known.get(id);
        let kind = row.map_or("not kept", |row| row.kind.as_str());
        let day = row.and_then(|row| row.day.as_ref());
        let told = day.map_or_else(|| id.clone(), |day| format!("{id}, {day}"));
        kinds.entry(kind).or_default().push(told);
    }
    for (kind, ids) in kinds {
        writeln!(text, "depends on {} ({kind}):", ids.len())?;
        for id in ids.iter().take(LISTED) {
            writeln!(text, "  {id}")?;
        }
        if ids.len() > LISTED {
            writeln!(text, "  and {} more", ids.len() - LISTED)?;
        }
    }
    Ok(())
}
