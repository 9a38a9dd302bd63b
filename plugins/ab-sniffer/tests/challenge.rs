//! The challenge, natively: what it makes of answers and of comparisons.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

use ab_sniffer::{AbSniffer, Settings, Task};
use ab_sniffer_solver::OneTrace;
use proctor_sdk::testing::Harness;
use proctor_sdk::{
    ChallengeError, Commit, Comparison, ComparisonLog, Evaluated, Evaluation, Failure, Miner,
    ScoringLog, SolveError, SolveFailure, Submission, Verdict,
};

fn logs(seed: u64) -> Vec<ScoringLog> {
    let harness = Harness::<AbSniffer>::new().seed(seed);
    harness
        .submission::<OneTrace>()
        .evaluate(Vec::new())
        .unwrap()
}

fn evaluation(digest: &str, scoring_logs: Vec<ScoringLog>) -> Evaluation {
    Evaluation {
        submission: Submission {
            digest: digest.repeat(64),
        },
        scoring_logs,
    }
}

/// What the verdict is if a log says `similarity` to a commit of `other`.
fn judge(other: &str, similarity: f64) -> Verdict {
    let commit = |hotkey: &str| Commit {
        miner: Miner {
            uid: 1,
            hotkey: hotkey.to_owned(),
            coldkey: None,
            axon_ip: None,
        },
        committed_at: 0.0,
        submission: Submission {
            digest: "a".repeat(64),
        },
    };
    let mut scoring_logs = logs(1);
    for log in &mut scoring_logs {
        log.score = 0.9;
    }
    let evaluated = Evaluated {
        commit: commit("me"),
        scoring_logs,
        comparisons: vec![Comparison {
            reference: commit(other),
            reference_score: Some(0.9),
            logs: vec![ComparisonLog {
                reference: "a".repeat(64),
                similarity,
                reason: None,
            }],
        }],
    };
    Harness::<AbSniffer>::new().judge(&evaluated).unwrap()
}

#[test]
fn the_example_is_mostly_accepted_and_never_perfect() {
    let scores: Vec<f64> = (0..20).map(|seed| logs(seed)[0].score).collect();
    let accepted = scores.iter().filter(|&&score| score >= 0.4).count();
    assert!(accepted >= 18, "{scores:?}");
    assert!(scores.iter().all(|&score| score < 1.0), "{scores:?}");
}

#[test]
fn every_log_has_the_score_of_the_whole_order() {
    let logs = logs(1);
    assert_eq!(logs.len(), 8 * 2 + 3);
    assert!(logs.iter().all(|log| log.score == logs[0].score));
    assert!(logs.iter().any(|log| log.error.is_some()));
    assert!(logs.iter().any(|log| log.error.is_none()));
}

#[test]
fn the_seed_decides_the_order() {
    let tasks = |seed| {
        let logs = logs(seed).into_iter();
        logs.map(|log| log.task).collect::<Vec<_>>()
    };
    assert_eq!(tasks(1), tasks(1));
    assert_ne!(tasks(1), tasks(2));
}

#[test]
fn a_task_does_not_say_who_visits() {
    let names = Settings::default().frameworks;
    for log in logs(1) {
        assert!(!log.task.contains("human"), "{}", log.task);
        let told = names.iter().find(|f| log.task.contains(&f.name));
        assert!(told.is_none(), "{}", log.task);
    }
}

