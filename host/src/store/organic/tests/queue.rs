//! What comes in, and what has to go.

use super::*;

#[tokio::test]
async fn what_was_acknowledged_is_queued_after_a_restart() {
    let (directory, store) = store();
    add(&store, new("a", 1.0)).await;
    drop(store);
    let store = open(&directory);
    let row = entry_of(&store, "a").await;
    assert_eq!((row.state, row.attempts), (EntryState::Queued, 0));
    assert_eq!(
        (row.sample.as_str(), row.received_at),
        ("{\"of\":\"a\"}", 1.0)
    );
    assert_eq!(store.organic_entry("b".to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_content_is_taken_once_within_the_window() {
    let (_directory, store) = store();
    let again = |id: &str, at| NewEntry {
        digest: "same".to_owned(),
        ..new(id, at)
    };
    let first = |added| match added {
        Added::Duplicate(row) => row.id,
        added => panic!("{added:?}"),
    };
    add(&store, again("a", 1_000.0)).await;
    for at in [1_000.0, 1_299.0, 900.0] {
        let added = store.organic_add(again("b", at), RULES).await.unwrap();
        assert_eq!(first(added), "a", "at {at}");
    }
    let begun = begin(&store, 1_001.0).await;
    let added = store.organic_add(again("b", 1_001.0), RULES).await.unwrap();
    assert_eq!(first(added), "a", "while it is in an iteration");
    store
        .organic_complete(completed(begun.id, 1_002.0))
        .await
        .unwrap();
    let added = store.organic_add(again("b", 1_003.0), RULES).await.unwrap();
    let Added::Duplicate(row) = added else {
        panic!("{added:?}");
    };
    assert_eq!(row.answer.as_deref(), Some("{\"answer\":1}"), "it is done");

    let elsewhere = NewEntry {
        challenge: "other".to_owned(),
        ..again("o", 1_003.0)
    };
    add(&store, elsewhere).await;
    add(&store, again("b", 1_300.0)).await;
    assert_eq!(
        store
            .organic_entry("b".to_owned())
            .await
            .unwrap()
            .unwrap()
            .state,
        EntryState::Queued
    );
    let each_time = QueueRules {
        dedupe_s: 0.0,
        ..RULES
    };
    for id in ["d", "e"] {
        let added = store
            .organic_add(again(id, 1_300.0), each_time)
            .await
            .unwrap();
        assert_eq!(added, Added::Queued { dropped: vec![] });
    }
}

#[tokio::test]
async fn what_failed_or_was_dropped_may_be_sent_again() {
    let (_directory, store) = store();
    let same = |id: &str| NewEntry {
        digest: "same".to_owned(),
        ..new(id, 1.0)
    };
    add(&store, same("a")).await;
    let begun = begin(&store, 2.0).await;
    let state = store
        .organic_fail(failed(begun.id, 3.0, None))
        .await
        .unwrap();
    assert_eq!(state, Some(EntryState::Failed));
    add(&store, same("b")).await;
    let one = QueueRules {
        queue_max: 1,
        ..RULES
    };
    let added = store.organic_add(new("other", 4.0), one).await.unwrap();
    assert_eq!(
        added,
        Added::Queued {
            dropped: vec!["b".to_owned()]
        }
    );
    add(&store, same("d")).await;
}

#[tokio::test]
async fn a_caller_has_no_more_than_its_share_queued_or_in_iterations() {
    let (_directory, store) = store();
    let two = QueueRules {
        most_of_caller: 2,
        ..RULES
    };
    let add = |entry| store.organic_add(entry, two);
    add(new("a", 1.0)).await.unwrap();
    add(new("b", 1.0)).await.unwrap();
    let begun = begin(&store, 2.0).await;
    let refused = add(new("d", 3.0)).await.unwrap();
    assert_eq!(refused, Added::TooMany { queued: 2 });
    assert_eq!(store.organic_entry("d".to_owned()).await.unwrap(), None);
    let duplicate = add(new("a", 3.0)).await.unwrap();
    assert!(
        matches!(duplicate, Added::Duplicate(_)),
        "that takes no room"
    );
    for (caller, challenge) in [("w", "c"), ("v", "other")] {
        let entry = NewEntry {
            caller: caller.to_owned(),
            challenge: challenge.to_owned(),
            ..new(caller, 3.0)
        };
        let added = add(entry).await.unwrap();
        assert!(
            matches!(added, Added::Queued { .. }),
            "{caller} {challenge}"
        );
    }
    store
        .organic_complete(completed(begun.id, 4.0))
        .await
        .unwrap();
    let added = add(new("d", 5.0)).await.unwrap();
    assert!(matches!(added, Added::Queued { .. }));
}

#[tokio::test]
async fn the_oldest_goes_when_the_queue_is_full_and_is_kept_as_dropped() {
    let (_directory, store) = store();
    let most = |queue_max| QueueRules { queue_max, ..RULES };
    for id in ["a", "b", "d"] {
        store.organic_add(new(id, 1.0), most(3)).await.unwrap();
    }
    let dropped = |ids: &[&str]| Added::Queued {
        dropped: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let added = store.organic_add(new("e", 7.0), most(3)).await.unwrap();
    assert_eq!(added, dropped(&["a"]));
    let row = entry_of(&store, "a").await;
    assert_eq!((row.state, row.ended_at), (EntryState::Dropped, Some(7.0)));
    assert_eq!(row.code.as_deref(), Some("dropped"));
    // An operator made the queue shorter.
    let added = store.organic_add(new("f", 8.0), most(2)).await.unwrap();
    assert_eq!(added, dropped(&["b", "d"]));
    let queue = queue_of(&store).await;
    assert_eq!((queue.queued, queue.dropped), (2, 3));
}

#[tokio::test]
async fn what_is_in_an_iteration_takes_no_room_and_is_not_dropped() {
    let (_directory, store) = store();
    let one = QueueRules {
        queue_max: 1,
        ..RULES
    };
    add(&store, new("a", 1.0)).await;
    begin(&store, 2.0).await;
    let added = store.organic_add(new("b", 3.0), one).await.unwrap();
    assert_eq!(added, Added::Queued { dropped: vec![] });
    let added = store.organic_add(new("d", 3.0), one).await.unwrap();
    assert_eq!(
        added,
        Added::Queued {
            dropped: vec!["b".to_owned()]
        }
    );
    assert_eq!(state_of(&store, "a").await, EntryState::Leased);
}

#[tokio::test]
async fn the_queue_tells_its_length_and_since_when() {
    let (_directory, store) = store();
    assert_eq!(queue_of(&store).await, OrganicQueue::default());
    for (id, at) in [("a", 5.0), ("b", 6.0), ("d", 7.0)] {
        add(&store, new(id, at)).await;
    }
    let begun = begin(&store, 8.0).await;
    assert_eq!(begun.queue_size, 2);
    let expected = OrganicQueue {
        queued: 2,
        oldest_at: Some(6.0),
        next_at: Some(0.0),
        leased: 1,
        ..OrganicQueue::default()
    };
    assert_eq!(queue_of(&store).await, expected);
    for id in [begin(&store, 8.0).await.id, begin(&store, 8.0).await.id] {
        store.organic_complete(completed(id, 9.0)).await.unwrap();
    }
    store
        .organic_fail(failed(begun.id, 9.0, Some(14.0)))
        .await
        .unwrap();
    let expected = OrganicQueue {
        queued: 1,
        oldest_at: Some(5.0),
        next_at: Some(14.0),
        done: 2,
        ..OrganicQueue::default()
    };
    assert_eq!(queue_of(&store).await, expected);
}

#[tokio::test]
async fn an_operator_has_only_what_failed_or_was_dropped_tried_again() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    let retry = |id: &str| store.organic_retry(id.to_owned(), 9.0);
    assert_eq!(retry("nobody").await.unwrap(), None);
    assert_eq!(retry("a").await.unwrap(), None, "it is queued");
    let begun = begin(&store, 2.0).await;
    assert_eq!(retry("a").await.unwrap(), None, "an iteration has it");
    store
        .organic_fail(failed(begun.id, 3.0, None))
        .await
        .unwrap();
    let row = retry("a").await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts), (EntryState::Queued, 0));
    assert_eq!((row.ended_at, row.code), (None, None));
    assert_eq!(
        row.iteration,
        Some(begun.id),
        "what went wrong can be looked up"
    );
    let one = QueueRules {
        queue_max: 1,
        ..RULES
    };
    store.organic_add(new("b", 4.0), one).await.unwrap();
    assert_eq!(state_of(&store, "a").await, EntryState::Dropped);
    let row = retry("a").await.unwrap().unwrap();
    assert_eq!(row.state, EntryState::Queued);
    let begun = begin(&store, 5.0).await;
    assert_eq!(begun.entry.unwrap().id, "a");
    store
        .organic_complete(completed(begun.id, 6.0))
        .await
        .unwrap();
    assert_eq!(retry("a").await.unwrap(), None, "it is done");
}

#[tokio::test]
async fn entries_are_paged_from_the_newest() {
    let (_directory, store) = store();
    for id in ["a", "b", "d", "e"] {
        add(&store, new(id, 1.0)).await;
    }
    let begun = begin(&store, 2.0).await;
    store
        .organic_fail(failed(begun.id, 3.0, None))
        .await
        .unwrap();
    let page = async |state, before, limit| {
        let rows = store.organic_entries("c".to_owned(), state, before, limit);
        let rows = rows.await.unwrap().into_iter();
        rows.map(|row| (row.id, row.seq)).collect::<Vec<_>>()
    };
    let ids = |rows: &[(String, i64)]| rows.iter().map(|row| row.0.clone()).collect::<String>();
    let newest = page(None, None, 3).await;
    assert_eq!(ids(&newest), "edb");
    assert_eq!(ids(&page(None, Some(newest[2].1), 3).await), "a");
    assert_eq!(ids(&page(Some(EntryState::Queued), None, 9).await), "edb");
    let older = page(Some(EntryState::Queued), Some(newest[1].1), 9).await;
    assert_eq!(ids(&older), "b");
    assert_eq!(ids(&page(Some(EntryState::Failed), None, 9).await), "a");
    let elsewhere = store.organic_entries("other".to_owned(), None, None, 9);
    assert_eq!(elsewhere.await.unwrap(), []);
}

#[tokio::test]
async fn only_what_ended_is_forgotten() {
    let (_directory, store) = store();
    for id in ["queued", "leased", "done", "failed", "young"] {
        let priority = if id == "queued" { -1.0 } else { 0.0 };
        let entry = NewEntry {
            priority,
            ..new(id, 1.0)
        };
        add(&store, entry).await;
    }
    let leased = begin(&store, 2.0).await;
    let done = begin(&store, 2.0).await;
    store
        .organic_complete(completed(done.id, 3.0))
        .await
        .unwrap();
    for at in [4.0, 10.0] {
        let begun = begin(&store, 2.0).await;
        store
            .organic_fail(failed(begun.id, at, None))
            .await
            .unwrap();
    }
    let elsewhere = NewEntry {
        challenge: "other".to_owned(),
        ..new("elsewhere", 1.0)
    };
    add(&store, elsewhere).await;
    let forget = |challenge: &str, before| store.organic_forget(challenge.to_owned(), before, 0.0);
    assert_eq!(forget("other", 99.0).await.unwrap(), 0);
    assert_eq!(
        forget("c", 10.0).await.unwrap(),
        4,
        "two entries, two iterations"
    );
    let rows = store
        .organic_entries("c".to_owned(), None, None, 9)
        .await
        .unwrap();
    let left: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(left, ["young", "leased", "queued"]);
    let rows = store
        .organic_iterations("c".to_owned(), None, 9)
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].id, leased.id);
    let queue = queue_of(&store).await;
    assert_eq!((queue.done, queue.failed, queue.leased), (0, 1, 1));
    assert!(
        store
            .organic_weights("c".to_owned(), None)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn more_is_forgotten_than_one_transaction_deletes() {
    let (_directory, store) = store();
    let fill = store.write(|tx| {
        tx.execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)
             INSERT INTO organic_entries (id, challenge, caller, digest, priority, received_at,
                 state, ended_at, code, sample)
             SELECT i, 'c', 'v', i, 0, 1, 'dropped', 2, 'dropped', '{}' FROM n",
        )?;
        Ok(())
    });
    fill.await.unwrap();
    assert_eq!(queue_of(&store).await.dropped, 1_700);
    let gone = store.organic_forget("c".to_owned(), 3.0, 0.0);
    assert_eq!(gone.await.unwrap(), 1_700);
    assert_eq!(queue_of(&store).await, OrganicQueue::default());
}

