//! Loops, entries and answers, for people.

use crate::cli::admin::show::{each, pairs, text, time};
use crate::cli::table::table;
use serde_json::Value;

/// The most characters of a message in a table.
const WIDTH: usize = 60;

fn line(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn cut(text: String, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Seconds or steps, with what they are.
fn rate(status: &Value, pointer: &str) -> String {
    let value = text(status, pointer);
    match text(status, "/trigger").as_str() {
        "seconds" => format!("{value} s"),
        "steps" => format!("{value} steps"),
        _ => value,
    }
}

/// Every loop, a line for each.
pub(super) fn list(page: &Value) -> String {
    let rows = each(page, "/challenges").iter().map(|status| {
        vec![
            text(status, "/challenge"),
            text(status, "/state"),
            rate(status, "/delay"),
            text(status, "/in_flight"),
            text(status, "/queue/queued"),
            text(status, "/queue/failed"),
            time(status, "/last_started_at"),
        ]
    });
    let header = [
        "challenge",
        "state",
        "every",
        "running",
        "queued",
        "failed",
        "last began",
    ];
    let right = [false, false, true, true, true, true, false];
    table(&header, &right, &rows.collect::<Vec<_>>())
}

/// A loop.
pub(super) fn status(status: &Value) -> String {
    let told = |pointer| text(status, pointer);
    let mut lines = vec![
        line("challenge", told("/challenge")),
        line("state", told("/state")),
        line("an iteration every", rate(status, "/delay")),
        line(
            "",
            format!(
                "{} while the queue is empty, at least {}; one less per {} queued",
                rate(status, "/frequency"),
                rate(status, "/frequency_min"),
                told("/scaling")
            ),
        ),
    ];
    if told("/trigger") == "steps" {
        let steps = format!(
            "{} counted, {} needed",
            told("/steps"),
            told("/steps_needed")
        );
        lines.push(line("steps", steps));
    }
    lines.extend([
        line("running now", told("/in_flight")),
        line("begun since start", told("/iterations")),
        line("last began", time(status, "/last_started_at")),
        line("last number", told("/last_iteration")),
        line("queued", told("/queue/queued")),
        line("oldest of them", time(status, "/queue/oldest_at")),
        line("next to be tried", next_try(status)),
        line("in an iteration", told("/queue/leased")),
        line("done", told("/queue/done")),
        line("dropped", told("/queue/dropped")),
        line("failed", told("/queue/failed")),
    ]);
    pairs(&lines)
}

/// When the next entry may be tried: those that never failed, at any time.
fn next_try(status: &Value) -> String {
    match status.pointer("/queue/next_at").and_then(Value::as_f64) {
        Some(at) if at <= 0.0 => "at any time".to_owned(),
        _ => time(status, "/queue/next_at"),
    }
}

/// What a loop is after it was changed, in a line.
pub(super) fn changed(status: &Value) -> String {
    let told = |pointer| text(status, pointer);
    let mut line = format!("{}: {}", told("/challenge"), told("/state"));
    if told("/trigger") == "steps" {
        line += &format!(
            ", {} steps of {} counted",
            told("/steps"),
            told("/steps_needed")
        );
    }
    match told("/in_flight").as_str() {
        "0" | "-" => {}
        "1" => line += ", 1 iteration runs",
        several => line += &format!(", {several} iterations run"),
    }
    line + "\n"
}

/// Entries, as an operator sees them, a line for each.
pub(super) fn entries(page: &Value) -> String {
    let rows = each(page, "/entries").iter().map(|entry| {
        vec![
            text(entry, "/id"),
            text(entry, "/state"),
            time(entry, "/received_at"),
            text(entry, "/caller"),
            text(entry, "/attempts"),
            text(entry, "/iteration"),
            text(entry, "/code"),
            cut(text(entry, "/message"), WIDTH),
        ]
    });
    let header = [
        "id",
        "state",
        "received at",
        "caller",
        "attempts",
        "iteration",
        "code",
        "message",
    ];
    let right = [false, false, false, false, true, true, false, false];
    let mut told = table(&header, &right, &rows.collect::<Vec<_>>());
    let next = text(page, "/next");
    if next != "-" {
        told.push_str(&format!("There are more: --cursor {next}\n"));
    }
    told
}

/// An entry, as its caller sees it.
pub(super) fn entry(entry: &Value) -> String {
    let told = |pointer| text(entry, pointer);
    let state = match entry.get("duplicate") {
        Some(Value::Bool(true)) => format!("{}, sent before", told("/state")),
        _ => told("/state"),
    };
    let mut lines = vec![line("entry", told("/id")), line("state", state)];
    for (name, pointer) in [
        ("code", "/code"),
        ("why", "/message"),
        ("answered by uid", "/uid"),
        ("answer", "/answer"),
    ] {
        let value = told(pointer);
        if value != "-" {
            lines.push(line(name, value));
        }
    }
    pairs(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(trigger: &str) -> Value {
        json!({
            "challenge": "echo", "state": "running", "trigger": trigger, "frequency": 15.0,
            "frequency_min": 2.0, "scaling": 5.0, "delay": 9.0, "steps": 3, "steps_needed": 9,
            "queue": {"queued": 30, "oldest_at": 0.0, "next_at": null, "leased": 2, "done": 70,
                "dropped": 0, "failed": 1},
            "in_flight": 2, "last_started_at": 1_787_410_800.0, "last_iteration": 73,
            "iterations": 73,
        })
    }

    #[test]
    fn the_list_has_a_line_for_each_challenge() {
        let page = json!({"challenges": [of("seconds"), of("steps")]});
        let expected = "\
challenge  state        every  running  queued  failed  last began
echo       running      9.0 s        2      30       1  2026-08-22T15:00:00Z
echo       running  9.0 steps        2      30       1  2026-08-22T15:00:00Z
";
        assert_eq!(list(&page), expected);
    }

    #[test]
    fn steps_are_told_where_they_count() {
        let seconds = status(&of("seconds"));
        assert!(seconds.contains("an iteration every  9.0 s\n"), "{seconds}");
        assert!(!seconds.contains("counted"), "{seconds}");
        assert!(status(&of("steps")).contains("steps               3 counted, 9 needed\n"));
        let line = "echo: running, 3 steps of 9 counted, 2 iterations run\n";
        assert_eq!(changed(&of("steps")), line);
        let mut stopped = of("seconds");
        stopped["state"] = json!("stopped");
        stopped["in_flight"] = json!(0);
        assert_eq!(changed(&stopped), "echo: stopped\n");
    }

    #[test]
    fn entries_tell_why_they_failed() {
        let page = json!({"entries": [{"id": "e1", "caller": "5Caller", "state": "failed",
            "priority": 0.0, "received_at": 0.0, "ended_at": 1.0, "attempts": 3,
            "iteration": 7, "code": "trap", "message": format!("a\u{1b}{}", "b".repeat(99)),
            "sample": {}, "answer": null}], "next": "abc"});
        let told = entries(&page);
        let row = told.lines().nth(1).unwrap();
        let start =
            "e1  failed  1970-01-01T00:00:00Z  5Caller         3          7  trap  a\\u{1b}b";
        assert!(row.starts_with(start), "{told}");
        assert!(row.ends_with("b…"), "{told}");
        assert!(told.ends_with("There are more: --cursor abc\n"), "{told}");
    }

    #[test]
    fn an_answer_is_told_with_whose_it_is() {
        let done = json!({"id": "e1", "state": "done", "duplicate": true, "uid": 7,
            "answer": {"text": "hello"}, "code": null, "message": null});
        let expected = "\
entry            e1
state            done, sent before
answered by uid  7
answer           {\"text\":\"hello\"}
";
        assert_eq!(entry(&done), expected);
        let failed = json!({"id": "e2", "state": "failed", "duplicate": false, "uid": null,
            "answer": null, "code": "no_answers", "message": "none"});
        let expected = "entry  e2\nstate  failed\ncode   no_answers\nwhy    none\n";
        assert_eq!(entry(&failed), expected);
    }
}
