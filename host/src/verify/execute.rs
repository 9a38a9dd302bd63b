//! Computing a receipt again.

use super::components::Components;
use super::day::Day;
use super::differs::difference;
use super::documents::Room;
use super::links::{Linked, is_same};
use super::report::{Trouble, Why};
use crate::canonical::digest;
use crate::receipts::documents::{
    CompareInput, CompareOutput, Document, EvaluateInput, EvaluateOutput, Evaluated,
    GetWeightsInput, GetWeightsOutput, JudgeInput, JudgeOutput, LimitsDocument,
};
use crate::receipts::transcript::Transcript;
use crate::receipts::{Kind, RULES, Receipt, VectorInput, compute};
use crate::sandbox::types::{Evaluation, Submission};
use crate::sandbox::{
    Blame, CallContext, Called, Capability, Grants, Limits, Outcome, PluginCall, PluginComponent,
    PluginError, Sandbox, Submitted, Tape, solve_again,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most time that a call has here, unless told otherwise.
pub(super) const MAX_CALL: Duration = Duration::from_secs(3_600);
/// The least time that a call has here, in milliseconds, unless that is more than the most.
const MIN_WALL_MS: u64 = 600_000;

/// What the steps have in common.
pub(super) struct Executor {
    pub(super) sandbox: Sandbox,
    /// What it is.
    pub(super) engine: String,
    pub(super) day: Arc<Day>,
    pub(super) linked: Linked,
    pub(super) components: Components,
    /// The most memory that a call gets, in bytes.
    pub(super) max_memory_bytes: usize,
    /// The most time that a call gets.
    pub(super) max_call: Duration,
    /// Bytes of what is named by digest that a receipt gets.
    pub(super) max_held_bytes: u64,
    /// Whose fault it was where a call of a challenge did not come to a result.
    pub(super) blames: Mutex<BTreeMap<String, Blame>>,
    /// Why what failed at the host was not computed again.
    pub(super) unknown: Mutex<BTreeMap<String, Why>>,
}

/// What a call came to here.
struct Redone {
    outcome: Outcome,
    fuel: u64,
    output: String,
    /// Whether it had all the time that a call gets here.
    is_cut: bool,
}

/// How a call of a challenge is made again.
struct Replay {
    context: CallContext,
    limits: Limits,
    solver_limits: Limits,
    tape: Tape,
    room: Room,
}

impl Executor {
    /// Computes a receipt again.
    pub(super) async fn execute(&self, id: &str) -> Result<(), Trouble> {
        let Some(receipt) = self.day.get(id) else {
            return Err(Trouble::not_checkable(
                Why::Missing,
                "it is not in the bundle",
            ));
        };
        let executed = self.execute_receipt(id, receipt).await;
        if let Err(Trouble { why: Some(why), .. }) = &executed
            && receipt.outcome() != Outcome::Ok
        {
            let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.insert(id.to_owned(), *why);
        }
        executed
    }

    async fn execute_receipt(&self, id: &str, receipt: &Receipt) -> Result<(), Trouble> {
        self.check_engine(receipt)?;
        if receipt.outcome().is_transient() {
            let what = format!("it came to {}, which time decides", receipt.outcome);
            return Err(Trouble::not_checkable(Why::Time, what));
        }
        let redone = match (receipt.kind, &receipt.component) {
            (Kind::Vector, None) => self.vector(receipt)?,
            (Kind::Judge, None) => self.judge_by_rule(receipt)?,
            (Kind::Solve, Some(artifact)) => self.solve(receipt, artifact).await?,
            (Kind::Vector, Some(_)) | (_, None) => {
                return Err(Trouble::differs("nothing of its kind has this component"));
            }
            (_, Some(component)) => self.call(id, receipt, component).await?,
        };
        self.compare_with(receipt, &redone)
    }

    fn check_engine(&self, receipt: &Receipt) -> Result<(), Trouble> {
        let by_rule = receipt.kind == Kind::Vector || receipt.component.is_none();
        let here = if by_rule { RULES } else { &self.engine };
        if receipt.engine == here {
            return Ok(());
        }
        let mut what = format!(
            "computed by {}, and this verifier is {here}",
            receipt.engine
        );
        match identity(&receipt.engine).zip(identity(here)) {
            Some((of, is)) if of.wasmtime != is.wasmtime => {
                what.push_str(&format!(
                    ": a release of proctor with wasmtime {} is needed",
                    of.wasmtime
                ));
            }
            Some((of, is)) if of.architecture != is.architecture => {
                what.push_str(&format!(": a machine with {} is needed", of.architecture));
            }
            _ => what.push_str(": another release of proctor is needed"),
        }
        Err(Trouble::not_checkable(Why::Engine, what))
    }

    fn compare_with(&self, receipt: &Receipt, redone: &Redone) -> Result<(), Trouble> {
        if redone.outcome == Outcome::Timeout && redone.is_cut {
            let most = self.max_call.as_secs_f64();
            let what = format!("it takes more than {most} s, which is all that a call gets here");
            return Err(Trouble::not_checkable(Why::Limits, what));
        }
        if redone.outcome.is_transient() {
            let what = format!(
                "it came to {} here: this machine is slow, or busy",
                redone.outcome
            );
            return Err(Trouble::not_checkable(Why::Time, what));
        }
        let overflows = |outcome| outcome == Outcome::StackOverflow;
        if overflows(redone.outcome) != overflows(receipt.outcome()) {
            let (of, is) = (&receipt.outcome, redone.outcome);
            let what = format!(
                "the outcome is {is} and not {of}: how deep a guest gets depends on the \
                 processor's features and on how the host was compiled"
            );
            return Err(Trouble::not_checkable(Why::Stack, what));
        }
        if redone.outcome != receipt.outcome() {
            let (of, is) = (&receipt.outcome, redone.outcome);
            return Err(Trouble::differs(format!(
                "the outcome is {is} and not {of}"
            )));
        }
        if digest(&redone.output) != receipt.output {
            let recorded = self.day.documents.text("output", &receipt.output);
            let found = recorded.as_ref().ok();
            let found = found.and_then(|text| difference("the output", text, &redone.output));
            let hidden = || {
                let what = "the output has another digest; where it differs cannot be told";
                Trouble::differs(what)
            };
            return Err(found.unwrap_or_else(hidden));
        }
        // Of a full stack there is no fuel, whoever says how much.
        if redone.fuel != receipt.fuel && redone.outcome != Outcome::StackOverflow {
            let (of, is) = (receipt.fuel, redone.fuel);
            return Err(Trouble::differs(format!("the fuel is {is} and not {of}")));
        }
        Ok(())
    }

    /// The limits of a call, but for its time: only what does not depend on it is compared.
    fn limits(&self, receipt: &Receipt) -> Result<(Limits, Limits), Trouble> {
        let Some(named) = &receipt.limits else {
            return Err(Trouble::differs("a call without limits"));
        };
        let limits: LimitsDocument = self.day.documents.document("limits", named)?;
        let solver = limits.solver.unwrap_or_else(Limits::solver);
        let patient = |limits| patient(limits, self.max_memory_bytes, self.max_call);
        Ok((patient(limits.call)?, patient(solver)?))
    }

    fn check_environment(&self, receipt: &Receipt) -> Result<(), Trouble> {
        if self.day.documents.is_empty(receipt.environment.as_deref()) {
            return Ok(());
        }
        let what = "the call had an environment, which is never given out";
        Err(Trouble::not_checkable(Why::Environment, what))
    }

    async fn solve(&self, receipt: &Receipt, artifact: &str) -> Result<Redone, Trouble> {
        self.check_environment(receipt)?;
        let (limits, _) = self.limits(receipt)?;
        let task = self.day.documents.text("task", &receipt.input)?;
        let solver = self.components.solver(artifact).await;
        let solver = solver.as_ref().as_ref().map_err(Clone::clone)?;
        let context = context(receipt, "{}".into())?;
        let answer = solve_again(&self.sandbox, solver, &context, &limits, &task).await;
        let (output, record) = answer.map_err(|e| Trouble::differs(e.to_string()))?;
        Ok(Redone {
            outcome: record.outcome,
            fuel: record.fuel,
            output,
            is_cut: self.is_cut(&limits),
        })
    }

    /// Whether a call with these limits has all the time that there is.
    fn is_cut(&self, limits: &Limits) -> bool {
        limits.wall() >= self.max_call
    }

    fn replay(&self, receipt: &Receipt) -> Result<Replay, Trouble> {
        self.check_environment(receipt)?;
        let documents = &self.day.documents;
        let Some(settings) = &receipt.settings else {
            return Err(Trouble::differs("a call of a challenge without settings"));
        };
        let settings = documents.text("settings", settings)?;
        let Some(transcript) = &receipt.transcript else {
            let what = "the host answered with more than it keeps: there is no transcript";
            return Err(Trouble::not_checkable(Why::Missing, what));
        };
        let transcript: Transcript = documents.document("transcript", transcript)?;
        let mut room = Room::of(self.max_held_bytes);
        let text = |d: &str| documents.bytes_in(&mut room, "text of the transcript", d);
        let calls = transcript.host_calls(text)?;
        let (limits, solver_limits) = self.limits(receipt)?;
        Ok(Replay {
            context: context(receipt, settings.into())?,
            limits,
            solver_limits,
            tape: Tape::replay(calls),
            room,
        })
    }

    async fn call(&self, id: &str, receipt: &Receipt, component: &str) -> Result<Redone, Trouble> {
        let plugin = self.components.plugin(component).await;
        let plugin = plugin.as_ref().as_ref().map_err(Clone::clone)?;
        let mut replay = self.replay(receipt)?;
        let grants = Grants::default();
        // Its runs are answered from the transcript, and verified as receipts of their own.
        let submitted = Submitted {
            solver: Err(PluginError::new(Outcome::HostError, "not run again")),
            limits: replay.solver_limits,
        };
        let runs = matches!(receipt.kind, Kind::Evaluate | Kind::Compare);
        let call = PluginCall {
            submitted: runs.then(|| Arc::new(submitted)),
            tape: Some(replay.tape.clone()),
            ..PluginCall::new(replay.context.clone(), &replay.limits, &grants)
        };
        let mut redone = match receipt.kind {
            Kind::Evaluate => self.evaluate(id, receipt, plugin, call).await?,
            Kind::Compare => {
                let room = &mut replay.room;
                self.compare(id, receipt, plugin, call, room).await?
            }
            Kind::Judge => self.judge(id, receipt, plugin, call).await?,
            _ => self.get_weights(receipt, plugin, call).await?,
        };
        redone.is_cut = self.is_cut(&replay.limits);
        let by_depth = [redone.outcome, receipt.outcome()].contains(&Outcome::StackOverflow);
        match replay.tape.divergence() {
            Some(divergence) if !redone.outcome.is_transient() && !by_depth => Err(Trouble {
                byte: divergence.byte().and_then(|byte| u64::try_from(byte).ok()),
                ..Trouble::differs(format!(
                    "another course than in the transcript: {divergence}"
                ))
            }),
            _ => Ok(redone),
        }
    }

    async fn evaluate(
        &self,
        id: &str,
        receipt: &Receipt,
        plugin: &PluginComponent,
        call: PluginCall<'_>,
    ) -> Result<Redone, Trouble> {
        let input: EvaluateInput = self.day.documents.document("input", &receipt.input)?;
        let submission = Submission {
            digest: input.submission,
        };
        let evaluated = plugin.evaluate(&self.sandbox, call, &submission, &input.seed_tasks);
        let (called, _) = evaluated.await;
        self.note(id, &called);
        redone(&called, |outcome, logs| {
            EvaluateOutput::new(outcome, or_empty(logs)).text()
        })
    }

    async fn compare(
        &self,
        id: &str,
        receipt: &Receipt,
        plugin: &PluginComponent,
        call: PluginCall<'_>,
        room: &mut Room,
    ) -> Result<Redone, Trouble> {
        let documents = &self.day.documents;
        let input: CompareInput = documents.document("input", &receipt.input)?;
        let mut evaluation = |of: &Evaluated| {
            let result: EvaluateOutput = documents.document_in(room, "result", &of.result)?;
            Ok(Evaluation {
                submission: Submission {
                    digest: of.submission.clone(),
                },
                scoring_logs: result.scoring_logs(),
            })
        };
        let candidate = evaluation(&input.candidate)?;
        let references = input.references.iter().map(evaluation);
        let references: Vec<Evaluation> = references.collect::<Result<_, Trouble>>()?;
        let called = plugin
            .compare(&self.sandbox, call, &candidate, &references)
            .await;
        self.note(id, &called);
        redone(&called, |outcome, logs| {
            CompareOutput::new(outcome, or_empty(logs)).text()
        })
    }

    async fn judge(
        &self,
        id: &str,
        receipt: &Receipt,
        plugin: &PluginComponent,
        call: PluginCall<'_>,
    ) -> Result<Redone, Trouble> {
        let documents = &self.day.documents;
        let input: JudgeInput = documents.document("input", &receipt.input)?;
        let result: EvaluateOutput = documents.document("result", &input.result)?;
        if let Some(reference) = self.linked.uncompared.get(id)
            && plugin.capabilities().contains(&Capability::Comparison)
        {
            let what = format!("the comparison with {reference} has no receipt");
            return Err(Trouble::not_checkable(Why::NoReceipt, what));
        }
        let evaluated = input.evaluated(&result);
        let called = plugin.judge(&self.sandbox, call, &evaluated).await;
        self.note(id, &called);
        redone(&called, |outcome, verdict| {
            JudgeOutput::new(outcome, verdict).text()
        })
    }

    async fn get_weights(
        &self,
        receipt: &Receipt,
        plugin: &PluginComponent,
        call: PluginCall<'_>,
    ) -> Result<Redone, Trouble> {
        let input: GetWeightsInput = self.day.documents.document("input", &receipt.input)?;
        let called = plugin
            .get_weights(&self.sandbox, call, &input.standings())
            .await;
        redone(&called, |outcome, weights| {
            GetWeightsOutput::new(outcome, or_empty(weights)).text()
        })
    }

    /// The host's own verdict: it may be given where the submission's own fault keeps it
    /// from being judged, and is always the same.
    fn judge_by_rule(&self, receipt: &Receipt) -> Result<Redone, Trouble> {
        let documents = &self.day.documents;
        let input: JudgeInput = documents.document("input", &receipt.input)?;
        let blames = self.blames.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |kind: Kind| {
            let of = self.day.dependencies(receipt, kind);
            of.filter(|(_, of)| of.outcome() != Outcome::Ok)
        };
        let evaluations = failed(Kind::Evaluate).filter(|(_, of)| of.output == input.result);
        let mut causes: Vec<&str> = evaluations.map(|(id, _)| id).collect();
        for (id, of) in failed(Kind::Compare) {
            let of: CompareInput = documents.document("input of a comparison", &of.input)?;
            if of.candidate.submission == input.commit.submission {
                causes.push(id);
            }
        }
        for (id, of) in failed(Kind::Judge) {
            let of: JudgeInput = documents.document("input of a judgement", &of.input)?;
            if is_same(&of.commit, &input.commit) {
                causes.push(id);
            }
        }
        if causes.is_empty() {
            let what = "the host's own verdict, and no call that it depends on failed";
            return Err(Trouble::differs(what));
        }
        let is_own_fault = |id: &&str| match blames.get(*id) {
            Some(blame) => *blame == Blame::Submission,
            // Computed with its own day, where it came to this. Nothing else that a call
            // comes to is the submission's fault.
            None => {
                let of = self
                    .day
                    .get(id)
                    .filter(|_| self.linked.external.contains(*id));
                of.is_some_and(|of| of.outcome() == Outcome::GuestError)
            }
        };
        if !causes.iter().any(is_own_fault) {
            let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            let why = causes.iter().find_map(|id| Some((*id, *unknown.get(*id)?)));
            if let Some((id, why)) = why {
                let what = format!(
                    "the host's own verdict, and whose fault {id} was is not known: it could not \
                     be computed again"
                );
                return Err(Trouble::not_checkable(why, what));
            }
            let what = "the host's own verdict, and what failed was not the submission's fault";
            return Err(Trouble::differs(what));
        }
        let output = JudgeOutput::worthless().text();
        of_rule(output.map_err(|e| Trouble::differs(e.to_string()))?)
    }

    fn vector(&self, receipt: &Receipt) -> Result<Redone, Trouble> {
        let input: VectorInput = self.day.documents.document("input", &receipt.input)?;
        let output = compute(&input);
        let output = output.map_err(|e| Trouble::differs(format!("there is no vector: {e}")))?;
        let text = output.text().map_err(|e| Trouble::differs(e.to_string()))?;
        of_rule(text)
    }

    fn note<T>(&self, id: &str, called: &Called<T>) {
        if let Err(error) = &called.result {
            let mut blames = self.blames.lock().unwrap_or_else(PoisonError::into_inner);
            blames.insert(id.to_owned(), error.blame);
        }
    }
}

/// Limits with more time, because this machine may be slow, or busy; but no more than
/// `max_call`, whatever the host says.
pub(super) fn patient(
    limits: Limits,
    max_memory_bytes: usize,
    max_call: Duration,
) -> Result<Limits, Trouble> {
    if let Some((field, problem)) = limits.problems().first() {
        let what = format!("limits that no call can have: {field} {problem}");
        return Err(Trouble::differs(what));
    }
    if limits.memory_bytes > max_memory_bytes {
        let (of, most) = (limits.memory_bytes >> 20, max_memory_bytes >> 20);
        let what = format!("it may take {of} MiB, and here no more than {most} MiB");
        return Err(Trouble::not_checkable(Why::Limits, what));
    }
    let wall_ms = limits.wall_ms.saturating_mul(10);
    let most = u64::try_from(max_call.as_millis()).unwrap_or(u64::MAX);
    let wall_ms = wall_ms.max(MIN_WALL_MS).min(most.max(1));
    Ok(Limits { wall_ms, ..limits })
}

fn of_rule(output: String) -> Result<Redone, Trouble> {
    Ok(Redone {
        outcome: Outcome::Ok,
        fuel: 0,
        output,
        is_cut: false,
    })
}

fn redone<T>(
    called: &Called<T>,
    output: impl FnOnce(&str, Option<&T>) -> Result<String, serde_json::Error>,
) -> Result<Redone, Trouble> {
    let outcome = called.outcome();
    let output = output(outcome.code(), called.result.as_ref().ok());
    Ok(Redone {
        outcome,
        fuel: called.report.fuel,
        output: output.map_err(|e| Trouble::differs(e.to_string()))?,
        is_cut: false,
    })
}

fn or_empty<T>(list: Option<&Vec<T>>) -> &[T] {
    list.map_or(&[], Vec::as_slice)
}

/// What a call is about.
pub(super) fn context(receipt: &Receipt, settings: Arc<str>) -> Result<CallContext, Trouble> {
    let seed = receipt.seed.parse();
    Ok(CallContext {
        settings,
        seed: seed.map_err(|_| Trouble::differs("the seed is no number"))?,
        now: receipt.logical_time.0,
    })
}

/// What an engine's identity says.
struct Identity<'a> {
    wasmtime: &'a str,
    architecture: &'a str,
}

fn identity(engine: &str) -> Option<Identity<'_>> {
    let (wasmtime, rest) = engine.strip_prefix("wasmtime-")?.split_once('+')?;
    let (_, architecture) = rest.rsplit_once('.')?;
    Some(Identity {
        wasmtime,
        architecture,
    })
}
