//! Completing a text, for miners that do it well or not so well.

use sha2::{Digest, Sha256};

/// What the example plugin asks about while there are no entries.
const PROVERBS: &str = include_str!("../../../plugins/completion/src/proverbs.txt");

/// Terms with which a sequence goes on that does not say how many are wanted.
const NEXT: i64 = 4;
/// The most that it goes on with.
const MOST: i64 = 100;

/// The rest of a proverb or sequence that begins with `prompt`, or else the prompt
/// again: whoever knows nothing says something. Of its letters a part of `1 − quality`
/// is wrong.
pub(crate) fn complete(prompt: &str, quality: f64) -> String {
    let known = proverb(prompt).or_else(|| sequence(prompt));
    let text = known.unwrap_or_else(|| prompt.trim().to_owned());
    spoil(&text, prompt, quality)
}

/// The rest of a proverb, without the space before it.
fn proverb(prompt: &str) -> Option<String> {
    let begin = prompt.trim();
    if begin.is_empty() {
        return None;
    }
    let rest = |line: &'static str| {
        let (head, rest) = line.split_at_checked(begin.len())?;
        head.eq_ignore_ascii_case(begin).then(|| rest.trim())
    };
    PROVERBS.lines().find_map(rest).map(str::to_owned)
}

/// The next terms of a sequence in which each is as much more than the one before:
/// numbers, or letters of the alphabet, after whose last comes its first.
fn sequence(prompt: &str) -> Option<String> {
    let (asked, terms) = prompt.rsplit_once(':').unwrap_or(("", prompt));
    let wanted = asked.split(' ').find_map(|word| word.parse().ok());
    let wanted = wanted.unwrap_or(NEXT).clamp(0, MOST);
    let terms: Vec<&str> = terms.trim().trim_end_matches(',').split(", ").collect();
    let all = |read: fn(&str) -> Option<i64>| terms.iter().map(|term| read(term)).collect();
    let (numbers, modulus): (Vec<i64>, _) = match all(|term| term.parse().ok()) {
        Some(numbers) => (numbers, None),
        None => (all(letter)?, Some(26)),
    };
    let wrap = |number: i64| modulus.map_or(number, |modulus| number.rem_euclid(modulus));
    let step = |pair: &[i64]| match pair {
        [first, second] => second.checked_sub(*first).map(wrap),
        _ => None,
    };
    let mut steps = numbers.windows(2).map(step);
    let first = steps.next()??;
    if steps.any(|step| step != Some(first)) {
        return None;
    }
    let last = *numbers.last()?;
    let next = (1..=wanted).map(|index| {
        let number = wrap(last.checked_add(first.checked_mul(index)?)?);
        match modulus {
            Some(_) => Some(char::from(b'A' + u8::try_from(number).ok()?).to_string()),
            None => Some(number.to_string()),
        }
    });
    Some(next.collect::<Option<Vec<_>>>()?.join(", "))
}

/// The place of a letter in the alphabet, from 0 on.
fn letter(term: &str) -> Option<i64> {
    match term.as_bytes() {
        [letter @ b'A'..=b'Z'] => Some((letter - b'A').into()),
        _ => None,
    }
}

/// The text with some letters wrong. They are the same for the same prompt, and others
/// for another quality: miners that are wrong in the same way would be right together.
fn spoil(text: &str, prompt: &str, quality: f64) -> String {
    let letters = text.chars().enumerate();
    let spoiled = letters.map(|(index, letter)| {
        let digest = Sha256::digest(format!("{prompt}\n{quality}\n{index}"));
        let [chance, ..] = <[u8; 32]>::from(digest);
        let is_right = f64::from(chance) < quality * 256.0;
        if is_right { letter } else { '~' }
    });
    spoiled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_miner_knows_how_things_go_on() {
        assert_eq!(complete("A stitch in time ", 1.0), "saves nine.");
        assert_eq!(complete("a watched pot", 1.0), "never boils.");
        assert_eq!(complete("2, 4, 6,", 1.0), "8, 10, 12, 14");
        assert_eq!(complete("7, 4", 1.0), "1, -2, -5, -8");
        for other in [
            "",
            "1",
            "1, 2, 4",
            "9223372036854775806, 9223372036854775807",
            "Wha\u{308}t",
        ] {
            assert_eq!(complete(other, 1.0), other);
        }
    }

    #[test]
    fn who_does_not_know_says_something() {
        for prompt in [
            "",
            "1",
            "Z",
            "1, 2, 4",
            "A, B, 3",
            "1, 2, é",
            "9223372036854775806, 9223372036854775807",
            "-9223372036854775808, 9223372036854775807",
            "Next 99999999999999999999: What\u{308}?",
        ] {
            assert_eq!(complete(prompt, 1.0), prompt);
        }
    }

    #[test]
    fn a_worse_miner_has_more_letters_wrong() {
        let wrong = |quality| {
            let text = complete("A journey of a thousand miles", quality);
            assert_eq!(text, complete("A journey of a thousand miles", quality));
            text.matches('~').count()
        };
        let all = "begins with a single step.".len();
        assert_eq!((wrong(1.0), wrong(0.0)), (0, all));
        let (good, bad) = (wrong(0.9), wrong(0.4));
        assert!(0 < good && good < bad && bad < all, "{good} {bad} {all}");
    }
}
