//! A challenge that asks the host, in one evaluation, for what its settings say, and
//! tells all that it was told: `acts` is a list of objects, each with one field.
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

#[cfg(target_family = "wasm")]
#[path = "recorded_challenge/wasi.rs"]
mod wasi;

use proctor_sdk::{
    Challenge, ChallengeError, Context, Controller, ScoringLog, Submission, Value as SqlValue,
};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};

struct Recorded(Value);

impl Challenge for Recorded {
    type Settings = Value;
    const NAME: &'static str = "recorded";
    const VERSION: &'static str = "0.1.0";

    fn new(settings: Value) -> Self {
        Recorded(settings)
    }
}

fn perform(context: &Context<'_>, act: &Value) -> Value {
    if let Some(task) = act.get("solve") {
        return json!(format!("{:?}", context.solve(&task.to_string())));
    }
    if let Some(sql) = act["execute"].as_str() {
        let found = context.database().execute(sql, &values(&act["values"]));
        return json!(format!("{found:?}"));
    }
    if let Some(sql) = act["query"].as_str() {
        let found = context.database().query(sql, &values(&act["values"]));
        return json!(format!("{found:?}"));
    }
    match act["files"].as_str() {
        Some("std") => std_files().map_or_else(|e| json!(e.to_string()), |seen| json!(seen)),
        Some("read") => json!(read_all("/data/many")),
        _ => low_level(act),
    }
}

fn values(list: &Value) -> Vec<SqlValue> {
    let list = list.as_array().into_iter().flatten();
    list.map(|value| match value {
        Value::Null => SqlValue::Null,
        Value::String(text) => SqlValue::Text(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => SqlValue::Integer(integer),
            None => SqlValue::Real(number.as_f64().unwrap_or_default()),
        },
        other => SqlValue::Blob(other.to_string().into_bytes()),
    })
    .collect()
}

/// What the standard library makes of files.
fn std_files() -> std::io::Result<Vec<String>> {
    let mut seen = vec![fs::read_to_string("/data/there")?];
    let metadata = fs::metadata("/data/there")?;
    seen.push(format!("{:?}", (metadata.len(), metadata.modified()?)));
    for entry in fs::read_dir("/data")? {
        let entry = entry?;
        seen.push(format!("{:?}", (entry.file_name(), entry.file_type()?)));
    }
    fs::create_dir_all("/data/made/deep")?;
    let mut file = fs::File::create_new("/data/made/deep/file")?;
    file.write_all(&b"written".repeat(2000))?;
    file.sync_all()?;
    drop(file);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open("/data/made/deep/file")?;
    file.write_all(b"appended")?;
    drop(file);
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open("/data/made/deep/file")?;
    file.seek(SeekFrom::End(-15))?;
    let mut end = String::new();
    file.read_to_string(&mut end)?;
    seen.push(end);
    file.set_len(3)?;
    seen.push(fs::read_to_string("/data/made/deep/file")?);
    for missing in ["/data/missing", "/data/../secret", "/etc/passwd", "/data"] {
        seen.push(format!("{:?}", fs::read(missing)));
    }
    seen.push(format!("{:?}", fs::remove_dir("/data/made")));
    fs::rename("/data/made/deep/file", "/data/moved")?;
    fs::remove_file("/data/moved")?;
    fs::remove_dir("/data/made/deep")?;
    fs::remove_dir("/data/made")?;
    Ok(seen)
}

/// The sizes of what is read at a time, and a sum of all of it.
fn read_all(path: &str) -> Result<(Vec<usize>, u64), String> {
    let mut file = fs::File::open(path).map_err(|e| e.to_string())?;
    let mut buffer = vec![0; 100_000];
    let (mut sizes, mut sum) = (Vec::new(), 0_u64);
    loop {
        let size = file.read(&mut buffer).map_err(|e| e.to_string())?;
        if size == 0 {
            return Ok((sizes, sum));
        }
        sizes.push(size);
        let bytes = buffer.iter().take(size);
        sum = bytes.fold(sum, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
        });
    }
}

#[cfg(target_family = "wasm")]
fn low_level(act: &Value) -> Value {
    match act["files"].as_str() {
        Some("all") => json!(wasi::all()),
        Some("poll") => json!(wasi::poll_many()),
        Some("hoard") => json!(wasi::hoard()),
        Some("ask-body") => json!(wasi::ask_body()),
        other => json!({"act": other}),
    }
}

#[cfg(not(target_family = "wasm"))]
fn low_level(act: &Value) -> Value {
    act["files"].clone()
}

impl Controller for Recorded {
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
        let acts = self.0["acts"].as_array().into_iter().flatten();
        let seen: Value = acts.map(|act| perform(context, act)).collect();
        Ok(vec![ScoringLog {
            task: seen.to_string(),
            solution: None,
            score: 1.0,
            baseline_score: None,
            error: None,
        }])
    }
}

proctor_sdk::export!(Recorded: controller);
