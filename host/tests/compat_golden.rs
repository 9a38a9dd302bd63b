//! The shapes and rules of the scoring API against golden cases made by running
//! RedTeam's code.
//!
//! Two things the peers do are not reproduced, and have tests named after them:
//! the latest commit of a miner whose hotkey changed is lost for one pass, and
//! `state_view` loses the hash of the input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;

use proctor_host::chain::signed::{check, sign, signed_message};
use proctor_host::chain::{Hotkey, Metagraph, Neuron, SignatureFault, verify};
use proctor_host::commits::{
    DEFAULT_REVEAL_INTERVAL, ObservedCommit, ValidatorView, aggregate, is_on_time,
};
use proctor_host::compat::{
    MinerChallengeCommit, ScoringLog, due_scoring_hour, hash_cache_key, input_hash,
    input_hash_of_text, on_time_scoring_hour, python_json, python_json_text,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The cases of a family. Those of others are not read: a `Value` cannot hold the
/// inputs of all.
fn family_of<T: DeserializeOwned>(name: &str) -> Vec<T> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Box<RawValue>>,
    }
    #[derive(Deserialize)]
    struct Case {
        family: String,
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/compat.json");
    let file: File = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = file.cases.iter().map(|case| case.get());
    let of_family = cases.filter(|case| {
        let case: Case = serde_json::from_str(case).unwrap();
        case.family == name
    });
    let cases: Vec<T> = of_family
        .map(|case| serde_json::from_str(case).unwrap())
        .collect();
    assert!(!cases.is_empty(), "{name}");
    cases
}

fn family(name: &str) -> Vec<Value> {
    family_of(name)
}

