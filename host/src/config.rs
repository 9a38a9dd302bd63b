//! The configuration: read from a file, the environment and flags, and checked
//! once.
//!
//! A later source wins: the defaults, the TOML file, variables of the form
//! `PROCTOR_SECTION__KEY`, `--set section.key=value`. Unknown keys are refused
//! wherever they come from, and every error names the key.

mod archive;
mod chain;
mod challenge;
mod collect;
mod keep;
mod organic;
mod receipts;
mod registry;
mod source;
mod validators;
mod weights;

pub use archive::{Archive, ArchiveTarget};
pub use chain::{Chain, ChainMode, Wallet};
pub use challenge::{
    CHALLENGE_NAME, Challenge, MAX_VARIABLE, RouteRule, Runner, SolverLimits, is_challenge_name,
    is_variable_name,
};
pub use collect::{Commits, RevealRule, Storage, TimestampPolicy};
pub use keep::{Backup, Events, Retention};
pub use organic::{Callers, Miners, Organic, Sampling, Trigger};
pub use receipts::Receipts;
pub use registry::{Admin, Registry};
pub use source::ConfigSource;
pub use validators::Validators;
pub use weights::{FallbackWeights, Weights};

use crate::artifacts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use utoipa::ToSchema;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {error}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// A key is unknown, or its value is of the wrong type or out of range.
    #[error("{key}: {problem}")]
    Key {
        /// The key, as in `sandbox.max_concurrent_calls`.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ConfigError {
    fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        ConfigError::Key {
            key: key.into(),
            problem: problem.into(),
        }
    }
}

/// A valid configuration.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything is kept that must outlive the process. Default: `data`.
    #[schema(value_type = String)]
    pub data_dir: PathBuf,
    /// The metagraph, a JSON file. Default: `metagraph.json` in `data_dir`.
    #[schema(value_type = Option<String>)]
    pub metagraph: Option<PathBuf>,
    /// The subnet.
    pub chain: Chain,
    /// Who this host is.
    pub wallet: Wallet,
    /// Where plugins come from.
    pub plugins: Plugins,
    /// What miners submit.
    pub artifacts: Artifacts,
    /// The public listener.
    pub public: Public,
    /// The private listener.
    pub admin: Admin,
    /// How commits are collected.
    pub commits: Commits,
    /// The storage service.
    pub storage: Storage,
    /// How commits are scored.
    pub scoring: Scoring,
    /// How weights are made.
    pub weights: Weights,
    /// What counts for a challenge that tells no weights.
    pub fallback_weights: FallbackWeights,
    /// Where public views go.
    pub archive: Archive,
    /// The backup file.
    pub backup: Backup,
    /// How long what is settled is kept in the database.
    pub retention: Retention,
    /// What `GET /v1/events` remembers.
    pub events: Events,
    /// What is kept so that scores can be computed again.
    pub receipts: Receipts,
    /// The challenges' records.
    pub registry: Registry,
    /// Validators that do evaluations again.
    pub validators: Validators,
    /// How miners are asked.
    pub miners: Miners,
    /// What plugins run in.
    pub sandbox: Sandbox,
    /// What each challenge is given, by name.
    pub challenges: BTreeMap<String, Challenge>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: "data".into(),
            metagraph: None,
            chain: Chain::default(),
            wallet: Wallet::default(),
            plugins: Plugins::default(),
            artifacts: Artifacts::default(),
            public: Public::default(),
            admin: Admin::default(),
            commits: Commits::default(),
            storage: Storage::default(),
            scoring: Scoring::default(),
            weights: Weights::default(),
            fallback_weights: FallbackWeights::default(),
            archive: Archive::default(),
            backup: Backup::default(),
            retention: Retention::default(),
            events: Events::default(),
            receipts: Receipts::default(),
            registry: Registry::default(),
            validators: Validators::default(),
            miners: Miners::default(),
            sandbox: Sandbox::default(),
            challenges: BTreeMap::new(),
        }
    }
}

/// Section `plugins`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plugins {
    /// The drop folder: each `.wasm` in it is a challenge. Default: `plugins`.
    #[schema(value_type = String)]
    pub dir: PathBuf,
    /// Largest component, in bytes. Default: 128 MiB.
    pub max_bytes: u64,
}

impl Default for Plugins {
    fn default() -> Self {
        Plugins {
            dir: "plugins".into(),
            max_bytes: 128 << 20,
        }
    }
}

/// Section `artifacts`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Artifacts {
    /// Largest artifact, in bytes. Default: 64 MiB.
    pub max_bytes: u64,
    /// What all artifacts together may have, in bytes, at least `max_bytes`. Above it
    /// uploads are refused, and submissions in registries wait. Default: 64 GiB.
    pub max_total_bytes: u64,
}

