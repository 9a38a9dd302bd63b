//! The leaves of a day, and its heads.

use super::*;

#[tokio::test]
async fn leaves_are_appended_in_the_order_given_and_once() {
    let (_directory, store) = store();
    let all = kept(&["c", "a", "b", "d"]);
    publish(&store, "1", all, leaves(DAY, &["c", "a", "c"]))
        .await
        .unwrap();
    let first = store.head(DAY.into(), None).await.unwrap().unwrap();
    assert_eq!((first.size, first.root.as_str()), (2, "c+a"));
    publish(
        &store,
        "2",
        kept(&["a"]),
        leaves(DAY, &["a", "d", "c", "b"]),
    )
    .await
    .unwrap();
    let ids = store.leaf_ids(DAY.into()).await.unwrap();
    assert_eq!(ids, ["c", "a", "d", "b"]);
    let last = store.head(DAY.into(), None).await.unwrap().unwrap();
    assert_eq!((last.size, last.root.as_str()), (4, "c+a+d+b"));
    assert_eq!(store.head(DAY.into(), Some(4)).await.unwrap(), Some(last));
    assert_eq!(store.head(DAY.into(), Some(2)).await.unwrap(), Some(first));
    assert_eq!(store.head(DAY.into(), Some(3)).await.unwrap(), None);

    let page = store.receipts_of_day(DAY.into(), Some(0), 2).await.unwrap();
    let page: Vec<_> = page.iter().map(|row| (row.id.as_str(), row.leaf)).collect();
    assert_eq!(page, [("a", Some(1)), ("d", Some(2))]);
    let found = store.receipts(vec!["d".into(), "x".into(), "a".into(), "d".into()]);
    let found = found.await.unwrap();
    let ids: Vec<_> = found.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["a", "d"]);
    assert_eq!(found[1].day.as_deref(), Some(DAY));
}

#[tokio::test]
async fn a_tree_that_does_not_grow_gets_no_new_head() {
    let (_directory, store) = store();
    let none = HeadMaker::new(|_, _, _| panic!("nothing was appended"));
    publish(&store, "1", kept(&["a"]), leaves(DAY, &["a"]))
        .await
        .unwrap();
    for (number, ids) in [&["a"][..], &[]].into_iter().enumerate() {
        let again = leaves(DAY, ids).map(|leaves| Leaves {
            head: none.clone(),
            ..leaves
        });
        let digest = format!("again {number}");
        publish(&store, &digest, Kept::default(), again)
            .await
            .unwrap();
    }
    assert_eq!(store.head(DAY.into(), None).await.unwrap().unwrap().size, 1);
    assert_eq!(store.head(NEXT.into(), None).await.unwrap(), None);
}

#[tokio::test]
async fn a_receipt_is_a_leaf_of_one_day_only() {
    let (_directory, store) = store();
    publish(&store, "1", kept(&["a", "b"]), leaves(DAY, &["a"]))
        .await
        .unwrap();
    publish(&store, "2", Kept::default(), leaves(NEXT, &["a", "b"]))
        .await
        .unwrap();
    assert_eq!(store.leaf_ids(DAY.into()).await.unwrap(), ["a"]);
    assert_eq!(store.leaf_ids(NEXT.into()).await.unwrap(), ["b"]);
    let row = store.receipt("a".into()).await.unwrap().unwrap();
    assert_eq!((row.day.as_deref(), row.leaf), (Some(DAY), Some(0)));
}

