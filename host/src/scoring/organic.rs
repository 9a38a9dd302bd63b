//! What organic rewards came to, beside what `get-weights` told.

use super::finalize::PATIENCE;
use super::pipeline::{Pipeline, PipelineError};
use super::sources::{Chosen, Lack, Told, When};
use crate::plugins::ActivePlugin;
use crate::sandbox::Capability;
use crate::sandbox::types::HotkeyWeight;
use crate::store::OrganicWeights;
use crate::weights::mix;
use std::collections::BTreeMap;

/// What organic rewards came to, by challenge.
pub(super) type OrganicRows = BTreeMap<String, OrganicWeights>;

/// Seconds for which organic weights are a challenge's own: as long as those that
/// `get-weights` told, from one scoring hour to the next and what that may be late.
const OWN_FOR: f64 = 86_400.0 + PATIENCE;

/// Seconds by which a clock may have been set back since organic weights were made.
const AHEAD: f64 = 86_400.0;

/// The part of a challenge's weights that organic rewards decide, 0 to 1: of what it can
/// do, and the operator's share where it can do both.
pub(super) fn part(has: impl Fn(Capability) -> bool, share: f64) -> f64 {
    match (has(Capability::GetWeights), has(Capability::Organic)) {
        (_, false) => 0.0,
        (false, true) => 1.0,
        (true, true) => share,
    }
}

/// Whether a challenge's days are finalized.
pub(super) fn is_finalized(plugin: &ActivePlugin) -> bool {
    plugin.has(Capability::Scoring) || pays(plugin)
}

/// Whether a challenge pays anybody.
pub(super) fn pays(plugin: &ActivePlugin) -> bool {
    plugin.has(Capability::GetWeights) || plugin.has(Capability::Organic)
}

/// What organic rewards came to, while it is fresh. Where there is nothing, as on a
/// restored host, what a day of the ledger paid stands in: `good`.
pub(super) fn choose(row: Option<&OrganicWeights>, good: Option<Told>, when: When<'_>) -> Chosen {
    // Of a clock that was wrong: it would be fresh for as long as it was wrong by.
    let row = row.filter(|row| row.at <= when.at + AHEAD);
    let Some(row) = row else {
        let lack = Lack::new(
            "never_folded",
            "no organic iteration has come to weights yet",
        );
        return Chosen::stand_in(good, lack, when);
    };
    let age = when.at - row.at;
    if age > OWN_FOR {
        // The same as long as nothing changes: it is part of the vector's digest.
        let message = format!("no organic iteration has come to weights since {}", row.day);
        let lack = Lack::new("organic_stale", message);
        return if age <= when.max_age && pays_anybody(row) {
            Chosen::fallback(row.day.clone(), row.weights.clone(), lack)
        } else {
            Chosen::none(lack)
        };
    }
    if pays_anybody(row) {
        Chosen::own(row.day.clone(), row.weights.clone())
    } else {
        Chosen::stand_in(good, Lack::empty(), when)
    }
}

fn pays_anybody(row: &OrganicWeights) -> bool {
    row.weights.values().any(|weight| *weight > 0.0)
}

/// One of both, and the part of it that organic rewards decided; none if that is
/// nothing. Whatever is missing leaves all to the other.
pub(super) fn join(standings: Chosen, organic: Chosen, part: f64) -> (Chosen, Option<f64>) {
    match (standings.weights.is_empty(), organic.weights.is_empty()) {
        (false, true) => (standings, None),
        (true, false) => (organic, Some(1.0)),
        (false, false) => {
            let weights = mix(&standings.weights, &organic.weights, part);
            // A side that something stands in for is told.
            let told = if standings.lack.is_none() && organic.lack.is_some() {
                organic
            } else {
                standings
            };
            (Chosen { weights, ..told }, Some(part))
        }
        (true, true) => {
            let lack = match (standings.lack, organic.lack) {
                (Some(standings), Some(organic)) => Lack {
                    message: format!(
                        "{}; {}: {}",
                        standings.message, organic.code, organic.message
                    ),
                    ..standings
                },
                (one, other) => one.or(other).unwrap_or_else(Lack::empty),
            };
            (Chosen::none(lack), None)
        }
    }
}

