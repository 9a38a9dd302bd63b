//! Weights, plans and submissions, for people.

use crate::cli::admin::show::{each, pairs, plain, text, time, visible};
use crate::cli::admin::{accept, base};
use crate::cli::table::table;
use crate::cli::{ConfigArgs, print_json, runtime};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

/// The most characters of an argument or of encoded bytes that are shown.
const WIDTH: usize = 100;

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Address of the host. Default: `public.listen` of the configuration, on this
    /// machine.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let vector = runtime()?.block_on(self.ask())?;
        match self.json {
            true => print_json(&vector)?,
            false => print!("{}", weights(&vector)),
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self) -> anyhow::Result<Value> {
        let base = base(&self.address()?)?;
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "weights", "latest"]);
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60));
        let answer = client.build()?.get(url).send().await;
        let answer = accept(&base, answer, "--url").await?.text().await?;
        serde_json::from_str(&answer).context("it answers no JSON")
    }

    fn address(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        let mut listen = self.config.load()?.public.listen;
        if listen.port() == 0 {
            bail!("public.listen has no port: tell the host's address with --url");
        }
        if listen.ip().is_unspecified() {
            listen.set_ip(match listen.is_ipv4() {
                true => Ipv4Addr::LOCALHOST.into(),
                false => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(format!("http://{listen}"))
    }
}

fn line(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// A part of the whole.
fn percent(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer).and_then(Value::as_f64) {
        Some(part) => format!("{:.4} %", part * 100.0),
        None => "-".into(),
    }
}

/// The current vector, with how it came about.
fn weights(vector: &Value) -> String {
    let mut out = pairs(&[
        line("vector", text(vector, "/digest")),
        line("subnet", text(vector, "/netuid")),
        line("day", text(vector, "/day")),
        line("made at", time(vector, "/valid_from")),
        line("valid until", time(vector, "/valid_until")),
        line("decided by", text(vector, "/derivation/decision")),
    ]);
    if let Some(reason) = vector.pointer("/on_chain/refused").and_then(Value::as_str) {
        out.push_str(&format!("NOT FOR THE CHAIN: {}\n", visible(reason)));
    }
    for (pointer, what) in [
        ("/on_chain/padded", "added for the subnet's least number"),
        ("/on_chain/clipped", "cut to the subnet's greatest weight"),
    ] {
        let told = vector.pointer(pointer).map(plain).unwrap_or_default();
        if !matches!(told.as_str(), "" | "-" | "false") {
            out.push_str(&format!("{what}: {told}\n"));
        }
    }
    out.push('\n');
    let on_chain = |uid: &Value| {
        let at = each(vector, "/on_chain/uids")
            .iter()
            .position(|of| of == uid);
        let value = at.and_then(|at| each(vector, "/on_chain/values").get(at));
        value.map_or_else(|| "-".into(), plain)
    };
    let paid = each(vector, "/uids").iter().zip(each(vector, "/weights"));
    let paid = paid.map(|(uid, weight)| vec![plain(uid), percent(weight, ""), on_chain(uid)]);
    let header = ["uid", "weight", "on chain"];
    out.push_str(&table(&header, &[true; 3], &paid.collect::<Vec<_>>()));
    out.push('\n');
    let sources = each(vector, "/source_challenges").iter().map(|source| {
        let slug = text(source, "/slug");
        let share = vector
            .pointer("/derivation/challenges")
            .and_then(|all| all.get(&slug));
        vec![
            slug,
            text(source, "/emission_percent"),
            share.map_or_else(|| "-".into(), |share| percent(share, "/share")),
            text(source, "/source"),
            text(source, "/day"),
            text(source, "/error"),
        ]
    });
    let header = [
        "challenge",
        "emission %",
        "share",
        "source",
        "day",
        "why not its own",
    ];
    let right = [false, true, true, false, false, false];
    out.push_str(&table(&header, &right, &sources.collect::<Vec<_>>()));
    let dropped: Vec<Vec<String>> = each(vector, "/derivation/dropped")
        .iter()
        .map(|dropped| {
            vec![
                text(dropped, "/challenge"),
                text(dropped, "/hotkey"),
                text(dropped, "/reason/code"),
                percent(dropped, "/share"),
            ]
        })
        .collect();
    if !dropped.is_empty() {
        out.push('\n');
        let header = ["not paid: challenge", "hotkey", "reason", "part"];
        out.push_str(&table(&header, &[false, false, false, true], &dropped));
    }
    out
}

/// What would be submitted, and what the chain would say to it.
pub(in crate::cli) fn plan(plan: &Value) -> String {
    let mut lines = vec![
        line("source", text(plan, "/source")),
        line("endpoint", text(plan, "/endpoint")),
        line("block", text(plan, "/block")),
        line("runtime", text(plan, "/spec_version")),
        line("subnet", text(plan, "/netuid")),
        line("mechanism", text(plan, "/mechanism")),
        line("hotkey", text(plan, "/hotkey")),
        line("uid", text(plan, "/signer/uid")),
        line("vector", text(plan, "/vector")),
        line(
            "call",
            format!(
                "{}.{}",
                text(plan, "/call/pallet"),
                text(plan, "/call/call")
            ),
        ),
    ];
    if let Some(arguments) = plan.pointer("/call/arguments").and_then(Value::as_object) {
        for (name, value) in arguments {
            lines.push(line(&format!("  {}", visible(name)), cut(&plain(value))));
        }
    }
    lines.push(line("encoded", cut(&text(plan, "/call_data"))));
    lines.push(line("nonce", text(plan, "/nonce")));
    if let Some(reveal) = plan.get("reveal").filter(|reveal| !reveal.is_null()) {
        let (epoch, block) = (text(reveal, "/epoch"), text(reveal, "/block"));
        let round = text(reveal, "/round");
        lines.push(line(
            "revealed",
            format!("in epoch {epoch}, about block {block}, drand round {round}"),
        ));
    }
    lines.push(line("fee (rao)", text(plan, "/fee_rao")));
    lines.push(line(
        "schedule",
        format!(
            "{} (until block {}): {}",
            text(plan, "/schedule/decision"),
            text(plan, "/schedule/until"),
            text(plan, "/schedule/why")
        ),
    ));
    lines.push(line("next epoch", text(plan, "/schedule/next_epoch_block")));
    if let Some(open) = plan.get("open").filter(|open| !open.is_null()) {
        lines.push(line(
            "open",
            format!(
                "submission {}: nothing is sent before its end is known",
                plain(open)
            ),
        ));
    }
    let mut out = pairs(&lines);
    out.push('\n');
    let checks = each(plan, "/checks").iter().map(|check| {
        let todo = match text(check, "/todo").as_str() {
            "-" => String::new(),
            todo => format!("{}: {todo}", text(check, "/what")),
        };
        vec![text(check, "/error"), text(check, "/verdict"), todo]
    });
    let header = ["check", "verdict", "what to do"];
    out.push_str(&table(&header, &[false; 3], &checks.collect::<Vec<_>>()));
    out.push('\n');
    match plan.get("refused").and_then(Value::as_str) {
        Some(error) => out.push_str(&format!("The chain would answer {}.\n", visible(error))),
        None => out.push_str("The chain would take it.\n"),
    }
    for note in each(plan, "/notes") {
        out.push_str(&format!("Note: {}\n", plain(note)));
    }
    out
}

/// The beginning of what is long, and how long it is.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    if count <= WIDTH {
        return text.to_owned();
    }
    let begin: String = text.chars().take(WIDTH).collect();
    format!("{begin}… ({count} characters; --json has all)")
}

