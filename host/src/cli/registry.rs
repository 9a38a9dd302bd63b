//! `proctor registry` and `proctor component`.

use super::admin::show::{each, text};
use super::admin::{Connection, accept, base};
use super::table::table;
use super::{ConfigArgs, print_json, runtime};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Look at what a host tells the public of its challenges.
#[derive(Debug, Subcommand)]
pub(super) enum Registry {
    /// Print the public registry.
    Print(Print),
}

#[derive(Debug, Args)]
pub(super) struct Print {
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

impl Registry {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Registry::Print(command) = self;
        runtime()?.block_on(command.run())
    }
}

impl Print {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let mut listen = self.config.load()?.public.listen;
                if listen.port() == 0 {
                    bail!("public.listen has no port: tell the host's address with --url");
                }
                match listen.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => {
                        listen.set_ip(Ipv4Addr::LOCALHOST.into());
                    }
                    IpAddr::V6(ip) if ip.is_unspecified() => {
                        listen.set_ip(Ipv6Addr::LOCALHOST.into());
                    }
                    _ => {}
                }
                format!("http://{listen}")
            }
        };
        let base = base(&url)?;
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "registry"]);
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60));
        let answer = client.build()?.get(url).send().await;
        let answer = accept(&base, answer, "--url").await?.text().await?;
        let registry: Value = serde_json::from_str(&answer).context("it answers no JSON")?;
        if self.json {
            print_json(&registry)?;
        } else {
            print!("{}", list(&registry));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(registry: &Value) -> String {
    let rows = each(registry, "/challenges").iter().map(|challenge| {
        vec![
            text(challenge, "/slug"),
            text(challenge, "/name"),
            text(challenge, "/status"),
            text(challenge, "/version"),
            text(challenge, "/emission_percent"),
            text(challenge, "/public_path"),
        ]
    });
    let header = ["slug", "name", "status", "version", "emission %", "path"];
    let right = [false, false, false, false, true, false];
    table(&header, &right, &rows.collect::<Vec<_>>())
}

/// The host's own store of components.
#[derive(Debug, Args)]
pub(super) struct Component {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a challenge's component into the host's own store, and print its reference.
    /// It runs nowhere before a record names it.
    Add {
        /// The component.
        file: PathBuf,
        /// Who signed it: what `proctor plugin sign` or `cosign sign-blob` wrote. May be
        /// given for a component that is there already.
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
    },
}

impl Component {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let connection = self.connection;
        let Command::Add { file, signature } = self.command;
        let added = runtime()?.block_on(async {
            let api = connection.open()?;
            let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
            let url = api.url(&["components"], &[]);
            let request = api
                .request(Method::POST, url)
                .header(CONTENT_TYPE, "application/wasm")
                .body(bytes);
            let signature = signature.map(|path| {
                let text = std::fs::read(&path);
                text.with_context(|| path.display().to_string())
            });
            let signature = signature.transpose()?;
            let added = api.send(request).await?.body;
            if let Some(signature) = signature {
                let artifact = text(&added, "/artifact");
                let url = api.url(&["components", &artifact, "signatures"], &[]);
                let request = api.request(Method::POST, url).body(signature);
                api.send(request).await?;
            }
            if connection.json {
                print_json(&added)?;
            } else {
                println!("{}", text(&added, "/artifact"));
            }
            Ok(ExitCode::SUCCESS)
        });
        connection.end(added)
    }
}
