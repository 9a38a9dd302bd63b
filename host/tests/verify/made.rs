//! A day of the digits challenge, recorded once.

use crate::day::{Call, Day};
use proctor_host::canonical::digest;
use proctor_host::receipts::documents::{
    CompareInput, CompareOutput, Document, EvaluateInput, EvaluateOutput, Evaluated,
    GetWeightsInput, GetWeightsOutput, JudgeInput, JudgeOutput,
};
use proctor_host::receipts::{Kind, VectorInput, compute};
use proctor_host::sandbox::types::{
    self, Commit, Comparison, Evaluation, Miner, ScoringLog, Standing, Submission,
};
use proctor_host::sandbox::{
    CallContext, Grants, Limits, PluginCall, PluginComponent, Sandbox, SandboxConfig,
    SolverComponent, Submitted, Tape, sha256_hex,
};
use proctor_host::weights::Unassigned;
use proctor_host::weights::{self, ChallengeWeights, NoMiner, Policy, Reported, SameMiner};
use proctor_testing::guest_bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Compiled components, of all tests.
pub(crate) static CACHE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

static DAY: LazyLock<Day> = LazyLock::new(|| Runtime::new().unwrap().block_on(record()));

/// The day.
pub(crate) fn day() -> Day {
    DAY.clone()
}

pub(crate) fn sandbox(cache: &Path) -> Sandbox {
    let config = SandboxConfig {
        max_concurrent_calls: 1,
        pooling: false,
        ..SandboxConfig::new(cache)
    };
    Sandbox::new(&config).unwrap()
}

/// When the day is judged.
pub(crate) const NOW: f64 = 1_787_356_800.0;

/// Makes receipts of calls that are really made.
pub(crate) struct Recorder {
    pub(crate) day: Day,
    pub(crate) sandbox: Sandbox,
    component: Vec<u8>,
    plugin: PluginComponent,
    pub(crate) context: CallContext,
}

/// What an evaluation came to.
pub(crate) struct Done {
    pub(crate) receipt: String,
    artifact: Vec<u8>,
    logs: Vec<ScoringLog>,
    output: String,
}

impl Done {
    fn evaluated(&self) -> Evaluated {
        Evaluated {
            result: digest(&self.output),
            submission: sha256_hex(&self.artifact),
        }
    }

    fn evaluation(&self) -> Evaluation {
        Evaluation {
            submission: self.submission(),
            scoring_logs: self.logs.clone(),
        }
    }

    fn submission(&self) -> Submission {
        Submission {
            digest: sha256_hex(&self.artifact),
        }
    }

    pub(crate) fn commit(&self, uid: u16) -> Commit {
        Commit {
            miner: Miner {
                uid,
                hotkey: format!("hotkey-{uid}"),
                coldkey: None,
                axon_ip: None,
            },
            committed_at: 1_787_300_000.0 + f64::from(uid),
            submission: self.submission(),
        }
    }
}

impl Recorder {
    pub(crate) fn new(challenge: &str, settings: &str) -> Self {
        let sandbox = sandbox(CACHE.path());
        let component = guest_bytes(challenge);
        let (plugin, _) = PluginComponent::load(&sandbox, &component).unwrap();
        Recorder {
            day: Day::new(),
            sandbox,
            component,
            plugin,
            context: CallContext {
                settings: settings.into(),
                seed: u64::MAX,
                now: NOW,
            },
        }
    }

    fn receipt(&mut self, call: Call<'_>) -> String {
        let call = Call {
            component: &self.component,
            engine: self.sandbox.identity(),
            context: &self.context,
            ..call
        };
        self.day.call(call)
    }