/// What became of a submission.
pub(super) fn submission(submission: &Value) -> String {
    let (state, message) = (text(submission, "/state"), text(submission, "/message"));
    let block = text(submission, "/block");
    let what = match state.as_str() {
        "confirmed" => format!("The weights are on chain, in block {block}."),
        "finalized" => format!(
            "The commit is on chain, in block {block}; it is to be revealed in epoch {}.",
            text(submission, "/reveal_epoch")
        ),
        "prepared" | "sent" | "included" => {
            format!("It is on its way ({state}); see `proctor weights history`.")
        }
        state => format!("{state}, {}: {message}", text(submission, "/outcome")),
    };
    format!("{what}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_tells_the_call_each_check_and_the_verdict() {
        let shown = plan(&json!({
            "source": "offline", "block": 7, "netuid": 1, "hotkey": "5F",
            "signer": {"uid": 3},
            "call": {"pallet": "SubtensorModule", "call": "set_weights",
                     "arguments": {"netuid": 1, "dests": [1, 2]}},
            "call_data": format!("0x{}", "07".repeat(100)),
            "checks": [
                {"error": "DuplicateUids", "verdict": "passed"},
                {"error": "NeuronNoValidatorPermit", "verdict": "refused", "what": "no permit",
                 "todo": "stake more"},
            ],
            "refused": "NeuronNoValidatorPermit",
            "schedule": {"decision": "wait", "why": "it is early", "until": 9},
            "notes": ["offline: no chain was asked"],
        }));
        for expected in [
            "call        SubtensorModule.set_weights\n",
            "  dests     1, 2\n",
            "0707… (202 characters; --json has all)\n",
            "DuplicateUids            passed\n",
            "NeuronNoValidatorPermit  refused  no permit: stake more\n",
            "The chain would answer NeuronNoValidatorPermit.\n",
            "Note: offline: no chain was asked\n",
        ] {
            assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
        }
    }

    #[test]
    fn the_current_weights_are_told_with_what_they_are_made_of() {
        let shown = weights(&json!({
            "digest": "ab", "netuid": 1, "uids": [0, 5], "weights": [0.25, 0.75],
            "on_chain": {"uids": [0, 5], "values": [21845, 65535], "refused": null},
            "source_challenges": [{"slug": "digits", "emission_percent": 100.0,
                "source": "own", "day": "2026-08-22", "error": null}],
            "derivation": {"decision": "miners", "challenges": {"digits": {"share": 1.0}},
                "dropped": [{"challenge": "digits", "hotkey": "5X",
                    "reason": {"code": "unknown_hotkey"}, "share": 0.1}]},
        }));
        for expected in [
            "  0  25.0000 %     21845\n",
            "  5  75.0000 %     65535\n",
            "digits          100.0  100.0000 %  own     2026-08-22  -\n",
            "digits               5X      unknown_hotkey  10.0000 %\n",
        ] {
            assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
        }
        assert!(!shown.contains("NOT FOR THE CHAIN"), "{shown}");
    }

    #[test]
    fn what_became_of_it_is_a_sentence() {
        let told = |state: &str| {
            submission(
                &json!({"state": state, "block": 9, "outcome": "E", "message": "m",
                               "reveal_epoch": 4}),
            )
        };
        assert_eq!(told("confirmed"), "The weights are on chain, in block 9.\n");
        assert!(told("finalized").contains("epoch 4"));
        assert_eq!(told("failed"), "failed, E: m\n");
    }
}
