//! What the sandbox costs: the same work in Proctor's sandbox, on bare wasmtime
//! (default settings, one linker, a fresh store per call), and natively.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use digits::Digits;
use digits_solvers::{FirstExample, Knn, Linear, NearestCentroid};
use proctor_host::sandbox::types::{Evaluation, ScoringLog, Submission};
use proctor_host::sandbox::{
    CallContext, Grants, Limits, PluginCall, PluginComponent, Sandbox, SandboxConfig,
};
use proctor_sdk::Solver;
use proctor_sdk::testing::Harness;
use std::hint::black_box;

/// Bare wasmtime: what is between it and Proctor is what Proctor adds.
mod bare {
    use super::{Evaluation, digits};
    use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
    use wasmtime::{Engine, Store};
    use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

    mod comparer {
        wasmtime::component::bindgen!({
            path: "../wit/challenge",
            world: "comparer-plugin",
            with: { "proctor:challenge/types": proctor_host::sandbox::types },
        });
    }

    mod info {
        wasmtime::component::bindgen!({
            path: "../wit/challenge",
            world: "info-plugin",
            with: {
                "proctor:challenge/types": proctor_host::sandbox::types,
                "proctor:challenge/context": super::comparer::proctor::challenge::context,
            },
        });
    }

    use comparer::proctor::challenge::{context, database, runner};

    struct State(WasiCtx, ResourceTable);

    impl WasiView for State {
        fn ctx(&mut self) -> WasiCtxView<'_> {
            WasiCtxView {
                ctx: &mut self.0,
                table: &mut self.1,
            }
        }
    }

    impl proctor_host::sandbox::types::Host for State {}

    impl context::Host for State {
        fn settings(&mut self) -> String {
            "{}".to_owned()
        }
        fn seed(&mut self) -> u64 {
            1
        }
        fn now(&mut self) -> f64 {
            0.0
        }
    }

    impl runner::Host for State {
        fn solve(&mut self, _: String) -> Result<String, runner::SolveError> {
            Err(runner::SolveError::Unavailable(String::new()))
        }
    }

    impl database::Host for State {
        fn execute(
            &mut self,
            _: String,
            _: Vec<database::Value>,
        ) -> Result<u64, database::DatabaseError> {
            Err(database::DatabaseError::Full)
        }
        fn query(
            &mut self,
            _: String,
            _: Vec<database::Value>,
        ) -> Result<database::Rows, database::DatabaseError> {
            Err(database::DatabaseError::Full)
        }
    }

    pub(super) struct Bare {
        engine: Engine,
        info: info::InfoPluginPre<State>,
        comparer: comparer::ComparerPluginPre<State>,
    }

    impl Bare {
        pub(super) fn new() -> Self {
            let engine = Engine::default();
            let component = Component::new(&engine, digits()).unwrap();
            let mut linker = Linker::new(&engine);
            wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
            comparer::ComparerPlugin::add_to_linker::<_, HasSelf<_>>(
                &mut linker,
                |s: &mut State| s,
            )
            .unwrap();
            let pre = linker.instantiate_pre(&component).unwrap();
            Bare {
                info: info::InfoPluginPre::new(pre.clone()).unwrap(),
                comparer: comparer::ComparerPluginPre::new(pre).unwrap(),
                engine,
            }
        }

        fn store(&self) -> Store<State> {
            Store::new(
                &self.engine,
                State(WasiCtx::builder().build(), ResourceTable::new()),
            )
        }

        pub(super) fn describe(&self) -> String {
            let mut store = self.store();
            let plugin = self.info.instantiate(&mut store).unwrap();
            let description = plugin.proctor_challenge_info().call_describe(&mut store);
            description.unwrap().name
        }

        pub(super) fn compare(&self, candidate: &Evaluation, references: &[Evaluation]) -> usize {
            let mut store = self.store();
            let plugin = self.comparer.instantiate(&mut store).unwrap();
            let comparer = plugin.proctor_challenge_comparer();
            let logs = comparer.call_compare(&mut store, candidate, references);
            logs.unwrap().unwrap().len()
        }
    }
}

