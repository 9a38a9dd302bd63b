//! Out of fuel at the same instruction.

use super::receipt::{Done, Evaluation};
use super::setup::{WORLD, World, config, look};
use proctor_host::sandbox::{Limits, SandboxConfig};

fn with_fuel(fuel: u64, evaluation: &Evaluation) -> Evaluation {
    Evaluation {
        limits: Limits {
            fuel,
            ..evaluation.limits
        },
        ..evaluation.clone()
    }
}

/// Floods the host until its fuel is used up.
async fn flood(world: &World, fuel: u64) -> Done {
    let done = world.run(&with_fuel(fuel, &look(&["flood"]))).await;
    assert_eq!(done.receipt.outcome, "out_of_fuel", "{:?}", done.error);
    assert_eq!(done.receipt.fuel, fuel);
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fuel_is_the_same_in_every_run() {
    let evaluation = look(&["hash_maps", "floats", "stack", "spin", "solve"]);
    let done = WORLD.run(&evaluation).await;
    let elsewhere = World::fresh(&SandboxConfig {
        pooling: false,
        ..config()
    });
    for _ in 0..10 {
        assert_eq!(elsewhere.run(&evaluation).await, done);
    }
    // It counts what is done.
    let less = WORLD
        .run(&look(&["hash_maps", "floats", "stack", "spin"]))
        .await;
    assert!(less.receipt.fuel < done.receipt.fuel);
}

/// Fuel is looked at where loops and functions begin: a call may end with a little less
/// than it takes, and then has used all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_fuel_is_one_unit_below_what_is_enough() {
    let evaluation = look(&["hash_maps", "floats"]);
    let run = async |world: &World, fuel| world.run(&with_fuel(fuel, &evaluation)).await;
    let mut enough = run(&WORLD, evaluation.limits.fuel).await.receipt.fuel;
    let mut too_little = enough / 2;
    while enough - too_little > 1 {
        let fuel = (too_little + enough) / 2;
        match &*run(&WORLD, fuel).await.receipt.outcome {
            "ok" => enough = fuel,
            outcome => {
                assert_eq!(outcome, "out_of_fuel");
                too_little = fuel;
            }
        }
    }
    let world = World::fresh(&SandboxConfig {
        pooling: false,
        ..config()
    });
    let (ok, none) = (run(&world, enough).await, run(&world, too_little).await);
    assert_eq!(
        (&ok, &none),
        (&run(&WORLD, enough).await, &run(&WORLD, too_little).await)
    );
    assert_eq!((&*ok.receipt.outcome, ok.receipt.fuel), ("ok", enough));
    assert_eq!(
        (&*none.receipt.outcome, none.receipt.fuel),
        ("out_of_fuel", too_little)
    );
    assert_ne!(none.id, ok.id);
}

/// The transcript tells how far the guest got: between two amounts of fuel that differ by
/// one there is a call more, and every sandbox finds the same two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_fuel_is_at_the_same_instruction() {
    let (mut too_little, mut enough) = (100_000, 200_000);
    let calls = flood(&WORLD, enough).await.calls.len();
    assert!(flood(&WORLD, too_little).await.calls.len() < calls);
    while enough - too_little > 1 {
        let fuel = (too_little + enough) / 2;
        match flood(&WORLD, fuel).await.calls.len() < calls {
            true => too_little = fuel,
            false => enough = fuel,
        }
    }
    let (before, after) = (flood(&WORLD, too_little).await, flood(&WORLD, enough).await);
    assert_eq!((before.calls.len() + 1, after.calls.len()), (calls, calls));
    assert_ne!(before.receipt.transcript, after.receipt.transcript);
    for pooling in [true, false] {
        let world = World::fresh(&SandboxConfig {
            pooling,
            ..config()
        });
        assert_eq!(flood(&world, too_little).await, before);
        assert_eq!(flood(&world, enough).await, after);
    }
}
