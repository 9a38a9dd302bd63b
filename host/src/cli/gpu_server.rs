//! `proctor gpu-server`.

use super::admin::fields::{Fields, unset};
use super::admin::show::{changes, each, pairs, plain, text, time, visible};
use super::admin::{Api, Connection};
use super::table::table;
use super::{print_json, runtime};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Look after servers with GPUs.
#[derive(Debug, Args)]
pub(super) struct GpuServer {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a server.
    Add(Add),
    /// List the servers.
    List,
    /// Show a server.
    Show(Id),
    /// Change fields of a server. Refused if somebody else changes it meanwhile.
    Update(Update),
    /// Let challenges use a server.
    Enable(Id),
    /// Have no challenge use a server.
    Disable(Id),
    /// Remove a server that is no challenge's.
    Remove(Id),
    /// Ask a server how it is. Exits with 1 if it is not well.
    Health(Id),
}

#[derive(Debug, Args)]
struct Id {
    /// The server.
    #[arg(value_parser = id)]
    id: String,
}

#[derive(Debug, Args)]
struct Add {
    /// What to call it.
    id: String,
    /// Address of its agent.
    #[arg(long, value_name = "ADDRESS")]
    base_url: Option<String>,
    /// The file with the token that it is asked with; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    agent_token_file: Option<PathBuf>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
struct Update {
    /// The server.
    #[arg(value_parser = id)]
    id: String,
    /// Address of its agent.
    #[arg(long, value_name = "ADDRESS")]
    base_url: Option<String>,
    /// The file with the token that it is asked with, an empty one to remove it; `-`
    /// is the standard input.
    #[arg(long, value_name = "FILE")]
    agent_token_file: Option<PathBuf>,
    #[command(flatten)]
    fields: Fields,
    /// Remove what is in a map, as in `labels.rack`.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

/// A part of an address.
fn id(text: &str) -> Result<String, String> {
    match text {
        "" | "." | ".." => Err("no id of a server".into()),
        text => Ok(text.to_owned()),
    }
}

impl GpuServer {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let GpuServer {
            command,
            connection,
        } = self;
        let asked = runtime()?.block_on(async {
            let api = connection.open()?;
            command.run(&api, connection.json).await
        });
        connection.end(asked)
    }
}

impl Command {
    async fn run(self, api: &Api, as_json: bool) -> anyhow::Result<ExitCode> {
        let print = |body: &Value, human: &dyn Fn(&Value) -> String| {
            if as_json {
                return print_json(body);
            }
            print!("{}", human(body));
            anyhow::Ok(())
        };
        match self {
            Command::Add(add) => {
                let token = token(add.agent_token_file.as_deref())?;
                let given = [
                    ("id", &Some(add.id)),
                    ("base_url", &add.base_url),
                    ("token", &token),
                ];
                let body = add.fields.body(&Value::Object(Map::new()), &given)?;
                let body = Value::Object(body);
                let added = api.post_once(&["gpu-servers"], &[], &body).await?;
                print(&added.body, &server)?;
            }
            Command::List => {
                let all = api.get(&["gpu-servers"], &[]).await?;
                print(&all.body, &list)?;
            }
            Command::Show(Id { id }) => {
                let one = api.get(&["gpu-servers", &id], &[]).await?;
                print(&one.body, &server)?;
            }
            Command::Update(update) => {
                let (before, after) = update.run(api).await?;
                print(&after, &|after| {
                    let changed = changes(&before, after, &["revision", "updated_at"]);
                    if changed.is_empty() {
                        return "Nothing is different.\n".into();
                    }
                    let lines = changed
                        .iter()
                        .map(|(field, change)| format!("{field}: {change}\n"));
                    lines.collect()
                })?;
            }
            Command::Enable(Id { id }) => {
                let enabled = api.post(&["gpu-servers", &id, "enable"], &[], None).await?;
                print(&enabled.body, &|_| format!("{id} is enabled\n"))?;
            }
            Command::Disable(Id { id }) => {
                let disabled = api
                    .post(&["gpu-servers", &id, "disable"], &[], None)
                    .await?;
                print(&disabled.body, &|_| format!("{id} is disabled\n"))?;
            }
            Command::Remove(Id { id }) => {
                let url = api.url(&["gpu-servers", &id], &[]);
                api.change(Method::DELETE, url, None, None).await?;
                if !as_json {
                    println!("{id} is removed");
                }
            }
            Command::Health(Id { id }) => {
                let health = api.post(&["gpu-servers", &id, "health"], &[], None).await?;
                print(&health.body, &|health| {
                    let (status, detail) = (text(health, "/status"), text(health, "/detail"));
                    let code = match text(health, "/code").as_str() {
                        "-" => String::new(),
                        code => format!("{code}: "),
                    };
                    let elapsed = text(health, "/elapsed_ms");
                    format!("{id}: {status}, {code}{detail} ({elapsed} ms)\n")
                })?;
                if text(&health.body, "/status") != "ok" {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Update {
    /// The server before and after.
    async fn run(self, api: &Api) -> anyhow::Result<(Value, Value)> {
        let parts = ["gpu-servers", self.id.as_str()];
        let before = api.get(&parts, &[]).await?;
        let token = token(self.agent_token_file.as_deref())?;
        let given = [("base_url", &self.base_url), ("token", &token)];
        let mut body = self.fields.body(&before.body, &given)?;
        for key in &self.unset {
            unset(&mut body, &before.body, key)?;
        }
        if body.is_empty() {
            bail!("there is nothing to change: give --base-url, --set, --unset or --from");
        }
        let url = api.url(&parts, &[]);
        let etag = before.etag.as_deref();
        let body = Value::Object(body);
        let after = api.change(Method::PATCH, url, etag, Some(&body)).await?;
        Ok((before.body, after.body))
    }
}

/// A token from a file: arguments are seen by everybody on the machine.
fn token(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(path) = file else {
        return Ok(None);
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    }
    Ok(Some(text.trim().to_owned()))
}

fn list(body: &Value) -> String {
    let rows = each(body, "/gpu_servers").iter().map(|server| {
        let enabled = server.get("enabled") == Some(&Value::Bool(true));
        vec![
            text(server, "/id"),
            text(server, "/base_url"),
            if enabled { "yes" } else { "no" }.into(),
            text(server, "/min_gpu_count"),
            text(server, "/token_hint"),
        ]
    });
    let header = ["id", "address", "enabled", "GPUs", "token"];
    let right = [false, false, false, true, false];
    table(&header, &right, &rows.collect::<Vec<_>>())
}

fn server(server: &Value) -> String {
    let Some(fields) = server.as_object() else {
        return String::new();
    };
    let mut lines: Vec<(String, String)> = Vec::new();
    for (field, value) in fields {
        match field.as_str() {
            "created_at" | "updated_at" => {
                lines.push((visible(field), time(server, &format!("/{field}"))));
            }
            field => lines.push((visible(field), plain(value))),
        }
    }
    pairs(&lines)
}
