#![allow(clippy::indexing_slicing)]

use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

const SDK: &str = include_str!("../../../../tests/fixtures/axon/btauth.json");
const NOW: u64 = 1_790_000_000_000_000_000;
const PATH: &str = "/v1/organic/demo?wait=3";
const BODY: &[u8] = br#"{"prompt": "hello"}"#;

#[derive(Deserialize)]
struct Sdk {
    now_ns: u64,
    requests: Vec<Request>,
    unbound: Request,
    ed25519: Request,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    body_hex: String,
    headers: BTreeMap<String, String>,
    payload: String,
}

impl Request {
    fn body(&self) -> Vec<u8> {
        hex::decode(&self.body_hex).unwrap()
    }

    fn check(&self, now_ns: u64) -> Result<Signed, Fault> {
        let header = |name: &str| self.headers.get(name).map(String::as_str);
        let Self { method, path, .. } = self;
        check(header, method, path, &self.body(), bob().address(), now_ns)
    }
}

fn sdk() -> Sdk {
    serde_json::from_str(SDK).unwrap()
}

fn alice() -> Hotkey {
    Hotkey::from_uri("//Alice").unwrap()
}

fn bob() -> Hotkey {
    Hotkey::from_uri("//Bob").unwrap()
}

fn headers(nonce_ns: u64) -> Vec<(&'static str, String)> {
    let bob = bob();
    sign(&alice(), "POST", PATH, BODY, Some(bob.address()), nonce_ns)
}

fn with(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut headers = headers(NOW);
    headers.retain(|(other, _)| *other != name);
    headers.push((name, value.to_owned()));
    headers
}

fn checked(headers: &[(&str, String)], now_ns: u64) -> Result<Signed, Fault> {
    let value = |name: &str| headers.iter().find(|(key, _)| *key == name);
    check(
        |name| value(name).map(|(_, v)| v.as_str()),
        "POST",
        PATH,
        BODY,
        bob().address(),
        now_ns,
    )
}

#[test]
fn what_the_sdk_signs_is_accepted_and_what_it_signs_over_is_the_same() {
    let sdk = sdk();
    assert_eq!(sdk.requests.len(), 4);
    let (alice, bob) = (alice(), bob());
    for (n, request) in (0..).zip(&sdk.requests) {
        let nonce = (sdk.now_ns + n).to_string();
        let signed = Signed {
            hotkey: alice.address().to_owned(),
            nonce: nonce.clone(),
        };
        assert_eq!(request.check(sdk.now_ns), Ok(signed));
        let (method, path, body) = (&request.method, &request.path, request.body());
        let message = message(
            method,
            path,
            &body,
            &nonce,
            alice.address(),
            Some(bob.address()),
        );
        assert_eq!(message, request.payload);
    }
    let Request { method, path, .. } = &sdk.unbound;
    let nonce = (sdk.now_ns + 100).to_string();
    let message = message(
        method,
        path,
        &sdk.unbound.body(),
        &nonce,
        alice.address(),
        None,
    );
    assert_eq!(message, sdk.unbound.payload);
}

#[test]
fn the_headers_are_those_of_the_sdk_but_for_the_signature() {
    let sdk = sdk();
    for (n, request) in (0..).zip(&sdk.requests) {
        let bob = bob();
        let own = sign(
            &alice(),
            &request.method,
            &request.path,
            &request.body(),
            Some(bob.address()),
            sdk.now_ns + n,
        );
        let own: BTreeMap<_, _> = own.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        assert_eq!(own.len(), request.headers.len());
        for (name, value) in &request.headers {
            match name.as_str() {
                SIGNATURE => assert_eq!(own[name].len(), value.len()),
                _ => assert_eq!(own[name], *value),
            }
        }
    }
    let unbound = sign(&alice(), "GET", "/", b"", None, 1);
    assert!(unbound.iter().all(|(name, _)| *name != RECEIVER));
}

