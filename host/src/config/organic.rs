//! Organic scoring: what is queued, when an iteration is due, and how miners are asked.

use super::ConfigError;
use crate::chain::ss58;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use utoipa::ToSchema;

/// What an iteration is triggered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Time.
    #[default]
    Seconds,
    /// Steps, which somebody counts up.
    Steps,
}

/// Which of the queued samples is next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Any, each as likely as the others.
    #[default]
    Uniform,
    /// That of the greatest priority; of these the oldest.
    Priority,
}

/// Who may send entries, of those who sign them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Callers {
    /// Every hotkey.
    Anyone,
    /// Those that are registered on the subnet.
    #[default]
    Registered,
    /// Those that may set weights.
    Validators,
}

/// Section `challenges.<name>.organic`, of a challenge with the capability `organic`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Organic {
    /// What an iteration is triggered by: `seconds` or `steps`. Default: `seconds`.
    pub trigger: Trigger,
    /// Seconds, or steps, from the begin of one iteration to that of the next while the
    /// queue is empty. Default: 15.
    pub frequency: f64,
    /// The least that it becomes while the queue is long, at least 0.01 seconds or 1
    /// step. Default: 2.
    pub frequency_min: f64,
    /// Queued samples that make it less by one: `max(frequency − size / scaling,
    /// frequency_min)`. Above 0. Default: 5.
    pub scaling: f64,
    /// Iterations at a time, 1 to 64. More wait for one to end: with hanging miners the
    /// rate holds if this is at least `miner_timeout_ms` / `frequency_min`. Default: 8.
    pub concurrency: u32,
    /// Which of the queued samples is next. Default: `uniform`.
    pub sampling: Sampling,
    /// Samples that are queued, 1 to 1,000,000; of more the oldest is dropped.
    /// Default: 10 000.
    pub queue_max: u32,
    /// The part of the queue that one caller's samples may take, above 0 to 1; a caller
    /// may always have one. Default: 0.1.
    pub caller_share: f64,
    /// Seconds in which the same sample is taken once. Default: 300.
    pub dedupe_s: f64,
    /// Iterations that a sample is tried in before it is kept for inspection, 1 to 100.
    /// Default: 3.
    pub max_attempts: u32,
    /// Seconds from a failed iteration to the next with the same sample. Default: 5.
    pub retry_s: f64,
    /// Who may send entries. Default: `registered`.
    pub callers: Callers,
    /// Hotkeys that may not, whoever may. Default: none.
    pub blacklist: BTreeSet<String>,
    /// Largest body of an entry, in bytes, 1 to 8 MiB. Default: 1 MiB.
    pub max_body_bytes: usize,
    /// Fields of an entry that a bittensor client before version 11 signs: the
    /// `required_hash_fields` of the synapse, in order. Default: none; then its
    /// signature does not cover the body.
    pub hash_fields: Vec<String>,
    /// Milliseconds that a miner has for its answer, 1 to 600,000. Default: 12 000.
    pub miner_timeout_ms: u64,
    /// Milliseconds that the reference may take, 1 to 600,000. Default: 30 000.
    pub reference_timeout_ms: u64,
    /// Largest answer of a miner, in bytes, 1 to 64 MiB. All answers of an iteration
    /// have a 32nd of `limits.memory_bytes` together: while they are more, the largest
    /// is too large. Default: 256 KiB.
    pub max_response_bytes: usize,
    /// The part of the challenge's emission that organic rewards decide, 0 to 1, where
    /// the challenge has `get_weights` as well; without it they decide all. Default:
    /// 0.5.
    pub weights_share: f64,
    /// Seconds for which ended entries and iterations are kept. Default: 604 800, seven
    /// days.
    pub keep_s: f64,
    /// Seconds for which the whole records of iterations are kept, of at most `keep_s`:
    /// samples, answers and digests. Timings and rewards stay as long as the iteration.
    /// Default: 86 400, a day.
    pub record_keep_s: f64,
}

