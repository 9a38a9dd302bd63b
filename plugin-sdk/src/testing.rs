//! Runs a challenge natively, with imports that a test provides.
//!
//! ```
//! # use proctor_sdk::*;
//! use proctor_sdk::testing::Harness;
//! # #[derive(Default, serde::Deserialize, JsonSchema)]
//! # #[serde(crate = "proctor_sdk::serde")]
//! # #[schemars(crate = "proctor_sdk::schemars")]
//! # struct Settings {}
//! # struct Doubling;
//! # impl Challenge for Doubling {
//! #     type Settings = Settings;
//! #     const NAME: &'static str = "doubling";
//! #     const VERSION: &'static str = "0.1.0";
//! #     fn new(_: Settings) -> Self { Doubling }
//! # }
//! # impl Controller for Doubling {
//! #     type Task = u32;
//! #     type Solution = u32;
//! #     fn task_count(&self) -> u32 { 3 }
//! #     fn make_task(&self, _: &Context<'_>, index: u32) -> Result<u32, ChallengeError> { Ok(index) }
//! #     fn score(&self, task: &u32, solution: &u32) -> Result<f64, String> {
//! #         Ok(if *solution == 2 * task { 1.0 } else { 0.0 })
//! #     }
//! # }
//! let doubles = |task: &str| Ok(format!("{}", 2 * task.parse::<u32>().unwrap()));
//! let logs = Harness::<Doubling>::new().solver(doubles).evaluate(vec![]).unwrap();
//! assert_eq!(logs.len(), 3);
//! assert!(logs.iter().all(|log| log.score == 1.0));
//! ```

pub mod cases;
mod organic;
mod route;

use crate::context::{Context, Imports};
use crate::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Controller, DatabaseError, Description,
    Evaluated, Evaluation, Failure, HotkeyWeight, Rows, ScoringLog, SettingsProblem, SolveError,
    SolveFailure, Solver, Standing, Submission, Value, Verdict, Weights, glue, settings,
};
use route::RouteFake;
use std::marker::PhantomData;

pub use cases::Cases;

type Solve = dyn Fn(&str) -> Result<String, SolveError>;
type Execute = dyn Fn(&str, &[Value]) -> Result<u64, DatabaseError>;
type Query = dyn Fn(&str, &[Value]) -> Result<Rows, DatabaseError>;

/// Calls a challenge as the host would: settings read and checked, a context of
/// its own for each call. Imports that the test does not provide are
/// `unavailable`.
pub struct Harness<C> {
    settings: String,
    seed: u64,
    now: f64,
    imports: Fake,
    route: RouteFake,
    challenge: PhantomData<C>,
}

struct Fake {
    solve: Box<Solve>,
    execute: Box<Execute>,
    query: Box<Query>,
}

impl Imports for Fake {
    fn solve(&self, task: &str) -> Result<String, SolveError> {
        (self.solve)(task)
    }

    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        (self.execute)(sql, parameters)
    }

    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows, DatabaseError> {
        (self.query)(sql, parameters)
    }
}

fn no_database() -> DatabaseError {
    DatabaseError::Unavailable("the test has no database".into())
}

impl<C> std::fmt::Debug for Harness<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("settings", &self.settings)
            .field("seed", &self.seed)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl<C: Challenge> Default for Harness<C> {
    fn default() -> Self {
        Harness::new()
    }
}

impl<C: Challenge> Harness<C> {
    /// Settings `{}`, seed 0, time 0, no submission and no database.
    pub fn new() -> Self {
        Harness {
            settings: "{}".to_owned(),
            seed: 0,
            now: 0.0,
            imports: Fake {
                solve: Box::new(|_| Err(SolveError::Unavailable("the test has no solver".into()))),
                execute: Box::new(|_, _| Err(no_database())),
                query: Box::new(|_, _| Err(no_database())),
            },
            route: RouteFake::default(),
            challenge: PhantomData,
        }
    }

    /// Sets the settings, JSON.
    #[must_use]
    pub fn settings(mut self, json: impl Into<String>) -> Self {
        self.settings = json.into();
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the logical time, in seconds since the Unix epoch.
    #[must_use]
    pub fn now(mut self, now: f64) -> Self {
        self.now = now;
        self
    }

    /// Sets what `runner.solve` does: JSON in, JSON out.
    #[must_use]
    pub fn solver(mut self, solve: impl Fn(&str) -> Result<String, SolveError> + 'static) -> Self {
        self.imports.solve = Box::new(solve);
        self
    }

    /// Has a [`Solver`] written with this SDK be the submission. Its errors are
    /// failures with the code `guest_error`.
    #[must_use]
    pub fn submission<S: Solver>(self) -> Self {
        self.solver(|task| {
            S::solve_json(task).map_err(|message| {
                SolveError::Failed(SolveFailure {
                    code: Failure::GuestError,
                    message,
                })
            })
        })
    }

    /// Sets what the database does: `execute` returns the number of rows changed,
    /// `query` the rows found.
    #[must_use]
    pub fn database(
        mut self,
        execute: impl Fn(&str, &[Value]) -> Result<u64, DatabaseError> + 'static,
        query: impl Fn(&str, &[Value]) -> Result<Rows, DatabaseError> + 'static,
    ) -> Self {
        self.imports.execute = Box::new(execute);
        self.imports.query = Box::new(query);
        self
    }

    fn call<T>(
        &self,
        call: impl FnOnce(C, &Context<'_>) -> Result<T, ChallengeError>,
    ) -> Result<T, ChallengeError> {
        let context = Context::new(self.seed, self.now, &self.imports);
        settings::call(&self.settings, &context, call)
    }

    /// What the challenge tells of itself.
    pub fn describe(&self) -> Description {
        glue::describe::<C>()
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Every problem found.
    pub fn validate_settings(&self) -> Result<(), Vec<SettingsProblem>> {
        settings::read::<C>(&self.settings).map(drop)
    }

    /// Evaluates the submission.
    ///
    /// # Errors
    ///
    /// See [`Controller::evaluate`]; `internal` if the settings are invalid.
    pub fn evaluate(&self, seed_tasks: Vec<String>) -> Result<Vec<ScoringLog>, ChallengeError>
    where
        C: Controller,
    {
        let submission = Submission {
            digest: "0".repeat(64),
        };
        self.call(|challenge, context| challenge.evaluate(context, &submission, seed_tasks))
    }

    /// Judges a commit.
    ///
    /// # Errors
    ///
    /// See [`Controller::judge`]; `internal` if the settings are invalid.
    pub fn judge(&self, evaluated: &Evaluated) -> Result<Verdict, ChallengeError>
    where
        C: Controller,
    {
        self.call(|challenge, context| challenge.judge(context, evaluated))
    }

    /// Compares a candidate with references; the submission is the candidate.
    ///
    /// # Errors
    ///
    /// See [`Comparer::compare`]; `internal` if the settings are invalid.
    pub fn compare(
        &self,
        candidate: &Evaluation,
        references: &[Evaluation],
    ) -> Result<Vec<ComparisonLog>, ChallengeError>
    where
        C: Comparer,
    {
        self.call(|challenge, context| challenge.compare(context, candidate, references))
    }

    /// Turns standings into weights.
    ///
    /// # Errors
    ///
    /// See [`Weights::get_weights`]; `internal` if the settings are invalid.
    pub fn get_weights(&self, standings: Vec<Standing>) -> Result<Vec<HotkeyWeight>, ChallengeError>
    where
        C: Weights,
    {
        self.call(|challenge, context| challenge.get_weights(context, standings))
    }
}
