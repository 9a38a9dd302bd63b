//! The rooms of ARCHITECTURE.md, and what each must not know.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "helper functions of a test"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

/// Files of the rooms in which any of `words` stands.
fn knowing(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src).into_iter().filter_map(|path| {
        let name = path
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let knows = code
            .into_iter()
            .any(|line| words.iter().any(|word| line.contains(word)));
        let may = allowed.iter().any(|room| name.starts_with(room));
        (knows && !may).then_some(name)
    });
    files.collect()
}

fn nobody_but(allowed: &[&str], words: &[&str]) {
    assert_eq!(
        knowing(words, allowed),
        [""; 0],
        "only {allowed:?} may know {words:?}"
    );
}

#[test]
fn only_the_sandbox_knows_wasmtime() {
    nobody_but(&["sandbox"], &["wasmtime::", "wasmtime_wasi"]);
}

#[test]
fn only_the_store_knows_the_database() {
    nobody_but(&["store", "sandbox/database.rs"], &["rusqlite"]);
}

#[test]
fn only_the_api_knows_http() {
    nobody_but(&["api"], &["axum::", "tower::", "tower_http::"]);
}

#[test]
fn only_the_archive_knows_object_stores() {
    nobody_but(&["archive"], &["object_store::"]);
}

#[test]
fn only_the_compile_cache_is_unsafe() {
    nobody_but(
        &["sandbox/compile_cache.rs"],
        &["unsafe ", "allow(unsafe_code)"],
    );
}

/// Files of other rooms that only compute.
const PURE: [&str; 11] = [
    "audit/rules.rs",
    "chain/call.rs",
    "chain/commit_hash.rs",
    "chain/drand.rs",
    "chain/epoch.rs",
    "chain/preflight.rs",
    "chain/preflight/checks.rs",
    "chain/preflight/weights.rs",
    "organic/rate.rs",
    "organic/trigger.rs",
    "submission/schedule.rs",
];

#[test]
fn the_files_that_only_compute_exist() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(PURE.iter().all(|file| src.join(file).exists()));
}

#[test]
fn only_the_chain_knows_subxt() {
    nobody_but(&["chain"], &["subxt::", "subxt_rpcs::"]);
}

#[test]
fn pure_rooms_do_no_io_and_read_no_clock() {
    let io = [
        "std::fs",
        "tokio",
        "SystemTime",
        "Instant",
        "crate::store",
        "crate::sandbox",
    ];
    let impure: Vec<String> = knowing(&io, &[])
        .into_iter()
        .filter(|name| {
            name.starts_with("weights")
                || name.starts_with("compat")
                || PURE.contains(&name.as_str())
                || (name.starts_with("commits")
                    && name != "commits/ingest.rs"
                    && name != "commits.rs")
        })
        .collect();
    assert_eq!(impure, [""; 0]);
}

#[test]
fn lower_rooms_do_not_look_up() {
    let rooms: [(&str, &[&str]); 11] = [
        (
            "authoring",
            &[
                "crate::api",
                "crate::chain",
                "crate::cli",
                "crate::scoring",
                "crate::store",
            ],
        ),
        ("bundles", &["crate::api", "crate::cli", "crate::scoring"]),
        (
            "receipts",
            &[
                "crate::api",
                "crate::cli",
                "crate::scoring",
                "crate::store",
                "crate::plugins",
            ],
        ),
        (
            "store",
            &[
                "crate::api",
                "crate::scoring",
                "crate::plugins",
                "crate::commits",
                "crate::cli",
            ],
        ),
        (
            "sandbox",
            &[
                "crate::api",
                "crate::scoring",
                "crate::plugins",
                "crate::store",
                "crate::cli",
            ],
        ),
        (
            "plugins",
            &["crate::api", "crate::scoring", "crate::store", "crate::cli"],
        ),
        (
            "scoring",
            &[
                "crate::api",
                "crate::cli",
                "crate::host",
                "crate::submission",
            ],
        ),
        (
            "chain",
            &[
                "crate::api",
                "crate::cli",
                "crate::scoring",
                "crate::store",
                "crate::submission",
            ],
        ),
        ("submission", &["crate::api", "crate::cli", "crate::host"]),
        (
            "organic",
            &[
                "crate::api",
                "crate::cli",
                "crate::host",
                "crate::submission",
            ],
        ),
        (
            "miners",
            &[
                "crate::api",
                "crate::cli",
                "crate::organic",
                "crate::plugins",
                "crate::scoring",
                "crate::store",
            ],
        ),
    ];
    for (room, above) in rooms {
        let looking: Vec<String> = knowing(above, &[])
            .into_iter()
            .filter(|name| name.starts_with(room))
            .collect();
        assert_eq!(looking, [""; 0], "{room} must not know {above:?}");
    }
}

#[test]
fn the_tests_that_the_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/scoring-api.md")).unwrap();
    let (_, table) = text.split_once("| there | here | test |").unwrap();
    let names = table.split('`').filter(|name| {
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        name.len() > 15 && name.chars().all(is_name)
    });
    let rooms = ["host/src", "host/tests", "tests", "plugin-sdk"];
    let files = rooms.iter().flat_map(|room| sources(&root.join(room)));
    let rust = files.filter(|file| file.extension().is_some_and(|e| e == "rs"));
    let code: String = rust.map(|file| fs::read_to_string(file).unwrap()).collect();
    let missing: Vec<&str> = names
        .filter(|name| !code.contains(&format!("fn {name}()")))
        .collect();
    assert_eq!(missing, [""; 0]);
}
