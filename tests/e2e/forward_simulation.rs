//! The golden family `forward_simulation`: a day and an hour of the replaced scoring
//! API, played through the real binary. Where Proctor differs, it is on purpose, and
//! there is a test named after what the peer gets wrong.

use crate::commits::Commit;
use crate::stored;
use crate::support::{World, neuron, until};
use proctor_testing::guest_bytes;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

const CHALLENGE: &str = "c1";

/// 14:00 of the first day, UTC, and of the second.
const HOURS: [f64; 2] = [1_749_736_800.0, 1_749_823_200.0];

/// The tick that finalizes the first day, and what the clock shows then.
const FINALIZES: (usize, f64) = (2, 1_749_737_100.0);

fn case() -> &'static Value {
    static CASE: OnceLock<Value> = OnceLock::new();
    CASE.get_or_init(|| {
        let golden = include_str!("../golden/scoring.json");
        let mut golden: Value = serde_json::from_str(golden).unwrap();
        let cases = golden["cases"].as_array_mut().unwrap();
        let is_wanted = |case: &&mut Value| case["id"] == "full_day_simulation_old";
        cases.iter_mut().find(is_wanted).unwrap().take()
    })
}

/// One look of the world at Proctor.
#[derive(Debug)]
struct Tick {
    /// What `/get_scoring_result` answers, in the names of the case.
    body: Value,
    /// The best commit of each miner by uid, in the ledger's last row.
    standings: BTreeMap<String, String>,
    /// The last vector, uids and values.
    vector: Option<(Vec<u16>, Vec<u16>)>,
}

/// The six ticks, as Proctor goes through them.
fn ticks() -> &'static [Tick] {
    static TICKS: OnceLock<Vec<Tick>> = OnceLock::new();
    TICKS.get_or_init(|| play(case()))
}

/// What the peer answers in each tick.
fn peers() -> Vec<Value> {
    let ticks = case()["expected"].as_array().unwrap();
    ticks
        .iter()
        .map(|tick| tick["get_scoring_result_body"].clone())
        .collect()
}

/// The names of the case, and what stands for them: `encA` for a ciphertext, `dA`
/// for an artifact.
struct Names {
    commits: BTreeMap<String, Commit>,
    artifacts: BTreeMap<String, String>,
}

impl Names {
    /// With a component for each Docker id and a ciphertext for each commit.
    fn new(case: &Value, world: &World) -> Self {
        let scores = case["input"]["scores_by_docker_id"].as_object().unwrap();
        let artifacts: BTreeMap<String, String> = (0..)
            .zip(scores.keys())
            .map(|(mark, name)| (name.clone(), world.add_variant("not_utf8", mark)))
            .collect();
        let mut commits = BTreeMap::new();
        for tick in case["input"]["ticks"].as_array().unwrap() {
            let documents = tick["validators"].as_object().unwrap().values();
            for seen in documents.flat_map(|document| document.as_object().unwrap().values()) {
                let seen = &seen[CHALLENGE];
                let name = seen["encrypted_commit"].as_str().unwrap();
                let artifact = &artifacts[&name.replace("enc", "d")];
                let text = format!("{CHALLENGE}---sha256:{artifact}");
                let hotkey = seen["miner_hotkey"].as_str().unwrap();
                let at = seen["commit_timestamp"].as_f64().unwrap();
                let commit = || Commit::at(hotkey, &text, at);
                commits.entry(name.to_owned()).or_insert_with(commit);
            }
        }
        Names { commits, artifacts }
    }

    /// What a validator of the case publishes.
    fn document(&self, document: &Value) -> Value {
        let mut miners = Map::new();
        for (hotkey, seen) in document.as_object().unwrap() {
            let seen = &seen[CHALLENGE];
            let commit = &self.commits[seen["encrypted_commit"].as_str().unwrap()];
            let seen = match &seen["key"] {
                Value::Null => commit.sealed(),
                _ => commit.revealed(),
            };
            miners.insert(hotkey.clone(), json!({ CHALLENGE: seen }));
        }
        json!({ "miner_commits": miners })
    }

    /// The same JSON in the names of the case.
    fn back(&self, value: &Value) -> Value {
        let mut text = value.to_string();
        for (name, commit) in &self.commits {
            text = text.replace(&commit.encrypted, name);
            text = text.replace(&commit.key, "K");
        }
        for (name, digest) in &self.artifacts {
            text = text.replace(&format!("sha256:{digest}"), name);
            text = text.replace(digest, name);
        }
        serde_json::from_str(&text).unwrap()
    }
}

