//! A day of commits, put through the challenge as the host does it: evaluated,
//! compared with what is known, judged, in their order.
//!
//! One thing is the case's choice and not the host's: its references include the
//! miner's own earlier commits.

use super::{sniffer::Sniffer, text};
use proctor_sdk::testing::Harness;
use proctor_sdk::{
    ChallengeError, Commit, Comparison, Evaluated, Evaluation, Failure, Miner, ScoringLog,
    SolveError, SolveFailure, Submission, Verdict,
};
use serde_json::{Value, json};

/// What Proctor makes of a commit.
pub(crate) enum Outcome {
    /// The commit does not say what it points to by digest, and is refused when
    /// it is opened (`commits::reveal` of the host). No challenge hears of it.
    Refused,
    /// Nothing is scored.
    NoVerdict(ChallengeError),
    Judged(Judged),
}

pub(crate) struct Judged {
    pub(crate) logs: Vec<ScoringLog>,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) verdict: Verdict,
}

impl Outcome {
    pub(crate) fn judged(&self) -> &Judged {
        match self {
            Outcome::Judged(judged) => judged,
            Outcome::Refused => panic!("refused"),
            Outcome::NoVerdict(error) => panic!("no verdict: {error:?}"),
        }
    }

    pub(crate) fn no_verdict(&self) -> &ChallengeError {
        match self {
            Outcome::NoVerdict(error) => error,
            _ => panic!("there is a verdict, or the commit was refused"),
        }
    }

    /// Score, penalty and acceptance.
    pub(crate) fn worth(&self) -> (f64, f64, bool) {
        let verdict = &self.judged().verdict;
        (verdict.score, verdict.penalty, verdict.accepted)
    }
}

/// What comes of each commit of a case.
pub(crate) fn run(case: &Value) -> Vec<Outcome> {
    let input = &case["input"];
    for service in input["service_answers"].as_object().unwrap().keys() {
        let known = ["solve", "valid", "all", "cmp", "same", "baseline", "score"];
        assert!(known.contains(&service.as_str()), "nobody asks {service}");
    }
    let mut known: Vec<Reference> = input["reference_commits"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(index, commit)| Reference::accepted(index, commit))
        .collect();
    let mut outcomes = Vec::new();
    for raw in input["miner_commits"].as_array().unwrap() {
        if !has_digest(&text(&raw["docker_hub_id"])) {
            outcomes.push(Outcome::Refused);
            continue;
        }
        let at = raw["commit_timestamp"].as_f64().unwrap();
        let commit = commit_of(known.len(), raw, at);
        outcomes.push(match verdict(case, raw, &commit, &known) {
            Ok(judged) => {
                known.push(Reference {
                    commit,
                    score: Some(judged.verdict.score),
                    logs: judged.logs.clone(),
                    same_day: true,
                });
                Outcome::Judged(judged)
            }
            Err(error) => Outcome::NoVerdict(error),
        });
    }
    outcomes
}

/// Evaluates, compares and judges one commit.
fn verdict(
    case: &Value,
    raw: &Value,
    commit: &Commit,
    known: &[Reference],
) -> Result<Judged, ChallengeError> {
    let solution = solve(case, raw);
    let harness = Harness::<Sniffer>::new()
        .settings(settings(case))
        .solver(move |_| solution.clone());
    let logs = harness.evaluate(Vec::new())?;
    let mut comparisons = Vec::new();
    // What solved nothing resembles nothing.
    if logs.iter().any(|log| log.solution.is_some()) {
        let evaluation = |commit: &Commit, logs: &[ScoringLog]| Evaluation {
            submission: commit.submission.clone(),
            scoring_logs: logs.to_vec(),
        };
        let references = known.iter().filter(|reference| {
            let solved = reference.logs.iter().any(|log| log.solution.is_some());
            let own = reference.commit.miner.uid == commit.miner.uid;
            solved && !(reference.same_day && own)
        });
        let references: Vec<&Reference> = references.collect();
        let evaluations: Vec<Evaluation> = references
            .iter()
            .map(|reference| evaluation(&reference.commit, &reference.logs))
            .collect();
        let found = harness.compare(&evaluation(commit, &logs), &evaluations)?;
        comparisons.extend(references.iter().map(|reference| {
            Comparison {
                reference: reference.commit.clone(),
                reference_score: reference.score,
                logs: found
                    .iter()
                    .filter(|log| log.reference == reference.commit.submission.digest)
                    .cloned()
                    .collect(),
            }
        }));
    }
    let evaluated = Evaluated {
        commit: commit.clone(),
        scoring_logs: logs,
        comparisons,
    };
    let verdict = harness.judge(&evaluated)?;
    Ok(Judged {
        logs: evaluated.scoring_logs,
        comparisons: evaluated.comparisons,
        verdict,
    })
}

