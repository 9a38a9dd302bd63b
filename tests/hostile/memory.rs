//! Guests that take more than their share of memory, tables or stack.

use super::setup::{EXPORTS, WORLD, beside, load, load_solver};
use proctor_host::sandbox::{Limits, Outcome, PluginComponent};
use proctor_testing::guest_bytes;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_bomb_in_any_export_is_out_of_memory() {
    let limits = Limits {
        memory_bytes: 32 << 20,
        ..Limits::default()
    };
    for export in EXPORTS {
        let called = beside(WORLD.call(export, json!({"do": "hoard-memory"}), &limits)).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::OutOfMemory, "{export}: {error}");
        assert!(error.message.contains("linear memory"), "{}", error.message);
        assert!(
            called.report.memory_bytes <= limits.memory_bytes,
            "{:?}",
            called.report
        );
        assert!(called.report.memory_bytes > 16 << 20, "{:?}", called.report);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_within_the_limit_is_given() {
    let act = json!({"do": "take-memory", "bytes": 20 << 20});
    let limits = Limits {
        memory_bytes: 32 << 20,
        ..Limits::default()
    };
    let called = beside(WORLD.call("evaluate", act, &limits)).await;
    assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_of_output_is_out_of_memory_first() {
    let act = json!({"do": "output", "bytes": 1 << 30});
    let called = beside(WORLD.call("evaluate", act, &Limits::default())).await;
    assert_eq!(
        called.outcome(),
        Outcome::OutOfMemory,
        "{:?}",
        called.result
    );
}

/// More than the pool has reserved is no more than the pool has reserved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_above_that_of_the_sandbox_does_not_count() {
    let limits = Limits {
        memory_bytes: 2 << 30,
        ..Limits::default()
    };
    let called = beside(WORLD.call("evaluate", json!({"do": "hoard-memory"}), &limits)).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::OutOfMemory, "{error}");
    assert!(
        called.report.memory_bytes <= Limits::default().memory_bytes,
        "{:?}",
        called.report
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_bomb_is_out_of_memory() {
    let plugin = load(&WORLD.sandbox, "table_bomb");
    let called = beside(plugin.describe(&WORLD.sandbox, &Limits::default())).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::OutOfMemory);
    assert!(error.message.contains("table entries"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_counted_over_the_whole_store() {
    let plugin = load(&WORLD.sandbox, "many_tables");
    let called = beside(plugin.describe(&WORLD.sandbox, &Limits::default())).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::OutOfMemory, "{error}");
    assert!(error.message.contains("table entries"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memories_are_counted_over_the_whole_store() {
    let two = load_solver(&WORLD.sandbox, "two_memories");
    let tasks = [json!({})];
    let run = |pages: usize| {
        let limits = Limits {
            memory_bytes: pages << 16,
            ..Limits::solver()
        };
        WORLD.solve(&two, limits, Limits::default(), &tasks)
    };
    let (_, records) = beside(run(2047)).await;
    assert_eq!(records[0].outcome, Outcome::OutOfMemory);
    let (_, records) = beside(run(1201)).await;
    assert_eq!(records[0].outcome, Outcome::OutOfMemory);
}

/// As without a pool: its size is nothing that a result may depend on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_is_too_much_from_the_start_is_refused_by_the_limits_of_the_call() {
    let loaded = PluginComponent::load(&WORLD.sandbox, &guest_bytes("big_memory"));
    let (plugin, _) = loaded.unwrap();
    let described = plugin.describe(&WORLD.sandbox, &Limits::default()).await;
    let error = described.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::OutOfMemory, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_recursion_in_any_export_is_a_stack_overflow() {
    for export in EXPORTS {
        let called = beside(WORLD.call(export, json!({"do": "recurse"}), &Limits::default())).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::StackOverflow, "{export}: {error}");
        assert!(error.message.contains("stack"), "{}", error.message);
    }
}
