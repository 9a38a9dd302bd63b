//! Guests that never come back: stopped by fuel, by time, or by the number of
//! calls to the host.

use super::setup::{EXPORTS, QUIET, WORLD, beside, load, unharmed};
use proctor_host::sandbox::{Limits, Outcome};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn fuel(fuel: u64) -> Limits {
    Limits {
        fuel,
        ..Limits::default()
    }
}

/// More fuel than there is time for.
fn wall(wall_ms: u64) -> Limits {
    Limits {
        fuel: u64::MAX / 2,
        wall_ms,
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_in_any_export_runs_out_of_fuel() {
    let limits = fuel(20_000_000);
    for export in EXPORTS {
        let called = beside(WORLD.call(export, json!({"do": "loop"}), &limits)).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::OutOfFuel, "{export}");
        assert!(error.message.contains("fuel"), "{}", error.message);
        assert_eq!(called.report.fuel, limits.fuel, "{export}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_in_describe() {
    let plugin = load(&WORLD.sandbox, "describe_loop");
    let called = beside(plugin.describe(&WORLD.sandbox, &fuel(1_000_000))).await;
    assert_eq!(called.outcome(), Outcome::OutOfFuel);
    let called = beside(plugin.describe(&WORLD.sandbox, &wall(50))).await;
    assert_eq!(called.outcome(), Outcome::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_out_of_fuel_does_so_with_the_same_figures_each_time() {
    let limits = fuel(12_345_678);
    let mut figures = Vec::new();
    for _ in 0..4 {
        // Takes memory and calls the host on the way, so that there is more to
        // be the same than the fuel.
        let called = beside(WORLD.call("judge", json!({"do": "flood-host"}), &limits)).await;
        assert_eq!(called.outcome(), Outcome::OutOfFuel);
        figures.push((
            called.report.fuel,
            called.report.host_calls,
            called.report.memory_bytes,
        ));
    }
    assert_eq!(figures[0].0, limits.fuel);
    assert!(figures[0].1 > 1000, "{figures:?}");
    assert!(
        figures.iter().all(|figure| figure == &figures[0]),
        "{figures:?}"
    );
}

/// How long after its deadline a call ends, at best of a few tries: what else
/// the machine does is not what is tested.
async fn overrun(act: Value, limits: Limits) -> Duration {
    let _quiet = QUIET.write().await;
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let called = unharmed(async {
            // More than there are threads, so that none of these is idle.
            let others = (0..3).map(|_| {
                let act = act.clone();
                tokio::spawn(async move { WORLD.call("evaluate", act, &limits).await })
            });
            let others: Vec<_> = others.collect();
            let called = WORLD.call("evaluate", act.clone(), &limits).await;
            let elapsed = start.elapsed();
            for other in others {
                assert_eq!(other.await.unwrap().outcome(), Outcome::Timeout);
            }
            best = best.min(elapsed.saturating_sub(limits.wall()));
            called
        })
        .await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::Timeout, "{error}");
        assert!(error.outcome.is_transient());
        if best < Duration::from_millis(100) {
            break;
        }
    }
    best
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_is_stopped_within_100_ms_of_its_deadline() {
    let over = overrun(json!({"do": "loop"}), wall(300)).await;
    assert!(over < Duration::from_millis(100), "{over:?} over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_calls_that_take_no_fuel_do_not_hold_up_the_deadline() {
    // Each call copies a few megabytes on the host for a few dozen instructions.
    let limits = Limits {
        host_calls: u64::MAX,
        ..wall(300)
    };
    let over = overrun(json!({"do": "flood-copies"}), limits).await;
    assert!(over < Duration::from_millis(100), "{over:?} over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleep_passes_at_once() {
    let sleep = json!({"do": "sleep", "seconds": 3600});
    let called = beside(WORLD.call("compare", sleep, &wall(5_000))).await;
    assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_host_calls_is_denied() {
    let limits = Limits {
        host_calls: 10_000,
        ..Limits::default()
    };
    let called = beside(WORLD.call("evaluate", json!({"do": "flood-host"}), &limits)).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Denied);
    assert!(
        error.message.contains("10000 host calls"),
        "{}",
        error.message
    );
    assert_eq!(called.report.host_calls, 10_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_the_log_is_cut_off_and_counted() {
    let limits = Limits {
        log_bytes: 4096,
        ..Limits::default()
    };
    let act = json!({"do": "flood-log", "lines": 10_000});
    let called = beside(WORLD.call("get-weights", act, &limits)).await;
    assert_eq!(called.outcome(), Outcome::Ok);
    assert!(
        called.report.log.len() < 4200,
        "{}",
        called.report.log.len()
    );
    let dropped = format!("[{} bytes dropped]", 10_000 * 1024 - 4096);
    assert!(
        called.report.log.ends_with(&dropped),
        "{}",
        called.report.log
    );
}
