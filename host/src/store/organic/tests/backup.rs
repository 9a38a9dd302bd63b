//! A backup has all of it.

use super::*;
use crate::backup::{self, Backup};

#[tokio::test]
async fn entries_and_iterations_come_back_from_a_backup_and_go_on() {
    let (directory, store) = store();
    assert_eq!(store.mark().await.unwrap(), None);
    store.seed(None, 7).await.unwrap();
    for id in ["a", "b", "d"] {
        add(&store, new(id, 1.5)).await;
    }
    let done = begin(&store, 2.0).await;
    store
        .organic_complete(completed(done.id, 3.0))
        .await
        .unwrap();
    let running = begin(&store, 4.0).await;
    store
        .organic_steps("c".to_owned(), Steps::Add(7), 5.0)
        .await
        .unwrap();
    store.organic_stop("c".to_owned(), true, 6.0).await.unwrap();
    let file = directory.path().join("backup.json");
    let written = backup::write(&store, 7, &file, 9.0).await.unwrap();
    for (part, rows) in [
        ("organic_loops", 1),
        ("organic_entries", 3),
        ("organic_iterations", 2),
        ("organic_weights", 1),
    ] {
        assert_eq!(written.rows[part], rows, "{part}");
    }

    let (other_directory, other) = super::store();
    Backup::open(&file).unwrap().restore(&other).await.unwrap();
    assert_eq!(other.mark().await.unwrap(), store.mark().await.unwrap());
    let entries = async |store: &Store| {
        let rows = store.organic_entries("c".to_owned(), None, None, 9);
        rows.await.unwrap()
    };
    let iterations = async |store: &Store| {
        let rows = store.organic_iterations("c".to_owned(), None, 9);
        rows.await.unwrap()
    };
    assert_eq!(entries(&other).await, entries(&store).await);
    assert_eq!(iterations(&other).await, iterations(&store).await);
    assert_eq!(queue_of(&other).await, queue_of(&store).await);
    let known = other.organic_loop("c".to_owned()).await.unwrap();
    assert_eq!(known, store.organic_loop("c".to_owned()).await.unwrap());
    let weights = other.organic_weights("c".to_owned(), None).await.unwrap();
    assert_eq!(
        weights,
        store.organic_weights("c".to_owned(), None).await.unwrap()
    );

    assert_eq!(other.organic_take_back(20.0).await.unwrap(), 1);
    other
        .organic_stop("c".to_owned(), false, 20.0)
        .await
        .unwrap();
    let again = begin(&other, 21.0).await;
    assert_eq!(again.entry.unwrap().id, running.entry.unwrap().id);
    assert!(again.id > running.id);
    let problems = Store::problems(&other_directory.path().join("db"), true).unwrap();
    assert_eq!(problems, []);
}

#[tokio::test]
async fn every_change_is_backed_up() {
    let (_directory, store) = store();
    let mut seen = Vec::new();
    let mut look = async |what: &str| {
        let mark = store.mark().await.unwrap();
        assert!(!seen.contains(&mark), "{what}");
        assert_eq!(store.mark().await.unwrap(), mark, "{what}");
        seen.push(mark);
    };
    add(&store, new("a", 1.0)).await;
    look("an entry").await;
    store.organic_add(new("a", 1.0), RULES).await.unwrap();
    let begun = begin(&store, 1.0).await;
    look("a begin").await;
    store
        .organic_fail(failed(begun.id, 1.0, None))
        .await
        .unwrap();
    look("a failure").await;
    store.organic_retry("a".to_owned(), 1.0).await.unwrap();
    look("another try").await;
    store.organic_reset("c".to_owned(), 1.0).await.unwrap();
    look("a reset").await;
    let begun = begin(&store, 1.0).await;
    look("a begin").await;
    store.organic_take_back(1.0).await.unwrap();
    look("an end of the host").await;
    let last = begin(&store, 1.0).await;
    assert!(last.id > begun.id);
    look("a begin").await;
    store
        .organic_complete(completed(last.id, 1.0))
        .await
        .unwrap();
    look("an end").await;
    store
        .organic_steps("c".to_owned(), Steps::Add(1), 1.0)
        .await
        .unwrap();
    look("steps").await;
    store.organic_stop("c".to_owned(), true, 1.0).await.unwrap();
    look("a stop").await;
}

#[tokio::test]
async fn what_callers_asked_is_not_exported_unless_secrets_are() {
    let (directory, store) = store();
    let entry = NewEntry {
        id: "secret-id".to_owned(),
        sample: "{\"of\":\"secret-sample\"}".to_owned(),
        ..new("a", 1.0)
    };
    add(&store, entry).await;
    let begun = begin(&store, 2.0).await;
    let done = Completed {
        record: "{\"entry\":\"secret-id\",\"sample\":\"secret-sample\"}".to_owned(),
        answer: Some("{\"answer\":\"secret-answer\"}".to_owned()),
        ..completed(begun.id, 3.0)
    };
    assert!(store.organic_complete(done).await.unwrap());
    let export = |with_keys| {
        let mut rows = BTreeMap::new();
        let path = directory.path().join("db");
        let exported = Store::export(&path, with_keys, |table, row| {
            rows.entry(table.to_owned())
                .or_insert_with(Vec::new)
                .push(row);
            Ok(())
        });
        exported.unwrap().unwrap();
        rows
    };
    let all = serde_json::to_string(&export(true)).unwrap();
    for secret in ["secret-id", "secret-sample", "secret-answer"] {
        assert!(all.contains(secret), "{secret} is looked for in vain");
    }
    let rows = export(false);
    let told = serde_json::to_string(&rows).unwrap();
    assert!(!told.contains("secret"), "{told}");
    // printf secret-id | sha256sum
    let hidden = "2d4e223a1833d38ff89ba7abbfbd41df79b1680333e31d4e04618bcfa10059dd";
    assert_eq!(rows["organic_entries"][0]["id"], hidden);
    let iteration = &rows["organic_iterations"][0];
    assert_eq!(iteration["entry"], hidden);
    assert_eq!(iteration["summary"], "{\"asked\":2}");

    made(&store, 4.0).await;
    assert!(export(false)["organic_iterations"][1]["entry"].is_null());
}
