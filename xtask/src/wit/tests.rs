use super::*;

const ID: &str = "proctor:challenge@0.1.0";

/// A `wit` folder with one package of two files.
fn folder() -> tempfile::TempDir {
    let wit = tempfile::tempdir().unwrap();
    fs::create_dir(wit.path().join("challenge")).unwrap();
    fs::write(wit.path().join("published.toml"), "# Digests.\n").unwrap();
    put(
        &wit,
        "types.wit",
        &format!("package {ID};\n\ninterface types {{}}\n"),
    );
    put(&wit, "info.wit", "interface info {}\n");
    wit
}

fn published_folder() -> tempfile::TempDir {
    let wit = folder();
    check(wit.path(), true).unwrap();
    wit
}

fn put(wit: &tempfile::TempDir, name: &str, text: &str) {
    fs::write(wit.path().join("challenge").join(name), text).unwrap();
}

fn record(wit: &tempfile::TempDir) -> String {
    fs::read_to_string(wit.path().join("published.toml")).unwrap()
}

fn error(wit: &tempfile::TempDir, publish: bool) -> String {
    format!("{:#}", check(wit.path(), publish).unwrap_err())
}

#[test]
fn a_published_version_that_is_unchanged_passes() {
    let wit = published_folder();
    check(wit.path(), false).unwrap();
}

#[test]
fn a_version_that_is_not_published_passes_and_is_not_recorded() {
    let wit = folder();
    check(wit.path(), false).unwrap();
    assert_eq!(record(&wit), "# Digests.\n");
}

#[test]
fn a_changed_file_fails_and_says_what_to_do() {
    let wit = published_folder();
    put(&wit, "info.wit", "interface info { describe: func(); }\n");
    let error = error(&wit, false);
    for part in [
        "0.1.0",
        "proctor:challenge",
        "wit/challenge",
        "minor",
        "@since",
        "major",
    ] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[test]
fn an_added_file_fails() {
    let wit = published_folder();
    put(&wit, "weights.wit", "interface weights {}\n");
    assert!(error(&wit, false).contains(ID.split('@').next().unwrap()));
}

#[test]
fn a_removed_or_renamed_file_fails() {
    let wit = published_folder();
    let challenge = wit.path().join("challenge");
    fs::rename(challenge.join("info.wit"), challenge.join("about.wit")).unwrap();
    error(&wit, false);
    fs::remove_file(challenge.join("about.wit")).unwrap();
    error(&wit, false);
}

#[test]
fn text_moved_from_one_file_to_the_next_changes_the_digest() {
    let package = |files: [(&str, &str); 2]| {
        let files = files
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
        Package {
            files,
            ..Package::default()
        }
        .digest()
    };
    assert_ne!(
        package([("a.wit", "xb.wit"), ("c.wit", "")]),
        package([("a.wit", "x"), ("b.wit", "c.wit")])
    );
    assert_ne!(
        package([("a.wit", "xy"), ("b.wit", "")]),
        package([("a.wit", "x"), ("b.wit", "y")])
    );
}

#[test]
fn publish_refuses_to_change_an_entry() {
    let wit = published_folder();
    let before = record(&wit);
    put(&wit, "info.wit", "interface info { describe: func(); }\n");
    error(&wit, true);
    assert_eq!(record(&wit), before);
}

#[test]
fn publish_adds_a_new_version_and_keeps_the_old_lines() {
    let wit = published_folder();
    let before = record(&wit);
    put(&wit, "types.wit", "package proctor:challenge@0.2.0;\n");
    check(wit.path(), true).unwrap();

    let after = record(&wit);
    let added = after.strip_prefix(&before).unwrap();
    assert!(
        added.starts_with("\"proctor:challenge@0.2.0\" = \""),
        "{added}"
    );
    check(wit.path(), false).unwrap();

    check(wit.path(), true).unwrap();
    assert_eq!(record(&wit), after, "publishing again does nothing");
}

#[test]
fn files_that_are_not_wit_do_not_count() {
    let wit = published_folder();
    put(&wit, "README.md", "About the contract.\n");
    put(&wit, ".info.wit.swp", "an editor's");
    check(wit.path(), false).unwrap();
}

#[test]
fn a_package_must_say_one_name_and_version() {
    let wit = folder();
    put(&wit, "info.wit", "package proctor:challenge@0.2.0;\n");
    assert!(error(&wit, false).contains("says otherwise"));
    put(&wit, "info.wit", "");
    put(
        &wit,
        "types.wit",
        "package proctor:challenge; // no version\n",
    );
    assert!(error(&wit, false).contains("no version"));
    put(&wit, "types.wit", "// package proctor:challenge@0.1.0;\n");
    assert!(error(&wit, false).contains("no file has a `package` line"));
}

#[test]
fn two_folders_cannot_hold_the_same_version() {
    let wit = folder();
    fs::create_dir(wit.path().join("copy")).unwrap();
    fs::write(
        wit.path().join("copy/types.wit"),
        format!("package {ID};\n"),
    )
    .unwrap();
    assert!(error(&wit, false).contains("two folders"));
}
