//! `proctor plugin new` and `proctor solver new`.

use super::super::print_json;
use super::super::terminal::{FAINT, GOOD, styled};
use super::Usage;
use crate::authoring::{Created, Kind, Language, NewError, create, quoted};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// What it is called: 1 to 57 of a-z, 0-9, - and _, first a letter; a submission up to 64.
    name: String,
    /// What it is written in.
    #[arg(long, value_name = "rust|python|js", hide_possible_values = true)]
    lang: Language,
    /// Where it is put; nothing else may be there. Default: a new directory with the name.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

impl New {
    pub(in crate::cli) fn run(self, kind: Kind) -> anyhow::Result<ExitCode> {
        let directory = self.path.as_deref().unwrap_or(Path::new(&self.name));
        let created = match create(kind, self.lang, &self.name, directory) {
            Ok(created) => created,
            Err(error @ NewError::Name { .. }) => return Err(Usage(error.to_string()).into()),
            Err(error) => return Err(error.into()),
        };
        let next = next(kind, &created);
        if self.json {
            print_json(&json!({
                "name": self.name,
                "language": self.lang,
                "path": created.root,
                "files": created.files,
                "next": next,
            }))?;
        } else {
            print(&created, &next);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What to type now.
fn next(kind: Kind, created: &Created) -> Vec<String> {
    let mut next = Vec::new();
    if created.root != Path::new(".") {
        next.push(format!("cd {}", quoted(created.root.as_os_str())));
    }
    next.extend(created.install.iter().cloned());
    let what = match kind {
        Kind::Plugin => "plugin",
        Kind::Solver => "solver",
    };
    next.push(format!("proctor {what} build"));
    next.push(format!("proctor {what} test"));
    next
}

fn print(created: &Created, next: &[String]) {
    let (sdk, own): (Vec<&String>, Vec<&String>) = created
        .files
        .iter()
        .partition(|file| file.starts_with("vendor/"));
    anstream::println!("{} {}", styled(GOOD, "wrote"), created.root.display());
    for file in own {
        anstream::println!("  {file}");
    }
    let sdk = format!("the SDK, {} files", sdk.len());
    anstream::println!("  vendor/  {}", styled(FAINT, sdk));
    anstream::println!("\nNow:\n");
    for command in next {
        anstream::println!("    {command}");
    }
}
