//! Two lists of weights of one challenge as one.

use super::share::normalise;
use std::collections::BTreeMap;

/// The weights that `organic` decides to a `part` of, 0 to 1, and `standings` to the
/// rest: parts of the whole, whose sum is 1. Of each list, what is not finite and above
/// 0 is left out. If one list has nothing else, or no part, the other decides all; none
/// of both is no weights.
#[must_use]
pub fn mix(
    standings: &BTreeMap<String, f64>,
    organic: &BTreeMap<String, f64>,
    part: f64,
) -> BTreeMap<String, f64> {
    let standings = parts(standings, 1.0 - part);
    let organic = parts(organic, part);
    let mut mixed = BTreeMap::new();
    for (hotkey, value) in standings.into_iter().chain(organic) {
        *mixed.entry(hotkey).or_insert(0.0) += value;
    }
    let mut mixed: Vec<(String, f64)> = mixed.into_iter().collect();
    // Where one list decides nothing, the other is not yet the whole.
    normalise(&mut mixed, |(_, value)| value);
    mixed.into_iter().collect()
}

/// What a list decides of `part`, by hotkey.
fn parts(weights: &BTreeMap<String, f64>, part: f64) -> Vec<(String, f64)> {
    if part <= 0.0 {
        return Vec::new();
    }
    let good = weights.iter().map(|(hotkey, weight)| (hotkey, *weight));
    let good = good.filter(|(_, weight)| weight.is_finite() && *weight > 0.0);
    let mut parts: Vec<_> = good.map(|(hotkey, w)| (hotkey.clone(), w)).collect();
    normalise(&mut parts, |(_, value)| value);
    parts.iter_mut().for_each(|(_, value)| *value *= part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(weights: &[(&str, f64)]) -> BTreeMap<String, f64> {
        let weights = weights.iter();
        weights.map(|(h, w)| ((*h).to_owned(), *w)).collect()
    }

    #[test]
    fn each_list_decides_its_part_whatever_its_unit() {
        let (standings, organic) = (list(&[("a", 3.0), ("b", 1.0)]), list(&[("b", 500.0)]));
        let mixed = mix(&standings, &organic, 0.25);
        assert_eq!(mixed, list(&[("a", 0.5625), ("b", 0.4375)]));
        let equal = mix(
            &list(&[("a", 1e-9)]),
            &list(&[("b", 1e300), ("c", 1e300)]),
            0.5,
        );
        assert_eq!(equal, list(&[("a", 0.5), ("b", 0.25), ("c", 0.25)]));
    }

    #[test]
    fn a_list_without_weights_leaves_all_to_the_other() {
        let (some, none) = (list(&[("a", 3.0), ("b", 1.0)]), list(&[("c", 0.0)]));
        let whole = list(&[("a", 0.75), ("b", 0.25)]);
        for part in [0.0, 0.125, 0.5, 0.875] {
            assert_eq!(mix(&some, &none, part), whole, "{part}");
            assert_eq!(mix(&none, &some, 1.0 - part), whole, "{part}");
        }
        assert_eq!(mix(&none, &BTreeMap::new(), 0.5), BTreeMap::new());
    }

    #[test]
    fn a_list_without_a_part_decides_nothing() {
        let (standings, organic) = (list(&[("a", 1.0)]), list(&[("b", 1.0)]));
        assert_eq!(mix(&standings, &organic, 0.0), standings);
        assert_eq!(mix(&standings, &organic, 1.0), organic);
        assert_eq!(mix(&standings, &BTreeMap::new(), 1.0), BTreeMap::new());
    }

    #[test]
    fn what_is_no_weight_is_left_out_and_changes_nothing() {
        let good = mix(&list(&[("a", 1.0)]), &list(&[("b", 1.0)]), 0.5);
        let standings = list(&[("a", 1.0), ("x", f64::NAN), ("y", -1.0)]);
        let organic = list(&[("b", 1.0), ("z", f64::INFINITY), ("a", 0.0)]);
        assert_eq!(mix(&standings, &organic, 0.5), good);
        // A sum that is none in 64 bits.
        let great = list(&[("a", f64::MAX), ("b", f64::MAX)]);
        let even = list(&[("a", 0.5), ("b", 0.5)]);
        assert_eq!(mix(&great, &great, 0.5), even);
    }
}
