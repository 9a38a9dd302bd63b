//! How alike texts are.

/// Answers without which there is no telling which is right: of two that differ each
/// is as near to the other.
const QUORUM: usize = 3;

/// A text as it is compared: in lower case, with single spaces.
pub(crate) fn normal(text: &str) -> Vec<char> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.join(" ").chars().collect()
}

/// A completion as it is compared; none if it is empty or longer than it may be.
pub(crate) fn usable(completion: &str, max_chars: usize) -> Option<Vec<char>> {
    // At most one more is looked at, however much was sent.
    if completion.chars().nth(max_chars).is_some() {
        return None;
    }
    let mut text = normal(completion);
    // Some letters become two in lower case.
    text.truncate(max_chars);
    (!text.is_empty()).then_some(text)
}

/// 1 for the same text, 0 for one in which each character has to be changed.
pub(crate) fn similarity(a: &[char], b: &[char]) -> f64 {
    match a.len().max(b.len()) {
        0 => 1.0,
        longer => 1.0 - distance(a, b) as f64 / longer as f64,
    }
}

/// The text that is most like all others, the first of several; none of less than
/// three.
pub(crate) fn medoid<'a>(texts: &[&'a [char]]) -> Option<&'a [char]> {
    if texts.len() < QUORUM {
        return None;
    }
    let mut likeness = vec![0.0; texts.len()];
    for (i, one) in texts.iter().enumerate() {
        // Each pair once: it is as near one way as the other.
        for (j, other) in texts.iter().enumerate().skip(i + 1) {
            let alike = similarity(one, other);
            for of in [i, j] {
                if let Some(sum) = likeness.get_mut(of) {
                    *sum += alike;
                }
            }
        }
    }
    let mut best: Option<(f64, &[char])> = None;
    for (text, likeness) in texts.iter().zip(likeness) {
        if best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, text));
        }
    }
    best.map(|(_, text)| text)
}

/// Levenshtein's: characters to insert, remove or replace. Takes as many steps as the
/// product of the lengths, unless the texts are the same.
fn distance(a: &[char], b: &[char]) -> usize {
    if a == b {
        return 0;
    }
    // Distances of what was read of `a` to each beginning of `b` but the empty one.
    let mut row: Vec<usize> = (1..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        for (y, cell) in b.iter().zip(&mut row) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn the_distance_is_levenshteins() {
        for (a, b, wanted) in [
            ("kitten", "sitting", 3),
            ("saturday", "sunday", 3),
            ("intention", "execution", 5),
            ("flaw", "lawn", 2),
            ("same", "same", 0),
            ("", "abc", 3),
            ("", "", 0),
        ] {
            assert_eq!(distance(&chars(a), &chars(b)), wanted, "{a} {b}");
            assert_eq!(distance(&chars(b), &chars(a)), wanted, "{b} {a}");
        }
    }

    #[test]
    fn characters_count_and_not_bytes() {
        assert_eq!(
            similarity(&chars("größe"), &chars("grösse")),
            1.0 - 2.0 / 6.0
        );
        assert_eq!(similarity(&chars("日本"), &chars("日光")), 0.5);
        assert_eq!(usable("日本", 2), Some(chars("日本")));
    }

    #[test]
    fn case_and_spaces_make_no_difference() {
        assert_eq!(normal("  Saves\n\tNINE. "), chars("saves nine."));
    }

    #[test]
    fn what_is_empty_or_too_long_cannot_be_used() {
        assert_eq!(usable(" \n", 10), None);
        assert_eq!(usable("12345", 4), None);
        assert_eq!(usable("1234", 4), Some(chars("1234")));
        // The capital of this letter is one character, its small form two.
        assert_eq!(usable("\u{130}\u{130}", 2).map(|text| text.len()), Some(2));
    }

    #[test]
    fn the_medoid_is_what_most_are_near_to() {
        let texts = ["saves nine", "saves nina", "saves nine!", "grows wings"].map(chars);
        let texts: Vec<&[char]> = texts.iter().map(Vec::as_slice).collect();
        assert_eq!(medoid(&texts), Some(chars("saves nine").as_slice()));
        assert_eq!(medoid(&texts[..2]), None);
    }
}