impl Pipeline {
    /// What a challenge that has organic rewards alone pays on a day, at the time of the
    /// day's hour: nothing if none are fresh.
    pub(super) async fn organic_of_day(
        &self,
        challenge: &str,
        day: &str,
        at: f64,
    ) -> Result<Vec<HotkeyWeight>, PipelineError> {
        let until = Some(day.to_owned());
        let row = self
            .store
            .organic_weights(challenge.to_owned(), until)
            .await?;
        let when = When {
            day,
            waited_for: None,
            at,
            max_age: self.config.fallback_weights.max_age_s,
        };
        let weights = choose(row.as_ref(), None, when).weights.into_iter();
        let weights = weights.map(|(hotkey, weight)| HotkeyWeight { hotkey, weight });
        Ok(weights.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::Origin;

    fn side(origin: Origin, hotkey: &str, code: Option<&str>) -> Chosen {
        let weights = BTreeMap::from([(hotkey.to_owned(), 1.0)]);
        let lack = code.map(|code| Lack::new(code, format!("{hotkey} lacks")));
        match (origin, lack) {
            (Origin::Own, _) => Chosen::own("2026-08-22".into(), weights),
            (Origin::Fallback, Some(lack)) => Chosen::fallback("2026-08-21".into(), weights, lack),
            (_, lack) => Chosen::none(lack.unwrap_or_else(Lack::empty)),
        }
    }

    fn joined(
        standings: Chosen,
        organic: Chosen,
    ) -> (Origin, Option<String>, Vec<String>, Option<f64>) {
        let (chosen, share) = join(standings, organic, 0.25);
        let code = chosen.lack.map(|lack| lack.code);
        (
            chosen.origin,
            code,
            chosen.weights.into_keys().collect(),
            share,
        )
    }

    #[test]
    fn what_is_missing_leaves_all_to_the_other() {
        let standings = || side(Origin::Own, "s", None);
        let organic = || side(Origin::Own, "o", None);
        let none = |code| side(Origin::None, "n", Some(code));
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let both = (Origin::Own, None, names(&["o", "s"]), Some(0.25));
        assert_eq!(joined(standings(), organic()), both);
        let first = (Origin::Own, None, names(&["s"]), None);
        assert_eq!(joined(standings(), none("never_folded")), first);
        let second = (Origin::Own, None, names(&["o"]), Some(1.0));
        assert_eq!(joined(none("trap"), organic()), second);
        let neither = (Origin::None, Some("trap".to_owned()), names(&[]), None);
        assert_eq!(joined(none("trap"), none("organic_stale")), neither);
        let (chosen, _) = join(none("trap"), none("organic_stale"), 0.25);
        let message = "n lacks; organic_stale: n lacks";
        assert_eq!(
            chosen.lack.map(|lack| lack.message).as_deref(),
            Some(message)
        );
    }

    #[test]
    fn what_stands_in_for_a_side_is_told() {
        let own = |hotkey| side(Origin::Own, hotkey, None);
        let standings = side(Origin::Fallback, "s", Some("trap"));
        let (origin, code, names, share) = joined(standings, own("o"));
        assert_eq!(
            (origin, code.as_deref(), share),
            (Origin::Fallback, Some("trap"), Some(0.25))
        );
        assert_eq!(names, ["o", "s"]);
        let organic = side(Origin::Fallback, "o", Some("organic_stale"));
        let (origin, code, ..) = joined(own("s"), organic);
        assert_eq!(
            (origin, code.as_deref()),
            (Origin::Fallback, Some("organic_stale"))
        );
    }

    #[test]
    fn weights_of_a_clock_that_was_wrong_do_not_count() {
        let when = When {
            day: "2026-08-22",
            waited_for: None,
            at: 1e9,
            max_age: 1e9,
        };
        let chosen = |at| {
            let row = OrganicWeights {
                day: "2026-08-22".into(),
                at,
                weights: BTreeMap::from([("a".to_owned(), 1.0)]),
            };
            let chosen = choose(Some(&row), None, when);
            (chosen.origin, chosen.lack.map(|lack| lack.code))
        };
        assert_eq!(chosen(when.at + AHEAD), (Origin::Own, None));
        let never = Some("never_folded".to_owned());
        assert_eq!(chosen(when.at + AHEAD + 1.0), (Origin::None, never));
    }

    #[test]
    fn who_can_do_both_divides_and_others_do_not() {
        let part = |can: &[Capability]| part(|asked| can.contains(&asked), 0.3);
        assert_eq!(part(&[Capability::Scoring, Capability::GetWeights]), 0.0);
        assert_eq!(part(&[Capability::Scoring, Capability::Organic]), 1.0);
        assert_eq!(part(&[Capability::Organic, Capability::GetWeights]), 0.3);
    }
}
