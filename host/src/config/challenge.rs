//! What the operator gives a challenge.

use super::ConfigError;
use crate::sandbox::Limits;
use serde::{Deserialize, Serialize};

/// What a challenge may be called, for people.
pub const CHALLENGE_NAME: &str = "1 to 64 of a-z, 0-9, - and _, first a letter or digit";

/// Whether a challenge may be called that: [`CHALLENGE_NAME`].
pub fn is_challenge_name(name: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    matches!(name.len(), 1..=64) && !name.starts_with(['-', '_']) && name.bytes().all(allowed)
}

/// Section `challenges.<name>`. A challenge without one has the defaults.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Challenge {
    /// The challenge's share of the emission, in percent. Default: 100.
    pub emission_percent: f64,
    /// Settings that the challenge defines. Default: none.
    pub settings: toml::Table,
    /// Whether it may keep files in `/data`. Default: no.
    pub data: bool,
    /// Whether it has a database. Default: no.
    pub database: bool,
    /// Size that the database may have, in bytes. Default: 64 MiB.
    pub database_max_bytes: u64,
    /// Milliseconds that an SQL statement may take. Default: 1 000.
    pub statement_ms: u64,
    /// What a call of the challenge may take.
    pub limits: Limits,
    /// What a submission may take for each task.
    pub solver: SolverLimits,
}

impl Default for Challenge {
    fn default() -> Self {
        Challenge {
            emission_percent: 100.0,
            settings: toml::Table::new(),
            data: false,
            database: false,
            database_max_bytes: 64 << 20,
            statement_ms: 1_000,
            limits: Limits::default(),
            solver: SolverLimits::default(),
        }
    }
}

/// Section `challenges.<name>.solver`; missing keys are those of
/// [`Limits::solver`].
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolverLimits {
    /// See [`Limits::fuel`].
    pub fuel: Option<u64>,
    /// See [`Limits::wall_ms`].
    pub wall_ms: Option<u64>,
    /// See [`Limits::memory_bytes`].
    pub memory_bytes: Option<usize>,
    /// See [`Limits::output_bytes`].
    pub output_bytes: Option<usize>,
}

impl SolverLimits {
    /// The limits, complete.
    pub fn limits(&self) -> Limits {
        let default = Limits::solver();
        Limits {
            fuel: self.fuel.unwrap_or(default.fuel),
            wall_ms: self.wall_ms.unwrap_or(default.wall_ms),
            memory_bytes: self.memory_bytes.unwrap_or(default.memory_bytes),
            output_bytes: self.output_bytes.unwrap_or(default.output_bytes),
            ..default
        }
    }
}

impl Challenge {
    pub(super) fn check(&self, prefix: &str) -> Result<(), ConfigError> {
        if !(0.0..=100.0).contains(&self.emission_percent) {
            let problem = format!("{} is not in 0 to 100", self.emission_percent);
            return Err(ConfigError::key(
                format!("{prefix}.emission_percent"),
                problem,
            ));
        }
        if self.database_max_bytes < 64 << 10 {
            let problem = "must be at least 65536";
            return Err(ConfigError::key(
                format!("{prefix}.database_max_bytes"),
                problem,
            ));
        }
        if self.statement_ms == 0 {
            return Err(ConfigError::key(
                format!("{prefix}.statement_ms"),
                "must be at least 1",
            ));
        }
        for (section, limits) in [("limits", self.limits), ("solver", self.solver.limits())] {
            if let Some((field, problem)) = limits.problem() {
                return Err(ConfigError::key(
                    format!("{prefix}.{section}.{field}"),
                    problem,
                ));
            }
        }
        Ok(())
    }
}
