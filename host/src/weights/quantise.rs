//! Floats by uid to the `u16` pairs of the chain's weight calls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{BURN_UID, Limits};

const MAX: f64 = 65_535.0;

/// Keeps the result of [`clip`] just under the limit after rounding; from
/// bittensor 11.3.0.
const EPSILON: f64 = 1e-7;

/// A vector as the chain takes it: two lists of one length, in ascending order
/// of uid, without zeros. The greatest value is 65535, unless it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quantised {
    /// The uids to be paid; the call's `dests`.
    pub uids: Vec<u16>,
    /// Their weights relative to the greatest, in 65535ths; the call's `weights`.
    pub values: Vec<u16>,
}

impl Quantised {
    /// The greatest weight as a part of the sum, 0 to 1, if it is above
    /// `max_weight_limit`, in 65535ths. A weight on oneself alone has no limit.
    #[must_use]
    pub fn above(&self, max_weight_limit: u16) -> Option<f64> {
        let sum: u64 = self.values.iter().copied().map(u64::from).sum();
        let greatest = u64::from(self.values.iter().copied().max()?);
        let is_above = greatest * u64::from(u16::MAX) > u64::from(max_weight_limit) * sum;
        // Both are below 2^33.
        #[allow(clippy::cast_precision_loss)]
        is_above.then(|| greatest as f64 / sum as f64)
    }
}

/// What to do with fewer weights than the chain asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooFew {
    /// Refuse the vector, with the reason.
    #[default]
    Refuse,
    /// Add registered uids with the least weight that there is.
    Pad,
}

/// Why a vector is not one for the chain.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum QuantiseError {
    /// A weight is NaN, infinite or negative.
    #[error("the weight of uid {uid} is {weight}, which is not finite and at least 0")]
    InvalidWeight {
        /// The uid.
        uid: u16,
        /// Its weight.
        weight: f64,
    },
    /// A uid occurs twice.
    #[error("uid {0} occurs twice")]
    DuplicateUid(u16),
    /// No weight is greater than 0.
    #[error("all weights are zero; nothing to set")]
    AllZero,
    /// Fewer weights remain after rounding than the chain asks for.
    #[error("the subnet requires at least {required} weights; only {nonzero} are nonzero")]
    TooFew {
        /// The least number of weights.
        required: u16,
        /// How many are not zero.
        nonzero: usize,
    },
}

/// Divides by the greatest weight and rounds to 65535ths.
///
/// `round_half_even(weight / max · 65535)` in `f64`; zeros are dropped before
/// and after rounding. All zeros, or nothing, give an empty vector. The order of
/// `weights` does not matter, and they need not sum to anything.
///
/// Formula: bittensor 11.3.0 `intents.weights.normalize`. bittensor 10 first
/// rounds each weight to `f32`, which moves some results by one.
///
/// # Errors
///
/// [`QuantiseError::InvalidWeight`] or [`QuantiseError::DuplicateUid`].
pub fn quantise(weights: &[(u16, f64)]) -> Result<Quantised, QuantiseError> {
    let sorted = checked(weights)?;
    let max = sorted.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
    let mut quantised = Quantised::default();
    if max == 0.0 {
        return Ok(quantised);
    }
    for (uid, weight) in sorted {
        // From 0 to 65535 by construction, so the cast loses nothing.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let value = (weight / max * MAX).round_ties_even() as u16;
        if value != 0 {
            quantised.uids.push(uid);
            quantised.values.push(value);
        }
    }
    Ok(quantised)
}

