use super::*;
use crate::config::Config;
use crate::store::{self, Intake, NewBlob, NewReceipt, NewVector, Report, ViewRow};
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::sync::Mutex;

/// 2026-08-22T15:00:00Z.
const NOW: f64 = 1_787_410_800.0;

/// When commits of a day were made: two days before its end.
fn committed_at(day: &str) -> f64 {
    clock::start_of_day(day).unwrap() - DAY
}

fn digest(number: i64) -> String {
    format!("{number:064x}")
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

struct Room {
    directory: tempfile::TempDir,
    store: Store,
}

impl Room {
    /// One miner for each commit: (number, day, score). Each was compared with the one
    /// before it. The last one is of yesterday.
    async fn new(commits: &[(i64, &'static str, f64)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let mut rows = vec![(
            "header",
            json!({"schema": 2, "seed": "1", "database": "d", "last_event": 0}),
        )];
        let days: BTreeSet<&str> = commits.iter().map(|(_, day, _)| *day).collect();
        for (id, ..) in commits {
            rows.push((
                "results",
                json!({
                    "id": id, "challenge": "c", "plugin_digest": digest(0),
                    "settings_digest": digest(0), "artifact_digest": digest(*id), "engine": "e",
                    "seed": 1, "now": 0.0, "state": "done", "queued_at": 0.0, "not_before": 0.0,
                    "outcome": "ok", "logs": "[]", "finished_at": 0.0,
                }),
            ));
        }
        for (id, day, score) in commits {
            rows.push((
                "commits",
                json!({
                    "id": id, "challenge": "c", "miner_hotkey": format!("m{id}"), "miner_uid": 1,
                    "encrypted_commit": format!("e{id}"), "committed_at": committed_at(day),
                    "key": "k", "state": "judged", "text": "t", "artifact": "a",
                    "artifact_digest": digest(*id), "batch_day": day, "evaluation_id": id,
                    "comparisons": "[]", "score": score, "penalty": 0.0,
                    "accepted": i64::from(*score > 0.0), "judged_at": 1.0, "finalized_day": day,
                    "revision": id,
                }),
            ));
            rows.push((
                "sightings",
                json!({"commit_id": id, "validator_hotkey": "v",
                       "claimed_at": committed_at(day), "heard_at": committed_at(day)}),
            ));
            rows.push((
                "comparisons",
                json!({"challenge": "c", "plugin_digest": digest(0),
                       "settings_digest": digest(0), "candidate": id, "reference": 1,
                       "logs": "[]"}),
            ));
        }
        for day in days {
            let at = clock::start_of_day(day).unwrap() + 14.0 * 3_600.0;
            rows.push((
                "finalizations",
                json!({"day": day, "challenge": "c", "plugin_digest": digest(0), "outcome": "ok",
                       "standings": "[1]", "weights": "[2]", "results": "[3]",
                       "finalized_at": at, "scheduled_at": at}),
            ));
            rows.push((
                "vectors",
                json!({"day": day, "uids": "[]", "values": "[]", "derivation": "{}",
                       "finalized_at": at}),
            ));
        }
        let loaded: Result<(), StoreError> = store
            .load(move |insert| {
                rows.into_iter()
                    .try_for_each(|(part, row)| insert(part, object(row)))
            })
            .await;
        loaded.unwrap();
        Room { directory, store }
    }

    fn compaction(&self) -> Compaction {
        Compaction {
            kept: Kept::days(90, NOW),
            schedule: Schedule::new(&Config::default()),
            max_unique_commits: 1,
            directory: archive_directory(self.directory.path()),
        }
    }

    async fn compact(&self) -> Compacted {
        let forgotten = Mutex::new(Vec::new());
        let forget = |challenge: &str, gone: &[String]| {
            assert_eq!(challenge, "c");
            forgotten.lock().unwrap().extend(gone.to_vec());
        };
        let compacted = self.compaction().run(&self.store, forget).await.unwrap();
        let gone: Vec<String> = compacted.commits.values().flatten().cloned().collect();
        assert_eq!(*forgotten.lock().unwrap(), gone);
        let path = self.directory.path().join("db");
        assert_eq!(Store::problems(&path, false).unwrap(), []);
        compacted
    }

    async fn left(&self) -> Vec<i64> {
        let commits = self.store.commits_of("c").await.unwrap();
        let mut ids: Vec<i64> = commits.into_iter().map(|commit| commit.id).collect();
        ids.sort_unstable();
        ids
    }

    /// What is in the file of a day: (table, what names the row).
    fn archived(&self, day: &str) -> Vec<(String, String)> {
        let directory = archive_directory(self.directory.path());
        let file = File::open(directory.join(format!("{day}.jsonl.gz"))).unwrap();
        let mut text = String::new();
        MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut lines: Vec<_> = text
            .lines()
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                let text = |name: &str| line[name].as_str().unwrap().to_owned();
                (text("table"), text("key"))
            })
            .collect();
        lines.sort();
        lines
    }

    /// A validator says that it saw these commits: (number, when).
    async fn report(&self, commits: &[(i64, f64)]) -> (u64, usize) {
        let document = json!({"miner_commits": commits.iter().map(|(id, _)| {
            (format!("m{id}"), json!({"c": {"encrypted_commit": format!("e{id}")}}))
        }).collect::<Map<_, _>>()});
        let intake = Intake {
            view: ViewRow {
                validator_uid: 0,
                validator_hotkey: "v".into(),
                document: document.to_string().into_bytes(),
                received_at: NOW,
                heard: true,
                source: "file".into(),
            },
            reports: commits
                .iter()
                .map(|(id, at)| Report {
                    challenge: "c".into(),
                    miner_hotkey: format!("m{id}"),
                    miner_uid: 1,
                    encrypted_commit: format!("e{id}"),
                    claimed_at: Some(*at),
                    key: None,
                })
                .collect(),
            faults: Vec::new(),
            request_ns: None,
            last_confirmed_at: None,
            backdate_tolerance_s: 1e12,
        };
        let time = |claims: &[store::Claim]| claims.first().and_then(|c| c.claimed_at);
        let ingested = self.store.take_in(intake, time).await.unwrap().unwrap();
        (ingested.new, ingested.too_old.len())
    }
}

