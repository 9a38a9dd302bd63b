//! Texts whose end is known, drawn from a seed.

use proctor_sdk::rand::{Rng, RngExt};

/// English proverbs, cut at a word. [`proverb`] draws one.
pub(crate) const PROVERBS: &str = "proverbs";
/// Numbers or letters at equal distances. [`sequence`] makes one.
pub(crate) const SEQUENCES: &str = "sequences";

/// Words of a proverb that are told at least. No two begin with the same three.
const TOLD_WORDS: usize = 3;

fn proverbs() -> Vec<&'static str> {
    include_str!("proverbs.txt").lines().collect()
}

/// A prompt, and how it goes on.
pub(crate) fn proverb(rng: &mut impl Rng) -> (String, String) {
    let proverbs = proverbs();
    let drawn = rng.random_range(0..proverbs.len());
    let words: Vec<&str> = proverbs
        .get(drawn)
        .copied()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let cut = rng.random_range(TOLD_WORDS..words.len().max(TOLD_WORDS + 1));
    let (told, rest) = words.split_at(cut.min(words.len()));
    (told.join(" "), rest.join(" "))
}

/// A prompt, and how it goes on.
pub(crate) fn sequence(rng: &mut impl Rng) -> (String, String) {
    let letters = rng.random_bool(0.5);
    let (start, step) = match letters {
        true => (rng.random_range(0..26), rng.random_range(1..=5)),
        false => (rng.random_range(1..=200), rng.random_range(2..=50)),
    };
    let (told, wanted) = (rng.random_range(4..=6), rng.random_range(3..=6));
    let term = |index: u32| {
        let number = start + index * step;
        match char::from_digit(number % 26 + 10, 36) {
            Some(letter) if letters => letter.to_ascii_uppercase().to_string(),
            _ => number.to_string(),
        }
    };
    let terms = |from, to| (from..to).map(term).collect::<Vec<_>>().join(", ");
    let prompt = format!("Continue with the next {wanted} terms: {}", terms(0, told));
    (prompt, terms(told, told + wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proctor_sdk::rand::SeedableRng;
    use proctor_sdk::rand_chacha::ChaCha8Rng;
    use std::collections::BTreeSet;

    fn seeds() -> impl Iterator<Item = ChaCha8Rng> {
        (0..2_000).map(ChaCha8Rng::seed_from_u64)
    }

    #[test]
    fn no_prompt_is_the_beginning_of_two_proverbs() {
        let proverbs = proverbs();
        let begin = |proverb: &&str| -> Vec<String> {
            proverb
                .split(' ')
                .take(TOLD_WORDS)
                .map(str::to_owned)
                .collect()
        };
        let begins: BTreeSet<_> = proverbs.iter().map(begin).collect();
        assert_eq!(begins.len(), proverbs.len());
        assert!(proverbs.len() >= 60);
        assert!(
            proverbs
                .iter()
                .all(|p| p.split(' ').count() > TOLD_WORDS && p.trim() == *p)
        );
    }

    #[test]
    fn every_proverb_is_drawn_and_its_answer_ends_it() {
        let known: BTreeSet<String> = proverbs().into_iter().map(str::to_owned).collect();
        let drawn = seeds().map(|mut rng| {
            let (told, rest) = proverb(&mut rng);
            assert!(!rest.is_empty());
            format!("{told} {rest}")
        });
        assert_eq!(drawn.collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn a_sequence_goes_on_in_equal_steps() {
        let (mut numbers, mut letters) = (0, 0);
        for mut rng in seeds() {
            let (prompt, answer) = sequence(&mut rng);
            let (ask, told) = prompt.split_once(": ").unwrap();
            let terms: Vec<&str> = told.split(", ").chain(answer.split(", ")).collect();
            assert!(
                ask.contains(&format!(" {} ", answer.split(", ").count())),
                "{prompt}"
            );
            let steps: BTreeSet<i64> = if let Ok(first) = terms[0].parse::<i64>() {
                numbers += 1;
                let rest = terms[1..].iter().map(|term| term.parse::<i64>().unwrap());
                rest.scan(first, |last, term| {
                    Some(term - std::mem::replace(last, term))
                })
                .collect()
            } else {
                letters += 1;
                let place = |term: &&str| i64::from(term.as_bytes()[0] - b'A');
                let places: Vec<i64> = terms.iter().map(place).collect();
                places
                    .windows(2)
                    .map(|two| (two[1] - two[0]).rem_euclid(26))
                    .collect()
            };
            assert_eq!(steps.len(), 1, "{prompt} {answer}");
        }
        assert!(numbers > 500 && letters > 500, "{numbers} {letters}");
    }

    #[test]
    fn every_answer_fits_the_least_that_settings_allow() {
        for mut rng in seeds() {
            for (_, answer) in [proverb(&mut rng), sequence(&mut rng)] {
                assert!(answer.chars().count() <= 100, "{answer}");
            }
        }
    }
}