/// Python's 1 and 1.0 are equal; so are these once all are floats.
fn with_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().unwrap().into(),
        Value::Array(list) => list.iter().map(with_floats).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), with_floats(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn field_names(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

/// What a case does with its commit, by its id or else by the method it names.
fn done(case: &Value, commit: &mut MinerChallengeCommit) -> &'static str {
    const KNOWN: [&str; 7] = [
        "remove_lower",
        "remove_redundant",
        "anonymize",
        "public",
        "state",
        "dump",
        "default",
    ];
    let said = ["id", "source", "how"].map(|field| case[field].as_str().unwrap_or_default());
    let known = said
        .iter()
        .find_map(|text| KNOWN.into_iter().find(|what| text.contains(what)));
    let what = known.unwrap_or_else(|| panic!("what does {said:?} test?"));
    match what {
        "remove_lower" => commit.remove_lower_than_highest_score(),
        "remove_redundant" => commit.remove_redundant_logs(),
        "anonymize" => *commit = commit.anonymize_docker_hub_ids(),
        "public" => *commit = commit.public_view(),
        "state" => *commit = commit.state_view(),
        _ => {}
    }
    what
}

/// Every log of a commit.
fn logs_mut(commit: &mut Value) -> Vec<&mut Map<String, Value>> {
    let commit = commit.as_object_mut().unwrap();
    let logs = commit
        .iter_mut()
        .flat_map(|(name, logs)| match name.as_str() {
            "scoring_logs" => vec![logs],
            "comparison_logs" => logs.as_object_mut().unwrap().values_mut().collect(),
            _ => Vec::new(),
        });
    logs.flat_map(|logs| logs.as_array_mut().unwrap())
        .map(|log| log.as_object_mut().unwrap())
        .collect()
}

/// Peer's bug 15: its `state_view` has no hashes. Asserts that ours has them, and
/// takes them out.
fn without_hashes_that_the_peer_loses(view: &mut Value, case: &Value) {
    let mut full = serde_json::from_value::<MinerChallengeCommit>(case["input"].clone())
        .and_then(serde_json::to_value)
        .unwrap();
    let (mut ours, mut theirs) = (view.clone(), case["expected"].clone());
    for log in logs_mut(&mut theirs) {
        assert_eq!(log["input_hash"], Value::Null, "{}", case["id"]);
    }
    for (ours, full) in logs_mut(&mut ours).iter().zip(logs_mut(&mut full)) {
        assert_eq!(ours["input_hash"], full["input_hash"], "{}", case["id"]);
    }
    for log in logs_mut(view) {
        log["input_hash"] = Value::Null;
    }
}

#[test]
fn commits_and_their_logs_have_the_fields_views_and_thinnings_of_the_peer() {
    for case in family("views") {
        let id = case["id"].as_str().unwrap();
        let mut commit: MinerChallengeCommit =
            serde_json::from_value(case["input"].clone()).unwrap();
        let what = done(&case, &mut commit);
        let mut got = serde_json::to_value(&commit).unwrap();
        if what == "state" {
            without_hashes_that_the_peer_loses(&mut got, &case);
        }
        let expected = case["expected"].as_object().unwrap();
        for (name, expected) in expected {
            assert_eq!(
                with_floats(&got[name]),
                with_floats(expected),
                "{id}: {name}"
            );
        }
        if expected.len() > 1 {
            assert_eq!(field_names(&got), field_names(&case["expected"]), "{id}");
        }
        let mut expected = case["expected"].clone();
        let mut commit = Map::new();
        for name in expected.as_object().unwrap().keys() {
            commit.insert(name.clone(), got[name].take());
        }
        // In the order of the names, which is not kept here.
        let mut commit = Value::from(commit);
        for commit in [&mut commit, &mut expected] {
            if let Some(Value::Object(logs)) = commit.get_mut("comparison_logs") {
                logs.sort_keys();
            }
        }
        let (got, expected) = (logs_mut(&mut commit), logs_mut(&mut expected));
        assert_eq!(got.len(), expected.len(), "{id}");
        for (got, expected) in got.iter().zip(&expected) {
            assert!(got.keys().eq(expected.keys()), "{id}");
        }
    }
}

/// Peer's bug 15 in the full commit of a golden case.
#[test]
fn the_state_view_of_a_golden_commit_does_not_lose_the_input_hash() {
    let full = family("views")
        .into_iter()
        .find(|case| case["id"] == "view_full_dump");
    let full = full.unwrap()["input"].clone();
    let commit: MinerChallengeCommit = serde_json::from_value(full.clone()).unwrap();
    let view = serde_json::to_value(commit.state_view()).unwrap();
    let logs = |commit: &Value| {
        let mut logs = commit["scoring_logs"].as_array().unwrap().clone();
        for compared in commit["comparison_logs"].as_object().unwrap().values() {
            logs.extend(compared.as_array().unwrap().clone());
        }
        logs
    };
    assert_eq!(logs(&view).len(), logs(&full).len());
    for log in logs(&view) {
        for hidden in ["miner_input", "miner_output"] {
            assert_eq!(log[hidden], Value::Null);
        }
    }
    let hashes = |commit: &Value| -> Vec<String> {
        let logs = logs(commit).into_iter();
        logs.filter_map(|log| log["input_hash"].as_str().map(str::to_owned))
            .collect()
    };
    assert_eq!(hashes(&view).len(), 2);
    for hash in hashes(&view) {
        assert!(hashes(&full).contains(&hash));
    }
}

#[derive(Deserialize)]
struct HashCase {
    id: String,
    input: Box<RawValue>,
    expected: Value,
}

#[derive(Deserialize)]
struct HashInput {
    #[serde(default)]
    miner_input: Option<Box<RawValue>>,
}

#[test]
fn the_hash_of_an_input_is_that_of_pythons_text() {
    for HashCase {
        id,
        input,
        expected,
    } in family_of::<HashCase>("input_hash")
    {
        let task: HashInput = serde_json::from_str(input.get()).unwrap();
        let task = task.miner_input.as_ref().map_or("null", |task| task.get());
        let expected_hash = expected["input_hash"].as_str();
        let hash = input_hash_of_text(task);
        assert_eq!(hash.as_deref(), expected_hash, "{id}");
        let text = python_json_text(task).unwrap();
        if let Some(expected) = expected["json_text"].as_str() {
            assert_eq!(text, expected, "{id}");
        }
        // Of what a `Value` cannot hold there is no log.
        let value = serde_json::from_str::<Value>(task);
        let log = serde_json::from_str::<ScoringLog>(input.get());
        assert_eq!(log.is_ok(), value.is_ok(), "{id}");
        let (Ok(value), Ok(log)) = (value, log) else {
            continue;
        };
        assert_eq!(log.input_hash.as_deref(), expected_hash, "{id}");
        if python_json(&value) == text {
            assert_eq!(input_hash(&value).as_deref(), expected_hash, "{id}");
        }
    }
}

#[test]
fn cache_keys_are_those_of_the_peer() {
    for case in family("hash_cache_key") {
        let key = hash_cache_key(case["input"]["cache_key"].as_str().unwrap());
        assert_eq!(key, case["expected"], "{}", case["id"]);
    }
}

fn sent(input: &Value) -> Vec<u8> {
    if input["kind"] == "bytes" {
        return hex::decode(input["body"].as_str().unwrap()).unwrap();
    }
    input["body_text"].as_str().unwrap().as_bytes().to_vec()
}

#[test]
fn what_is_signed_is_what_the_peer_signs() {
    let alice = Hotkey::from_uri("//Alice").unwrap();
    for case in family("request_header") {
        let (input, expected) = (&case["input"], &case["expected"]);
        let body = sent(input);
        if input["kind"] == "dict" {
            assert_eq!(
                python_json(&input["body"]).as_bytes(),
                body,
                "{}",
                case["id"]
            );
        }
        let time = input["time_ns"].as_u64().unwrap();
        let message = signed_message(&body, time);
        assert_eq!(message, expected["signed_message"], "{}", case["id"]);

        // All but what depends on the key, which is made up there.
        let uid = i32::try_from(input["validator_uid"].as_i64().unwrap()).unwrap();
        let headers = sign(&alice, uid, &body, time);
        let theirs = &expected["headers"];
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, field_names(theirs), "{}", case["id"]);
        for (name, value) in &headers {
            let same = theirs[name] == **value;
            let of_the_key = ["validator-hotkey", "signature"].contains(name);
            assert!(same || of_the_key, "{}: {name}", case["id"]);
        }
        let signature = theirs["signature"].as_str().unwrap();
        assert_eq!(headers[3].1.len(), signature.len());
    }
}

