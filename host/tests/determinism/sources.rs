//! What a guest could see that differs from run to run.

use super::receipt::{Done, Evaluation};
use super::setup::{WORLD, World, config, look};
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Evaluates twice, in sandboxes that share nothing, and once more from the transcript:
/// all come to the same.
async fn twice(evaluation: &Evaluation) -> Done {
    let done = WORLD.run(evaluation).await;
    assert_eq!(done.error, None);
    assert_eq!(World::fresh(&config()).run(evaluation).await, done);
    let replayed = evaluation
        .replay(&WORLD.sandbox, &WORLD.plugin, &done)
        .await;
    assert_eq!(replayed, done);
    done
}

/// What the guest saw in its first look.
fn seen(done: &Done) -> Value {
    let output: Value = serde_json::from_str(&done.output).unwrap();
    let task: Value = serde_json::from_str(output["logs"][0]["task"].as_str().unwrap()).unwrap();
    task["seen"].clone()
}

fn with_seed(seed: u64, evaluation: &Evaluation) -> Evaluation {
    Evaluation {
        seed,
        ..evaluation.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hash_map_order_comes_from_the_seed() {
    let evaluation = look(&["hash_maps"]);
    let done = twice(&evaluation).await;
    // Another seed is another order; so are the two maps of one call, as the second has
    // the next keys.
    let other = WORLD.run(&with_seed(8, &evaluation)).await;
    assert_ne!(seen(&other), seen(&done));
    assert_ne!(seen(&done)[0], seen(&done)[1]);
    // And where nobody sees to it, the order is another one each time.
    let map = || (0..100).map(|n| (n, n)).collect::<HashMap<u32, u32>>();
    assert!(!map().keys().eq(map().keys()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_is_that_of_the_receipt_however_late_it_is() {
    let evaluation = look(&["time", "spin", "time"]);
    let (start, clock) = (Instant::now(), SystemTime::now());
    let done = WORLD.run(&evaluation).await;
    // The guest has slept for an hour of its own, and both clocks of the host went on.
    thread::sleep(Duration::from_millis(2));
    assert!(start.elapsed() < Duration::from_secs(3_600));
    assert!(SystemTime::now() > clock);
    assert_eq!(twice(&evaluation).await, done);
    assert_eq!(seen(&done)[0]["wall"], evaluation.now);
    let later = Evaluation {
        now: evaluation.now + 1.0,
        ..evaluation
    };
    assert_ne!(seen(&WORLD.run(&later).await), seen(&done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_numbers_come_from_the_seed() {
    let evaluation = look(&["random"]);
    let done = twice(&evaluation).await;
    let (first, other) = (
        seen(&done),
        seen(&WORLD.run(&with_seed(8, &evaluation)).await),
    );
    // Each of the ways to get one.
    for way in ["bytes", "hash"] {
        assert_ne!(first[0][way], other[0][way], "{way}");
    }
    for way in 0..5 {
        assert_ne!(first[1][way], other[1][way], "{way}");
    }
    assert_ne!(
        RandomState::new().hash_one(1),
        RandomState::new().hash_one(1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn float_results_have_the_same_bits() {
    let evaluation = look(&["floats", "stack"]);
    let done = twice(&evaluation).await;
    let seen = seen(&done);
    let canonical = "7ff8000000000000";
    for index in [0, 1, 2, 3, 4, 5, 6] {
        assert_eq!(seen[index], canonical, "{index}");
    }
    // They are not where nobody sees to it: this processor has a sign on its NaNs.
    #[cfg(target_arch = "x86_64")]
    {
        let zero = std::hint::black_box(0.0_f64);
        assert_eq!(
            format!("{:016x}", (zero / zero).to_bits()),
            "fff8000000000000"
        );
    }
    // The order of a sum matters, and so does each digit.
    assert_ne!(seen[20], seen[21]);
    let later = Evaluation {
        now: evaluation.now * (1.0 + 8.0 * f64::EPSILON),
        ..evaluation
    };
    assert_ne!(WORLD.run(&later).await.output, done.output);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_is_the_one_that_is_granted() {
    let evaluation = look(&["environment"]);
    let done = twice(&evaluation).await;
    // Tests have some of their own.
    assert!(std::env::vars().count() > 0);
    let seen = seen(&done);
    let granted = serde_json::json!([["B", "2"], ["A", "1"]]);
    assert_eq!(
        (&seen["variables"], &seen["arguments"]),
        (&granted, &serde_json::json!([]))
    );
    let mut other = evaluation;
    other.grants.environment = [("A".to_owned(), "2".to_owned())].into();
    let other = WORLD.run(&other).await;
    assert_ne!(other.receipt.environment, done.receipt.environment);
}
