//! A host's library with the challenge of the tests, and miners on loopback.

use proctor_dev_miners::{Behaviour, DevMiner, Miners, Options};
use proctor_host::chain::Hotkey;
use proctor_host::clock;
use proctor_host::config::{self, Config};
use proctor_host::host::Host;
use proctor_host::organic::{LoopStatus, Organic, SubmitError, Submitted};
use proctor_host::store::{EntryRow, EntryState, IterationRow, Store};
use proctor_testing::guest;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The challenge of the tests.
pub(crate) const ORGANIC: &str = "organic";

/// Longer than anything takes that is waited for.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What a world is made of.
pub(crate) struct Setup {
    /// One miner for each.
    pub(crate) miners: Vec<Behaviour>,
    /// What the operator wants.
    pub(crate) organic: config::Organic,
    /// The challenge's settings.
    pub(crate) settings: Value,
    /// What the host signs with.
    pub(crate) hotkey: Option<Hotkey>,
}

impl Setup {
    /// Miners that answer, and iterations by steps: each costs one.
    pub(crate) fn steps(miners: usize) -> Self {
        Setup {
            miners: vec![Behaviour::Good; miners],
            organic: config::Organic {
                trigger: config::Trigger::Steps,
                frequency: 1.0,
                frequency_min: 1.0,
                callers: config::Callers::Anyone,
                retry_s: 0.0,
                caller_share: 1.0,
                miner_timeout_ms: 30_000,
                ..config::Organic::default()
            },
            settings: json!({}),
            hotkey: Some(Hotkey::from_uri("//Host").unwrap()),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut config::Organic)) -> Self {
        change(&mut self.organic);
        self
    }

    pub(crate) fn settings(self, settings: Value) -> Self {
        Setup { settings, ..self }
    }

    pub(crate) fn behave(self, miners: &[Behaviour]) -> Self {
        Setup {
            miners: miners.to_vec(),
            ..self
        }
    }

    /// Without synthetic samples: all iterations are those of entries.
    pub(crate) fn organic_only(self) -> Self {
        self.settings(json!({"in": "datasets", "names": []}))
    }

    /// A world that runs its loop.
    pub(crate) async fn run(self) -> World {
        let mut world = self.open().await;
        world.begin();
        world
    }

    /// A world whose loop has not begun.
    pub(crate) async fn open(self) -> World {
        let directory = tempfile::tempdir().unwrap();
        let miners = Miners::start(Options {
            count: self.miners.len(),
            ..Options::default()
        });
        let miners = miners.unwrap();
        for (miner, behaviour) in miners.all().iter().zip(self.miners) {
            miner.behave(behaviour);
        }
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("plugins")).unwrap();
        std::fs::copy(guest("organic_challenge"), at("plugins/organic.wasm")).unwrap();
        let metagraph = miners.metagraph(1, self.hotkey.as_ref().map(Hotkey::address));
        std::fs::write(at("metagraph.json"), metagraph.to_string()).unwrap();
        let mut config = Config {
            data_dir: at("data"),
            metagraph: Some(at("metagraph.json")),
            ..Config::default()
        };
        config.plugins.dir = at("plugins");
        config.miners.private_networks = vec!["127.0.0.1".into()];
        // No miner is busy, however many iterations of a test overlap.
        config.miners.per_miner = 64;
        config.sandbox.max_concurrent_calls = Some(4);
        let challenge = config::Challenge {
            settings: map(self.settings),
            organic: self.organic,
            ..config::Challenge::default()
        };
        config.challenges.insert(ORGANIC.into(), challenge);
        let host = Host::open(config).await.unwrap();
        host.registry.pass().await.unwrap();
        let organic = organic(&host, self.hotkey.clone());
        World {
            directory,
            miners,
            host,
            organic,
            hotkey: self.hotkey,
            running: None,
        }
    }
}

fn organic(host: &Host, hotkey: Option<Hotkey>) -> Organic {
    let pipeline = &host.pipeline;
    let resources = pipeline.resources().clone();
    Organic::new(resources, hotkey, 7, pipeline.schedule()).unwrap()
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

pub(crate) struct World {
    directory: TempDir,
    pub(crate) miners: Miners,
    pub(crate) host: Host,
    pub(crate) organic: Organic,
    hotkey: Option<Hotkey>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl World {
    pub(crate) fn begin(&mut self) {
        let stop = CancellationToken::new();
        let task = tokio::spawn(self.organic.clone().run(stop.clone()));
        self.running = Some((stop, task));
    }

    /// As when the host stops; then another one.
    pub(crate) async fn restart(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.cancel();
        timeout(LONG, task).await.unwrap().unwrap();
        self.organic = organic(&self.host, self.hotkey.clone());
        self.begin();
    }

    pub(crate) fn store(&self) -> &Store {
        &self.host.pipeline.store
    }

    pub(crate) fn miner(&self, index: usize) -> &Arc<DevMiner> {
        self.miners.get(index).unwrap()
    }

    /// Where the challenge's file is.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("plugins/organic.wasm")
    }

    /// Sends an entry.
    pub(crate) async fn send(&self, caller: &str, body: Value) -> Result<Submitted, SubmitError> {
        let (body, now) = (body.to_string(), clock::unix_now());
        self.organic.submit(ORGANIC, caller, &body, now).await
    }

    /// Sends an entry that is taken; its id.
    pub(crate) async fn sent(&self, body: Value) -> String {
        self.send("alice", body).await.unwrap().entry.id
    }

    /// An entry once it has ended.
    pub(crate) async fn ended(&self, id: &str) -> EntryRow {
        let until = Instant::now() + LONG;
        let entry = self.organic.wait(ORGANIC, id, until).await.unwrap();
        let entry = entry.unwrap();
        assert!(entry.state.is_end(), "{entry:?}");
        entry
    }

    /// An entry that an iteration was done with: what the caller is told.
    pub(crate) async fn answered(&self, id: &str) -> Value {
        let entry = self.ended(id).await;
        assert_eq!(entry.state, EntryState::Done, "{entry:?}");
        serde_json::from_str(&entry.answer.unwrap()).unwrap()
    }

    pub(crate) async fn steps(&self, steps: u64) {
        let add = proctor_host::store::Steps::Add(steps);
        let status = self.organic.steps(ORGANIC, add, 0.0).await.unwrap();
        assert!(status.is_some());
    }

    pub(crate) async fn status(&self) -> LoopStatus {
        let status = self.organic.status(ORGANIC).await;
        status.unwrap().unwrap()
    }

    /// The status once it is as wanted, of which nobody tells.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut is_so: impl FnMut(&LoopStatus) -> bool,
    ) -> LoopStatus {
        let deadline = Instant::now() + LONG;
        loop {
            let status = self.status().await;
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "in vain: {what}: {status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every iteration, the first one first.
    pub(crate) async fn iterations(&self) -> Vec<IterationRow> {
        let listed = self.store().organic_iterations(ORGANIC.into(), None, 1_000);
        let mut rows = Vec::new();
        // A list is without the records.
        for row in listed.await.unwrap().iter().rev() {
            let row = self.store().organic_iteration(row.id).await.unwrap();
            rows.extend(row);
        }
        rows
    }

    /// The loop is told to look again, and does, before what is written after this.
    pub(crate) async fn look(&self) {
        for _ in 0..20 {
            self.organic.wake(ORGANIC);
            self.store().check().await.unwrap();
        }
    }
}

pub(crate) fn record(row: &IterationRow) -> Value {
    serde_json::from_str(row.record.as_deref().unwrap()).unwrap()
}