#[test]
fn signatures_of_the_peer_verify_and_tampered_ones_do_not() {
    for case in family("request_header_signature") {
        let (input, expected) = (&case["input"], &case["expected"]);
        let hotkey = Hotkey::from_uri(input["uri"].as_str().unwrap()).unwrap();
        assert_eq!(hotkey.address(), input["ss58"]);

        let body = input["body_text"].as_str().unwrap();
        assert_eq!(python_json(&input["body"]), body);
        let time = input["time_ns"].as_u64().unwrap();
        let message = signed_message(body.as_bytes(), time);
        assert_eq!(message, expected["signed_message"]);

        let headers = &expected["headers"];
        let now = time as f64 / 1e9;
        let by_name = |name: &str| headers[name].as_str();
        let signed = check(by_name, body.as_bytes(), now, 300.0);
        assert_eq!(signed.is_ok(), expected["verifies"], "{}", case["id"]);
        let signed = signed.unwrap();
        assert_eq!(signed.hotkey, input["ss58"]);
        assert_eq!(signed.timestamp_ns, time);
        assert_eq!(signed.uid.to_string(), headers["validator-uid"]);

        let tampered = format!("{body} ");
        let fault = check(by_name, tampered.as_bytes(), now, 300.0);
        assert_eq!(fault, Err(SignatureFault::BadSignature));
        assert_eq!(
            fault.is_ok(),
            expected["verifies_tampered"],
            "{}",
            case["id"]
        );

        let digits = headers["signature"]
            .as_str()
            .unwrap()
            .trim_start_matches("0x");
        let signature: [u8; 64] = hex::decode(digits).unwrap().try_into().unwrap();
        assert!(verify(hotkey.address(), message.as_bytes(), &signature));
        assert!(!verify(hotkey.address(), tampered.as_bytes(), &signature));
    }
}

fn times(case: &Value) -> [f64; 2] {
    ["now", "commit_timestamp"].map(|name| case["input"][name].as_f64().unwrap())
}

#[test]
fn the_rule_of_the_interval_is_that_of_the_peer() {
    for case in family("is_commit_on_time_24h") {
        let [now, timestamp] = times(&case);
        let got = is_on_time(now, timestamp, DEFAULT_REVEAL_INTERVAL);
        assert_eq!(got, case["expected"], "{}", case["id"]);
    }
}

#[test]
fn the_rule_of_the_scoring_hour_is_that_of_the_peer() {
    for case in family("is_commit_on_time_scoring_hour") {
        let [now, timestamp] = times(&case);
        let hour = case["input"]["scoring_hour"].as_u64().unwrap();
        let hour = u8::try_from(hour).unwrap();
        let got = on_time_scoring_hour(now, timestamp, hour);
        assert_eq!(got, case["expected"], "{}", case["id"]);
        let due = due_scoring_hour(timestamp, hour) <= now;
        assert_eq!(due, case["expected"], "{}", case["id"]);
    }
}

/// What one validator says after the first `passes` passes of a case: of each miner
/// and challenge what it said last, in place of what it said before.
fn said(case: &Value, passes: usize) -> ValidatorView {
    let mut view = ValidatorView::default();
    for commit in calls(case).take(passes).flatten() {
        let text = |name: &str| commit[name].as_str().unwrap().to_owned();
        let challenges: &mut BTreeMap<_, _> = view.commits.entry(text("miner_hotkey")).or_default();
        let commit = ObservedCommit {
            miner_uid: commit["miner_uid"]
                .as_u64()
                .map(|uid| uid.try_into().unwrap()),
            encrypted_commit: text("encrypted_commit"),
            commit_timestamp: commit["commit_timestamp"].as_f64(),
            ..ObservedCommit::default()
        };
        challenges.insert(text("challenge_name"), vec![commit]);
    }
    view
}