/// Clips weights to the chain's limit, [`quantise`]s, and checks the count.
///
/// A weight above `max_weight_limit` of the sum is clipped so that the greatest
/// lands on the limit. All become equal if no vector of this length can meet the
/// limit, or if a few weights have the whole sum up to 1e-7. If `own_uid`, the validator's own, is the only uid given, no limit
/// applies.
///
/// If fewer remain than `min_allowed_weights`, others of `pad_with` are added with a
/// value of 1, the least that there is: first those whose weight was rounded to
/// nothing, the greatest first; then [`BURN_UID`]; then the rest by uid. Nobody is
/// added if `pad_with` is empty.
///
/// Formula: bittensor 11.3.0 `intents.weights._conform`, which never pads.
///
/// # Errors
///
/// A [`QuantiseError`].
pub fn conform(
    weights: &[(u16, f64)],
    limits: Limits,
    own_uid: Option<u16>,
    pad_with: &BTreeSet<u16>,
) -> Result<Quantised, QuantiseError> {
    let only_self = matches!(weights, [(uid, _)] if Some(*uid) == own_uid);
    let mut weights = checked(weights)?;
    if !weights.iter().any(|(_, weight)| *weight > 0.0) {
        return Err(QuantiseError::AllZero);
    }
    if !only_self && limits.max_weight_limit < u16::MAX {
        clip(&mut weights, f64::from(limits.max_weight_limit) / MAX);
    }
    let mut quantised = quantise(&weights)?;
    let nonzero = quantised.uids.len();
    let required = usize::from(limits.min_allowed_weights);
    if only_self || nonzero >= required {
        return Ok(quantised);
    }
    pad(&mut quantised, required, &weights, pad_with);
    if quantised.uids.len() < required {
        return Err(QuantiseError::TooFew {
            required: limits.min_allowed_weights,
            nonzero,
        });
    }
    Ok(quantised)
}

fn pad(
    quantised: &mut Quantised,
    required: usize,
    weights: &[(u16, f64)],
    pad_with: &BTreeSet<u16>,
) {
    let rank = |uid: u16| {
        let earned = weights.iter().find(|(of, _)| *of == uid);
        (
            -earned.map_or(0.0, |(_, weight)| *weight),
            uid != BURN_UID,
            uid,
        )
    };
    let mut others: Vec<_> = pad_with
        .iter()
        .filter(|uid| quantised.uids.binary_search(uid).is_err())
        .map(|uid| rank(*uid))
        .collect();
    others.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let missing = required.saturating_sub(quantised.uids.len());
    let added = others.into_iter().take(missing).map(|(.., uid)| (uid, 1));
    let kept = quantised
        .uids
        .iter()
        .copied()
        .zip(quantised.values.iter().copied());
    let all: BTreeMap<u16, u16> = kept.chain(added).collect();
    (quantised.uids, quantised.values) = all.into_iter().unzip();
}

fn checked(weights: &[(u16, f64)]) -> Result<Vec<(u16, f64)>, QuantiseError> {
    let mut seen = BTreeSet::new();
    for &(uid, weight) in weights {
        if !weight.is_finite() || weight < 0.0 {
            return Err(QuantiseError::InvalidWeight { uid, weight });
        }
        if !seen.insert(uid) {
            return Err(QuantiseError::DuplicateUid(uid));
        }
    }
    let mut sorted = weights.to_vec();
    sorted.sort_unstable_by_key(|(uid, _)| *uid);
    Ok(sorted)
}

/// bittensor 11.3.0 `clip_to_max_weight`; at least one weight is positive.
///
/// In the order of its operations too: a last bit decides ties in rounding.
#[allow(clippy::cast_precision_loss)] // at most 65536 uids
fn clip(weights: &mut [(u16, f64)], limit: f64) {
    let count = weights.len() as f64;
    if !sum(weights).is_finite() {
        let max = weights
            .iter()
            .map(|(_, weight)| *weight)
            .fold(0.0, f64::max);
        weights.iter_mut().for_each(|(_, weight)| *weight /= max);
    }
    let total = sum(weights);
    let mut ascending: Vec<f64> = weights.iter().map(|(_, weight)| weight / total).collect();
    ascending.sort_unstable_by(f64::total_cmp);
    let cutoff = if count * limit <= 1.0 {
        0.0
    } else {
        cutoff(&ascending, limit) * total
    };
    for (_, weight) in weights.iter_mut() {
        // Below 0 where a few weights have all but EPSILON of the sum.
        *weight = if cutoff > 0.0 {
            weight.min(cutoff)
        } else {
            1.0
        };
    }
    let total = sum(weights);
    weights.iter_mut().for_each(|(_, weight)| *weight /= total);
}

fn sum(weights: &[(u16, f64)]) -> f64 {
    weights.iter().map(|(_, weight)| *weight).sum()
}

