//! The same evaluation, by hosts that differ in all that must not matter.

use super::golden;
use super::receipt::Done;
use super::setup::{Granted, WORLD, World, config, everything, look};
use proctor_host::sandbox::{CacheUse, Sandbox, SandboxConfig};
use std::collections::{BTreeSet, HashSet};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use tokio::runtime::Builder;

const THREADS: usize = 8;
const RUNS: usize = 1_000;

/// Runs `work` on a runtime of one thread.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

#[test]
fn a_thousand_runs_on_eight_threads_have_one_receipt() {
    let granted = Granted::new();
    let evaluation = everything(&granted);
    let first = block_on(WORLD.run(&evaluation));
    assert_eq!(first.error, None);
    let work = || {
        let mut ids = Vec::new();
        for _ in 0..RUNS / THREADS {
            let done = block_on(WORLD.run(&evaluation));
            ids.push(done.id.clone());
            if done != first {
                assert_eq!(done, first);
            }
        }
        (thread::current().id(), ids)
    };
    let done: Vec<(ThreadId, Vec<String>)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let threads: HashSet<ThreadId> = done.iter().map(|(thread, _)| *thread).collect();
    let ids: Vec<&String> = done.iter().flat_map(|(_, ids)| ids).collect();
    assert_eq!((threads.len(), ids.len()), (THREADS, RUNS));
    let ids: BTreeSet<&String> = ids.into_iter().collect();
    assert_eq!(ids, BTreeSet::from([&first.id]));
    // And anybody comes to it from the transcript, without the volume and the database.
    let replayed = evaluation.replay(&WORLD.sandbox, &WORLD.plugin, &first);
    assert_eq!(block_on(replayed), first);
}

/// Does it in this process, or in one that has just been started.
const DIRECTORY: &str = "PROCTOR_TEST_DETERMINISM";

fn printed(name: &str, directory: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn after_a_restart_the_receipt_is_the_same() {
    let granted = Granted::new();
    let done = block_on(WORLD.run(&everything(&granted)));
    for _ in 0..2 {
        let printed = printed("hosts::prints_the_receipt", granted.directory());
        let text = done.receipt.text().unwrap();
        assert!(printed.contains(&text), "{text} is not in {printed}");
    }
}

#[test]
#[ignore = "run by after_a_restart_the_receipt_is_the_same"]
fn prints_the_receipt() {
    let directory = std::env::var(DIRECTORY).unwrap();
    let granted = Granted::of(Path::new(&directory));
    let done = block_on(World::fresh(&config()).run(&everything(&granted)));
    println!("{}", done.receipt.text().unwrap());
}

#[test]
fn compile_cache_and_compiler_have_the_same_code() {
    let granted = Granted::new();
    let evaluation = everything(&granted);
    let directory = tempfile::tempdir().unwrap();
    let config = SandboxConfig {
        cache_dir: directory.path().join("cache"),
        ..config()
    };
    let done: Vec<([CacheUse; 2], Done)> = (0..3)
        .map(|_| {
            let world = World::new(&config);
            (world.cache, block_on(world.run(&evaluation)))
        })
        .collect();
    let uses: Vec<_> = done.iter().map(|(cache, _)| *cache).collect();
    assert_eq!(
        uses,
        [[CacheUse::Miss; 2], [CacheUse::Hit; 2], [CacheUse::Hit; 2]]
    );
    for (_, again) in &done {
        assert_eq!(again, &done[0].1);
    }
}

#[test]
fn pooling_changes_nothing() {
    let granted = Granted::new();
    let evaluation = everything(&granted);
    let done = block_on(WORLD.run(&evaluation));
    assert!(WORLD.sandbox.is_pooling());
    // Room for more than the call may have must not matter either.
    let more = config().max_memory_bytes * 2;
    for (pooling, max_memory_bytes) in [(true, more), (false, more), (false, 8 << 20)] {
        let world = World::new(&SandboxConfig {
            pooling,
            max_memory_bytes,
            ..config()
        });
        assert_eq!(world.sandbox.is_pooling(), pooling);
        assert_eq!(block_on(world.run(&evaluation)), done);
    }
}

#[test]
fn thread_count_and_places_change_nothing() {
    let granted = Granted::new();
    let evaluation = everything(&granted);
    let done = block_on(WORLD.run(&evaluation));
    for (workers, max_concurrent_calls) in [(1, 1), (1, 8), (2, 1), (8, 1), (8, 8)] {
        let world = World::new(&SandboxConfig {
            max_concurrent_calls,
            ..config()
        });
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap();
        let again = runtime.block_on(async {
            // More than have a place, so that some wait.
            let calls: Vec<_> = (0..10).map(|_| world.run(&evaluation)).collect();
            futures_util::future::join_all(calls).await
        });
        assert!(
            again.iter().all(|again| again == &done),
            "{workers} {max_concurrent_calls}"
        );
    }
}

/// Other calls, threads that compute and threads that block, more of each than there are
/// cores.
#[test]
fn thread_count_of_others_changes_nothing() {
    let granted = Granted::new();
    let evaluation = everything(&granted);
    let done = block_on(WORLD.run(&evaluation));
    let (stop, turns) = (AtomicBool::new(false), AtomicU64::new(0));
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    black_box((0..10_000).fold(0_u64, |sum, n| black_box(sum ^ n)));
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
            scope.spawn(|| {
                let mut other = look(&["spin", "memory", "hash_maps", "random"]);
                other.seed = 99;
                while !stop.load(Ordering::Relaxed) {
                    assert_ne!(block_on(WORLD.run(&other)).id, done.id);
                }
            });
        }
        let again = runtime.block_on(async {
            let calls: Vec<_> = (0..20).map(|_| WORLD.run(&evaluation)).collect();
            futures_util::future::join_all(calls).await
        });
        stop.store(true, Ordering::Relaxed);
        assert!(again.iter().all(|again| again == &done));
    });
    assert!(turns.into_inner() > 0);
}

#[test]
fn the_known_receipt_is_made_a_thousand_times() {
    let sandbox = Sandbox::new(&config()).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| block_on(golden::check_again(&sandbox, RUNS / THREADS)));
        }
    });
}
