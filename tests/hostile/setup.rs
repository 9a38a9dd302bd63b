//! The sandbox that the tests share, and the calls that they make.

use proctor_host::sandbox::types::{
    Commit, Evaluated, Evaluation, Miner, ScoringLog, Standing, Submission,
};
use proctor_host::sandbox::{
    CallContext, Called, Grants, Limits, PluginCall, PluginComponent, Sandbox, SandboxConfig,
    SolveRecord, SolverComponent, Submitted,
};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::sync::{OnceCell, RwLock};

/// Exports of a challenge that can be told to misbehave by its settings.
pub(crate) const EXPORTS: [&str; 5] = [
    "validate-settings",
    "evaluate",
    "judge",
    "compare",
    "get-weights",
];

/// A sandbox with the guests that most tests need.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) hostile: PluginComponent,
    pub(crate) solver: SolverComponent,
    digits: PluginComponent,
    knn: SolverComponent,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    // Kept from run to run: what is compiled is called by its digest.
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/hostile-cache");
    World::new(SandboxConfig::new(cache))
});

impl World {
    pub(crate) fn new(config: SandboxConfig) -> Self {
        // Tests run in parallel, and each call has another beside it.
        let config = SandboxConfig {
            max_concurrent_calls: 32,
            ..config
        };
        let sandbox = Sandbox::new(&config).unwrap();
        World {
            hostile: load(&sandbox, "hostile_challenge"),
            digits: load(&sandbox, "digits"),
            solver: load_solver(&sandbox, "hostile_solver"),
            knn: load_solver(&sandbox, "knn"),
            sandbox,
        }
    }

    /// Has the hostile challenge do what `act` says in `export`.
    pub(crate) async fn call(&self, export: &str, act: Value, limits: &Limits) -> Called<()> {
        let call = call(settings(export, act), limits, &NOTHING);
        let (sandbox, hostile) = (&self.sandbox, &self.hostile);
        match export {
            "validate-settings" => {
                let settings = Arc::clone(&call.context.settings);
                done(hostile.validate_settings(sandbox, call, &settings).await)
            }
            "evaluate" => done(hostile.evaluate(sandbox, call, &submission(), &[]).await.0),
            "judge" => done(hostile.judge(sandbox, call, &evaluated()).await),
            "compare" => done(
                hostile
                    .compare(sandbox, call, &evaluation("a"), &[evaluation("b")])
                    .await,
            ),
            "get-weights" => done(hostile.get_weights(sandbox, call, &standings()).await),
            _ => panic!("no export {export}"),
        }
    }

    /// Has the hostile challenge do what `act` says in `evaluate`, and returns
    /// what it saw.
    pub(crate) async fn look(&self, act: Value, grants: &Grants) -> Called<Value> {
        let limits = Limits::default();
        let call = call(settings("evaluate", act), &limits, grants);
        let called = self
            .hostile
            .evaluate(&self.sandbox, call, &submission(), &[])
            .await
            .0;
        seen(called)
    }

    /// Has the hostile challenge run `solver` on `tasks`. Returns what it saw,
    /// and the records of the runs.
    pub(crate) async fn solve(
        &self,
        solver: &SolverComponent,
        solver_limits: Limits,
        limits: Limits,
        tasks: &[Value],
    ) -> (Called<Value>, Vec<SolveRecord>) {
        let act = json!({"do": "solve", "tasks": tasks});
        let submitted = Submitted {
            solver: Ok(solver.clone().into()),
            limits: solver_limits,
        };
        let call = PluginCall {
            submitted: Some(Arc::new(submitted)),
            ..call(settings("evaluate", act), &limits, &NOTHING)
        };
        let (called, records) = self
            .hostile
            .evaluate(&self.sandbox, call, &submission(), &[])
            .await;
        (seen(called), records)
    }