fn calls(case: &Value) -> impl Iterator<Item = &Vec<Value>> {
    let calls = case["input"]["calls"].as_array().unwrap().iter();
    calls.map(|commits| commits.as_array().unwrap())
}

fn hotkeys(case: &Value) -> Vec<&str> {
    let hotkeys = case["input"]["metagraph"]["hotkeys"].as_array().unwrap();
    hotkeys.iter().map(|key| key.as_str().unwrap()).collect()
}

/// Uid → the latest ciphertext, after some passes of a case.
fn latest(case: &Value, passes: usize) -> BTreeMap<String, String> {
    let neuron = |(uid, hotkey): (u16, &str)| Neuron {
        uid,
        hotkey: hotkey.to_owned(),
        coldkey: String::new(),
        axon_ip: None,
        stake: 0.0,
        validator_permit: false,
        ..Neuron::default()
    };
    let neurons = (0..).zip(hotkeys(case)).map(neuron).collect();
    let metagraph = Metagraph::new(61, 1, None, neurons).unwrap();
    let miners = aggregate(&[said(case, passes)], &metagraph).into_iter();
    miners
        .map(|mut miner| {
            assert_eq!(miner.commits.len(), 1);
            let (_, commit) = miner.commits.pop_first().unwrap();
            (miner.uid.to_string(), commit.encrypted_commit)
        })
        .collect()
}

/// Whether a case tells of other hotkeys at a uid than the one that it has now.
fn changed_hotkey(case: &Value, uid: &str) -> bool {
    let now = uid
        .parse()
        .ok()
        .and_then(|uid: usize| hotkeys(case).get(uid).copied());
    calls(case).flatten().any(|commit| {
        commit["miner_uid"].as_u64() == uid.parse().ok() && commit["miner_hotkey"].as_str() != now
    })
}

/// The latest is what was said last, also if its time is earlier or not known. Where a
/// hotkey changed the peer may have none yet; see the next test.
#[test]
fn the_latest_commit_of_each_miner_is_that_of_the_peer() {
    for case in family("update_miner_infos") {
        let (ours, id) = (latest(&case, usize::MAX), &case["id"]);
        let theirs = case["expected"].as_object().unwrap();
        for (uid, miner) in theirs {
            match miner["latest"].as_str() {
                Some(latest) => assert_eq!(ours.get(uid).unwrap(), latest, "{id}: {uid}"),
                None => assert!(changed_hotkey(&case, uid), "{id}: {uid}"),
            }
            // What validators say judges nothing, so there is no best commit in it.
            assert_eq!(miner["best"], Value::Null, "{id}: {uid}");
            assert_eq!(miner["best_score"], Value::Null, "{id}: {uid}");
        }
        for uid in ours.keys().filter(|uid| !theirs.contains_key(*uid)) {
            assert!(changed_hotkey(&case, uid), "{id}: {uid}");
        }
    }
}

/// The peer makes an empty state for the new hotkey and goes on to the next miner,
/// so that the commit is there one pass later.
#[test]
fn the_latest_commit_is_not_lost_for_one_pass_when_a_hotkey_changes() {
    let cases = family("update_miner_infos");
    let mut changed = 0;
    for case in &cases {
        for (pass, commits) in (1..).zip(calls(case)) {
            let ours = latest(case, pass);
            // The last one that the pass tells of, by uid.
            let mut told = BTreeMap::new();
            for commit in commits {
                let uid = commit["miner_uid"].to_string();
                let now = hotkeys(case).get(uid.parse::<usize>().unwrap()).copied();
                if changed_hotkey(case, &uid) && commit["miner_hotkey"].as_str() == now {
                    told.insert(uid, commit["encrypted_commit"].as_str().unwrap());
                }
            }
            for (uid, ciphertext) in told {
                changed += 1;
                assert_eq!(ours.get(&uid).unwrap(), ciphertext, "{}", case["id"]);
            }
        }
    }
    assert!(changed > 0);

    let case = cases
        .iter()
        .find(|case| case["id"] == "umi_hotkey_change")
        .unwrap();
    assert_eq!(latest(case, 1).get("0"), None, "the old hotkey has left");
    assert_eq!(
        latest(case, 2).get("0").map(String::as_str),
        case["expected"]["0"]["latest"].as_str(),
        "the peer has it after the third pass"
    );
}
