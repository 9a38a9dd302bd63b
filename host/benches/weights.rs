//! What a weight vector costs: the weights of 1, 10 and 100 challenges for 256 miners, up to
//! the `u16` pairs of a call.
//!
//! ```sh
//! cargo bench --workspace --bench weights
//! ```
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use proctor_host::weights::{
    ChallengeWeights, Limits, Miner, NoMiner, Policy, Reported, SameMiner, Unassigned, aggregate,
    conform,
};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

const MINERS: u16 = 256;

/// As long as an address, which is what hotkeys are compared by.
fn hotkey(uid: u16) -> String {
    format!("5{uid:047}")
}

/// A subnet with all of its uids taken; each has a coldkey of its own.
fn miners() -> BTreeMap<String, Miner> {
    let miners = (0..MINERS).map(|uid| {
        let miner = Miner {
            uid,
            axon_ip: None,
            coldkey: format!("cold {uid}"),
        };
        (hotkey(uid), miner)
    });
    miners.collect()
}

/// Challenges that all pay every miner, each differently.
fn challenges(count: u32) -> BTreeMap<String, ChallengeWeights> {
    let challenges = (0..count).map(|number| {
        let weights = (0..MINERS).map(|uid| {
            let weight = 1.0 + f64::from((u32::from(uid) * 7_919 + number * 104_729) % 1_000);
            (hotkey(uid), weight)
        });
        let challenge = ChallengeWeights {
            emission_percent: 100.0 / f64::from(count),
            reported: Reported::Weights(weights.collect()),
            repository_owners: BTreeMap::new(),
        };
        (format!("challenge-{number:03}"), challenge)
    });
    challenges.collect()
}

fn policy(same_miner: SameMiner) -> Policy {
    Policy {
        unassigned: Unassigned::Redistribute,
        same_miner,
        no_miner: NoMiner::Burn,
        limits: Limits::default(),
    }
}

/// From what the challenges told to what a call takes. The derivation, which is made
/// with it, is part of it.
fn vector(c: &mut Criterion) {
    let miners = miners();
    let mut group = c.benchmark_group("vector of 256 miners");
    for (same_miner, name) in [(SameMiner::Off, "off"), (SameMiner::KeepBest, "keep_best")] {
        for count in [1, 10, 100] {
            let challenges = challenges(count);
            let id = BenchmarkId::new(format!("same_miner {name}"), count);
            group.bench_with_input(id, &challenges, |b, challenges| {
                b.iter(|| {
                    let made = aggregate(challenges, &miners, policy(same_miner)).unwrap();
                    let limits = Limits::default();
                    let quantised = conform(&made.weights, limits, None, &BTreeSet::new()).unwrap();
                    // Not the burn uid.
                    assert_eq!(quantised.uids.len(), usize::from(MINERS) - 1);
                    black_box((made, quantised))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, vector);
criterion_main!(benches);
