//! The page of the book that lists all commands, `docs/reference/cli.md`.

use super::all;
use clap::{Arg, ArgAction, Command};
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/cli.md");

const INTRODUCTION: &str = "\
# Commands

<!-- Written by `PROCTOR_TEST_UPDATE=1 cargo test --workspace --lib cli::man`. -->

This is what `proctor --help` says of every command, of this version. `proctor man` prints it
as man pages, and `proctor completions` makes a shell complete it.

The exit status is 0 if the command did what it was asked, 1 if it failed, and 2 if the
command line or the configuration is wrong. Commands with another status say so below.
What is going on goes to standard error; standard output has the result and nothing else.

The options of [all commands](#options-of-all-commands) are not repeated.
";

/// If it should differ, run this test with PROCTOR_TEST_UPDATE=1.
#[test]
fn the_book_has_every_command_as_it_is() {
    let text = page();
    if std::env::var_os("PROCTOR_TEST_UPDATE").is_some() {
        std::fs::write(PAGE, &text).unwrap();
    }
    let there = std::fs::read_to_string(PAGE).unwrap_or_default();
    let differs = text.lines().zip(there.lines()).find(|(a, b)| a != b);
    assert!(
        text == there,
        "docs/reference/cli.md differs at {differs:?}; PROCTOR_TEST_UPDATE=1 writes it anew"
    );
}

fn page() -> String {
    let all = all();
    let mut page = INTRODUCTION.to_owned();
    let mut sections = String::new();
    write!(page, "\n| command | |\n|---|---|\n").unwrap();
    for command in leaves(&all) {
        let name = command.get_bin_name().unwrap();
        let anchor = name.replace(' ', "-");
        let mut about = command.get_about().unwrap_or_default().to_string();
        end(&mut about);
        writeln!(page, "| [`{name}`](#{anchor}) | {} |", cell(&about)).unwrap();
        section(&mut sections, command, &all);
    }
    write!(page, "\n## Options of all commands\n\n").unwrap();
    options(&mut page, all.get_arguments().filter(|arg| is_shown(arg)));
    page + &sections
}

/// The commands that do something, in the order of the help.
fn leaves(command: &Command) -> Vec<&Command> {
    let inner: Vec<&Command> = command.get_subcommands().collect();
    let mut found = Vec::new();
    for command in inner {
        if command.is_hide_set() {
            continue;
        }
        // A command that has commands may also have options that these share.
        if command.get_subcommands().next().is_none() {
            found.push(command);
        }
        found.extend(leaves(command));
    }
    found
}

fn section(page: &mut String, command: &Command, all: &Command) {
    let name = command.get_bin_name().unwrap();
    write!(page, "\n## {name}\n\n").unwrap();
    let about = command.get_long_about().or_else(|| command.get_about());
    let mut about = text(&about.unwrap_or_default().to_string());
    end(&mut about);
    writeln!(page, "{about}\n").unwrap();
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        writeln!(page, "Also {}.\n", aliases.join(", ")).unwrap();
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    writeln!(page, "```text\n{usage}\n```").unwrap();
    let of_all = |arg: &Arg| {
        all.get_arguments()
            .any(|other| other.get_id() == arg.get_id())
    };
    let own = |arg: &&Arg| is_shown(arg) && !of_all(arg);
    let mut own = command.get_arguments().filter(own).peekable();
    if own.peek().is_some() {
        page.push('\n');
        options(page, own);
    }
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

fn options<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| argument | default | |\n|---|---|---|\n");
    for arg in args {
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let mut meaning = text(&help.unwrap_or_default().to_string()).replace("\n\n", " ");
        end(&mut meaning);
        let takes_value = takes_value(arg);
        let possible: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| takes_value && !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !possible.is_empty() {
            write!(meaning, " One of {}.", possible.join(", ")).unwrap();
        }
        if let Some(variable) = arg.get_env() {
            write!(meaning, " Variable: `{}`.", variable.display()).unwrap();
        }
        let required = if arg.is_required_set() {
            "required"
        } else {
            ""
        };
        let defaults: Vec<String> = arg
            .get_default_values()
            .iter()
            .filter(|_| takes_value && !arg.is_hide_default_value_set())
            .map(|value| format!("`{}`", value.display()))
            .collect();
        let default = match &defaults[..] {
            [] => required.to_owned(),
            values => values.join(" "),
        };
        writeln!(
            page,
            "| `{}` | {default} | {} |",
            called(arg),
            cell(&meaning)
        )
        .unwrap();
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// How it is written, as in `--seed <SEED>`.
fn called(arg: &Arg) -> String {
    let value = || {
        let names = arg.get_value_names().unwrap_or_default();
        let names: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
        let many = matches!(arg.get_action(), ArgAction::Append);
        names.join(" ") + if many { "…" } else { "" }
    };
    let mut called = match (arg.get_short(), arg.get_long()) {
        (None, None) => return value().replace('|', "\\|"),
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
    };
    if takes_value(arg) {
        called = format!("{called} {}", value());
    }
    called.replace('|', "\\|")
}

/// clap takes away the full stop.
fn end(text: &mut String) {
    if !text.is_empty() && !text.ends_with(['.', ':', '?']) {
        text.push('.');
    }
}

/// What looks like a tag in the help is none.
fn text(help: &str) -> String {
    let mut in_code = false;
    let mut text = String::new();
    for c in help.trim().chars() {
        in_code ^= c == '`';
        match c {
            '<' if !in_code => text.push_str("&lt;"),
            '*' if !in_code => text.push_str("\\*"),
            c => text.push(c),
        }
    }
    text
}

fn cell(text: &str) -> String {
    text.replace("\\|", "|")
        .replace('|', "\\|")
        .replace('\n', " ")
}