fn play(case: &Value) -> Vec<Tick> {
    let input = &case["input"];
    let (world, names) = prepare(case);
    world.set_clock(input["ticks"][0]["now"].as_f64().unwrap());
    let mut server = world.serve(&[]);
    let mut ticks = Vec::new();
    for tick in input["ticks"].as_array().unwrap() {
        world.set_clock(tick["now"].as_f64().unwrap());
        for (uid, document) in tick["validators"].as_object().unwrap() {
            world.ingest(uid.parse().unwrap(), &names.document(document));
        }
        if ticks.is_empty() {
            // Nobody hears the poor one, who tells all keys ahead of time.
            let all = names.commits.values().map(|commit| {
                let seen = json!({ CHALLENGE: commit.revealed() });
                (commit.hotkey.clone(), seen)
            });
            let all = json!({ "miner_commits": Map::from_iter(all) });
            let report = world.ingest(2, &all);
            assert_ne!(report["not_heard"], Value::Null, "{report}");
        }
        world.look(&mut server);
        until("everything is evaluated", || {
            let sql = "SELECT count(*) FROM commits WHERE state = 'revealed'";
            stored::value::<i64>(&world, sql) == 0
        });
        // Evaluations may have ended in the meantime, and the day with them.
        world.look(&mut server);
        let mut asked: Vec<&str> = Vec::new();
        for name in ["encA", "encB", "encC", "encD", "encE", "nope"] {
            let commit = names.commits.get(name);
            asked.push(commit.map_or(name, |commit| &commit.encrypted));
        }
        let body = json!({ "challenge_name": CHALLENGE, "encrypted_commits": asked });
        let response = server.post("/get_scoring_result", &body);
        assert_eq!(response.status, 200);
        ticks.push(Tick {
            body: names.back(&response.json()),
            standings: standings(&world, &names),
            vector: vector(&world),
        });
    }
    server.stop();
    ticks
}

/// A host for the case, before its first tick.
fn prepare(case: &Value) -> (World, Names) {
    let input = &case["input"];
    let world = World::new();
    let plugin = world.plugins().join("c1.wasm");
    fs::write(plugin, guest_bytes("tokens_challenge")).unwrap();
    let hotkeys = input["metagraph"]["hotkeys"].as_array().unwrap();
    let neurons = (0..).zip(hotkeys).map(|(uid, hotkey)| {
        let stake = input["metagraph"]["S"][usize::from(uid)].as_f64().unwrap();
        neuron(uid, hotkey.as_str().unwrap(), stake)
    });
    // And one for `World::look`.
    let neurons: Vec<Value> = neurons.chain([neuron(7, "hk7", 0.0)]).collect();
    world.set_metagraph(&json!({
        "netuid": 61, "block": 1, "owner_hotkey": null, "neurons": neurons,
    }));
    let names = Names::new(case, &world);
    let mut settings = format!(
        "[challenges.c1.settings]\ntasks = 1\npenalty_threshold = {}\n",
        input["challenge_info"]["penalty_threshold"]
    );
    for (name, digest) in &names.artifacts {
        let score = &input["scores_by_docker_id"][name];
        let tokens = &input["tokens_by_docker_id"][name];
        settings.push_str(&format!(
            "submissions.{digest} = {{ score = {score}, tokens = {tokens} }}\n"
        ));
    }
    (world.configured(&settings), names)
}

fn standings(world: &World, names: &Names) -> BTreeMap<String, String> {
    let sql = "SELECT ifnull((SELECT standings FROM finalizations ORDER BY day DESC), '[]')";
    let stored: Value = serde_json::from_str(&stored::value::<String>(world, sql)).unwrap();
    let standings = names.back(&stored);
    let standings = standings.as_array().unwrap().iter();
    standings
        .map(|standing| {
            let commit = &standing["commit"];
            let artifact = commit["submission"]["digest"].as_str().unwrap();
            let uid = commit["miner"]["uid"].to_string();
            (uid, artifact.replace('d', "enc"))
        })
        .collect()
}

fn vector(world: &World) -> Option<(Vec<u16>, Vec<u16>)> {
    let last = |column: &str| {
        let sql = format!("SELECT (SELECT \"{column}\" FROM weight_vectors ORDER BY day DESC)");
        let list: Option<String> = stored::value(world, &sql);
        list.map(|list| serde_json::from_str(&list).unwrap())
    };
    last("uids").zip(last("values"))
}

