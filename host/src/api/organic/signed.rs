//! Who signed an entry. There are three ways, told by the headers that are there.

use crate::api::problem::Problem;
use crate::chain::nonced::{self, Unverified};
use crate::chain::{btauth, dendrite};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use std::time::Duration;

/// In front of the headers of `btauth/1`.
const BTAUTH: &str = "x-bittensor-";
/// In front of those of a bittensor client before version 11.
const DENDRITE: &str = "bt_header_dendrite_";

/// The longest timeout of a bittensor client that is heeded.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Who signed an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer {
    /// The hotkey, in SS58.
    pub(super) hotkey: String,
    /// What counts once.
    pub(super) nonce: String,
    /// Of a bittensor client before version 11: for how long it waits for the answer.
    pub(super) dendrite: Option<Duration>,
}

/// How an entry says to be signed.
#[derive(Debug)]
pub(super) enum Way<'a> {
    /// As `btauth/1` has it, for this receiver.
    Btauth(&'a str),
    /// As a bittensor client before version 11 does it, for this receiver.
    Dendrite(&'a str),
    /// As a miner's requests to routes are.
    Nonced(Unverified),
}

/// What is signed.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) netuid: u16,
    pub(super) challenge: &'a str,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    /// Its SHA-256, in lower-case hex.
    pub(super) digest: &'a str,
    /// See [`Organic::hash_fields`](crate::config::Organic::hash_fields).
    pub(super) hash_fields: &'a [String],
}

impl<'a> Way<'a> {
    /// What the headers say. `receiver` is this host's hotkey; `now` is in seconds since
    /// the Unix epoch.
    pub(super) fn of(
        headers: &HeaderMap,
        receiver: Option<&'a str>,
        now: f64,
    ) -> Result<Self, Problem> {
        let has = |prefix: &str| {
            let mut names = headers.keys();
            names.any(|name| name.as_str().starts_with(prefix))
        };
        let receiver = || {
            receiver.ok_or_else(|| {
                let detail = "this host has no hotkey to sign for: sign with x-hotkey, \
                    x-signature, x-nonce and x-timestamp";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_hotkey", detail)
            })
        };
        if has(BTAUTH) {
            return Ok(Way::Btauth(receiver()?));
        }
        if has(DENDRITE) {
            return Ok(Way::Dendrite(receiver()?));
        }
        let names = [
            nonced::HOTKEY,
            nonced::SIGNATURE,
            nonced::NONCE,
            nonced::TIMESTAMP,
        ];
        if !names.iter().any(|name| headers.contains_key(*name)) {
            let detail = "an entry is signed: with the X-Bittensor-* headers of btauth/1, with \
                the bt_header_dendrite_* headers of a bittensor client before version 11, or \
                with x-hotkey, x-signature, x-nonce and x-timestamp";
            return Err(unauthorized("missing_header", detail));
        }
        let unverified = nonced::read(|name| header(headers, name), now);
        unverified
            .map(Way::Nonced)
            .map_err(|fault| unauthorized(fault.code(), fault.to_string()))
    }

    /// Who signed, if somebody did, and just now.
    pub(super) fn verify(self, request: &Request<'_>, now_ns: u64) -> Result<Signer, Problem> {
        let parts = request.parts;
        let header = |name: &str| header(&parts.headers, name);
        let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        match self {
            Way::Btauth(receiver) => {
                let method = parts.method.as_str();
                let body = request.body;
                let signed = btauth::check(header, method, target, body, receiver, now_ns);
                let signed =
                    signed.map_err(|fault| unauthorized(fault.code(), fault.to_string()))?;
                Ok(Signer {
                    hotkey: signed.hotkey,
                    nonce: signed.nonce,
                    dendrite: None,
                })
            }
            Way::Dendrite(receiver) => {
                let fields = request.hash_fields;
                let signed = dendrite::check(header, request.body, fields, receiver, now_ns);
                let signed =
                    signed.map_err(|fault| unauthorized(fault.code(), fault.to_string()))?;
                Ok(Signer {
                    hotkey: signed.hotkey,
                    nonce: signed.nonce,
                    dendrite: Some(patience(signed.timeout_s)),
                })
            }
            Way::Nonced(unverified) => {
                let message = nonced::miner_message(
                    request.netuid,
                    request.challenge,
                    parts.method.as_str(),
                    target,
                    unverified.claims(),
                    request.digest,
                );
                let claims = unverified.verify(&message);
                let claims =
                    claims.map_err(|fault| unauthorized(fault.code(), fault.to_string()))?;
                Ok(Signer {
                    hotkey: claims.hotkey,
                    nonce: claims.nonce,
                    dendrite: None,
                })
            }
        }
    }
}

/// For how long a bittensor client waits, by its `timeout`; none at all if it says none.
fn patience(timeout_s: Option<f64>) -> Duration {
    let told = timeout_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    told.unwrap_or_default().min(LONGEST)
}

/// Who says to have signed, for the log.
pub(super) fn claimed(headers: &HeaderMap) -> Option<&str> {
    let names = [
        "x-bittensor-hotkey",
        "bt_header_dendrite_hotkey",
        nonced::HOTKEY,
    ];
    names.iter().find_map(|name| header(headers, name))
}

/// The text of a header; empty if it is none.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap_or_default())
}

