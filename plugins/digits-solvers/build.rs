//! Trains the linear model: a perceptron with averaged weights, in integers, so
//! that it comes out the same everywhere.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const EPOCHS: usize = 12;
type Weights = [[i64; 65]; 10];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut weights: Weights = [[0; 65]; 10];
    let mut sums = weights;
    for _ in 0..EPOCHS {
        for (image, label) in digits_data::train() {
            let guess = predict(&weights, image);
            if guess != usize::from(label) {
                learn(&mut weights, usize::from(label), image, 1);
                learn(&mut weights, guess, image, -1);
            }
            for (sum, weight) in sums.iter_mut().flatten().zip(weights.iter().flatten()) {
                *sum += weight;
            }
        }
    }
    let bytes: Vec<u8> = sums
        .iter()
        .flatten()
        .flat_map(|sum| sum.to_le_bytes())
        .collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("linear"), bytes)?;
    Ok(())
}

fn features(image: &digits_data::Image) -> impl Iterator<Item = i64> + '_ {
    image.iter().map(|&pixel| i64::from(pixel)).chain([16])
}

fn predict(weights: &Weights, image: &digits_data::Image) -> usize {
    let activation =
        |row: &[i64; 65]| -> i64 { row.iter().zip(features(image)).map(|(w, x)| w * x).sum() };
    let best = weights
        .iter()
        .enumerate()
        .max_by_key(|(_, row)| activation(row));
    best.map_or(0, |(digit, _)| digit)
}

fn learn(weights: &mut Weights, digit: usize, image: &digits_data::Image, sign: i64) {
    let row = weights.get_mut(digit).into_iter().flatten();
    for (weight, x) in row.zip(features(image)) {
        *weight += sign * x;
    }
}
