//! The ranking rules against numbers that the peer's own code gave. Where
//! Proctor differs, the test states both numbers and why.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in test functions, but not in what these call"
)]

use std::collections::{BTreeMap, BTreeSet};

use proctor_sdk::ranking::{
    Acceptance, Aggregate, BestCommit, Contender, Easing, EmissionRules, Judgement, Scored,
    UniqueCommit, UniquePool, VerdictRules, ease_circle_in_out, exclude_same_miner,
    softmax_nonzero, update_best_commit,
};
use serde_json::{Value, json};

fn cases(family: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/ranking.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let all = golden["cases"].as_array().unwrap();
    let found: Vec<Value> = all
        .iter()
        .filter(|case| case["family"] == family)
        .cloned()
        .collect();
    assert!(!found.is_empty(), "no golden cases of {family}");
    found
}

/// A number, or one of the names that the golden file has for the others.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::String(name) => Some(name.parse().unwrap()),
        number => Some(number.as_f64().unwrap()),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap();
    values.iter().map(|value| number(value).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_close(ours: &[f64], peer: &[f64], case: &Value) {
    assert_eq!(ours.len(), peer.len(), "{}", case["id"]);
    for (ours, peer) in ours.iter().zip(peer) {
        let close = (ours - peer).abs() <= 1e-12 * peer.abs();
        assert!(close, "{}: {ours} is not {peer}", case["id"]);
    }
}

#[test]
fn ease() {
    for case in cases("ease") {
        let ours: Vec<f64> = numbers(&case["input"]["x"])
            .into_iter()
            .map(ease_circle_in_out)
            .collect();
        assert_close(&ours, &numbers(&case["expected"]), &case);
    }
}

#[test]
fn adjust_score_by_similarity() {
    for case in cases("adjust_score_by_similarity") {
        let raw = number(&case["input"]["raw_score"]).unwrap();
        let constants = &case["input"]["constants"];
        let easing = Easing {
            free_below: number(&constants["max_similarity"]).unwrap(),
            break_point: number(&constants["break_point"]).unwrap(),
            full_at: number(&constants["max_input"]).unwrap(),
        };
        assert_eq!(easing, Easing::default());
        let similarities = numbers(&case["input"]["similarity"]);
        for (similarity, peer) in similarities.into_iter().zip(numbers(&case["expected"])) {
            let ours = easing.adjust(raw, similarity);
            if similarity <= 0.0 {
                // The peer's 0 made every commit without comparisons worth
                // nothing, although it was accepted. No penalty, no reduction.
                assert_eq!((ours, peer), (raw, 0.0), "{}", case["id"]);
            } else {
                assert_close(&[ours], &[peer], &case);
            }
        }
    }
}

#[test]
fn decay() {
    for case in cases("decay") {
        let input = &case["input"];
        let mut emission = EmissionRules::default();
        for (key, constant) in [
            ("stable_period_days", &mut emission.stable_period_days),
            ("expiration_days", &mut emission.expiration_days),
        ] {
            *constant = number(&input[key]).unwrap_or(*constant);
        }
        let ours: Vec<f64> = numbers(&input["days"])
            .into_iter()
            .map(|days| match number(&input["initial"]) {
                Some(score) => score * emission.decay(days),
                None => emission.time_factor(days),
            })
            .collect();
        assert_close(&ours, &numbers(&case["expected"]), &case);
    }
}

#[test]
fn softmax() {
    for case in cases("softmax") {
        let temperature = number(&case["input"]["temperature"]).unwrap();
        let ours = softmax_nonzero(&numbers(&case["input"]["scores"]), temperature);
        assert_close(&ours, &numbers(&case["expected"]), &case);
    }
}

#[test]
fn best_commit() {
    for case in cases("update_best_commit") {
        let mut best = None;
        let mut after_each = Vec::new();
        for judged in case["input"].as_array().unwrap() {
            let commit = best_commit_of(&judged["enc"], number(&judged["score"]).unwrap());
            update_best_commit(&mut best, commit, judged["accepted"].as_bool().unwrap());
            after_each.push(best.as_ref().map(|best| best.commit.clone()));
        }
        assert_eq!(json!(after_each), case["expected"]["best_after_each"]);
    }
}

#[test]
fn get_challenge_scores() {
    for case in cases("get_challenge_scores") {
        let input = &case["input"];
        let emission = match &input["emission_config"] {
            Value::Null => EmissionRules::default(),
            config => serde_json::from_value(config.clone()).unwrap(),
        };
        let hotkeys = input["metagraph_hotkeys"].as_array().unwrap();
        let registered: Vec<&Value> = input["best_commits"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|best| uid(best) < hotkeys.len() && hotkeys.contains(&best["hotkey"]))
            .collect();
        let scored = registered.iter().map(|best| Scored {
            score: number(&best["score"]).unwrap(),
            scored_at: number(&best["scored_timestamp"]).unwrap(),
        });
        let shares = emission.weights(scored, number(&input["now"]).unwrap());
        let mut ours = vec![0.0; hotkeys.len()];
        for (best, share) in registered.iter().zip(shares) {
            ours[uid(best)] = share;
        }
        assert_close(&ours, &numbers(&case["expected"]), &case);
    }
}

#[test]
fn same_miner() {
    for case in cases("exclude_same_miner") {
        let metagraph = &case["input"]["metagraph"];
        let owners = &case["input"]["docker_usernames"];
        let scores = numbers(&case["input"]["scores"]);
        let uids: Vec<String> = (0..scores.len()).map(|uid| uid.to_string()).collect();
        let contenders: Vec<Contender<'_>> = scores
            .iter()
            .enumerate()
            .map(|(uid, &score)| Contender {
                score,
                axon_ip: metagraph["ips"][uid].as_str(),
                coldkey: metagraph["coldkeys"][uid].as_str(),
                repository_owner: owners[&uids[uid]].as_str(),
            })
            .collect();
        let ours = exclude_same_miner(&contenders);
        let peer = numbers(&case["expected"]);
        // An axon that is not served says nothing of who is behind it. The peer
        // pays such miners nothing.
        match case["id"].as_str().unwrap() {
            "esm_ignore_ip" => {
                assert_close(&peer, &[0.0, 0.2 / 0.3, 0.0, 0.1 / 0.3], &case);
                assert_close(&ours, &[0.5, 0.2, 0.2, 0.1], &case);
            }
            "esm_only_ignored_ip" => {
                assert_close(&peer, &[0.0, 0.0], &case);
                assert_close(&ours, &[0.5, 0.5], &case);
            }
            _ => assert_close(&ours, &peer, &case),
        }
    }
}

#[test]
fn update_miner_scores() {
    for case in cases("update_miner_scores") {
        let comparison = &case["input"]["challenge_info"]["comparison_config"];
        let mut rules = VerdictRules {
            aggregate: Aggregate::Max,
            ..VerdictRules::default()
        };
        rules.acceptance.max_penalty = number(&comparison["min_acceptable_score"]).unwrap_or(0.7);
        let board = Board::judge_all(&case, rules, true);
        let expected = &case["expected"];
        for peer in expected["commits"].as_array().unwrap() {
            board.assert_verdict(peer, &case);
        }
        board.assert_best(&expected["miner_states"], &case);
        board.assert_pool(&expected["unique_commits_heap"], &case);
        assert_eq!(json!(board.artifacts), expected["scored_ids"]);
    }
}

#[test]
fn base_update_miner_scores() {
    for case in cases("base_update_miner_scores") {
        let info = &case["input"]["challenge_info"];
        let threshold = number(&info["penalty_threshold"]).unwrap_or(0.5);
        let rules = VerdictRules {
            aggregate: Aggregate::Mean,
            acceptance: Acceptance {
                min_score: f64::NEG_INFINITY,
                // The peer's base manager wants the penalty below the threshold,
                max_penalty: threshold.next_down(),
            },
            // and never takes it off the score.
            easing: Easing {
                free_below: f64::INFINITY,
                ..Easing::default()
            },
        };
        let board = Board::judge_all(&case, rules, false);
        let mut expected = case["expected"].clone();
        let mut shares = numbers(&expected["challenge_scores"]);
        if case["id"] == "base_none_score_error" {
            // Its only similarity is missing. The peer's numpy raised on that,
            // after the score was set and before penalty and acceptance were.
            let peer = json!({"enc": "e1", "score": 0.3, "penalty": null, "accepted": null,
                "scored_timestamp": null});
            assert_eq!(expected["commits"][1], peer);
            expected["commits"][1]["penalty"] = json!(0.0);
            expected["commits"][1]["accepted"] = json!(true);
            expected["miner_states"]["1"]["best"] = json!("e1");
            expected["miner_states"]["1"]["best_score"] = json!(0.3);
            expected["heap"] = json!([[0.3, "e1", "d1"], [0.4, "e2", "d2"]]);
            expected["scored_ids"] = json!(["d1", "d2"]);
            // So the peer paid uid 1 like one that committed nothing.
            assert_eq!(shares[1], shares[0]);
            shares[1] = shares[2] * (-0.5_f64).exp();
        }
        for peer in expected["commits"].as_array().unwrap() {
            board.assert_verdict(peer, &case);
        }
        board.assert_best(&expected["miner_states"], &case);
        board.assert_pool(&expected["heap"], &case);
        assert_eq!(json!(board.artifacts), expected["scored_ids"]);

        // The peer's softmax is over all uids, so that those without a score are
        // paid too. Proctor's is that of the others among themselves.
        let mut scores = vec![0.0; shares.len()];
        for (&uid, best) in &board.best {
            scores[uid] = best.as_ref().map_or(0.0, |best| best.scored.score);
        }
        for (share, _) in shares.iter_mut().zip(&scores).filter(|(_, s)| **s == 0.0) {
            assert!(*share > 0.0);
            *share = 0.0;
        }
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        let temperature = number(&info["temperature"]).unwrap_or(0.2);
        assert_close(&softmax_nonzero(&scores, temperature), &shares, &case);
    }
}

/// What a host would keep of a challenge. When a commit was judged is the
/// host's to say, so `scored_timestamp` is not looked at.
struct Board {
    verdicts: BTreeMap<String, Judgement>,
    best: BTreeMap<usize, Option<BestCommit>>,
    pool: UniquePool,
    artifacts: BTreeSet<String>,
}

impl Board {
    /// Judges the commits in turn, passing over artifacts that have been scored.
    /// Those of rejected commits count as scored if `also_rejected`.
    fn judge_all(case: &Value, rules: VerdictRules, also_rejected: bool) -> Self {
        let info = &case["input"]["challenge_info"];
        let capacity = [info, &info["comparison_config"]]
            .iter()
            .find_map(|config| config["max_unique_commits"].as_u64())
            .unwrap();
        let mut board = Self {
            verdicts: BTreeMap::new(),
            best: BTreeMap::new(),
            pool: UniquePool::new(usize::try_from(capacity).unwrap()),
            artifacts: BTreeSet::new(),
        };
        for commit in case["input"]["commits_in_order"].as_array().unwrap() {
            let artifact = text(&commit["docker_hub_id"]);
            if board.artifacts.contains(&artifact) {
                continue;
            }
            let comparisons = commit["comparison_logs"].as_object().unwrap();
            let similarities = comparisons
                .values()
                .flat_map(|logs| column(logs, "similarity_score"));
            let scores = column(&commit["scoring_logs"], "score");
            let Some(judged) = rules.judge(scores, similarities) else {
                continue;
            };
            board.record(commit, &artifact, judged);
            if judged.accepted || also_rejected {
                board.artifacts.insert(artifact);
            }
        }
        board
    }

    fn record(&mut self, commit: &Value, artifact: &str, judged: Judgement) {
        let id = &commit["encrypted_commit"];
        let best = self.best.entry(uid(commit)).or_default();
        update_best_commit(best, best_commit_of(id, judged.score), judged.accepted);
        if judged.accepted {
            self.pool.offer(UniqueCommit {
                score: judged.score,
                commit: text(id),
                artifact: artifact.to_owned(),
            });
        }
        self.verdicts.insert(text(id), judged);
    }

    #[track_caller]
    fn assert_verdict(&self, peer: &Value, case: &Value) {
        let ours = self.verdicts.get(peer["enc"].as_str().unwrap());
        assert_eq!(
            ours.map(|v| v.accepted),
            peer["accepted"].as_bool(),
            "{peer}"
        );
        for (ours, peer) in [
            (ours.map(|v| v.score), &peer["score"]),
            (ours.map(|v| v.penalty), &peer["penalty"]),
        ] {
            assert_close(&Vec::from_iter(ours), &Vec::from_iter(number(peer)), case);
        }
    }

    #[track_caller]
    fn assert_best(&self, states: &Value, case: &Value) {
        for (uid, peer) in states.as_object().unwrap() {
            let ours = self.best.get(&uid.parse().unwrap());
            let ours = ours.and_then(Option::as_ref);
            assert_eq!(json!(ours.map(|best| &best.commit)), peer["best"]);
            assert_close(
                &Vec::from_iter(ours.map(|best| best.scored.score)),
                &Vec::from_iter(number(&peer["best_score"])),
                case,
            );
        }
    }

    /// The peer's heap is in the order of a heap, ours is sorted.
    #[track_caller]
    fn assert_pool(&self, heap: &Value, case: &Value) {
        let mut peer = heap.as_array().unwrap().clone();
        peer.sort_by(|a, b| number(&a[0]).unwrap().total_cmp(&number(&b[0]).unwrap()));
        assert_eq!(self.pool.commits().len(), peer.len(), "{}", case["id"]);
        for (ours, peer) in self.pool.commits().iter().zip(&peer) {
            assert_close(&[ours.score], &[number(&peer[0]).unwrap()], case);
            assert_eq!(
                json!([ours.commit, ours.artifact]),
                json!([peer[1], peer[2]])
            );
        }
    }
}

fn uid(commit: &Value) -> usize {
    let uid = commit.get("uid").unwrap_or(&commit["miner_uid"]);
    usize::try_from(uid.as_u64().unwrap()).unwrap()
}

fn column(logs: &Value, name: &str) -> Vec<Option<f64>> {
    let logs = logs.as_array().unwrap();
    logs.iter().map(|log| number(&log[name])).collect()
}

fn best_commit_of(commit: &Value, score: f64) -> BestCommit {
    BestCommit {
        commit: text(commit),
        scored: Scored {
            score,
            scored_at: 0.0,
        },
    }
}