const OLD: &str = "2026-05-01";
const OLDER: &str = "2026-04-30";
const YESTERDAY: &str = "2026-08-21";

/// 1 and 2 came to nothing; 3 is a standing and compared with; 4 and 5 are of
/// yesterday.
const COMMITS: [(i64, &str, f64); 5] = [
    (1, OLDER, 0.0),
    (2, OLD, 0.0),
    (3, OLD, 0.5),
    (4, YESTERDAY, 0.0),
    (5, YESTERDAY, 0.4),
];

fn lines(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    let line = |(table, key): &(&str, &str)| ((*table).to_owned(), (*key).to_owned());
    lines.iter().map(line).collect()
}

#[tokio::test]
async fn what_nothing_refers_to_leaves_with_its_day() {
    let room = Room::new(&COMMITS).await;
    let compacted = room.compact().await;
    assert_eq!(compacted.days, [OLDER, OLD]);
    assert_eq!(compacted.commits["c"], ["e1", "e2"]);
    assert_eq!(room.left().await, [3, 4, 5]);
    let zero = digest(0);
    let comparison = |candidate: i64| format!("{zero}/{zero}/{candidate}/1");
    let at = json!(committed_at(OLD)).to_string();
    let found = room.archived(OLD);
    assert_eq!(
        found,
        lines(&[
            ("commits", "2"),
            ("evaluations", "2"),
            ("finalizations", "2026-05-01/c"),
            ("sightings", &format!("2/v/{at}")),
        ])
    );
    // All were compared with 1, which left first.
    let older = room.archived(OLDER);
    for candidate in [2, 5] {
        assert!(older.contains(&("comparisons".into(), comparison(candidate))));
    }
    let day = |day: &str| room.store.finalization("c".into(), day.into());
    let old = day(OLD).await.unwrap().unwrap().finalization;
    let parts = [old.standings, old.results, old.weights];
    assert_eq!(parts, ["[]", "[]", "[2]"], "the row stays");
    let kept = day(YESTERDAY).await.unwrap().unwrap().finalization;
    assert_eq!(kept.results, "[3]");
    assert_eq!(
        room.compact().await,
        Compacted::default(),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn killed_between_file_and_database_it_comes_to_the_same() {
    let room = Room::new(&COMMITS).await;
    let ledger = vec![(OLD.to_owned(), "c".to_owned())];
    let write = || async {
        let compaction = room.compaction();
        compaction.write(&room.store, OLD, &[(2, 2)], &ledger).await
    };
    write().await.unwrap();
    let before = room.archived(OLD);
    assert_eq!(room.left().await, [1, 2, 3, 4, 5], "nothing has left yet");
    room.compact().await;
    assert_eq!(room.archived(OLD), before);
    assert_eq!(room.left().await, [3, 4, 5]);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_its_day_in_the_database() {
    let room = Room::new(&COMMITS).await;
    std::fs::write(archive_directory(room.directory.path()), "in the way").unwrap();
    let failed = room.compaction().run(&room.store, |_, _| {}).await;
    assert!(
        matches!(failed, Err(RetentionError::Io { .. })),
        "{failed:?}"
    );
    assert_eq!(room.left().await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_has_left_does_not_come_back_and_what_is_new_is_taken() {
    let room = Room::new(&COMMITS).await;
    room.compact().await;
    assert_eq!(room.report(&[(2, committed_at(OLD))]).await, (0, 1));
    // The first day that stays takes this in.
    let kept = Kept::days(90, NOW).kept_from(Schedule::new(&Config::default()));
    assert_eq!(clock::day(kept + 0.001 + DAY), "2026-05-23");
    assert!(kept < NOW - 90.0 * DAY);
    assert_eq!(room.report(&[(6, kept + 0.001)]).await, (1, 0));
    assert_eq!(room.report(&[(7, kept - 0.001)]).await, (0, 1));
}

#[tokio::test]
async fn what_a_validator_still_tells_of_stays() {
    let room = Room::new(&COMMITS).await;
    room.report(&[(2, committed_at(OLD))]).await;
    assert_eq!(room.compact().await.commits["c"], ["e1"]);
    assert_eq!(room.left().await, [2, 3, 4, 5]);
}

#[tokio::test]
async fn a_day_that_was_made_up_for_lately_stays() {
    let mut compaction = Room::new(&COMMITS).await.compaction();
    compaction.kept.closed_before = clock::start_of_day(OLD).unwrap();
    let room = Room::new(&COMMITS).await;
    let compacted = compaction.run(&room.store, |_, _| {}).await.unwrap();
    assert_eq!(compacted.commits["c"], ["e1"]);
}

#[tokio::test]
async fn the_last_numbers_are_not_given_again() {
    let room = Room::new(&COMMITS[..2]).await;
    assert_eq!(room.compact().await.commits["c"], ["e1"]);
    assert_eq!(room.left().await, [2]);
}

#[test]
fn the_first_day_that_stays_must_have_begun() {
    assert!(Kept::from("2026-08-22", NOW).is_ok());
    for day in ["2026-08-23", "2026-02-30", "today", ""] {
        assert!(Kept::from(day, NOW).is_err(), "{day}");
    }
}

#[tokio::test]
async fn what_old_receipts_name_goes_with_the_receipts_of_runs() {
    let room = Room::new(&[]).await;
    let receipt = |id: String, kind: &str| NewReceipt {
        id,
        kind: kind.into(),
        challenge: None,
        body: "{}".into(),
        signer: None,
        signature: None,
    };
    for (at, count) in [(10.0, 5), (20.0, 1)] {
        let ids = (0..count).map(|number| format!("{at} {number}"));
        let blobs = ids.clone().map(|digest| NewBlob {
            digest,
            size: 3,
            zstd: b"abc".to_vec(),
            private: false,
        });
        let kept = store::Kept {
            receipts: ids
                .map(|id| receipt(id, "solve"))
                .chain([receipt(format!("{at} evaluation"), "evaluate")])
                .collect(),
            blobs: blobs.collect(),
            at,
            ..store::Kept::default()
        };
        let vector = NewVector {
            digest: at.to_string(),
            day: OLD.into(),
            document: "{}".into(),
            made_at: at,
            receipt: None,
        };
        room.store.publish_vector(vector, kept, None).await.unwrap();
    }
    let pruned = prune(&room.store, 20.0, 2).await.unwrap();
    let expected = Pruned {
        blobs: 5,
        bytes: 15,
        solves: 5,
    };
    assert_eq!(pruned, expected);
    let left = ["10 4", "10 evaluation", "20 0", "20 evaluation"].map(str::to_owned);
    let left = room.store.receipts(left.to_vec()).await.unwrap();
    let left: Vec<_> = left.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(left, ["10 evaluation", "20 0", "20 evaluation"]);
    let pruned = prune(&room.store, 20.0, 2).await.unwrap();
    assert_eq!(pruned, Pruned::default());
}
