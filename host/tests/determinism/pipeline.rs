//! Whole hosts: the receipts that they store are those that these tests make.

use super::receipt::Evaluation;
use super::setup::{WORLD, look, tasks};
use proctor_host::canonical::digest;
use proctor_host::config::{Challenge, Config, SolverLimits};
use proctor_host::host::Host;
use proctor_host::receipts::Receipt;
use proctor_testing::{guest, guest_bytes};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::path::Path;

/// 2026-08-22 15:00 UTC.
const NOW: f64 = 1_787_410_800.0;

fn config(directory: &Path, pooling: bool) -> Config {
    let mut config = Config {
        data_dir: directory.join("data"),
        ..Config::default()
    };
    config.plugins.dir = directory.join("plugins");
    config.scoring.seed = Some(1);
    config.sandbox.pooling = pooling;
    let evaluation = look(&[]);
    let looks = [
        "hash_maps",
        "time",
        "random",
        "floats",
        "memory",
        "environment",
        "solve",
    ];
    let settings = json!({"looks": looks, "tasks": tasks()});
    let challenge = Challenge {
        settings: settings.as_object().unwrap().clone(),
        limits: evaluation.limits,
        solver: SolverLimits {
            fuel: Some(evaluation.solver_limits.fuel),
            wall_ms: Some(evaluation.solver_limits.wall_ms),
            memory_bytes: Some(evaluation.solver_limits.memory_bytes),
            ..SolverLimits::default()
        },
        ..Challenge::default()
    };
    config
        .challenges
        .insert("determinism".to_owned(), challenge);
    config
}

/// The receipts that a host has stored of one evaluation, the evaluation's last.
async fn receipts(directory: &Path, pooling: bool) -> Vec<Receipt> {
    let config = config(directory, pooling);
    fs::create_dir_all(&config.data_dir).unwrap();
    fs::create_dir_all(&config.plugins.dir).unwrap();
    let plugin = config.plugins.dir.join("determinism.wasm");
    fs::copy(guest("determinism_challenge"), plugin).unwrap();
    let miner = json!({"uid": 0, "hotkey": "miner", "coldkey": "cold", "axon_ip": null,
        "stake": 1.0, "validator_permit": false});
    let metagraph = json!({"netuid": 1, "block": 1, "owner_hotkey": null, "neurons": [miner]});
    fs::write(config.metagraph_path(), metagraph.to_string()).unwrap();
    let database = config.data_dir.join("proctor.sqlite");
    let host = Host::open(config).await.unwrap();
    host.registry.pass().await.unwrap();
    let solver = guest_bytes("hostile_solver");
    let artifact = host.pipeline.artifacts.add(&solver).unwrap().digest;
    let submitted = host
        .pipeline
        .submit("determinism", "miner", 0, &artifact, NOW - 3_600.0);
    submitted.await.unwrap();
    host.pipeline.run(NOW).await.unwrap();
    drop(host);
    let connection = Connection::open(database).unwrap();
    let mut statement = connection
        .prepare("SELECT body FROM receipts ORDER BY kind = 'evaluate', id")
        .unwrap();
    let bodies = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    bodies
        .map(|body| Receipt::parse(&body.unwrap()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_share_nothing_store_the_same_receipts() {
    let mut stored = Vec::new();
    for pooling in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        stored.push(receipts(directory.path(), pooling).await);
        // After a restart, without its database: from what it has compiled.
        for suffix in ["", "-wal", "-shm"] {
            let file = directory
                .path()
                .join(format!("data/proctor.sqlite{suffix}"));
            if file.exists() {
                fs::remove_file(file).unwrap();
            }
        }
        stored.push(receipts(directory.path(), pooling).await);
    }
    for again in &stored {
        for (again, first) in again.iter().zip(&stored[0]) {
            assert_eq!(again, first);
        }
        assert_eq!(again.len(), stored[0].len());
    }
    let (receipt, solves) = stored[0].split_last().unwrap();
    assert_eq!(receipt.outcome, "ok");
    assert_eq!(receipt.depends_on.len(), solves.len());

    // And they are those of `receipt.rs`.
    let directory = tempfile::tempdir().unwrap();
    let given = config(directory.path(), true).challenges["determinism"].clone();
    let mut evaluation = Evaluation {
        settings: serde_json::to_value(&given.settings).unwrap().to_string(),
        seed: receipt.seed.parse().unwrap(),
        now: receipt.logical_time.0,
        limits: given.limits,
        solver_limits: given.solver.limits(),
        ..look(&[])
    };
    // Of an environment a host tells nothing, not even a digest that others could guess.
    evaluation.grants.environment = [].into();
    let done = WORLD.run(&evaluation).await;
    assert_eq!(&done.receipt, receipt);
    let mut made = done.solves;
    made.sort_by_key(|solve| digest(solve.text().unwrap()));
    made.dedup();
    assert_eq!(made, solves);
}
