//! What a case came to, kept beside it as `NAME.snap.json`.

use super::bed::Came;
use super::format::{Case, Difference};
use super::update::replace;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::PathBuf;

/// Differences of a snapshot that are told; the rest are counted.
const TOLD: usize = 20;
/// Characters of a value that are shown.
const SHOWN: usize = 200;

/// Where the snapshot of a case is.
pub(super) fn path(case: &Case) -> PathBuf {
    case.path.with_file_name(format!("{}.snap.json", case.name))
}

/// What is kept of what a case came to: all that is a function of it but what it took,
/// which changes whenever the component is built anew.
pub(super) fn of(came: &Came) -> Value {
    let error = came.error.as_ref().map(|error| error.message.as_str());
    match &came.verdict {
        _ if came.is_task => json!({
            "outcome": came.outcome().code(),
            "error": error,
            "solution": came.solution.as_deref().map(value),
        }),
        verdict => json!({
            "outcome": came.outcome().code(),
            "error": error,
            "tasks": came.logs.iter().map(|log| json!({
                "task": value(&log.task),
                "solution": log.solution.as_deref().map(value),
                "score": log.score,
                "baseline_score": log.baseline_score,
                "error": log.error,
            })).collect::<Vec<_>>(),
            "verdict": verdict,
        }),
    }
}

/// A JSON text as a value, so that people can read it; as a text if it is none.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// The snapshot of a case; none if there is none.
///
/// # Errors
///
/// It cannot be read, or is not JSON.
pub(super) fn read(case: &Case) -> io::Result<Option<Value>> {
    match fs::read(path(case)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the snapshot of a case, and says whether it is another one than before.
pub(super) fn write(case: &Case, snapshot: &Value) -> io::Result<bool> {
    let text = format!("{snapshot:#}\n");
    let path = path(case);
    if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    replace(&path, text.as_bytes())?;
    Ok(true)
}

/// Where two snapshots differ, by path, as in `tasks[1].score`.
pub(super) fn differences(recorded: &Value, found: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare("", recorded, found, &mut differences);
    let more = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    if more > 0 {
        differences.push(Difference::new(
            "snapshot",
            "no other difference",
            format!("{more} more"),
        ));
    }
    differences
}

fn compare(path: &str, recorded: &Value, found: &Value, differences: &mut Vec<Difference>) {
    match (recorded, found) {
        (Value::Object(recorded), Value::Object(found)) => {
            let added = found.keys().filter(|key| !recorded.contains_key(*key));
            for key in recorded.keys().chain(added) {
                let below = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                either(&below, recorded.get(key), found.get(key), differences);
            }
        }
        (Value::Array(recorded), Value::Array(found)) => {
            for index in 0..recorded.len().max(found.len()) {
                let below = format!("{path}[{index}]");
                either(&below, recorded.get(index), found.get(index), differences);
            }
        }
        _ => either(path, Some(recorded), Some(found), differences),
    }
}

fn either(
    path: &str,
    recorded: Option<&Value>,
    found: Option<&Value>,
    differences: &mut Vec<Difference>,
) {
    if recorded == found {
        return;
    }
    let is_nested = |value: &Value| value.is_object() || value.is_array();
    if let (Some(recorded), Some(found)) = (recorded, found)
        && is_nested(recorded)
        && is_nested(found)
        && recorded.is_object() == found.is_object()
    {
        return compare(path, recorded, found, differences);
    }
    differences.push(Difference::new(path, shown(recorded), shown(found)));
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "nothing".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(recorded: Value, found: Value) -> Vec<String> {
        let differences = differences(&recorded, &found);
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_difference_is_told_by_its_path() {
        let recorded = json!({"outcome": "ok", "tasks": [{"task": [1, 2], "score": 1.0}], "verdict": {"score": 1.0}});
        let found = json!({"outcome": "ok", "tasks": [{"task": [1, 3], "score": 0.5}, {"task": 1}], "verdict": null});
        let expected = [
            "tasks[0].task[1]: expected 2, found 3",
            "tasks[0].score: expected 1.0, found 0.5",
            "tasks[1]: expected nothing, found {\"task\":1}",
            "verdict: expected {\"score\":1.0}, found null",
        ];
        assert_eq!(told(recorded, found), expected);
    }

    #[test]
    fn what_is_the_same_differs_in_nothing() {
        let one = json!({"a": [1, {"b": null}], "c": "d"});
        assert_eq!(told(one.clone(), one), [""; 0]);
    }

    #[test]
    fn an_endless_list_of_differences_is_cut() {
        let list = |from: usize| (from..from + 50).collect::<Vec<_>>();
        let told = told(json!(list(0)), json!(list(1)));
        assert_eq!(told.len(), TOLD + 1);
        assert!(told.last().unwrap().ends_with("30 more"), "{told:?}");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = "é".repeat(SHOWN * 2);
        let told = told(json!({"a": 1}), json!({ "a": text }));
        assert!(told[0].ends_with('…'), "{told:?}");
    }
}
