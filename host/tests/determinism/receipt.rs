//! An evaluation, and the receipt of it, made as the pipeline makes it: `pipeline.rs`
//! compares the two. Used by the benchmark of receipts as well, which a release build
//! runs.

use proctor_host::canonical::{Bits, digest};
use proctor_host::receipts::documents::{
    Document, Environment, EvaluateInput, EvaluateOutput, LimitsDocument,
};
use proctor_host::receipts::transcript::Transcript;
use proctor_host::receipts::{Kind, Receipt};
use proctor_host::sandbox::types::Submission;
use proctor_host::sandbox::{
    CallContext, Called, Grants, HostCall, Limits, Outcome, PluginCall, PluginComponent,
    PluginError, Sandbox, Solver, Submitted, Tape,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// An evaluation, all but what runs it.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    /// Name of the challenge.
    pub(crate) challenge: &'static str,
    /// Digest of the submission.
    pub(crate) artifact: String,
    pub(crate) settings: String,
    pub(crate) seed: u64,
    pub(crate) now: f64,
    pub(crate) limits: Limits,
    pub(crate) solver_limits: Limits,
    pub(crate) grants: Grants,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// Id of the receipt.
    pub(crate) id: String,
    pub(crate) receipt: Receipt,
    /// The document that came out.
    pub(crate) output: String,
    /// What the host answered.
    pub(crate) calls: Vec<HostCall>,
    /// Receipts of the submission's runs, in their order.
    pub(crate) solves: Vec<Receipt>,
    pub(crate) error: Option<String>,
    /// What no receipt tells, but what must be the same nevertheless: bytes of memory,
    /// calls of the host, and the log.
    pub(crate) beside: (usize, u64, String),
}

impl Evaluation {
    /// Does it, and records what the host answers.
    pub(crate) async fn run(
        &self,
        sandbox: &Sandbox,
        plugin: &PluginComponent,
        solver: &Result<Solver, PluginError>,
    ) -> Done {
        let tape = Tape::record(64 << 20);
        self.run_with(sandbox, plugin, solver, &tape).await
    }

    /// Does it from what the host answered once, and with nothing else.
    pub(crate) async fn replay(
        &self,
        sandbox: &Sandbox,
        plugin: &PluginComponent,
        of: &Done,
    ) -> Done {
        let bare = Evaluation {
            grants: Grants {
                environment: Arc::clone(&self.grants.environment),
                ..Grants::default()
            },
            ..self.clone()
        };
        let tape = Tape::replay(of.calls.clone());
        let nothing = Err(PluginError::new(Outcome::HostError, "not here"));
        let done = bare.run_with(sandbox, plugin, &nothing, &tape).await;
        assert_eq!(tape.divergence(), None);
        // A tape that is played is not recorded: the receipt with the same transcript.
        let called = (
            done.output,
            done.error,
            done.receipt.outcome,
            done.receipt.fuel,
        );
        let (output, error, outcome, fuel) = called;
        let receipt = Receipt {
            outcome,
            fuel,
            output: digest(&output),
            ..of.receipt.clone()
        };
        Done {
            id: digest(receipt.text().unwrap()),
            receipt,
            output,
            error,
            beside: done.beside,
            ..of.clone()
        }
    }

    async fn run_with(
        &self,
        sandbox: &Sandbox,
        plugin: &PluginComponent,
        solver: &Result<Solver, PluginError>,
        tape: &Tape,
    ) -> Done {
        let context = CallContext {
            settings: self.settings.as_str().into(),
            seed: self.seed,
            now: self.now,
        };
        let submitted = Submitted {
            solver: solver.clone(),
            limits: self.solver_limits,
        };
        let call = PluginCall {
            submitted: Some(Arc::new(submitted)),
            tape: Some(tape.clone()),
            ..PluginCall::new(context, &self.limits, &self.grants)
        };
        let submission = Submission {
            digest: self.artifact.clone(),
        };
        let (called, _) = plugin.evaluate(sandbox, call, &submission, &[]).await;
        let calls = tape.take_recorded().unwrap_or_default();
        let logs = called.result.as_deref().unwrap_or_default();
        let output = EvaluateOutput::new(called.outcome().code(), logs)
            .text()
            .unwrap();
        let solves = self.solves(sandbox, &calls);
        let receipt = self.receipt(sandbox, plugin, &called, &output, &calls, &solves);
        Done {
            id: digest(receipt.text().unwrap()),
            receipt,
            output,
            calls,
            solves: solves.into_iter().flatten().collect(),
            beside: (
                called.report.memory_bytes,
                called.report.host_calls,
                called.report.log,
            ),
            error: called.result.err().map(|error| error.to_string()),
        }
    }

    /// The digest of the environment. A host puts a secret of its own into that of one
    /// which is not empty.
    fn environment(&self) -> String {
        let variables = self.grants.environment.iter().cloned();
        digest(Environment::new(variables).text().unwrap())
    }

    /// The receipts of the submission's runs, by the number of the host call.
    fn solves(&self, sandbox: &Sandbox, calls: &[HostCall]) -> Vec<Option<Receipt>> {
        let limits = LimitsDocument::new(self.solver_limits, None);
        let receipt = |call: &HostCall| {
            let run = call.solve.filter(|run| !run.outcome.is_transient())?;
            let (input, output) = (digest(&call.request), digest(&call.response));
            Some(Receipt {
                component: Some(self.artifact.clone()),
                engine: sandbox.identity().to_owned(),
                environment: Some(digest(Environment::new([]).text().unwrap())),
                fuel: run.fuel,
                limits: Some(digest(limits.text().unwrap())),
                logical_time: Bits(self.now),
                outcome: run.outcome.code().to_owned(),
                seed: self.seed.to_string(),
                ..Receipt::of_rule(Kind::Solve, None, input, output)
            })
        };
        calls.iter().map(receipt).collect()
    }

    fn receipt<T>(
        &self,
        sandbox: &Sandbox,
        plugin: &PluginComponent,
        called: &Called<T>,
        output: &str,
        calls: &[HostCall],
        solves: &[Option<Receipt>],
    ) -> Receipt {
        let id = |receipt: &Receipt| digest(receipt.text().unwrap());
        let ids: Vec<_> = solves.iter().map(|solve| solve.as_ref().map(id)).collect();
        let mut of_calls: VecDeque<_> = ids.iter().cloned().collect();
        let solve = |_: &HostCall| of_calls.pop_front().flatten();
        let transcript = Transcript::new(calls, solve, &mut BTreeMap::new());
        let input = EvaluateInput::new(&self.artifact, &[]).text().unwrap();
        let limits = LimitsDocument::new(self.limits, Some(self.solver_limits));
        let receipt = Receipt {
            challenge: Some(self.challenge.to_owned()),
            component: Some(plugin.digest().to_owned()),
            engine: sandbox.identity().to_owned(),
            environment: Some(self.environment()),
            fuel: called.report.fuel,
            limits: Some(digest(limits.text().unwrap())),
            logical_time: Bits(self.now),
            outcome: called.outcome().code().to_owned(),
            seed: self.seed.to_string(),
            settings: Some(digest(&self.settings)),
            transcript: Some(digest(transcript.text().unwrap())),
            ..Receipt::of_rule(Kind::Evaluate, None, digest(input), digest(output))
        };
        receipt.depending_on(ids.into_iter().flatten())
    }
}