impl Default for Artifacts {
    fn default() -> Self {
        Artifacts {
            max_bytes: artifacts::DEFAULT_MAX_BYTES,
            max_total_bytes: 64 << 30,
        }
    }
}

/// Section `public`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Public {
    /// Address to listen on. Default: `0.0.0.0:47920`.
    #[schema(value_type = String)]
    pub listen: SocketAddr,
    /// Whether `/metrics` is on this listener as well. Default: no.
    pub metrics: bool,
    /// Largest request body, in bytes. Default: 8 MiB.
    pub max_body_bytes: usize,
    /// Requests at a time, at most a million. More are answered with 503.
    /// Default: 512.
    pub max_requests: usize,
    /// Time that a request may take, in milliseconds. Default: 30 000.
    pub timeout_ms: u64,
    /// Whether `POST /get_scoring_result` wants the signature of a validator with
    /// enough stake. Default: no.
    pub signed_results: bool,
    /// Streams of events at a time, at most a million. More are answered with 503. Default: 256.
    pub max_streams: usize,
}

impl Default for Public {
    fn default() -> Self {
        Public {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 47920),
            metrics: false,
            max_body_bytes: 8 << 20,
            max_requests: 512,
            timeout_ms: 30_000,
            signed_results: false,
            max_streams: 256,
        }
    }
}

/// Section `scoring`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scoring {
    /// What the seeds of evaluations are made from, which receipts tell: whoever can guess
    /// it knows all future tasks. Default: drawn at random when the database is made, and
    /// kept in it.
    pub seed: Option<u64>,
    /// The hour at which a day is finalized, 0 to 23, UTC. Default: 14.
    pub hour: u8,
    /// Days that a host that was down makes up for by itself. If more are missing,
    /// the clock may be wrong: nothing is finalized, and the log says so. Default: 31.
    pub max_catch_up_days: u32,
    /// Milliseconds between looks for new work. Default: 1 000.
    pub interval_ms: u64,
    /// Accepted submissions of earlier days that a new one is compared with: the
    /// best ones of each challenge. Default: 15.
    pub max_unique_commits: usize,
    /// Attempts at an evaluation before others are judged without it. Default: 3.
    pub hold_attempts: u32,
    /// Attempts at an evaluation before it is given up. Default: 12.
    pub max_attempts: u32,
    /// Seconds to the second attempt; doubled with each further one. Default: 5.
    pub retry_s: f64,
    /// The most seconds between attempts. Default: 3 600.
    pub max_retry_s: f64,
}

impl Default for Scoring {
    fn default() -> Self {
        Scoring {
            seed: None,
            hour: 14,
            max_catch_up_days: 31,
            interval_ms: 1_000,
            max_unique_commits: 15,
            hold_attempts: 3,
            max_attempts: 12,
            retry_s: 5.0,
            max_retry_s: 3_600.0,
        }
    }
}

impl Scoring {
    /// Seconds to wait after the given number of attempts, at least 1.
    pub fn pause(&self, attempts: u32) -> f64 {
        let doublings = attempts.saturating_sub(1).min(60).cast_signed();
        (self.retry_s * 2_f64.powi(doublings)).min(self.max_retry_s)
    }
}

/// Section `sandbox`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    /// Calls of plugins at a time, 1 to 1,024. Default: as many as there are cores.
    pub max_concurrent_calls: Option<u32>,
    /// Requests to challenges' own routes that are answered at a time, of all
    /// challenges together, 1 to 1,024. Default: 64.
    pub max_route_calls: u32,
    /// Size that the compile cache may have, in bytes. Default: 1 GiB.
    pub cache_max_bytes: u64,
    /// Whether to reserve the memory of all calls ahead. Default: yes.
    pub pooling: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Sandbox {
            max_concurrent_calls: None,
            max_route_calls: 64,
            cache_max_bytes: 1 << 30,
            pooling: true,
        }
    }
}

impl Config {
    /// Path of the metagraph file.
    pub fn metagraph_path(&self) -> PathBuf {
        self.metagraph
            .clone()
            .unwrap_or_else(|| self.data_dir.join("metagraph.json"))
    }

    /// Path of the backup, `scoring_results.json`.
    pub fn backup_path(&self) -> PathBuf {
        self.backup
            .path
            .clone()
            .unwrap_or_else(|| self.data_dir.join("scoring_results.json"))
    }

    /// Path of the file with the admin API's tokens.
    pub fn admin_tokens_path(&self) -> PathBuf {
        let given = self.admin.token_file.clone();
        given.unwrap_or_else(|| self.data_dir.join("admin.tokens"))
    }

