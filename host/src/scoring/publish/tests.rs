//! Organic weights on their way into the vector.

use super::*;
use crate::artifacts::ArtifactStore;
use crate::chain::Metagraph;
use crate::chain::subnet::Subnet;
use crate::config::{Config, Sampling};
use crate::metrics::Metrics;
use crate::plugins::{Loader, RunState};
use crate::registry::Registry;
use crate::runner::Runners;
use crate::sandbox::{Sandbox, SandboxConfig};
use crate::scoring::{Origin, Resources, Source};
use crate::store::{
    Change, Completed, Finalization, Kept, NewEvent, NewIteration, RegistryRow, Settled, Store,
    Written,
};
use serde_json::{Value, json};
use std::fs;

const DAY: f64 = 86_400.0;

/// 2026-08-22T15:00:00Z, an hour after the scoring hour.
const NOW: f64 = 1_787_410_800.0;

struct Room {
    pipeline: Pipeline,
    _directory: tempfile::TempDir,
}

fn neuron(uid: u16, hotkey: &str) -> Value {
    json!({"uid": uid, "hotkey": hotkey, "coldkey": format!("c{uid}"), "axon_ip": null,
           "stake": 1.0, "validator_permit": false})
}

impl Room {
    /// A host with miners `a`, `b` and `c`, of the uids 1 to 3.
    async fn new() -> Self {
        Room::with(&[]).await
    }

    /// The same with these components in its drop folder, running.
    async fn with(guests: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let neurons = [("owner", 0), ("a", 1), ("b", 2), ("c", 3)];
        let neurons: Vec<Value> = neurons.map(|(key, uid)| neuron(uid, key)).into();
        let subnet = json!({"netuid": 61, "block": 1, "neurons": neurons});
        fs::write(path.join("metagraph.json"), subnet.to_string()).unwrap();
        let mut config = Config {
            data_dir: path.to_owned(),
            ..Config::default()
        };
        config.plugins.dir = path.join("plugins");
        fs::create_dir(&config.plugins.dir).unwrap();
        for guest in guests {
            let file = config.plugins.dir.join(format!("{guest}.wasm"));
            fs::copy(proctor_testing::guest(guest), file).unwrap();
        }
        let (config, metrics) = (Arc::new(config), Arc::new(Metrics::default()));
        let store = Store::open(&path.join("db")).unwrap();
        let sandbox = Sandbox::new(&SandboxConfig::new(path.join("compiled"))).unwrap();
        let of = |name| ArtifactStore::open(path.join(name), 1 << 20).unwrap();
        let loader = Loader::new(
            sandbox.clone(),
            Arc::clone(&config),
            Arc::clone(&metrics),
            of("components"),
        );
        let registry = Registry::open(
            Arc::clone(&config),
            store.clone(),
            loader.clone(),
            Arc::clone(&metrics),
        )
        .unwrap();
        registry.pass().await.unwrap();
        let resources = Resources {
            signer: None,
            store,
            artifacts: of("artifacts"),
            components: of("components"),
            runners: Runners::new(registry.gpu_servers().clone()),
            plugins: loader.plugins().clone(),
            subnet: Subnet::new(Metagraph::load(&config.metagraph_path()).unwrap(), None),
            config,
            sandbox,
            metrics,
        };
        Room {
            pipeline: Pipeline::new(resources).await.unwrap(),
            _directory: directory,
        }
    }

    /// A challenge that is to run, and that can do this: what its record says.
    async fn challenge(&self, name: &str, capabilities: &[&str], share: f64) {
        let spec = json!({"given": {"emission_percent": 100.0,
                                    "organic": {"weights_share": share}}});
        self.record(name, capabilities, spec.to_string()).await;
        let plugins = &self.pipeline.plugins;
        plugins.set_running(name, |running| running.state = RunState::Failed);
    }

    /// Makes or changes the record of a challenge.
    async fn record(&self, name: &str, capabilities: &[&str], spec: String) {
        let store = &self.pipeline.store;
        let before = store.registry_record(name.to_owned()).await.unwrap();
        let row = RegistryRow {
            slug: name.into(),
            status: "active".into(),
            spec,
            digest: "d".into(),
            version: "1".into(),
            capabilities: json!(capabilities).to_string(),
            origin: "admin".into(),
            revision: 0,
            active_since: None,
            created_at: 0.0,
            updated_at: 0.0,
        };
        let change = Change {
            at: 0.0,
            actor: "test".into(),
            action: "create",
            changes: json!({}),
        };
        let revision = before.map(|before| before.revision);
        let put = store.put_record(row, "r".into(), revision, change, None);
        assert!(matches!(put.await.unwrap(), Written::Done(_)));
    }