fn digits() -> Vec<u8> {
    proctor_testing::guest_bytes("digits")
}

/// What a solver's evaluation on 5 tasks of 20 images came to.
fn logs<S: Solver>() -> Vec<proctor_sdk::ScoringLog> {
    let settings = r#"{"tasks": 5, "batch_size": 20}"#;
    Harness::<Digits>::new()
        .settings(settings)
        .seed(1)
        .submission::<S>()
        .evaluate(Vec::new())
        .unwrap()
}

/// A candidate, and 100 references of four kinds.
fn native_evaluations() -> (proctor_sdk::Evaluation, Vec<proctor_sdk::Evaluation>) {
    let kinds = [
        logs::<Knn>(),
        logs::<Linear>(),
        logs::<NearestCentroid>(),
        logs::<FirstExample>(),
    ];
    let evaluation = |number: usize, logs: &Vec<proctor_sdk::ScoringLog>| proctor_sdk::Evaluation {
        submission: proctor_sdk::Submission {
            digest: format!("{number:064x}"),
        },
        scoring_logs: logs.clone(),
    };
    let references = kinds.iter().cycle().take(100).enumerate();
    (
        evaluation(1_000, &kinds[0]),
        references
            .map(|(number, logs)| evaluation(number, logs))
            .collect(),
    )
}

fn to_host(evaluation: &proctor_sdk::Evaluation) -> Evaluation {
    Evaluation {
        submission: Submission {
            digest: evaluation.submission.digest.clone(),
        },
        scoring_logs: evaluation
            .scoring_logs
            .iter()
            .map(|log| ScoringLog {
                task: log.task.clone(),
                solution: log.solution.clone(),
                score: log.score,
                baseline_score: log.baseline_score,
                error: log.error.clone(),
            })
            .collect(),
    }
}

fn benches(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(&SandboxConfig::new(directory.path().join("compiled"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (plugin, _) = PluginComponent::load(&sandbox, &digits()).unwrap();
    let (limits, grants) = (Limits::default(), Grants::default());
    let bare = bare::Bare::new();

    let mut group = criterion.benchmark_group("call");
    group.bench_function("sandbox", |b| {
        b.iter(|| {
            runtime
                .block_on(plugin.describe(&sandbox, &limits))
                .result
                .unwrap()
                .name
        });
    });
    group.bench_function("bare", |b| b.iter(|| bare.describe()));
    group.bench_function("native", |b| {
        b.iter(|| Harness::<Digits>::new().describe().name)
    });
    group.finish();

    let (native_candidate, native_references) = native_evaluations();
    let candidate = to_host(&native_candidate);
    let references: Vec<Evaluation> = native_references.iter().map(to_host).collect();
    let call = PluginCall {
        context: CallContext {
            settings: "{}".into(),
            seed: 1,
            now: 0.0,
        },
        limits: &limits,
        grants: &grants,
        submitted: None,
        journal: None,
        tape: None,
    };
    let mut group = criterion.benchmark_group("compare_100");
    group.sample_size(20);
    group.bench_function("sandbox", |b| {
        b.iter(|| {
            let compared =
                plugin.compare(&sandbox, call.clone(), &candidate, black_box(&references));
            runtime.block_on(compared).result.unwrap().len()
        });
    });
    group.bench_function("bare", |b| {
        b.iter(|| bare.compare(&candidate, black_box(&references)))
    });
    group.bench_function("native", |b| {
        let harness = Harness::<Digits>::new();
        b.iter(|| {
            harness
                .compare(&native_candidate, black_box(&native_references))
                .unwrap()
                .len()
        });
    });
    group.finish();
}

criterion_group!(sandbox, benches);
criterion_main!(sandbox);