    pub(crate) async fn evaluate(&mut self, artifact: &str, solver_fuel: Option<u64>) -> Done {
        let artifact = guest_bytes(artifact);
        let mut solver_limits = Limits::solver();
        solver_limits.fuel = solver_fuel.unwrap_or(solver_limits.fuel);
        let limits = Limits::default();
        let solver = SolverComponent::load(&self.sandbox, &artifact);
        let submitted = Submitted {
            solver: solver.map(|(solver, _)| solver.into()),
            limits: solver_limits,
        };
        let (grants, tape) = (Grants::default(), Tape::record(16 << 20));
        let call = PluginCall {
            submitted: Some(Arc::new(submitted)),
            tape: Some(tape.clone()),
            ..PluginCall::new(self.context.clone(), &limits, &grants)
        };
        let submission = Submission {
            digest: sha256_hex(&artifact),
        };
        let evaluated = self.plugin.evaluate(&self.sandbox, call, &submission, &[]);
        let (called, _) = evaluated.await;
        let outcome = called.outcome();
        let logs = called.result.unwrap_or_default();
        let output = EvaluateOutput::new(outcome.code(), &logs).text().unwrap();
        let receipt = self.receipt(Call {
            kind: Kind::Evaluate,
            artifact: Some((&artifact, solver_limits)),
            input: EvaluateInput::new(&submission.digest, &[]).text().unwrap(),
            output: output.clone(),
            outcome,
            fuel: called.report.fuel,
            calls: tape.take_recorded().unwrap(),
            ..nothing(limits)
        });
        Done {
            receipt,
            artifact,
            logs,
            output,
        }
    }

    pub(crate) async fn compare(
        &mut self,
        candidate: &Done,
        reference: &Done,
    ) -> (String, Vec<types::ComparisonLog>) {
        let (limits, grants, tape) = (Limits::default(), Grants::default(), Tape::record(1 << 20));
        let solver = SolverComponent::load(&self.sandbox, &candidate.artifact);
        let submitted = Submitted {
            solver: solver.map(|(solver, _)| solver.into()),
            limits: Limits::solver(),
        };
        let call = PluginCall {
            submitted: Some(Arc::new(submitted)),
            tape: Some(tape.clone()),
            ..PluginCall::new(self.context.clone(), &limits, &grants)
        };
        let of = [reference.evaluation()];
        let called = self
            .plugin
            .compare(&self.sandbox, call, &candidate.evaluation(), &of)
            .await;
        let outcome = called.outcome();
        let logs = called.result.unwrap();
        let input = CompareInput::new(candidate.evaluated(), vec![reference.evaluated()]);
        let receipt = self.receipt(Call {
            kind: Kind::Compare,
            artifact: Some((&candidate.artifact, Limits::solver())),
            input: input.text().unwrap(),
            output: CompareOutput::new(outcome.code(), &logs).text().unwrap(),
            outcome,
            fuel: called.report.fuel,
            calls: tape.take_recorded().unwrap(),
            depends_on: vec![candidate.receipt.clone(), reference.receipt.clone()],
            ..nothing(limits)
        });
        (receipt, logs)
    }

    /// Returns the receipt and the score.
    pub(crate) async fn judge(
        &mut self,
        done: &Done,
        uid: u16,
        comparisons: Vec<Comparison>,
        depends_on: Vec<String>,
    ) -> (String, f64) {
        let (limits, grants, tape) = (Limits::default(), Grants::default(), Tape::record(1 << 20));
        let call = PluginCall {
            tape: Some(tape.clone()),
            ..PluginCall::new(self.context.clone(), &limits, &grants)
        };
        let evaluated = types::Evaluated {
            commit: done.commit(uid),
            scoring_logs: done.logs.clone(),
            comparisons,
        };
        let called = self.plugin.judge(&self.sandbox, call, &evaluated).await;
        let outcome = called.outcome();
        let verdict = called.result.as_ref().ok();
        let input = JudgeInput::new(
            &evaluated.commit,
            &digest(&done.output),
            &evaluated.comparisons,
        );
        let receipt = self.receipt(Call {
            kind: Kind::Judge,
            input: input.text().unwrap(),
            output: JudgeOutput::new(outcome.code(), verdict).text().unwrap(),
            outcome,
            fuel: called.report.fuel,
            calls: tape.take_recorded().unwrap(),
            depends_on: [vec![done.receipt.clone()], depends_on].concat(),
            ..nothing(limits)
        });
        (receipt, verdict.map_or(0.0, |verdict| verdict.score))
    }

