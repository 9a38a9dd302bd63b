//! What a service said of a task, and whose fault it is if there is no solution.

use crate::sandbox::{Outcome, PluginError};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a service may answer with.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    solution: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
    #[serde(default)]
    message: String,
}

/// What may be held against a submission: the failures of `proctor:challenge/runner`.
const FAILURES: [Outcome; 9] = [
    Outcome::GuestError,
    Outcome::Trap,
    Outcome::OutOfFuel,
    Outcome::Timeout,
    Outcome::OutOfMemory,
    Outcome::StackOverflow,
    Outcome::Denied,
    Outcome::InvalidOutput,
    Outcome::LinkError,
];

/// The solution, JSON of at most `max_bytes`, or why there is none. `status` is the HTTP
/// status of the answer.
pub(super) fn read(status: u16, body: &[u8], max_bytes: usize) -> Result<String, PluginError> {
    let is_final = status == 200 || ((400..500).contains(&status) && !is_later(status));
    let answer = serde_json::from_slice::<Answer<'_>>(body);
    match answer {
        Ok(Answer {
            solution: None,
            error: Some(fault),
        }) if is_final => Err(failure(fault)),
        Ok(Answer {
            solution: Some(solution),
            error: None,
        }) if status == 200 => {
            if solution.get().len() > max_bytes {
                return Err(too_large(max_bytes));
            }
            Ok(solution.get().to_owned())
        }
        _ if status == 200 => Err(unavailable("answered in a form that is not understood")),
        _ if (300..400).contains(&status) => Err(unavailable(&format!(
            "answered {status}: redirects are not followed"
        ))),
        _ => Err(unavailable(&format!("answered {status}"))),
    }
}

/// A solution that is larger than the submission's may be.
pub(super) fn too_large(max_bytes: usize) -> PluginError {
    let message = format!("the solution is larger than {max_bytes} bytes");
    PluginError::submission(Outcome::InvalidOutput, message)
}

/// A fault of the service, or of the way to it.
pub(super) fn unavailable(what: &str) -> PluginError {
    PluginError::new(Outcome::Unavailable, format!("the runner {what}"))
}

/// Statuses that say to come back later.
fn is_later(status: u16) -> bool {
    matches!(status, 408 | 425 | 429)
}

fn failure(fault: Fault) -> PluginError {
    let outcome = Outcome::from_code(&fault.code);
    match outcome.filter(|outcome| FAILURES.contains(outcome)) {
        Some(outcome) => PluginError::submission(outcome, fault.message),
        None if fault.code == "unavailable" => {
            let message: String = fault.message.chars().take(512).collect();
            unavailable(&format!("says: {message}"))
        }
        None => {
            let code: String = fault.code.chars().take(64).collect();
            unavailable(&format!("answered with the unknown code {code:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Blame;

    fn outcome(status: u16, body: &str) -> (Outcome, Blame) {
        let error = read(status, body.as_bytes(), 16).unwrap_err();
        (error.outcome, error.blame)
    }

    #[test]
    fn a_solution_is_taken_as_it_is_written() {
        let solution = |body: &str| read(200, body.as_bytes(), 16).unwrap();
        assert_eq!(solution(r#"{"solution": [1.0, "a"]}"#), r#"[1.0, "a"]"#);
        assert_eq!(solution(r#"{"solution": 7, "took_ms": 3}"#), "7");
        let long = format!(r#"{{"solution": "{}"}}"#, "x".repeat(15));
        assert_eq!(
            outcome(200, &long),
            (Outcome::InvalidOutput, Blame::Submission)
        );
    }

    #[test]
    fn only_what_the_runner_says_of_the_submission_is_held_against_it() {
        for failure in FAILURES {
            let body = format!(
                r#"{{"error": {{"code": "{}", "message": "m"}}}}"#,
                failure.code()
            );
            for status in [200, 400, 422] {
                assert_eq!(outcome(status, &body), (failure, Blame::Submission));
            }
            // Such a status is about the runner, whatever it says.
            for status in [201, 302, 408, 425, 429, 500, 502, 503] {
                let found = outcome(status, &body);
                assert_eq!(found, (Outcome::Unavailable, Blame::Host), "{status}");
            }
        }
    }

    #[test]
    fn whatever_else_comes_is_the_runners_fault() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, "{}"),
            (200, r#"{"solution": 1, "error": {"code": "trap"}}"#),
            (200, r#"{"error": {"code": "ok"}}"#),
            (200, r#"{"error": {"code": "host_error"}}"#),
            (
                200,
                r#"{"error": {"code": "unavailable", "message": "no GPU"}}"#,
            ),
            (200, r#"{"error": "trap"}"#),
            (400, r#"{"error": {"code": "no_such_code"}}"#),
            (400, r#"{"solution": 1}"#),
            (401, ""),
            (404, r#"{"detail": "Not Found"}"#),
        ] {
            let found = outcome(status, body);
            assert_eq!(
                found,
                (Outcome::Unavailable, Blame::Host),
                "{status} {body}"
            );
        }
    }
}
