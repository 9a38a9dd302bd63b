//! What a call is given by the host.

use crate::bindings::controller::proctor::challenge::{database, runner};
use crate::{DatabaseError, Rows, SolveError, Value};
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
}

/// The imports of a component.
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

    /// The seed of the call. Everything random must come from it.
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

    /// The logical time of the call, in seconds since the Unix epoch.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Has the submission solve one task; JSON in, JSON out.
    ///
    /// Errors: see [`SolveError`].
    pub fn solve(&self, task: &str) -> Result<String, SolveError> {
        self.imports.solve(task)
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
