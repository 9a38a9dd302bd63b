//! Every code that the host tells is on the page `docs/codes.md`, in its section, and no
//! other.

use super::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Codes = BTreeSet<String>;

/// What tells a problem of the API, beside closures of these names.
const PROBLEMS: [&str; 8] = [
    "Problem::new",
    "Problem::unprocessable",
    "Problem::conflict",
    "Problem::missing",
    "Problem::bad_request",
    "forbidden",
    "refused",
    "unauthorized",
];

/// The sections of the page, and where their codes are in the code.
fn in_the_code() -> BTreeMap<&'static str, Codes> {
    BTreeMap::from([
        ("What came of a call", matched("sandbox/outcome.rs", "code")),
        (
            "Why a component does not run",
            union([
                told("", &["Rejection::new"]),
                matched("plugins/load.rs", "component_error"),
                matched("registry/gpu/capability.rs", "code"),
            ]),
        ),
        (
            "Why a component cannot be pulled or pushed",
            matched_below("registry/oci", "code"),
        ),
        (
            "Problems of the API",
            union([
                told("api", &PROBLEMS),
                matched("api/receipts/bundle.rs", "problem"),
                matched("api/admin/challenges.rs", "problem"),
                matched("chain/btauth.rs", "code"),
                matched("chain/signed.rs", "code"),
                matched("chain/nonced.rs", "code"),
                matched("chain/dendrite.rs", "code"),
                matched("organic/admit.rs", "code"),
                matched("validators/rules.rs", "code"),
                matched("submission/error.rs", "code"),
            ]),
        ),
        (
            "Why a commit is refused",
            union([
                matched("commits/reveal.rs", "code"),
                matched("commits/sift.rs", "code"),
                matched("commits/rejected.rs", "code"),
                matched("commits/collect.rs", "code"),
            ]),
        ),
        (
            "Why a weight is not paid",
            matched("weights/derivation.rs", "code"),
        ),
        (
            "Why an iteration fails",
            union([
                assigned("organic", "code: \""),
                assigned("store/organic", "code = '"),
            ]),
        ),
        (
            "Why a miner has no answer",
            matched("sandbox/organic.rs", "failure_name"),
        ),
        ("What the chain answers", matched("chain/error.rs", "code")),
        (
            "The storage service and the archive",
            union([
                matched("storage/client.rs", "code"),
                matched("storage/poll.rs", "code"),
                matched("outbox.rs", "code"),
            ]),
        ),
        (
            "What is wrong with a bundle",
            matched_below("receipts/bundle", "code"),
        ),
    ])
}

#[test]
fn every_code_is_on_the_page_and_no_other() {
    let page = fs::read_to_string(repository("docs/codes.md")).unwrap();
    let mut on_the_page = on_the_page(&page);
    for (section, codes) in in_the_code() {
        assert!(!codes.is_empty(), "{section}: no codes were found");
        let told = on_the_page.remove(section).unwrap_or_default();
        let missing: Vec<&String> = codes.difference(&told).collect();
        let invented: Vec<&String> = told.difference(&codes).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "docs/codes.md, {section}: {missing:?} are missing, {invented:?} are no codes"
        );
    }
    on_the_page.retain(|_, codes| !codes.is_empty());
    assert!(
        on_the_page.is_empty(),
        "sections of no source: {on_the_page:?}"
    );
}

/// Outcomes are told by type, as a check of how the others are found.
#[test]
fn codes_are_found_in_the_code() {
    let outcomes = proctor_host::sandbox::Outcome::ALL.map(|outcome| outcome.code().to_owned());
    assert_eq!(in_the_code()["What came of a call"], Codes::from(outcomes));
    let text = "f(Status::A, \"one_1\", x); f(\n \"two\"); f(three, \"no \"); ff(\"no\"); f(c, d)";
    assert_eq!(first_arguments(text, "f"), ["one_1", "two"]);
}

fn union<const N: usize>(parts: [Codes; N]) -> Codes {
    parts.into_iter().flatten().collect()
}

/// What stands in the first column of the tables of each section.
fn on_the_page(page: &str) -> BTreeMap<&str, Codes> {
    let mut sections: BTreeMap<&str, Codes> = BTreeMap::new();
    let mut section = "";
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let cell = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once("` |"));
        if let Some((codes, _)) = cell {
            let codes = codes.split("`, `").map(str::to_owned);
            sections.entry(section).or_default().extend(codes);
        }
    }
    sections
}

/// Files of the host without their tests.
fn sources(below: &str) -> Vec<String> {
    let path = repository("host/src").join(below);
    let mut files = Vec::new();
    collect(&path, &mut files);
    // A module is a file and a directory.
    let file = path.with_extension("rs");
    if !below.is_empty() && file.is_file() {
        files.push(code_of(&file));
    }
    files
}

fn collect(path: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            files.push(code_of(&path));
        }
    }
}

fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.to_owned()
}

/// Codes that these functions are called with, as the first argument or after it.
fn told(below: &str, functions: &[&str]) -> Codes {
    let files = sources(below);
    let calls = files
        .iter()
        .flat_map(|file| functions.iter().map(move |function| (file, function)));
    calls
        .flat_map(|(file, function)| first_arguments(file, function))
        .collect()
}

fn first_arguments(text: &str, function: &str) -> Vec<String> {
    let mut codes = Vec::new();
    for (at, _) in text.match_indices(&format!("{function}(")) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let arguments = text[at + function.len() + 1..].trim_start();
        let first = literal(arguments);
        let second = || {
            let (first, rest) = arguments.split_once(',')?;
            let plain = |c: char| c.is_alphanumeric() || "_:.()".contains(c);
            if !first.chars().all(plain) {
                return None;
            }
            literal(rest.trim_start())
        };
        codes.extend(first.or_else(second));
    }
    codes
}

/// Codes that a function of a file makes in a `match`.
fn matched(file: &str, function: &str) -> Codes {
    matched_in(&code_of(&repository("host/src").join(file)), function)
}

/// The same of all files of a module.
fn matched_below(module: &str, function: &str) -> Codes {
    let files = sources(module);
    files
        .iter()
        .flat_map(|file| matched_in(file, function))
        .collect()
}

fn matched_in(text: &str, function: &str) -> Codes {
    let mut codes = Codes::new();
    for (at, _) in text.match_indices(&format!("fn {function}(")) {
        let body = &text[at..];
        // As rustfmt ends it: with the indent that it began with.
        let line = text[..at].rsplit('\n').next().unwrap();
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let end = body.find(&format!("\n{indent}}}\n")).unwrap_or(body.len());
        let arms = body[..end].split("=>").skip(1);
        codes.extend(arms.filter_map(|arm| literal(arm.trim_start().trim_start_matches('('))));
    }
    codes
}

/// Codes that a field, or a column, is given.
fn assigned(module: &str, begin: &str) -> Codes {
    let files = sources(module);
    let values = files.iter().flat_map(|file| file.split(begin).skip(1));
    let codes = values.filter_map(|rest| rest.split(['"', '\'']).next());
    codes.map(str::to_owned).collect()
}

/// The code that a text begins with.
fn literal(text: &str) -> Option<String> {
    let (code, _) = text.strip_prefix('"')?.split_once('"')?;
    let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!code.is_empty() && code.chars().all(snake)).then(|| code.to_owned())
}
