//! Which receipts a spot check computes again.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::str::FromStr;

/// How many receipts are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleSize {
    /// So many, or all if there are less. Read from a text: at least 1.
    Count(u64),
    /// This part of them, 0 to 1, rounded up. Read from a text: more than 0.
    Part(f64),
}

impl FromStr for SampleSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number nor a part such as 5%");
        let size = match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => {
                    SampleSize::Part(percent / 100.0)
                }
                _ => return Err(wrong()),
            },
            None => SampleSize::Count(text.parse().map_err(|_| wrong())?),
        };
        // A sample of nothing would find nothing wrong with anything.
        match size {
            SampleSize::Count(0) => Err("a sample is at least 1".to_owned()),
            SampleSize::Part(part) if part <= 0.0 => Err("a sample is more than 0%".to_owned()),
            size => Ok(size),
        }
    }
}

/// A spot check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many are drawn.
    pub size: SampleSize,
    /// What they are drawn by: the same draws the same.
    pub seed: u64,
}

impl Sample {
    /// Draws from `of` receipts, numbered from 0 on.
    pub(super) fn draw(self, of: usize) -> BTreeSet<usize> {
        let count = match self.size {
            SampleSize::Count(count) => usize::try_from(count).unwrap_or(of),
            SampleSize::Part(part) => (of as f64 * part).ceil() as usize,
        };
        let mut chance = ChaCha20Rng::seed_from_u64(self.seed);
        let mut numbers: Vec<usize> = (0..of).collect();
        for at in 0..count.min(of) {
            let left = (of - at) as u64;
            let offset = usize::try_from(chance.next_u64() % left).unwrap_or_default();
            numbers.swap(at, at + offset);
        }
        numbers.into_iter().take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_or_a_part() {
        assert_eq!("7".parse(), Ok(SampleSize::Count(7)));
        assert_eq!("5%".parse(), Ok(SampleSize::Part(0.05)));
        for bad in ["", "%", "-1", "101%", "NaN%", "all"] {
            assert!(bad.parse::<SampleSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sample_of_nothing_is_refused() {
        for bad in ["0", "00", "0%", "0.0%", "-0%", "1e-400%"] {
            assert!(bad.parse::<SampleSize>().is_err(), "{bad}");
        }
        assert_eq!("1".parse(), Ok(SampleSize::Count(1)));
        assert_eq!("100%".parse(), Ok(SampleSize::Part(1.0)));
        assert!("0.001%".parse::<SampleSize>().is_ok());
    }

    #[test]
    fn a_seed_draws_the_same_and_another_one_others() {
        let draw = |size, seed| Sample { size, seed }.draw(1_000);
        let drawn = draw(SampleSize::Count(20), 1);
        assert_eq!(drawn.len(), 20);
        assert_eq!(draw(SampleSize::Part(0.02), 1), drawn);
        assert_ne!(draw(SampleSize::Count(20), 2), drawn);
        assert_eq!(draw(SampleSize::Count(5_000), 1).len(), 1_000);
        assert_eq!(draw(SampleSize::Part(0.0001), 1).len(), 1, "rounded up");
    }

    #[test]
    fn each_is_drawn_as_often_as_any_other() {
        let mut counts = [0_u32; 10];
        for seed in 0..2_000 {
            let size = SampleSize::Count(3);
            for drawn in (Sample { size, seed }).draw(10) {
                counts[drawn] += 1;
            }
        }
        assert!(
            counts.iter().all(|count| (500..700).contains(count)),
            "{counts:?}"
        );
    }
}
