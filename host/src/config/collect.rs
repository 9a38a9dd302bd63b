//! How commits are collected.

use super::ConfigError;
use crate::commits::DEFAULT_REVEAL_INTERVAL;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Section `commits`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Commits {
    /// The least stake of a validator that is heard, in the metagraph's unit.
    /// Default: 10 000.
    pub min_validator_stake: f64,
    /// Seconds from one round of collecting to the next. Default: 60.
    pub epoch_length_s: f64,
    /// When a commit may be opened. Default: `interval`.
    pub reveal_rule: RevealRule,
    /// Seconds from a commit to its reveal, for the rule `interval`. Default:
    /// 86 400.
    pub reveal_interval_s: f64,
    /// How many versions of a miner's commit of one challenge are judged on a day:
    /// the newest. Default: 2.
    pub max_versions: usize,
    /// Which of the times that validators claim for a commit counts. Default:
    /// `earliest`.
    pub timestamp: TimestampPolicy,
    /// How many validators must have seen a commit, for the policy `quorum`: the
    /// time at which that many had counts. Default: 2.
    pub quorum: usize,
    /// A validator that claims to have seen a commit more than so many seconds before
    /// it last told of what it has seen, without this commit or with a later time,
    /// is counted as backdating it. Default: 3 600.
    pub backdate_tolerance_s: f64,
    /// Seconds by which the time of a signed request may differ from ours.
    /// Default: 300.
    pub max_request_age_s: f64,
}

impl Default for Commits {
    fn default() -> Self {
        Commits {
            min_validator_stake: 10_000.0,
            epoch_length_s: 60.0,
            reveal_rule: RevealRule::Interval,
            reveal_interval_s: DEFAULT_REVEAL_INTERVAL,
            max_versions: 2,
            timestamp: TimestampPolicy::Earliest,
            quorum: 2,
            backdate_tolerance_s: 3_600.0,
            max_request_age_s: 300.0,
        }
    }
}

impl Commits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let not_negative = [
            ("commits.min_validator_stake", self.min_validator_stake),
            ("commits.reveal_interval_s", self.reveal_interval_s),
            ("commits.backdate_tolerance_s", self.backdate_tolerance_s),
            ("commits.max_request_age_s", self.max_request_age_s),
        ];
        for (key, value) in not_negative {
            if !value.is_finite() || value < 0.0 {
                return Err(ConfigError::key(key, format!("{value} is not at least 0")));
            }
        }
        if !(0.01..=86_400.0).contains(&self.epoch_length_s) {
            let problem = format!("{} is not in 0.01 to 86400", self.epoch_length_s);
            return Err(ConfigError::key("commits.epoch_length_s", problem));
        }
        for (key, value) in [
            ("commits.max_versions", self.max_versions),
            ("commits.quorum", self.quorum),
        ] {
            if value == 0 {
                return Err(ConfigError::key(key, "must be at least 1"));
            }
        }
        Ok(())
    }
}

/// When a commit may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevealRule {
    /// `commits.reveal_interval_s` after its timestamp.
    Interval,
    /// From midnight on, if it came before `scoring.hour` of the day before.
    ScoringHour,
}

/// Which of the times that validators claim for a commit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampPolicy {
    /// The earliest.
    Earliest,
    /// The middle one; of an even number the earlier of the two.
    Median,
    /// The time at which `commits.quorum` validators had seen it; unknown while
    /// fewer have.
    Quorum,
}

/// Section `storage`: the service by which validators publish commits, and where
/// results are kept as well.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Base address, `http` or `https`. Default: none; commits come by
    /// `POST /v1/commits` and `proctor ingest`.
    pub url: Option<String>,
    /// Requests at a time. Default: 8.
    pub max_concurrent: usize,
    /// Milliseconds that one request may take. Default: 10 000.
    pub timeout_ms: u64,
    /// Largest answer, in bytes. Default: 64 MiB.
    pub max_answer_bytes: usize,
    /// Part of the epoch, 0 to 1, over which the requests of a round are spread.
    /// Default: 0.2.
    pub jitter: f64,
    /// The most seconds between attempts to deliver a result. Default: 600.
    pub max_retry_s: f64,
}

impl Default for Storage {
    fn default() -> Self {
        Storage {
            url: None,
            max_concurrent: 8,
            timeout_ms: 10_000,
            max_answer_bytes: 64 << 20,
            jitter: 0.2,
            max_retry_s: 600.0,
        }
    }
}

impl Storage {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(url) = &self.url {
            let known = reqwest::Url::parse(url)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !known {
                let problem = format!("{url:?} is not an http or https address");
                return Err(ConfigError::key("storage.url", problem));
            }
        }
        for (key, value) in [
            ("storage.max_concurrent", self.max_concurrent as u64),
            ("storage.timeout_ms", self.timeout_ms),
            ("storage.max_answer_bytes", self.max_answer_bytes as u64),
        ] {
            if value == 0 {
                return Err(ConfigError::key(key, "must be at least 1"));
            }
        }
        if self.max_concurrent > 1_024 {
            let problem = format!("{} is more than 1024", self.max_concurrent);
            return Err(ConfigError::key("storage.max_concurrent", problem));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            let problem = format!("{} is not in 0 to 1", self.jitter);
            return Err(ConfigError::key("storage.jitter", problem));
        }
        if !self.max_retry_s.is_finite() || self.max_retry_s < 0.0 {
            let problem = format!("{} is not at least 0", self.max_retry_s);
            return Err(ConfigError::key("storage.max_retry_s", problem));
        }
        Ok(())
    }
}
