//! What a challenge costs: time, fuel and memory of each of its exports, and of making it
//! ready.

use super::cases::OnStep;
use super::evaluate::{Attempt, Subject, commit};
use crate::config::Config;
use crate::sandbox::types::{Evaluation, Standing, Submission};
use crate::sandbox::{
    CallContext, CallReport, Called, Capability, Limits, PluginCall, PluginComponent, PluginError,
    Sandbox, SolverComponent, Submitted, sha256_hex,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Standings that `get-weights` is given: as many as a subnet has neurons.
const STANDINGS: u16 = 256;

/// How much is measured, and of what.
#[derive(Debug)]
pub struct Plan<'a> {
    /// How often each export is called, at least once.
    pub runs: u32,
    /// What the tasks are drawn by.
    pub seed: u64,
    /// The challenge's settings, JSON. None: those of the configuration.
    pub settings: Option<String>,
    /// The submission; none measures neither `evaluate` nor what needs its result.
    pub artifact: Option<&'a [u8]>,
}

/// How long making a component ready takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Compiling and linking it, once for each version.
    pub compile: Duration,
    /// Taking it from the compile cache, at each start of a host.
    pub cached: Duration,
}

/// The times of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// The shortest.
    pub min: Duration,
    /// The one in the middle.
    pub median: Duration,
    /// The longest.
    pub max: Duration,
}

/// What one export took.
#[derive(Debug)]
pub struct Measured {
    /// What was called, as in `evaluate`.
    pub name: &'static str,
    /// How often.
    pub runs: usize,
    /// Wall-clock time.
    pub time: Times,
    /// The most fuel of any run.
    pub fuel: u64,
    /// The most linear memory of any run, in bytes.
    pub memory_bytes: usize,
    /// What a run may take.
    pub limits: Limits,
    /// Why it failed, if it did: nothing of it is measured after that.
    pub error: Option<PluginError>,
}