#[tokio::test]
async fn records_are_forgotten_sooner_than_their_iterations() {
    let (_directory, store) = store();
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(made(&store, 5.0).await);
    }
    let young = made(&store, 9.0).await;
    add(&store, new("a", 1.0)).await;
    let running = begin(&store, 2.0).await.id;
    let gone = store.organic_forget("c".to_owned(), 5.0, 9.0);
    assert_eq!(gone.await.unwrap(), 0, "all are kept");
    let elsewhere = store.organic_forget("other".to_owned(), 99.0, 99.0);
    assert_eq!(elsewhere.await.unwrap(), 0);
    for id in ids {
        let row = store.organic_iteration(id).await.unwrap().unwrap();
        assert_eq!(row.record, None, "{id}");
        assert_eq!(row.summary, "{\"asked\":2}", "{id}");
    }
    let row = store.organic_iteration(young).await.unwrap().unwrap();
    assert_eq!(row.record.as_deref(), Some("{}"));
    let done = store.organic_complete(completed(running, 10.0));
    assert!(done.await.unwrap());
    let gone = store.organic_forget("c".to_owned(), 9.5, 9.5);
    assert_eq!(gone.await.unwrap(), 61);
}

#[tokio::test]
async fn a_list_of_entries_has_no_samples_and_no_answers() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    let begun = begin(&store, 2.0).await;
    let done = store.organic_complete(completed(begun.id, 3.0));
    assert!(done.await.unwrap());
    let whole = entry_of(&store, "a").await;
    assert_eq!(whole.sample, "{\"of\":\"a\"}");
    assert!(whole.answer.is_some());
    let listed = store.organic_entries("c".to_owned(), None, None, 9);
    let bare = EntryRow {
        sample: String::new(),
        answer: None,
        ..whole
    };
    assert_eq!(listed.await.unwrap(), [bare]);
}

#[test]
fn a_queue_is_ready_when_its_first_may_be_tried_or_the_clock_was_wrong() {
    let queue = |queued, next_at| OrganicQueue {
        queued,
        next_at,
        ..OrganicQueue::default()
    };
    let now = 1_000.0;
    assert!(!queue(0, None).is_ready(now));
    for (next_at, ready) in [
        (0.0, true),
        (now, true),
        (now + 0.5, false),
        (now + 86_400.0, false),
        (now + 86_400.5, true),
    ] {
        assert_eq!(queue(1, Some(next_at)).is_ready(now), ready, "{next_at}");
    }
}
