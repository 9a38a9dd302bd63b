//! What receipts name by digest.

use super::*;

async fn keep(store: &Store, number: u32, kept: Kept) {
    let digest = format!("vector {number}");
    publish(store, &digest, kept, None).await.unwrap();
}

fn blobs(at: f64, blobs: Vec<NewBlob>) -> Kept {
    Kept {
        blobs,
        at,
        ..Kept::default()
    }
}

async fn known(store: &Store) -> Vec<String> {
    let all = ["a", "b", "c"].map(str::to_owned).to_vec();
    let known = store.known_blobs(all, 0.0).await.unwrap();
    known.into_iter().collect()
}

#[tokio::test]
async fn a_receipt_and_a_blob_are_stored_once() {
    let (_directory, store) = store();
    let first = Kept {
        receipts: vec![receipt("a", "evaluate", &[])],
        ..blobs(1.0, vec![blob("a", false)])
    };
    let again = NewReceipt {
        signature: Some("another".into()),
        ..receipt("a", "evaluate", &[])
    };
    let again = Kept {
        receipts: vec![again],
        ..blobs(2.0, vec![blob("a", false), blob("b", false)])
    };
    keep(&store, 1, first).await;
    keep(&store, 2, again).await;
    assert_eq!(known(&store).await, ["a", "b"]);
    let row = store.receipt("a".into()).await.unwrap().unwrap();
    assert_eq!(row.signature.as_deref(), Some("of a"));
    let found = store.blob("a".into()).await.unwrap().unwrap();
    let expected = BlobRow {
        size: 9,
        zstd: b"content of a".to_vec(),
        private: false,
    };
    assert_eq!(found, expected);
    assert_eq!(store.blob("c".into()).await.unwrap(), None);
}

#[tokio::test]
async fn what_once_was_private_stays_so_even_when_it_is_gone() {
    let (_directory, store) = store();
    keep(&store, 1, blobs(1.0, vec![blob("a", false)])).await;
    let private = Kept {
        private: vec!["component".into(), "c".into()],
        ..blobs(1.0, vec![blob("a", true), blob("b", true)])
    };
    keep(&store, 2, private.clone()).await;
    keep(&store, 3, private).await;
    assert_eq!(store.prune_blobs(2.0, 9).await.unwrap().0, 2);
    let open = ["a", "b", "c", "d"].map(|digest| blob(digest, false));
    keep(&store, 4, blobs(3.0, open.to_vec())).await;
    let is_private = async |digest: &str| {
        let blob = store.blob(digest.into()).await.unwrap();
        blob.unwrap().private
    };
    assert!(is_private("a").await && is_private("b").await && is_private("c").await);
    assert!(!is_private("d").await);
    let asked = ["component", "a", "d", "unknown"].map(str::to_owned);
    let told = store.is_private(asked.to_vec()).await.unwrap();
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["a", "component"]);
}

#[tokio::test]
async fn blobs_go_when_nothing_used_them_for_long() {
    let (_directory, store) = store();
    let all = ["a", "b", "c"].map(|digest| blob(digest, false)).to_vec();
    keep(&store, 1, blobs(10.0, all)).await;
    keep(&store, 2, blobs(30.0, vec![blob("a", false)])).await;
    // What comes late does not take back what was said of later.
    keep(&store, 3, blobs(20.0, vec![blob("a", false)])).await;
    let used = Kept {
        used: vec!["b".into(), "unknown".into()],
        ..blobs(20.0, Vec::new())
    };
    keep(&store, 4, used).await;
    assert_eq!(store.prune_blobs(10.0, 9).await.unwrap(), (0, 0));
    let bytes = "content of c".len() as u64;
    assert_eq!(store.prune_blobs(20.0, 9).await.unwrap(), (1, bytes));
    assert_eq!(known(&store).await, ["a", "b"]);
    assert_eq!(store.prune_blobs(99.0, 1).await.unwrap().0, 1);
    assert_eq!(known(&store).await, ["a"], "the oldest goes first");
}

#[tokio::test]
async fn what_may_be_pruned_soon_is_not_known() {
    let (_directory, store) = store();
    keep(&store, 1, blobs(10.0, vec![blob("a", false)])).await;
    keep(&store, 2, blobs(20.0, vec![blob("b", false)])).await;
    let known = async |since| {
        let asked = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        Vec::from_iter(store.known_blobs(asked, since).await.unwrap())
    };
    assert_eq!(known(10.0).await, ["a", "b"]);
    assert_eq!(known(10.5).await, ["b"]);
    assert!(known(20.5).await.is_empty());
    let used = Kept {
        used: vec!["a".into()],
        ..blobs(30.0, Vec::new())
    };
    keep(&store, 3, used).await;
    assert_eq!(known(20.5).await, ["a"]);
}

#[tokio::test]
async fn receipts_of_runs_go_when_nothing_came_with_them_for_long() {
    let (directory, store) = store();
    let runs = ["run", "old run"].map(|id| receipt(id, "solve", &[]));
    let first = Kept {
        receipts: [
            vec![receipt("evaluation", "evaluate", &["old run", "run"])],
            runs.to_vec(),
        ]
        .concat(),
        ..blobs(10.0, Vec::new())
    };
    publish(&store, "1", first, leaves(DAY, &["evaluation"]))
        .await
        .unwrap();
    let again = Kept {
        receipts: vec![
            receipt("vector", "vector", &[]),
            receipt("run", "solve", &[]),
        ],
        ..blobs(30.0, Vec::new())
    };
    keep(&store, 2, again.clone()).await;
    // What comes late does not take back what was said of later.
    keep(&store, 3, Kept { at: 5.0, ..again }).await;
    assert_eq!(store.prune_solves(10.0, 9).await.unwrap(), 0);
    assert_eq!(store.prune_solves(20.0, 9).await.unwrap(), 1);
    assert!(!is_known(&store, "old run").await);
    let run = store.receipt("run".into()).await.unwrap().unwrap();
    assert_eq!(run.named_by.as_deref(), Some("evaluation"));
    assert_eq!(store.prune_solves(99.0, 9).await.unwrap(), 1);
    assert_eq!(store.prune_solves(99.0, 9).await.unwrap(), 0);
    // The leaf stays, and names them.
    let leaf = store.receipt("evaluation".into()).await.unwrap().unwrap();
    assert!(leaf.is_public() && leaf.body.contains("old run"));
    let database = directory.path().join("db");
    assert_eq!(Store::problems(&database, true).unwrap(), []);
    // One that comes back is public again with what comes with it.
    let back = Kept {
        receipts: vec![
            receipt("evaluation", "evaluate", &["old run", "run"]),
            receipt("run", "solve", &[]),
        ],
        ..blobs(100.0, Vec::new())
    };
    keep(&store, 4, back).await;
    let run = store.receipt("run".into()).await.unwrap().unwrap();
    assert_eq!(run.named_by.as_deref(), Some("evaluation"));
}
