//! What another version of a challenge would have scored in recorded evaluations.

use super::BundleFile;
use super::documents::{Documents, MAX_HELD_BYTES, Room};
use super::execute::{MAX_CALL, context, patient};
use super::report::Trouble;
use crate::receipts::documents::{EvaluateInput, EvaluateOutput, LimitsDocument};
use crate::receipts::transcript::Transcript;
use crate::receipts::{Kind, Receipt};
use crate::sandbox::types::Submission;
use crate::sandbox::{
    Grants, Limits, Outcome, PluginCall, PluginComponent, PluginError, Sandbox, SolverComponent,
    Submitted, Tape,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// An evaluation, as it was and as it would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The receipt of the evaluation.
    pub receipt: String,
    /// The challenge that it was of.
    pub challenge: Option<String>,
    /// Digest of the artifact; none if the input is not there.
    pub submission: Option<String>,
    /// Why it cannot be replayed; none if it was.
    pub skipped: Option<String>,
    /// What it was; none if the output is not there.
    pub before: Option<Evaluated>,
    /// What it would be; none if it cannot be replayed.
    pub after: Option<Evaluated>,
    /// Tasks that were not recorded, for which the artifact was run.
    pub solved_anew: usize,
    /// What it asked of the host that was not recorded: name of the call → how often.
    /// Without a database or files here, those are refused.
    pub unrecorded: BTreeMap<String, usize>,
}

/// What an evaluation came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluated {
    /// The outcome's code.
    pub outcome: String,
    /// Why there are no scores, for people.
    pub message: Option<String>,
    /// Of each task, in order.
    pub scores: Vec<f64>,
    /// Fuel that the challenge used.
    pub fuel: u64,
}

impl Evaluated {
    /// The mean of the scores; none if there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.scores.len();
        (count > 0).then(|| self.scores.iter().sum::<f64>() / count as f64)
    }
}

/// Replays the evaluations of a bundle, or the one whose receipt is `only`, with another
/// component: with the recorded settings, seed, time and limits, and with the answers of
/// the host that were recorded. For tasks that were not recorded the artifact is run, of
/// the bundle or of `artifacts`, a directory of files that are named by digest or `*.wasm`.
///
/// # Errors
///
/// The directory cannot be read.
pub async fn replay(
    bundle: BundleFile,
    artifacts: Option<&Path>,
    only: Option<&str>,
    sandbox: &Sandbox,
    component: &Arc<PluginComponent>,
    max_memory_bytes: usize,
) -> io::Result<Vec<Replayed>> {
    let documents = Documents::open(bundle, artifacts)?;
    let mut replayed = Vec::new();
    let all = documents
        .bundle
        .receipts()
        .iter()
        .chain(documents.bundle.linked());
    for signed in all {
        let receipt = &signed.receipt;
        let is_wanted = only.is_none_or(|only| only == signed.id);
        if receipt.kind != Kind::Evaluate || !is_wanted {
            continue;
        }
        let mut result = Replayed {
            receipt: signed.id.clone(),
            challenge: receipt.challenge.clone(),
            submission: None,
            skipped: None,
            before: before(&documents, receipt).ok(),
            after: None,
            solved_anew: 0,
            unrecorded: BTreeMap::new(),
        };
        let again = one(
            &documents,
            receipt,
            sandbox,
            component,
            max_memory_bytes,
            &mut result,
        );
        result.skipped = again.await.err().map(|trouble| trouble.what);
        replayed.push(result);
    }
    Ok(replayed)
}

fn before(documents: &Documents, receipt: &Receipt) -> Result<Evaluated, Trouble> {
    let output: EvaluateOutput = documents.document("output", &receipt.output)?;
    Ok(Evaluated {
        outcome: output.outcome,
        message: None,
        scores: output.logs.iter().map(|log| log.score.0).collect(),
        fuel: receipt.fuel,
    })
}

async fn one(
    documents: &Documents,
    receipt: &Receipt,
    sandbox: &Sandbox,
    component: &PluginComponent,
    max_memory_bytes: usize,
    result: &mut Replayed,
) -> Result<(), Trouble> {
    let input: EvaluateInput = documents.document("input", &receipt.input)?;
    result.submission = Some(input.submission.clone());
    let lacks = |what: &str| Trouble::differs(format!("the receipt has no {what}"));
    let of = |what, digest: &Option<String>| digest.clone().ok_or_else(|| lacks(what));
    let settings = documents.text("settings", &of("settings", &receipt.settings)?)?;
    let limits: LimitsDocument = documents.document("limits", &of("limits", &receipt.limits)?)?;
    let transcript = of("transcript", &receipt.transcript)?;
    let transcript: Transcript = documents.document("transcript", &transcript)?;
    let mut room = Room::of(MAX_HELD_BYTES);
    let text = |d: &str| documents.bytes_in(&mut room, "text of the transcript", d);
    let calls = transcript.host_calls(text)?;
    let solver_limits = limits.solver.unwrap_or_else(Limits::solver);
    let limits = patient(limits.call, max_memory_bytes, MAX_CALL)?;
    let solver = match documents.bytes("artifact", &input.submission) {
        Ok(bytes) => {
            let sandbox = sandbox.clone();
            let load = move || SolverComponent::load(&sandbox, &bytes);
            let loaded = tokio::task::spawn_blocking(load).await;
            let loaded = loaded.map_err(|e| Trouble::differs(e.to_string()))?;
            loaded.map(|(solver, _)| solver.into())
        }
        Err(trouble) => Err(PluginError::new(Outcome::Unavailable, trouble.what)),
    };
    let submitted = Submitted {
        solver,
        limits: patient(solver_limits, max_memory_bytes, MAX_CALL)?,
    };
    let (grants, tape) = (Grants::default(), Tape::lenient(calls));
    let call = PluginCall {
        submitted: Some(Arc::new(submitted)),
        tape: Some(tape.clone()),
        ..PluginCall::new(context(receipt, settings.into())?, &limits, &grants)
    };
    let submission = Submission {
        digest: input.submission,
    };
    let evaluated = component.evaluate(sandbox, call, &submission, &input.seed_tasks);
    let (called, solves) = evaluated.await;
    let outcome = called.outcome().code().to_owned();
    let (scores, message) = match called.result {
        Ok(logs) => (logs.iter().map(|log| log.score).collect(), None),
        Err(error) => (Vec::new(), Some(error.message)),
    };
    result.solved_anew = solves.len();
    for name in tape.unrecorded() {
        *result.unrecorded.entry(name).or_default() += 1;
    }
    result.after = Some(Evaluated {
        outcome,
        message,
        scores,
        fuel: called.report.fuel,
    });
    Ok(())
}
