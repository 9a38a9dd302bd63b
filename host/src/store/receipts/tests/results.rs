//! Receipts are stored with their results or not at all.

use super::*;
use crate::store::{Judged, Notice, WeightVectorRow};

#[tokio::test]
async fn the_receipt_of_an_evaluation_is_stored_with_the_result_or_not_at_all() {
    let (_directory, store) = store();
    let job = job(&store, "a").await;
    let late = store.finish_job(job.id, "you".into(), result(kept(&["x"])));
    assert!(!late.await.unwrap());
    let first = store.finish_job(job.id, "me".into(), result(kept(&["a"])));
    assert!(first.await.unwrap());
    let second = store.finish_job(job.id, "me".into(), result(kept(&["x"])));
    assert!(!second.await.unwrap());
    let found = store.evaluation(key("a")).await.unwrap().unwrap();
    assert_eq!(found.receipt.as_deref(), Some("a"));
    assert!(is_known(&store, "a").await && !is_known(&store, "x").await);
}

#[tokio::test]
async fn a_pair_keeps_the_receipt_of_its_first_comparison() {
    let (_directory, store) = store();
    let mut ids = Vec::new();
    for artifact in ["a", "b", "c"] {
        let job = job(&store, artifact).await;
        let done = store.finish_job(job.id, "me".into(), result(Kept::default()));
        assert!(done.await.unwrap());
        ids.push(job.id);
    }
    for (receipt, references) in [("r", &ids[1..2]), ("s", &ids[1..])] {
        let logs = references
            .iter()
            .map(|id| (*id, format!("[\"{receipt}\"]")));
        store
            .put_comparisons(
                key("a"),
                ids[0],
                logs.collect(),
                Some(receipt.into()),
                kept(&[receipt]),
            )
            .await
            .unwrap();
    }
    let found = store.comparisons(key("a"), ids[0]).await.unwrap();
    let receipts: Vec<_> = found
        .iter()
        .map(|(id, row)| (*id, row.logs.as_str(), row.receipt.as_deref()))
        .collect();
    let expected = [
        (ids[1], "[\"r\"]", Some("r")),
        (ids[2], "[\"s\"]", Some("s")),
    ];
    assert_eq!(receipts, expected);
    assert!(is_known(&store, "r").await && is_known(&store, "s").await);
}

#[tokio::test]
async fn a_finalization_tells_the_tree_with_its_own_leaves() {
    let (_directory, store) = store();
    publish(&store, "1", kept(&["v"]), leaves(DAY, &["v"]))
        .await
        .unwrap();
    let settle = settled(DAY, kept(&["a", "w"]), leaves(DAY, &["a", "w"]));
    assert!(store.settle(settle).await.unwrap());
    publish(&store, "2", kept(&["x"]), leaves(DAY, &["x"]))
        .await
        .unwrap();
    let row = store.finalization("c".into(), DAY.into()).await.unwrap();
    let row = row.unwrap();
    assert_eq!(row.tree, Some((3, "v+a+w".into())));
    assert_eq!(row.receipt.as_deref(), Some("w"));

    let bare = settled(NEXT, Kept::default(), None);
    assert!(store.settle(bare).await.unwrap());
    let row = store.finalization("c".into(), NEXT.into()).await.unwrap();
    let row = row.unwrap();
    assert_eq!((row.tree, row.receipt), (None, None));
}

#[tokio::test]
async fn a_day_that_was_finalized_keeps_nothing_of_another_try() {
    let (_directory, store) = store();
    let first = settled(DAY, kept(&["a"]), leaves(DAY, &["a"]));
    assert!(store.settle(first).await.unwrap());
    let late = Kept {
        blobs: vec![blob("content", false)],
        private: vec!["component".into()],
        ..kept(&["b"])
    };
    let late = settled(DAY, late, leaves(DAY, &["b"]));
    assert!(!store.settle(late).await.unwrap());
    assert_eq!(store.leaf_ids(DAY.into()).await.unwrap(), ["a"]);
    assert!(!is_known(&store, "b").await);
    assert_eq!(store.blob("content".into()).await.unwrap(), None);
    let private = store.is_private(vec!["component".into()]).await.unwrap();
    assert!(private.is_empty());
}

#[tokio::test]
async fn a_verdict_that_cannot_be_stored_leaves_no_receipts() {
    let (_directory, store) = store();
    let judged = Judged {
        commit: 7,
        score: 1.0,
        penalty: 0.0,
        accepted: true,
        reason: None,
        comparisons: "[]".into(),
        receipt: Some("a".into()),
    };
    let settle = Settled {
        judged: vec![judged],
        ..settled(DAY, kept(&["a"]), leaves(DAY, &["a"]))
    };
    store.settle(settle).await.unwrap_err();
    assert!(!is_known(&store, "a").await);
    assert_eq!(store.head(DAY.into(), None).await.unwrap(), None);
}

