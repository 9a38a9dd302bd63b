//! Checks a bundle of receipts, with nothing but the bundle: who signed it, the tree, what
//! each receipt takes from others; then computes each again, and compares what comes of it
//! byte by byte.

mod blobs;
mod components;
mod contexts;
mod day;
mod differs;
mod documents;
mod execute;
mod links;
mod replay;
mod report;
mod sample;
mod signatures;

pub use replay::{Evaluated, Replayed, replay};
pub use report::{Context, Counts, Finding, MAX_FINDINGS, Report, Sampled, Step, Verdict, Why};
pub use sample::{Sample, SampleSize};

use crate::receipts::bundle::Bundle;
use crate::receipts::documents::LimitsDocument;
use crate::receipts::{Kind, Receipt};
use crate::sandbox::{Limits, Sandbox, SandboxConfig, SandboxError};
use components::Components;
use day::{Day, Role};
use documents::Documents;
use execute::Executor;
use links::Linked;
use report::{Findings, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A bundle in a file.
pub type BundleFile = Bundle<BufReader<File>>;

/// How far a verification is: what it does, how many are done, and of how many.
pub type Progress = Arc<dyn Fn(Step, u64, u64) + Send + Sync>;

/// How a bundle is verified.
#[derive(Clone)]
pub struct Options {
    /// A directory with components and artifacts that the bundle does not have: files
    /// `*.wasm`, and files that are named by digest. Each is read.
    pub plugins: Option<PathBuf>,
    /// Calls at a time, at least 1.
    pub jobs: usize,
    /// How many receipts are computed again; none: all of them.
    pub sample: Option<Sample>,
    /// Leaves that were verified before, from the first on: neither they nor the solves
    /// that only they name are in a sample.
    pub skip: u64,
    /// Who should have signed, SS58 with prefix 42; none: whoever did.
    pub signer: Option<String>,
    /// Where compiled components are kept; none: in a directory that is deleted in the end.
    pub cache_dir: Option<PathBuf>,
    /// The most memory that one call gets, in bytes. What needs more is not checked.
    pub max_memory_bytes: usize,
    /// The most time that one call gets. What takes longer is not checked, however long it
    /// may take at the host.
    pub max_call: Duration,
    /// The most bytes of what a receipt names by digest that it gets in memory, each as
    /// often as it is named. What needs more is not checked.
    pub max_held_bytes: u64,
    /// Who is told how far it is. Called by any thread.
    pub progress: Option<Progress>,
}

impl Default for Options {
    /// As many calls as there are cores, all receipts, whoever signed, 4 GiB, an hour, 1 GiB.
    fn default() -> Self {
        Options {
            plugins: None,
            jobs: thread::available_parallelism().map_or(2, usize::from),
            sample: None,
            skip: 0,
            signer: None,
            cache_dir: None,
            max_memory_bytes: 4 << 30,
            max_call: execute::MAX_CALL,
            max_held_bytes: documents::MAX_HELD_BYTES,
            progress: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("plugins", &self.plugins)
            .field("jobs", &self.jobs)
            .field("sample", &self.sample)
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}

/// Why nothing can be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The directory of components cannot be read, or none can be made for compiled ones.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A thread failed.
    #[error("the verifier failed: {0}")]
    Failed(#[from] tokio::task::JoinError),
}

/// What is known before anything is computed.
struct Checked {
    day: Day,
    linked: Linked,
    findings: Findings,
    signer: Option<String>,
}

/// Verifies a bundle.
///
/// # Errors
///
/// See [`VerifyError`]: nothing of them says anything about the bundle.
pub async fn run(bundle: BundleFile, options: Options) -> Result<Report, VerifyError> {
    let start = Instant::now();
    let leaves = bundle.receipts().len() as u64;
    let day = bundle.manifest().day.clone();
    tracing::info!(day, leaves, "verifying");
    let jobs = options.jobs.max(1);
    let checked = tokio::task::spawn_blocking({
        let options = options.clone();
        move || check(bundle, &options, jobs)
    });
    let Checked {
        day: checked_day,
        linked,
        mut findings,
        signer,
    } = checked.await??;
    let recorded_answers = linked.recorded_answers;
    let checked_day = Arc::new(checked_day);
    let executed = execute(&checked_day, linked, &options, jobs).await?;
    for (id, trouble) in executed.troubles {
        let kind = checked_day.get(&id).map(|receipt| receipt.kind);
        findings.add(Step::Execute, kind.map(|kind| (id.as_str(), kind)), trouble);
    }
    let external = checked_day
        .all()
        .filter(|(role, _)| *role == Role::External);
    let seconds = start.elapsed().as_secs_f64();
    let verdict = findings.verdict();
    let receipts = counts(&checked_day, &executed.drawn, &findings);
    let drawn = executed.drawn.len() as u64;
    let computed: u64 = receipts.values().map(|of| of.verified + of.differs).sum();
    let (found, findings_total) = findings.finish();
    let report = Report {
        verdict,
        day,
        signer,
        leaves,
        engine: executed.engine,
        receipts,
        external: external.count() as u64,
        recorded_answers,
        contexts: contexts::of_leaves(checked_day.documents.bundle.receipts()),
        sample: options.sample.map(|sample| Sampled {
            drawn,
            of: executed.of,
            seed: sample.seed,
        }),
        findings: found,
        findings_total,
        seconds,
        receipts_per_second: computed as f64 / seconds.max(f64::EPSILON),
    };
    tracing::info!(
        day = report.day,
        verdict = verdict.name(),
        receipts = drawn,
        findings = findings_total,
        seconds,
        "verified"
    );
    Ok(report)
}

/// All that is checked without computing anything again.
fn check(bundle: BundleFile, options: &Options, jobs: usize) -> io::Result<Checked> {
    let mut findings = Findings::default();
    let (bundle, damaged) = blobs::damaged(bundle, options, jobs);
    for trouble in damaged {
        findings.add(Step::Bundle, None, trouble);
    }
    let documents = Documents::open(bundle, options.plugins.as_deref())?;
    let day = Day::new(documents, &mut findings);
    let signer = signatures::check(&day, options.signer.as_deref(), &mut findings);
    signatures::check_tree(&day, &mut findings);
    let linked = links::check(&day, &mut findings);
    Ok(Checked {
        day,
        linked,
        findings,
        signer,
    })
}

struct Executed {
    engine: String,
    /// Ids of what was computed again.
    drawn: BTreeSet<String>,
    /// Of how many they were drawn.
    of: u64,
    /// What came of it, if it did not come to the same; in the order of the bundle.
    troubles: Vec<(String, Trouble)>,
}

async fn execute(
    day: &Arc<Day>,
    linked: Linked,
    options: &Options,
    jobs: usize,
) -> Result<Executed, VerifyError> {
    let (drawn, of) = drawn(day, options.sample, options.skip);
    let scratch = tempfile::tempdir()?;
    let most = most(day, options.max_memory_bytes);
    let cache_dir = options.cache_dir.clone();
    let sandbox = Sandbox::new(&SandboxConfig {
        max_concurrent_calls: u32::try_from(jobs).unwrap_or(u32::MAX),
        max_route_calls: 1,
        max_memory_bytes: most.memory_bytes,
        max_table_elements: most.table_elements,
        ..SandboxConfig::new(cache_dir.unwrap_or_else(|| scratch.path().join("compiled")))
    })?;
    let steps = in_order(day, &drawn);
    let receipts = || steps.iter().filter_map(|id| day.get(id));
    let is_solve = |receipt: &&Receipt| receipt.kind == Kind::Solve;
    let component = |receipt: &Receipt| receipt.component.clone();
    let plugins: Vec<String> = receipts()
        .filter(|r| !is_solve(r))
        .filter_map(component)
        .collect();
    let solvers: Vec<String> = receipts().filter(is_solve).filter_map(component).collect();
    let executor = Arc::new(Executor {
        components: Components::new(
            &sandbox,
            day,
            plugins.iter().map(String::as_str),
            solvers.iter().map(String::as_str),
        ),
        engine: sandbox.identity().to_owned(),
        sandbox,
        day: Arc::clone(day),
        linked,
        max_memory_bytes: options.max_memory_bytes,
        max_call: options.max_call,
        max_held_bytes: options.max_held_bytes,
        blames: Mutex::default(),
        unknown: Mutex::default(),
    });
    // What the host's own rules decide comes last: it looks at what became of calls.
    let of_rule = |id: &String| {
        day.get(id)
            .is_some_and(|receipt| receipt.component.is_none())
    };
    let (rules, calls): (Vec<String>, Vec<String>) = steps.into_iter().partition(of_rule);
    let (total, mut done) = (drawn.len() as u64, 0);
    let mut found = BTreeMap::new();
    for steps in [calls, rules] {
        let (mut steps, mut running) = (steps.into_iter(), JoinSet::new());
        loop {
            while running.len() < jobs
                && let Some(id) = steps.next()
            {
                let executor = Arc::clone(&executor);
                running.spawn(async move {
                    let result = executor.execute(&id).await;
                    (id, result)
                });
            }
            let Some(ended) = running.join_next().await else {
                break;
            };
            let (id, result) = ended?;
            if let Err(trouble) = result {
                found.insert(id, trouble);
            }
            done += 1;
            if let Some(progress) = &options.progress {
                progress(Step::Execute, done, total);
            }
        }
    }
    let troubles = day
        .checked
        .iter()
        .filter_map(|id| Some((id.clone(), found.remove(id)?)));
    Ok(Executed {
        engine: executor.engine.clone(),
        troubles: troubles.collect(),
        drawn,
        of,
    })
}

/// What is computed again, and of how many it was drawn: all, or a sample of what
/// comes after the first `skip` leaves, and what its verdicts by the host's own rule are about.
fn drawn(day: &Day, sample: Option<Sample>, skip: u64) -> (BTreeSet<String>, u64) {
    let Some(sample) = sample else {
        return (
            day.checked.iter().cloned().collect(),
            day.checked.len() as u64,
        );
    };
    let mut drawn = BTreeSet::new();
    let checked: BTreeSet<&String> = day.checked.iter().collect();
    let is_solve = |id: &&String| day.get(id).is_some_and(|of| of.kind == Kind::Solve);
    let (solves, leaves): (Vec<&String>, Vec<&String>) = day.checked.iter().partition(is_solve);
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let new: Vec<&String> = leaves.into_iter().skip(skip).collect();
    let of_new = new.iter().filter_map(|id| day.get(id));
    let named: BTreeSet<&String> = of_new.flat_map(|of| &of.depends_on).collect();
    let solves = solves.into_iter().filter(|id| named.contains(id));
    let from: Vec<&String> = new.iter().copied().chain(solves).collect();
    for number in sample.draw(from.len()) {
        let Some(id) = from.get(number).copied() else {
            continue;
        };
        drawn.insert(id.clone());
        let of = day
            .get(id)
            .filter(|r| r.kind == Kind::Judge && r.component.is_none());
        let causes = of.into_iter().flat_map(|receipt| &receipt.depends_on);
        drawn.extend(causes.filter(|id| checked.contains(id)).cloned());
    }
    (drawn, from.len() as u64)
}

/// Ids in an order in which each component is needed for a short time only.
fn in_order(day: &Day, drawn: &BTreeSet<String>) -> Vec<String> {
    let mut steps: Vec<(Option<&str>, Kind, &String)> = Vec::new();
    for id in drawn {
        if let Some(receipt) = day.get(id) {
            steps.push((receipt.component.as_deref(), receipt.kind, id));
        }
    }
    steps.sort();
    steps.into_iter().map(|(.., id)| id.clone()).collect()
}

/// The most that any call may take, and no more than `max_memory`.
fn most(day: &Day, max_memory: usize) -> Limits {
    let named: BTreeSet<&String> = {
        let all = day.all();
        all.filter_map(|(_, signed)| signed.receipt.limits.as_ref())
            .collect()
    };
    let mut most = Limits::default();
    for digest in named {
        let limits = day.documents.document::<LimitsDocument>("limits", digest);
        let limits = limits
            .ok()
            .into_iter()
            .flat_map(|l| [Some(l.call), l.solver]);
        for limits in limits
            .flatten()
            .filter(|limits| limits.problems().is_empty())
        {
            let memory = limits.memory_bytes.min(max_memory);
            most.memory_bytes = most.memory_bytes.max(memory);
            most.table_elements = most.table_elements.max(limits.table_elements);
        }
    }
    most
}

fn counts(
    day: &Day,
    drawn: &BTreeSet<String>,
    findings: &Findings,
) -> BTreeMap<&'static str, Counts> {
    let mut counts: BTreeMap<&'static str, Counts> = BTreeMap::new();
    for id in &day.checked {
        let Some(receipt) = day.get(id) else {
            continue;
        };
        let of = counts.entry(receipt.kind.name()).or_default();
        match findings.of(id) {
            Verdict::Differs => of.differs += 1,
            Verdict::NotCheckable => of.not_checkable += 1,
            Verdict::Verified if drawn.contains(id) => of.verified += 1,
            Verdict::Verified => of.not_sampled += 1,
        }
    }
    counts
}
