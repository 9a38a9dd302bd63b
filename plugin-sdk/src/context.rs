//! What a call is given by the host.

use crate::bindings::controller::proctor::challenge::{database, runner};
#[cfg(target_family = "wasm")]
use crate::bindings::routes::proctor::challenge::{standings, submissions};
use crate::routes::{SubmitError, Submitted};
use crate::{DatabaseError, Rows, SolveError, Standing, Value};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a challenge imports. The component's own are the host's; tests bring
/// theirs ([`testing`](crate::testing)).
pub trait Imports {
    /// Has the submission solve one task; JSON in, JSON out.
    ///
    /// Errors: see [`SolveError`].
    fn solve(&self, task: &str) -> Result<String, SolveError>;
    /// Runs one SQL statement and returns the number of rows changed.
    ///
    /// Errors: see [`DatabaseError`].
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError>;
    /// Runs one SQL statement and returns its rows.
    ///
    /// Errors: see [`DatabaseError`].
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows, DatabaseError>;
    /// The standings of the last finalization. None by default: only routes have them.
    fn standings(&self) -> Vec<Standing> {
        Vec::new()
    }
    /// Commits an artifact for the signer of the request. `not-signed` by default:
    /// only routes have a request.
    ///
    /// Errors: see [`SubmitError`].
    fn submit(&self, artifact: &str) -> Result<Submitted, SubmitError> {
        let _ = artifact;
        Err(SubmitError::NotSigned)
    }
}

/// The imports of a scored call.
#[derive(Debug)]
pub(crate) struct Host;

impl Imports for Host {
    fn solve(&self, task: &str) -> Result<String, SolveError> {
        runner::solve(task)
    }

    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        database::execute(sql, parameters)
    }

    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows, DatabaseError> {
        database::query(sql, parameters)
    }
}

/// The imports of a route. Not the same as [`Host`], so that a component without
/// routes does not import what only routes may use.
#[cfg(target_family = "wasm")]
#[derive(Debug)]
pub(crate) struct RouteHost;

#[cfg(target_family = "wasm")]
impl Imports for RouteHost {
    fn solve(&self, _: &str) -> Result<String, SolveError> {
        Err(no_submission())
    }

    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        Host.execute(sql, parameters)
    }

    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows, DatabaseError> {
        Host.query(sql, parameters)
    }

    fn standings(&self) -> Vec<Standing> {
        standings::get_standings()
    }

    fn submit(&self, artifact: &str) -> Result<Submitted, SubmitError> {
        submissions::submit(artifact)
    }
}

pub(crate) fn no_submission() -> SolveError {
    SolveError::Unavailable("a route has no submission to run".into())
}

/// What a call is about, and what it may reach. Constant for the call.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    seed: u64,
    now: f64,
    imports: &'a dyn Imports,
}

impl<'a> Context<'a> {
    pub(crate) fn new(seed: u64, now: f64, imports: &'a dyn Imports) -> Self {
        Context { seed, now, imports }
    }

    /// The same call with another seed.
    pub(crate) fn with_seed(self, seed: u64) -> Self {
        Context { seed, ..self }
    }

    /// The seed of the call. Everything random must come from it. In a route it is
    /// another one for each request, and says nothing of the day's.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A random number generator made from the seed. Each `stream` is
    /// independent of the others; the index of a task makes a good one.
    pub fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }

    /// The logical time of the call, in seconds since the Unix epoch; in a route, the
    /// time at which the request came.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Has the submission solve one task; JSON in, JSON out.
    ///
    /// Errors: see [`SolveError`]; `unavailable` in a route, which has no submission.
    pub fn solve(&self, task: &str) -> Result<String, SolveError> {
        self.imports.solve(task)
    }

    /// In a route: the standings of the challenge's last finalization, the best
    /// first; empty before the first. They do not change during the call. Copies
    /// them from the host each time. Anywhere else: empty.
    pub fn standings(&self) -> Vec<Standing> {
        self.imports.standings()
    }

    /// In a route that takes uploads: commits an artifact
    /// ([`upload`](crate::routes::upload)) for the miner who signed the request, now,
    /// like what miners publish on the subnet. It is on disk when this returns.
    ///
    /// Errors: see [`SubmitError`]; `not-signed` anywhere else.
    pub fn submit(&self, artifact: &str) -> Result<Submitted, SubmitError> {
        self.imports.submit(artifact)
    }

    /// The challenge's own database.
    pub fn database(&self) -> Database<'a> {
        Database(self.imports)
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("seed", &self.seed)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// SQL on the challenge's own SQLite file.
#[derive(Clone, Copy)]
pub struct Database<'a>(&'a dyn Imports);

impl Database<'_> {
    /// Runs one statement; `?1`, `?2`, … stand for the parameters. Returns the
    /// number of rows changed.
    ///
    /// Errors: see [`DatabaseError`].
    pub fn execute(&self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        self.0.execute(sql, parameters)
    }

    /// Runs one statement and returns its rows.
    ///
    /// Errors: see [`DatabaseError`].
    pub fn query(&self, sql: &str, parameters: &[Value]) -> Result<Rows, DatabaseError> {
        self.0.query(sql, parameters)
    }
}

impl std::fmt::Debug for Database<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}
