use super::*;

fn created(kind: Kind, language: Language) -> (tempfile::TempDir, Created) {
    let directory = tempfile::tempdir().unwrap();
    let created = create(kind, language, "my-sum", &directory.path().join("my-sum"));
    (directory, created.unwrap())
}

fn text(created: &Created, file: &str) -> String {
    fs::read_to_string(created.root.join(file)).unwrap()
}

#[test]
fn every_template_makes_a_project_without_placeholders() {
    for language in Language::ALL {
        for kind in [Kind::Plugin, Kind::Solver] {
            let (_directory, created) = created(kind, language);
            let project = crate::authoring::Project::find(&created.root).unwrap();
            assert_eq!(project.name, "my-sum");
            assert_eq!(project.language, language);
            assert_eq!(project.challenge.is_some(), kind == Kind::Plugin);
            assert_eq!(project.solvers.len(), 1);
            assert!(project.sdk.is_dir(), "{:?}", project.sdk);
            assert!(project.cases().is_dir());
            for file in created.files.iter().filter(|f| !f.starts_with("vendor/")) {
                let text = text(&created, file);
                assert!(!text.contains("{{"), "{language} {kind:?} {file}: {text}");
                assert!(!file.ends_with(".in"), "{file}");
            }
        }
    }
}

#[test]
fn all_that_is_told_is_written_and_nothing_else() {
    let (_directory, created) = created(Kind::Plugin, Language::Rust);
    let mut found = Vec::new();
    let mut directories = vec![created.root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let path = path.strip_prefix(&created.root).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert_eq!(found, created.files);
    assert!(found.contains(&"vendor/wit/challenge/worlds.wit".to_owned()));
    assert!(found.contains(&".gitignore".to_owned()));
}

#[test]
fn the_sdk_needs_no_workspace() {
    let (_directory, created) = created(Kind::Plugin, Language::Rust);
    let manifest: toml::Table = text(&created, "vendor/proctor-sdk/Cargo.toml")
        .parse()
        .unwrap();
    assert!(!manifest.contains_key("lints"));
    assert_eq!(
        manifest["package"]["version"].as_str(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
    assert!(manifest["dependencies"]["wit-bindgen"].is_str());
    assert_eq!(
        manifest["dependencies"]["rand"]["default-features"].as_bool(),
        Some(false)
    );
    let text = manifest.to_string();
    assert!(!text.contains("workspace"), "{text}");
    assert!(!text.contains("path = "), "{text}");
}

#[test]
fn the_first_build_has_the_versions_that_were_tested() {
    let (_directory, created) = created(Kind::Solver, Language::Rust);
    let lock: toml::Table = text(&created, "Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let has = |name| packages.iter().any(|p| p["name"].as_str() == Some(name));
    for name in ["serde", "schemars", "wasip2", "wit-bindgen", "syn"] {
        assert!(has(name), "{name}");
    }
    for name in ["wasmtime", "subxt", "proctor-host", "proctor-sdk"] {
        assert!(!has(name), "{name}");
    }
}

#[test]
fn what_is_there_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a/my-sum");
    fs::create_dir_all(&root).unwrap();
    // An empty directory will do.
    create(Kind::Plugin, Language::Rust, "my-sum", &root).unwrap();
    let file = root.join("project.toml");
    fs::write(&file, "mine").unwrap();
    let error = create(Kind::Plugin, Language::Rust, "my-sum", &root).unwrap_err();
    assert!(matches!(error, NewError::NotEmpty(_)), "{error}");
    assert!(error.to_string().contains("--path"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let error = create(Kind::Plugin, Language::Rust, "my-sum", &file).unwrap_err();
    assert!(matches!(error, NewError::Io { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut draft = Draft::default();
    let root = directory.path().join("new/project");
    draft.write(&root.join("challenge/lib.rs"), b"1").unwrap();
    draft.write(&root.join("README.md"), b"2").unwrap();
    // What cannot be written: there is a file where a directory must be.
    let error = draft.write(&root.join("README.md/x"), b"3").unwrap_err();
    assert!(matches!(error, NewError::Io { .. }), "{error}");
    drop(draft);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn what_somebody_else_wrote_in_the_meantime_stays() {
    let directory = tempfile::tempdir().unwrap();
    let mut draft = Draft::default();
    let root = directory.path().join("project");
    draft.write(&root.join("README.md"), b"1").unwrap();
    fs::write(root.join("theirs"), "2").unwrap();
    assert!(draft.write(&root.join("theirs"), b"3").is_err());
    drop(draft);
    assert_eq!(fs::read(root.join("theirs")).unwrap(), b"2");
    assert!(!root.join("README.md").exists());
}

#[test]
fn a_name_that_cannot_be_built_is_refused() {
    for (kind, language, name, why) in [
        (Kind::Plugin, Language::Rust, "My-Sum", "a-z"),
        (Kind::Plugin, Language::Rust, "../sum", "a-z"),
        (Kind::Plugin, Language::Js, "", "1 to 57"),
        (Kind::Plugin, Language::Python, "2048", "first a letter"),
        (Kind::Plugin, Language::Rust, &"a".repeat(58), "1 to 57"),
        (Kind::Solver, Language::Rust, "match", "in Rust"),
        (Kind::Plugin, Language::Rust, "serde", "in Rust"),
    ] {
        let error = check_name(kind, language, name).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
    check_name(Kind::Solver, Language::Rust, &"a".repeat(64)).unwrap();
    assert!(check_name(Kind::Solver, Language::Rust, &"a".repeat(65)).is_err());
    check_name(Kind::Plugin, Language::Rust, &"a".repeat(57)).unwrap();
    check_name(Kind::Plugin, Language::Python, "match").unwrap();
}

#[test]
fn a_type_is_called_like_the_project_and_like_nothing_else() {
    assert_eq!(type_name("my-sum_2"), "MySum2");
    assert_eq!(type_name("a--b-"), "AB");
    assert_eq!(type_name("challenge"), "ChallengeGame");
    assert_eq!(ident("my-sum_2"), "my_sum_2");
}