    /// Evaluates k-nearest neighbours with the digits challenge.
    pub(crate) async fn well_behaved(&self) -> (Vec<ScoringLog>, u64, Vec<SolveRecord>) {
        let limits = Limits::default();
        let submitted = Submitted {
            solver: Ok(self.knn.clone().into()),
            limits: Limits::solver(),
        };
        let settings = json!({"tasks": 2, "batch_size": 5});
        let call = PluginCall {
            submitted: Some(Arc::new(submitted)),
            ..call(settings, &limits, &NOTHING)
        };
        let (called, records) = self
            .digits
            .evaluate(&self.sandbox, call, &submission(), &[])
            .await;
        (called.result.unwrap(), called.report.fuel, records)
    }
}

pub(crate) fn load(sandbox: &Sandbox, name: &str) -> PluginComponent {
    PluginComponent::load(sandbox, &guest_bytes(name))
        .unwrap()
        .0
}

pub(crate) fn load_solver(sandbox: &Sandbox, name: &str) -> SolverComponent {
    SolverComponent::load(sandbox, &guest_bytes(name))
        .unwrap()
        .0
}

/// Held for writing by a test that measures time.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

/// Runs `hostile` while a well-behaved challenge is evaluated again and again,
/// at least once, and comes to what it always comes to.
pub(crate) async fn beside<T>(hostile: impl Future<Output = T>) -> T {
    let _noisy = QUIET.read().await;
    unharmed(hostile).await
}

/// As [`beside`], for a test that has seen to [`QUIET`].
pub(crate) async fn unharmed<T>(hostile: impl Future<Output = T>) -> T {
    static EXPECTED: OnceCell<(Vec<ScoringLog>, u64, Vec<SolveRecord>)> = OnceCell::const_new();
    let expected = EXPECTED.get_or_init(|| WORLD.well_behaved()).await;
    assert!(
        expected
            .0
            .iter()
            .all(|log| log.score > 0.5 && log.error.is_none()),
        "{expected:?}"
    );
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    // A task of its own, so that the two really run in parallel.
    let good = tokio::spawn(async move {
        loop {
            assert_eq!(&WORLD.well_behaved().await, expected);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    });
    let result = hostile.await;
    done.store(true, Ordering::Relaxed);
    good.await.unwrap();
    result
}

static NOTHING: LazyLock<Grants> = LazyLock::new(Grants::default);

pub(crate) fn call<'a>(settings: Value, limits: &'a Limits, grants: &'a Grants) -> PluginCall<'a> {
    let context = CallContext {
        settings: settings.to_string().into(),
        seed: 7,
        now: 1_750_000_000.5,
    };
    PluginCall::new(context, limits, grants)
}

/// Settings that have `act` done in `export`.
pub(crate) fn settings(export: &str, mut act: Value) -> Value {
    act["in"] = export.into();
    act
}

fn done<T>(called: Called<T>) -> Called<()> {
    Called {
        result: called.result.map(drop),
        report: called.report,
    }
}

/// What the guest saw: the task of the one log that it returns.
pub(crate) fn seen(called: Called<Vec<ScoringLog>>) -> Called<Value> {
    Called {
        result: called
            .result
            .map(|logs| serde_json::from_str(&logs[0].task).unwrap()),
        report: called.report,
    }
}

pub(crate) fn submission() -> Submission {
    Submission {
        digest: "ab".repeat(32),
    }
}

pub(crate) fn evaluation(digest: &str) -> Evaluation {
    let log = ScoringLog {
        task: "{}".into(),
        solution: None,
        score: 1.0,
        baseline_score: None,
        error: None,
    };
    Evaluation {
        submission: Submission {
            digest: digest.repeat(64),
        },
        scoring_logs: vec![log],
    }
}

pub(crate) fn commit(hotkey: &str) -> Commit {
    Commit {
        miner: Miner {
            uid: 1,
            hotkey: hotkey.into(),
            coldkey: None,
            axon_ip: None,
        },
        committed_at: 1.0,
        submission: submission(),
    }
}

pub(crate) fn evaluated() -> Evaluated {
    Evaluated {
        commit: commit("alice"),
        scoring_logs: evaluation("a").scoring_logs,
        comparisons: Vec::new(),
    }
}

pub(crate) fn standings() -> Vec<Standing> {
    ["alice", "bob"]
        .map(|hotkey| Standing {
            commit: commit(hotkey),
            score: 1.0,
            scored_at: 2.0,
        })
        .into()
}
