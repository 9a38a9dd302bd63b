//! What receipts cost, and how fast a day is verified: six submissions of the digits
//! challenge, evaluated, compared, judged and finalized with and without receipts; and
//! the day's bundle, verified.
//!
//! ```sh
//! cargo bench --workspace --bench receipts
//! ```
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

#[path = "../tests/determinism/golden.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod golden;
#[path = "../tests/determinism/receipt.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod receipt;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use proctor_host::bundles;
use proctor_host::config::Config;
use proctor_host::host::Host;
use proctor_host::receipts::bundle::Bundle;
use proctor_host::sandbox::{Sandbox, SandboxConfig};
use proctor_host::verify::{self, Options, Verdict};
use proctor_testing::{guest, guest_bytes};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// 2026-08-22 15:00 UTC, an hour after the day's scoring hour.
const NOW: f64 = 1_787_410_800.0;

const SOLVERS: [&str; 6] = [
    "nearest_centroid",
    "knn",
    "linear",
    "first_example",
    "knn_renamed",
    "malformed_json",
];

/// A host with these submissions, ten hours before they are finalized.
async fn host(directory: &Path, record: bool) -> Host {
    let mut config = Config {
        data_dir: directory.join("data"),
        ..Config::default()
    };
    config.plugins.dir = directory.join("plugins");
    config.scoring.seed = Some(1);
    config.receipts.record = record;
    fs::create_dir_all(&config.data_dir).unwrap();
    fs::create_dir_all(&config.plugins.dir).unwrap();
    fs::copy(guest("digits"), config.plugins.dir.join("digits.wasm")).unwrap();
    let neurons = (0..SOLVERS.len()).map(|uid| {
        json!({"uid": uid, "hotkey": format!("miner-{uid}"), "coldkey": format!("cold-{uid}"),
            "axon_ip": null, "stake": 1.0, "validator_permit": false})
    });
    let metagraph = json!({"netuid": 1, "block": 1, "owner_hotkey": null,
        "neurons": neurons.collect::<Vec<_>>()});
    fs::write(config.metagraph_path(), metagraph.to_string()).unwrap();
    let host = Host::open(config).await.unwrap();
    host.registry.pass().await.unwrap();
    for (uid, solver) in (0_u16..).zip(SOLVERS) {
        let artifact = host.pipeline.artifacts.add(&guest_bytes(solver)).unwrap();
        let at = NOW - 36_000.0 + f64::from(uid);
        let submitted = host
            .pipeline
            .submit("digits", &format!("miner-{uid}"), uid, &artifact.digest, at)
            .await;
        submitted.unwrap();
    }
    host
}

/// Scores them, and returns how long that took.
fn score(runtime: &Runtime, directory: &Path, record: bool) -> Duration {
    runtime.block_on(async {
        let host = host(directory, record).await;
        let start = Instant::now();
        host.pipeline.run(NOW).await.unwrap();
        host.pipeline.finalize(NOW).await.unwrap().unwrap();
        start.elapsed()
    })
}

/// Benchmarks are built for release: a host like that makes the receipt that a debug one
/// makes (`host/tests/determinism/known.rs`).
fn makes_the_known_receipt(runtime: &Runtime) {
    let directory = tempfile::tempdir().unwrap();
    let config = SandboxConfig::new(directory.path().join("cache"));
    runtime.block_on(golden::check(&Sandbox::new(&config).unwrap()));
}

fn benches(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    makes_the_known_receipt(&runtime);
    let mut group = criterion.benchmark_group("day");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, record) in [("without_receipts", false), ("with_receipts", true)] {
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let once = |_| {
                    let directory = tempfile::tempdir().unwrap();
                    score(&runtime, directory.path(), record)
                };
                (0..times).map(once).sum()
            });
        });
    }
    group.finish();

    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("day.bundle");
    runtime.block_on(give_out(directory.path(), &bundle));
    let mut group = criterion.benchmark_group("verify");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, jobs) in [("one_job", 1), ("two_jobs", 2)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let options = Options {
                    jobs,
                    cache_dir: Some(directory.path().join("cache")),
                    ..Options::default()
                };
                let bundle = Bundle::open(&bundle).unwrap();
                let report = runtime.block_on(verify::run(bundle, options)).unwrap();
                assert_eq!(report.verdict, Verdict::Verified);
                report.receipts_per_second
            });
        });
    }
    group.finish();
}

/// Scores a day, and writes its bundle.
async fn give_out(directory: &Path, path: &Path) {
    let host = host(directory, true).await;
    host.pipeline.run(NOW).await.unwrap();
    let day = host.pipeline.finalize(NOW).await.unwrap().unwrap().day;
    let resources = host.pipeline.resources();
    let sources = bundles::Sources {
        store: resources.store.clone(),
        artifacts: resources.artifacts.clone(),
        components: resources.components.clone(),
    };
    let options = bundles::Options {
        artifacts: true,
        components: true,
    };
    let file = fs::File::create(path).unwrap();
    let collected = bundles::collect_day(&sources, &day, None, options, file).await;
    let collected = collected.unwrap();
    let receipts = collected.receipts + collected.linked;
    println!("the bundle: {receipts} receipts, {} bytes", collected.bytes);
}

criterion_group!(receipts, benches);
criterion_main!(receipts);
