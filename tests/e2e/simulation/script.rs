//! What happens on the two days: who commits what, what the validators see of it,
//! and how the service fails.

use crate::commits::{Commit, HOUR};
use crate::support::{DAY, START, variant};
use proctor_dev_storage::{Fault, FaultKind};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The scoring hour of the first day.
pub(super) const FIRST_HOUR: f64 = START - HOUR;

/// Who commits what, in hours from [`FIRST_HOUR`]. It is opened a day later. Solvers
/// with the same mark are the same artifact.
pub(super) const COMMITS: [(u16, &str, u8, f64); 13] = [
    (4, "knn", 0, -30.0),
    (5, "linear", 0, -29.0),
    (6, "knn_renamed", 0, -28.0),
    (7, "endless_loop", 0, -27.0),
    (8, "first_example", 0, -25.5),
    (9, "malformed_json", 0, -24.2),
    // In time for the second day.
    (10, "nearest_centroid", 0, -23.0),
    (4, "linear", 1, -20.0),
    (11, "memory_hog", 0, -10.0),
    (12, "knn", 0, -4.0),
    (13, "nearest_centroid", 1, -1.0),
    // For the third, which does not come.
    (14, "first_example", 1, 0.4),
    (15, "knn", 2, 10.0),
];

/// How many seconds after a commit each validator sees it.
pub(super) const DELAYS: [f64; 3] = [0.0, 100.0, 200.0];

/// A time at which something happens, in hours from [`FIRST_HOUR`], and what the
/// service does to requests then. All of it passes, but for an outage.
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) faults: Vec<Fault>,
    pub(super) is_outage: bool,
}

pub(super) fn ticks() -> Vec<Tick> {
    const FETCH: &str = "/fetch-latest-miner-commits";
    const SCORES: &str = "/upload-centralized-score";
    const COMMIT: &str = "/upload-commit";
    const STATE: &str = "/upload-validator-state";
    let fault = |route: &str, kind, times| Fault::new(route, kind).times(times);
    let held = |delay_ms, fault: Fault| Fault { delay_ms, ..fault };
    let applied = |fault: Fault| Fault {
        applied: true,
        ..fault
    };
    let tick = |at, faults| Tick {
        at,
        faults,
        is_outage: false,
    };
    let outage = |at| Tick {
        is_outage: true,
        ..tick(at, vec![Fault::new("*", FaultKind::Status)])
    };
    vec![
        tick(-8.0, vec![fault("*", FaultKind::Close, 4)]),
        tick(
            -5.9,
            vec![
                fault(FETCH, FaultKind::Status, 3).of_validator(0),
                fault(FETCH, FaultKind::Hang, 2).of_validator(1),
            ],
        ),
        tick(
            -4.9,
            vec![
                fault(FETCH, FaultKind::Garbage, 2).of_validator(0),
                fault(FETCH, FaultKind::Truncate, 2).of_validator(1),
                fault(FETCH, FaultKind::Huge, 1).of_validator(2),
                held(50, fault(SCORES, FaultKind::Slow, 3)),
            ],
        ),
        tick(
            -2.0,
            vec![
                fault(SCORES, FaultKind::Status, 3),
                fault(COMMIT, FaultKind::Truncate, 2),
                held(400, fault(FETCH, FaultKind::Slow, 1).of_validator(2)),
            ],
        ),
        tick(-0.1, vec![fault(COMMIT, FaultKind::Hang, 2)]),
        // The service is away at the scoring hour.
        outage(0.0),
        outage(0.5),
        tick(1.1, vec![fault(STATE, FaultKind::Garbage, 2)]),
        tick(4.1, vec![fault("*", FaultKind::Close, 6)]),
        tick(11.0, vec![]),
        tick(14.2, vec![fault(SCORES, FaultKind::Hang, 1)]),
        tick(20.1, vec![applied(fault(COMMIT, FaultKind::Status, 3))]),
        tick(23.2, vec![fault(SCORES, FaultKind::Garbage, 2)]),
        tick(
            24.0,
            vec![
                applied(fault(STATE, FaultKind::Hang, 1)),
                applied(fault(COMMIT, FaultKind::Close, 3)),
            ],
        ),
        tick(24.6, vec![fault(FETCH, FaultKind::Huge, 2)]),
        tick(26.0, vec![]),
    ]
}

