//! What a machine has, and another has not.

use super::golden;
use super::setup::{World, config, look};
use proctor_host::sandbox::{
    CallContext, Limits, Outcome, Sandbox, SandboxConfig, SolveRecord, SolverComponent, solve_again,
};
use proctor_testing::guest_bytes;
use serde_json::Value;
use std::process::{Command, Output};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

/// Runs an ignored test of this file in a process of its own, after `first`, a command of
/// the shell.
fn alone(name: &str, first: &str) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{first}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap()
}

async fn solve(sandbox: &Sandbox, guest: &str, task: &str) -> (String, SolveRecord) {
    let solver = SolverComponent::load(sandbox, &guest_bytes(guest)).map(|(solver, _)| solver);
    let context = CallContext {
        settings: "{}".into(),
        seed: 7,
        now: 1.0,
    };
    let limits = Limits::solver();
    solve_again(sandbox, &solver, &context, &limits, task)
        .await
        .unwrap()
}

/// A guest that is refused memory by the machine, and not by its limits, sees what no
/// other machine shows it.
#[test]
#[cfg(target_os = "linux")]
fn memory_growth_that_the_machine_refuses_is_nobodys_result() {
    let name = "machine::prints_what_memory_there_is";
    let outcome = |first: &str| {
        let output = alone(name, first);
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("came to "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let expected = outcome("true");
    assert!(expected.starts_with("ok"), "{expected}");
    // KiB that the process may write to: less than the guest may have.
    let found = outcome("ulimit -d 700000");
    let transient = ["unavailable", "timeout", "host_error"];
    let is_none = transient.iter().any(|outcome| found.starts_with(outcome));
    assert!(
        is_none || found == expected,
        "{found} instead of {expected}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by memory_growth_that_the_machine_refuses_is_nobodys_result"]
async fn prints_what_memory_there_is() {
    let mut evaluation = look(&["memory"]);
    evaluation.limits.memory_bytes = 1 << 30;
    let world = World::new(&SandboxConfig {
        pooling: false,
        max_memory_bytes: 1 << 30,
        ..config()
    });
    let done = world.run(&evaluation).await;
    println!("came to {} {}", done.receipt.outcome, done.id);
}

/// Whoever calls the host from deep down is called back from there.
#[test]
fn stack_depth_of_a_guest_that_is_called_back_ends_that_call_only() {
    let output = alone("machine::prints_how_deep_a_guest_gets", "true");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by stack_depth_of_a_guest_that_is_called_back_ends_that_call_only"]
async fn prints_how_deep_a_guest_gets() {
    for pooling in [true, false] {
        let sandbox = Sandbox::new(&SandboxConfig {
            pooling,
            ..config()
        })
        .unwrap();
        for task in 0..10 {
            let (_, run) = solve(&sandbox, "determinism_deep", &task.to_string()).await;
            assert_eq!(run.outcome, Outcome::StackOverflow);
            println!("{task}: {run:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stack_depth_is_the_same_in_every_sandbox() {
    let mut runs = Vec::new();
    for pooling in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(&SandboxConfig {
            pooling,
            cache_dir: directory.path().join("cache"),
            ..config()
        });
        runs.push(solve(&sandbox.unwrap(), "determinism_solver", "6").await);
    }
    assert_eq!(runs[0].1.outcome, Outcome::StackOverflow);
    assert_eq!(runs[0], runs[1]);
}

/// What comes of submissions that ask for more of something than a call has in a pool:
/// with a small pool, with a large one, and without.
async fn in_pools(guest: &str) -> Vec<(String, SolveRecord)> {
    let mut runs = Vec::new();
    for (pooling, max_memory_bytes) in [(true, 256 << 20), (true, 1 << 30), (false, 1 << 30)] {
        let sandbox = Sandbox::new(&SandboxConfig {
            pooling,
            max_memory_bytes,
            ..config()
        });
        runs.push(solve(&sandbox.unwrap(), guest, "0").await);
    }
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooling_refuses_no_number_of_memories_that_runs_without_it() {
    let runs = in_pools("determinism_many_memories").await;
    assert!(runs.iter().all(|run| run == &runs[0]), "{runs:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooling_refuses_a_large_memory_as_it_is_refused_without_it() {
    let runs = in_pools("determinism_large_memory").await;
    assert!(runs.iter().all(|run| run == &runs[0]), "{runs:#?}");
}

/// The tasks 0 and 1 of `determinism_solver`, on an engine of `config`.
fn answers(config: &Config) -> [String; 2] {
    let engine = Engine::new(config).unwrap();
    let component = Component::from_binary(&engine, &guest_bytes("determinism_solver")).unwrap();
    let mut linker = Linker::new(&engine);
    for (interface, function) in [
        ("wasi:clocks/monotonic-clock@0.2.0", "now"),
        ("wasi:random/random@0.2.0", "get-random-u64"),
    ] {
        let mut instance = linker.instance(interface).unwrap();
        instance
            .func_wrap(function, |_, (): ()| Ok((0_u64,)))
            .unwrap();
    }
    ["0", "1"].map(|task| {
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let solve = instance
            .get_typed_func::<(&str,), (Result<String, String>,)>(&mut store, "solve")
            .unwrap();
        solve.call(&mut store, (task,)).unwrap().0.unwrap()
    })
}

/// The tests of floats and of relaxed SIMD can fail: an engine that leaves these to the
/// processor comes to something else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_arch = "x86_64")]
async fn an_engine_without_the_profile_sees_the_processor() {
    let sandbox = Sandbox::new(&config()).unwrap();
    let output: Value = serde_json::from_str(&golden::run(&sandbox).await.output).unwrap();
    let known = [0, 1].map(|task| {
        output["logs"][task]["solution"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    let mut config = Config::new();
    config
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    assert_eq!(answers(&config), known);
    let [floats, relaxed] = answers(&Config::new());
    assert_ne!(floats, known[0]);
    assert_ne!(relaxed, known[1]);
}
