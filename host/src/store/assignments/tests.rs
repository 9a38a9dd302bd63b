use super::*;
use serde_json::json;

const ONLINE_SINCE: f64 = 50.0;

struct Fixture {
    _directory: tempfile::TempDir,
    store: Store,
}

/// A version of a challenge; its plugin is named after both.
fn version(challenge: &str, version: &str) -> JobKey {
    JobKey {
        challenge: challenge.into(),
        plugin_digest: format!("{challenge} {version}"),
        settings_digest: "s".into(),
        artifact_digest: String::new(),
        engine: "e".into(),
    }
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        Fixture {
            _directory: directory,
            store,
        }
    }

    /// An evaluation of the first version of a challenge with this number, and a commit
    /// with the same number that it is for; finalized on a day if one is given.
    async fn evaluated(&self, challenge: &'static str, number: i64, day: Option<&'static str>) {
        self.evaluated_with(challenge, number, day, "done", "{}")
            .await;
    }

    async fn evaluated_with(
        &self,
        challenge: &'static str,
        number: i64,
        day: Option<&'static str>,
        state: &'static str,
        solves: &'static str,
    ) {
        let key = version(challenge, "1");
        let add = move |tx: &Transaction<'_>| {
            tx.execute(
                "INSERT INTO evaluations (id, challenge, plugin_digest, settings_digest,
                     artifact_digest, engine, seed, now, state, queued_at, not_before, outcome,
                     solves, logs)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, -1, 7.5, ?7, 0, 0, 'ok', ?8, '[]')",
                (
                    number,
                    &key.challenge,
                    key.plugin_digest,
                    key.settings_digest,
                    format!("artifact {number}"),
                    key.engine,
                    state,
                    solves,
                ),
            )?;
            tx.execute(
                "INSERT INTO commits (id, challenge, miner_hotkey, miner_uid, encrypted_commit,
                     state, evaluation_id, finalized_day, revision)
                 VALUES (?1, ?2, 'm', 3, ?1, ?3, ?1, ?4, ?1)",
                (
                    number,
                    challenge,
                    if day.is_some() { "judged" } else { "evaluated" },
                    day,
                ),
            )?;
            Ok(())
        };
        self.store.write(add).await.unwrap();
    }

    /// Makes assignments of all that is finalized; returns the numbers of the
    /// evaluations that were looked at.
    async fn fill(&self, challenge: &str, limit: u32) -> Vec<i64> {
        let found = self.store.finalized_evaluations(challenge.into(), limit);
        let found = found.await.unwrap();
        let Some(last) = found.last() else {
            return Vec::new();
        };
        let new = found.iter().map(|evaluation| NewAssignment {
            evaluation_id: evaluation.evaluation_id,
            expected: "good".into(),
        });
        let (mark, new) = (last.mark.clone(), new.collect());
        let added = self.store.add_assignments(challenge.into(), mark, new, 1.0);
        added.await.unwrap();
        found.iter().map(|found| found.evaluation_id).collect()
    }

    async fn register(&self, hotkey: &str, subscriptions: &[&str], seen_at: f64) {
        let about = serde_json::Map::new();
        let store = &self.store;
        store
            .register_validator(hotkey.into(), 1, about, seen_at)
            .await
            .unwrap();
        let subscriptions = subscriptions.iter().map(|&name| name.to_owned()).collect();
        store
            .subscribe_validator(hotkey.into(), subscriptions)
            .await
            .unwrap();
    }

    fn wanted(validator: &str, most: u32) -> Wanted {
        Wanted {
            validator: validator.into(),
            versions: vec![version("a", "1"), version("b", "1")],
            most,
            online_since: ONLINE_SINCE,
            now: 100.0,
            lease_until: 200.0,
        }
    }

    /// Leases, and returns the numbers of the evaluations that the validator has.
    async fn lease(&self, wanted: Wanted) -> Vec<i64> {
        let leased = self.store.lease_assignments(wanted).await.unwrap();
        leased.iter().map(|(row, _)| row.evaluation_id).collect()
    }

    async fn row(&self, evaluation: i64) -> AssignmentRow {
        let rows = self.store.assignment_page(None, None, 100).await.unwrap();
        let mut rows = rows.into_iter();
        rows.find(|row| row.evaluation_id == evaluation).unwrap()
    }

    /// Ends the attempt at an evaluation; it is open again.
    async fn return_it(&self, evaluation: i64) {
        let id = self.row(evaluation).await.id;
        let change = |row: &mut AssignmentRow| {
            row.results.push(Attempt {
                validator: row.validator.take().unwrap(),
                leased_at: 100.0,
                ended_at: 110.0,
                end: AttemptEnd::Failed,
                left: AssignmentState::Open,
                report: AttemptReport::default(),
            });
            row.state = AssignmentState::Open;
            row.lease_until = None;
            ((), None)
        };
        self.store
            .change_assignment(id, change)
            .await
            .unwrap()
            .unwrap();
    }
}

