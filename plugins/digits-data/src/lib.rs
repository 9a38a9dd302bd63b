//! The digits data: 1,797 handwritten digits of 8 by 8 pixels. Every third is
//! held out for scoring, so that a miner trains on the others.

/// An image: 64 pixels by rows, each 0 (white) to 16 (black).
pub type Image = [u8; 64];

static TRAIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/train"));
static HELD_OUT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/held_out"));

/// The 1,198 images to train on, with their labels 0 to 9.
pub fn train() -> impl ExactSizeIterator<Item = (&'static Image, u8)> + Clone {
    rows(TRAIN)
}

/// The 599 images to score by, with their labels 0 to 9.
pub fn held_out() -> impl ExactSizeIterator<Item = (&'static Image, u8)> + Clone {
    rows(HELD_OUT)
}

fn rows(bytes: &'static [u8]) -> impl ExactSizeIterator<Item = (&'static Image, u8)> + Clone {
    let (rows, _) = bytes.as_chunks::<65>();
    rows.iter().map(|[image @ .., label]| (image, *label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_in_one_split() {
        assert_eq!((train().len(), held_out().len()), (1198, 599));
        for label in 0..10 {
            assert!(train().filter(|row| row.1 == label).count() > 100);
            assert!(held_out().filter(|row| row.1 == label).count() > 45);
        }
    }
}