    /// An iteration that ends.
    async fn fold(&self, challenge: &str, at: f64, weights: &[(&str, f64)]) {
        let store = &self.pipeline.store;
        let begun = store.organic_begin(NewIteration {
            challenge: challenge.into(),
            plugin: "p".into(),
            settings: "s".into(),
            engine: "e".into(),
            started_at: at,
            sampling: Sampling::Uniform,
            random: 0,
            steps: 0,
            dataset: Some("d".into()),
        });
        let completed = Completed {
            id: begun.await.unwrap().unwrap().id,
            summary: "{}".into(),
            record: "{}".into(),
            ended_at: at,
            answer: None,
            state: "{}".into(),
            day: self.pipeline.schedule.day_of(at),
            weights: weights.iter().map(|(h, w)| ((*h).into(), *w)).collect(),
        };
        assert!(store.organic_complete(completed).await.unwrap());
    }

    /// What `get-weights` told on a day.
    async fn finalize(&self, challenge: &str, day: &str, weights: &[(&str, f64)]) {
        let weights = weights.iter();
        let weights = weights.map(|(h, w)| json!({"hotkey": h, "weight": w}));
        let scheduled_at = self.pipeline.schedule.finalized_at(day);
        let settled = Settled {
            finalization: Finalization {
                day: day.into(),
                challenge: challenge.into(),
                plugin_digest: "p".into(),
                settings_digest: "s".into(),
                engine: "e".into(),
                outcome: "ok".into(),
                message: None,
                standings: "[]".into(),
                weights: json!(weights.collect::<Vec<_>>()).to_string(),
                results: "[]".into(),
                scheduled_at,
            },
            receipt: None,
            kept: Kept::default(),
            leaves: None,
            judged: Vec::new(),
            failed: Vec::new(),
            superseded: Vec::new(),
            event: NewEvent {
                at: scheduled_at,
                kind: "finalized",
                challenge: challenge.into(),
                data: json!({}),
            },
            notices: Vec::new(),
        };
        assert!(self.pipeline.store.settle(settled).await.unwrap());
        self.pipeline.ledger.fetch_add(1, Ordering::Relaxed);
    }

    /// The vector that a look at this time makes, if it is a new one: what each uid gets.
    async fn publish(&self, at: f64) -> Option<Vec<(u16, f64)>> {
        let vector = self.pipeline.publish(at).await.unwrap()?;
        let content = &vector.content;
        let paid = content.uids.iter().zip(&content.weights);
        Some(paid.map(|(uid, weight)| (*uid, *weight)).collect())
    }

    /// What the one challenge pays, as it was published last.
    fn source(&self) -> Source {
        let vector = self.pipeline.latest.get().unwrap();
        vector.content.challenges.first().unwrap().clone()
    }
}

#[tokio::test]
async fn organic_weights_alone_make_a_vector_before_any_day_is_finalized() {
    let room = Room::new().await;
    room.challenge("echo", &["organic"], 0.5).await;
    assert_eq!(room.publish(NOW).await, None, "nobody has earned anything");
    room.fold("echo", NOW + 1.0, &[("a", 3.0), ("b", 1.0)])
        .await;
    let paid = room.publish(NOW + 2.0).await;
    assert_eq!(paid, Some(vec![(1, 0.75), (2, 0.25)]));
    let source = room.source();
    assert_eq!(
        (source.origin, source.organic_share),
        (Origin::Own, Some(1.0))
    );
    let vector = room.pipeline.latest.get().unwrap();
    assert_eq!(vector.content.day, "2026-08-22");
}

