//! From the rewards of each iteration to weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a miner's rewards have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// The moving average: finite, at least 0, in the unit of the rewards.
    pub score: f64,
    /// When the last reward was taken in, in seconds since the Unix epoch.
    pub at: f64,
}

/// An exponential moving average of each miner's rewards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FoldRules {
    /// The part of a new average that the newest reward makes, 0 (none) to 1 (all of
    /// it). Default 0.1: half of an average is of the last seven rewards.
    pub alpha: f64,
    /// Averages below this are forgotten. Default 1e-9.
    pub least: f64,
    /// Seconds after which a miner without a reward, be it 0, is forgotten: it is not
    /// asked any more, so nothing else would ever take its average down. Default
    /// 604 800, seven days.
    pub forget_after_s: f64,
}

impl Default for FoldRules {
    fn default() -> Self {
        Self {
            alpha: 0.1,
            least: 1e-9,
            forget_after_s: 604_800.0,
        }
    }
}

impl FoldRules {
    /// Takes rewards, by hotkey, into the averages: `(1 − alpha) · score + alpha ·
    /// reward`, from 0 for a miner that is new. Others keep theirs until they are
    /// forgotten. `now` is in seconds since the Unix epoch.
    ///
    /// A reward below 0, or that is not finite, counts as 0. `alpha` is clamped to 0..=1;
    /// NaN is 0.
    pub fn fold<'a>(
        &self,
        averages: &mut BTreeMap<String, Average>,
        rewards: impl IntoIterator<Item = (&'a str, f64)>,
        now: f64,
    ) {
        let alpha = if self.alpha.is_nan() {
            0.0
        } else {
            self.alpha.clamp(0.0, 1.0)
        };
        for (hotkey, reward) in rewards {
            let earned = if reward.is_finite() {
                reward.max(0.0)
            } else {
                0.0
            };
            let average = averages.entry(hotkey.to_owned()).or_default();
            average.score = (1.0 - alpha) * average.score + alpha * earned;
            average.at = now;
        }
        averages.retain(|_, average| {
            average.score >= self.least && now - average.at <= self.forget_after_s
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Averages = BTreeMap<String, Average>;

    fn scores(averages: &Averages) -> Vec<(&str, f64)> {
        averages
            .iter()
            .map(|(hotkey, average)| (hotkey.as_str(), average.score))
            .collect()
    }

    fn half() -> FoldRules {
        FoldRules {
            alpha: 0.5,
            ..FoldRules::default()
        }
    }

    #[test]
    fn the_newest_reward_makes_its_part_of_the_average() {
        let mut averages = Averages::new();
        FoldRules::default().fold(&mut averages, [("a", 1.0)], 0.0);
        assert_eq!(scores(&averages), [("a", 0.1)]);
        half().fold(&mut averages, [("a", 0.5)], 0.0);
        assert_eq!(scores(&averages), [("a", 0.3)]);
    }

    #[test]
    fn who_was_not_rewarded_keeps_its_average() {
        let mut averages = Averages::new();
        half().fold(&mut averages, [("a", 1.0), ("b", 1.0)], 0.0);
        half().fold(&mut averages, [("b", 0.0), ("c", 0.5)], 0.0);
        assert_eq!(scores(&averages), [("a", 0.5), ("b", 0.25), ("c", 0.25)]);
    }

    #[test]
    fn what_is_negative_or_no_number_is_worth_nothing() {
        for worthless in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut averages = Averages::new();
            half().fold(&mut averages, [("a", 1.0)], 0.0);
            half().fold(&mut averages, [("a", worthless)], 0.0);
            assert_eq!(scores(&averages), [("a", 0.25)], "{worthless}");
        }
    }

    #[test]
    fn an_alpha_out_of_range_is_clamped() {
        for (alpha, score) in [
            (-1.0, 0.5),
            (f64::NAN, 0.5),
            (0.0, 0.5),
            (1.0, 1.0),
            (9.0, 1.0),
        ] {
            let mut averages = Averages::new();
            half().fold(&mut averages, [("a", 1.0)], 0.0);
            FoldRules { alpha, ..half() }.fold(&mut averages, [("a", 1.0)], 0.0);
            assert_eq!(scores(&averages), [("a", score)], "{alpha}");
        }
    }

    #[test]
    fn a_miner_that_only_fails_is_forgotten_in_the_end() {
        let mut averages = Averages::new();
        half().fold(&mut averages, [("a", 1.0), ("never earned", 0.0)], 0.0);
        assert_eq!(scores(&averages), [("a", 0.5)]);
        for _ in 0..28 {
            half().fold(&mut averages, [("a", 0.0)], 0.0);
        }
        assert_eq!(averages.len(), 1);
        half().fold(&mut averages, [("a", 0.0)], 0.0);
        assert_eq!(averages.len(), 0);
    }

    #[test]
    fn a_miner_that_is_not_asked_any_more_is_not_paid_for_ever() {
        let rules = FoldRules {
            forget_after_s: 60.0,
            ..half()
        };
        let mut averages = Averages::new();
        rules.fold(&mut averages, [("gone", 1.0), ("here", 1.0)], 0.0);
        rules.fold(&mut averages, [("here", 1.0)], 60.0);
        assert_eq!(scores(&averages), [("gone", 0.5), ("here", 0.75)]);
        rules.fold(&mut averages, [], 60.5);
        assert_eq!(scores(&averages), [("here", 0.75)]);
    }
}