/// A body with commits in it.
struct Answer<'a>(&'a mut Value);

impl Answer<'_> {
    /// The peer says `theirs` where Proctor says `ours`.
    #[track_caller]
    fn differs(&mut self, pointer: &str, theirs: &Value, ours: &Value) {
        let place = self.0.pointer_mut(pointer).unwrap();
        assert_eq!(place, theirs, "{pointer}");
        place.clone_from(ours);
    }

    fn commit(&mut self, name: &str, field: &str, theirs: &Value, ours: &Value) {
        self.differs(&format!("/data/commits/{name}/{field}"), theirs, ours);
    }

    /// Says that a commit was judged at the hour. The peer says that of accepted
    /// commits only, and tells when its loop came by.
    fn judged_at_the_hour(&mut self, name: &str, theirs: &Value, day: usize) {
        self.commit(name, "scored_timestamp", theirs, &json!(HOURS[day]));
    }
}

#[test]
fn the_day_goes_as_the_peers_but_for_its_bugs() {
    let mut peers = peers();
    let [_, _, third, fourth, fifth, sixth] = &mut peers[..] else {
        panic!("there are six ticks");
    };
    let (null, looked) = (json!(null), json!(FINALIZES.1));
    for (tick, is_done, came_by) in [
        (&mut *third, true, [true, true]),
        (fourth, false, [false, false]),
        (fifth, false, [true, false]),
        (sixth, true, [true, false]),
    ] {
        let mut answer = Answer(tick);
        answer.differs("/data/is_done", &json!(is_done), &json!(true));
        for (name, came_by) in [("encA", came_by[0]), ("encC", came_by[1])] {
            let theirs = if came_by { &looked } else { &null };
            answer.judged_at_the_hour(name, theirs, 0);
            if !came_by {
                let artifact = json!(name.replace("enc", "d"));
                answer.commit(name, "docker_hub_id", &null, &artifact);
            }
        }
        for name in ["encB", "encD"] {
            answer.judged_at_the_hour(name, &null, 0);
        }
    }
    let compared = |tick: &Value, with: &str| {
        let mut log = tick["data"]["commits"]["encE"]["comparison_logs"][with].clone();
        log[0]["error"] = json!(null);
        log
    };
    for tick in [&mut *fifth, &mut *sixth] {
        let theirs = tick["data"]["commits"]["encE"]["comparison_logs"].clone();
        let ours = json!({ "dC": compared(tick, "dC") });
        Answer(tick).commit("encE", "comparison_logs", &theirs, &ours);
    }
    Answer(sixth).judged_at_the_hour("encE", &json!(1_749_823_260.0), 1);
    for name in ["encB", "encD"] {
        let logs = sixth["data"]["commits"][name]["comparison_logs"].as_object_mut();
        assert!(logs.unwrap().remove("dE").is_some());
    }
    assert_eq!(ticks().len(), peers.len());
    for (number, (peer, tick)) in (1..).zip(peers.iter().zip(ticks())) {
        let commits = peer["data"]["commits"].as_object().unwrap();
        for (name, commit) in commits {
            assert_eq!(
                &tick.body["data"]["commits"][name], commit,
                "t{number} {name}"
            );
        }
        assert_eq!(&tick.body, peer, "t{number}");
    }
}

#[test]
fn the_best_commits_are_the_peers() {
    for (number, (peer, tick)) in
        (1..).zip(case()["expected"].as_array().unwrap().iter().zip(ticks()))
    {
        let states = peer["manager"]["miner_states"].as_object().unwrap();
        let best = states.iter().filter_map(|(uid, state)| {
            let best = state["best"].as_str()?;
            Some((uid.clone(), best.to_owned()))
        });
        assert_eq!(tick.standings, best.collect(), "t{number}");
    }
}

/// In the round after the one that finalizes, the peer is not done any more, as long
/// as there is a commit that it rejected, or a new one.
#[test]
fn is_done_flips_back() {
    let is_done = |body: &Value| body["data"]["is_done"] == true;
    let theirs: Vec<bool> = peers().iter().map(is_done).collect();
    let ours: Vec<bool> = ticks().iter().map(|tick| is_done(&tick.body)).collect();
    assert_eq!(theirs, [false, false, true, false, false, true]);
    assert_eq!(ours, [false, false, true, true, true, true]);
}

