//! How iterations begin and end.

use super::*;

#[tokio::test]
async fn an_iteration_takes_an_entry_and_is_done_with_it_once() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    let begun = begin(&store, 2.0).await;
    let entry = begun.entry.unwrap();
    assert_eq!((entry.id.as_str(), entry.state), ("a", EntryState::Leased));
    assert_eq!((entry.iteration, begun.queue_size), (Some(begun.id), 0));
    assert_eq!(begun.dataset, None);
    assert_eq!(store.organic_begin(next(2.0)).await.unwrap(), None);

    assert!(
        store
            .organic_complete(completed(begun.id, 3.0))
            .await
            .unwrap()
    );
    let row = entry_of(&store, "a").await;
    assert_eq!((row.state, row.ended_at), (EntryState::Done, Some(3.0)));
    assert_eq!(
        (row.attempts, row.answer.as_deref()),
        (1, Some("{\"answer\":1}"))
    );
    let known = store.organic_loop("c".to_owned()).await.unwrap();
    assert_eq!(known.state.as_deref(), Some("[1]"));

    let later = Completed {
        state: "2".to_owned(),
        answer: None,
        ..completed(begun.id, 4.0)
    };
    assert!(!store.organic_complete(later).await.unwrap());
    assert_eq!(
        store
            .organic_fail(failed(begun.id, 4.0, None))
            .await
            .unwrap(),
        None
    );
    assert!(!store.organic_complete(completed(99, 4.0)).await.unwrap());
    assert_eq!(entry_of(&store, "a").await, row);
    assert_eq!(store.organic_loop("c".to_owned()).await.unwrap(), known);
    let iteration = store.organic_iteration(begun.id).await.unwrap().unwrap();
    assert_eq!(iteration.state, IterationState::Done);
    assert_eq!((iteration.started_at, iteration.ended_at), (2.0, Some(3.0)));
    assert_eq!(iteration.record.as_deref(), Some("{}"));
}

#[tokio::test]
async fn a_sample_whose_iteration_fails_is_tried_again_later_and_then_kept() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    for (attempt, at) in [(1, 10.0), (2, 20.0)] {
        let begun = begin(&store, at).await;
        let state = store
            .organic_fail(failed(begun.id, at, Some(at + 5.0)))
            .await;
        assert_eq!(state.unwrap(), Some(EntryState::Queued));
        let row = entry_of(&store, "a").await;
        assert_eq!((row.attempts, row.not_before), (attempt, at + 5.0));
        assert_eq!((row.ended_at, row.code.as_deref()), (None, Some("timeout")));
        assert_eq!(store.organic_begin(next(at + 4.9)).await.unwrap(), None);
    }
    let begun = begin(&store, 25.0).await;
    let failure = failed(begun.id, 30.0, Some(35.0));
    let state = store.organic_fail(failure.clone()).await.unwrap();
    assert_eq!(state, Some(EntryState::Failed));
    assert_eq!(store.organic_fail(failure).await.unwrap(), None);
    let row = entry_of(&store, "a").await;
    assert_eq!((row.attempts, row.ended_at), (3, Some(30.0)));
    assert_eq!(row.message.as_deref(), Some("it took too long"));
    assert_eq!(row.sample, "{\"of\":\"a\"}", "for inspection");
    assert_eq!(store.organic_begin(next(99.0)).await.unwrap(), None);
    let rows = store
        .organic_iterations("c".to_owned(), None, 9)
        .await
        .unwrap();
    let is_of_it = |row: &IterationRow| row.entry.as_deref() == Some("a");
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(is_of_it));
}

#[tokio::test]
async fn a_final_failure_is_not_tried_again() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    let begun = begin(&store, 2.0).await;
    let state = store
        .organic_fail(failed(begun.id, 3.0, None))
        .await
        .unwrap();
    assert_eq!(state, Some(EntryState::Failed));
    assert_eq!(entry_of(&store, "a").await.attempts, 1);
}

