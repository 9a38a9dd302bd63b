//! What must hold of entries and iterations.

mod backup;
mod iterations;
mod log;
mod model;
mod pick;
mod queue;

use super::*;
use crate::config::Sampling;
use std::collections::BTreeMap;
use tempfile::TempDir;

const RULES: QueueRules = QueueRules {
    queue_max: 100,
    most_of_caller: 100,
    dedupe_s: 300.0,
};

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    (directory, store)
}

/// What a host finds that is started again.
fn open(directory: &TempDir) -> Store {
    Store::open(&directory.path().join("db")).unwrap()
}

fn new(id: &str, received_at: f64) -> NewEntry {
    NewEntry {
        id: id.to_owned(),
        challenge: "c".to_owned(),
        caller: "v".to_owned(),
        sample: format!("{{\"of\":\"{id}\"}}"),
        digest: id.to_owned(),
        priority: 0.0,
        received_at,
    }
}

async fn add(store: &Store, entry: NewEntry) {
    let added = store.organic_add(entry, RULES).await.unwrap();
    assert_eq!(added, Added::Queued { dropped: vec![] });
}

fn next(started_at: f64) -> NewIteration {
    NewIteration {
        challenge: "c".to_owned(),
        plugin: "p".to_owned(),
        settings: "s".to_owned(),
        engine: "e".to_owned(),
        started_at,
        sampling: Sampling::Priority,
        random: 0,
        steps: 0,
        dataset: None,
    }
}

async fn begin(store: &Store, started_at: f64) -> Begun {
    store
        .organic_begin(next(started_at))
        .await
        .unwrap()
        .unwrap()
}

fn completed(id: i64, ended_at: f64) -> Completed {
    Completed {
        id,
        summary: "{\"asked\":2}".to_owned(),
        record: "{}".to_owned(),
        ended_at,
        answer: Some("{\"answer\":1}".to_owned()),
        state: format!("[{id}]"),
        day: "2026-08-22".to_owned(),
        weights: BTreeMap::from([("m".to_owned(), id as f64)]),
    }
}

fn failed(id: i64, ended_at: f64, again_at: Option<f64>) -> Failed {
    Failed {
        id,
        code: "timeout".to_owned(),
        message: "it took too long".to_owned(),
        summary: "{\"asked\":3}".to_owned(),
        record: "[]".to_owned(),
        ended_at,
        again_at,
        counts: true,
        max_attempts: 3,
    }
}

/// A sample of `facts` whose iteration began and is done.
async fn made(store: &Store, ended_at: f64) -> i64 {
    let synthetic = NewIteration {
        dataset: Some("facts".to_owned()),
        ..next(1.0)
    };
    let begun = store.organic_begin(synthetic).await.unwrap().unwrap();
    let done = store.organic_complete(completed(begun.id, ended_at));
    assert!(done.await.unwrap());
    begun.id
}

async fn entry_of(store: &Store, id: &str) -> EntryRow {
    store.organic_entry(id.to_owned()).await.unwrap().unwrap()
}

async fn state_of(store: &Store, id: &str) -> EntryState {
    entry_of(store, id).await.state
}

async fn queue_of(store: &Store) -> OrganicQueue {
    store.organic_queue("c".to_owned()).await.unwrap()
}

#[test]
fn every_state_is_found_by_its_name() {
    for state in EntryState::ALL {
        assert_eq!(EntryState::from_name(state.name()), Some(state));
    }
    assert_eq!(EntryState::from_name("lost"), None);
}