/// What the miners do, the same in every run.
pub(super) struct Script {
    pub(super) commits: Vec<Commit>,
}

impl Script {
    pub(super) fn new() -> Self {
        let commit = |(uid, solver, mark, at): (u16, &str, u8, f64)| {
            let digest = hex::encode(Sha256::digest(variant(solver, mark)));
            let text = format!("digits---sha256:{digest}");
            Commit::at(&format!("miner-{uid}"), &text, FIRST_HOUR + at * HOUR)
        };
        let mut commits: Vec<Commit> = COMMITS.map(commit).into();
        let nonsense = "digits---what?";
        commits.push(Commit::at("miner-16", nonsense, FIRST_HOUR - 26.0 * HOUR));
        Script { commits }
    }

    /// What a validator has seen: (commit, when it says that was, whether it knows
    /// the key). Each misses some.
    fn seen(&self, validator: usize, now: f64) -> Vec<(&Commit, f64, bool)> {
        let mut seen = Vec::new();
        for (number, commit) in self.commits.iter().enumerate() {
            let at = commit.committed_at + DELAYS[validator];
            if at <= now && (number + validator) % 4 != 3 {
                seen.push((commit, at, at + DAY <= now));
            }
        }
        seen
    }

    /// What the service answers for a validator.
    pub(super) fn document(&self, validator: usize, now: f64) -> Value {
        let mut miners: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (commit, at, knows) in self.seen(validator, now) {
            let mut shown = if knows {
                commit.revealed()
            } else {
                commit.sealed()
            };
            shown["commit_timestamp"] = json!(at);
            // The last one mixes the keys up.
            if knows && validator == 2 && commit.hotkey == "miner-6" {
                shown["key"] = json!(self.commits[0].key);
            }
            miners.entry(&commit.hotkey).or_default().push(shown);
        }
        let miners = miners.into_iter().map(|(hotkey, commits)| {
            let challenges = json!({ "digits": commits });
            (hotkey.to_owned(), challenges)
        });
        Value::Object(Map::from_iter(miners))
    }

    /// SQL that tells whether all is done that can be: everything was heard that
    /// the validators had seen at `heard`, and moved on as far as it goes at `now`.
    pub(super) fn is_settled(&self, heard: f64, now: f64) -> String {
        let (mut known, mut open, mut sightings) = (BTreeSet::new(), BTreeSet::new(), 0);
        for validator in 0..DELAYS.len() {
            for (commit, _, knows) in self.seen(validator, heard) {
                sightings += 1;
                known.insert(&commit.encrypted);
                if knows && !(validator == 2 && commit.hotkey == "miner-6") {
                    open.insert(&commit.encrypted);
                }
            }
        }
        let days = [0.0, DAY].iter().filter(|day| FIRST_HOUR + **day <= now);
        let (known, open, days) = (known.len(), open.len(), days.count());
        format!(
            "SELECT (SELECT count(*) FROM commits) = {known}
                 AND (SELECT count(*) FROM commits WHERE key IS NOT NULL) = {open}
                 AND (SELECT count(*) FROM sightings) = {sightings}
                 AND (SELECT count(*) FROM finalizations) = {days}
                 AND (SELECT count(*) FROM weight_vectors) = {days}
                 AND NOT EXISTS (SELECT 1 FROM commits WHERE state = 'revealed'
                     OR (state = 'evaluated' AND comparisons IS NULL)
                     OR (state = 'sealed' AND key IS NOT NULL AND committed_at + {DAY} <= {now}))"
        )
    }
}