impl Measured {
    /// Each share of its limit, in percent: of time, fuel and memory.
    pub fn percent(&self) -> [(&'static str, f64); 3] {
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let of = |part: u64, whole: u64| part as f64 / whole.max(1) as f64 * 100.0;
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let millis = self.time.max.as_secs_f64() * 1_000.0;
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let time = millis / self.limits.wall_ms.max(1) as f64 * 100.0;
        [
            ("time", time),
            ("fuel", of(self.fuel, self.limits.fuel)),
            (
                "memory",
                of(bytes(self.memory_bytes), bytes(self.limits.memory_bytes)),
            ),
        ]
    }

    /// Limits of which more than half is used, and how much, in percent.
    pub fn close(&self) -> Vec<(&'static str, f64)> {
        let percent = self.percent().into_iter();
        percent.filter(|(_, percent)| *percent > 50.0).collect()
    }
}

/// All that was measured of a challenge.
#[derive(Debug)]
pub struct Bench {
    /// Name of the challenge.
    pub challenge: String,
    /// Making the challenge ready.
    pub component: Ready,
    /// Making the submission ready; none if there is none, or it cannot be loaded.
    pub solver: Option<Ready>,
    /// Each export, in the order in which a host calls them; last the solver, for each
    /// task.
    pub measured: Vec<Measured>,
    /// What was not measured, and why.
    pub left_out: Vec<String>,
}

/// Why nothing is measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The component cannot be loaded.
    #[error("it cannot be loaded: {0}")]
    Load(PluginError),
    /// The challenge does not take the settings.
    #[error("{0}")]
    Settings(String),
    /// The volume of the challenge cannot be made.
    #[error("cannot make its volume: {0}")]
    Volume(#[from] std::io::Error),
}

/// Measures a challenge, in a sandbox whose compile cache has nothing of it yet. `scratch`
/// is a directory for its volume. Blocks while it compiles.
///
/// # Errors
///
/// See [`BenchError`]. An export that fails is no error: it says so.
pub async fn bench(
    sandbox: &Sandbox,
    bytes: &[u8],
    config: &Config,
    plan: &Plan<'_>,
    scratch: &Path,
    mut on_step: OnStep<'_>,
) -> Result<Bench, BenchError> {
    on_step("compiling the challenge");
    let load = || PluginComponent::load(sandbox, bytes).map(drop);
    let component = twice(load).map_err(BenchError::Load)?;
    let subject = Subject::load(sandbox, bytes, config).await;
    let subject = subject.map_err(BenchError::Load)?;
    let settings = plan.settings.clone();
    let settings = settings.unwrap_or_else(|| subject.settings());
    let problems = subject.settings_problems(sandbox, &settings).await;
    if let Some(problem) = problems.map_err(BenchError::Load)?.first() {
        let (path, message) = (&problem.path, &problem.message);
        let of = if path.is_empty() { "" } else { ": " };
        return Err(BenchError::Settings(format!(
            "settings: {path}{of}{message}"
        )));
    }
    let grants = subject.grants(scratch)?;
    let mut bench = Bench {
        challenge: subject.description.name.clone(),
        component,
        solver: None,
        measured: Vec::new(),
        left_out: Vec::new(),
    };
    let (runs, limits) = (plan.runs.max(1), &subject.given.limits);
    let plugin = &subject.component;
    on_step("instantiating");
    let instantiate = async || plugin.instantiate(sandbox, limits).await;
    bench.add("instantiate", limits, runs, instantiate).await;
    on_step("measuring describe");
    let describing = Limits::to_describe();
    let describe = async || plugin.describe(sandbox, &describing).await;
    bench.add("describe", &describing, runs, describe).await;
    let attempt = bench.attempt(sandbox, &subject, plan, &settings, &mut on_step);
    if let Some(attempt) = &attempt {
        on_step("measuring evaluate");
        let call = |seed| {
            let of = Attempt {
                seed,
                ..attempt.clone()
            };
            PluginCall {
                submitted: Some(Arc::clone(&attempt.submitted)),
                ..subject.call(&of, &grants)
            }
        };
        let submission = &attempt.submission;
        let evaluate = async |seed| {
            plugin
                .evaluate(sandbox, call(seed), submission, &[])
                .await
                .0
        };
        let logs = bench
            .add("evaluate", limits, runs, async || evaluate(plan.seed).await)
            .await;
        if let Some(logs) = logs {
            on_step("measuring judge");
            let about = attempt.of(logs.clone());
            let judge = async || {
                let call = subject.call(attempt, &grants);
                plugin.judge(sandbox, call, &about).await
            };
            bench.add("judge", limits, runs, judge).await;
            if plugin.capabilities().contains(&Capability::Comparison) {
                on_step("measuring compare");
                // An earlier day's, with other tasks, by somebody else.
                let earlier = evaluate(plan.seed.wrapping_add(1)).await;
                let reference = Evaluation {
                    submission: Submission {
                        digest: sha256_hex(b"reference"),
                    },
                    scoring_logs: earlier.result.unwrap_or_default(),
                };
                let references = [reference];
                let candidate = Evaluation {
                    submission: submission.clone(),
                    scoring_logs: logs.clone(),
                };
                let compare = async || {
                    let call = call(plan.seed);
                    plugin.compare(sandbox, call, &candidate, &references).await
                };
                bench.add("compare", limits, runs, compare).await;
            }
            on_step("measuring the solver");
            bench.solver(sandbox, &subject, plan, &logs).await;
        }
    }
    if plugin.capabilities().contains(&Capability::GetWeights) {
        on_step("measuring get-weights");
        let attempt = attempt.unwrap_or_else(|| nobody(&settings, plan.seed));
        let standings: Vec<Standing> = (0..STANDINGS).map(standing).collect();
        let weigh = async || {
            let call = subject.call(&attempt, &grants);
            plugin.get_weights(sandbox, call, &standings).await
        };
        bench.add("get-weights", limits, runs, weigh).await;
    }
    Ok(bench)
}

impl Bench {
    /// Calls an export some times. Returns what the last run returned, if all went well.
    async fn add<T>(
        &mut self,
        name: &'static str,
        limits: &Limits,
        runs: u32,
        call: impl AsyncFn() -> Called<T>,
    ) -> Option<T> {
        let (mut reports, mut last) = (Vec::new(), None);
        let mut error = None;
        for _ in 0..runs {
            let called = call().await;
            reports.push(called.report);
            match called.result {
                Ok(value) => last = Some(value),
                Err(failed) => {
                    (error, last) = (Some(failed), None);
                    break;
                }
            }
        }
        self.measured.push(measured(name, limits, &reports, error));
        last
    }

