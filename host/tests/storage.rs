//! The storage service, over real sockets: commits in, results out and back.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helper functions of a test"
)]

use fernet::Fernet;
use proctor_dev_storage::{FakeStorage, Fault, FaultKind, Options, RunningStorage, Upload};
use proctor_host::archive::{Archive, commit_path, finalization_path};
use proctor_host::chain::Hotkey;
use proctor_host::compat::input_hash;
use proctor_host::config::{ArchiveTarget, Config};
use proctor_host::host::{Host, open_store};
use proctor_host::outbox::Outbox;
use proctor_host::sandbox::sha256_hex;
use proctor_host::scoring::Results;
use proctor_host::storage::{Client, Poller, restore_state};
use proctor_host::store::{
    CommitRow, CommitState, EvaluationResult, Finalization, Intake, JobKey, Judged, Kept, Linked,
    NewEvent, Notice, OutboxKind, Report, Settled, Store, ViewRow, WeightVectorRow,
};
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const LATEST: &str = "/fetch-latest-miner-commits";
const SCORES: &str = "/upload-centralized-score";
const COMMIT: &str = "/upload-commit";
const STATE: &str = "/upload-validator-state";
const RESULTS: &str = "/fetch-centralized-score";
const FETCH_STATE: &str = "/fetch-validator-state";

const DAY: &str = "2026-08-22";

/// How long anything may take before the test fails, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Compiled components, kept from run to run.
const COMPILED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/storage-compiled");

/// Asks again and again until the answer is yes.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not so in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A host, and the service that it talks to.
struct World {
    directory: TempDir,
    host: Host,
    storage: Arc<RunningStorage>,
}

fn start() -> Arc<RunningStorage> {
    Arc::new(FakeStorage::start(Options::default()).unwrap())
}

/// The validators 0 to 6 with enough stake, 7 without, and miners from 10 on.
fn metagraph() -> Value {
    let neuron = |(uid, hotkey, stake): (u16, String, f64)| {
        json!({"uid": uid, "hotkey": hotkey, "coldkey": "ck", "axon_ip": null,
               "stake": stake, "validator_permit": uid < 10})
    };
    let validators = (0..8).map(|uid| {
        let stake = if uid < 7 { 20_000.0 } else { 50.0 };
        (uid, format!("validator-{uid}"), stake)
    });
    let miners = (10..40).map(|uid| (uid, format!("miner-{uid}"), 0.0));
    let neurons: Vec<_> = validators.chain(miners).map(neuron).collect();
    json!({"netuid": 61, "block": 1, "owner_hotkey": null, "neurons": neurons})
}

impl World {
    /// Without a challenge.
    async fn new() -> Self {
        World::with(start(), |_| {}).await
    }

    async fn with(storage: Arc<RunningStorage>, change: impl FnOnce(&mut Config)) -> Self {
        World::opened(storage, false, change).await
    }