#[test]
fn names_are_those_that_serde_writes() {
    for state in AssignmentState::ALL {
        assert_eq!(json!(state), state.name());
        assert_eq!(AssignmentState::from_name(state.name()), Some(state));
    }
    use AttemptEnd::{Agrees, Differs, Failed, LeaseOver};
    for end in [Agrees, Differs, Failed, LeaseOver] {
        assert_eq!(json!(end), end.name());
    }
}

#[tokio::test]
async fn only_what_is_finalized_is_offered_and_each_evaluation_once() {
    let fixture = Fixture::new();
    fixture.evaluated("a", 1, Some("2026-08-22")).await;
    fixture.evaluated("a", 2, None).await;
    fixture.evaluated("b", 3, Some("2026-08-22")).await;
    fixture.evaluated("a", 4, Some("2026-08-21")).await;
    assert_eq!(fixture.fill("a", 1).await, [4], "the first day first");
    assert_eq!(
        fixture.fill("a", 10).await,
        [1],
        "where the last look ended"
    );
    assert_eq!(fixture.fill("a", 10).await, [0; 0]);
    fixture
        .store
        .write(|tx| {
            tx.execute(
                "UPDATE commits SET finalized_day = '2026-08-23' WHERE id = 2",
                [],
            )?;
            // Somebody else commits to what was evaluated before.
            tx.execute(
                "INSERT INTO commits (challenge, miner_hotkey, miner_uid, encrypted_commit, state,
                     evaluation_id, finalized_day, revision)
                 VALUES ('a', 'n', 4, 'x', 'judged', 1, '2026-08-23', 99)",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(fixture.fill("a", 10).await, [2, 1]);
    let counts = fixture.store.assignment_counts().await.unwrap();
    assert_eq!(counts, [("a".into(), AssignmentState::Open, 3)]);
}

#[tokio::test]
async fn what_the_clock_decided_or_has_no_result_is_not_repeatable() {
    let fixture = Fixture::new();
    let day = Some("2026-08-22");
    fixture
        .evaluated_with("a", 1, day, "done", "{\"ok\": 2}")
        .await;
    fixture
        .evaluated_with("a", 2, day, "done", "{\"ok\": 1, \"timeout\": 1}")
        .await;
    fixture.evaluated_with("a", 3, day, "failed", "{}").await;
    let found = fixture
        .store
        .finalized_evaluations("a".into(), 10)
        .await
        .unwrap();
    let repeatable: Vec<_> = found.iter().map(|found| found.repeatable).collect();
    assert_eq!(repeatable, [true, false, false]);
}

#[tokio::test]
async fn two_looks_at_the_same_time_add_nothing_twice() {
    let fixture = Fixture::new();
    fixture.evaluated("a", 1, Some("2026-08-21")).await;
    fixture.evaluated("a", 2, Some("2026-08-22")).await;
    let first = fixture
        .store
        .finalized_evaluations("a".into(), 1)
        .await
        .unwrap();
    assert_eq!(fixture.fill("a", 10).await, [1, 2]);
    let new = vec![NewAssignment {
        evaluation_id: 1,
        expected: "other".into(),
    }];
    let (store, mark) = (&fixture.store, first[0].mark.clone());
    assert_eq!(
        store
            .add_assignments("a".into(), mark, new, 2.0)
            .await
            .unwrap(),
        0
    );
    assert_eq!(fixture.row(1).await.expected, "good");
    assert_eq!(
        fixture.fill("a", 10).await,
        [0; 0],
        "the mark never goes back"
    );
}

#[tokio::test]
async fn assignments_go_with_their_evaluations() {
    let fixture = Fixture::new();
    fixture.evaluated("a", 1, Some("2026-08-21")).await;
    fixture.evaluated("a", 2, Some("2026-08-21")).await;
    fixture.fill("a", 10).await;
    assert_eq!(fixture.lease(Fixture::wanted("v", 1)).await, [1]);
    let leased = fixture.row(1).await.id;
    let gone = "DELETE FROM commits; DELETE FROM evaluations;";
    let gone = fixture.store.write(move |tx| Ok(tx.execute_batch(gone)?));
    gone.await.unwrap();
    assert_eq!(fixture.store.assignment(leased).await.unwrap(), None);
    assert_eq!(fixture.lease(Fixture::wanted("v", 5)).await, [0; 0]);
    assert_eq!(fixture.row(1).await.artifact_digest, None);
    fixture.evaluated("a", 3, Some("2026-08-22")).await;
    fixture.fill("a", 10).await;
    let left = fixture.store.assignment_page(None, None, 10).await.unwrap();
    let left: Vec<_> = left.iter().map(|row| row.evaluation_id).collect();
    assert_eq!(left, [3, 1], "who has one may tell of it to the end");
}

#[tokio::test]
async fn a_lease_names_all_that_the_result_depends_on() {
    let fixture = Fixture::new();
    fixture.evaluated("a", 1, Some("2026-08-22")).await;
    fixture.fill("a", 10).await;
    let leased = fixture
        .store
        .lease_assignments(Fixture::wanted("v", 5))
        .await
        .unwrap();
    let (row, subject) = &leased[0];
    assert_eq!(row.validator.as_deref(), Some("v"));
    assert_eq!((row.leased_at, row.lease_until), (Some(100.0), Some(200.0)));
    assert_eq!((row.state, row.attempts), (AssignmentState::Leased, 1));
    let expected = AssignmentSubject {
        key: JobKey {
            artifact_digest: "artifact 1".into(),
            ..version("a", "1")
        },
        seed: u64::MAX,
        now: 7.5,
    };
    assert_eq!(*subject, expected);
    let one = fixture.store.assignment(row.id).await.unwrap().unwrap();
    assert_eq!(one, leased[0]);
}

#[tokio::test]
async fn asking_again_gives_what_one_has_and_no_more() {
    let fixture = Fixture::new();
    for number in 1..=5 {
        fixture.evaluated("a", number, Some("2026-08-22")).await;
    }
    fixture.fill("a", 10).await;
    assert_eq!(fixture.lease(Fixture::wanted("v", 2)).await, [1, 2]);
    assert_eq!(fixture.lease(Fixture::wanted("v", 2)).await, [1, 2]);
    assert_eq!(fixture.lease(Fixture::wanted("v", 3)).await, [1, 2, 3]);
    assert_eq!(fixture.lease(Fixture::wanted("v", 0)).await, [1, 2, 3]);
    assert_eq!(fixture.row(1).await.attempts, 1);
    assert_eq!(fixture.lease(Fixture::wanted("w", 9)).await, [4, 5]);
    let later = Wanted {
        now: 200.0,
        ..Fixture::wanted("v", 0)
    };
    assert_eq!(fixture.lease(later).await, [0; 0], "its time is over");
}

#[tokio::test]
async fn challenges_take_turns_and_only_active_versions_are_given() {
    let fixture = Fixture::new();
    for number in 1..=3 {
        fixture.evaluated("a", number, Some("2026-08-22")).await;
        fixture
            .evaluated("b", number + 10, Some("2026-08-22"))
            .await;
    }
    fixture.fill("a", 10).await;
    fixture.fill("b", 10).await;
    assert_eq!(fixture.lease(Fixture::wanted("v", 4)).await, [1, 2, 11, 12]);
    let only = |versions| Wanted {
        versions,
        ..Fixture::wanted("w", 5)
    };
    assert_eq!(fixture.lease(only(vec![version("a", "2")])).await, [0; 0]);
    let engine = "another".into();
    let other = JobKey {
        engine,
        ..version("a", "1")
    };
    assert_eq!(fixture.lease(only(vec![other])).await, [0; 0]);
    assert_eq!(fixture.lease(only(vec![version("b", "1")])).await, [13]);
}

#[tokio::test]
async fn another_validator_is_asked_unless_there_is_none() {
    let fixture = Fixture::new();
    fixture.evaluated("a", 1, Some("2026-08-22")).await;
    fixture.fill("a", 10).await;
    let pull = |hotkey: &'static str| fixture.lease(Fixture::wanted(hotkey, 1));
    fixture.register("v", &[], 90.0).await;
    // Neither is asked: one is offline, the other works for something else.
    fixture.register("offline", &[], ONLINE_SINCE - 1.0).await;
    fixture.register("elsewhere", &["b"], 90.0).await;
    assert_eq!(pull("v").await, [1]);
    fixture.return_it(1).await;
    assert_eq!(pull("v").await, [1], "there is nobody else");
    fixture.return_it(1).await;

    fixture.register("w", &["b", "a"], 90.0).await;
    assert_eq!(pull("v").await, [0; 0], "somebody else has not tried it");
    assert_eq!(pull("w").await, [1]);
    fixture.return_it(1).await;
    assert_eq!(pull("v").await, [1], "everybody has tried it");
    assert_eq!(fixture.row(1).await.attempts, 4);
}

#[tokio::test]
async fn leases_end_when_their_time_is_over_and_what_happened_is_noted() {
    let fixture = Fixture::new();
    for number in 1..=2 {
        fixture.evaluated("a", number, Some("2026-08-22")).await;
    }
    fixture.fill("a", 10).await;
    fixture.lease(Fixture::wanted("v", 1)).await;
    let later = Wanted {
        lease_until: 300.0,
        ..Fixture::wanted("v", 2)
    };
    fixture.lease(later).await;
    let over = |row: &mut AssignmentRow| {
        row.state = AssignmentState::Contradicted;
        row.validator = None;
        Some(NewEvent {
            at: 250.0,
            kind: "contradicted",
            challenge: row.challenge.clone(),
            data: json!({"artifact": row.artifact_digest}),
        })
    };
    assert_eq!(fixture.store.end_leases(199.0, 10, over).await.unwrap(), []);
    let ended = fixture.store.end_leases(250.0, 10, over).await.unwrap();
    assert_eq!(ended, [fixture.row(1).await]);
    assert_eq!(ended[0].state, AssignmentState::Contradicted);
    let events = fixture.store.events_after(0, 10).await.unwrap();
    let events: Vec<_> = events.iter().map(|event| event.data.as_str()).collect();
    assert_eq!(events, ["{\"artifact\":\"artifact 1\"}"]);
}

#[tokio::test]
async fn leases_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let fixture = Fixture {
        store: Store::open(&path).unwrap(),
        _directory: directory,
    };
    fixture.evaluated("a", 1, Some("2026-08-22")).await;
    fixture.fill("a", 10).await;
    fixture.lease(Fixture::wanted("v", 1)).await;
    let before = fixture.row(1).await;
    let again = Fixture {
        store: Store::open(&path).unwrap(),
        ..fixture
    };
    assert_eq!(again.row(1).await, before);
    assert_eq!(again.lease(Fixture::wanted("w", 1)).await, [0; 0]);
    assert_eq!(again.lease(Fixture::wanted("v", 1)).await, [1]);
}

#[tokio::test]
async fn pages_are_of_one_state_if_that_is_asked_for() {
    let fixture = Fixture::new();
    for number in 1..=4 {
        fixture.evaluated("a", number, Some("2026-08-22")).await;
    }
    fixture.fill("a", 10).await;
    fixture.lease(Fixture::wanted("v", 1)).await;
    let store = &fixture.store;
    let first = store.assignment_page(None, None, 3).await.unwrap();
    let evaluations: Vec<_> = first.iter().map(|row| row.evaluation_id).collect();
    assert_eq!(evaluations, [4, 3, 2]);
    let rest = store
        .assignment_page(None, Some(first[2].id), 3)
        .await
        .unwrap();
    assert_eq!(rest[0].evaluation_id, 1);
    let leased = Some(AssignmentState::Leased);
    let rows = store.assignment_page(leased, None, 10).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.evaluation_id).collect::<Vec<_>>(),
        [1]
    );
}
