//! Solvers of the digits challenge. Each file in `solvers/` makes one of them a
//! component, or misbehaves.

use digits_data::{Image, train};
use proctor_sdk::Solver;
use serde::{Deserialize, Serialize};

/// What the challenge asks.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// 64 pixels each, 0 to 16.
    pub images: Vec<Vec<u8>>,
}

/// What it wants to hear.
#[derive(Debug, Serialize)]
pub struct Solution {
    /// One label per image, 0 to 9.
    pub labels: Vec<u8>,
}

impl Task {
    /// Labels every image by `classify`.
    ///
    /// # Errors
    ///
    /// An image has not 64 pixels.
    pub fn label(&self, classify: impl Fn(&Image) -> u8) -> Result<Solution, String> {
        let label = |pixels: &Vec<u8>| {
            let image: &Image = pixels
                .as_slice()
                .try_into()
                .map_err(|_| format!("an image of {} pixels", pixels.len()))?;
            Ok(classify(image))
        };
        let labels = self
            .images
            .iter()
            .map(label)
            .collect::<Result<_, String>>()?;
        Ok(Solution { labels })
    }
}

fn distance(a: &Image, b: &Image) -> u32 {
    let square = |(x, y): (&u8, &u8)| u32::from(x.abs_diff(*y)).pow(2);
    a.iter().zip(b).map(square).sum()
}

/// The digit whose mean image is nearest.
#[derive(Debug)]
pub struct NearestCentroid;

impl Solver for NearestCentroid {
    type Task = Task;
    type Solution = Solution;

    fn solve(task: Task) -> Result<Solution, String> {
        let centroids: Vec<Image> = (0..10).map(centroid).collect();
        task.label(|image| {
            let nearest = (0_u8..)
                .zip(&centroids)
                .min_by_key(|(_, c)| distance(image, c));
            nearest.map_or(0, |(digit, _)| digit)
        })
    }
}

fn centroid(digit: u8) -> Image {
    let mut sums = [0_u32; 64];
    let mut count = 0;
    for (image, _) in train().filter(|row| row.1 == digit) {
        count += 1;
        for (sum, pixel) in sums.iter_mut().zip(image) {
            *sum += u32::from(*pixel);
        }
    }
    sums.map(|sum| u8::try_from(sum / count).unwrap_or(u8::MAX))
}

/// The digit that most of the nearest 3 training images show.
#[derive(Debug)]
pub struct Knn;

impl Solver for Knn {
    type Task = Task;
    type Solution = Solution;

    fn solve(task: Task) -> Result<Solution, String> {
        task.label(|image| {
            let mut nearest: Vec<(u32, u8)> = train()
                .map(|(other, label)| (distance(image, other), label))
                .collect();
            nearest.select_nth_unstable(2);
            nearest.truncate(3);
            nearest.sort_unstable();
            let votes = |label| nearest.iter().filter(|n| n.1 == label).count();
            // Of equally many votes, the nearest wins.
            let winner = nearest.iter().rev().max_by_key(|n| votes(n.1));
            winner.map_or(0, |n| n.1)
        })
    }
}

static LINEAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/linear"));

/// A linear model, trained by `build.rs`.
#[derive(Debug)]
pub struct Linear;

impl Solver for Linear {
    type Task = Task;
    type Solution = Solution;

    fn solve(task: Task) -> Result<Solution, String> {
        let (numbers, _) = LINEAR.as_chunks::<8>();
        let weights: Vec<i64> = numbers
            .iter()
            .map(|bytes| i64::from_le_bytes(*bytes))
            .collect();
        task.label(|image| {
            let activation = |row: &[i64]| -> i64 {
                let pixels = image.iter().map(|&pixel| i64::from(pixel)).chain([16]);
                row.iter().zip(pixels).map(|(w, x)| w * x).sum()
            };
            let best = (0_u8..)
                .zip(weights.chunks(65))
                .max_by_key(|(_, row)| activation(row));
            best.map_or(0, |(digit, _)| digit)
        })
    }
}

/// The digit whose first training image is nearest.
#[derive(Debug)]
pub struct FirstExample;

impl Solver for FirstExample {
    type Task = Task;
    type Solution = Solution;

    fn solve(task: Task) -> Result<Solution, String> {
        let first = |digit| train().find(|row| row.1 == digit);
        let examples: Vec<_> = (0..10).filter_map(first).collect();
        task.label(|image| {
            let nearest = examples
                .iter()
                .min_by_key(|(other, _)| distance(image, other));
            nearest.map_or(0, |(_, label)| *label)
        })
    }
}