#[test]
fn a_session_that_fails_does_not_fail_the_others() {
    let first_fails = |task: &str| {
        let task: Task = serde_json::from_str(task).unwrap();
        match task.session {
            0 => Err(SolveError::Failed(SolveFailure {
                code: Failure::Trap,
                message: "unreachable".to_owned(),
            })),
            1 => Ok("{}".to_owned()),
            _ => Ok(r#"{"detected": ["a"], "headless": false}"#.to_owned()),
        }
    };
    let logs = Harness::<AbSniffer>::new()
        .settings(r#"{"frameworks": [{"name": "a"}], "headed": 4, "headless": 0, "humans": 0}"#)
        .solver(first_fails)
        .evaluate(Vec::new())
        .unwrap();
    assert_eq!(logs[0].error.as_deref(), Some("no answer: unreachable"));
    let malformed = logs[1].error.as_deref().unwrap();
    assert!(malformed.starts_with("malformed solution"), "{malformed}");
    assert_eq!((&logs[2].error, &logs[3].error), (&None, &None));
    // Half of the points, and no miss.
    assert!((logs[0].score - 0.55).abs() < 1e-12, "{}", logs[0].score);
}

#[test]
fn nothing_is_scored_while_the_runner_is_away() {
    let harness = Harness::<AbSniffer>::new();
    let result = harness.evaluate(Vec::new());
    assert!(matches!(result, Err(ChallengeError::Unavailable(_))));
}

#[test]
fn tasks_of_another_order_cannot_be_scored() {
    let harness = Harness::<AbSniffer>::new().seed(1).submission::<OneTrace>();
    let own = |seed| logs(seed).into_iter().map(|log| log.task);
    assert!(harness.evaluate(own(1).take(3).collect()).is_ok());
    let mut long: Vec<_> = own(1).collect();
    long.push(long[0].clone());
    for tasks in [own(2).collect(), long] {
        let result = harness.evaluate(tasks);
        assert!(matches!(result, Err(ChallengeError::Internal(_))));
    }
}

#[test]
fn a_copy_is_found_today_and_on_another_day() {
    let today = evaluation("a", logs(1));
    let copying = Harness::<AbSniffer>::new().submission::<OneTrace>();
    let other = Harness::<AbSniffer>::new()
        .solver(|_| Ok(r#"{"detected": ["nodriver"], "headless": null}"#.to_owned()));
    for reference in [evaluation("b", logs(1)), evaluation("b", logs(2))] {
        let references = [reference];
        let found = copying.compare(&today, &references).unwrap();
        assert_eq!(found[0].similarity, 1.0, "{found:?}");
    }
    // Today's answers are those of the log; another day's are asked for.
    let found = other.compare(&today, &[evaluation("b", logs(2))]).unwrap();
    assert_eq!(found[0].similarity, 0.0, "{found:?}");
    let mut perfect = logs(1);
    for log in &mut perfect {
        log.error = None;
    }
    let found = copying.compare(&today, &[evaluation("b", perfect)]);
    assert_eq!(found.unwrap()[0].similarity, 0.0);
}

#[test]
fn a_copy_is_worth_nothing() {
    let copy = judge("other", 0.6);
    assert!(!copy.accepted && copy.score == 0.0 && copy.reason.is_some());
    let alike = judge("other", 0.3);
    assert!(alike.accepted && alike.score == 0.9, "{alike:?}");
}

#[test]
fn to_improve_on_ones_own_work_is_no_copying() {
    let improved = judge("me", 0.79);
    assert!(improved.accepted && improved.penalty == 0.0, "{improved:?}");
    assert!(!judge("me", 0.8).accepted);
}

#[test]
fn settings_out_of_range_are_named() {
    let problems = |json: &str| {
        let harness = Harness::<AbSniffer>::new().settings(json);
        let problems = harness.validate_settings().err().unwrap_or_default();
        problems.into_iter().map(|p| p.path).collect::<Vec<_>>()
    };
    assert!(problems("{}").is_empty());
    assert_eq!(problems(r#"{"frameworks": []}"#), ["frameworks"]);
    let frameworks = r#"{"frameworks": [{"name": "human"}, {"name": "a"},
        {"name": "a", "weight": 0}, {"name": "b", "weight": -1}]}"#;
    assert_eq!(
        problems(frameworks),
        [
            "frameworks[0].name",
            "frameworks[2].name",
            "frameworks[2].weight",
            "frameworks[3].weight"
        ]
    );
    assert_eq!(problems(r#"{"headed": 0, "headless": 0}"#), ["headed"]);
    assert_eq!(problems(r#"{"headed": 126}"#), ["headed"]);
    assert_eq!(problems(r#"{"visible": 1.5}"#), ["visible"]);
}
