use super::*;
use fernet::Fernet;
use serde_json::json;

const DAY: &str = "2026-08-22";

fn kept() -> Kept {
    let digest = |letter: &str| letter.repeat(64);
    let artifact = format!("sha256:{}", digest("c"));
    let (key, text) = (Fernet::generate_key(), format!("digits---{artifact}"));
    let encrypted = Fernet::new(&key).unwrap().encrypt(text.as_bytes());
    let commit = CommitRow {
        challenge: "digits".into(),
        encrypted_commit: encrypted,
        committed_at: Some(7.25),
        key: Some(key),
        state: CommitState::Judged,
        text: Some(text),
        artifact: Some(artifact),
        artifact_digest: Some(digest("c")),
        batch_day: Some(DAY.into()),
        score: Some(0.1),
        penalty: Some(0.25),
        accepted: Some(true),
        judged_at: Some(9.0),
        finalized_day: Some(DAY.into()),
        ..CommitRow::sample(1, "miner")
    };
    let job = JobKey {
        challenge: "digits".into(),
        plugin_digest: digest("a"),
        settings_digest: digest("b"),
        artifact_digest: digest("c"),
        engine: "e".into(),
    };
    let day = FinalizationRow {
        finalization: Finalization {
            day: DAY.into(),
            challenge: "digits".into(),
            plugin_digest: digest("a"),
            settings_digest: digest("b"),
            engine: "e".into(),
            outcome: "ok".into(),
            message: None,
            standings: "[]".into(),
            weights: r#"[{"hotkey":"miner","weight":1.0}]"#.into(),
            results: "[]".into(),
            scheduled_at: 9.0,
        },
        finalized_at: 10.0,
        receipt: None,
        tree: None,
    };
    let vector = WeightVectorRow {
        day: DAY.into(),
        uids: "[1]".into(),
        values: "[65535]".into(),
        derivation: "{}".into(),
        receipt: None,
    };
    let challenge = KeptChallenge {
        commits: vec![(commit, Some(job))],
        days: vec![day],
    };
    let first_days = BTreeMap::from([("digits".to_owned(), DAY.to_owned())]);
    Kept::new(
        Some(u64::MAX),
        first_days,
        vec![challenge],
        Some((vector, 11.0)),
    )
}

/// Reads it with the digest that it should have.
fn read(mut value: Value) -> Result<Read, String> {
    value["digest"] = json!("");
    let digest = serde_json::from_value::<Kept>(value.clone());
    value["digest"] = json!(digest.map(|kept| kept.made_digest()).unwrap_or_default());
    Kept::read(value)
}

#[test]
fn what_is_kept_is_read_back_as_it_was() {
    let read = Kept::read(serde_json::to_value(kept()).unwrap()).unwrap();
    assert_eq!(read.seed, Some(u64::MAX));
    let challenge = KeptChallenge {
        commits: read.commits,
        days: read.days,
    };
    let again = Kept::new(read.seed, read.first_days, vec![challenge], read.vector);
    // The commit is another: its key is drawn.
    let shape = |kept: &Kept| {
        let mut value = serde_json::to_value(kept).unwrap();
        value["digest"].take();
        for name in ["key", "encrypted_commit"] {
            value["commits"][0][name].take();
        }
        value
    };
    assert_eq!(shape(&again), shape(&kept()));
}

#[test]
fn what_a_miner_handed_in_is_kept_without_a_key() {
    let artifact = format!("sha256:{}", "c".repeat(64));
    let uploaded = |encrypted: String| CommitRow {
        challenge: "digits".into(),
        encrypted_commit: encrypted,
        committed_at: Some(7.25),
        state: CommitState::Judged,
        text: Some(format!("digits---{artifact}")),
        artifact: Some(artifact.clone()),
        artifact_digest: Some("c".repeat(64)),
        batch_day: Some(DAY.into()),
        score: Some(0.1),
        penalty: Some(0.25),
        accepted: Some(true),
        judged_at: Some(9.0),
        finalized_day: Some(DAY.into()),
        ..CommitRow::sample(2, "miner")
    };
    let name = upload_name("miner", &"c".repeat(64));
    let row = KeptCommit::new(uploaded(name.clone()), None).unwrap();
    let row = row.checked().unwrap().row().0;
    assert_eq!((row.encrypted_commit, row.key), (name.clone(), None));
    // Whoever rewrites it cannot make it another artifact's, nor another miner's.
    let mut other = KeptCommit::new(uploaded(name), None).unwrap();
    other.artifact_digest = "d".repeat(64);
    assert!(other.checked().is_err());
    assert!(KeptCommit::new(uploaded("gAAAA".into()), None).is_none());
}

#[test]
fn what_may_not_be_in_a_database_is_refused() {
    let good = serde_json::to_value(kept()).unwrap();
    assert!(read(good.clone()).is_ok());
    let changes: [(&str, Value); 26] = [
        ("/version", json!(2)),
        ("/seed", json!("-1")),
        ("/seed", json!(7)),
        ("/first_days/digits", json!("2026-08-23")),
        ("/first_days/digits", json!("today")),
        ("/finalizations", json!([])),
        ("/finalizations/0/day", json!("2026-8-22")),
        ("/finalizations/0/challenge", json!("../etc")),
        ("/finalizations/0/plugin_digest", json!("x")),
        ("/finalizations/0/outcome", json!("fine")),
        ("/finalizations/0/standings", json!("{")),
        (
            "/finalizations/0/weights",
            json!(r#"[{"hotkey":"m","weight":-1.0}]"#),
        ),
        ("/finalizations/0/scheduled_at", json!(-1.0)),
        ("/vector/day", json!("2026-08-23")),
        ("/vector/values", json!("[1, 2]")),
        ("/commits/0/challenge", json!("other")),
        ("/commits/0/miner_hotkey", json!("")),
        ("/commits/0/artifact_digest", json!("d".repeat(64))),
        ("/commits/0/text", json!("digits---sha256:00")),
        ("/commits/0/key", json!(Fernet::generate_key())),
        ("/commits/0/finalized_day", json!("2026-08-21")),
        ("/commits/0/score", json!(-0.5)),
        ("/commits/0/score", json!(null)),
        ("/commits/0/penalty", json!(1.5)),
        ("/commits/0/comparisons", json!("[1]")),
        (
            "/commits/0/evaluation/settings_digest",
            json!("B".repeat(64)),
        ),
    ];
    for (place, value) in changes {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value.clone();
        assert!(read(bad).is_err(), "{place} {value}");
    }
    for rows in ["commits", "finalizations"] {
        let mut twice = good.clone();
        let row = twice[rows][0].clone();
        twice[rows].as_array_mut().unwrap().push(row);
        assert!(read(twice).is_err(), "{rows} twice");
    }
}

#[test]
fn a_number_that_was_written_anew_is_noticed() {
    let mut value = serde_json::to_value(kept()).unwrap();
    let text = value
        .to_string()
        .replacen("\"score\":0.1,", "\"score\":1e-1,", 1);
    let same = serde_json::from_str(&text).unwrap();
    assert!(text.contains("1e-1") && Kept::read(same).is_ok());
    value["commits"][0]["score"] = json!(0.100_000_1);
    assert!(Kept::read(value).is_err());
}