#[test]
fn a_request_for_nobody_or_of_another_kind_of_key_is_refused_by_name() {
    let sdk = sdk();
    let fault = sdk.unbound.check(sdk.now_ns).unwrap_err();
    assert_eq!(
        (fault, fault.code()),
        (Fault::WrongReceiver, "wrong_receiver")
    );
    let fault = sdk.ed25519.check(sdk.now_ns).unwrap_err();
    assert_eq!(fault, Fault::UnsupportedScheme);
    assert!(fault.to_string().contains("ed25519"), "{fault}");
}

#[test]
fn a_request_is_fresh_for_10_s_and_2_s_ahead_to_the_nanosecond() {
    let headers = headers(NOW);
    for now in [NOW, NOW + MAX_AGE_NS, NOW - MAX_SKEW_NS] {
        assert!(checked(&headers, now).is_ok(), "{now}");
    }
    for now in [NOW + MAX_AGE_NS + 1, NOW - MAX_SKEW_NS - 1, 0, u64::MAX] {
        assert_eq!(checked(&headers, now), Err(Fault::Stale), "{now}");
    }
    for nonce in [
        "0",
        "-1",
        "18446744073709551616",
        &i128::MAX.to_string(),
        &i128::MIN.to_string(),
    ] {
        assert_eq!(
            checked(&with(NONCE, nonce), NOW),
            Err(Fault::Stale),
            "{nonce}"
        );
    }
}

#[test]
fn a_replay_has_the_same_nonce() {
    let headers = headers(NOW);
    let first = checked(&headers, NOW).unwrap();
    let again = checked(&headers, NOW + 5_000_000_000).unwrap();
    assert_eq!(first.nonce, NOW.to_string());
    assert_eq!(first, again);
}

#[test]
fn each_header_must_be_there_but_the_kind_of_key() {
    let good = headers(NOW);
    assert_eq!(good.len(), 5);
    for at in 0..good.len() {
        let mut fewer = good.clone();
        let (name, _) = fewer.remove(at);
        let expected = match name {
            RECEIVER => Fault::WrongReceiver,
            name => Fault::MissingHeader(name),
        };
        assert_eq!(checked(&fewer, NOW), Err(expected));
    }
    for scheme in ["sr25519", "SR25519 ", "1"] {
        assert!(checked(&with(CRYPTO, scheme), NOW).is_ok(), "{scheme}");
    }
    for scheme in ["ed25519", "Ed25519", "0"] {
        let fault = checked(&with(CRYPTO, scheme), NOW);
        assert_eq!(fault, Err(Fault::UnsupportedScheme), "{scheme}");
    }
}

