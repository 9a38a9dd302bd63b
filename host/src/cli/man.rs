//! `proctor man`.

#[cfg(test)]
mod reference;

use super::{Cli, completions, print_json};
use anyhow::{Context, bail};
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print a man page, or write those of all commands.
///
/// `proctor man plugin new | man -l -` shows the page of `proctor plugin new`.
/// `proctor man --out ~/.local/share/man/man1` writes all, for `man proctor-plugin-new`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    /// The command whose page it is, such as `plugin new`. Default: `proctor` itself.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    of: Vec<String>,
    /// Write the pages of all commands into this directory, which is made if it is not
    /// there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the paths of the files that were written as JSON.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Man {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(out) = &self.out else {
            let command = match find(&self.of) {
                Ok(command) => command,
                Err(error) => {
                    eprintln!("error: {error}");
                    return Ok(ExitCode::from(2));
                }
            };
            let mut page = Vec::new();
            Page::new(command).render(&mut page)?;
            completions::print(&page)?;
            return Ok(ExitCode::SUCCESS);
        };
        let written = write(out)?;
        if self.json {
            print_json(&written)?;
        } else {
            println!("{} pages in {}", written.len(), out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Everything, with what each command has from those above it. The command `help` has no
/// page: its subcommands are all commands once more.
fn all() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

fn find(names: &[String]) -> anyhow::Result<Command> {
    let mut command = all();
    for name in names {
        let Some(inner) = command.find_subcommand(name) else {
            let (within, known) = (command.get_bin_name().unwrap_or_default(), list(&command));
            bail!("{within} has no command {name:?}; it has {known}");
        };
        command = inner.clone();
    }
    Ok(command)
}

fn list(command: &Command) -> String {
    let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    match names[..] {
        [] => "none".to_owned(),
        _ => names.join(", "),
    }
}

/// Writes the pages of all commands, and tells their paths.
fn write(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("cannot write man pages into {}", directory.display());
    fs::create_dir_all(directory).with_context(cannot)?;
    let mut written = Vec::new();
    let mut left = vec![all()];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let path = Page::new(command).generate_to(directory);
        written.push(path.with_context(cannot)?);
    }
    written.sort();
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let written = write(&directory.path().join("a/man1")).unwrap();
        let names: Vec<&str> = written
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        for name in ["proctor.1", "proctor-plugin-inspect.1", "proctor-verify.1"] {
            assert!(names.contains(&name), "{name}");
        }
        let page = fs::read_to_string(directory.path().join("a/man1/proctor-serve.1")).unwrap();
        assert!(page.contains("\\-\\-data\\-dir"), "{page}");
    }

    #[test]
    fn a_command_that_is_none_is_told_with_those_that_are() {
        let error = find(&["plugin".into(), "nwe".into()])
            .unwrap_err()
            .to_string();
        assert!(error.contains("proctor plugin has no command"), "{error}");
        assert!(error.contains("inspect"), "{error}");
    }
}