    /// With the state that is stored with the service, if it `restores`.
    async fn opened(
        storage: Arc<RunningStorage>,
        restores: bool,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        fs::create_dir(&data_dir).unwrap();
        fs::write(data_dir.join("metagraph.json"), metagraph().to_string()).unwrap();
        fs::create_dir_all(COMPILED).unwrap();
        fs::set_permissions(COMPILED, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(COMPILED, data_dir.join("compiled")).unwrap();
        let mut config = Config {
            data_dir,
            ..Config::default()
        };
        config.plugins.dir = directory.path().join("plugins");
        config.sandbox.max_concurrent_calls = Some(1);
        config.sandbox.pooling = false;
        config.scoring.interval_ms = 20;
        config.commits.epoch_length_s = 0.05;
        config.storage.url = Some(storage.url());
        config.storage.max_retry_s = 0.05;
        change(&mut config);
        if restores {
            let store = open_store(&config.data_dir).unwrap();
            assert!(restore_state(&store, &client(&config), 1.0).await);
        }
        World {
            host: Host::open(config).await.unwrap(),
            directory,
            storage,
        }
    }

    /// With the challenge `digits`.
    async fn with_digits(storage: Arc<RunningStorage>, change: impl FnOnce(&mut Config)) -> Self {
        World::with(storage, change).await.load_digits().await
    }

    async fn load_digits(self) -> Self {
        let world = self;
        let plugins = world.directory.path().join("plugins");
        fs::copy(guest("digits"), plugins.join("digits.wasm")).unwrap();
        world.host.registry.pass().await.unwrap();
        assert_eq!(world.host.pipeline.plugins.active().len(), 1);
        world
    }

    fn store(&self) -> &Store {
        &self.host.pipeline.store
    }

    fn client(&self) -> Client {
        client(&self.host.pipeline.config)
    }

    fn poller(&self) -> Poller {
        Poller::new(self.client(), (*self.host.pipeline).clone())
    }

    fn outbox(&self, archive: Option<Archive>) -> Outbox {
        Outbox::new(
            (*self.host.pipeline).clone(),
            self.host.pipeline.results().clone(),
            Some(self.client()),
            archive.map(Arc::new),
        )
    }

    /// Runs the outbox until a condition holds.
    async fn tell_until(&self, what: &str, is_so: impl AsyncFnMut() -> bool) {
        self.tell_with(self.outbox(None), what, is_so).await;
    }

    async fn tell_with(&self, outbox: Outbox, what: &str, is_so: impl AsyncFnMut() -> bool) {
        let stop = CancellationToken::new();
        let running = tokio::spawn(outbox.run(stop.clone()));
        until(what, is_so).await;
        stop.cancel();
        running.await.unwrap();
    }

    /// Runs the outbox until nothing waits.
    async fn tell_all(&self) {
        self.tell_until("all is told", async || self.waits().await == 0)
            .await;
    }

    /// How much waits in the outbox.
    async fn waits(&self) -> u64 {
        let mut rows = 0;
        for kind in OutboxKind::ALL {
            rows += self.store().outbox_depth(kind).await.unwrap().rows;
        }
        rows
    }

    fn answered(&self, route: &str, answer: &str) -> u64 {
        let requests = self.storage.requests();
        let of_route = requests.get(route);
        of_route
            .and_then(|answers| answers.get(answer))
            .copied()
            .unwrap_or(0)
    }

    fn uploads(&self, route: &str) -> Vec<Upload> {
        let uploads = self.storage.uploads(0).into_iter();
        uploads.filter(|upload| upload.route == route).collect()
    }

    /// The ciphertexts of the commits that were uploaded, in order.
    fn uploaded_commits(&self) -> Vec<String> {
        let uploads = self.uploads(COMMIT).into_iter();
        let text = |upload: Upload| upload.body["encrypted_commit"].as_str().unwrap().to_owned();
        uploads.map(text).collect()
    }

    /// The artifacts whose scores were uploaded, by upload.
    fn uploaded_scores(&self) -> Vec<Vec<String>> {
        let artifact = |item: &Value| item["docker_hub_id"].as_str().unwrap().to_owned();
        let uploads = self.uploads(SCORES).into_iter();
        uploads
            .map(|upload| {
                let items = upload.body["scoring_results"].as_array().unwrap().iter();
                items.map(artifact).collect()
            })
            .collect()
    }

    /// A sealed commit of the miner with this uid.
    async fn commit(&self, uid: u16) -> CommitRow {
        let (encrypted, key) = (format!("token-{uid}"), format!("key-{uid}"));
        self.commit_of(uid, encrypted, key).await
    }

    async fn commit_of(&self, uid: u16, encrypted: String, key: String) -> CommitRow {
        let report = Report {
            challenge: "digits".into(),
            miner_hotkey: format!("miner-{uid}"),
            miner_uid: uid,
            encrypted_commit: encrypted,
            claimed_at: Some(f64::from(uid)),
            key: Some(key),
        };
        let intake = Intake {
            view: ViewRow {
                validator_uid: 0,
                validator_hotkey: "validator-0".into(),
                document: Vec::new(),
                received_at: 1_000.0,
                heard: true,
                source: "file".into(),
            },
            reports: vec![report],
            faults: Vec::new(),
            request_ns: None,
            last_confirmed_at: None,
            backdate_tolerance_s: 0.0,
        };
        let time = |claims: &[proctor_host::store::Claim]| claims.first()?.claimed_at;
        self.store().take_in(intake, time).await.unwrap();
        let all = self.store().commits_of("digits").await.unwrap();
        let hotkey = format!("miner-{uid}");
        all.into_iter().find(|c| c.miner_hotkey == hotkey).unwrap()
    }

    /// A commit whose artifact was evaluated, with its notices.
    async fn scored(&self, uid: u16) -> CommitRow {
        let commit = self.commit(uid).await;
        self.score(commit, uid).await
    }

    /// The same, with a key that opens it.
    async fn scored_openly(&self, uid: u16) -> CommitRow {
        let (encrypted, key) = seal(&format!("digits---{}", artifact(uid)));
        let commit = self.commit_of(uid, encrypted, key).await;
        self.score(commit, uid).await
    }

    async fn score(&self, commit: CommitRow, uid: u16) -> CommitRow {
        let (store, artifact) = (self.store(), artifact(uid));
        let text = format!("digits---{artifact}");
        store
            .reveal(commit.id, text, artifact, digest(uid), DAY.into())
            .await
            .unwrap();
        store.enqueue(key(uid), 7, 5.0, 0.0).await.unwrap();
        let job = store.lease("me".into(), 1.0).await.unwrap().unwrap();
        let result = EvaluationResult {
            outcome: "ok",
            done: true,
            message: None,
            solves: r#"{"ok":2}"#.into(),
            logs: LOGS.into(),
            fuel: 9,
            finished_at: 2.0,
            receipt: None,
            kept: Kept::default(),
        };
        assert!(store.finish_job(job.id, "me".into(), result).await.unwrap());
        let linked = Linked {
            commit: commit.id,
            evaluation: job.id,
            event: event("scored"),
            notices: notices(commit.id, job.id),
        };
        store.set_evaluated(linked).await.unwrap();
        store.commit(commit.id).await.unwrap()
    }

    /// Finalizes the day, with a verdict on each of these commits.
    async fn settle(&self, commits: &[CommitRow], comparisons: &str) {
        let judged = commits.iter().map(|commit| Judged {
            commit: commit.id,
            score: 0.5,
            penalty: 0.25,
            accepted: true,
            reason: None,
            comparisons: comparisons.to_owned(),
            receipt: None,
        });
        let mut all: Vec<Notice> = commits
            .iter()
            .flat_map(|commit| notices(commit.id, commit.evaluation_id.unwrap()))
            .collect();
        all.push(notice(OutboxKind::State, String::new()));
        all.push(notice(OutboxKind::Archive, format!("digits/{DAY}")));
        let settled = Settled {
            receipt: None,
            kept: Kept::default(),
            leaves: None,
            judged: judged.collect(),
            failed: Vec::new(),
            superseded: Vec::new(),
            event: event("finalized"),
            notices: all,
            finalization: Finalization {
                day: DAY.into(),
                challenge: "digits".into(),
                plugin_digest: "a".repeat(64),
                settings_digest: "b".repeat(64),
                engine: "engine".into(),
                outcome: "ok".into(),
                message: None,
                standings: "[]".into(),
                weights: "[]".into(),
                results: "[]".into(),
                scheduled_at: 50_000.0,
            },
        };
        assert!(self.store().settle(settled).await.unwrap());
    }
}

const LOGS: &str = r#"[{"task":"{\"x\":1}","solution":"[7]","score":0.5,"baseline_score":null,"error":null},{"task":"{\"x\":2}","solution":null,"score":0.0,"baseline_score":null,"error":"trap: the task was 2"}]"#;

fn client(config: &Config) -> Client {
    Client::new(&config.storage, Hotkey::from_uri("//Alice").unwrap(), 3).unwrap()
}

/// (ciphertext, key) of a text.
fn seal(text: &str) -> (String, String) {
    let key = Fernet::generate_key();
    let encrypted = Fernet::new(&key).unwrap().encrypt(text.as_bytes());
    (encrypted, key)
}

fn digest(uid: u16) -> String {
    sha256_hex(&uid.to_be_bytes())
}

fn artifact(uid: u16) -> String {
    format!("miner/submission@sha256:{}", digest(uid))
}

fn key(uid: u16) -> JobKey {
    JobKey {
        challenge: "digits".into(),
        plugin_digest: "a".repeat(64),
        settings_digest: "b".repeat(64),
        artifact_digest: digest(uid),
        engine: "engine".into(),
    }
}

fn event(kind: &'static str) -> NewEvent {
    NewEvent {
        at: 3.0,
        kind,
        challenge: "digits".into(),
        data: json!({}),
    }
}

fn notice(kind: OutboxKind, subject: String) -> Notice {
    Notice { kind, subject }
}

fn notices(commit: i64, evaluation: i64) -> Vec<Notice> {
    vec![
        notice(OutboxKind::Score, evaluation.to_string()),
        notice(OutboxKind::Commit, commit.to_string()),
    ]
}

fn artifacts(uids: impl IntoIterator<Item = u16>) -> Vec<String> {
    uids.into_iter().map(artifact).collect()
}

fn tokens(uids: impl IntoIterator<Item = u16>) -> Vec<String> {
    uids.into_iter().map(|uid| format!("token-{uid}")).collect()
}

/// What a validator saw of one miner.
fn seen(miner: u16, token: &str) -> Value {
    let commit = json!({"encrypted_commit": token, "commit_timestamp": 5.0});
    json!({format!("miner-{miner}"): {"digits": commit}})
}

/// All files under a directory, by path.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

mod collect {
    use super::*;

