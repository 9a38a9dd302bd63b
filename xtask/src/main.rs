//! Chores of this repository, run as `cargo xtask`. Only the standard toolchain
//! is needed, so that a fresh machine can run them.

mod cargo;
mod plugins;
mod setup;
mod wit;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cargo::Workspace;
use crate::wit::Wit;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [ARGS…]      set up, then run `proctor demo ARGS…`
  test [ARGS…]      set up, then run `cargo test --workspace ARGS…`
  plugins           build the example challenges and their solvers into plugins/
  wit               check that published WIT has not changed, and that the SDKs'
                    copies of it are the same; with --publish, record the versions
                    that are not recorded yet; with --copy, write the copies";

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let mut args = env::args().skip(1);
    let command = args.next();
    let args: Vec<String> = args.collect();
    match command.as_deref() {
        Some("demo") => demo(&args),
        Some("test") => test(&args),
        Some("plugins") => {
            no_more(&args)?;
            setup::check()?;
            plugins::build(&Workspace::find()?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some("wit") => {
            let (what, rest) = Wit::of(&args);
            no_more(rest)?;
            wit::run(&Workspace::find()?.root, what)?;
            Ok(ExitCode::SUCCESS)
        }
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => bail!("no command `{other}`\n\n{USAGE}"),
        None => bail!("no command given\n\n{USAGE}"),
    }
}

fn demo(args: &[String]) -> Result<ExitCode> {
    setup::check()?;
    let workspace = Workspace::find()?;
    plugins::build(&workspace)?;
    progress("building the host (the first build takes some minutes)");
    let proctor = workspace.build_binary("proctor")?;
    progress("running the demo");
    let mut demo = cargo::command(proctor);
    demo.current_dir(&workspace.root).arg("demo").args(args);
    cargo::hand_over(demo)
}

fn test(args: &[String]) -> Result<ExitCode> {
    setup::check()?;
    let workspace = Workspace::find()?;
    plugins::build(&workspace)?;
    progress("running the test suite (the first build takes some minutes)");
    let mut test = cargo::cargo();
    test.current_dir(&workspace.root)
        .args(["test", "--workspace"])
        .args(args);
    cargo::hand_over(test)
}

fn no_more(args: &[String]) -> Result<()> {
    match args.first() {
        Some(arg) => bail!("unexpected argument `{arg}`\n\n{USAGE}"),
        None => Ok(()),
    }
}

/// Says what is being done. Output of the command itself belongs to stdout.
fn progress(line: &str) {
    eprintln!("xtask: {line}");
}
