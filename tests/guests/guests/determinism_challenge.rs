//! A challenge that looks, in one evaluation, at all that might differ from one run to
//! the next, and tells what it saw: a scoring log for each of the `looks` that its
//! settings name.
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

#[path = "determinism_challenge/floats.rs"]
mod floats;
#[cfg(target_family = "wasm")]
#[path = "determinism_challenge/wasi.rs"]
mod wasi;

use hostile_guests::Act;
use proctor_sdk::{Challenge, ChallengeError, Context, Controller, ScoringLog, Submission};
use serde_json::{Value, json};
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::{fs, io};

struct Determinism(Value);

impl Challenge for Determinism {
    type Settings = Value;
    const NAME: &'static str = "determinism";
    const VERSION: &'static str = "0.1.0";

    fn new(settings: Value) -> Self {
        Determinism(settings)
    }
}

impl Determinism {
    fn look(&self, context: &Context<'_>, look: &str) -> Value {
        let list = |field: &str| self.0[field].as_array().cloned().unwrap_or_default();
        match look {
            "hash_maps" => hash_maps(),
            "time" => json!([Act::Clocks.perform(), wasi(look)]),
            "random" => json!([Act::Random.perform(), wasi(look)]),
            "floats" => json!(floats::look(context.now())),
            "memory" => wasi(look),
            "stack" => json!(nested(black_box(1_000), 0.1)),
            "environment" => Act::Environment.perform(),
            "output" => {
                println!("to stdout");
                eprintln!("to stderr");
                print!("to stdout, without an end");
                Value::Null
            }
            "solve" => list("tasks")
                .iter()
                .map(|t| told(context.solve(&t.to_string())))
                .collect(),
            "database" => list("statements")
                .iter()
                .map(|s| statement(context, s))
                .collect(),
            "files" => files().map_or_else(told, |seen| json!(seen)),
            "flood" => flood(context),
            "spin" => json!(spin(self.0["rounds"].as_u64().unwrap_or(1_000))),
            other => json!({"look": other}),
        }
    }
}

fn told<T: std::fmt::Debug>(value: T) -> Value {
    json!(format!("{value:?}"))
}

/// The order in which two maps and a set tell what they hold: the same in each, if the
/// keys of their hashers were.
fn hash_maps() -> Value {
    let map = || -> HashMap<u32, u32> { (0..100).map(|n| (n, n)).collect() };
    let keys = |map: HashMap<u32, u32>| map.into_keys().collect::<Vec<_>>();
    let words: HashSet<String> = (0..50).map(|n| format!("word {n}")).collect();
    json!([
        keys(map()),
        keys(map()),
        words.into_iter().collect::<Vec<_>>()
    ])
}

/// A sum of roundings, each in a frame of its own.
fn nested(depth: u32, x: f64) -> f64 {
    match depth {
        0 => x,
        depth => x.mul_add(0.999, nested(depth - 1, black_box(x * 1.01)) * 1e-3),
    }
}

fn spin(rounds: u64) -> u64 {
    (0..rounds).fold(1, |sum: u64, n| {
        black_box(sum.wrapping_mul(31).wrapping_add(n))
    })
}

/// Asks the host again and again, each time something else: what is recorded of it tells
/// how far it got.
fn flood(context: &Context<'_>) -> Value {
    for n in 0_u64.. {
        let _ = context.database().query(&format!("SELECT {n}"), &[]);
    }
    Value::Null
}

/// Runs a statement: a query if it starts as one.
fn statement(context: &Context<'_>, sql: &Value) -> Value {
    let sql = sql.as_str().unwrap_or_default();
    match sql.starts_with("SELECT") {
        true => told(context.database().query(sql, &[])),
        false => told(context.database().execute(sql, &[])),
    }
}

/// What is in the volume, in the order in which it is told.
fn files() -> io::Result<Vec<String>> {
    let mut seen = Vec::new();
    for entry in fs::read_dir("/data")? {
        let entry = entry?;
        let metadata = fs::metadata(entry.path())?;
        let times = (metadata.modified()?, metadata.accessed()?);
        let text = fs::read_to_string(entry.path())?;
        seen.push(format!("{:?} {times:?} {text}", entry.file_name()));
    }
    Ok(seen)
}

#[cfg(target_family = "wasm")]
fn wasi(look: &str) -> Value {
    match look {
        "time" => wasi::timers(),
        "random" => wasi::random(),
        _ => wasi::memory(),
    }
}

#[cfg(not(target_family = "wasm"))]
fn wasi(look: &str) -> Value {
    json!({"look": look})
}

impl Controller for Determinism {
    type Task = Value;
    type Solution = Value;

    fn task_count(&self) -> u32 {
        1
    }

    fn make_task(&self, _: &Context<'_>, _: u32) -> Result<Value, ChallengeError> {
        Ok(Value::Null)
    }

    fn score(&self, _: &Value, _: &Value) -> Result<f64, String> {
        Ok(1.0)
    }

    fn evaluate(
        &self,
        context: &Context<'_>,
        _: &Submission,
        _: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        let looks = self.0["looks"].as_array().into_iter().flatten();
        let log = |look: &Value| {
            let seen = self.look(context, look.as_str().unwrap_or_default());
            let mut hasher = DefaultHasher::new();
            seen.to_string().hash(&mut hasher);
            ScoringLog {
                task: json!({ "look": look, "seen": seen }).to_string(),
                solution: None,
                // All of what was seen, as a number between 0 and 1.
                score: hasher.finish() as f64 / u64::MAX as f64,
                baseline_score: Some(context.now().sqrt()),
                error: None,
            }
        };
        Ok(looks.map(log).collect())
    }
}

proctor_sdk::export!(Determinism: controller);