    #[tokio::test]
    async fn a_round_reads_every_validator_with_enough_stake() {
        let world = World::with_digits(start(), |_| {}).await;
        for uid in 0..8 {
            let commits = seen(10 + uid as u16, &format!("token of {uid}"));
            world.storage.set_miner_commits(uid, commits).unwrap();
        }
        let round = world.poller().round().await;
        assert_eq!((round.read, round.changed, round.failed), (7, 7, 0));
        assert_eq!(round.new, 7);
        assert_eq!(
            world.answered(LATEST, "200"),
            7,
            "the poor one is not asked for"
        );
        let commits = world.store().commits_of("digits").await.unwrap();
        let mut tokens: Vec<_> = commits.iter().map(|c| &c.encrypted_commit[..]).collect();
        tokens.sort_unstable();
        let expected: Vec<_> = (0..7).map(|uid| format!("token of {uid}")).collect();
        assert_eq!(tokens, expected);
        let views = world.store().views().await.unwrap();
        assert!(
            views
                .iter()
                .all(|view| view.heard && view.source == "storage")
        );
    }

    #[tokio::test]
    async fn what_has_not_changed_is_skipped() {
        let world = World::with_digits(start(), |_| {}).await;
        world.storage.set_miner_commits(2, seen(10, "a")).unwrap();
        let mut poller = world.poller();
        poller.round().await;
        let first = world.store().view(2).await.unwrap().unwrap();
        let round = poller.round().await;
        assert_eq!((round.read, round.changed), (7, 0));
        assert_eq!(world.answered(LATEST, "304"), 7);
        assert_eq!(world.store().view(2).await.unwrap().unwrap(), first);
        let state = poller.state().snapshot();
        assert_eq!(state.len(), 7);
        assert!(state.iter().all(|status| status.outcome == "unchanged"));
        assert!(
            state
                .iter()
                .all(|status| status.last_read > status.last_changed)
        );

        // A process that knows no tags reads all, and takes in nothing.
        let round = world.poller().round().await;
        assert_eq!((round.read, round.changed), (7, 0));
        assert_eq!(world.answered(LATEST, "200"), 14);
        assert_eq!(world.store().view(2).await.unwrap().unwrap(), first);

        world.storage.set_miner_commits(2, seen(10, "b")).unwrap();
        let round = poller.round().await;
        assert_eq!((round.changed, round.new), (1, 1));
        let changed = world.store().view(2).await.unwrap().unwrap();
        assert!(changed.received_at > first.received_at);
    }

