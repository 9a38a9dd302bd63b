//! Guests that give up, or say that they cannot.

use super::setup::{EXPORTS, WORLD, beside, load, submission};
use proctor_host::sandbox::{Blame, Limits, Outcome};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_in_any_export_ends_that_call_only() {
    for export in EXPORTS {
        let called = beside(WORLD.call(export, json!({"do": "trap"}), &Limits::default())).await;
        let error = called.result.unwrap_err();
        assert_eq!(
            (error.outcome, error.blame),
            (Outcome::Trap, Blame::Plugin),
            "{export}"
        );
        assert!(
            error.message.contains("unreachable"),
            "{export}: {}",
            error.message
        );
        assert!(!error.frames.is_empty(), "{export}: no backtrace");
        assert!(called.report.fuel > 0, "{export}");
        let again = WORLD.call(export, json!({}), &Limits::default()).await;
        assert_eq!(again.outcome(), Outcome::Ok, "{export}: {:?}", again.result);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_in_describe() {
    let plugin = load(&WORLD.sandbox, "describe_trap");
    let called = beside(plugin.describe(&WORLD.sandbox, &Limits::default())).await;
    assert_eq!(called.outcome(), Outcome::Trap);
    assert!(called.result.unwrap_err().message.contains("unreachable"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_tells_its_message_and_place() {
    let called = beside(WORLD.call("judge", json!({"do": "panic"}), &Limits::default())).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Trap);
    assert!(
        error.message.contains("the answer is 42"),
        "{}",
        error.message
    );
    assert!(error.message.contains("lib.rs"), "{}", error.message);
    assert!(
        called.report.log.contains("panicked at"),
        "{}",
        called.report.log
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_is_a_trap_even_with_code_0() {
    let called = beside(WORLD.call("evaluate", json!({"do": "exit"}), &Limits::default())).await;
    let error = called.result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Trap);
    assert!(error.message.contains("exit"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_the_challenge_says_whose_fault_it_is() {
    for (fail, outcome, blame) in [
        ("invalid-submission", Outcome::GuestError, Blame::Submission),
        ("unavailable", Outcome::Unavailable, Blame::Host),
        ("internal", Outcome::GuestError, Blame::Plugin),
    ] {
        let called =
            beside(WORLD.call("evaluate", json!({"fail": fail}), &Limits::default())).await;
        let error = called.result.unwrap_err();
        assert_eq!((error.outcome, error.blame), (outcome, blame), "{fail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capability_that_is_not_exported_cannot_be_called() {
    let plugin = load(&WORLD.sandbox, "describe_trap");
    assert_eq!(plugin.capabilities(), []);
    let (limits, grants) = Default::default();
    let call = super::setup::call(json!({}), &limits, &grants);
    let called = plugin
        .evaluate(&WORLD.sandbox, call, &submission(), &[])
        .await
        .0;
    assert_eq!(called.outcome(), Outcome::LinkError);
    assert!(called.result.unwrap_err().message.contains("controller"));
}