#[tokio::test]
async fn a_head_is_made_with_the_last_one_of_the_last_day_before() {
    let (_directory, store) = store();
    let all = kept(&["a", "b", "c", "d", "e"]);
    publish(&store, "1", all, leaves("2026-08-01", &["a"]))
        .await
        .unwrap();
    for (number, id) in ["b", "c"].into_iter().enumerate() {
        let digest = format!("grown {number}");
        publish(&store, &digest, Kept::default(), leaves(DAY, &[id]))
            .await
            .unwrap();
    }
    publish(&store, "2", Kept::default(), leaves("2026-08-30", &["d"]))
        .await
        .unwrap();
    publish(&store, "3", Kept::default(), leaves(NEXT, &["e"]))
        .await
        .unwrap();
    let document = async |day: &str| {
        let head = store.head(day.into(), None).await.unwrap();
        head.unwrap().document
    };
    assert_eq!(document("2026-08-01").await, "2026-08-01 after None");
    let after = |day: &str, last| format!("{day} after {:?}", Some(last));
    assert_eq!(document(DAY).await, after(DAY, ("2026-08-01", 1, "a")));
    for day in [NEXT, "2026-08-30"] {
        assert_eq!(document(day).await, after(day, (DAY, 2, "b+c")));
    }

    let heads = store.heads(Some("2026-08-30".into()), 2).await.unwrap();
    let heads: Vec<_> = heads.iter().map(|h| (h.day.as_str(), h.size)).collect();
    assert_eq!(heads, [(NEXT, 1), (DAY, 2)]);
    assert_eq!(store.heads(None, 9).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_leaf_without_a_receipt_stores_nothing() {
    let (_directory, store) = store();
    let error = store.settle(settled(DAY, kept(&["a"]), leaves(DAY, &["a", "x"])));
    let error = error.await.unwrap_err();
    assert!(error.to_string().contains("no receipt x"), "{error}");
    assert!(!is_known(&store, "a").await);
    assert!(store.leaf_ids(DAY.into()).await.unwrap().is_empty());
    assert_eq!(store.last_days().await.unwrap(), []);
}

#[tokio::test]
async fn a_head_of_something_else_stores_nothing() {
    let (_directory, store) = store();
    type Change = fn(&mut HeadRow);
    let changes: [Change; 2] = [|head| head.size += 1, |head| head.day = NEXT.into()];
    for change in changes {
        let wrong = HeadMaker::new(move |day, leaves, previous| {
            let mut head = tell(day, leaves, previous);
            change(&mut head);
            head
        });
        let leaves = leaves(DAY, &["a"]).map(|leaves| Leaves {
            head: wrong,
            ..leaves
        });
        publish(&store, "1", kept(&["a"]), leaves)
            .await
            .unwrap_err();
        assert!(!is_known(&store, "a").await);
        assert!(store.published_vectors(None, 1).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_receipt_is_public_once_a_leaf_is_it_or_depends_on_its_solver_run() {
    let (_directory, store) = store();
    let all = Kept {
        receipts: vec![
            receipt("run", "solve", &[]),
            receipt("other run", "solve", &[]),
            receipt("evaluation", "evaluate", &["run"]),
            receipt("waits", "evaluate", &["other run"]),
            receipt("judgement", "judge", &["evaluation", "waits"]),
            receipt("late", "evaluate", &["run"]),
        ],
        ..Kept::default()
    };
    publish(&store, "1", all, None).await.unwrap();
    let public = async || {
        let all = ["run", "other run", "evaluation", "waits", "judgement"];
        let rows = store.receipts(all.map(str::to_owned).to_vec()).await;
        let public = rows.unwrap().into_iter().filter(ReceiptRow::is_public);
        public.map(|row| row.id).collect::<Vec<_>>()
    };
    assert!(public().await.is_empty());
    publish(&store, "2", Kept::default(), leaves(DAY, &["judgement"]))
        .await
        .unwrap();
    assert_eq!(public().await, ["judgement"]);
    let two = leaves(DAY, &["evaluation", "late"]);
    publish(&store, "3", Kept::default(), two).await.unwrap();
    assert_eq!(public().await, ["evaluation", "judgement", "run"]);
    let run = store.receipt("run".into()).await.unwrap().unwrap();
    assert_eq!(run.named_by.as_deref(), Some("evaluation"));
    assert_eq!((run.day, run.leaf), (None, None));
}

#[tokio::test]
async fn a_day_is_finalized_without_a_write_for_each_run() {
    let (_directory, store) = store();
    let runs: Vec<String> = (0..100).map(|number| format!("run {number}")).collect();
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let mut all: Vec<NewReceipt> = runs.iter().map(|id| receipt(id, "solve", &[])).collect();
    all.push(receipt("evaluation", "evaluate", &runs));
    let all = Kept {
        receipts: all,
        ..Kept::default()
    };
    publish(&store, "1", all, None).await.unwrap();
    let changes = async || {
        let sql = "SELECT total_changes()";
        let changes = store.write(move |tx| Ok(tx.query_row(sql, [], |row| row.get(0))?));
        let changes: u64 = changes.await.unwrap();
        changes
    };
    let before = changes().await;
    publish(&store, "2", Kept::default(), leaves(DAY, &["evaluation"]))
        .await
        .unwrap();
    let written = changes().await - before;
    assert!(written < 10, "{written}");
    let row = store.receipt("run 99".into()).await.unwrap().unwrap();
    assert!(row.is_public());
}