impl Default for Organic {
    fn default() -> Self {
        Organic {
            trigger: Trigger::default(),
            frequency: 15.0,
            frequency_min: 2.0,
            scaling: 5.0,
            concurrency: 8,
            sampling: Sampling::default(),
            queue_max: 10_000,
            caller_share: 0.1,
            dedupe_s: 300.0,
            max_attempts: 3,
            retry_s: 5.0,
            callers: Callers::default(),
            blacklist: BTreeSet::new(),
            max_body_bytes: 1 << 20,
            hash_fields: Vec::new(),
            miner_timeout_ms: 12_000,
            reference_timeout_ms: 30_000,
            max_response_bytes: 256 << 10,
            weights_share: 0.5,
            keep_s: 604_800.0,
            record_keep_s: 86_400.0,
        }
    }
}

impl Organic {
    /// Samples that one caller may have queued.
    #[must_use]
    pub fn most_of_caller(&self) -> u32 {
        let most = (f64::from(self.queue_max) * self.caller_share).floor();
        // Saturates, and the queue is no longer than that.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a u32"
        )]
        let most = most as u32;
        most.max(1)
    }

    /// What is wrong with it: each field, and why.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems: Vec<(String, String)> = Vec::new();
        let mut problem = |field: &str, message: String| problems.push((field.into(), message));
        let least = match self.trigger {
            Trigger::Seconds => 0.01,
            Trigger::Steps => 1.0,
        };
        // Written so that a NaN is a problem.
        for (field, value, least, most) in [
            ("frequency_min", self.frequency_min, least, 1e9),
            ("frequency", self.frequency, self.frequency_min, 1e9),
            ("dedupe_s", self.dedupe_s, 0.0, 1e9),
            ("retry_s", self.retry_s, 0.0, 86_400.0),
            ("weights_share", self.weights_share, 0.0, 1.0),
            ("keep_s", self.keep_s, 60.0, 1e9),
            ("record_keep_s", self.record_keep_s, 60.0, 1e9),
        ] {
            if !(least..=most).contains(&value) {
                problem(field, format!("{value} is not in {least} to {most}"));
            }
        }
        if !(self.scaling.is_finite() && self.scaling > 0.0) {
            problem("scaling", format!("{} is not above 0", self.scaling));
        }
        if !(self.caller_share > 0.0 && self.caller_share <= 1.0) {
            let message = format!("{} is not above 0 and at most 1", self.caller_share);
            problem("caller_share", message);
        }
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        for (field, value, most) in [
            ("concurrency", self.concurrency.into(), 64),
            ("queue_max", self.queue_max.into(), 1_000_000),
            ("max_attempts", self.max_attempts.into(), 100),
            ("max_body_bytes", bytes(self.max_body_bytes), 8 << 20),
            ("miner_timeout_ms", self.miner_timeout_ms, 600_000),
            ("reference_timeout_ms", self.reference_timeout_ms, 600_000),
            (
                "max_response_bytes",
                bytes(self.max_response_bytes),
                64 << 20,
            ),
        ] {
            if !(1..=most).contains(&value) {
                problem(field, format!("{value} is not in 1 to {most}"));
            }
        }
        for hotkey in &self.blacklist {
            if ss58::decode(hotkey).is_none() {
                problem("blacklist", format!("{hotkey:?} is no hotkey"));
            }
        }
        problems
    }
}

/// Section `miners`: how miners are asked, for all challenges together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Miners {
    /// Requests to miners at a time, 1 to 10,000. More wait. Default: 512.
    pub concurrency: usize,
    /// Requests of one challenge to one miner at a time, 1 to 1,000; one, after it let a
    /// request time out, until it answers in time again. It counts as busy for those
    /// above. Default: 4.
    pub per_miner: usize,
    /// Private networks whose axons are asked, as in `10.0.0.0/8` or `127.0.0.1`.
    /// Default: none.
    pub private_networks: Vec<String>,
}

