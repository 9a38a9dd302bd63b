//! The peer's newest controller against numbers that its own code gave: every
//! case is run through the traits of the SDK, by a challenge ([`sniffer`]) and
//! the native harness ([`day`]). Where Proctor differs, the test is named after
//! the peer's bug and states both numbers.
//!
//! What a case calls a score is that of `after_update_miner_scores`: the peer's
//! manager is the `judge` of a challenge.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in test functions, but not in what these call"
)]

#[path = "controller_golden/day.rs"]
mod day;
#[path = "controller_golden/sniffer.rs"]
mod sniffer;

use day::{Judged, Outcome, has_digest, run, settings};
use proctor_sdk::ranking::{Acceptance, Easing};
use proctor_sdk::testing::Harness;
use proctor_sdk::{ChallengeError, Commit, Comparison, SolveError, Verdict};
use serde_json::{Value, json};
use sniffer::{ALL, ONE, SAME_SCORE, Sniffer};

fn cases() -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/golden/controller.json"
    );
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn case(id: &str) -> Value {
    cases().into_iter().find(|case| case["id"] == id).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What the peer made of the commit at `index`: score, penalty and acceptance.
fn peer(case: &Value, index: usize) -> (f64, f64, bool) {
    let worth = &case["expected"]["after_update_miner_scores"][index];
    let number = |name: &str| worth[name].as_f64().unwrap();
    (
        number("score"),
        number("penalty"),
        worth["accepted"].as_bool().unwrap(),
    )
}

#[track_caller]
fn assert_worth(ours: &Outcome, expected: (f64, f64, bool), about: &str) {
    let worth = ours.worth();
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12;
    assert!(
        close(worth.0, expected.0) && close(worth.1, expected.1) && worth.2 == expected.2,
        "{about}: {worth:?} is not {expected:?}"
    );
}

/// The scoring logs and the comparisons, as far as Proctor has the notion.
#[track_caller]
fn assert_logs(case: &Value, index: usize, judged: &Judged) {
    let about = format!("{} {index}", case["id"]);
    let after = &case["expected"]["after_controller"][index];
    let peers = after["scoring_logs"].as_array().unwrap();
    assert_eq!(judged.logs.len(), peers.len(), "{about}");
    // The peer puts the log of each further task before the others.
    for (ours, peer) in judged.logs.iter().zip(peers.iter().rev()) {
        assert_eq!(json!(ours.solution.is_some()), peer["has_output"]);
        let skipped = peer["error"] == "Skipped scoring due to high comparison score.";
        match peer["score"].as_f64() {
            // The log keeps what the solution is worth; the verdict is 0.
            _ if skipped => assert_eq!(judged.verdict.score, 0.0, "{about}"),
            Some(score) => assert!((ours.score - score).abs() <= 1e-12, "{about}"),
            // Of several tasks the peer scores one; Proctor all that are solved.
            None if peer["has_output"] == true => {}
            None => assert!(ours.score == 0.0 && ours.error.is_some(), "{about}"),
        }
    }
    for (key, logs) in after["comparison_logs"].as_object().unwrap() {
        for log in logs.as_array().unwrap() {
            let similarity = log["similarity_score"].as_f64().unwrap();
            let found = match key.as_str() {
                // Neither is a comparison with a commit.
                "check/validation" => continue,
                key if key.starts_with("baseline_") => continue,
                "skipped" => with_kinds(&judged.comparisons, |_| true, &[ALL]),
                key => {
                    let uid = key.split('_').next().unwrap();
                    let of_uid = |commit: &Commit| commit.miner.uid.to_string() == uid;
                    with_kinds(&judged.comparisons, of_uid, &[ONE, SAME_SCORE])
                }
            };
            assert!(found.contains(&similarity), "{about}: {key}: {found:?}");
        }
    }
}

/// Similarities that were found with some references, by some comparisons.
fn with_kinds(
    comparisons: &[Comparison],
    of: impl Fn(&Commit) -> bool,
    kinds: &[&str],
) -> Vec<f64> {
    comparisons
        .iter()
        .filter(|comparison| of(&comparison.reference))
        .flat_map(|comparison| &comparison.logs)
        .filter(|log| kinds.contains(&log.reason.as_deref().unwrap_or_default()))
        .map(|log| log.similarity)
        .collect()
}

/// Whether the peer left the commit unscored because it resembled nothing.
fn resembled_nothing(case: &Value, index: usize) -> bool {
    let after = &case["expected"]["after_controller"][index];
    after["scoring_logs"][0]["error"] == "Skipped scoring due to high comparison score."
        && peer(case, index).1 == 0.0
}

/// Whether the case scripts a service that fails, or a score that is no number.
fn a_service_fails(case: &Value) -> bool {
    let answers = case["input"]["service_answers"].as_object().unwrap();
    let mut services = answers.iter().filter(|(name, _)| *name != "solve");
    services.any(|(_, answers)| match answers {
        Value::Object(by_script) => by_script.values().any(Value::is_string),
        other => other.is_string(),
    })
}

#[test]
fn a_challenge_gives_what_the_peers_controller_gives_but_for_its_bugs() {
    for case in cases() {
        let about = text(&case["id"]);
        for (index, ours) in run(&case).iter().enumerate() {
            match ours {
                Outcome::Refused => {
                    let artifact = &case["input"]["miner_commits"][index]["docker_hub_id"];
                    assert!(!has_digest(artifact.as_str().unwrap()), "{about}");
                }
                Outcome::NoVerdict(_) => assert!(a_service_fails(&case), "{about}"),
                Outcome::Judged(judged) if resembled_nothing(&case, index) => {
                    let Verdict { score, penalty, .. } = judged.verdict;
                    let worth = Easing::default().adjust(judged.logs[0].score, penalty);
                    assert_eq!(score, worth, "{about}");
                    // It is one more for later commits to be compared with.
                    break;
                }
                Outcome::Judged(judged) => {
                    assert_worth(ours, peer(&case, index), &about);
                    assert_logs(&case, index, judged);
                }
            }
        }
    }
}

/// The peer takes a highest similarity of 0 for a high one.
#[test]
fn the_first_submission_ever_is_scored_although_nothing_resembles_it() {
    let case = case("ctl_abs_first_ever_no_baseline");
    assert_eq!(peer(&case, 0), (0.0, 0.0, false));
    let log = &case["expected"]["after_controller"][0]["scoring_logs"][0];
    assert_eq!(
        log["error"],
        "Skipped scoring due to high comparison score."
    );

    let ours = &run(&case)[0];
    assert_worth(ours, (0.9, 0.0, true), "the scripted score, unreduced");
    assert_eq!(ours.judged().logs[0].error, None);
}

/// The peer scores it 0. In Proctor it is refused when it is opened: an artifact
/// is `repository@sha256:<64 hex>` or `sha256:<64 hex>`, and any other text is
/// the miner's mistake, told in the commit's state. It costs no evaluation.
#[test]
fn a_commit_without_a_digest_never_reaches_a_controller() {
    let case = case("ctl_abs_bad_digest");
    assert_eq!(peer(&case, 0), (0.0, 0.0, false));
    let log = &case["expected"]["after_controller"][0]["scoring_logs"][0];
    assert_eq!(log["error"], "Invalid image format");

    assert!(matches!(run(&case)[0], Outcome::Refused));
}

/// A score is a number in the contract, so the peer's 0 for a text would be the
/// challenge's fault, and that is nobody's score.
#[test]
fn a_score_that_is_no_number_is_the_challenges_fault_and_no_score_of_0() {
    let case = case("ctl_abs_non_numeric_score");
    assert_eq!(peer(&case, 0), (0.0, 0.3, false));
    assert_eq!(peer(&case, 1), (1.0, 0.3, true));

    let ours = run(&case);
    let error = ours[0].no_verdict();
    assert!(matches!(error, ChallengeError::Internal(why) if why.contains("0.9")));
    assert_worth(&ours[1], (1.0, 0.3, true), "an integer is a number");
}

/// The peer cannot tell a miner that is late from a host that is busy, and scores
/// both 0 for good.
#[test]
fn a_host_that_cannot_run_a_submission_is_no_timeout_of_the_miner() {
    let case = case("ctl_abs_miner_timeout");
    assert_eq!(peer(&case, 0), (0.0, 0.0, false));

    let away = Harness::<Sniffer>::new()
        .settings(settings(&case))
        .solver(|_| Err(SolveError::Unavailable("no room".into())));
    let error = away.evaluate(Vec::new()).unwrap_err();
    assert!(matches!(error, ChallengeError::Unavailable(why) if why == "no room"));

    // The submission's own limit. The host asks again before it believes this.
    let ours = &run(&case)[0];
    assert_worth(ours, (0.0, 0.0, false), "late");
    let log = &ours.judged().logs[0];
    assert!(log.solution.is_none() && log.error.as_deref().unwrap().starts_with("timeout"));
}

/// The peer swallows an exception at a service, with whatever comes of it.
#[test]
fn a_service_that_fails_is_asked_again_whatever_the_peer_took_it_for() {
    for (id, peers) in [
        // Its caller expects another type, so that nothing is scored: a 0.
        ("ctl_abs_compare_fails", (0.0, 0.0, false)),
        // Nothing in common, so that a copy would pass.
        ("ctl_abs_compare_all_fails", (0.9, 0.3, true)),
        // An invalid submission.
        ("ctl_abs_validation_fails", (0.0, 1.0, false)),
    ] {
        let case = case(id);
        assert_eq!(peer(&case, 0), peers, "{id}");
        let ours = run(&case);
        let error = ours[0].no_verdict();
        assert!(
            matches!(error, ChallengeError::Unavailable(why) if why.contains("refused")),
            "{id}: {error:?}"
        );
    }
}

/// The peer's two limits are the same number, 0.6: what reaches it is not scored,
/// and what does not exceed it is accepted. Proctor keeps both, and screens first.
#[test]
fn a_similarity_of_exactly_the_limit_is_a_copy_although_acceptance_alone_admits_it() {
    let case = case("ctl_abs_compare_all_exactly_0.6");
    assert_eq!(peer(&case, 0), (0.0, 0.6, false));
    assert_worth(&run(&case)[0], (0.0, 0.6, false), "screened");
    assert!(Acceptance::default().admits(0.9, 0.6));

    // Found only after the score, it is no reason not to score.
    let late = self::case("ctl_abs_same_score_exactly_0.6");
    assert!(peer(&late, 0).0 > 0.9 && peer(&late, 0).2);
    assert_worth(&run(&late)[0], peer(&late, 0), "accepted");
}

/// The peer gives a copy's log a score of 0, so that later copies of the copy are
/// not compared with it. Proctor's log keeps what the script is worth.
#[test]
fn a_copy_is_no_reference_for_later_commits_of_its_day() {
    let case = case("ctl_abs_batch");
    let ours = run(&case);
    assert_worth(&ours[2], (0.0, 0.75, false), "a copy of the second");
    assert_eq!(ours[2].judged().logs[0].score, 0.9);
    // It resembles that copy by 0.9.
    assert_worth(&ours[3], peer(&case, 3), "the fourth");
    assert!(ours[3].worth().2);
}