/// A commit that later ones are compared with.
struct Reference {
    commit: Commit,
    score: Option<f64>,
    logs: Vec<ScoringLog>,
    same_day: bool,
}

impl Reference {
    /// One of the case's references. When it was accepted the case does not say;
    /// here it was on the day before.
    fn accepted(index: usize, commit: &Value) -> Self {
        let logs = commit["scoring_logs"].as_array().unwrap().iter();
        let logs = logs.map(|log| ScoringLog {
            task: log["miner_input"].to_string(),
            solution: (!log["miner_output"].is_null()).then(|| log["miner_output"].to_string()),
            score: log["score"].as_f64().unwrap_or(0.0),
            baseline_score: None,
            error: None,
        });
        Reference {
            commit: commit_of(index, commit, -1.0),
            score: commit["score"].as_f64(),
            logs: logs.collect(),
            same_day: false,
        }
    }
}

/// The digest is made up: the cases have the same for an old and a new commit
/// with other solutions, and in Proctor these would be one artifact.
fn commit_of(index: usize, commit: &Value, committed_at: f64) -> Commit {
    Commit {
        miner: Miner {
            uid: u16::try_from(commit["miner_uid"].as_u64().unwrap()).unwrap(),
            hotkey: text(&commit["miner_hotkey"]),
            coldkey: None,
            axon_ip: None,
        },
        committed_at,
        submission: Submission {
            digest: format!("{index:064x}"),
        },
    }
}

pub(crate) fn has_digest(artifact: &str) -> bool {
    let Some((repository, digest)) = artifact.split_once("@sha256:") else {
        return false;
    };
    !repository.is_empty()
        && digest.len() == 64
        && digest.chars().all(|digit| digit.is_ascii_hexdigit())
}

/// The settings that the peer's configuration comes to.
pub(crate) fn settings(case: &Value) -> String {
    let info = &case["input"]["challenge_info"];
    let compare = &info["comparison_config"];
    let or = |value: &Value, default: f64| value.as_f64().unwrap_or(default);
    let limit = &compare["min_acceptable_score"];
    json!({
        "tasks": info["num_tasks"].as_u64().unwrap_or(1),
        "identifier": info["script_path_identifier"],
        "rules": {
            "aggregate": "max",
            "acceptance": { "max_penalty": or(limit, 0.7) },
        },
        "screening": {
            "copy_from": or(limit, 0.6),
            "own_from": or(&compare["max_self_comparison_score"], 0.9),
        },
        "same_score": { "counts_from": or(limit, 0.6) },
        "least_score": or(&info["challenge_min_acceptable_score"], 0.6),
        "max_references": compare["max_unique_commits"],
        "services": {
            "answers": case["input"]["service_answers"],
            "defaults": case["input"]["defaults"],
        },
    })
    .to_string()
}

/// What the submission answers. A text stands for an exception, without message
/// for a timeout.
fn solve(case: &Value, commit: &Value) -> Result<String, SolveError> {
    let input = &case["input"];
    let answers = input["service_answers"].get("solve");
    match answers.and_then(|by_artifact| by_artifact.get(text(&commit["docker_hub_id"]))) {
        None => {
            let uid = commit["miner_uid"].to_string();
            let default = input["defaults"]["solve"].to_string();
            Ok(default.replace("<uid>", &uid))
        }
        Some(solution @ Value::Object(_)) => Ok(solution.to_string()),
        Some(failure) => Err(SolveError::Failed(SolveFailure {
            code: match failure.as_str() {
                Some("") => Failure::Timeout,
                _ => Failure::GuestError,
            },
            message: failure.to_string(),
        })),
    }
}