/// What to clip to, of weights in ascending order with sum 1.
#[allow(clippy::cast_precision_loss)]
fn cutoff(ascending: &[f64], limit: f64) -> f64 {
    if ascending.last().is_some_and(|greatest| *greatest <= limit) {
        return f64::INFINITY;
    }
    let count = ascending.len() as f64;
    let mut below = 0.0;
    let (mut kept, mut kept_sum) = (0.0, 0.0);
    for (index, weight) in ascending.iter().enumerate() {
        below += weight;
        let above = count - index as f64 - 1.0;
        if weight / (above * weight + below + EPSILON) < limit {
            kept += 1.0;
            kept_sum = below;
        }
    }
    (limit * kept_sum - EPSILON) / (1.0 - limit * (count - kept))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even_and_zeros_go() {
        let weights = [(9, 131_070.0), (3, 1.0), (4, 3.0), (5, 0.0), (6, 5.0)];
        let quantised = quantise(&weights).unwrap();
        assert_eq!(quantised.uids, [4, 6, 9]);
        assert_eq!(quantised.values, [2, 2, 65535]);
    }

    #[test]
    fn the_extremes_of_f64_are_exact() {
        let values = |weights: &[(u16, f64)]| quantise(weights).unwrap().values;
        assert_eq!(
            values(&[(0, f64::MAX), (1, f64::MAX / 2.0)]),
            [65535, 32768]
        );
        assert_eq!(
            values(&[(0, f64::from_bits(1)), (1, f64::from_bits(2))]),
            [32768, 65535]
        );
        assert!(values(&[(0, 0.0), (1, -0.0)]).is_empty());
        assert!(values(&[]).is_empty());
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        for weight in [f64::NAN, f64::INFINITY, -1.0] {
            let error = quantise(&[(1, 1.0), (7, weight)]).unwrap_err();
            assert!(matches!(error, QuantiseError::InvalidWeight { uid: 7, .. }));
        }
        assert_eq!(
            quantise(&[(1, 1.0), (1, 2.0)]),
            Err(QuantiseError::DuplicateUid(1))
        );
    }

    #[test]
    fn limits_are_refused_or_clipped_but_not_for_a_self_weight() {
        let limits = Limits {
            min_allowed_weights: 2,
            max_weight_limit: 32_768,
        };
        assert_eq!(
            conform(&[(1, 0.0)], limits, None, &BTreeSet::new()),
            Err(QuantiseError::AllZero)
        );
        let one = conform(&[(1, 1.0)], limits, None, &BTreeSet::new());
        assert_eq!(
            one,
            Err(QuantiseError::TooFew {
                required: 2,
                nonzero: 1
            })
        );
        assert_eq!(
            conform(&[(1, 1.0)], limits, Some(1), &BTreeSet::new())
                .unwrap()
                .values,
            [65535]
        );
        let clipped = conform(
            &[(1, f64::MAX), (2, f64::MAX / 9.0), (3, f64::MAX / 9.0)],
            limits,
            None,
            &BTreeSet::new(),
        );
        assert_eq!(clipped.unwrap().values, [65535, 32767, 32767]);
    }

    #[test]
    fn a_limit_that_cannot_be_met_is_found() {
        let of = |values: &[u16]| Quantised {
            uids: (0..).take(values.len()).collect(),
            values: values.to_vec(),
        };
        assert_eq!(of(&[65_535; 4]).above(6_553), Some(0.25));
        assert_eq!(of(&[65_535; 4]).above(16_384), None);
        assert_eq!(of(&[65_535, 32_767, 32_767]).above(32_768), None);
        assert_eq!(of(&[65_535]).above(u16::MAX), None);
        assert_eq!(of(&[]).above(0), None);
    }

    #[test]
    fn padding_takes_who_earned_first_then_the_burn_uid_then_the_rest() {
        let limits = |min_allowed_weights| Limits {
            min_allowed_weights,
            max_weight_limit: u16::MAX,
        };
        let weights = [(3, 1.0), (5, 1e-9), (6, 1e-8)];
        let registered = BTreeSet::from([0, 1, 3, 5, 6]);
        let uids = |required| {
            let padded = conform(&weights, limits(required), None, &registered).unwrap();
            assert_eq!(padded.values.iter().filter(|v| **v == 65_535).count(), 1);
            assert_eq!(
                padded.values.iter().filter(|v| **v == 1).count(),
                padded.uids.len() - 1
            );
            padded.uids
        };
        assert_eq!(uids(1), [3]);
        assert_eq!(uids(2), [3, 6]);
        assert_eq!(uids(4), [0, 3, 5, 6]);
        assert_eq!(uids(5), [0, 1, 3, 5, 6]);
        let refused = conform(&weights, limits(6), None, &registered);
        let expected = QuantiseError::TooFew {
            required: 6,
            nonzero: 1,
        };
        assert_eq!(refused, Err(expected));
    }
}
