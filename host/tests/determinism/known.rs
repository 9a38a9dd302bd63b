//! The receipt that is known in advance, and what its guests see.

use super::golden;
use super::setup::config;
use proctor_host::sandbox::{Sandbox, SandboxConfig};
use serde_json::Value;

fn sandbox(pooling: bool) -> Sandbox {
    Sandbox::new(&SandboxConfig {
        pooling,
        ..config()
    })
    .unwrap()
}

/// In whatever profile the test is built; the benchmark of receipts does the same in
/// release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_build_makes_the_receipt_that_is_known() {
    for pooling in [true, false] {
        golden::check(&sandbox(pooling)).await;
    }
}

/// After a change of the engine: `cargo test --workspace --test determinism -- --ignored
/// --nocapture prints_the_receipt_that_is_known`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints what tests/golden/receipts/determinism.json is to hold"]
async fn prints_the_receipt_that_is_known() {
    let told = golden::told(&golden::run(&sandbox(true)).await);
    println!("{}", serde_json::to_string_pretty(&told).unwrap());
}

/// What the solver answered to a task of one digit, value by value.
async fn answer(task: usize) -> Vec<String> {
    let output: Value = serde_json::from_str(&golden::run(&sandbox(true)).await.output).unwrap();
    let log = &output["logs"][task];
    let digits = log["solution"].as_str().unwrap_or_else(|| panic!("{log}"));
    let digits = digits.trim_matches('"').as_bytes().chunks(16);
    digits
        .map(|value| String::from_utf8(value.into()).unwrap())
        .collect()
}

/// What the specification of WebAssembly wants in its deterministic profile.
const NAN: &str = "7ff8000000000000";
const NAN32: &str = "000000007fc00000";
const NAN32_TWICE: &str = "7fc000007fc00000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn float_nans_have_one_form() {
    let expected = [
        // 0/0, √−1, ∞ − ∞, a signalling NaN with a payload plus 0, the lesser of 1 and it.
        NAN,
        NAN,
        NAN,
        NAN,
        NAN,
        // The same for single precision: to double, 0/0, from double.
        NAN,
        NAN32,
        NAN32,
        // In vectors.
        NAN,
        NAN,
        NAN32_TWICE,
        NAN32_TWICE,
        // Bits that are only moved.
        "7ff0000000000abc",
        "fff0000000000abc",
        "fff0000000000abc",
        // The lesser of −0 and 0, half of the least normal and of the least number.
        "8000000000000000",
        "0008000000000000",
        "0000000000000000",
        // 2.5 rounded to even, and 0.1 · 10 − 1 with two roundings.
        "4000000000000000",
        "0000000000000000",
    ];
    assert_eq!(answer(0).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_simd_has_the_result_of_the_deterministic_profile() {
    // The upper half of each vector first.
    let expected = [
        // Fused: 2⁻⁵⁴.
        "3c90000000000000",
        "3c90000000000000",
        // An index above 15 picks nothing.
        "0706050400000000",
        "0000000000001001",
        // Out of range is the nearest number, and NaN is 0.
        "ffffffff7fffffff",
        "8000000000000000",
        "80000000ffffffff",
        "0000000000000000",
        "0000000000000000",
        "7fffffff00000000",
        // NaN wins, and −0 is less than 0.
        "8000000000000000",
        NAN,
        "0000000000000000",
        NAN,
        "0000000000000000",
        "0000000080017fff",
        "016d010900b50071",
        "003d001900038000",
        // Bit by bit.
        "0000000100ff00ff",
        "7fffffff80000000",
    ];
    assert_eq!(answer(1).await, expected);
}

/// 2 MiB and 100 KiB of memory are 33 pages, and one is there from the start; of 1 234
/// entries of tables likewise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_growth_ends_at_the_limits() {
    let number = |value: i64| format!("{value:016x}");
    let expected = [
        number(32),
        number(33),
        number(33),
        number(-1),
        number(1_200),
        // The last page is fresh, whoever had it before.
        number(0),
    ];
    // The first call leaves all of it full.
    for _ in 0..3 {
        assert_eq!(answer(2).await, expected);
    }
}
