//! What a result is known by.

use crate::canonical::digest;
use crate::receipts::documents::{Document, EvaluateOutput};
use crate::sandbox::types::ScoringLog;

/// The digest of what an evaluation came to: its outcome's code, and its scoring logs
/// in the order of the tasks. 64 lower-case hexadecimal digits, of SHA-256 over a
/// canonical JSON text that `docs/validators.md` describes: the output of its receipt.
///
/// # Errors
///
/// None that is known of: the text has nothing in it that JSON cannot hold.
pub fn result_digest(outcome: &str, logs: &[ScoringLog]) -> Result<String, serde_json::Error> {
    Ok(digest(EvaluateOutput::new(outcome, logs).text()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// With what is easily written in another way.
    fn logs() -> Vec<ScoringLog> {
        vec![
            ScoringLog {
                task: "{\"n\": 1}".into(),
                solution: Some("\"é\\u0000\u{1f}\u{7f}\u{2028}/\"".into()),
                score: 0.1 + 0.2,
                baseline_score: Some(-0.0),
                error: None,
            },
            ScoringLog {
                task: "[1.0]".into(),
                solution: None,
                score: 1e21,
                baseline_score: None,
                error: Some("line\nbreak\t\"quoted\"".into()),
            },
        ]
    }

    /// The vector of docs/validators.md, made with Python:
    /// `json.dumps(…, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`.
    #[test]
    fn the_digest_is_the_one_that_is_documented() {
        let documented = include_str!("../../../docs/validators.md");
        for (digest, of) in [
            (DIGEST, result_digest("ok", &logs()).unwrap()),
            (NOTHING, result_digest("guest_error", &[]).unwrap()),
        ] {
            assert_eq!(of, digest);
            assert!(documented.contains(digest), "{digest}");
        }
    }

    const DIGEST: &str = "76915f56b3f61c84659166209373fe9ef60b574bced8abcf4395e3e08752b8c8";
    const NOTHING: &str = "f69ce0a18675157ba41ad4900315c666f2dce4799a8e2dadb6e08fab05ff72e1";

    #[test]
    fn every_part_of_a_result_counts() {
        let digest = |change: fn(&mut ScoringLog)| {
            let mut logs = logs();
            change(&mut logs[0]);
            result_digest("ok", &logs).unwrap()
        };
        let same = digest(|_| {});
        for other in [
            digest(|log| log.task.push(' ')),
            digest(|log| log.solution = None),
            digest(|log| log.score = 0.3),
            digest(|log| log.baseline_score = Some(0.0)),
            digest(|log| log.baseline_score = None),
            digest(|log| log.error = Some(String::new())),
            result_digest("timeout", &logs()).unwrap(),
            result_digest("ok", &logs()[..1]).unwrap(),
        ] {
            assert_ne!(other, same);
        }
        let mut reversed = logs();
        reversed.reverse();
        assert_ne!(result_digest("ok", &reversed).unwrap(), same);
    }

    proptest! {
        /// The host knows its result from what it stored.
        #[test]
        fn what_was_stored_has_the_same_digest(
            scores in prop::collection::vec((any::<i64>(), any::<Option<i64>>()), 1..4),
            text in any::<String>(),
        ) {
            let finite = |bits: i64| {
                let number = f64::from_bits(bits.cast_unsigned());
                if number.is_finite() { number } else { -0.0 }
            };
            let logs: Vec<ScoringLog> = scores
                .iter()
                .map(|(score, baseline)| ScoringLog {
                    task: serde_json::json!(text).to_string(),
                    solution: Some(text.clone()),
                    score: finite(*score),
                    baseline_score: baseline.map(finite),
                    error: None,
                })
                .collect();
            let stored = serde_json::to_string(&logs).unwrap();
            let read: Vec<ScoringLog> = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(result_digest("ok", &read).unwrap(), result_digest("ok", &logs).unwrap());
        }
    }
}
