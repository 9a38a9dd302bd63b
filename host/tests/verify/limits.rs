//! What a verifier does not take from a host, however large or slow that says it is.

use super::{differs, not_checkable, options, verify_with};
use crate::made::{Recorder, day};
use proctor_host::receipts::Kind;
use proctor_host::receipts::bundle::Bundle;
use proctor_host::verify::{Options, Step, Verdict, Why};
use std::io::{BufReader, Write};
use std::time::Duration;
use tokio::runtime::Runtime;

#[test]
fn what_takes_more_time_than_allowed_is_not_checkable() {
    let options = Options {
        max_call: Duration::from_millis(1),
        ..options()
    };
    // It runs for as long as it has fuel.
    let mut recorder = Recorder::new("digits", r#"{"tasks": 1, "batch_size": 1}"#);
    let evaluated = recorder.evaluate("endless_loop", None);
    Runtime::new().unwrap().block_on(evaluated);
    let report = verify_with(recorder.day.bundle(), options);
    let finding = not_checkable(&report, Why::Limits);
    assert!(finding.what.contains("more than 0.001 s"), "{finding}");
    assert_eq!(finding.kind, Some(Kind::Solve));
}

#[test]
fn what_is_held_in_memory_for_a_receipt_is_bounded() {
    let with = |max_held_bytes| {
        let options = Options {
            max_held_bytes,
            ..options()
        };
        verify_with(day().bundle(), options)
    };
    assert_eq!(with(1 << 20).verdict, Verdict::Verified);
    // Of the transcripts no text is as short as that; nor is the result that is compared.
    let report = with(64);
    let finding = not_checkable(&report, Why::Limits);
    assert!(finding.what.contains("more than 64 bytes"), "{finding}");
    assert_eq!(report.receipts["evaluate"].not_checkable, 3);
    assert_eq!(report.receipts["compare"].not_checkable, 1);
    assert_eq!(report.receipts["judge"].verified, 3);
}

#[test]
fn large_blobs_are_read_as_well_as_small_ones() {
    let mut day = day();
    let large = day.put(vec![b'x'; (16 << 20) + 1]);
    let report = verify_with(day.bundle(), options());
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    let mut bytes = day.bytes(|_, _| {});
    let entries = day.bundle().entries().to_vec();
    let entry = entries.iter().find(|entry| entry.name.contains(&large));
    let entry = entry.unwrap();
    bytes[entry.offset as usize + entry.size as usize - 1] ^= 1;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let damaged = Bundle::from_reader(BufReader::new(file)).unwrap();
    let report = verify_with(damaged, options());
    assert!(differs(&report, Step::Bundle).what.contains(&large));
}
