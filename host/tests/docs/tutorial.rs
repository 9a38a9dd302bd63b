//! What the author's tutorial shows of a project is what a new project has.

use super::repository;
use std::fs;

const SHOWN: [(&str, &str); 5] = [
    ("rust", "rust/plugin/challenge/src/lib.rs.in"),
    ("python", "python/plugin/challenge.py.in"),
    ("js", "js/plugin/challenge.js.in"),
    ("toml", "rust/plugin/cases/adds.toml.in"),
    ("toml", "rust/plugin/cases/fails.toml.in"),
];

#[test]
fn the_tutorial_shows_what_a_new_project_has() {
    let page = fs::read_to_string(repository("docs/tutorial-author.md")).unwrap();
    let mut blocks: Vec<(&str, &str)> = page
        .split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect();
    blocks.retain(|(language, _)| SHOWN.iter().any(|(shown, _)| shown == language));
    assert_eq!(blocks.len(), SHOWN.len(), "a block is gone, or new");
    for (language, block) in blocks {
        let of_language = SHOWN.iter().filter(|(shown, _)| *shown == language);
        let mut templates = of_language.map(|(_, template)| written(template));
        assert!(
            templates.any(|template| template.contains(block)),
            "no template has this:\n{block}"
        );
    }
}

/// A template as it is written for `my-sum`.
fn written(template: &str) -> String {
    let text = fs::read_to_string(repository("host/templates").join(template)).unwrap();
    text.replace("{{name}}", "my-sum")
        .replace("{{type}}", "MySum")
}
