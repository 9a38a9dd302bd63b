//! A miner may publish many versions in a day: which of them count does not depend on
//! when the host looked.

use crate::commits::{Commit, HOUR};
use crate::support::{Server, World, until};
use serde_json::{Value, json};

/// 2026-08-22T14:00:00Z.
const SCORING_HOUR: f64 = 1_787_407_200.0;

/// Four versions of one miner, due on the same day an hour apart.
fn publish(world: &World) -> Vec<Commit> {
    let versions = (0..4_u8).map(|version| {
        let digest = world.add_variant("knn", version);
        let due = SCORING_HOUR - 5.0 * HOUR + f64::from(version) * HOUR;
        let text = format!("digits---sha256:{digest}");
        Commit::at("miner-3", &text, due - 24.0 * HOUR)
    });
    let versions: Vec<Commit> = versions.collect();
    // A validator that lists all versions.
    let list: Vec<Value> = versions.iter().map(Commit::revealed).collect();
    world.ingest(0, &json!({"miner_commits": {"miner-3": {"digits": list}}}));
    versions
}

fn states(server: &Server) -> Vec<(String, Value)> {
    let results = server.get("/v1/results?challenge=digits").json();
    let results = results["results"].as_array().unwrap();
    let mut states: Vec<(String, Value)> = results
        .iter()
        .map(|result| {
            let commit = result["encrypted_commit"].as_str().unwrap().to_owned();
            (
                commit,
                json!([result["state"], result["fault"], result["score"]]),
            )
        })
        .collect();
    states.sort_by(|a, b| a.0.cmp(&b.0));
    states
}

#[test]
fn the_same_versions_count_for_a_host_that_was_up_and_one_that_was_down() {
    let world = World::new().with_digits();
    world.set_clock(SCORING_HOUR - 6.0 * HOUR);
    let versions = publish(&world);
    let down = world.copy();

    let mut server = world.serve(&[]);
    for hour in 0..4 {
        world.set_clock(SCORING_HOUR + f64::from(hour - 5) * HOUR);
        server.wait_for("revealed");
        until("it is scored", || {
            let scored =
                server.scoring_result(&[&versions[usize::try_from(hour).unwrap()].encrypted]);
            let commits = scored["commits"].as_object().unwrap();
            commits
                .values()
                .all(|c| !c["scoring_logs"].as_array().unwrap().is_empty())
        });
    }
    world.set_clock(SCORING_HOUR);
    server.wait_for("challenge finalized");
    let up = states(&server);
    server.stop();

    down.set_clock(SCORING_HOUR + 3.0 * HOUR);
    let mut server = down.serve(&[]);
    server.wait_for("challenge finalized");
    assert_eq!(states(&server), up);
    server.stop();

    let judged = |commit: &Commit| {
        let (_, state) = up
            .iter()
            .find(|(text, _)| *text == commit.encrypted)
            .unwrap();
        (state[0].clone(), state[1].clone())
    };
    let superseded = (json!("refused"), json!("superseded"));
    let counts = (json!("judged"), Value::Null);
    let found: Vec<_> = versions.iter().map(judged).collect();
    assert_eq!(
        found,
        [superseded.clone(), superseded, counts.clone(), counts]
    );
}
