//! `docs/from-docker.md` shows this code as it is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::fs;
use std::path::Path;

const FROM: &str = "<!-- from ";

/// The lines of a text that are not empty, as far as they say something.
fn lines(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_page_shows_the_code_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/from-docker.md")).unwrap();
    let mut shown = 0;
    for part in page.split(FROM).skip(1) {
        let (path, rest) = part.split_once(" -->\n```").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let (block, _) = rest.split_once("\n```").unwrap();
        let file = fs::read_to_string(root.join(path)).unwrap();
        let (file, block) = (lines(&file), lines(block));
        let there = file.windows(block.len()).any(|lines| lines == block);
        assert!(there, "{path} has no such lines:\n{}", block.join("\n"));
        shown += 1;
    }
    // Rust that names no file would not be checked.
    assert_eq!(page.matches("```rust").count() + 2, shown, "of {FROM:?}");
}
