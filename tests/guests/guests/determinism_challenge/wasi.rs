//! What the standard library does not show.

use proctor_sdk::wasip2;
use serde_json::{Value, json};
use std::arch::wasm32::{memory_grow, memory_size};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll::poll;
use wasip2::random::{insecure, insecure_seed, random as secure};

pub(crate) fn random() -> Value {
    json!([
        secure::get_random_u64(),
        secure::get_random_bytes(5),
        insecure::get_insecure_random_u64(),
        insecure::get_insecure_random_bytes(5),
        insecure_seed::insecure_seed(),
    ])
}

/// Waits for timers of different lengths, and tells which ran out first, and when.
pub(crate) fn timers() -> Value {
    let lengths = [3_600_000_000_000, 0, 1_000, 5_000_000_000];
    let timers = lengths.map(monotonic_clock::subscribe_duration);
    let is_ready: Vec<bool> = timers.iter().map(|timer| timer.ready()).collect();
    let first = poll(&timers.iter().collect::<Vec<_>>());
    let wall = wall_clock::now();
    json!([
        is_ready,
        first,
        monotonic_clock::now(),
        monotonic_clock::resolution(),
        [wall.seconds, u64::from(wall.nanoseconds)],
    ])
}

/// Takes pages until it is given no more; tells how many there were before, how many it
/// got, and what is in the last one.
pub(crate) fn memory() -> Value {
    let before = memory_size::<0>();
    let mut pages = 0;
    while memory_grow::<0>(1) != usize::MAX {
        pages += 1;
    }
    let end = memory_size::<0>() << 16;
    // What another call had there is gone.
    let last: u64 = (end - 4096..end).map(byte).map(u64::from).sum();
    json!([before, pages, memory_size::<0>(), memory_grow::<0>(0), last])
}

#[allow(unsafe_code, reason = "memory that no value of Rust has")]
fn byte(address: usize) -> u8 {
    // SAFETY: the address is below the end of the memory.
    unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() }
}
