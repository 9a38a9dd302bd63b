//! `proctor receipts`.

mod export;
mod show;

use super::table::table;
use super::{ConfigArgs, print_json, runtime};
use crate::canonical::is_digest;
use crate::config::Config;
use crate::host::open_store;
use crate::store::{ReceiptRow, Store};
use anyhow::bail;
use clap::{Args, Subcommand};
use export::Export;
use serde_json::{Value, json};
use show::Show;
use std::process::ExitCode;

/// Look at receipts, and give them out. A host may run meanwhile.
#[derive(Debug, Subcommand)]
pub(super) enum Receipts {
    /// Write the receipts of a day, or one, with all that they are verified by, as one file
    /// for `proctor verify`.
    Export(Export),
    /// List the receipts of a day, in the order of its tree.
    List(List),
    /// Show a receipt.
    Show(Show),
    /// List the days that have receipts, the last first.
    Days(Days),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// The day, `YYYY-MM-DD`, UTC. Default: the last that has receipts.
    #[arg(long, value_name = "DAY")]
    day: Option<String>,
    /// Only those of this challenge.
    #[arg(long, value_name = "NAME")]
    challenge: Option<String>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(super) struct Days {
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Rows that are read together.
const PAGE: u32 = 1_000;

impl Receipts {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Receipts::Export(command) => command.run(),
            Receipts::List(command) => command.run(),
            Receipts::Show(command) => command.run(),
            Receipts::Days(command) => command.run(),
        }
    }
}

/// The database of a data directory, which must be there.
fn open(config: &Config) -> anyhow::Result<Store> {
    let path = config.data_dir.join("proctor.sqlite");
    if !path.is_file() {
        bail!("there is no database: {}", path.display());
    }
    Ok(open_store(&config.data_dir)?)
}

/// Why a day has no receipts.
async fn no_day(store: &Store, day: &str) -> anyhow::Error {
    if !is_day(day) {
        return anyhow::anyhow!("{day:?} is no day: write YYYY-MM-DD");
    }
    match store.finalizations_of(day.to_owned()).await {
        Err(error) => error.into(),
        Ok(of) if of.is_empty() => {
            anyhow::anyhow!("there is no day {day}: nothing was finalized on it")
        }
        Ok(_) => anyhow::anyhow!(
            "{day} has no receipts: it was finalized before there were any, or with \
             receipts.record = false"
        ),
    }
}

fn is_day(day: &str) -> bool {
    let form = |(i, c): (usize, char)| match i {
        4 | 7 => c == '-',
        _ => c.is_ascii_digit(),
    };
    day.len() == 10 && day.chars().enumerate().all(form)
}

/// A receipt that anybody may see.
async fn public(store: &Store, id: &str) -> anyhow::Result<ReceiptRow> {
    if !is_digest(id) {
        bail!("{id:?} is no id of a receipt: 64 lower-case hexadecimal digits");
    }
    let row = store.receipt(id.to_owned()).await?;
    match row.filter(ReceiptRow::is_public) {
        Some(row) => Ok(row),
        None => bail!("there is no receipt {id}, or its day is not finalized"),
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let store = open(&self.config.load()?)?;
        let rows = runtime()?.block_on(self.rows(&store))?;
        if self.json {
            let rows: anyhow::Result<Vec<Value>> = rows.iter().map(as_json).collect();
            print_json(&json!({"receipts": rows?}))?;
        } else {
            print!("{}", listed(&rows)?);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn rows(&self, store: &Store) -> anyhow::Result<Vec<ReceiptRow>> {
        let day = match &self.day {
            Some(day) => day.clone(),
            None => match store.heads(None, 1).await?.pop() {
                Some(head) => head.day,
                None => bail!("no day has receipts"),
            },
        };
        if store.head(day.clone(), None).await?.is_none() {
            return Err(no_day(store, &day).await);
        }
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = store.receipts_of_day(day.clone(), after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(rows);
            };
            after = last.leaf;
            let wanted =
                |row: &ReceiptRow| self.challenge.is_none() || row.challenge == self.challenge;
            rows.extend(page.into_iter().filter(wanted));
        }
    }
}

/// A receipt for programs: what is signed, and where it is a leaf.
fn as_json(row: &ReceiptRow) -> anyhow::Result<Value> {
    let body: Value = serde_json::from_str(&row.body)?;
    Ok(json!({
        "id": row.id,
        "receipt": body,
        "signature": row.signature,
        "signer": row.signer,
        "day": row.day,
        "leaf": row.leaf,
        "named_by": row.named_by,
    }))
}

fn listed(rows: &[ReceiptRow]) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for row in rows {
        let receipt = show::receipt(row)?;
        lines.push(vec![
            row.leaf.map_or_else(|| "-".into(), |leaf| leaf.to_string()),
            row.id.clone(),
            receipt.kind.name().to_owned(),
            row.challenge.clone().unwrap_or_else(|| "-".into()),
            receipt.outcome.clone(),
            receipt.fuel.to_string(),
            receipt.depends_on.len().to_string(),
        ]);
    }
    let header = [
        "leaf",
        "id",
        "kind",
        "challenge",
        "outcome",
        "fuel",
        "depends on",
    ];
    let right = [true, false, false, false, false, true, true];
    Ok(table(&header, &right, &lines))
}

impl Days {
    fn run(self) -> anyhow::Result<ExitCode> {
        let store = open(&self.config.load()?)?;
        let mut heads = Vec::new();
        runtime()?.block_on(async {
            let mut before = None;
            loop {
                let page = store.heads(before.clone(), PAGE).await?;
                let Some(last) = page.last() else {
                    return anyhow::Ok(());
                };
                before = Some(last.day.clone());
                heads.extend(page);
            }
        })?;
        if self.json {
            let signed = heads.iter().map(crate::bundles::signed_head);
            let signed: Result<Vec<_>, _> = signed.collect();
            print_json(&json!({"days": signed?}))?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows = heads
            .into_iter()
            .map(|head| vec![head.day, head.size.to_string(), head.root, head.signer]);
        let header = ["day", "receipts", "root", "signer"];
        let right = [false, true, false, false];
        print!("{}", table(&header, &right, &rows.collect::<Vec<_>>()));
        Ok(ExitCode::SUCCESS)
    }
}
