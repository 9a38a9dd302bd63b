//! Files that are no challenge or no solver, or want what there is not.

use super::setup::WORLD;
use proctor_host::sandbox::{Blame, Outcome, PluginComponent, SolverComponent};
use proctor_testing::guest_bytes;

/// Neither a challenge nor a solver, with what the host says of it as one.
fn refused(bytes: &[u8], as_challenge: &str, as_solver: &str) {
    let error = PluginComponent::load(&WORLD.sandbox, bytes).unwrap_err();
    assert_eq!(
        (error.outcome, error.blame),
        (Outcome::LinkError, Blame::Plugin)
    );
    assert!(error.message.contains(as_challenge), "{}", error.message);
    let error = SolverComponent::load(&WORLD.sandbox, bytes).unwrap_err();
    assert_eq!(
        (error.outcome, error.blame),
        (Outcome::LinkError, Blame::Submission)
    );
    assert!(error.message.contains(as_solver), "{}", error.message);
}

#[test]
fn a_component_for_another_world() {
    let bytes = guest_bytes("another_world");
    refused(&bytes, "another world", "proctor:solver");
    let error = SolverComponent::load(&WORLD.sandbox, &guest_bytes("wrong_type")).unwrap_err();
    assert_eq!(error.outcome, Outcome::LinkError);
}

#[test]
fn a_challenge_is_no_solver_and_a_solver_no_challenge() {
    let error = SolverComponent::load(&WORLD.sandbox, &guest_bytes("digits")).unwrap_err();
    assert_eq!(error.outcome, Outcome::LinkError);
    let error = PluginComponent::load(&WORLD.sandbox, &guest_bytes("knn")).unwrap_err();
    assert_eq!(error.outcome, Outcome::LinkError);
    assert!(error.message.contains("another world"), "{}", error.message);
}

#[test]
fn a_core_module() {
    refused(
        &guest_bytes("core_module"),
        "core WebAssembly module",
        "wasm32-wasip2",
    );
}

#[test]
fn a_truncated_file() {
    let bytes = guest_bytes("digits");
    for length in [bytes.len() - 1, bytes.len() / 2, 9] {
        refused(
            &bytes[..length],
            "not a valid component",
            "not a valid component",
        );
    }
    refused(&bytes[..4], "too short", "too short");
}

#[test]
fn an_empty_file() {
    refused(b"", "too short", "too short");
}

#[test]
fn a_file_with_a_flipped_bit_loads_whole_or_not_at_all() {
    let good = guest_bytes("hostile_solver");
    for at in (8..good.len()).step_by(good.len() / 6) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        if let Err(error) = SolverComponent::load(&WORLD.sandbox, &bytes) {
            assert_eq!(error.outcome, Outcome::LinkError);
        }
    }
}

#[test]
fn imports_that_are_not_offered() {
    for (guest, import) in [
        ("imports_http", "wasi:http/outgoing-handler"),
        ("imports_made_up", "evil:corp/backdoor"),
    ] {
        refused(&guest_bytes(guest), import, import);
    }
    // A challenge may name it for its routes, a solver may not.
    assert!(PluginComponent::load(&WORLD.sandbox, &guest_bytes("routes_challenge")).is_ok());
    let error = SolverComponent::load(&WORLD.sandbox, &guest_bytes("routes_challenge"));
    let message = error.unwrap_err().message;
    assert!(message.contains("not a proctor:solver"), "{message}");
}

/// A wait on shared memory could not be interrupted.
#[test]
fn shared_memory_is_not_offered() {
    let error = SolverComponent::load(&WORLD.sandbox, &guest_bytes("shared_memory")).unwrap_err();
    assert_eq!(error.outcome, Outcome::LinkError);
}

/// A solver may not ask for what only a challenge gets.
#[test]
fn the_imports_of_challenges_are_not_offered_to_solvers() {
    let error =
        SolverComponent::load(&WORLD.sandbox, &guest_bytes("hostile_challenge")).unwrap_err();
    assert_eq!(error.outcome, Outcome::LinkError);
    assert!(
        error.message.contains("proctor:challenge"),
        "{}",
        error.message
    );
}
