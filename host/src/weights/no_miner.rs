//! What is paid when no miner earned anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{BURN_UID, Limits};

/// What to do when no miner earned anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoMiner {
    /// Pay the burn uid, with as many others beside it as the chain's limits
    /// ask for: [`burn_vector`].
    #[default]
    Burn,
    /// Pay every registered uid the same, the burn uid too.
    Uniform,
    /// Submit nothing: the vector is empty.
    Skip,
}

/// No vector that the chain would accept can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMinerError {
    /// The limit allows no weight at all.
    #[error("max_weight_limit={0} admits no positive weight")]
    NoPositiveWeight(u16),
    /// Fewer uids than the limits ask for.
    #[error(
        "cannot build a chain-valid zero-miner weight vector: need {required} uids \
         (min_allowed_weights={}, max_weight_limit={}) but only {usable} usable uid(s) available",
        limits.min_allowed_weights, limits.max_weight_limit
    )]
    TooFewUids {
        /// How many are needed.
        required: usize,
        /// How many there are.
        usable: usize,
        /// What asks for them.
        limits: Limits,
    },
}

impl NoMiner {
    /// The vector of this policy, in ascending order of uid, with sum 1 (or
    /// empty).
    ///
    /// # Errors
    ///
    /// [`NoMinerError`] if [`NoMiner::Burn`] cannot meet the limits; the others
    /// leave that to [`conform`](super::conform).
    pub fn vector(
        self,
        limits: Limits,
        uids: &BTreeSet<u16>,
    ) -> Result<BTreeMap<u16, f64>, NoMinerError> {
        match self {
            Self::Burn => burn_vector(limits, uids, BURN_UID, true),
            Self::Uniform => Ok(equal(uids.iter().copied(), uids.len())),
            Self::Skip => Ok(BTreeMap::new()),
        }
    }
}

/// Equal weights for as few uids as the limits allow, the burn uid first and
/// then the others in ascending order.
///
/// `max(min_allowed_weights, 1, ⌈1 / (max_weight_limit / 65535)⌉)` uids are
/// needed. The burn uid counts even if it is not in `uids`, unless
/// `burn_self_vote` is off, which leaves it out.
///
/// Formula: PlatformNetwork f55e52b6 `build_zero_miner_weights`.
///
/// # Errors
///
/// [`NoMinerError`] if the limit is 0 or there are too few uids.
pub fn burn_vector(
    limits: Limits,
    uids: &BTreeSet<u16>,
    burn_uid: u16,
    burn_self_vote: bool,
) -> Result<BTreeMap<u16, f64>, NoMinerError> {
    if limits.max_weight_limit == 0 {
        return Err(NoMinerError::NoPositiveWeight(limits.max_weight_limit));
    }
    let for_limit = u16::MAX.div_ceil(limits.max_weight_limit);
    let required = usize::from(limits.min_allowed_weights.max(for_limit).max(1));
    let others = uids.iter().copied().filter(|uid| *uid != burn_uid);
    let candidates = burn_self_vote.then_some(burn_uid).into_iter().chain(others);
    let usable = candidates.clone().count();
    if usable < required {
        return Err(NoMinerError::TooFewUids {
            required,
            usable,
            limits,
        });
    }
    Ok(equal(candidates, required))
}

#[allow(clippy::cast_precision_loss)] // at most 65536 uids
fn equal(uids: impl Iterator<Item = u16>, count: usize) -> BTreeMap<u16, f64> {
    uids.take(count)
        .map(|uid| (uid, 1.0 / count as f64))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_that_of_the_exact_fraction() {
        for limit in 1..=u16::MAX {
            let required = (1.0 / (f64::from(limit) / 65535.0).min(1.0)).ceil();
            assert_eq!(f64::from(u16::MAX.div_ceil(limit)), required, "{limit}");
        }
    }

    #[test]
    fn a_limit_of_zero_admits_nothing() {
        let limits = Limits {
            max_weight_limit: 0,
            ..Limits::default()
        };
        let error = burn_vector(limits, &BTreeSet::from([0, 1]), 0, true).unwrap_err();
        assert_eq!(error, NoMinerError::NoPositiveWeight(0));
    }

    #[test]
    fn uniform_pays_all_and_skip_nobody() {
        let uids = BTreeSet::from([0, 3, 4, 9]);
        let uniform = NoMiner::Uniform.vector(Limits::default(), &uids).unwrap();
        assert_eq!(
            uniform.into_iter().collect::<Vec<_>>(),
            [(0, 0.25), (3, 0.25), (4, 0.25), (9, 0.25)]
        );
        assert!(
            NoMiner::Skip
                .vector(Limits::default(), &uids)
                .unwrap()
                .is_empty()
        );
    }
}
