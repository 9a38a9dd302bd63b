//! Links between the pages of the book.

use super::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A page, by its path within `docs/`.
struct Page {
    text: String,
    anchors: BTreeSet<String>,
}

#[test]
fn every_page_is_in_the_summary_once() {
    let mut listed = links(&fs::read_to_string(repository("docs/SUMMARY.md")).unwrap());
    listed.sort();
    let mut twice = listed.clone();
    twice.dedup();
    assert_eq!(listed, twice, "a page is listed twice");
    let there: Vec<String> = pages()
        .into_keys()
        .filter(|page| page != "SUMMARY.md")
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    for (name, page) in &pages {
        for link in links(&page.text) {
            if let Err(why) = follow(&pages, name, &link) {
                broken.push(format!("docs/{name}: {link}: {why}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

fn follow(pages: &BTreeMap<String, Page>, from: &str, link: &str) -> Result<(), &'static str> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => PathBuf::from(from),
        path => resolve(Path::new(from), path),
    };
    if let Some(page) = pages.get(target.to_str().unwrap()) {
        return match anchor.is_empty() || page.anchors.contains(anchor) {
            true => Ok(()),
            false => Err("there is no such heading"),
        };
    }
    match target.starts_with("..") {
        // The book is read without the repository, too.
        true => Err("it leads out of the book"),
        false => Err("there is no such page"),
    }
}

fn resolve(from: &Path, link: &str) -> PathBuf {
    let mut path = from.parent().unwrap().to_owned();
    for component in Path::new(link).components() {
        match component {
            // What leads out of the book keeps its dots.
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            Component::CurDir => {}
            component => path.push(component),
        }
    }
    path
}

fn pages() -> BTreeMap<String, Page> {
    let mut pages = BTreeMap::new();
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(repository("docs").join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let name = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                left.push(name);
            } else if name.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(entry.path()).unwrap();
                let anchors = anchors(&text);
                pages.insert(name.to_str().unwrap().to_owned(), Page { text, anchors });
            }
        }
    }
    pages
}

/// The lines that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// The text without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

fn links(text: &str) -> Vec<String> {
    let text: Vec<String> = prose(text).map(without_code).collect();
    let text = text.join("\n");
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.map(str::to_owned).collect()
}

/// What the headings are called in links, by mdBook and by others.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    for heading in headings {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let id: String = heading.chars().filter(|c| kept(*c)).collect();
        let id = id.replace(' ', "-");
        let mut numbered = (1..).map(|n| format!("{id}-{n}"));
        let id = match anchors.contains(&id) {
            true => numbered.find(|id| !anchors.contains(id)).unwrap(),
            false => id,
        };
        anchors.insert(id);
    }
    anchors
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let page = |text: &str| Page {
        text: text.to_owned(),
        anchors: anchors(text),
    };
    let pages = BTreeMap::from([
        (
            "a.md".to_owned(),
            page("# A `b`-c, d!\n```\n# no\n```\n## Two\n## Two"),
        ),
        ("in/b.md".to_owned(), page("")),
    ]);
    for (from, link, leads) in [
        ("in/b.md", "../a.md#a-b-c-d", true),
        ("a.md", "#two-1", true),
        ("a.md", "in/b.md", true),
        ("a.md", "../host/Cargo.toml", false),
        ("in/b.md", "../../host/Cargo.toml", false),
        ("a.md", "#no", false),
        ("a.md", "b.md", false),
    ] {
        assert_eq!(follow(&pages, from, link).is_ok(), leads, "{link}");
    }
    assert_eq!(
        links("[a](b) `[c](d)`\n```\n[e](f)\n```\n[g\nh](i#j)"),
        ["b", "i#j"]
    );
}