    #[tokio::test]
    async fn failing_validators_neither_hold_nor_spoil_the_others() {
        let world = World::with_digits(start(), |config| {
            config.storage.timeout_ms = 1_000;
            config.storage.max_answer_bytes = 1 << 20;
        })
        .await;
        for uid in 0..7 {
            let commits = seen(10 + uid as u16, "before");
            world.storage.set_miner_commits(uid, commits).unwrap();
        }
        let mut poller = world.poller();
        poller.round().await;
        let before = world.store().views().await.unwrap();

        let kinds = [
            (FaultKind::Hang, "timeout"),
            (FaultKind::Close, "unreachable"),
            (FaultKind::Garbage, "malformed"),
            (FaultKind::Huge, "too_large"),
            (FaultKind::Status, "status"),
            (FaultKind::Truncate, "interrupted"),
        ];
        for uid in 0..7 {
            let commits = seen(10 + uid as u16, "after");
            world.storage.set_miner_commits(uid, commits).unwrap();
        }
        let faults = (0..).zip(kinds);
        let faults = faults.map(|(uid, (kind, _))| Fault::new(LATEST, kind).of_validator(uid));
        world.storage.set_faults(faults.collect()).unwrap();
        // It ends, though one of them never answers.
        let round = poller.round().await;
        assert_eq!((round.read, round.changed, round.failed), (1, 1, 6));
        let state = poller.state().snapshot();
        for (status, (kind, code)) in state.iter().zip(kinds) {
            assert_eq!(status.outcome, code, "{kind:?}: {:?}", status.message);
            assert!(status.is_failing());
            assert!(status.last_read < Some(status.last_asked));
        }
        assert_eq!(state[6].outcome, "changed");
        let views = world.store().views().await.unwrap();
        assert_eq!(views[..6], before[..6]);
        assert_ne!(views[6], before[6]);

        world.storage.clear_faults();
        let round = poller.round().await;
        assert_eq!((round.read, round.changed, round.failed), (7, 6, 0));
        assert!(!poller.state().snapshot().iter().any(|s| s.is_failing()));
    }

