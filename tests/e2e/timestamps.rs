//! Which of the times counts that validators claim for a commit, and that a made-up
//! one is seen.

use crate::commits::{Commit, HOUR, all_revealed, document};
use crate::days::{count, due, finalized, hour_of};
use crate::metrics::Metrics;
use crate::support::{World, metagraph, neuron};
use serde_json::{Value, json};

/// Three validators that tell the truth, and one that backdates a copy to before
/// the original.
struct Backdating {
    world: World,
    original: Commit,
    copy: Commit,
}

impl Backdating {
    /// With more in the configuration: the time is fixed as commits come in, so it
    /// is for `proctor ingest` too.
    fn new(configuration: &str) -> Self {
        let world = World::new().with_digits().configured(configuration);
        let mut everybody = metagraph();
        for uid in 0..4 {
            let validator = neuron(uid, &format!("validator-{uid}"), 20_000.0);
            everybody["neurons"][usize::from(uid)] = validator;
        }
        world.set_metagraph(&everybody);
        let digest = world.add_artifact("knn");
        let case = Backdating {
            world,
            original: due(5, &digest, hour_of(0) - 8.0 * HOUR),
            copy: due(6, &digest, hour_of(0) - 7.0 * HOUR),
        };
        case.publish();
        case
    }

    fn publish(&self) {
        let Backdating {
            world,
            original,
            copy,
        } = self;
        // Who saw them, and how many seconds later.
        let seen = |commit: &Commit, after: f64| {
            let mut seen = commit.revealed();
            seen["commit_timestamp"] = json!(commit.committed_at + after);
            seen
        };
        // All that the liar ever told of until then.
        world.set_clock(copy.committed_at);
        let told = document([(original.hotkey.as_str(), seen(original, 3.0))]);
        world.ingest(3, &told);
        world.set_clock(copy.committed_at + 60.0);
        for (validator, after) in [(0, 0.0), (1, 10.0), (2, 20.0)] {
            let both = [original, copy].map(|c| (c.hotkey.as_str(), seen(c, after)));
            world.ingest(validator, &document(both));
        }
        let lie = [
            (original.hotkey.as_str(), seen(original, 3.0)),
            (&copy.hotkey, seen(copy, -5.0 * HOUR)),
        ];
        world.ingest(3, &document(lie));
        world.set_clock(hour_of(0));
    }

    /// Serves, and tells by how much the times that count differ from those of the
    /// two commits, and whose commit is accepted.
    fn judged(&self) -> (f64, f64, Vec<&str>) {
        let mut server = self.world.serve(&[]);
        finalized(&mut server, 0);
        let both = [&self.original, &self.copy];
        let shown = both.map(|commit| {
            let mut data = server.scoring_result(&[&commit.encrypted]);
            data["commits"][&commit.encrypted].take()
        });
        let [original, copy] = [0, 1].map(|place: usize| {
            let counts = shown[place]["commit_timestamp"].as_f64().unwrap();
            counts - both[place].committed_at
        });
        let accepted = both
            .iter()
            .zip(&shown)
            .filter(|(_, s)| s["accepted"] == true);
        let accepted = accepted.map(|(commit, _)| commit.hotkey.as_str()).collect();
        // Whatever the policy, it is seen who did it.
        let metrics = Metrics::of(&server.admin_get("/metrics"));
        let backdated = |uid: &str| {
            let labels = [("code", "backdated"), ("validator_uid", uid)];
            metrics.sum("proctor_commit_faults", &labels)
        };
        assert_eq!(["0", "1", "2", "3"].map(backdated), [0.0, 0.0, 0.0, 1.0]);
        server.stop();
        (original, copy, accepted)
    }
}

#[test]
fn of_the_earliest_times_a_backdated_one_counts_and_is_seen() {
    let case = Backdating::new("");
    assert_eq!(case.judged(), (0.0, -5.0 * HOUR, vec!["miner-6"]));
}

#[test]
fn a_single_validator_backdates_no_median_and_no_quorum() {
    for (policy, original, copy) in [
        ("timestamp = 'median'", 3.0, 0.0),
        ("timestamp = 'quorum'", 3.0, 0.0),
        ("timestamp = 'quorum'\nquorum = 3", 10.0, 10.0),
    ] {
        let case = Backdating::new(&format!("[commits]\n{policy}\n"));
        assert_eq!(case.judged(), (original, copy, vec!["miner-5"]), "{policy}");
    }
}

#[test]
fn a_commit_that_too_few_have_seen_waits_for_a_quorum() {
    let quorum = "[commits]\ntimestamp = 'quorum'\n";
    let world = World::new().with_digits().configured(quorum);
    let [seen, unseen, other] = [("knn", 3), ("linear", 4), ("first_example", 5)]
        .map(|(solver, uid)| due(uid, &world.add_artifact(solver), hour_of(0) - 5.0 * HOUR));
    world.ingest(0, &all_revealed([&seen, &unseen, &other]));
    world.ingest(1, &all_revealed([&seen]));
    let mut server = world.serve(&[]);
    assert_eq!(server.wait_for("revealed").text("hotkey"), seen.hotkey);
    finalized(&mut server, 0);
    let data = server.scoring_result(&[&unseen.encrypted]);
    let shown = &data["commits"][&unseen.encrypted];
    assert_eq!(shown["commit_timestamp"], Value::Null);
    assert_eq!(shown["key"], Value::Null);
    world.ingest(1, &all_revealed([&seen, &unseen]));
    assert_eq!(server.wait_for("revealed").text("hotkey"), unseen.hotkey);
    assert_eq!(count(&server.log, "revealed"), 2, "one is still unseen");
    server.stop();
}
