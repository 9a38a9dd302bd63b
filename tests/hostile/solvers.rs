//! Submissions that misbehave: each costs its own task, and nothing else.

use super::setup::{WORLD, beside, load_solver, submission};
use proctor_host::sandbox::{Blame, Limits, Outcome, PluginError, SolverComponent, Submitted};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Small, so that tests are fast.
fn solver_limits() -> Limits {
    Limits {
        fuel: 100_000_000,
        memory_bytes: 32 << 20,
        ..Limits::solver()
    }
}

/// Runs the hostile solver on `task`, between two tasks that it does well.
async fn failure(task: Value, limits: Limits) -> (Outcome, String, String) {
    let good = json!({"do": "count"});
    let tasks = [good.clone(), task, good];
    let (called, records) =
        beside(WORLD.solve(&WORLD.solver, limits, Limits::default(), &tasks)).await;
    let seen = called.result.unwrap();
    let one = json!({"solution": "1"});
    assert_eq!(
        (&seen[0], &seen[2]),
        (&one, &one),
        "a fresh instance for each task"
    );
    assert_eq!(
        (records[0].outcome, records[2].outcome),
        (Outcome::Ok, Outcome::Ok)
    );
    assert_eq!(records[0].fuel, records[2].fuel);
    let text = |field: &str| seen[1][field].as_str().unwrap_or_default().to_owned();
    (records[1].outcome, text("failed"), text("message"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_gives_that_task_an_error_and_nothing_else() {
    let limits = solver_limits();
    for (task, outcome, code, message) in [
        (
            json!({"do": "loop"}),
            Outcome::OutOfFuel,
            "Failure::OutOfFuel",
            "fuel",
        ),
        (
            json!({"do": "trap"}),
            Outcome::Trap,
            "Failure::Trap",
            "unreachable",
        ),
        (
            json!({"do": "panic"}),
            Outcome::Trap,
            "Failure::Trap",
            "the answer is 42",
        ),
        (
            json!({"do": "exit"}),
            Outcome::Trap,
            "Failure::Trap",
            "exit",
        ),
        (
            json!({"do": "hoard-memory"}),
            Outcome::OutOfMemory,
            "Failure::OutOfMemory",
            "linear memory",
        ),
        (
            json!({"do": "recurse"}),
            Outcome::StackOverflow,
            "Failure::StackOverflow",
            "stack",
        ),
        (
            json!({"answer": "{oops"}),
            Outcome::InvalidOutput,
            "Failure::InvalidOutput",
            "not JSON",
        ),
        (
            json!({"answer": ""}),
            Outcome::InvalidOutput,
            "Failure::InvalidOutput",
            "not JSON",
        ),
        (
            json!({"do": "output", "bytes": 2 << 20}),
            Outcome::InvalidOutput,
            "Failure::InvalidOutput",
            "too much data",
        ),
        (
            json!({"do": "flood-host"}),
            Outcome::Denied,
            "Failure::Denied",
            "host calls",
        ),
        (
            json!({"do": "fly"}),
            Outcome::GuestError,
            "Failure::GuestError",
            "unknown variant",
        ),
    ] {
        let (got, failed, why) = failure(task.clone(), limits).await;
        assert_eq!((got, failed.as_str()), (outcome, code), "{task}: {why}");
        assert!(why.contains(message), "{task}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_ends_what_fuel_does_not() {
    let limits = Limits {
        wall_ms: 200,
        fuel: u64::MAX / 2,
        ..solver_limits()
    };
    let (outcome, failed, _) = failure(json!({"do": "loop"}), limits).await;
    assert_eq!(
        (outcome, failed.as_str()),
        (Outcome::Timeout, "Failure::Timeout")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solver_has_no_files_arguments_or_environment() {
    let steps = json!([
        {"op": "read", "path": "/etc/passwd"},
        {"op": "read", "path": "/data/x"},
        {"op": "list", "path": "/"},
        {"op": "list", "path": "."},
        {"op": "write", "path": "x", "text": "x"},
    ]);
    let tasks = [
        json!({"do": "files", "steps": steps}),
        json!({"do": "environment"}),
    ];
    let (called, records) =
        beside(WORLD.solve(&WORLD.solver, solver_limits(), Limits::default(), &tasks)).await;
    let seen = called.result.unwrap();
    assert!(records.iter().all(|r| r.outcome == Outcome::Ok), "{seen}");
    let parse =
        |i: usize| serde_json::from_str::<Value>(seen[i]["solution"].as_str().unwrap()).unwrap();
    for step in parse(0).as_array().unwrap() {
        assert!(step["error"].is_string(), "{step}");
    }
    let environment = parse(1);
    assert_eq!(
        (&environment["arguments"], &environment["variables"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(environment["input"], "");
}

/// Copying between components takes the host's time but hardly any fuel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_between_components_do_not_hold_up_the_deadline() {
    let solver = load_solver(&WORLD.sandbox, "copies_between_components");
    let limits = Limits {
        wall_ms: 200,
        ..Limits::solver()
    };
    let (called, records) =
        beside(WORLD.solve(&solver, limits, Limits::default(), &[json!({})])).await;
    assert_eq!(called.outcome(), Outcome::Ok);
    assert_eq!(records[0].outcome, Outcome::Timeout, "{:?}", called.result);
    assert!(
        called.report.elapsed < Duration::from_secs(3),
        "{:?}",
        called.report.elapsed
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solution_that_cannot_be_read_is_invalid_output() {
    for (guest, why) in [("points_nowhere", "out of bounds"), ("not_utf8", "utf-8")] {
        let solver = load_solver(&WORLD.sandbox, guest);
        let (called, records) =
            beside(WORLD.solve(&solver, solver_limits(), Limits::default(), &[json!({})])).await;
        assert_eq!(records[0].outcome, Outcome::InvalidOutput, "{guest}");
        let seen = called.result.unwrap();
        let message = seen[0]["message"].as_str().unwrap();
        assert!(message.contains(why), "{guest}: {message}");
    }
}

/// A challenge that repeats it in a log must not be blamed for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solution_that_others_could_not_read_is_the_submissions_fault() {
    let nested = "[".repeat(200) + &"]".repeat(200);
    let unreadable = [nested.as_str(), "1e999", r#""\ud800""#, "{", ""];
    let tasks = unreadable.map(|answer| json!({ "answer": answer }));
    let (called, records) =
        beside(WORLD.solve(&WORLD.solver, solver_limits(), Limits::default(), &tasks)).await;
    assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
    let outcomes: Vec<Outcome> = records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::InvalidOutput; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solver_takes_at_most_half_of_its_callers_time() {
    let solver_limits = Limits {
        fuel: u64::MAX / 2,
        ..Limits::solver()
    };
    let limits = Limits {
        wall_ms: 300,
        ..Limits::default()
    };
    let tasks = [json!({"do": "loop"}), json!({"do": "count"})];
    for _ in 0..5 {
        let (called, records) =
            beside(WORLD.solve(&WORLD.solver, solver_limits, limits, &tasks)).await;
        // The challenge has the rest to say so.
        assert_eq!(called.outcome(), Outcome::Ok, "{:?}", called.result);
        let outcomes: Vec<Outcome> = records.iter().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [Outcome::Timeout, Outcome::Timeout]);
        assert!(
            called.report.elapsed < limits.wall(),
            "{:?}",
            called.report.elapsed
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solver_takes_nothing_else_from_its_caller() {
    let (few, many) = (
        [json!({"do": "count"})],
        [json!({"do": "take-memory", "bytes": 30 << 20})],
    );
    let limits = Limits {
        memory_bytes: 16 << 20,
        ..Limits::default()
    };
    let solver_limits = Limits {
        memory_bytes: 64 << 20,
        ..Limits::solver()
    };
    let run = |tasks| WORLD.solve(&WORLD.solver, solver_limits, limits, tasks);
    let (few, records) = beside(run(&few)).await;
    let (many, more) = beside(run(&many)).await;
    assert_eq!(
        (records[0].outcome, more[0].outcome),
        (Outcome::Ok, Outcome::Ok)
    );
    assert!(more[0].fuel > records[0].fuel);
    // The caller's own work differs by the length of task and solution only.
    let difference = few.report.fuel.abs_diff(many.report.fuel);
    assert!(difference < 100_000, "{difference}");
    assert_eq!(few.report.memory_bytes, many.report.memory_bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_that_is_no_solver_fails_each_task() {
    let error = SolverComponent::load(&WORLD.sandbox, b"junk").unwrap_err();
    let seen = solve_with(Some(Err(error))).await;
    assert_eq!(seen[0]["failed"], "Failure::LinkError");
    let busy = PluginError::new(Outcome::Unavailable, "still being fetched");
    let seen = solve_with(Some(Err(busy))).await;
    assert_eq!(seen[0]["unavailable"], "still being fetched");
}

async fn solve_with(solver: Option<Result<SolverComponent, PluginError>>) -> Value {
    let (limits, grants) = Default::default();
    let act = json!({"do": "solve", "tasks": [{}]});
    let mut call = super::setup::call(super::setup::settings("evaluate", act), &limits, &grants);
    call.submitted = solver.map(|solver| {
        Arc::new(Submitted {
            solver: solver.map(Into::into),
            limits: solver_limits(),
        })
    });
    let called = WORLD
        .hostile
        .evaluate(&WORLD.sandbox, call, &submission(), &[])
        .await
        .0;
    super::setup::seen(called).result.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_without_a_submission_may_not_solve() {
    let act = json!({"do": "solve", "tasks": [{}]});
    for export in ["judge", "evaluate"] {
        let called = beside(WORLD.call(export, act.clone(), &Limits::default())).await;
        let error = called.result.unwrap_err();
        assert_eq!(error.outcome, Outcome::Denied, "{export}");
        assert!(error.message.contains("no submission"), "{}", error.message);
    }
}

/// The solvers that come with the digits challenge misbehave as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hostile_solvers_of_digits() {
    for (guest, outcome) in [
        ("endless_loop", Outcome::OutOfFuel),
        ("memory_hog", Outcome::OutOfMemory),
        ("malformed_json", Outcome::InvalidOutput),
    ] {
        let (solver, _) = SolverComponent::load(&WORLD.sandbox, &guest_bytes(guest)).unwrap();
        let (_, records) =
            beside(WORLD.solve(&solver, solver_limits(), Limits::default(), &[json!({})])).await;
        assert_eq!(records[0].outcome, outcome, "{guest}");
    }
    assert_eq!(
        Blame::Submission,
        SolverComponent::load(&WORLD.sandbox, b"")
            .unwrap_err()
            .blame
    );
}
