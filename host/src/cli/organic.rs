//! `proctor organic`.

mod entries;
mod send;
mod show;

use super::admin::show::text;
use super::admin::{Api, Connection};
use super::{print_json, runtime};
use crate::config::{CHALLENGE_NAME, is_challenge_name};
use clap::{Args, Subcommand};
use entries::{Entries, Retry};
use send::Send;
use serde_json::{Value, json};
use show::{changed, list, status};
use std::process::ExitCode;
use std::time::Duration;

/// How often it is asked whether the last iteration has ended.
const LOOK: Duration = Duration::from_millis(500);

/// Look after organic scoring of a host that serves.
#[derive(Debug, Subcommand)]
pub(super) enum Organic {
    /// Tell how organic scoring does: of each challenge that has it, or of one.
    Status(Status),
    /// Have iterations begin, from now on and after a restart.
    Start(Start),
    /// Have no iteration begin, from now on and after a restart. Those that run end by
    /// themselves, and entries are queued all the same.
    Stop(Stop),
    /// Count steps, which iterations are triggered by where `trigger` is `steps`.
    Step(Step),
    /// Forget what rewards came to: the next iteration begins with no state. What miners
    /// are paid stays as it is until then.
    Reset(Reset),
    /// List the entries of a challenge, the last first.
    Entries(Entries),
    /// Queue an entry again that failed or was dropped.
    Retry(Retry),
    /// Send an entry, as a caller. Exits with 1 if it was waited for and has no answer.
    Send(Send),
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The challenge. Default: all.
    #[arg(value_parser = slug)]
    challenge: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Start {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Stop {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    /// Wait until the iterations have ended that run.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Step {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    /// So many steps more.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    by: u64,
    /// As many steps as that, whatever was counted.
    #[arg(long, value_name = "N", conflicts_with = "by")]
    set: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    #[command(flatten)]
    connection: Connection,
}

/// What a challenge may be called: part of an address.
fn slug(text: &str) -> Result<String, String> {
    match is_challenge_name(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("not {CHALLENGE_NAME}")),
    }
}

impl Organic {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Organic::Status(command) => command.run(),
            Organic::Start(command) => command.run(),
            Organic::Stop(command) => command.run(),
            Organic::Step(command) => command.run(),
            Organic::Reset(command) => command.run(),
            Organic::Entries(command) => command.run(),
            Organic::Retry(command) => command.run(),
            Organic::Send(command) => command.run(),
        }
    }
}

/// Asks the host, and prints what it answers: as JSON, or what of it people want to know.
fn ask(
    connection: &Connection,
    question: impl AsyncFnOnce(&Api) -> anyhow::Result<Value>,
    human: impl FnOnce(&Value) -> String,
) -> anyhow::Result<ExitCode> {
    let asked = runtime()?.block_on(async {
        let api = connection.open()?;
        let answer = question(&api).await?;
        match connection.json {
            true => print_json(&answer)?,
            false => print!("{}", human(&answer)),
        }
        Ok(ExitCode::SUCCESS)
    });
    connection.end(asked)
}

impl Status {
    fn run(self) -> anyhow::Result<ExitCode> {
        let mut parts = vec!["organic"];
        parts.extend(self.challenge.as_deref());
        let human = match self.challenge {
            Some(_) => status,
            None => list,
        };
        let question = async |api: &Api| Ok(api.get(&parts, &[]).await?.body);
        ask(&self.connection, question, human)
    }
}

impl Start {
    fn run(self) -> anyhow::Result<ExitCode> {
        let parts = ["organic", &self.challenge, "start"];
        let question = async |api: &Api| Ok(api.post(&parts, &[], None).await?.body);
        ask(&self.connection, question, changed)
    }
}

impl Stop {
    fn run(self) -> anyhow::Result<ExitCode> {
        let parts = ["organic", &self.challenge, "stop"];
        let question = async |api: &Api| {
            let mut told = api.post(&parts, &[], None).await?.body;
            while self.wait && text(&told, "/state") == "stopping" {
                tokio::time::sleep(LOOK).await;
                told = api.get(&["organic", &self.challenge], &[]).await?.body;
            }
            Ok(told)
        };
        ask(&self.connection, question, changed)
    }
}

impl Step {
    fn body(&self) -> Value {
        match self.set {
            Some(set) => json!({ "set": set }),
            None => json!({ "add": self.by }),
        }
    }

    fn run(self) -> anyhow::Result<ExitCode> {
        let (parts, body) = (["organic", &self.challenge, "steps"], self.body());
        // Counted once, also if the answer is lost.
        let question = async |api: &Api| Ok(api.post_once(&parts, &[], &body).await?.body);
        ask(&self.connection, question, changed)
    }
}

impl Reset {
    fn run(self) -> anyhow::Result<ExitCode> {
        let parts = ["organic", &self.challenge, "reset"];
        let question = async |api: &Api| Ok(api.post(&parts, &[], None).await?.body);
        ask(&self.connection, question, changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(subcommand)]
        organic: Organic,
    }

    fn parse(arguments: &[&str]) -> Result<Organic, String> {
        let parsed = Command::try_parse_from([&["organic"], arguments].concat());
        parsed
            .map(|command| command.organic)
            .map_err(|error| error.to_string())
    }

    fn step(arguments: &[&str]) -> Value {
        match parse(&[&["step", "echo"], arguments].concat()).unwrap() {
            Organic::Step(step) => step.body(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn steps_are_added_one_at_a_time_unless_told_otherwise() {
        assert_eq!(step(&[]), json!({"add": 1}));
        assert_eq!(step(&["--by", "7"]), json!({"add": 7}));
        assert_eq!(step(&["--set", "0"]), json!({"set": 0}));
    }

    #[test]
    fn what_is_no_command_is_told() {
        for (arguments, told) in [
            (&["step", "echo", "--by", "0"][..], "0 is not in 1.."),
            (
                &["step", "echo", "--by", "1", "--set", "2"],
                "cannot be used with",
            ),
            (&["step", "echo", "--set", "many"], "invalid digit"),
            (&["stop"], "<CHALLENGE>"),
            (&["reset"], "<CHALLENGE>"),
            (&["start", "../etc"], "not "),
            (&["entries", "echo", "--state", "lost"], "possible values"),
            (&["retry", "echo"], "<ID>"),
            (&["send", "echo", "{}"], "--wallet.name"),
            (
                &[
                    "send",
                    "echo",
                    "{}",
                    "--key-uri",
                    "//Alice",
                    "--wallet.name",
                    "a",
                ],
                "cannot be",
            ),
            (&["send", "echo", "{", "--key-uri", "//Alice"], "no JSON"),
            (
                &[
                    "send",
                    "echo",
                    "{}",
                    "--key-uri",
                    "//Alice",
                    "--receiver",
                    "x",
                ],
                "no hotkey",
            ),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(told), "{arguments:?}: {error}");
        }
    }
}