    /// What is evaluated; nothing if there is no submission, or no capability for it.
    fn attempt(
        &mut self,
        sandbox: &Sandbox,
        subject: &Subject,
        plan: &Plan<'_>,
        settings: &str,
        on_step: &mut OnStep<'_>,
    ) -> Option<Attempt> {
        let capabilities = subject.component.capabilities();
        if !capabilities.contains(&Capability::Scoring) {
            return None;
        }
        let Some(artifact) = plan.artifact else {
            let why = "evaluate, judge and compare need a submission: --artifact FILE";
            self.left_out.push(why.to_owned());
            return None;
        };
        on_step("compiling the submission");
        let load = || SolverComponent::load(sandbox, artifact).map(drop);
        let loaded = twice(load);
        match loaded {
            Ok(ready) => self.solver = Some(ready),
            Err(error) => {
                self.left_out
                    .push(format!("the submission cannot be loaded: {error}"));
                return None;
            }
        }
        let solver = SolverComponent::load(sandbox, artifact).map(|(solver, _)| solver.into());
        let limits = subject.given.solver.limits();
        let digest = sha256_hex(artifact);
        Some(Attempt {
            submission: Submission { digest },
            submitted: Arc::new(Submitted { solver, limits }),
            ..nobody(settings, plan.seed)
        })
    }

    /// Measures the solver by itself, on each task once.
    async fn solver(
        &mut self,
        sandbox: &Sandbox,
        subject: &Subject,
        plan: &Plan<'_>,
        logs: &[crate::sandbox::types::ScoringLog],
    ) {
        let loaded = plan
            .artifact
            .map(|artifact| SolverComponent::load(sandbox, artifact));
        let Some(Ok((solver, _))) = loaded else {
            return;
        };
        let limits = subject.given.solver.limits();
        let context = CallContext {
            settings: "{}".into(),
            seed: plan.seed,
            now: 0.0,
        };
        let (mut reports, mut error) = (Vec::new(), None);
        for log in logs {
            let called = solver.solve_task(sandbox, &context, &limits, &log.task);
            let called = called.await;
            reports.push(called.report);
            if let Err(failed) = called.result {
                error = Some(failed);
            }
        }
        self.measured
            .push(measured("solve (each task)", &limits, &reports, error));
    }
}

/// Loads something twice: compiled, and from the cache.
fn twice(load: impl Fn() -> Result<(), PluginError>) -> Result<Ready, PluginError> {
    let timed = || {
        let start = Instant::now();
        load().map(|()| start.elapsed())
    };
    Ok(Ready {
        compile: timed()?,
        cached: timed()?,
    })
}

fn measured(
    name: &'static str,
    limits: &Limits,
    reports: &[CallReport],
    error: Option<PluginError>,
) -> Measured {
    let times = reports.iter().map(|report| report.elapsed).collect();
    let fuel = reports.iter().map(|report| report.fuel).max();
    let memory = reports.iter().map(|report| report.memory_bytes).max();
    Measured {
        name,
        runs: reports.len(),
        time: spread(times),
        fuel: fuel.unwrap_or(0),
        memory_bytes: memory.unwrap_or(0),
        limits: *limits,
        error,
    }
}

/// Of an even number of runs, the median is the longer one in the middle.
fn spread(mut times: Vec<Duration>) -> Times {
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    Times {
        min: at(0),
        median: at(times.len() / 2),
        max: at(times.len().saturating_sub(1)),
    }
}

/// A call that is about no submission.
fn nobody(settings: &str, seed: u64) -> Attempt {
    let error = PluginError::new(crate::sandbox::Outcome::LinkError, "there is no submission");
    Attempt {
        settings: settings.into(),
        seed,
        now: 0.0,
        submission: Submission {
            digest: "0".repeat(64),
        },
        submitted: Arc::new(Submitted {
            solver: Err(error),
            limits: Limits::solver(),
        }),
    }
}

/// The standing of one of many miners; the later ones are worth less.
fn standing(uid: u16) -> Standing {
    let digest = sha256_hex(&uid.to_be_bytes());
    Standing {
        commit: commit(format!("miner-{uid}"), uid, 0.0, Submission { digest }),
        score: 1.0 - f64::from(uid) / f64::from(STANDINGS),
        scored_at: 0.0,
    }
}

#[cfg(test)]
mod tests;
