//! `proctor solver test`.

use crate::authoring::Project;
use crate::authoring::cases::{self, Asked, Bed, Case, CaseError, CaseRun, CasesError};
use crate::authoring::evaluate::{Evaluation, Subject};
use crate::cli::author::{build, sandbox, shown};
use crate::cli::terminal::{FAINT, styled};
use crate::cli::{ConfigArgs, print_json, runtime};
use anstream::println;
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// Run only these cases, by name. Default: all that have a `task`.
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Have a challenge evaluate and judge each solver too: its component, or the
    /// directory of its project.
    #[arg(long, value_name = "FILE|DIR")]
    challenge: Option<PathBuf>,
    /// What the challenge's tasks are drawn by.
    #[arg(long, default_value_t = 0, requires = "challenge")]
    seed: u64,
    /// Write what the cases come to beside them, as NAME.snap.json, and into those that
    /// expect nothing yet.
    #[arg(long)]
    update: bool,
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
        ensure!(
            !project.solvers.is_empty(),
            "{} has no [solvers]",
            project.file().display()
        );
        let config = self.config.load()?;
        let challenge = self.challenge.as_deref().map(component).transpose()?;
        let cases = self.cases(&project, challenge.is_some())?;
        let solvers: Vec<&str> = project.solvers.keys().map(String::as_str).collect();
        if !self.no_build {
            build::built(&project, &solvers)?;
        }
        let sandbox = sandbox()?;
        let (runs, evaluations) = runtime()?.block_on(async {
            let subject = match &challenge {
                Some(file) => Some(Subject::open(&sandbox, file, &config).await?),
                None => None,
            };
            let mut bed = Bed::shown(&sandbox, &project, subject.as_ref(), self.update);
            let runs = bed.run_all(cases).await;
            drop(bed);
            let mut evaluations = Vec::new();
            if let Some(subject) = &subject {
                for solver in solvers {
                    let artifact = project.built(solver);
                    let evaluation = subject.evaluate_file(&sandbox, &artifact, None, self.seed);
                    evaluations.push((solver, evaluation.await?));
                }
            }
            anyhow::Ok((runs, evaluations))
        })?;
        match self.json {
            true => print_json(&as_json(&runs, &evaluations))?,
            false => print_all(&runs, &evaluations),
        }
        let evaluated = evaluations.iter().all(|(_, e)| e.result.is_ok());
        Ok(match evaluated && runs.iter().all(CaseRun::passed) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    /// The cases of solvers; those of challenges too, if there is one for them that is
    /// not the project's own.
    fn cases(
        &self,
        project: &Project,
        has_challenge: bool,
    ) -> anyhow::Result<Vec<Result<Case, CaseError>>> {
        let cases = match cases::read(project, &self.cases) {
            Ok(cases) => cases,
            Err(CasesError::None { .. }) if has_challenge && self.cases.is_empty() => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if !self.cases.is_empty() || project.challenge.is_none() {
            return Ok(cases);
        }
        // The others are for `proctor plugin test`.
        let is_ours = |case: &Result<Case, CaseError>| match case {
            Ok(case) => matches!(case.asked, Asked::Task { .. }),
            Err(_) => true,
        };
        let cases: Vec<_> = cases.into_iter().filter(is_ours).collect();
        ensure!(
            has_challenge || !cases.is_empty(),
            "no case in {} has a `task`: those of the challenge are run by `proctor plugin test`",
            project.cases().display()
        );
        Ok(cases)
    }
}

/// The component of a challenge: the file, or what its project built.
fn component(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let project = Project::find(path).with_context(|| format!("--challenge {}", path.display()))?;
    project.challenge()?;
    let built = project.built(&project.name);
    ensure!(
        built.is_file(),
        "{} is not there: run `proctor plugin build` in {}",
        shown(&built),
        project.root.display()
    );
    Ok(built)
}

fn as_json(runs: &[CaseRun], evaluations: &[(&str, Evaluation)]) -> Value {
    let mut told = CaseRun::all_as_json(runs);
    let evaluations = evaluations
        .iter()
        .map(|(solver, evaluation)| json!({"solver": solver, "evaluation": evaluation.as_json()}));
    told.insert("evaluations".to_owned(), evaluations.collect());
    told.into()
}

fn print_all(runs: &[CaseRun], evaluations: &[(&str, Evaluation)]) {
    if !runs.is_empty() {
        CaseRun::print_all(runs, "proctor solver test");
    }
    for (solver, evaluation) in evaluations {
        println!(
            "\n{solver} {}",
            styled(FAINT, "as the challenge scores it:")
        );
        evaluation.print();
    }
}
