//! What leaves the database leaves its receipts there.

use super::*;

#[tokio::test]
async fn receipts_and_trees_outlive_what_they_are_of() {
    let (directory, store) = store();
    let mut evaluations = Vec::new();
    for artifact in ["a", "b"] {
        let job = job(&store, artifact).await;
        let done = store.finish_job(job.id, "me".into(), result(kept(&[artifact])));
        assert!(done.await.unwrap());
        evaluations.push(job.id);
    }
    let settle = settled(DAY, kept(&["w"]), leaves(DAY, &["a", "b", "w"]));
    assert!(store.settle(settle).await.unwrap());
    store
        .write(move |tx| {
            for (number, evaluation) in (1..).zip(evaluations) {
                tx.execute(
                    "INSERT INTO commits (id, challenge, miner_hotkey, miner_uid,
                         encrypted_commit, state, text, artifact, artifact_digest, batch_day,
                         finalized_day, evaluation_id, score, penalty, accepted, judged_at,
                         receipt, revision)
                     SELECT ?1, 'c', 'm', 1, ?1, 'judged', 't', 'a', artifact_digest, ?2, ?2, ?3,
                         1, 0, 1, 1, receipt, ?1 FROM evaluations WHERE id = ?3",
                    (number, DAY, evaluation),
                )?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let extracted = store.extract(Vec::new(), vec![1], Vec::new(), |rows, table, _, row| {
        rows.push((table, row["receipt"].clone()));
        Ok(())
    });
    let extracted = extracted.await.unwrap().unwrap();
    let expected = [("commits", json!("a")), ("evaluations", json!("a"))];
    assert_eq!(extracted, expected);
    let before = store.receipts_of_day(DAY.into(), None, 9).await.unwrap();

    let day = vec![(DAY.to_owned(), "c".to_owned())];
    let gone = store.remove(vec![(1, 1)], day, String::new(), 9.0).await;
    assert_eq!(gone.unwrap().unwrap().len(), 1);
    assert!(store.evaluation(key("a")).await.unwrap().is_none());
    let after = store.receipts_of_day(DAY.into(), None, 9).await.unwrap();
    assert_eq!(after.len(), 3);
    assert_eq!(after, before);
    let row = store.finalization("c".into(), DAY.into()).await.unwrap();
    let row = row.unwrap();
    assert_eq!(row.tree, Some((3, "a+b+w".into())));
    assert_eq!(row.receipt.as_deref(), Some("w"));
    let page = store.finalization_page(None, None, 9).await.unwrap();
    let page: Vec<_> = page
        .into_iter()
        .map(|row| (row.receipt, row.tree))
        .collect();
    assert_eq!(page, [(row.receipt, row.tree)]);
    let database = directory.path().join("db");
    assert_eq!(Store::problems(&database, true).unwrap(), []);
}
