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
    on_time_scoring_hour, python_json,
};
use serde_json::{Map, Value};

fn family(name: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/compat.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap().iter();
    let cases: Vec<_> = cases
        .filter(|case| case["family"] == name)
        .cloned()
        .collect();
    assert!(!cases.is_empty(), "{name}");
    cases
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

#[test]
fn commits_and_their_logs_have_the_fields_and_thinnings_of_the_peer() {
    for case in family("views") {
        let id = case["id"].as_str().unwrap();
        let mut commit: MinerChallengeCommit =
            serde_json::from_value(case["input"].clone()).unwrap();
        if id.contains("remove_lower") {
            commit.remove_lower_than_highest_score();
        } else if id.contains("remove_redundant") {
            commit.remove_redundant_logs();
        } else if id.contains("public") {
            commit = commit.public_view();
        } else {
            let dump = id.contains("dump") || id.contains("default");
            assert!(dump, "what does {id} test?");
        }
        let got = serde_json::to_value(&commit).unwrap();
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
        let logs = |commit: &Value| commit["scoring_logs"].as_array().cloned();
        for (got, expected) in logs(&got)
            .unwrap()
            .iter()
            .zip(logs(&case["expected"]).unwrap_or_default())
        {
            assert_eq!(field_names(got), field_names(&expected), "{id}");
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

#[test]
fn the_hash_of_an_input_is_that_of_pythons_text() {
    for case in family("input_hash") {
        let (input, expected) = (&case["input"]["miner_input"], &case["expected"]);
        let hash = input_hash(input);
        assert_eq!(
            hash.as_deref(),
            expected["input_hash"].as_str(),
            "{}",
            case["id"]
        );
        if let Some(text) = expected["json_text"].as_str() {
            assert_eq!(python_json(input), text, "{}", case["id"]);
        }
        let log: ScoringLog = serde_json::from_value(case["input"].clone()).unwrap();
        assert_eq!(log.input_hash, hash, "{}", case["id"]);
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

/// What one validator has seen after the first `passes` passes of a case.
fn seen(case: &Value, passes: usize) -> ValidatorView {
    let mut view = ValidatorView::default();
    let passes = case["input"]["calls"]
        .as_array()
        .unwrap()
        .iter()
        .take(passes);
    for commit in passes.flat_map(|commits| commits.as_array().unwrap()) {
        let text = |name: &str| commit[name].as_str().unwrap().to_owned();
        let challenges: &mut BTreeMap<_, Vec<_>> =
            view.commits.entry(text("miner_hotkey")).or_default();
        let commits = challenges.entry(text("challenge_name")).or_default();
        commits.push(ObservedCommit {
            miner_uid: commit["miner_uid"]
                .as_u64()
                .map(|uid| uid.try_into().unwrap()),
            encrypted_commit: text("encrypted_commit"),
            commit_timestamp: commit["commit_timestamp"].as_f64(),
            ..ObservedCommit::default()
        });
    }
    view
}

/// Uid → the latest ciphertext, after some passes of a case.
fn latest(case: &Value, passes: usize) -> BTreeMap<String, String> {
    let hotkeys = case["input"]["metagraph"]["hotkeys"].as_array().unwrap();
    let neuron = |(uid, hotkey): (u16, &Value)| Neuron {
        uid,
        hotkey: hotkey.as_str().unwrap().to_owned(),
        coldkey: String::new(),
        axon_ip: None,
        stake: 0.0,
        validator_permit: false,
    };
    let neurons = (0..).zip(hotkeys).map(neuron).collect();
    let metagraph = Metagraph::new(61, 1, None, neurons).unwrap();
    let miners = aggregate(&[seen(case, passes)], &metagraph).into_iter();
    miners
        .map(|mut miner| {
            assert_eq!(miner.commits.len(), 1);
            let (_, commit) = miner.commits.pop_first().unwrap();
            (miner.uid.to_string(), commit.encrypted_commit)
        })
        .collect()
}

fn expected_latest(case: &Value) -> BTreeMap<String, String> {
    let miners = case["expected"].as_object().unwrap().iter();
    let latest = |miner: &Value| miner["latest"].as_str().map(str::to_owned);
    miners
        .filter_map(|(uid, miner)| Some((uid.clone(), latest(miner)?)))
        .collect()
}

#[test]
fn the_latest_commit_of_each_miner_is_that_of_the_peer() {
    for case in family("update_miner_infos") {
        assert_eq!(
            latest(&case, usize::MAX),
            expected_latest(&case),
            "{}",
            case["id"]
        );
    }
}

/// The peer makes an empty state for the new hotkey and goes on to the next miner,
/// so that the commit is there one pass later.
#[test]
fn the_latest_commit_is_not_lost_for_one_pass_when_a_hotkey_changes() {
    let cases = family("update_miner_infos");
    let case = cases
        .iter()
        .find(|case| case["id"] == "umi_hotkey_change")
        .unwrap();
    let before = latest(case, 1);
    assert_eq!(before.get("0"), None, "the old hotkey has left");
    assert_eq!(latest(case, 2), expected_latest(case));
}
