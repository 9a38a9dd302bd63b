use super::*;
use crate::store::NewEvent;

fn key() -> SubmissionKey {
    SubmissionKey {
        genesis: "g".into(),
        netuid: 1,
        mechanism: 0,
        hotkey: "h".into(),
    }
}

fn new(hash: &str) -> NewSubmission {
    NewSubmission {
        key: key(),
        uid: 3,
        kind: SubmissionKind::Set,
        commit_id: None,
        asked_by: AskedBy::Schedule,
        vector: "v".into(),
        uids: vec![1, 2],
        values: vec![65_535, 7],
        version_key: u64::MAX,
        salt: Some(vec![9, 8]),
        commit_hash: Some("c".into()),
        reveal_round: Some(5),
        reveal_epoch: Some(6),
        reveal_block: Some(7),
        call: "SubtensorModule.set_weights".into(),
        spec_version: 365,
        extrinsic: vec![0, 255],
        hash: hash.into(),
        nonce: 4,
        born: 100,
        dies: 132,
        created_at: 1.5,
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("db")).unwrap();
    (directory, store)
}

async fn prepare(store: &Store, new: NewSubmission) -> Option<i64> {
    store.prepare_submission(new, None).await.unwrap()
}

async fn step(store: &Store, id: i64, to: SubmissionState) -> bool {
    let step = Step::to(to, 2.0);
    store.step_submission(id, step, None).await.unwrap()
}

#[tokio::test]
async fn a_submission_is_stored_as_it_is() {
    let (_directory, store) = store();
    let id = prepare(&store, new("a")).await.unwrap();
    let row = store.submission(id).await.unwrap().unwrap();
    assert_eq!(row.new, new("a"));
    assert_eq!(row.state, SubmissionState::Prepared);
    assert_eq!((row.sends, row.looked_at), (0, 100));
    assert_eq!(store.submission(id + 1).await.unwrap(), None);
}

#[tokio::test]
async fn while_one_is_open_there_is_no_other_of_the_same_key() {
    let (_directory, store) = store();
    let id = prepare(&store, new("a")).await.unwrap();
    for to in [SubmissionState::Sent, SubmissionState::Included] {
        assert_eq!(prepare(&store, new("b")).await, None);
        assert!(step(&store, id, to).await);
    }
    assert_eq!(prepare(&store, new("b")).await, None);
    let elsewhere = |change: &dyn Fn(&mut SubmissionKey)| {
        let mut new = new("other");
        change(&mut new.key);
        new.hash = format!("{:?}", new.key);
        new
    };
    for other in [
        elsewhere(&|key| key.genesis = "other".into()),
        elsewhere(&|key| key.netuid = 2),
        elsewhere(&|key| key.mechanism = 1),
        elsewhere(&|key| key.hotkey = "other".into()),
    ] {
        assert!(prepare(&store, other).await.is_some());
    }
    assert!(step(&store, id, SubmissionState::Finalized).await);
    let second = prepare(&store, new("b")).await.unwrap();
    let open = store.open_submission(key()).await.unwrap().unwrap();
    assert_eq!(open.id, second);
    let unseen = store.unseen_submissions(key()).await.unwrap();
    assert_eq!(unseen.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    let last = store.last_submissions(key(), 9).await.unwrap();
    assert_eq!(
        last.iter().map(|row| row.id).collect::<Vec<_>>(),
        [second, id]
    );
}

#[tokio::test]
async fn the_state_moves_forward_only() {
    use SubmissionState as S;
    let (_directory, store) = store();
    // To where each state may go; the row is brought there by the first way.
    let ways: [(&[S], &[S]); 9] = [
        (
            &[],
            &[
                S::Sent,
                S::Included,
                S::Finalized,
                S::Rejected,
                S::Failed,
                S::Expired,
            ],
        ),
        (
            &[S::Sent],
            &[S::Included, S::Finalized, S::Failed, S::Expired],
        ),
        (&[S::Included], &[S::Finalized, S::Failed, S::Expired]),
        (&[S::Finalized], &[S::Confirmed, S::Unconfirmed]),
        (&[S::Finalized, S::Confirmed], &[]),
        (&[S::Finalized, S::Unconfirmed], &[]),
        (&[S::Rejected], &[]),
        (&[S::Failed], &[]),
        (&[S::Expired], &[]),
    ];
    for (case, (way, allowed)) in ways.into_iter().enumerate() {
        for to in S::ALL {
            let id = prepare(&store, new(&format!("{case}{to:?}")))
                .await
                .unwrap();
            for state in way {
                assert!(step(&store, id, *state).await, "{way:?}");
            }
            assert_eq!(
                step(&store, id, to).await,
                allowed.contains(&to),
                "{way:?} {to:?}"
            );
            let _ = step(&store, id, S::Expired).await;
        }
    }
}

#[tokio::test]
async fn what_was_given_away_twice_cannot_be_rejected() {
    let (_directory, store) = store();
    let id = prepare(&store, new("a")).await.unwrap();
    assert_eq!(store.note_send(id, 2.0).await.unwrap(), Some(1));
    store
        .note_not_sent(id, "nobody there".into())
        .await
        .unwrap();
    assert_eq!(store.note_send(id, 2.0).await.unwrap(), Some(1));
    assert_eq!(store.note_send(id, 2.0).await.unwrap(), Some(2));
    assert!(!step(&store, id, SubmissionState::Rejected).await);
    assert!(step(&store, id, SubmissionState::Expired).await);
    assert_eq!(
        store.note_send(id, 2.0).await.unwrap(),
        None,
        "its time is over"
    );
}

#[tokio::test]
async fn a_commit_is_revealed_once() {
    let (_directory, store) = store();
    let commit = prepare(&store, new("a")).await.unwrap();
    assert!(step(&store, commit, SubmissionState::Finalized).await);
    let reveal = |hash: &str| NewSubmission {
        kind: SubmissionKind::Reveal,
        commit_id: Some(commit),
        ..new(hash)
    };
    let first = prepare(&store, reveal("b")).await.unwrap();
    assert!(step(&store, first, SubmissionState::Failed).await);
    let second = prepare(&store, reveal("c")).await.unwrap();
    assert!(step(&store, second, SubmissionState::Finalized).await);
    assert_eq!(prepare(&store, reveal("d")).await, None);
    let last = store.reveal_of(commit).await.unwrap().unwrap();
    assert_eq!(last.id, second);
}

#[tokio::test]
async fn what_happened_is_told_with_the_step_and_only_then() {
    let (_directory, store) = store();
    let id = prepare(&store, new("a")).await.unwrap();
    let event = || {
        Some(NewEvent {
            at: 2.0,
            kind: "weights_rejected",
            challenge: String::new(),
            data: serde_json::json!({}),
        })
    };
    for stepped in [true, false] {
        let step = Step::to(SubmissionState::Failed, 2.0);
        assert_eq!(
            store.step_submission(id, step, event()).await.unwrap(),
            stepped
        );
    }
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 1);
}
