//! What a guest sees of the world.

use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static CALLS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn count() -> Value {
    json!(CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}

#[allow(unsafe_code, reason = "the standard library has no random numbers")]
pub(crate) fn random() -> Value {
    unsafe extern "C" {
        fn getentropy(buffer: *mut u8, length: usize) -> i32;
    }
    let mut bytes = [0_u8; 16];
    // SAFETY: it writes as many bytes as it is told.
    let code = unsafe { getentropy(bytes.as_mut_ptr(), bytes.len()) };
    json!({"code": code, "bytes": bytes, "hash": RandomState::new().hash_one(1)})
}

pub(crate) fn clocks() -> Value {
    let start = Instant::now();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let before = Instant::now();
    std::thread::sleep(Duration::from_secs(3600));
    let slept = before.elapsed();
    json!({
        "slept_ns": slept.as_nanos() as u64,
        "wall": wall.map_or(-1.0, |d| d.as_secs_f64()),
        "monotonic_ns": start.elapsed().as_nanos() as u64,
    })
}

pub(crate) fn environment() -> Value {
    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input);
    json!({
        "arguments": std::env::args().collect::<Vec<_>>(),
        "variables": std::env::vars().collect::<Vec<_>>(),
        "input": input,
        "input_read": read.is_ok(),
    })
}
