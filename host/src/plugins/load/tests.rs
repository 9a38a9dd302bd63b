use super::*;
use crate::sandbox::SandboxConfig;
use proctor_testing::guest_bytes;

/// A loader with an empty drop folder, and the folder.
fn loader() -> (tempfile::TempDir, Loader, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    let mut config = Config::default();
    config.plugins.dir = folder.clone();
    let compiled = SandboxConfig::new(directory.path().join("compiled"));
    let components = ArtifactStore::open(directory.path().join("components"), 64 << 20);
    let loader = Loader::new(
        Sandbox::new(&compiled).unwrap(),
        Arc::new(config),
        Arc::default(),
        components.unwrap(),
    );
    (directory, loader, folder)
}

fn states(loader: &Loader) -> Vec<(String, &'static str)> {
    let status = loader.plugins.status().into_iter();
    status.map(|one| (one.file, one.state.name())).collect()
}

async fn all_loaded(loader: &Loader) {
    let mut loads = loader.loads();
    loads.wait_for(Loads::is_empty).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_compiled_says_so_and_holds_up_no_other() {
    let (_directory, loader, folder) = loader();
    std::fs::write(folder.join("digits.wasm"), guest_bytes("digits")).unwrap();
    std::fs::write(folder.join("text.wasm"), "text").unwrap();
    let mut changes = loader.plugins.changes();
    loader.scan().unwrap();
    while states(&loader)
        != [
            ("digits.wasm".into(), "compiling"),
            ("text.wasm".into(), "rejected"),
        ]
    {
        assert!(!loader.loads().borrow().is_empty(), "{:?}", states(&loader));
        changes.changed().await.unwrap();
    }
    let digits = folder.join("digits.wasm");
    let digest = sha256_hex(&guest_bytes("digits"));
    assert!(loader.is_loading(&digits, &digest));
    assert!(!loader.is_loading(&digits, "another"));
    all_loaded(&loader).await;
    assert!(!loader.is_loading(&digits, &digest));
    let expected = [
        ("digits.wasm".into(), "described"),
        ("text.wasm".into(), "rejected"),
    ];
    assert_eq!(states(&loader), expected);
    assert_eq!(loader.plugins.candidates().len(), 1);
}

#[tokio::test]
async fn what_was_loaded_is_not_loaded_again_and_what_is_gone_is_forgotten() {
    let (_directory, loader, folder) = loader();
    let path = folder.join("knn.wasm");
    std::fs::write(&path, guest_bytes("knn")).unwrap();
    for _ in 0..2 {
        loader.scan().unwrap();
    }
    all_loaded(&loader).await;
    assert_eq!(states(&loader), [("knn.wasm".into(), "rejected")]);
    loader.scan().unwrap();
    assert!(loader.loads().borrow().is_empty());
    std::fs::remove_file(&path).unwrap();
    loader.scan().unwrap();
    assert_eq!(states(&loader), []);
    // Also while it is loaded.
    std::fs::write(&path, guest_bytes("knn")).unwrap();
    loader.scan().unwrap();
    std::fs::remove_file(&path).unwrap();
    loader.scan().unwrap();
    all_loaded(&loader).await;
    assert_eq!(states(&loader), []);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_tried_again_and_one_that_is_too_large_is_not() {
    let (_directory, mut loader, folder) = loader();
    let mut config = Config::clone(&loader.config);
    config.plugins.max_bytes = 3;
    loader.config = Arc::new(config);
    std::fs::write(folder.join("large.wasm"), "text").unwrap();
    loader.scan().unwrap();
    all_loaded(&loader).await;
    assert_eq!(
        loader.plugins.status()[0].rejected.as_ref().unwrap().code,
        "too_large"
    );
    loader.scan().unwrap();
    assert!(loader.loads().borrow().is_empty());
    let unreadable = Rejection::new("unreadable", "as it should");
    loader.reject_file(&folder.join("large.wasm"), unreadable);
    loader.scan().unwrap();
    assert!(!loader.loads().borrow().is_empty());
    all_loaded(&loader).await;
}

#[test]
fn names_that_could_be_paths_are_refused() {
    for good in ["digits", "a", "0-x_y"] {
        assert_eq!(check_name(good), Ok(()));
    }
    for bad in ["", "../x", "A", "a/b", "-a", "_a", "a.b", &"a".repeat(65)] {
        assert_eq!(check_name(bad).unwrap_err().code, "invalid_name");
    }
}