#[tokio::test]
async fn what_iterations_change_is_published_once_in_a_while_and_the_rest_at_once() {
    let room = Room::new().await;
    room.challenge("echo", &["organic"], 0.5).await;
    room.fold("echo", NOW, &[("a", 1.0)]).await;
    assert!(room.publish(NOW).await.is_some());
    room.fold("echo", NOW + 1.0, &[("b", 1.0)]).await;
    // Confirmed several times, and as it was.
    for after in [1.0, 300.0, ORGANIC_PACE - 1.0] {
        assert_eq!(room.publish(NOW + after).await, None, "{after}");
    }
    let confirmed = room.pipeline.latest.get().unwrap().confirmed_at;
    assert_eq!(confirmed, NOW + ORGANIC_PACE - 1.0);
    let paid = room.publish(NOW + ORGANIC_PACE).await;
    assert_eq!(paid, Some(vec![(2, 1.0)]));
    // A day of another challenge.
    room.fold("echo", NOW + ORGANIC_PACE, &[("c", 1.0)]).await;
    room.challenge("digits", &["scoring", "get_weights"], 0.5)
        .await;
    assert_eq!(
        room.publish(NOW + ORGANIC_PACE + 1.0)
            .await
            .map(|v| v.len()),
        Some(1)
    );
    room.finalize("digits", "2026-08-22", &[("a", 1.0)]).await;
    let paid = room.publish(NOW + ORGANIC_PACE + 2.0).await;
    assert_eq!(paid, Some(vec![(1, 0.5), (3, 0.5)]));
}

#[tokio::test]
async fn what_could_not_be_published_is_tried_again_at_the_next_look() {
    let room = Room::new().await;
    room.challenge("echo", &["organic"], 0.5).await;
    room.fold("echo", NOW, &[("a", 1.0)]).await;
    assert!(room.publish(NOW).await.is_some());
    room.fold("echo", NOW + 1.0, &[("b", 1.0)]).await;
    assert_eq!(room.publish(NOW + ORGANIC_PACE - 1.0).await, None);
    room.record("echo", &["organic"], "{".into()).await;
    assert!(room.pipeline.publish(NOW + ORGANIC_PACE).await.is_err());
    let spec = json!({"given": {"emission_percent": 100.0}});
    room.record("echo", &["organic"], spec.to_string()).await;
    let paid = room.publish(NOW + ORGANIC_PACE + 1.0).await;
    assert_eq!(paid, Some(vec![(2, 1.0)]));
}

#[tokio::test]
async fn weights_of_a_clock_that_was_wrong_do_not_hide_those_of_now() {
    let room = Room::new().await;
    room.challenge("echo", &["organic"], 0.5).await;
    // 2030-01-01.
    room.fold("echo", 1_893_456_000.0, &[("a", 1.0)]).await;
    assert_eq!(room.publish(NOW).await, None);
    room.fold("echo", NOW, &[("b", 1.0)]).await;
    assert_eq!(room.publish(NOW + 1.0).await, Some(vec![(2, 1.0)]));
}

#[tokio::test]
async fn a_challenge_with_both_is_paid_by_both() {
    let room = Room::new().await;
    room.challenge("both", &["scoring", "get_weights", "organic"], 0.25)
        .await;
    room.finalize("both", "2026-08-22", &[("a", 8.0)]).await;
    assert_eq!(
        room.publish(NOW).await,
        Some(vec![(1, 1.0)]),
        "no iteration yet"
    );
    assert_eq!(room.source().organic_share, None);
    room.fold("both", NOW, &[("b", 2.0), ("c", 2.0)]).await;
    let paid = room.publish(NOW + ORGANIC_PACE).await;
    assert_eq!(paid, Some(vec![(1, 0.75), (2, 0.125), (3, 0.125)]));
    let source = room.source();
    assert_eq!(
        (source.origin, source.organic_share),
        (Origin::Own, Some(0.25))
    );
    // Of the ledger only what `get-weights` told: it is not mixed twice.
    room.fold("both", NOW + ORGANIC_PACE, &[("b", 1.0)]).await;
    let paid = room.publish(NOW + 2.0 * ORGANIC_PACE).await;
    assert_eq!(paid, Some(vec![(1, 0.75), (2, 0.25)]));
}

#[tokio::test]
async fn a_day_pays_what_organic_rewards_had_come_to_by_its_hour() {
    let room = Room::new().await;
    room.challenge("both", &["get_weights", "organic"], 0.5)
        .await;
    room.finalize("both", "2026-08-22", &[("a", 1.0)]).await;
    // The hour is 14:00: the second one is of the next day.
    room.fold("both", NOW - 7_200.0, &[("b", 1.0)]).await;
    room.fold("both", NOW, &[("c", 1.0)]).await;
    let of_day = async || {
        let sources = room.pipeline.sources_of_day("2026-08-22").await.unwrap();
        sources.into_iter().next().unwrap()
    };
    let source = of_day().await;
    let expected = [("a", 0.5), ("b", 0.5)].map(|(h, w)| (h.to_owned(), w));
    assert_eq!(source.weights, expected.into());
    room.fold("both", NOW + DAY, &[("c", 9.0)]).await;
    assert_eq!(of_day().await, source, "whenever it is asked");
    let weights = room
        .pipeline
        .organic_of_day("both", "2026-08-22", NOW)
        .await
        .unwrap();
    assert_eq!(weights.len(), 1);
    assert_eq!(weights.first().unwrap().hotkey, "b");
}

