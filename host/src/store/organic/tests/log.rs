//! What is known of iterations once they ended.

use super::*;

#[tokio::test]
async fn the_weights_of_a_day_are_those_that_were_folded_last_whatever_the_clock_said() {
    let (_directory, store) = store();
    let done = async |day: &str, ended_at| {
        let synthetic = NewIteration {
            dataset: Some("facts".to_owned()),
            ..next(1.0)
        };
        let begun = store.organic_begin(synthetic).await.unwrap().unwrap();
        let completed = Completed {
            day: day.to_owned(),
            weights: BTreeMap::from([("m".to_owned(), ended_at)]),
            ..completed(begun.id, ended_at)
        };
        assert!(store.organic_complete(completed).await.unwrap());
    };
    let of = async |until: Option<&str>| {
        let found = store.organic_weights("c".to_owned(), until.map(str::to_owned));
        found.await.unwrap().map(|found| {
            assert_eq!(found.weights["m"], found.at);
            (found.day, found.at)
        })
    };
    assert_eq!(of(None).await, None);
    done("2026-08-20", 10.1).await;
    done("2026-08-20", 12.7).await;
    done("2026-08-20", 11.0).await;
    done("2026-08-22", 20.0).await;
    let day = |day: &str, at| Some((day.to_owned(), at));
    assert_eq!(of(None).await, day("2026-08-22", 20.0));
    assert_eq!(of(Some("2026-08-22")).await, day("2026-08-22", 20.0));
    assert_eq!(of(Some("2026-08-21")).await, day("2026-08-20", 11.0));
    assert_eq!(of(Some("2026-08-19")).await, None);
    // The clock was years ahead for a while.
    done("2030-01-01", 99.0).await;
    assert_eq!(of(Some("2026-08-22")).await, day("2026-08-22", 20.0));
    done("2026-08-22", 21.0).await;
    assert_eq!(of(Some("2026-08-22")).await, day("2026-08-22", 21.0));
    assert_eq!(of(None).await, day("2030-01-01", 99.0));
    let elsewhere = store.organic_weights("other".to_owned(), None);
    assert_eq!(elsewhere.await.unwrap(), None);
}

#[tokio::test]
async fn iterations_are_paged_from_the_newest() {
    let (_directory, store) = store();
    for id in ["a", "b", "d"] {
        add(&store, new(id, 1.0)).await;
        begin(&store, 2.0).await;
    }
    let page = async |before, limit| {
        let rows = store.organic_iterations("c".to_owned(), before, limit);
        let rows = rows.await.unwrap().into_iter();
        rows.map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [3, 2]);
    assert_eq!(page(Some(2), 2).await, [1]);
    assert_eq!(store.organic_iteration(9).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_of_iterations_has_summaries_and_no_records() {
    let (_directory, store) = store();
    add(&store, new("a", 1.0)).await;
    let begun = begin(&store, 2.0).await;
    let failure = failed(begun.id, 3.0, Some(3.0));
    store.organic_fail(failure).await.unwrap();
    let done = made(&store, 4.0).await;
    let running = begin(&store, 5.0).await.id;
    let list = store.organic_iterations("c".to_owned(), None, 9);
    let list = list.await.unwrap();
    let told = list.iter().map(|row| (row.id, row.summary.as_str()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (running, "{}"),
            (done, "{\"asked\":2}"),
            (begun.id, "{\"asked\":3}"),
        ]
    );
    assert!(list.iter().all(|row| row.record.is_none()));
    for (listed, record) in list.into_iter().zip([None, Some("{}"), Some("[]")]) {
        let row = store.organic_iteration(listed.id).await.unwrap().unwrap();
        assert_eq!(row.record.as_deref(), record);
        assert_eq!(
            IterationRow {
                record: None,
                ..row
            },
            listed
        );
    }
}

#[tokio::test]
async fn after_a_reset_there_is_no_state_and_the_weights_stay() {
    let (_directory, store) = store();
    store
        .organic_steps("c".to_owned(), Steps::Set(5), 1.0)
        .await
        .unwrap();
    made(&store, 2.0).await;
    let weights = store.organic_weights("c".to_owned(), None).await.unwrap();
    assert!(weights.is_some());
    let before = store.organic_loop("c".to_owned()).await.unwrap();
    assert!(before.state.is_some());
    let reset = store.organic_reset("c".to_owned(), 3.0).await.unwrap();
    let expected = LoopRow {
        state: None,
        ..before
    };
    assert_eq!(reset, expected);
    assert_eq!(store.organic_loop("c".to_owned()).await.unwrap(), expected);
    let after = store.organic_weights("c".to_owned(), None).await.unwrap();
    assert_eq!(after, weights);
}

#[tokio::test]
async fn every_challenge_that_anything_is_known_of_is_told() {
    let (_directory, store) = store();
    assert!(store.organic_challenges().await.unwrap().is_empty());
    let elsewhere = NewEntry {
        challenge: "other".to_owned(),
        ..new("o", 1.0)
    };
    add(&store, elsewhere).await;
    made(&store, 2.0).await;
    store.organic_stop("a".to_owned(), true, 3.0).await.unwrap();
    let known = store.organic_challenges().await.unwrap();
    assert_eq!(known, ["a", "c", "other"]);
}
