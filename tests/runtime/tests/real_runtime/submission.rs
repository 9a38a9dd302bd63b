//! The host's own loop on a real runtime.

use crate::support::{BEGINS, MEMBERS, NETUID, Real, TEMPO, hotkey, subnet};
use proctor_host::chain::read;
use proctor_host::chain::subnet::Subnet;
use proctor_host::config::Config;
use proctor_host::metrics::Metrics;
use proctor_host::scoring::{Content, Policies, Vector};
use proctor_host::store::{Store, SubmissionKind, SubmissionRow, SubmissionState};
use proctor_host::submission::{self, Parts, Submitter};
use proctor_host::weights::{OnChain, Quantised};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A host that submits for Bob.
struct Host {
    submitter: Submitter,
    looked_at: watch::Receiver<u64>,
    store: Store,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _vectors: watch::Sender<Option<Arc<Vector>>>,
    _directory: tempfile::TempDir,
}

fn now() -> f64 {
    1_700_000_000.0
}

fn vector() -> Arc<Vector> {
    let quantised = Quantised {
        uids: vec![1, 2],
        values: vec![53_620, 65_535],
    };
    Arc::new(Vector {
        id: 1,
        digest: "a digest".into(),
        made_at: now(),
        confirmed_at: now(),
        valid_until: f64::MAX,
        metagraph_read_at: None,
        metagraph_block: 1,
        content: Content {
            netuid: NETUID,
            day: "2023-11-14".into(),
            uids: Vec::new(),
            weights: Vec::new(),
            hotkeys: Vec::new(),
            hotkey_weights: Default::default(),
            policies: Policies {
                unassigned: Default::default(),
                same_miner: Default::default(),
                zero_miner: Default::default(),
                too_few: Default::default(),
                fallback_max_age_s: 0.0,
                min_allowed_weights: 1,
                max_weight_limit: u16::MAX,
            },
            on_chain: OnChain::Vector {
                quantised,
                padded: Vec::new(),
                clipped: false,
            },
            challenges: Vec::new(),
            derivation: serde_json::json!({}),
        },
    })
}

impl Host {
    async fn start(real: &Real) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.chain = real.config.clone();
        config.weights.submit = true;
        config.weights.margin_blocks = 3;
        config.weights.jitter_blocks = 0;
        config.weights.mortality_blocks = 8;
        let metagraph = read::metagraph(&real.at().await, NETUID).await.unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let (submitter, asks) = submission::channel();
        let vectors = watch::Sender::new(Some(vector()));
        let stop = CancellationToken::new();
        let parts = Parts {
            config: Arc::new(config),
            store: store.clone(),
            subnet: Subnet::new(metagraph, None),
            metrics: Arc::new(Metrics::default()),
            vectors: vectors.subscribe(),
            chain: Some(real.chain.clone()),
            hotkey: Some(hotkey(MEMBERS[0])),
            clock: now,
        };
        Host {
            looked_at: submitter.looked_at(),
            submitter,
            store,
            task: tokio::spawn(submission::run(parts, asks, stop.clone())),
            stop,
            _vectors: vectors,
            _directory: directory,
        }
    }

    /// Makes blocks one by one, each looked at by the host, until a submission has come
    /// to its end.
    async fn mine_until_ended(&mut self, real: &Real, id: i64) -> SubmissionRow {
        for _ in 0..4 * TEMPO {
            let block = u64::from(real.node.number());
            let looked = self.looked_at.wait_for(|looked| *looked >= block);
            let looked = tokio::time::timeout(Duration::from_secs(60), looked).await;
            looked.expect("the host looks at each block").unwrap();
            let row = self.store.submission(id).await.unwrap();
            if let Some(row) = row.filter(|row| row.state.is_end()) {
                return row;
            }
            real.node.mine(1);
        }
        panic!("submission {id} does not end");
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn the_host_sets_weights_before_each_epoch_and_reads_them_back() {
    let Some(real) = Real::begin("the host's loop", subnet()).await else {
        return;
    };
    let mut host = Host::start(&real).await;
    for id in [1, 2] {
        let row = host.mine_until_ended(&real, id).await;
        assert_eq!(row.state, SubmissionState::Confirmed, "{row:?}");
        assert_eq!(row.new.kind, SubmissionKind::Set);
        assert_eq!(row.new.spec_version, 218);
        assert_eq!(row.sends, 1);
        assert_eq!(real.row(0).await, [(1, 53_620), (2, 65_535)]);
    }
    let rows = host.store.submission_page(None, 10).await.unwrap();
    let epochs: Vec<u64> = rows
        .iter()
        .filter_map(|row| row.block)
        .map(|block| (block + 2) / u64::from(TEMPO + 1))
        .collect();
    assert_eq!(epochs.len(), 2);
    assert!(epochs[0] != epochs[1], "{epochs:?}");
    host.stop().await;
}

#[tokio::test]
async fn the_host_commits_and_reveals_where_the_runtime_has_no_timelock() {
    let mut with_commits = subnet();
    with_commits.commit_reveal = true;
    let Some(real) = Real::begin("the host's commits", with_commits).await else {
        return;
    };
    let mut host = Host::start(&real).await;
    let commit = host.mine_until_ended(&real, 1).await;
    assert_eq!(commit.state, SubmissionState::Confirmed, "{commit:?}");
    assert_eq!(commit.new.kind, SubmissionKind::Commit);
    let reveal = host.store.reveal_of(1).await.unwrap().unwrap();
    assert_eq!(reveal.state, SubmissionState::Confirmed, "{reveal:?}");
    assert_eq!(reveal.new.kind, SubmissionKind::Reveal);
    assert!(reveal.block > commit.block);
    assert_eq!(real.row(0).await, [(1, 53_620), (2, 65_535)]);
    host.stop().await;
}

#[tokio::test]
async fn a_plan_tells_the_call_and_its_checks_and_sends_nothing() {
    let Some(real) = Real::begin("a plan", subnet()).await else {
        return;
    };
    let host = Host::start(&real).await;
    let plan = host.submitter.plan().await.unwrap();
    assert_eq!(plan.spec_version, 218);
    assert_eq!(plan.block, u64::from(BEGINS));
    assert_eq!(plan.fee_rao, Some(0));
    assert_eq!(plan.refused, None);
    assert_eq!(plan.nonce, Some(0));
    // Pallet 7, call 0; netuid 1; two uids; two values; version key 0.
    assert_eq!(
        plan.call_data,
        "0x0700010008010002000874d1ffff0000000000000000"
    );
    assert_eq!(real.node.waiting(), 0);
    host.stop().await;
}