/// The peer notes when its loop came by, of accepted commits alone, and forgets it in
/// the next round. By that time scores decay.
#[test]
fn the_time_of_the_verdict_is_when_the_loop_came_by() {
    let times = |body: &Value| {
        ["encA", "encB", "encC", "encD"].map(|name| {
            let time = &body["data"]["commits"][name]["scored_timestamp"];
            time.as_f64()
        })
    };
    let looked = Some(FINALIZES.1);
    let peers = peers();
    assert_eq!(times(&peers[2]), [looked, None, looked, None]);
    assert_eq!(times(&peers[3]), [None; 4]);
    for tick in &ticks()[2..] {
        assert_eq!(times(&tick.body), [Some(HOURS[0]); 4]);
    }
}

/// In the round after, the peer does not know any more what an accepted commit was.
#[test]
fn accepted_commits_lose_their_artifact() {
    let artifact = |body: &Value| body["data"]["commits"]["encA"]["docker_hub_id"].clone();
    assert_eq!(artifact(&peers()[2]), "dA");
    assert_eq!(artifact(&peers()[3]), Value::Null);
    for tick in ticks() {
        assert_eq!(artifact(&tick.body), "dA");
    }
}

/// The peer holds a miner's own earlier commit against it: E is of the same miner as
/// A.
#[test]
fn a_miner_is_compared_with_itself() {
    let references = |body: &Value| {
        let logs = &body["data"]["commits"]["encE"]["comparison_logs"];
        let logs = logs.as_object().unwrap();
        logs.keys().cloned().collect::<Vec<_>>()
    };
    for (peer, tick) in peers().iter().zip(ticks()).skip(4) {
        assert_eq!(references(peer), ["dC", "dA"]);
        assert_eq!(references(&tick.body), ["dC"]);
    }
}

/// The peer judges what it rejected again each day, with what was committed later.
#[test]
fn the_rejected_are_compared_with_later_commits() {
    let references = |body: &Value| {
        let logs = &body["data"]["commits"]["encB"]["comparison_logs"];
        let logs = logs.as_object().unwrap();
        logs.keys().cloned().collect::<Vec<_>>()
    };
    let (peer, tick) = (&peers()[5], &ticks()[5]);
    assert_eq!(references(peer), ["dA", "dE"]);
    assert_eq!(references(&tick.body), ["dA"]);
}

/// The peer pays everybody the same while nobody has a score, and afterwards each
/// uid something, its validators too.
#[test]
fn nobody_s_score_pays_everybody() {
    let peer = |tick: usize| {
        let scores = case()["expected"][tick]["challenge_scores"].as_array();
        let scores = scores.unwrap().iter().map(|score| score.as_f64().unwrap());
        scores.collect::<Vec<_>>()
    };
    assert!(peer(0).iter().all(|score| *score == peer(0)[0]));
    assert!(peer(2).iter().all(|score| *score > 0.0));
    for tick in &ticks()[..2] {
        assert_eq!(tick.vector, None, "no day is finalized yet");
    }
    for tick in &ticks()[2..] {
        let (uids, values) = tick.vector.as_ref().unwrap();
        assert_eq!(*uids, [3, 5], "those who were accepted");
        assert!(values[0] > values[1], "A and E are better than C");
    }
}

/// The peer compares a commit with those of smaller uids. Here B, of uid 4, comes
/// before A, of uid 3.
#[test]
fn the_larger_uid_is_penalised_not_the_later_commit() {
    let mut case = case().clone();
    for tick in case["input"]["ticks"].as_array_mut().unwrap() {
        let later = tick["validators"]["1"]["hk4"][CHALLENGE].as_object_mut();
        let at = later.unwrap().get_mut("commit_timestamp").unwrap();
        *at = json!(at.as_f64().unwrap() - 200.0);
    }
    let ticks = play(&case);
    let accepted = |body: &Value| {
        let of = |name: &str| body["data"]["commits"][name]["accepted"].clone();
        (of("encA"), of("encB"))
    };
    // What it says of the case as it is, it would say of this one.
    assert_eq!(accepted(&peers()[2]), (json!(true), json!(false)));
    assert_eq!(accepted(&ticks[2].body), (json!(false), json!(true)));
    let penalty = &ticks[2].body["data"]["commits"]["encA"]["penalty"];
    assert_eq!(*penalty, 0.6);
}