#[tokio::test]
async fn organic_weights_that_are_old_stand_in_and_then_count_no_more() {
    let room = Room::new().await;
    room.challenge("echo", &["organic"], 0.5).await;
    room.finalize("echo", "2026-08-22", &[("a", 1.0)]).await;
    room.fold("echo", NOW, &[("a", 1.0)]).await;
    for (after, origin, code) in [
        (DAY, Origin::Own, None),
        (
            DAY + PATIENCE + 1.0,
            Origin::Fallback,
            Some("organic_stale"),
        ),
        (2.0 * DAY, Origin::Fallback, Some("organic_stale")),
        (2.0 * DAY + 300.0, Origin::None, Some("organic_stale")),
    ] {
        room.pipeline.publish(NOW + after).await.unwrap();
        let source = room.source();
        let lack = source.lack.map(|lack| lack.code);
        assert_eq!((source.origin, lack.as_deref()), (origin, code), "{after}");
        assert_eq!(source.weights.is_empty(), origin == Origin::None);
    }
}

/// A room with two challenges that have seen the day before [`NOW`]'s, and finalize none
/// by themselves.
async fn room_of_two() -> Room {
    let room = Room::with(&["digits", "hostile_challenge"]).await;
    room.pipeline.finalize(NOW - DAY).await.unwrap();
    room
}

#[tokio::test]
async fn the_first_day_of_all_is_told_once_every_challenge_is_through_with_it() {
    let room = room_of_two().await;
    let pipeline = &room.pipeline;
    let scheduled_at = pipeline.schedule.finalized_at("2026-08-22");
    let plugins = pipeline.plugins.active();
    let [one, two] = plugins.as_slice() else {
        panic!("{plugins:?}");
    };
    let publish = async |at| {
        let vector = pipeline.publish(at).await.unwrap();
        vector.map(|vector| vector.content.challenges.clone())
    };
    assert!(
        pipeline
            .finalize_challenge(one, scheduled_at)
            .await
            .unwrap()
    );
    assert_eq!(publish(scheduled_at).await, None, "the other one is due");
    assert_eq!(publish(scheduled_at + PATIENCE - 1.0).await, None);
    assert!(
        pipeline
            .finalize_challenge(two, scheduled_at)
            .await
            .unwrap()
    );
    let told = publish(scheduled_at + 1.0).await.unwrap();
    let lacks = told.iter().map(|source| source.lack.as_ref().unwrap());
    let lacks: Vec<&str> = lacks.map(|lack| lack.code.as_str()).collect();
    assert_eq!(lacks, ["empty", "empty"], "nobody handed anything in");

    // On the next one, what was told before stands in.
    let next = scheduled_at + DAY;
    assert!(pipeline.finalize_challenge(one, next).await.unwrap());
    assert!(publish(next).await.is_some());
}

#[tokio::test]
async fn the_first_day_of_all_is_not_held_up_for_longer_than_an_hour() {
    let room = room_of_two().await;
    let pipeline = &room.pipeline;
    let scheduled_at = pipeline.schedule.finalized_at("2026-08-22");
    // The host has looked for longer than it waits.
    assert_eq!(pipeline.publish(NOW - DAY).await.unwrap(), None);
    let one = pipeline.plugins.active().into_iter().next().unwrap();
    assert!(
        pipeline
            .finalize_challenge(&one, scheduled_at)
            .await
            .unwrap()
    );
    assert_eq!(pipeline.publish(scheduled_at).await.unwrap(), None);
    let late = pipeline.publish(scheduled_at + PATIENCE).await.unwrap();
    assert!(late.is_some());
}

#[tokio::test]
async fn a_document_of_before_organic_scoring_reads_as_it_was() {
    let old = json!({"challenge": "digits", "emission_percent": 100.0, "origin": "own",
                     "day": "2026-08-22", "lack": null, "weights": {"a": 1.0}});
    let source: Source = serde_json::from_value(old.clone()).unwrap();
    assert_eq!(source.organic_share, None);
    assert_eq!(
        serde_json::to_value(source).unwrap(),
        old,
        "and so does its digest"
    );
}
