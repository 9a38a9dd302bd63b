//! Pages of the book that are kept beside what they describe, with their links turned.

use super::{assert_current, repository};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where each is, and what it is in the book.
const COPIES: [(&str, &str); 5] = [
    ("plugin-sdk/README.md", "sdk/rust.md"),
    ("plugin-sdk/python/README.md", "sdk/python.md"),
    ("plugin-sdk/js/README.md", "sdk/js.md"),
    ("clients/python/README.md", "client-python.md"),
    ("deploy/README.md", "monitoring.md"),
];

#[test]
fn the_book_has_what_is_kept_elsewhere() {
    for (source, page) in COPIES {
        let text = fs::read_to_string(repository(source)).unwrap();
        let (title, rest) = text.split_once('\n').unwrap();
        assert!(title.starts_with("# "), "{source} begins with its title");
        let copy = format!(
            "{title}\n\n<!-- A copy of `{source}`, made by \
             `PROCTOR_TEST_UPDATE=1 cargo test --workspace --test docs`. -->\n{}",
            turned(rest, source, page)
        );
        assert_current(page, &copy);
    }
}

/// The text with links that lead from the page to where they led from the source. What
/// leads out of the book is no link there.
fn turned(text: &str, source: &str, page: &str) -> String {
    let mut out = String::new();
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        match fenced || fence || line.starts_with("    ") {
            true => out.push_str(line),
            false => out.push_str(&turned_line(line, source, page)),
        }
    }
    out
}

fn turned_line(line: &str, source: &str, page: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((target, after)) = after.split_once(')') else {
            break;
        };
        let whole = target.starts_with('#') || target.contains("://");
        let new = match whole {
            true => Some(target.to_owned()),
            false => in_the_book(target, source, page),
        };
        match (new, before.rsplit_once('[')) {
            (Some(new), _) => out.push_str(&format!("{before}]({new})")),
            (None, Some((before, words))) => out.push_str(&format!("{before}{words}")),
            (None, None) => out.push_str(before),
        }
        rest = after;
    }
    out + rest
}

fn in_the_book(target: &str, source: &str, page: &str) -> Option<String> {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, format!("#{anchor}")),
        None => (target, String::new()),
    };
    let file = plain(&Path::new(source).parent().unwrap().join(path));
    let copied = COPIES.iter().find(|(source, _)| Path::new(source) == file);
    let to = match (copied, file.strip_prefix("docs")) {
        (Some((_, page)), _) => PathBuf::from(page),
        (None, Ok(page)) => page.to_owned(),
        (None, Err(_)) if file.starts_with("wit") => "reference/contract.md".into(),
        (None, Err(_)) => return None,
    };
    let up = "../".repeat(Path::new(page).components().count() - 1);
    Some(format!("{up}{}{anchor}", to.display()))
}

/// The path without its `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            component => plain.push(component),
        }
    }
    plain
}

#[test]
fn links_of_a_copy_lead_where_they_led() {
    let (source, page) = ("plugin-sdk/README.md", "sdk/rust.md");
    let line = "[a](../docs/limits.md#fuel) [b](js/README.md) [c](../host/x.rs) [d](#e) \
                [f](../wit/solver/solver.wit)";
    let turned = turned(line, source, page);
    assert_eq!(
        turned,
        "[a](../limits.md#fuel) [b](../sdk/js.md) c [d](#e) [f](../reference/contract.md)"
    );
}