    #[tokio::test]
    async fn an_answer_of_another_shape_changes_nothing() {
        let world = World::with_digits(start(), |_| {}).await;
        world.storage.set_miner_commits(0, seen(10, "a")).unwrap();
        let mut poller = world.poller();
        poller.round().await;
        let before = world.store().view(0).await.unwrap();
        for other in [json!([seen(11, "b")]), json!(null), json!("none")] {
            world.storage.set_miner_commits(0, other).unwrap();
            assert_eq!(poller.round().await.failed, 1);
            assert_eq!(poller.state().snapshot()[0].outcome, "malformed");
            assert_eq!(world.store().view(0).await.unwrap(), before);
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_without_a_challenge() {
        let world = World::new().await;
        assert_eq!(world.poller().round().await.read, 0);
        assert!(world.storage.requests().is_empty());
    }

    #[tokio::test]
    async fn rounds_follow_one_another_until_the_stop() {
        let world = World::with_digits(start(), |config| {
            config.storage.timeout_ms = 200;
        })
        .await;
        let hang = Fault::new(LATEST, FaultKind::Hang).of_validator(0);
        world.storage.set_faults(vec![hang]).unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(world.poller().run(stop.clone()));
        until("three rounds", async || world.answered(LATEST, "hang") >= 3).await;
        // Each round waits for the last one: nobody is asked twice at a time.
        let (hung, tagged) = (
            world.answered(LATEST, "hang"),
            world.answered(LATEST, "304"),
        );
        assert!(tagged >= 6 * (hung - 2), "{tagged} of {hung} rounds");
        world
            .storage
            .set_miner_commits(1, seen(10, "late"))
            .unwrap();
        until("a later commit is read", async || {
            !world.store().commits_of("digits").await.unwrap().is_empty()
        })
        .await;
        stop.cancel();
        running.await.unwrap();
    }
}

mod keep {
    use super::*;

    #[tokio::test]
    async fn scores_are_told_in_batches_of_five_and_commits_one_by_one_in_order() {
        let world = World::new().await;
        for uid in 10..22 {
            world.scored(uid).await;
        }
        world.tell_all().await;
        let batches = [artifacts(10..15), artifacts(15..20), artifacts(20..22)];
        assert_eq!(world.uploaded_scores(), batches);
        assert_eq!(world.uploaded_commits(), tokens(10..22));

        let item = &world.uploads(SCORES)[0].body["scoring_results"][0];
        assert_eq!(item["challenge_name"], "digits");
        let log = &item["scoring_logs"][0];
        let hash = input_hash(&json!({"x": 1})).unwrap();
        assert_eq!(
            *log,
            json!({"score": 0.5, "miner_input": {"x": 1}, "miner_output": [7],
                   "validation_output": null, "error": null, "baseline_score": null,
                   "input_hash": hash})
        );
        let from = &item["proctor"];
        assert_eq!((&from["seed"], &from["fuel"]), (&json!("7"), &json!(9)));
        assert_eq!(from["artifact_digest"], digest(10));

        let commit = &world.uploads(COMMIT)[0].body;
        assert_eq!(commit["key"], "key-10");
        assert_eq!(commit["docker_hub_id"], artifact(10));
        assert_eq!(commit["scoring_logs"], item["scoring_logs"]);
        assert_eq!(commit["score"], Value::Null, "nothing is judged yet");
    }

    #[tokio::test]
    async fn an_artifact_is_told_by_each_name_that_it_has() {
        let world = World::new().await;
        let first = world.scored(10).await;
        let second = world.commit(11).await;
        let (text, name) = ("digits---x".to_owned(), format!("sha256:{}", digest(10)));
        let revealed = world
            .store()
            .reveal(second.id, text, name.clone(), digest(10), DAY.into());
        revealed.await.unwrap();
        let evaluation = first.evaluation_id.unwrap();
        let linked = Linked {
            commit: second.id,
            evaluation,
            event: event("scored"),
            notices: notices(second.id, evaluation),
        };
        world.store().set_evaluated(linked).await.unwrap();
        world.tell_all().await;
        assert_eq!(world.uploaded_scores(), [[artifact(10), name]]);
    }

    #[tokio::test]
    async fn only_what_has_changed_is_told_again() {
        let world = World::new().await;
        let commit = world.scored(10).await;
        world.tell_all().await;
        let told = world.storage.uploads(0);
        assert_eq!(told.len(), 2);

        let again = notices(commit.id, commit.evaluation_id.unwrap());
        world.store().notify(again, 4.0).await.unwrap();
        world.tell_all().await;
        assert_eq!(world.storage.uploads(0), told);

        let comparisons = json!([{"hotkey": "miner-9", "artifact": "sha256:9", "score": 0.1,
            "logs": [{"reference": "9", "similarity": 0.75, "reason": "why"}]}]);
        world.settle(&[commit], &comparisons.to_string()).await;
        world
            .tell_until("told anew", async || world.storage.uploads(0).len() == 5)
            .await;
        let commit = &world.uploads(COMMIT)[1].body;
        assert_eq!(
            (&commit["score"], &commit["accepted"]),
            (&json!(0.5), &json!(true))
        );
        let log = &commit["comparison_logs"]["sha256:9"][0];
        assert_eq!(log["similarity_score"], 0.75);
        assert_eq!(log["reference_hotkey"], "miner-9");
        let item = &world.uploads(SCORES)[1].body["scoring_results"][0];
        assert_eq!(item["comparison_logs"], commit["comparison_logs"]);
        assert_eq!(item["scored_timestamp"], 50_000.0);
    }

    #[tokio::test]
    async fn after_an_outage_everything_is_told_in_order() {
        let world = World::new().await;
        for uid in 10..17 {
            world.scored(uid).await;
        }
        for kind in [FaultKind::Status, FaultKind::Close, FaultKind::Garbage] {
            world
                .storage
                .set_faults(vec![Fault::new("*", kind)])
                .unwrap();
            let failed = |world: &World| {
                let requests = world.storage.requests();
                let of = |route| requests.get(route).map_or(0, |a| a.values().sum::<u64>());
                of(SCORES).min(of(COMMIT))
            };
            let before = failed(&world);
            world
                .tell_until("each kind is tried twice", async || {
                    failed(&world) >= before + 2
                })
                .await;
            assert!(world.storage.uploads(0).is_empty(), "{kind:?}");
            assert_eq!(world.waits().await, 14, "{kind:?}");
        }
        world.storage.clear_faults();
        world.tell_all().await;
        assert_eq!(
            world.uploaded_scores(),
            [artifacts(10..15), artifacts(15..17)]
        );
        assert_eq!(world.uploaded_commits(), tokens(10..17));
    }

    #[tokio::test]
    async fn what_is_refused_waits_and_the_rest_goes_on() {
        let world = World::new().await;
        for uid in 10..15 {
            world.scored(uid).await;
        }
        // The batch, then the first of it.
        let refusal = Fault {
            status: 422,
            ..Fault::new(SCORES, FaultKind::Status).times(2)
        };
        let other = Fault {
            status: 422,
            ..Fault::new(COMMIT, FaultKind::Status).times(1)
        };
        world.storage.set_faults(vec![refusal, other]).unwrap();
        world.tell_all().await;
        let singles: Vec<_> = [11, 12, 13, 14, 10].map(|uid| vec![artifact(uid)]).into();
        assert_eq!(world.uploaded_scores(), singles);
        assert_eq!(world.uploaded_commits(), tokens([11, 12, 13, 14, 10]));
    }

    #[tokio::test]
    async fn what_is_sent_when_the_host_dies_is_sent_again() {
        let world = World::new().await;
        world.scored(10).await;
        let lost = |route| Fault {
            applied: true,
            ..Fault::new(route, FaultKind::Hang)
        };
        world
            .storage
            .set_faults(vec![lost(SCORES), lost(COMMIT)])
            .unwrap();
        world
            .tell_until("both arrive", async || world.storage.uploads(0).len() == 2)
            .await;
        assert_eq!(world.waits().await, 2, "nobody knows that they arrived");
        world.storage.clear_faults();
        world.tell_all().await;
        assert_eq!(world.uploaded_commits(), tokens([10, 10]));
        assert_eq!(world.uploaded_scores(), [artifacts([10]), artifacts([10])]);
    }

    #[tokio::test]
    async fn one_kind_does_not_wait_for_another() {
        let world = World::new().await;
        let commit = world.scored(10).await;
        world.settle(&[commit], "[]").await;
        let hang = Fault::new(STATE, FaultKind::Hang);
        world.storage.set_faults(vec![hang]).unwrap();
        world
            .tell_until("the rest is told", async || {
                world.answered(STATE, "hang") > 0 && world.storage.uploads(0).len() == 2
            })
            .await;
    }

    #[tokio::test]
    async fn nothing_of_a_sealed_or_refused_commit_is_ever_told() {
        let world = World::new().await;
        let (sealed, refused) = (world.commit(10).await, world.commit(11).await);
        let refusing = world.store().refuse(refused.id, "invalid_key".into());
        refusing.await.unwrap();
        let judged = world.scored(12).await;
        world.settle(&[judged], "[]").await;
        let told = [sealed.id, refused.id, 999]
            .map(|id| notices(id, 999))
            .concat();
        world.store().notify(told, 4.0).await.unwrap();
        let directory = world.directory.path().join("archive");
        let archive = Archive::open(&ArchiveTarget::Directory(directory.clone())).unwrap();
        let all_told = async || world.waits().await == 0;
        world
            .tell_with(world.outbox(Some(archive)), "all is told", all_told)
            .await;
        let mut told: Vec<String> = tree(&directory).into_values().collect();
        let uploads = world.storage.uploads(0).into_iter();
        told.extend(uploads.map(|upload| upload.body.to_string()));
        assert_eq!(told.len(), 5, "ledger, view, scores, commit, state");
        for text in told {
            for secret in ["token-10", "key-10", "miner-10", "token-11", "key-11"] {
                assert!(!text.contains(secret), "{secret}: {text}");
            }
        }
    }

    #[tokio::test]
    async fn a_day_is_archived_as_everybody_may_see_it() {
        let world = World::new().await;
        let commit = world.scored(10).await;
        let state = world.store().commit(commit.id).await.unwrap().state;
        assert_eq!(state, CommitState::Evaluated);
        let comparisons = json!([{"hotkey": "miner-9", "artifact": "sha256:9", "score": null,
            "logs": [{"reference": "9", "similarity": 0.75, "reason": "why"}]}]);
        world.settle(&[commit], &comparisons.to_string()).await;
        let directory = world.directory.path().join("archive");
        let archive = Archive::open(&ArchiveTarget::Directory(directory.clone())).unwrap();
        let all_told = async || world.waits().await == 0;
        world
            .tell_with(world.outbox(Some(archive)), "all is told", all_told)
            .await;
        let files = tree(&directory);
        let view = &files[&commit_path("digits", DAY, "token-10")];
        let ledger = &files[&finalization_path("digits", DAY)];
        assert_eq!(files.len(), 2);

        let results = Results::default();
        results.refresh(world.store()).await.unwrap();
        let shown = results.get("digits", &["token-10".into()]);
        assert_eq!(Some(view.as_str()), shown[0].as_deref());
        assert!(view.contains(r#""error":"trap""#), "{view}");
        let ledger: Value = serde_json::from_str(ledger).unwrap();
        assert_eq!(
            (&ledger["day"], &ledger["weights"]),
            (&json!(DAY), &json!([]))
        );
    }

    #[tokio::test]
    async fn the_state_is_that_of_the_ledger() {
        let world = World::new().await;
        let (first, second) = (world.scored(10).await, world.scored(11).await);
        world.commit(12).await;
        world.settle(&[first, second], "[]").await;
        world
            .tell_until("the state is told", async || {
                !world.uploads(STATE).is_empty()
            })
            .await;
        let state = &world.uploads(STATE)[0].body;
        assert_eq!(state["validator_uid"], 3);
        assert_eq!(
            state["validator_hotkey"],
            Hotkey::from_uri("//Alice").unwrap().address()
        );
        assert_eq!(state["scoring_dates"], json!([DAY]));
        let manager = &state["challenge_managers"]["digits"];
        assert_eq!(
            manager["unique_commits"],
            json!([
                {"score": 0.5, "commit": "token-10", "docker_hub_id": artifact(10)},
                {"score": 0.5, "commit": "token-11", "docker_hub_id": artifact(11)},
            ])
        );
        let mut scored = artifacts([10, 11]);
        scored.sort_unstable();
        assert_eq!(manager["unique_scored_docker_hub_ids"], json!(scored));
        let miners = manager["miner_states"].as_object().unwrap();
        assert_eq!(miners.keys().collect::<Vec<_>>(), ["10", "11"]);
        let miner = &miners["10"];
        assert_eq!(miner["miner_hotkey"], "miner-10");
        assert_eq!(miner["daily_scores"], json!({DAY: 0.5}));
        assert_eq!(miner["best_commit"], miner["latest_commit"]);
        let best = &miner["best_commit"];
        assert_eq!((&best["key"], &best["score"]), (&Value::Null, &json!(0.5)));
        assert_eq!(best["scoring_logs"][0]["miner_input"], Value::Null);
    }
}

mod restore {
    use super::*;

    #[tokio::test]
    async fn a_host_that_lost_its_database_takes_its_evaluations_in() {
        let lost = World::new().await;
        for uid in 10..17 {
            lost.scored(uid).await;
        }
        lost.tell_all().await;
        let world = World::with_digits(Arc::clone(&lost.storage), |_| {}).await;
        let mut poller = world.poller();
        poller.round().await;
        for uid in 10..17 {
            let found = world.store().evaluation(key(uid)).await.unwrap().unwrap();
            assert!(found.done);
            assert_eq!((found.seed, found.now, &found.logs[..]), (7, 5.0, LOGS));
            assert_eq!(found.solves, r#"{"ok":2}"#);
        }
        poller.round().await;
        assert_eq!(world.answered(RESULTS, "200"), 1, "asked once");
        world.poller().round().await;
        assert_eq!(world.answered(RESULTS, "200"), 1, "there are some already");
    }

    #[tokio::test]
    async fn results_that_do_not_say_where_they_are_from_are_left_alone() {
        let world = World::with_digits(start(), |_| {}).await;
        let item = |uid: u16, proctor: Value| {
            json!({"challenge_name": "digits", "docker_hub_id": artifact(uid),
                   "scoring_logs": [{"score": 1.0, "miner_input": {"x": 1}}],
                   "comparison_logs": {}, "proctor": proctor})
        };
        let items = [item(10, Value::Null), item(11, json!({"seed": 1}))];
        let body = json!({"scoring_results": items}).to_string();
        let sent = world.client().post(SCORES, body.into_bytes(), None).await;
        sent.unwrap();
        world.storage.set_miner_commits(0, seen(10, "a")).unwrap();
        let mut poller = world.poller();
        assert_eq!(poller.round().await.new, 1);
        assert!(!world.store().has_evaluations("digits").await.unwrap());
        poller.round().await;
        assert_eq!(world.answered(RESULTS, "200"), 1, "asked once");
    }

    #[tokio::test]
    async fn polling_goes_on_while_there_is_no_answer_and_asks_again() {
        let lost = World::new().await;
        lost.scored(10).await;
        lost.tell_all().await;
        let world = World::with_digits(Arc::clone(&lost.storage), |config| {
            config.storage.timeout_ms = 300;
        })
        .await;
        let mut poller = world.poller();
        let kinds = [
            FaultKind::Hang,
            FaultKind::Garbage,
            FaultKind::Huge,
            FaultKind::Status,
        ];
        for kind in kinds {
            world
                .storage
                .set_faults(vec![Fault::new(RESULTS, kind)])
                .unwrap();
            let round = poller.round().await;
            assert_eq!((round.read, round.failed), (7, 0), "{kind:?}");
            assert!(!world.store().has_evaluations("digits").await.unwrap());
        }
        world.storage.clear_faults();
        poller.round().await;
        assert!(world.store().evaluation(key(10)).await.unwrap().is_some());
    }
}

mod restore_state {
    use super::*;

    /// 2025-01-02T00:00:00Z.
    const SECOND: f64 = 1_735_776_000.0;
    const HOUR: f64 = 3_600.0;

    /// What a validator saw, by miner and challenge.
    type Seen = BTreeMap<String, BTreeMap<String, Value>>;

    /// A commit of a guest, due at 10:00 of the day that begins at `day`.
    fn publish(seen: &mut Seen, world: &World, uid: u16, solver: &str, day: f64) {
        let artifact = world.host.pipeline.artifacts.add(&guest_bytes(solver));
        let (encrypted, key) = seal(&format!("digits---sha256:{}", artifact.unwrap().digest));
        let commit = json!({"encrypted_commit": encrypted, "key": key,
            "commit_timestamp": day - 14.0 * HOUR + f64::from(uid)});
        let of_miner = BTreeMap::from([("digits".to_owned(), commit)]);
        seen.insert(format!("miner-{uid}"), of_miner);
        world.storage.set_miner_commits(0, json!(seen)).unwrap();
    }

    /// Polls, scores and finalizes as of 15:00 of a day.
    async fn day(world: &World, day: f64) {
        world.poller().round().await;
        let pipeline = &world.host.pipeline;
        pipeline.run(day + 13.0 * HOUR).await.unwrap();
        pipeline.finalize(day + 15.0 * HOUR).await.unwrap();
    }

    /// All that is known of commits but the numbers of rows.
    async fn commits(world: &World) -> Vec<CommitRow> {
        let mut commits = world.store().commits_of("digits").await.unwrap();
        for commit in &mut commits {
            assert!(commit.evaluation_id.take().is_some());
            (commit.id, commit.revision) = (0, 0);
            // The service is told what a commit came to, not how.
            commit.receipt = None;
        }
        commits
    }

    async fn ledger(world: &World) -> Vec<Finalization> {
        let rows = world.store().finalizations(None, None, 10).await.unwrap();
        rows.into_iter().map(|row| row.finalization).collect()
    }

    #[tokio::test]
    async fn a_host_that_lost_its_database_goes_on_as_if_it_had_not() {
        // The seed is the operator's: it is not told to the service.
        let seed = |config: &mut Config| config.scoring.seed = Some(61);
        let lost = World::with_digits(start(), seed).await;
        let mut seen = Seen::new();
        for (uid, solver) in [(10, "knn"), (11, "first_example"), (12, "malformed_json")] {
            publish(&mut seen, &lost, uid, solver, SECOND);
        }
        day(&lost, SECOND).await;
        assert_eq!(ledger(&lost).await.len(), 1);
        lost.tell_all().await;

        let state = lost.uploads(STATE).pop().unwrap();
        assert_eq!(state.body["proctor"]["seed"], Value::Null);

        let again = World::opened(Arc::clone(&lost.storage), true, seed).await;
        let again = again.load_digits().await;
        assert_eq!(ledger(&again).await, ledger(&lost).await);
        let before = format!("{:?}", commits(&lost).await);
        assert_eq!(format!("{:?}", commits(&again).await), before);

        // A copy, something like a reference, and a day with nothing new.
        for (uid, solver) in [(13, "knn"), (14, "knn_renamed")] {
            publish(&mut seen, &lost, uid, solver, SECOND + 24.0 * HOUR);
            let artifacts = &again.host.pipeline.artifacts;
            artifacts.add(&guest_bytes(solver)).unwrap();
        }
        for world in [&lost, &again] {
            day(world, SECOND + 24.0 * HOUR).await;
            day(world, SECOND + 48.0 * HOUR).await;
        }
        assert_eq!(ledger(&again).await, ledger(&lost).await);
        let after = format!("{:?}", commits(&lost).await);
        assert_eq!(format!("{:?}", commits(&again).await), after);
        let days = ["2025-01-02", "2025-01-03", "2025-01-04"];
        for day in days {
            let (of_lost, of_again) = (lost.store(), again.store());
            let [vector, restored] = [of_lost, of_again].map(|store| async move {
                let vector = store.weight_vector(day.into()).await.unwrap().unwrap();
                WeightVectorRow {
                    // Nobody told it those that its weights have.
                    receipt: None,
                    ..vector
                }
            });
            assert_eq!(restored.await, vector.await, "{day}");
        }
        let last = ledger(&lost).await;
        assert_eq!(last.len(), days.len());
        assert!(last[0].weights.contains("miner-10"), "somebody is paid");
        assert!(last[1].results.contains(r#""references":2"#), "compared");
        let path = again.host.pipeline.config.data_dir.join("proctor.sqlite");
        assert_eq!(Store::problems(&path, true).unwrap(), []);
    }

    /// A host that told where its two miners stand, and what it told.
    async fn told() -> (World, Value) {
        let world = World::new().await;
        let judged = [world.scored_openly(10).await, world.scored_openly(11).await];
        world.settle(&judged, "[]").await;
        // The notice for the archive waits for ever.
        let told = async || world.waits().await == 1;
        world.tell_until("the service is told", told).await;
        let state = world.uploads(STATE).remove(0).body;
        (world, state)
    }

    fn empty() -> (TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = open_store(directory.path()).unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn a_state_that_is_not_as_it_was_is_refused_as_a_whole() {
        let (world, state) = told().await;
        let (_directory, store) = empty();
        let proctor = |change: &dyn Fn(&mut Value)| {
            let mut state = state.clone();
            change(&mut state["proctor"]);
            state
        };
        let mut of_another = state.clone();
        of_another["validator_hotkey"] = json!("somebody");
        let mut of_the_peer = state.clone();
        of_the_peer.as_object_mut().unwrap().remove("proctor");
        let refused = [
            of_the_peer,
            proctor(&|kept| *kept = json!("none")),
            proctor(&|kept| kept["version"] = json!(2)),
            proctor(&|kept| kept["commits"][1]["score"] = json!(0.9)),
            proctor(&|kept| kept["commits"][1]["score"] = json!("much")),
            proctor(&|kept| kept["commits"] = json!([])),
            proctor(&|kept| kept["seed"] = json!("7")),
        ];
        for state in refused {
            let body = state.to_string().into_bytes();
            world.client().post(STATE, body, None).await.unwrap();
            assert!(
                !restore_state(&store, &world.client(), 1.0).await,
                "{state}"
            );
            assert!(store.is_new().await.unwrap());
        }
        // What the service answers to everybody.
        let answer = json!({"data": of_another}).to_string();
        let lying = serve_once(answer);
        let mut config = Config::default();
        config.storage.url = Some(lying);
        assert!(!restore_state(&store, &client(&config), 1.0).await);

        let body = state.to_string().into_bytes();
        world.client().post(STATE, body, None).await.unwrap();
        assert!(restore_state(&store, &world.client(), 1.0).await);
        assert_eq!(store.commits_of("digits").await.unwrap().len(), 2);
    }

    /// The address of a service that gives one answer to whatever it is asked.
    fn serve_once(answer: String) -> String {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4_096]).unwrap();
            let length = answer.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all((head + &answer).as_bytes()).unwrap();
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_host_that_knows_anything_asks_for_nothing() {
        let (world, _) = told().await;
        let asked = |world: &World| world.storage.requests().contains_key(FETCH_STATE);
        assert!(!restore_state(world.store(), &world.client(), 1.0).await);
        let knows_a_commit = World::with(Arc::clone(&world.storage), |_| {}).await;
        knows_a_commit.commit(20).await;
        assert!(!restore_state(knows_a_commit.store(), &world.client(), 1.0).await);
        let knows_a_job = World::with(Arc::clone(&world.storage), |_| {}).await;
        let queued = knows_a_job.store().enqueue(key(20), 7, 5.0, 0.0);
        assert!(queued.await.unwrap());
        assert!(!restore_state(knows_a_job.store(), &world.client(), 1.0).await);
        assert!(!asked(&world));
        assert_eq!(
            knows_a_commit
                .store()
                .commits_of("digits")
                .await
                .unwrap()
                .len(),
            1
        );
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_keeps_nobody_from_starting() {
        let (world, _) = told().await;
        let (_directory, store) = empty();
        let mut config = (*world.host.pipeline.config).clone();
        config.storage.timeout_ms = 300;
        let client = client(&config);
        for kind in [
            FaultKind::Hang,
            FaultKind::Garbage,
            FaultKind::Huge,
            FaultKind::Status,
        ] {
            let fault = Fault::new(FETCH_STATE, kind);
            world.storage.set_faults(vec![fault]).unwrap();
            assert!(!restore_state(&store, &client, 1.0).await, "{kind:?}");
            assert!(store.is_new().await.unwrap());
        }
        world.storage.clear_faults();
        assert!(restore_state(&store, &client, 1.0).await);
    }

    #[tokio::test]
    async fn standings_come_without_evaluations_and_are_linked_when_those_come() {
        let (told, _) = told().await;
        let fault = Fault::new(RESULTS, FaultKind::Status);
        told.storage.set_faults(vec![fault]).unwrap();
        let world = World::opened(Arc::clone(&told.storage), true, |_| {}).await;
        let commits = world.store().commits_of("digits").await.unwrap();
        assert_eq!(commits.len(), 2);
        for commit in &commits {
            assert_eq!((commit.score, commit.accepted), (Some(0.5), Some(true)));
            assert_eq!(commit.evaluation_id, None);
        }
        told.storage.clear_faults();
        let world = world.load_digits().await;
        world.poller().round().await;
        for commit in world.store().commits_of("digits").await.unwrap() {
            let linked = commit.evaluation_id.unwrap();
            let evaluation = world.store().evaluation_by_id(linked).await.unwrap();
            let of = evaluation.unwrap().key.artifact_digest;
            assert_eq!(Some(of), commit.artifact_digest);
        }
        let results = world.host.pipeline.results();
        assert_eq!(results.last_day("digits").as_deref(), Some(DAY));
    }

    #[tokio::test]
    async fn a_brand_new_host_begins_anew() {
        let world = World::new().await;
        let (_directory, store) = empty();
        assert!(!restore_state(&store, &world.client(), 1.0).await);
        assert_eq!(world.answered(FETCH_STATE, "200"), 1);
        assert!(store.is_new().await.unwrap());
    }
}
