//! A backup has receipts, trees and what is private; not what is named by digest.

use super::*;
use crate::backup::{self, Backup};

#[tokio::test]
async fn receipts_and_trees_come_back_from_a_backup_and_grow_on() {
    let (directory, store) = store();
    store.seed(None, 7).await.unwrap();
    let job = job(&store, "a").await;
    let evaluation = Kept {
        receipts: vec![
            receipt("evaluation", "evaluate", &["run"]),
            receipt("run", "solve", &[]),
        ],
        blobs: vec![blob("open", false), blob("private", true)],
        private: vec!["component".into()],
        ..Kept::default()
    };
    let done = store.finish_job(job.id, "me".into(), result(evaluation));
    assert!(done.await.unwrap());
    let settle = settled(DAY, kept(&["w"]), leaves(DAY, &["evaluation", "w"]));
    assert!(store.settle(settle).await.unwrap());
    publish(&store, "1", kept(&["live"]), leaves(NEXT, &["live"]))
        .await
        .unwrap();
    publish(&store, "2", kept(&["waits"]), None).await.unwrap();
    let file = directory.path().join("backup.json");
    let written = backup::write(&store, 7, &file, 9.0).await.unwrap();
    for (part, rows) in [
        ("receipts", 5),
        ("receipt_parents", 1),
        ("receipt_leaves", 3),
        ("receipt_heads", 2),
        ("receipt_private", 2),
    ] {
        assert_eq!(written.rows[part], rows, "{part}");
    }

    let (other_directory, other) = super::store();
    Backup::open(&file).unwrap().restore(&other).await.unwrap();
    assert_eq!(other.mark().await.unwrap(), store.mark().await.unwrap());
    let known = async |store: &Store| {
        let ids = ["evaluation", "run", "w", "live", "waits"];
        let receipts = store.receipts(ids.map(str::to_owned).to_vec());
        let evaluation = store.evaluation(job.key.clone()).await.unwrap().unwrap();
        (
            receipts.await.unwrap(),
            store.heads(None, 9).await.unwrap(),
            store.finalizations(None, None, 9).await.unwrap(),
            store.published_vectors(None, 9).await.unwrap(),
            evaluation.receipt,
        )
    };
    assert_eq!(known(&other).await, known(&store).await);
    let asked = ["open", "private", "component"].map(str::to_owned).to_vec();
    let private = other.is_private(asked.clone()).await.unwrap();
    assert_eq!(Vec::from_iter(private), ["component", "private"]);
    assert!(other.known_blobs(asked, 0.0).await.unwrap().is_empty());

    publish(&other, "3", kept(&["more"]), leaves(NEXT, &["more"]))
        .await
        .unwrap();
    let ids = other.leaf_ids(NEXT.into()).await.unwrap();
    assert_eq!(ids, ["live", "more"]);
    let database = other_directory.path().join("db");
    assert_eq!(Store::problems(&database, true).unwrap(), []);
}

#[tokio::test]
async fn every_new_receipt_leaf_or_private_digest_is_backed_up() {
    let (_directory, store) = store();
    let job = job(&store, "a").await;
    let done = store.finish_job(job.id, "me".into(), result(Kept::default()));
    assert!(done.await.unwrap());
    let mut seen = vec![store.mark().await.unwrap()];
    let private = Kept {
        private: vec!["component".into()],
        ..Kept::default()
    };
    for (kept, changes) in [
        (kept(&["r"]), true),
        (kept(&["r"]), false),
        (private.clone(), true),
        (private, false),
    ] {
        let what = format!("{kept:?}");
        let none = Vec::new();
        let put = store.put_comparisons(key("a"), 1, none, None, kept);
        put.await.unwrap();
        let mark = store.mark().await.unwrap();
        assert_eq!(!seen.contains(&mark), changes, "{what}");
        seen.push(mark);
    }
}

#[tokio::test]
async fn what_is_named_by_digest_is_not_exported_without_keys() {
    let (directory, store) = store();
    let kept = Kept {
        blobs: vec![blob("a", false)],
        ..Kept::default()
    };
    publish(&store, "1", kept, None).await.unwrap();
    for with_keys in [true, false] {
        let mut content = Vec::new();
        let database = directory.path().join("db");
        let exported = Store::export(&database, with_keys, |table, row| {
            if table == "receipt_blobs" {
                content.push(row["zstd"].is_string());
            }
            Ok(())
        });
        exported.unwrap().unwrap();
        assert_eq!(content, [with_keys]);
    }
}
