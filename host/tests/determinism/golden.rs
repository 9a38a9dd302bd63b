//! A receipt that is known in advance, of components whose bytes are: any build of the
//! host, in debug or release, makes the one in `tests/golden/receipts/determinism.json`.

use super::receipt::{Done, Evaluation};
use proctor_host::canonical::digest;
use proctor_host::sandbox::{Grants, Limits, PluginComponent, Sandbox, SolverComponent};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};

const GOLDEN: &str = include_str!("../../../tests/golden/receipts/determinism.json");

/// The evaluation of `determinism_solver` by `determinism`.
pub(crate) fn evaluation() -> Evaluation {
    Evaluation {
        challenge: "determinism",
        artifact: digest(guest_bytes("determinism_solver")),
        settings: "{}".into(),
        seed: 12_204_513_338_025_395_912,
        now: 1_787_410_800.25,
        limits: Limits {
            fuel: 10_000_000,
            memory_bytes: 1 << 20,
            ..Limits::default()
        },
        solver_limits: Limits {
            fuel: 4_000_000,
            memory_bytes: (2 << 20) + (100 << 10),
            table_elements: 1_234,
            ..Limits::solver()
        },
        grants: Grants::default(),
    }
}

/// Does it.
pub(crate) async fn run(sandbox: &Sandbox) -> Done {
    let (plugin, _) = PluginComponent::load(sandbox, &guest_bytes("determinism")).unwrap();
    let (solver, _) = SolverComponent::load(sandbox, &guest_bytes("determinism_solver")).unwrap();
    evaluation().run(sandbox, &plugin, &Ok(solver.into())).await
}

/// What is stored of it.
pub(crate) fn told(done: &Done) -> Value {
    let text: Value = serde_json::from_str(&done.output).unwrap();
    json!({
        "id": done.id,
        "output": text,
        "receipt": done.receipt,
        "solves": done.solves,
    })
}

/// Does it so many times: each comes to the same.
///
/// # Panics
///
/// One does not.
pub(crate) async fn check_again(sandbox: &Sandbox, times: usize) {
    let (plugin, _) = PluginComponent::load(sandbox, &guest_bytes("determinism")).unwrap();
    let (solver, _) = SolverComponent::load(sandbox, &guest_bytes("determinism_solver")).unwrap();
    let (evaluation, solver) = (evaluation(), Ok(solver.into()));
    let first = evaluation.run(sandbox, &plugin, &solver).await;
    for _ in 1..times {
        let again = evaluation.run(sandbox, &plugin, &solver).await;
        assert!(again == first, "{again:?}");
    }
    compare(&first);
}

/// Does it, and compares the receipt with the one that is stored.
///
/// # Panics
///
/// It is another one.
pub(crate) async fn check(sandbox: &Sandbox) {
    compare(&run(sandbox).await);
}

fn compare(done: &Done) {
    let (found, golden): (Value, Value) = (told(done), serde_json::from_str(GOLDEN).unwrap());
    // What the guests saw is the same everywhere; the identities of another architecture
    // are others.
    for same in ["/output", "/receipt/fuel"] {
        assert!(found.pointer(same).is_some());
        assert_eq!(found.pointer(same), golden.pointer(same));
    }
    if cfg!(target_arch = "x86_64") {
        assert_eq!(found, golden, "the engine has changed, or the guests have");
    }
}