#[tokio::test]
async fn a_sample_is_made_only_while_no_entry_may_be_tried() {
    let (_directory, store) = store();
    let synthetic = |at| NewIteration {
        dataset: Some("facts".to_owned()),
        ..next(at)
    };
    add(&store, new("a", 1.0)).await;
    let begun = store.organic_begin(synthetic(2.0)).await.unwrap().unwrap();
    assert_eq!((begun.entry.is_some(), begun.dataset), (true, None));
    store
        .organic_fail(failed(begun.id, 3.0, Some(9.0)))
        .await
        .unwrap();

    let begun = store.organic_begin(synthetic(4.0)).await.unwrap().unwrap();
    assert_eq!((begun.entry, begun.queue_size), (None, 1));
    assert_eq!(begun.dataset.as_deref(), Some("facts"));
    assert!(
        store
            .organic_complete(completed(begun.id, 5.0))
            .await
            .unwrap()
    );
    assert_eq!(state_of(&store, "a").await, EntryState::Queued);
    let row = store.organic_iteration(begun.id).await.unwrap().unwrap();
    assert_eq!((row.entry, row.dataset.as_deref()), (None, Some("facts")));

    let begun = store.organic_begin(synthetic(6.0)).await.unwrap().unwrap();
    assert_eq!(
        store
            .organic_fail(failed(begun.id, 7.0, Some(8.0)))
            .await
            .unwrap(),
        None
    );
    let row = store.organic_iteration(begun.id).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.code.as_deref()),
        (IterationState::Failed, Some("timeout"))
    );
}