    /// Returns the receipt and the weights.
    pub(crate) async fn get_weights(
        &mut self,
        standings: Vec<Standing>,
        depends_on: Vec<String>,
    ) -> (String, BTreeMap<String, f64>) {
        let (limits, grants, tape) = (Limits::default(), Grants::default(), Tape::record(1 << 20));
        let context = CallContext {
            seed: 0,
            ..self.context.clone()
        };
        let call = PluginCall {
            tape: Some(tape.clone()),
            ..PluginCall::new(context.clone(), &limits, &grants)
        };
        let called = self
            .plugin
            .get_weights(&self.sandbox, call, &standings)
            .await;
        let outcome = called.outcome();
        let weights = called.result.unwrap();
        let before = std::mem::replace(&mut self.context, context);
        let receipt = self.receipt(Call {
            kind: Kind::GetWeights,
            input: GetWeightsInput::new(&standings).text().unwrap(),
            output: GetWeightsOutput::new(outcome.code(), &weights)
                .text()
                .unwrap(),
            outcome,
            fuel: called.report.fuel,
            calls: tape.take_recorded().unwrap(),
            depends_on,
            ..nothing(limits)
        });
        self.context = before;
        (
            receipt,
            weights.into_iter().map(|w| (w.hotkey, w.weight)).collect(),
        )
    }

    pub(crate) fn vector(&mut self, receipt: String, told: BTreeMap<String, f64>) {
        let miners = told.keys().map(|hotkey| {
            let miner = weights::Miner {
                uid: hotkey.strip_prefix("hotkey-").unwrap().parse().unwrap(),
                axon_ip: None,
                coldkey: String::new(),
            };
            (hotkey.clone(), miner)
        });
        let miners = miners.collect();
        let challenge = ChallengeWeights {
            emission_percent: 100.0,
            reported: Reported::Weights(told),
            repository_owners: BTreeMap::new(),
        };
        let policy = Policy {
            unassigned: Unassigned::default(),
            same_miner: SameMiner::default(),
            no_miner: NoMiner::default(),
            limits: weights::Limits::default(),
        };
        let challenges = BTreeMap::from([("digits".to_owned(), challenge)]);
        let source = |_: &str| (Some(receipt.clone()), 0.0);
        let input = VectorInput::new("2026-08-22", &challenges, source, &miners, policy, None);
        let output = compute(&input).unwrap().text().unwrap();
        let input = input.text().unwrap();
        self.day
            .rule(Kind::Vector, input, output, vec![receipt.clone()]);
    }
}

/// Of a verdict of the day.
pub(crate) fn standing(commit: Commit, score: f64) -> Standing {
    Standing {
        commit,
        score,
        scored_at: NOW,
    }
}

/// A call of which nothing is known yet.
fn nothing(limits: Limits) -> Call<'static> {
    static NO_CONTEXT: LazyLock<CallContext> = LazyLock::new(|| CallContext {
        settings: "{}".into(),
        seed: 0,
        now: 0.0,
    });
    Call {
        kind: Kind::Evaluate,
        component: &[],
        engine: "",
        context: &NO_CONTEXT,
        limits,
        artifact: None,
        input: String::new(),
        output: String::new(),
        outcome: proctor_host::sandbox::Outcome::Ok,
        fuel: 0,
        calls: Vec::new(),
        depends_on: Vec::new(),
    }
}

/// Fuel with which no solver of digits gets through a task.
const STARVED: u64 = 10_000;

async fn record() -> Day {
    let settings = r#"{"tasks": 2, "batch_size": 10, "min_score": 0.2}"#;
    let mut recorder = Recorder::new("digits", settings);
    let knn = recorder.evaluate("knn", None).await;
    let starved = recorder.evaluate("first_example", Some(STARVED)).await;
    let linear = recorder.evaluate("linear", None).await;
    let (first, first_score) = recorder.judge(&knn, 1, Vec::new(), Vec::new()).await;
    recorder.judge(&starved, 2, Vec::new(), Vec::new()).await;
    let (compared, logs) = recorder.compare(&linear, &knn).await;
    let comparison = Comparison {
        reference: knn.commit(1),
        reference_score: Some(first_score),
        logs,
    };
    let depends_on = vec![compared, first.clone()];
    let (second, second_score) = recorder
        .judge(&linear, 3, vec![comparison], depends_on)
        .await;
    let standings = vec![
        standing(knn.commit(1), first_score),
        standing(linear.commit(3), second_score),
    ];
    let (paid, told) = recorder.get_weights(standings, vec![first, second]).await;
    recorder.vector(paid, told);
    recorder.day
}
