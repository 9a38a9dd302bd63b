//! `proctor challenge`.

mod access;
mod change;
mod delete;
mod logs;
mod look;

use super::admin::{Api, Connection};
use super::{print_json, runtime};
use crate::config::{CHALLENGE_NAME, is_challenge_name};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use std::process::ExitCode;

/// Look after challenges.
#[derive(Debug, Args)]
pub(super) struct Challenge {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a record. Prints the challenge's token, which is told this once.
    Create(change::Create),
    /// List the records, and how each challenge does.
    List,
    /// Show a record.
    Show(Slug),
    /// Change fields of a record. Refused if somebody else changes it meanwhile.
    Update(change::Update),
    /// Have a challenge run.
    Activate(Operation),
    /// Have a challenge not run for now.
    Deactivate(Operation),
    /// Have a challenge never run again.
    Disable(Operation),
    /// Load a challenge anew, as its record says.
    Restart(Operation),
    /// Fetch a challenge's component again.
    Pull(Operation),
    /// Tell how a challenge does. Exits with 1 if it does not run as its record says.
    Status(Slug),
    /// Print what a challenge wrote, and what the host says of its calls.
    Logs(logs::Logs),
    /// List the components that a challenge ran.
    Versions(Slug),
    /// Make a new token, and print it; those before end after a while.
    RotateToken(access::RotateToken),
    /// End a token at once.
    RevokeToken(access::RevokeToken),
    /// Set the value of a secret, from the standard input or a file.
    SetSecret(access::SetSecret),
    /// Remove the value of a secret.
    RemoveSecret(access::RemoveSecret),
    /// Go back to a component that the challenge ran before; it is pinned then.
    Rollback(Rollback),
    /// Delete a record.
    Delete(delete::Delete),
    /// Tell who changed what.
    Audit(look::Audit),
}

#[derive(Debug, Args)]
struct Slug {
    /// The challenge.
    #[arg(value_parser = slug)]
    slug: String,
}

#[derive(Debug, Args)]
struct Operation {
    /// The challenge.
    #[arg(value_parser = slug)]
    slug: String,
    /// Only check it.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Rollback {
    /// The challenge.
    #[arg(value_parser = slug)]
    slug: String,
    /// The component, one of `proctor challenge versions`, or the beginning of it.
    /// Default: the last one that is another.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Only check it.
    #[arg(long)]
    dry_run: bool,
}

/// What a challenge may be called: part of an address.
fn slug(text: &str) -> Result<String, String> {
    match is_challenge_name(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("not {CHALLENGE_NAME}")),
    }
}

impl Challenge {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Challenge {
            command,
            connection,
        } = self;
        let asked = runtime()?.block_on(async {
            let asker = Asker {
                api: connection.open()?,
                json: connection.json,
            };
            command.run(&asker).await
        });
        connection.end(asked)
    }
}

/// Who asks, and for whom.
struct Asker {
    api: Api,
    /// Whether to print the answers as they are.
    json: bool,
}

impl Asker {
    /// Prints an answer: as JSON, or what of it people want to know.
    fn print(
        &self,
        body: &Value,
        human: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<ExitCode> {
        if self.json {
            print_json(body)?;
        } else {
            print!("{}", human(body));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn operate(&self, operation: &Operation, name: &str) -> anyhow::Result<ExitCode> {
        let parts = ["challenges", &operation.slug, name];
        let answer = self.api.post(&parts, dry(operation.dry_run), None).await?;
        self.print(&answer.body, |body| {
            would(operation.dry_run) + &look::operation(body)
        })
    }

    async fn roll_back(&self, rollback: &Rollback) -> anyhow::Result<ExitCode> {
        let digest = match &rollback.digest {
            Some(digest) => Some(self.complete(&rollback.slug, digest).await?),
            None => None,
        };
        let body = digest.map(|digest| serde_json::json!({ "digest": digest }));
        let parts = ["challenges", &rollback.slug, "rollback"];
        let query = dry(rollback.dry_run);
        let answer = self.api.post(&parts, query, body.as_ref()).await?;
        self.print(&answer.body, |body| {
            would(rollback.dry_run) + &look::operation(body)
        })
    }

    /// The digest of a challenge's version of which the beginning was given, if it is
    /// the beginning of one.
    async fn complete(&self, slug: &str, digest: &str) -> anyhow::Result<String> {
        let versions = self.api.get(&["challenges", slug, "versions"], &[]).await?;
        let versions = look::each(&versions.body, "/versions").iter();
        let digests = versions.filter_map(|version| version.get("digest")?.as_str());
        let wanted = digest.trim_start_matches("sha256:");
        let mut fitting =
            digests.filter(|known| known.trim_start_matches("sha256:").starts_with(wanted));
        match (fitting.next(), fitting.next()) {
            (Some(one), None) => Ok(one.to_owned()),
            // The host tells what is wrong with it.
            _ => Ok(digest.to_owned()),
        }
    }
}

impl Command {
    async fn run(self, asker: &Asker) -> anyhow::Result<ExitCode> {
        match self {
            Command::Create(command) => command.run(asker).await,
            Command::List => asker.list().await,
            Command::Show(Slug { slug }) => asker.show(&slug).await,
            Command::Update(command) => command.run(asker).await,
            Command::Activate(operation) => asker.operate(&operation, "activate").await,
            Command::Deactivate(operation) => asker.operate(&operation, "deactivate").await,
            Command::Disable(operation) => asker.operate(&operation, "disable").await,
            Command::Restart(operation) => asker.operate(&operation, "restart").await,
            Command::Pull(operation) => asker.operate(&operation, "pull").await,
            Command::Status(Slug { slug }) => asker.status(&slug).await,
            Command::Logs(command) => command.run(asker).await,
            Command::Versions(Slug { slug }) => asker.versions(&slug).await,
            Command::RotateToken(command) => command.run(asker).await,
            Command::RevokeToken(command) => command.run(asker).await,
            Command::SetSecret(command) => command.run(asker).await,
            Command::RemoveSecret(command) => command.run(asker).await,
            Command::Rollback(rollback) => asker.roll_back(&rollback).await,
            Command::Delete(command) => command.run(asker).await,
            Command::Audit(command) => command.run(asker).await,
        }
    }
}

/// The query of a change.
fn dry(dry_run: bool) -> &'static [(&'static str, &'static str)] {
    if dry_run { &[("dry_run", "true")] } else { &[] }
}

/// What comes before that of which nothing was done.
fn would(dry_run: bool) -> String {
    match dry_run {
        true => "Nothing was changed: this would go through.\n".into(),
        false => String::new(),
    }
}

/// A change of a record that was just read.
async fn change(
    asker: &Asker,
    method: Method,
    parts: &[&str],
    query: &[(&str, &str)],
    etag: Option<&str>,
    body: Option<&Value>,
) -> anyhow::Result<super::admin::Answer> {
    let url = asker.api.url(parts, query);
    asker.api.change(method, url, etag, body).await
}