impl Default for Miners {
    fn default() -> Self {
        Miners {
            concurrency: 512,
            per_miner: 4,
            private_networks: Vec::new(),
        }
    }
}

impl Miners {
    /// The private networks whose axons are asked.
    #[must_use]
    pub fn networks(&self) -> Vec<ipnet::IpNet> {
        let networks = self.private_networks.iter();
        networks.filter_map(|text| network(text)).collect()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value, most) in [
            ("miners.concurrency", self.concurrency, 10_000),
            ("miners.per_miner", self.per_miner, 1_000),
        ] {
            if !(1..=most).contains(&value) {
                return Err(ConfigError::key(
                    key,
                    format!("{value} is not in 1 to {most}"),
                ));
            }
        }
        let mut networks = self.private_networks.iter();
        match networks.find(|text| network(text).is_none()) {
            Some(text) => {
                let problem = format!("{text:?} is no network, as in 10.0.0.0/8 or 127.0.0.1");
                Err(ConfigError::key("miners.private_networks", problem))
            }
            None => Ok(()),
        }
    }
}

/// A network, or an address as the network of itself.
fn network(text: &str) -> Option<ipnet::IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(ipnet::IpNet::from);
    text.parse().ok().or_else(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(organic: &Organic) -> Vec<String> {
        let problems = organic.problems().into_iter();
        problems.map(|(field, _)| field).collect()
    }

    #[test]
    fn a_rate_that_is_none_is_refused() {
        assert_eq!(fields(&Organic::default()), [""; 0]);
        for (frequency, frequency_min, scaling, wrong) in [
            (1.0, 2.0, 5.0, "frequency"),
            (f64::NAN, 2.0, 5.0, "frequency"),
            (15.0, 0.0, 5.0, "frequency_min"),
            (15.0, 2.0, 0.0, "scaling"),
            (15.0, 2.0, -1.0, "scaling"),
            (15.0, 2.0, f64::INFINITY, "scaling"),
        ] {
            let organic = Organic {
                frequency,
                frequency_min,
                scaling,
                ..Organic::default()
            };
            assert_eq!(fields(&organic), [wrong]);
        }
    }

    #[test]
    fn what_is_kept_is_kept_for_a_minute_at_least() {
        let organic = Organic {
            keep_s: 59.0,
            record_keep_s: f64::NAN,
            ..Organic::default()
        };
        assert_eq!(fields(&organic), ["keep_s", "record_keep_s"]);
    }

    #[test]
    fn an_iteration_costs_at_least_one_step() {
        let organic = |trigger| Organic {
            trigger,
            frequency_min: 0.5,
            ..Organic::default()
        };
        assert_eq!(fields(&organic(Trigger::Seconds)), [""; 0]);
        assert_eq!(fields(&organic(Trigger::Steps)), ["frequency_min"]);
    }

    #[test]
    fn a_caller_may_always_have_one() {
        let most = |queue_max, caller_share| {
            let organic = Organic {
                queue_max,
                caller_share,
                ..Organic::default()
            };
            organic.most_of_caller()
        };
        assert_eq!(most(10_000, 0.1), 1_000);
        assert_eq!(most(10_000, 1.0), 10_000);
        assert_eq!(most(5, 0.1), 1);
    }

    #[test]
    fn a_network_is_one_address_or_many() {
        let miners = |networks: &[&str]| Miners {
            private_networks: networks.iter().map(|text| (*text).to_owned()).collect(),
            ..Miners::default()
        };
        let good = miners(&["127.0.0.1", "10.0.0.0/8", "fd00::/8"]);
        assert!(good.check().is_ok());
        assert_eq!(good.networks().len(), 3);
        let error = miners(&["localhost"]).check().unwrap_err();
        assert!(error.to_string().starts_with("miners.private_networks"));
    }
}
