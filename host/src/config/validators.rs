//! Validators that do evaluations again.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Section `validators`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Validators {
    /// Seconds from one heartbeat to the next that validators are asked for.
    /// Default: 60.
    pub heartbeat_s: f64,
    /// Seconds without a word after which a validator counts as offline. Default: 180.
    pub offline_s: f64,
    /// Seconds for which a validator has an assignment, from when it got it or last told
    /// of its progress. Default: 900.
    pub lease_s: f64,
    /// How often an evaluation is tried again before it is given up, or said to be
    /// contradicted. Default: 3.
    pub max_attempts: u32,
    /// Assignments that a validator may have at a time, at most 1,000. Default: 4.
    pub max_open_per_validator: u32,
    /// Part of the finished evaluations that are to be done again, 0 to 1. Default:
    /// 0.05.
    pub audit_share: f64,
}

impl Default for Validators {
    fn default() -> Self {
        Validators {
            heartbeat_s: 60.0,
            offline_s: 180.0,
            lease_s: 900.0,
            max_attempts: 3,
            max_open_per_validator: 4,
            audit_share: 0.05,
        }
    }
}

impl Validators {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, seconds) in [
            ("validators.heartbeat_s", self.heartbeat_s),
            ("validators.offline_s", self.offline_s),
            ("validators.lease_s", self.lease_s),
        ] {
            if !(1.0..=86_400.0).contains(&seconds) {
                let problem = format!("{seconds} is not in 1 to 86400");
                return Err(ConfigError::key(key, problem));
            }
        }
        if self.offline_s < self.heartbeat_s {
            let problem = format!("is less than validators.heartbeat_s ({})", self.heartbeat_s);
            return Err(ConfigError::key("validators.offline_s", problem));
        }
        for (key, number, most) in [
            ("validators.max_attempts", self.max_attempts, 100),
            (
                "validators.max_open_per_validator",
                self.max_open_per_validator,
                1_000,
            ),
        ] {
            if !(1..=most).contains(&number) {
                let problem = format!("{number} is not in 1 to {most}");
                return Err(ConfigError::key(key, problem));
            }
        }
        if !(0.0..=1.0).contains(&self.audit_share) {
            let problem = format!("{} is not in 0 to 1", self.audit_share);
            return Err(ConfigError::key("validators.audit_share", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_told_by_its_key() {
        let wrong = |change: fn(&mut Validators)| {
            let mut section = Validators::default();
            change(&mut section);
            let error = section.check().unwrap_err().to_string();
            error.split_once(": ").unwrap().0.to_owned()
        };
        assert!(Validators::default().check().is_ok());
        assert_eq!(wrong(|v| v.lease_s = 0.0), "validators.lease_s");
        assert_eq!(
            wrong(|v| v.heartbeat_s = f64::NAN),
            "validators.heartbeat_s"
        );
        assert_eq!(wrong(|v| v.offline_s = 59.0), "validators.offline_s");
        assert_eq!(wrong(|v| v.max_attempts = 0), "validators.max_attempts");
        let open = "validators.max_open_per_validator";
        assert_eq!(wrong(|v| v.max_open_per_validator = 1_001), open);
        assert_eq!(wrong(|v| v.audit_share = 1.1), "validators.audit_share");
    }
}
