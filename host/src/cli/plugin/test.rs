//! `proctor plugin test`.

mod native;
pub(in crate::cli) mod print;

use super::super::terminal::Step;
use super::super::{ConfigArgs, author, print_json, runtime};
use crate::authoring::cases::{self, Asked, Bed, Case, CaseError, CaseRun, OnStep};
use crate::authoring::evaluate::Subject;
use crate::authoring::{Language, Project};
use crate::config::Config;
use crate::sandbox::Sandbox;
use anyhow::ensure;
use clap::Args;
use native::Native;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// Run only these cases, by name. Default: all.
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Write what the cases come to beside them, as NAME.snap.json, and into those that
    /// expect nothing yet.
    #[arg(long)]
    update: bool,
    /// Do not run `cargo test` first, as is done in Rust unless cases are named.
    #[arg(long)]
    no_native: bool,
    /// Take the project's components as they are.
    #[arg(long)]
    no_build: bool,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Test {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::find(Path::new("."))?;
        let plan = Plan {
            native: !self.no_native && self.cases.is_empty(),
            only: self.cases,
            update: self.update,
            build: !self.no_build,
            config: self.config.load()?,
        };
        let tested = test(&project, &plan)?;
        if self.json {
            print_json(&print::as_json(&tested))?;
        } else {
            print::tested(&tested, "proctor plugin test");
        }
        Ok(tested.exit_code())
    }
}

/// What is tested of a project, and how.
pub(in crate::cli) struct Plan {
    /// The cases, by name; none: all.
    pub(in crate::cli) only: Vec<String>,
    /// Whether what they come to is written beside them.
    pub(in crate::cli) update: bool,
    /// Whether those of a project in Rust are run by `cargo test` first.
    pub(in crate::cli) native: bool,
    /// Whether the project is built first.
    pub(in crate::cli) build: bool,
    /// What the challenge is given.
    pub(in crate::cli) config: Config,
}

/// What came of the cases.
pub(in crate::cli) struct Tested {
    /// What came of `cargo test`, if it was run.
    pub(in crate::cli) native: Option<Native>,
    /// What came of each in the sandbox.
    pub(in crate::cli) runs: Vec<CaseRun>,
}

impl Tested {
    /// How many cases passed in the sandbox.
    pub(in crate::cli) fn passed(&self) -> usize {
        self.runs.iter().filter(|run| run.passed()).count()
    }

    /// How many did not.
    pub(in crate::cli) fn failed(&self) -> usize {
        self.runs.len() - self.passed()
    }

    /// Whether all is as expected.
    pub(in crate::cli) fn is_good(&self) -> bool {
        self.failed() == 0 && self.native.as_ref().is_none_or(|native| native.passed)
    }

    pub(in crate::cli) fn exit_code(&self) -> ExitCode {
        match self.is_good() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

/// Builds a project of a challenge, and runs its cases.
pub(in crate::cli) fn test(project: &Project, plan: &Plan) -> anyhow::Result<Tested> {
    ensure!(
        project.challenge.is_some(),
        "{} has no challenge: test its solvers with `proctor solver test`",
        project.file().display()
    );
    let cases = cases::read(project, &plan.only)?;
    if plan.build {
        author::build::built(project, &[])?;
    }
    let native = match project.language {
        Language::Rust if plan.native => Some(native::test(project)?),
        _ => None,
    };
    let sandbox = author::sandbox()?;
    let runs = runtime()?.block_on(async {
        let needs = |case: &Result<Case, CaseError>| {
            matches!(
                case,
                Ok(Case {
                    asked: Asked::Evaluation { .. },
                    ..
                })
            )
        };
        let subject = match cases.iter().any(needs) {
            true => {
                let file = project.built(&project.name);
                Some(Subject::open(&sandbox, &file, &plan.config).await?)
            }
            false => None,
        };
        let mut bed = Bed::shown(&sandbox, project, subject.as_ref(), plan.update);
        anyhow::Ok(bed.run_all(cases).await)
    })?;
    Ok(Tested { native, runs })
}

impl<'a> Bed<'a> {
    /// A bed that shows on standard error what it does.
    pub(in crate::cli) fn shown(
        sandbox: &'a Sandbox,
        project: &'a Project,
        subject: Option<&'a Subject>,
        update: bool,
    ) -> Self {
        Bed::new(sandbox, project, subject, update, steps())
    }
}

/// Shows each step until the next one begins.
pub(super) fn steps<'a>() -> OnStep<'a> {
    let mut step = None;
    Box::new(move |what| {
        // The one before ends first: two wheels would share a line.
        drop(step.take());
        step = Some(Step::begin(what));
    })
}