#[test]
fn a_header_of_another_form_is_malformed() {
    let hex = |digits: usize| "a".repeat(digits);
    let bad: [(&'static str, Vec<String>); 5] = [
        (VERSION, ["", "2", "01", "1.0"].map(str::to_owned).to_vec()),
        (
            HOTKEY,
            ["", "5F", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ"]
                .map(str::to_owned)
                .to_vec(),
        ),
        (
            NONCE,
            [
                "",
                "+1",
                "1790000000_000000000",
                " 1790000000000000000",
                "01790000000000000000",
                "1e18",
                "1.0",
                "-0",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        (CRYPTO, ["", "2", "ecdsa"].map(str::to_owned).to_vec()),
        (
            SIGNATURE,
            vec![
                String::new(),
                "0x".to_owned(),
                hex(127),
                hex(126),
                hex(130),
                format!("0X{}", hex(128)),
                format!("0x0x{}", hex(128)),
                format!("{}g", hex(127)),
            ],
        ),
    ];
    for (name, values) in bad {
        for value in values {
            let fault = checked(&with(name, &value), NOW).unwrap_err();
            assert_eq!(fault, Fault::MalformedHeader(name), "{value}");
            assert_eq!(fault.code(), "malformed_header");
        }
    }
}

#[test]
fn a_signature_may_do_without_0x() {
    let headers = headers(NOW);
    let signature = headers.iter().find(|(name, _)| *name == SIGNATURE).unwrap();
    let bare = signature.1.strip_prefix("0x").unwrap();
    assert!(checked(&with(SIGNATURE, bare), NOW).is_ok());
}

#[test]
fn of_several_faults_the_first_in_the_order_of_the_sdk_is_told() {
    let mut headers = with(SIGNATURE, "aa");
    let set = |headers: &mut Vec<(&'static str, String)>, name, value: &str| {
        headers.retain(|(other, _)| *other != name);
        headers.push((name, value.to_owned()));
    };
    set(&mut headers, HOTKEY, "5F");
    set(&mut headers, NONCE, "1");
    set(&mut headers, RECEIVER, alice().address());
    assert_eq!(checked(&headers, NOW), Err(Fault::WrongReceiver));
    set(&mut headers, RECEIVER, bob().address());
    assert_eq!(checked(&headers, NOW), Err(Fault::Stale));
    set(&mut headers, NONCE, &NOW.to_string());
    assert_eq!(checked(&headers, NOW), Err(Fault::MalformedHeader(HOTKEY)));
    set(&mut headers, HOTKEY, alice().address());
    assert_eq!(
        checked(&headers, NOW),
        Err(Fault::MalformedHeader(SIGNATURE))
    );
    set(&mut headers, SIGNATURE, &"a".repeat(128));
    assert_eq!(checked(&headers, NOW), Err(Fault::BadSignature));
}

#[test]
fn another_key_or_time_than_was_signed_is_refused() {
    for headers in [
        with(HOTKEY, bob().address()),
        with(NONCE, &(NOW + 1).to_string()),
        with(SIGNATURE, &"0".repeat(128)),
    ] {
        assert_eq!(checked(&headers, NOW), Err(Fault::BadSignature));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_is_accepted_and_any_single_change_is_refused(
        method in "[A-Z]{1,8}",
        path in "/[!-~]{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
        change in any::<u8>(),
        at in any::<prop::sample::Index>(),
    ) {
        let (alice, bob) = (alice(), bob());
        let headers = sign(&alice, &method, &path, &body, Some(bob.address()), NOW);
        let value = |name: &str| headers.iter().find(|(key, _)| *key == name);
        let header = |name: &str| value(name).map(|(_, v)| v.as_str());
        let receiver = bob.address();
        let signed = check(header, &method.to_lowercase(), &path, &body, receiver, NOW);
        prop_assert_eq!(signed.unwrap().hotkey, alice.address());

        let refused = Err(Fault::BadSignature);
        let other = format!("{method}X");
        prop_assert_eq!(check(header, &other, &path, &body, receiver, NOW), refused.clone());
        let other = format!("{path}/");
        prop_assert_eq!(check(header, &method, &other, &body, receiver, NOW), refused.clone());
        let mut other = body.clone();
        other.push(change);
        prop_assert_eq!(check(header, &method, &path, &other, receiver, NOW), refused.clone());
        if !body.is_empty() {
            let mut other = body.clone();
            other[at.index(body.len())] ^= change | 1;
            prop_assert_eq!(check(header, &method, &path, &other, receiver, NOW), refused.clone());
        }
        let one = alice.address();
        prop_assert_eq!(check(header, &method, &path, &body, one, NOW), Err(Fault::WrongReceiver));
        // One digit of the signature.
        let signature = header(SIGNATURE).unwrap();
        let at = 2 + at.index(128);
        let digit = if &signature[at..=at] == "0" { "1" } else { "0" };
        let other = format!("{}{digit}{}", &signature[..at], &signature[at + 1..]);
        let header = |name: &str| if name == SIGNATURE { Some(other.as_str()) } else { header(name) };
        prop_assert_eq!(check(header, &method, &path, &body, receiver, NOW), refused);
    }
}