fn unauthorized(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Hotkey;
    use axum::http::{self, HeaderName, HeaderValue};

    const HOST: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const NOW_NS: u64 = 1_700_000_000_000_000_000;

    fn headers(names: &[&'static str]) -> HeaderMap {
        let value =
            |name: &&'static str| (HeaderName::from_static(name), HeaderValue::from_static("1"));
        names.iter().map(value).collect()
    }

    fn way(names: &[&'static str], receiver: Option<&'static str>) -> Result<Way<'static>, String> {
        let now = NOW_NS as f64 / 1e9;
        Way::of(&headers(names), receiver, now).map_err(|problem| {
            let status = problem.status.as_u16();
            format!("{status} {}", problem.code)
        })
    }

    #[test]
    fn the_way_is_told_by_the_headers_that_are_there() {
        for names in [
            &["x-bittensor-version"][..],
            &["x-hotkey", "x-bittensor-nonce"],
        ] {
            assert!(matches!(way(names, Some(HOST)), Ok(Way::Btauth(HOST))));
        }
        let names = ["bt_header_dendrite_nonce", "bt_header_axon_hotkey"];
        assert!(matches!(way(&names, Some(HOST)), Ok(Way::Dendrite(HOST))));
        // What is missing of it is its own to say.
        let missing = way(&["x-nonce"], Some(HOST)).unwrap_err();
        assert_eq!(missing, "401 missing_header");
    }

    #[test]
    fn who_does_not_sign_is_told_of_the_three_ways() {
        for names in [&[][..], &["authorization"], &["bt_header_axon_hotkey"]] {
            let problem = Way::of(&headers(names), Some(HOST), 0.0).unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.code),
                (401, "missing_header")
            );
            for way in ["X-Bittensor-", "bt_header_dendrite_", "x-hotkey"] {
                assert!(problem.detail.contains(way), "{way}");
            }
        }
    }

    #[test]
    fn without_a_hotkey_only_the_way_without_a_receiver_is_there() {
        for name in ["x-bittensor-version", "bt_header_dendrite_nonce"] {
            assert_eq!(way(&[name], None).unwrap_err(), "503 no_hotkey");
        }
        assert_eq!(way(&["x-hotkey"], None).unwrap_err(), "401 missing_header");
    }

    /// An entry of Alice to a host, with a body and by the headers that she signed.
    fn verified(
        headers: Vec<(&'static str, String)>,
        body: &[u8],
        receiver: &str,
    ) -> Result<Signer, &'static str> {
        let mut request = http::Request::post("/v1/organic/c?x=1");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let digest = crate::sandbox::sha256_hex(body);
        let request = Request {
            netuid: 7,
            challenge: "c",
            parts: &parts,
            body,
            digest: &digest,
            hash_fields: &[],
        };
        let now = NOW_NS as f64 / 1e9;
        let way = Way::of(&parts.headers, Some(receiver), now);
        let signer = way.and_then(|way| way.verify(&request, NOW_NS));
        signer.map_err(|problem| problem.code)
    }

    fn by_btauth(alice: &Hotkey, path: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let signed = btauth::sign(alice, "POST", path, body, Some(HOST), NOW_NS);
        signed.into_iter().collect()
    }

    fn by_nonce(alice: &Hotkey, challenge: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let claims = nonced::Claims {
            hotkey: alice.address().to_owned(),
            nonce: "n1".into(),
            timestamp: 1_700_000_000,
        };
        let path = "/v1/organic/c?x=1";
        let digest = crate::sandbox::sha256_hex(body);
        let message = nonced::miner_message(7, challenge, "POST", path, &claims, &digest);
        vec![
            (nonced::HOTKEY, claims.hotkey),
            (
                nonced::SIGNATURE,
                hex::encode(alice.sign(message.as_bytes())),
            ),
            (nonced::NONCE, claims.nonce),
            (nonced::TIMESTAMP, "1700000000".to_owned()),
        ]
    }

    #[test]
    fn who_signed_is_known_and_what_is_signed_cannot_be_changed() {
        let alice = Hotkey::from_uri("//Alice").unwrap();
        let path = "/v1/organic/c?x=1";
        let signed = by_btauth(&alice, path, b"{}");
        let signer = verified(signed.clone(), b"{}", HOST).unwrap();
        assert_eq!(
            (signer.hotkey.as_str(), signer.dendrite),
            (alice.address(), None)
        );
        assert_eq!(signer.nonce, NOW_NS.to_string());
        assert_eq!(verified(signed.clone(), b"[]", HOST), Err("bad_signature"));
        let bob = Hotkey::from_uri("//Bob").unwrap();
        assert_eq!(
            verified(signed, b"{}", bob.address()),
            Err("wrong_receiver")
        );
        let elsewhere = by_btauth(&alice, "/v1/organic/c", b"{}");
        assert_eq!(verified(elsewhere, b"{}", HOST), Err("bad_signature"));

        let signed = by_nonce(&alice, "c", b"{}");
        let signer = verified(signed.clone(), b"{}", HOST).unwrap();
        assert_eq!(
            (
                signer.hotkey.as_str(),
                signer.nonce.as_str(),
                signer.dendrite
            ),
            (alice.address(), "n1", None)
        );
        assert_eq!(verified(signed, b"[]", HOST), Err("bad_signature"));
        let other = by_nonce(&alice, "d", b"{}");
        assert_eq!(verified(other, b"{}", HOST), Err("bad_signature"));
    }

    #[test]
    fn a_client_waits_for_as_long_as_it_says() {
        for (told, expected) in [
            (Some(12.5), 12_500),
            (None, 0),
            (Some(-1.0), 0),
            (Some(f64::NAN), 0),
            (Some(f64::INFINITY), 0),
            (Some(1e9), 86_400_000),
        ] {
            assert_eq!(patience(told).as_millis(), expected, "{told:?}");
        }
    }
}