    /// Path of the key that seals secrets.
    pub fn registry_key_path(&self) -> PathBuf {
        let given = self.registry.key_file.clone();
        given.unwrap_or_else(|| self.data_dir.join("registry.key"))
    }

    /// What a challenge is given.
    pub fn challenge(&self, name: &str) -> Challenge {
        self.challenges.get(name).cloned().unwrap_or_default()
    }

    /// Checks what the types do not say.
    fn check(self) -> Result<Self, ConfigError> {
        let at_least_one = [
            ("plugins.max_bytes", self.plugins.max_bytes),
            ("artifacts.max_bytes", self.artifacts.max_bytes),
            ("public.max_body_bytes", self.public.max_body_bytes as u64),
            ("public.max_requests", self.public.max_requests as u64),
            ("public.timeout_ms", self.public.timeout_ms),
            ("scoring.interval_ms", self.scoring.interval_ms),
            (
                "scoring.max_catch_up_days",
                self.scoring.max_catch_up_days.into(),
            ),
            ("scoring.max_attempts", self.scoring.max_attempts.into()),
            (
                "sandbox.max_concurrent_calls",
                self.sandbox.max_concurrent_calls.unwrap_or(1).into(),
            ),
            (
                "sandbox.max_route_calls",
                self.sandbox.max_route_calls.into(),
            ),
        ];
        if self.artifacts.max_total_bytes < self.artifacts.max_bytes {
            let problem = "is less than artifacts.max_bytes";
            return Err(ConfigError::key("artifacts.max_total_bytes", problem));
        }
        if let Some((key, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::key(key, "must be at least 1"));
        }
        let not_negative = [
            ("scoring.retry_s", self.scoring.retry_s),
            ("scoring.max_retry_s", self.scoring.max_retry_s),
        ];
        for (key, value) in not_negative {
            if !value.is_finite() || value < 0.0 {
                return Err(ConfigError::key(key, format!("{value} is not at least 0")));
            }
        }
        let at_most = [
            ("public.max_requests", self.public.max_requests, 1_000_000),
            ("public.max_streams", self.public.max_streams, 1_000_000),
            (
                "sandbox.max_concurrent_calls",
                self.sandbox.max_concurrent_calls.unwrap_or(1) as usize,
                1_024,
            ),
            (
                "sandbox.max_route_calls",
                self.sandbox.max_route_calls as usize,
                1_024,
            ),
        ];
        if let Some((key, value, most)) = at_most.into_iter().find(|(_, value, most)| value > most)
        {
            return Err(ConfigError::key(
                key,
                format!("{value} is more than {most}"),
            ));
        }
        for (key, path) in [
            ("data_dir", &self.data_dir),
            ("plugins.dir", &self.plugins.dir),
        ] {
            if path.as_os_str().is_empty() {
                return Err(ConfigError::key(key, "is empty"));
            }
        }
        if self.scoring.max_retry_s < self.scoring.retry_s {
            let problem = format!("is less than scoring.retry_s ({})", self.scoring.retry_s);
            return Err(ConfigError::key("scoring.max_retry_s", problem));
        }
        if self.scoring.hour > 23 {
            let problem = format!("{} is not an hour: 0 to 23", self.scoring.hour);
            return Err(ConfigError::key("scoring.hour", problem));
        }
        self.admin.check()?;
        self.registry.check()?;
        if self.public.listen == self.admin.listen && self.admin.listen.port() != 0 {
            return Err(ConfigError::key(
                "admin.listen",
                "is the public listener's address",
            ));
        }
        self.commits.check()?;
        self.storage.check()?;
        self.archive.check()?;
        self.backup.check()?;
        self.receipts.check()?;
        self.validators.check()?;
        self.miners.check()?;
        self.chain.check()?;
        self.weights.check()?;
        self.fallback_weights.check()?;
        if self.weights.submit {
            if self.wallet.name.is_none() {
                let problem = "whoever submits signs: set wallet.name";
                return Err(ConfigError::key("weights.submit", problem));
            }
            if self.chain.mode() == ChainMode::Offline {
                let problem = "there is no chain to submit to: set chain.network";
                return Err(ConfigError::key("weights.submit", problem));
            }
        }
        if self.storage.url.is_some() && self.wallet.name.is_none() {
            let problem = "the storage service wants signed requests: set wallet.name";
            return Err(ConfigError::key("storage.url", problem));
        }
        for (name, challenge) in &self.challenges {
            if !is_challenge_name(name) {
                let problem = format!("the name is not {CHALLENGE_NAME}");
                return Err(ConfigError::key(format!("challenges.{name}"), problem));
            }
            challenge.check(&format!("challenges.{name}"))?;
        }
        Ok(self)
    }
}
