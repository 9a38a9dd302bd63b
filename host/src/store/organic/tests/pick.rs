//! Which entry is next.

use super::*;
use std::collections::BTreeSet;

#[tokio::test]
async fn each_that_may_be_tried_is_as_likely_as_the_others() {
    let (_directory, store) = store();
    let mut ids = BTreeSet::new();
    for i in 0..9 {
        add(&store, new(&i.to_string(), 1.0)).await;
    }
    // Two are to wait: the oldest, and one that had waited before.
    for again_at in [50.0, 60.0] {
        let begun = begin(&store, 2.0).await;
        store
            .organic_fail(failed(begun.id, 3.0, Some(again_at)))
            .await
            .unwrap();
    }
    let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
    for random in (0..14).chain([u64::MAX]) {
        let any = NewIteration {
            sampling: Sampling::Uniform,
            random,
            ..next(10.0)
        };
        let begun = store.organic_begin(any).await.unwrap().unwrap();
        assert_eq!(begun.queue_size, 8);
        let id = begun.entry.unwrap().id;
        if random < 14 {
            *drawn.entry(id.clone()).or_default() += 1;
        }
        ids.insert(id);
        store.organic_take_back(11.0).await.unwrap();
    }
    let all: BTreeSet<_> = (2..9).map(|i| i.to_string()).collect();
    assert_eq!(ids, all);
    assert!(drawn.values().all(|times| *times == 2), "{drawn:?}");
}

#[tokio::test]
async fn the_greatest_priority_is_first_and_of_these_the_oldest() {
    let (_directory, store) = store();
    for (id, priority) in [
        ("a", -1.0),
        ("b", 2.5),
        ("d", 0.0),
        ("e", 2.5),
        ("f", 1e300),
    ] {
        let entry = NewEntry {
            priority,
            ..new(id, 1.0)
        };
        add(&store, entry).await;
    }
    let first = begin(&store, 2.0).await;
    assert_eq!(first.entry.unwrap().id, "f");
    store
        .organic_fail(failed(first.id, 3.0, Some(50.0)))
        .await
        .unwrap();
    for id in ["b", "e", "d", "a"] {
        assert_eq!(begin(&store, 10.0).await.entry.unwrap().id, id, "f waits");
    }
    assert_eq!(begin(&store, 50.0).await.entry.unwrap().id, "f");
}

#[tokio::test]
async fn an_entry_that_is_to_wait_for_more_than_a_day_is_tried_at_once() {
    let waits = |again_at| async move {
        let (directory, store) = store();
        add(&store, new("a", 1.0)).await;
        let begun = begin(&store, 2.0).await;
        let failure = failed(begun.id, 2.0, Some(again_at));
        store.organic_fail(failure).await.unwrap();
        (directory, store)
    };
    let now = 1_000.0;
    for sampling in [Sampling::Priority, Sampling::Uniform] {
        for (again_at, tried) in [
            (now, true),
            (now + 1.0, false),
            (now + 86_400.0, false),
            (now + 86_401.0, true),
            (1e12, true),
        ] {
            let (_directory, store) = waits(again_at).await;
            let new = NewIteration {
                sampling,
                random: 7,
                ..next(now)
            };
            let begun = store.organic_begin(new).await.unwrap();
            assert_eq!(begun.is_some(), tried, "{sampling:?} {again_at}");
        }
    }
}

#[tokio::test]
async fn one_that_waits_for_too_long_is_as_likely_as_those_that_may_be_tried() {
    let (_directory, store) = store();
    for i in 0..5 {
        add(&store, new(&i.to_string(), 1.0)).await;
    }
    let mut running = Vec::new();
    for again_at in [1e9, 2e9, 50.0] {
        running.push((begin(&store, 2.0).await.id, again_at));
    }
    for (id, again_at) in running {
        let failure = failed(id, 3.0, Some(again_at));
        store.organic_fail(failure).await.unwrap();
    }
    let mut drawn = Vec::new();
    for random in 0..8 {
        let any = NewIteration {
            sampling: Sampling::Uniform,
            random,
            ..next(10.0)
        };
        let begun = store.organic_begin(any).await.unwrap().unwrap();
        drawn.push(begun.entry.unwrap().id);
        store.organic_take_back(11.0).await.unwrap();
    }
    assert_eq!(drawn, ["3", "4", "0", "1", "3", "4", "0", "1"]);
}