#[tokio::test]
async fn without_an_entry_and_a_dataset_nothing_begins_and_no_steps_are_taken() {
    let (_directory, store) = store();
    store
        .organic_steps("c".to_owned(), Steps::Set(5), 1.0)
        .await
        .unwrap();
    let begun = store
        .organic_begin(NewIteration {
            steps: 2,
            ..next(2.0)
        })
        .await;
    assert_eq!(begun.unwrap(), None);
    assert_eq!(store.organic_loop("c".to_owned()).await.unwrap().steps, 5);
    assert_eq!(
        store
            .organic_iterations("c".to_owned(), None, 9)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn steps_are_taken_with_the_begin_and_never_more_than_there_are() {
    let (directory, store) = store();
    let add_steps = |steps| store.organic_steps("c".to_owned(), Steps::Add(steps), 1.0);
    let iteration = |steps| NewIteration {
        steps,
        dataset: Some("facts".to_owned()),
        ..next(2.0)
    };
    assert_eq!(store.organic_begin(iteration(1)).await.unwrap(), None);
    add_steps(2).await.unwrap();
    assert_eq!(add_steps(3).await.unwrap().steps, 5);
    let begun = store.organic_begin(iteration(4)).await.unwrap().unwrap();
    assert_eq!(begun.steps, 1);
    assert_eq!(store.organic_begin(iteration(2)).await.unwrap(), None);
    drop(store);
    let store = open(&directory);
    assert_eq!(store.organic_loop("c".to_owned()).await.unwrap().steps, 1);
    let begun = store.organic_begin(iteration(1)).await.unwrap().unwrap();
    assert_eq!(begun.steps, 0);
    let begun = store.organic_begin(iteration(0)).await.unwrap().unwrap();
    assert_eq!(begun.steps, 0, "time triggers");
}

#[tokio::test]
async fn steps_stay_at_the_most_that_there_can_be() {
    let (_directory, store) = store();
    let most = i64::MAX as u64;
    for change in [Steps::Set(u64::MAX), Steps::Add(1), Steps::Add(u64::MAX)] {
        let row = store
            .organic_steps("c".to_owned(), change, 1.0)
            .await
            .unwrap();
        assert_eq!(row.steps, most, "{change:?}");
    }
    let row = store
        .organic_steps("c".to_owned(), Steps::Set(0), 1.0)
        .await
        .unwrap();
    assert_eq!(row.steps, 0);
}

#[tokio::test]
async fn nothing_begins_once_it_is_stopped_not_even_after_a_restart() {
    let (directory, store) = store();
    add(&store, new("a", 1.0)).await;
    add(&store, new("b", 1.0)).await;
    let running = begin(&store, 2.0).await;
    let row = store.organic_stop("c".to_owned(), true, 3.0).await.unwrap();
    assert!(row.stopped);
    assert_eq!(store.organic_begin(next(4.0)).await.unwrap(), None);
    assert!(
        store
            .organic_complete(completed(running.id, 5.0))
            .await
            .unwrap()
    );
    drop(store);
    let store = open(&directory);
    assert_eq!(store.organic_begin(next(6.0)).await.unwrap(), None);
    add(&store, new("d", 6.0)).await;
    let row = store
        .organic_stop("c".to_owned(), false, 7.0)
        .await
        .unwrap();
    assert_eq!((row.stopped, row.state.as_deref()), (false, Some("[1]")));
    assert_eq!(begin(&store, 8.0).await.entry.unwrap().id, "b");
    let unknown = store.organic_loop("other".to_owned()).await.unwrap();
    let running = LoopRow {
        challenge: "other".to_owned(),
        ..LoopRow::default()
    };
    assert_eq!(unknown, running);
}

#[tokio::test]
async fn what_the_end_of_the_host_cut_short_is_queued_again_and_not_counted() {
    let (directory, store) = store();
    add(&store, new("a", 1.0)).await;
    add(&store, new("b", 1.0)).await;
    let synthetic = NewIteration {
        dataset: Some("facts".to_owned()),
        ..next(2.0)
    };
    let first = begin(&store, 2.0).await;
    store
        .organic_fail(failed(first.id, 2.0, Some(2.0)))
        .await
        .unwrap();
    let cut = begin(&store, 2.0).await;
    let done = begin(&store, 2.0).await;
    let made = store.organic_begin(synthetic).await.unwrap().unwrap();
    store
        .organic_complete(completed(done.id, 3.0))
        .await
        .unwrap();
    drop(store);

    let store = open(&directory);
    assert_eq!(store.organic_take_back(9.0).await.unwrap(), 2);
    assert_eq!(store.organic_take_back(9.0).await.unwrap(), 0);
    let row = entry_of(&store, "a").await;
    assert_eq!((row.state, row.attempts), (EntryState::Queued, 1));
    assert_eq!(state_of(&store, "b").await, EntryState::Done);
    for id in [cut.id, made.id] {
        let row = store.organic_iteration(id).await.unwrap().unwrap();
        assert_eq!(
            (row.state, row.ended_at),
            (IterationState::Failed, Some(9.0))
        );
        assert_eq!(row.code.as_deref(), Some("interrupted"));
    }
    // Whoever still has it is late.
    assert!(
        !store
            .organic_complete(completed(cut.id, 9.0))
            .await
            .unwrap()
    );
    assert_eq!(state_of(&store, "a").await, EntryState::Queued);
    assert_eq!(begin(&store, 10.0).await.entry.unwrap().id, "a");
}

#[tokio::test]
async fn a_failure_that_does_not_count_leaves_the_attempts_as_they_are() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    let mut ends = Vec::new();
    for (counts, again_at) in [
        (true, Some(2.0)),
        (true, Some(2.0)),
        (false, Some(2.0)),
        (false, Some(2.0)),
        (false, None),
    ] {
        let begun = begin(&store, 2.0).await;
        let failure = Failed {
            counts,
            ..failed(begun.id, 2.0, again_at)
        };
        let state = store.organic_fail(failure).await.unwrap().unwrap();
        let row = entry_of(&store, "a").await;
        assert_eq!(row.state, state);
        assert_eq!(row.ended_at.is_some(), state.is_end());
        ends.push((state, row.attempts));
    }
    use EntryState::{Failed as Ended, Queued};
    assert_eq!(
        ends,
        [
            (Queued, 1),
            (Queued, 2),
            (Queued, 2),
            (Queued, 2),
            (Ended, 2)
        ]
    );
    store.organic_retry("a".to_owned(), 3.0).await.unwrap();
    let begun = begin(&store, 3.0).await;
    let fewer = Failed {
        counts: false,
        max_attempts: 0,
        ..failed(begun.id, 3.0, Some(3.0))
    };
    assert_eq!(store.organic_fail(fewer).await.unwrap(), Some(Queued));
}

#[tokio::test]
async fn an_entry_that_is_cut_short_ten_times_fails_until_an_operator_has_it_tried_again() {
    let (_directory, store) = store();
    for round in 0..2 {
        match round {
            0 => add(&store, new("a", 1.0)).await,
            _ => {
                let row = store.organic_retry("a".to_owned(), 2.0).await.unwrap();
                assert_eq!(row.unwrap().code, None);
            }
        }
        for time in 1..=10 {
            let begun = begin(&store, 2.0).await;
            assert_eq!(begun.entry.unwrap().id, "a", "{time}");
            assert_eq!(store.organic_take_back(3.0).await.unwrap(), 1);
            let row = entry_of(&store, "a").await;
            assert_eq!(row.attempts, 0);
            if time < 10 {
                assert_eq!((row.state, row.ended_at), (EntryState::Queued, None));
                assert_eq!(row.code, None);
            }
        }
        let row = entry_of(&store, "a").await;
        assert_eq!((row.state, row.ended_at), (EntryState::Failed, Some(3.0)));
        assert_eq!(row.code.as_deref(), Some("interrupted"));
        assert!(row.message.is_some());
        assert_eq!(store.organic_begin(next(4.0)).await.unwrap(), None);
    }
}
