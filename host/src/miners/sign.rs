//! Signing requests to miners.

use super::{Request, Target};
use crate::chain::dendrite::Axon;
use crate::chain::{Hotkey, btauth, dendrite};
use crate::clock::unix_now_ns;
use crate::sandbox::organic::Protocol;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the last request of this process was signed with.
static LAST_NONCE: AtomicU64 = AtomicU64::new(0);

/// Signs with the host's hotkey.
#[derive(Debug)]
pub(super) struct Signer {
    hotkey: Hotkey,
    /// What the uuids of this process are made of.
    random: u128,
}

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct SignedRequest {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Signer {
    pub(super) fn new(hotkey: Hotkey) -> Self {
        Signer {
            hotkey,
            random: rand::random(),
        }
    }

    /// None if the body is not what the protocol takes.
    ///
    /// Under one uuid an axon takes nonces in ascending order alone, and of two
    /// requests at a time either may come first: so each `slot` has a uuid of its own.
    pub(super) fn sign(
        &self,
        url: &Url,
        target: &Target,
        request: &Request,
        slot: u32,
        timeout: Duration,
    ) -> Option<SignedRequest> {
        let nonce = next_nonce(&LAST_NONCE, unix_now_ns());
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json.clone());
        headers.insert(ACCEPT, json);
        let body = match &request.protocol {
            Protocol::Btauth => {
                let body = request.body.as_bytes();
                let receiver = Some(target.hotkey.as_str());
                // The path as it is sent, should it not be the one that was asked for.
                let signed = btauth::sign(&self.hotkey, "POST", url.path(), body, receiver, nonce);
                for (name, value) in signed {
                    insert(&mut headers, name, &value)?;
                }
                body.to_vec()
            }
            Protocol::Dendrite(hash_fields) => {
                let fields: Map<String, Value> = serde_json::from_str(&request.body).ok()?;
                let axon = Axon {
                    hotkey: target.hotkey.clone(),
                    ip: target.ip?.to_canonical(),
                    port: target.port?,
                };
                let (signed, body) = dendrite::sign(
                    &self.hotkey,
                    &axon,
                    &request.path,
                    timeout.as_secs_f64(),
                    &fields,
                    hash_fields,
                    &uuid(self.random.wrapping_add(slot.into())),
                    nonce,
                );
                for (name, value) in signed {
                    insert(&mut headers, &name, &value)?;
                }
                body
            }
        };
        Some(SignedRequest { headers, body })
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Option<()> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    headers.insert(name, HeaderValue::from_str(value).ok()?);
    Some(())
}

/// The time, or the least that no request was signed with: miners refuse a nonce that
/// is not greater than the last, and many requests are signed at one time.
fn next_nonce(last: &AtomicU64, now_ns: u64) -> u64 {
    let next = |last: u64| now_ns.max(last.saturating_add(1));
    match last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(next(last))
    }) {
        Ok(last) | Err(last) => next(last),
    }
}

/// A random UUID, version 4, of sixteen random bytes.
fn uuid(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let mut text = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_requests_have_one_nonce_whatever_the_clock_does() {
        let last = AtomicU64::new(0);
        let nonces = [100, 100, 100, 90, 101, 200, 0].map(|now| next_nonce(&last, now));
        assert_eq!(nonces, [100, 101, 102, 103, 104, 200, 201]);
        let both = std::thread::scope(|scope| {
            let run = || {
                (0..1_000)
                    .map(|_| next_nonce(&last, 300))
                    .collect::<Vec<_>>()
            };
            [scope.spawn(run), scope.spawn(run)].map(|thread| thread.join().unwrap())
        });
        assert_eq!(BTreeSet::from_iter(both.concat()).len(), 2_000);
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
