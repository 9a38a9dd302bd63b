//! `proctor weights`.

mod show;

use super::admin::show::{each, short, text, time};
use super::admin::{Api, Connection};
use super::table::table;
use super::{print_json, runtime};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
pub(super) use show::plan;
use show::{Show, submission};
use std::process::ExitCode;
use std::time::Duration;

/// How often it is asked what became of a submission.
const LOOK: Duration = Duration::from_secs(3);

/// Look at the weights of a host that serves, and submit them.
#[derive(Debug, Subcommand)]
pub(super) enum Weights {
    /// Show the current weights, and how they came about.
    Show(Show),
    /// List what was submitted to the chain, the last first.
    History(History),
    /// Submit the current weights now, and wait for what becomes of it. Exits with 1 if
    /// they are not on chain then.
    Submit(Submit),
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// How many, 1 to 1000.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Submit {
    /// Only show the call, its bytes, every check of the chain, and the fee. Exits with
    /// 1 if the chain would refuse it.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for what becomes of it.
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Weights {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Weights::Show(command) => command.run(),
            Weights::History(command) => command.run(),
            Weights::Submit(command) => command.run(),
        }
    }
}

impl History {
    fn run(self) -> anyhow::Result<ExitCode> {
        let asked = runtime()?.block_on(async {
            let api = self.connection.open()?;
            let limit = self.limit.to_string();
            let query = [("limit", limit.as_str())];
            let page = api.get(&["weights", "submissions"], &query).await?;
            if self.connection.json {
                print_json(&page.body)?;
            } else {
                print!("{}", list(&page.body));
            }
            Ok(ExitCode::SUCCESS)
        });
        self.connection.end(asked)
    }
}

impl Submit {
    fn run(self) -> anyhow::Result<ExitCode> {
        let asked = runtime()?.block_on(async {
            let api = self.connection.open()?;
            self.submit(&api).await
        });
        self.connection.end(asked)
    }

    async fn submit(&self, api: &Api) -> anyhow::Result<ExitCode> {
        let dry_run = if self.dry_run { "true" } else { "false" };
        let body = Value::Object(Map::new());
        let parts = ["weights", "submit"];
        let answer = api
            .post_once(&parts, &[("dry_run", dry_run)], &body)
            .await?;
        let mut answer = answer.body;
        if self.dry_run {
            match self.connection.json {
                true => print_json(&answer)?,
                false => print!("{}", plan(answer.get("plan").unwrap_or(&Value::Null))),
            }
            let refused = answer
                .pointer("/plan/refused")
                .is_some_and(|r| !r.is_null());
            return Ok(ExitCode::from(u8::from(refused)));
        }
        let id = text(&answer, "/submission/id");
        if !self.connection.json {
            let (call, hash) = (
                text(&answer, "/submission/call"),
                text(&answer, "/submission/hash"),
            );
            println!("Submission {id}: {call}, extrinsic {hash}");
        }
        if !self.no_wait {
            let found = wait(api, &id).await?;
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("submission".into(), found);
            }
        }
        let found = answer.get("submission").unwrap_or(&Value::Null);
        match self.connection.json {
            true => print_json(&answer)?,
            false => print!("{}", submission(found)),
        }
        let is_well =
            self.no_wait || matches!(text(found, "/state").as_str(), "confirmed" | "finalized");
        Ok(ExitCode::from(u8::from(!is_well)))
    }
}

/// Waits until it is known what became of a submission: of a commit, until the chain
/// has it for good.
async fn wait(api: &Api, id: &str) -> anyhow::Result<Value> {
    loop {
        let found = api.get(&["weights", "submissions", id], &[]).await?.body;
        let is_commit = matches!(text(&found, "/kind").as_str(), "commit" | "timelocked");
        match text(&found, "/state").as_str() {
            "prepared" | "sent" | "included" => {}
            "finalized" if !is_commit => {}
            _ => return Ok(found),
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn list(page: &Value) -> String {
    let rows = each(page, "/submissions").iter().map(|submission| {
        vec![
            text(submission, "/id"),
            time(submission, "/created_at"),
            text(submission, "/kind"),
            text(submission, "/asked_by"),
            text(submission, "/state"),
            text(submission, "/block"),
            text(submission, "/vector").chars().take(12).collect(),
            short(submission, "/outcome"),
        ]
    });
    let header = [
        "id", "made at", "kind", "asked by", "state", "block", "vector", "outcome",
    ];
    let right = [true, false, false, false, false, true, false, false];
    table(&header, &right, &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_history_has_a_line_for_each() {
        let page = json!({"submissions": [
            {"id": 2, "created_at": 1_787_410_800.0, "kind": "set", "asked_by": "schedule",
             "state": "failed", "block": 7, "vector": "0123456789abcdef",
             "outcome": "SettingWeightsTooFast"},
            {"id": 1, "created_at": 1_787_410_800.0, "kind": "set", "asked_by": "operator",
             "state": "sent", "block": null, "vector": "0123456789abcdef", "outcome": null},
        ], "next": null});
        let expected = "\
id  made at               kind  asked by  state   block  vector        outcome
 2  2026-08-22T15:00:00Z  set   schedule  failed      7  0123456789ab  SettingWeightsTooFast
 1  2026-08-22T15:00:00Z  set   operator  sent        -  0123456789ab  -
";
        assert_eq!(list(&page), expected);
    }
}