#[tokio::test]
async fn a_verdict_has_its_receipt() {
    let (_directory, store) = store();
    let job = job(&store, "a").await;
    let done = store.finish_job(job.id, "me".into(), result(kept(&["e"])));
    assert!(done.await.unwrap());
    store
        .write(move |tx| {
            tx.execute(
                "INSERT INTO commits (id, challenge, miner_hotkey, miner_uid, encrypted_commit,
                     state, text, artifact, artifact_digest, batch_day, evaluation_id, revision)
                 VALUES (4, 'c', 'm', 1, 'e', 'evaluated', 't', 'a', 'a', ?1, ?2, 1)",
                (DAY, job.id),
            )?;
            Ok(())
        })
        .await
        .unwrap();
    let judged = Judged {
        commit: 4,
        score: 1.0,
        penalty: 0.0,
        accepted: true,
        reason: None,
        comparisons: "[]".into(),
        receipt: Some("j".into()),
    };
    let settle = Settled {
        judged: vec![judged],
        ..settled(DAY, kept(&["j", "w"]), leaves(DAY, &["e", "j", "w"]))
    };
    assert!(store.settle(settle).await.unwrap());
    let commit = store.commit(4).await.unwrap();
    assert_eq!(commit.receipt.as_deref(), Some("j"));
    assert_eq!(store.leaf_ids(DAY.into()).await.unwrap(), ["e", "j", "w"]);
}

#[tokio::test]
async fn a_vector_that_is_known_keeps_nothing_of_another_try() {
    let (_directory, store) = store();
    assert!(
        store
            .settle(settled(DAY, kept(&["w"]), None))
            .await
            .unwrap()
    );
    let put = |id: &'static str| {
        let vector = WeightVectorRow {
            day: DAY.into(),
            uids: "[]".into(),
            values: "[]".into(),
            derivation: "{}".into(),
            receipt: Some(id.into()),
        };
        let none: Vec<Notice> = Vec::new();
        store.put_vector(vector, none, 3.0, kept(&[id]), leaves(DAY, &[id]))
    };
    assert!(put("day's").await.unwrap());
    assert!(!put("another").await.unwrap());
    let of_day = store.weight_vector(DAY.into()).await.unwrap().unwrap();
    assert_eq!(of_day.receipt.as_deref(), Some("day's"));

    let live = publish(&store, "1", kept(&["live"]), leaves(DAY, &["live"]));
    let live = live.await.unwrap();
    assert_eq!(live.receipt.as_deref(), Some("live"));
    let again = publish(&store, "1", kept(&["again"]), leaves(DAY, &["again"]));
    assert_eq!(again.await.unwrap(), live);
    let history = store.published_vectors(None, 9).await.unwrap();
    assert_eq!(history, [live]);

    assert_eq!(store.leaf_ids(DAY.into()).await.unwrap(), ["day's", "live"]);
    assert!(!is_known(&store, "another").await && !is_known(&store, "again").await);
}

#[tokio::test]
async fn an_evaluation_from_elsewhere_brings_its_receipt_and_is_linked() {
    let (_directory, store) = store();
    // So that numbers of receipts and of evaluations differ.
    publish(&store, "1", kept(&["x", "y"]), None).await.unwrap();
    store
        .write(|tx| {
            tx.execute(
                "INSERT INTO finalizations (day, challenge, plugin_digest, outcome, standings,
                     weights, finalized_at) VALUES (?1, 'c', '', 'ok', '[]', '[]', 1)",
                [DAY],
            )?;
            tx.execute(
                "INSERT INTO commits (id, challenge, miner_hotkey, miner_uid, encrypted_commit,
                     state, text, artifact, artifact_digest, batch_day, finalized_day, revision)
                 VALUES (4, 'c', 'm', 1, 'e', 'judged', 't', 'a', ?1, ?2, ?2, 1)",
                [digest("a"), DAY.to_owned()],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    let import = store.import_evaluation(key("a"), 1, 0.0, result(kept(&["a"])));
    assert!(import.await.unwrap());
    let again = store.import_evaluation(key("a"), 1, 0.0, result(kept(&["b"])));
    assert!(!again.await.unwrap());
    let found = store.evaluation(key("a")).await.unwrap().unwrap();
    assert_eq!((found.id, found.receipt.as_deref()), (1, Some("a")));
    assert_eq!(store.commit(4).await.unwrap().evaluation_id, Some(1));
    assert!(is_known(&store, "a").await && !is_known(&store, "b").await);
}
