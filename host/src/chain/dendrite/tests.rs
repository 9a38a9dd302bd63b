#![allow(clippy::indexing_slicing)]

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

const SDK: &str = include_str!("../../../../tests/fixtures/axon/dendrite.json");
const NOW: u64 = 1_790_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;
const ID: &str = "5ecbd69c-1cec-11ee-b0dc-e29ce36fec1a";

#[derive(Deserialize)]
struct Sdk {
    now_ns: u64,
    uuid: String,
    port: u16,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
    hash_fields: Vec<String>,
    required: Vec<String>,
    fields: Map<String, Value>,
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

fn axon() -> Axon {
    Axon {
        hotkey: bob().address().to_owned(),
        ip: [127, 0, 0, 1].into(),
        port: 8_091,
    }
}

fn fields() -> Map<String, Value> {
    let fields = json!({"prompt": "it's", "count": 3, "rest": [1.0, null]});
    fields.as_object().unwrap().clone()
}

fn hash_fields() -> Vec<String> {
    ["prompt", "count"].map(str::to_owned).to_vec()
}

type Headers = BTreeMap<String, String>;

/// A request of Alice to Bob that waits for 12 s.
fn signed() -> (Headers, Vec<u8>) {
    let hash_fields = hash_fields();
    let (headers, body) = sign(
        &alice(),
        &axon(),
        "Completion",
        12.0,
        &fields(),
        &hash_fields,
        ID,
        NOW,
    );
    (headers.into_iter().collect(), body)
}

fn checked(headers: &Headers, body: &[u8], now_ns: u64) -> Result<Signed, Fault> {
    let header = |name: &str| headers.get(name).map(String::as_str);
    check(header, body, &hash_fields(), bob().address(), now_ns)
}

fn refused_with(name: &str, value: &str) -> Fault {
    let (mut headers, body) = signed();
    headers.insert(name.to_owned(), value.to_owned());
    checked(&headers, &body, NOW).unwrap_err()
}

#[test]
fn what_a_dendrite_sends_is_accepted() {
    let sdk = sdk();
    assert_eq!(sdk.requests.len(), 8);
    for (n, request) in (0..).zip(&sdk.requests) {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let body = request.body.as_bytes();
        let seen = check(
            header,
            body,
            &request.hash_fields,
            bob().address(),
            sdk.now_ns,
        );
        let nonce = sdk.now_ns + n;
        let expected = Signed {
            hotkey: alice().address().to_owned(),
            nonce: format!("{nonce}.{}", sdk.uuid),
            timeout_s: Some(header(TIMEOUT).unwrap().parse().unwrap()),
        };
        assert_eq!(seen, Ok(expected), "{}", request.body);
    }
}

#[test]
fn a_request_is_what_a_dendrite_sends() {
    let sdk = sdk();
    for (nonce, request) in (sdk.now_ns..).zip(&sdk.requests) {
        let timeout_s = request.headers[TIMEOUT].parse().unwrap();
        let name = request.path.strip_prefix('/').unwrap();
        let axon = Axon {
            port: sdk.port,
            ..axon()
        };
        let (own, body) = sign(
            &alice(),
            &axon,
            name,
            timeout_s,
            &request.fields,
            &request.hash_fields,
            &sdk.uuid,
            nonce,
        );
        let own: Headers = own.into_iter().collect();
        for (name, value) in &request.headers {
            let field = name.strip_prefix("bt_header_input_obj_");
            match (name.as_str(), field) {
                // Nobody asks an axon for these.
                ("bt_header_dendrite_ip", _) => assert_eq!(own.get(name), None),
                (SIGNATURE | "header_size" | "total_size", _) => assert!(own.contains_key(name)),
                (_, Some(_)) => assert!(own.contains_key(name), "{name}"),
                _ => assert_eq!(own[name], *value, "{name}"),
            }
        }
        for field in &request.required {
            let name = format!("bt_header_input_obj_{field}");
            assert!(request.headers.contains_key(&name));
        }
        let [mut own, mut theirs] = [body, request.body.clone().into_bytes()]
            .map(|body| serde_json::from_slice::<Value>(&body).unwrap());
        for body in [&mut own, &mut theirs] {
            body["dendrite"]["signature"] = Value::Null;
            body["dendrite"]["ip"] = Value::Null;
            body["total_size"] = Value::Null;
        }
        assert_eq!(own, theirs);
        // The order of the fields as well.
        assert_eq!(own.to_string(), theirs.to_string());
    }
}

#[test]
fn values_of_fields_are_in_the_headers_if_they_are_short_and_else_empty_ones() {
    let long = "x".repeat(300);
    let fields = json!({
        "Text": "é", "long": long, "list": [long], "object": {"a": long}, "number": 0.5,
        "none": null, "flag": true, "not a name\n": 1,
    });
    let fields = fields.as_object().unwrap();
    let (headers, _) = sign(&alice(), &axon(), "A", 1.0, fields, &[], ID, NOW);
    let of = |name: &str| {
        let name = format!("bt_header_input_obj_{name}");
        let found = headers.iter().find(|(other, _)| *other == name)?;
        Some(String::from_utf8(STANDARD.decode(&found.1).unwrap()).unwrap())
    };
    assert_eq!(of("text").unwrap(), r#""\u00e9""#);
    assert_eq!(of("long").unwrap(), r#""""#);
    assert_eq!(of("list").unwrap(), "[]");
    assert_eq!(of("object").unwrap(), "{}");
    assert_eq!(of("number").unwrap(), "0.5");
    assert_eq!(of("flag").unwrap(), "true");
    assert_eq!(of("none"), None);
    assert!(headers.iter().all(|(name, _)| !name.contains("not")));
}

#[test]
fn headers_of_many_fields_are_bounded() {
    let fields = (0..5_000).map(|n| (format!("f{n}"), json!("x".repeat(200))));
    let fields: Map<String, Value> = fields.collect();
    let (headers, body) = sign(&alice(), &axon(), "A", 1.0, &fields, &[], ID, NOW);
    let bytes: usize = headers.iter().map(|(k, v)| k.len() + v.len()).sum();
    assert!((10_000..20_000).contains(&bytes), "{bytes}");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["f4999"], fields["f4999"]);
}

#[test]
fn fields_that_every_request_has_are_not_the_callers() {
    let fields = json!({"timeout": 9, "name": "x", "axon": {}, "dendrite": 1, "a": 2});
    let fields = fields.as_object().unwrap();
    let hash_fields = ["timeout".to_owned(), "name".to_owned()];
    let (headers, body) = sign(&alice(), &axon(), "A", 1.5, fields, &hash_fields, ID, NOW);
    let headers: Headers = headers.into_iter().collect();
    let header = |name: &str| headers.get(name).map(String::as_str);
    let seen = check(header, &body, &hash_fields, bob().address(), NOW).unwrap();
    assert_eq!(seen.timeout_s, Some(1.5));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["timeout"], &body["a"]), (&json!(1.5), &json!(2)));
    assert_eq!(body["dendrite"]["hotkey"], alice().address());
}

#[test]
fn a_request_is_fresh_for_4_s_and_as_long_as_the_sender_waits() {
    let (mut headers, body) = signed();
    // The limit itself is past, as for an axon. Near it floats count, of 256 ns each.
    let allowed = MAX_AGE_NS + 12 * SECOND;
    for near in [allowed - 512, 0] {
        assert!(checked(&headers, &body, NOW + near).is_ok(), "{near}");
        assert!(checked(&headers, &body, NOW - near).is_ok(), "{near}");
    }
    for far in [allowed, allowed + 512, NOW] {
        assert_eq!(
            checked(&headers, &body, NOW + far),
            Err(Fault::Stale),
            "{far}"
        );
        assert_eq!(
            checked(&headers, &body, NOW - far),
            Err(Fault::Stale),
            "{far}"
        );
    }
    for none in [Some("0.0"), None] {
        match none {
            Some(none) => headers.insert(TIMEOUT.to_owned(), none.to_owned()),
            None => headers.remove(TIMEOUT),
        };
        let seen = checked(&headers, &body, NOW + MAX_AGE_NS - 1).unwrap();
        assert_eq!(seen.timeout_s, none.map(|_| 0.0));
        let past = checked(&headers, &body, NOW + MAX_AGE_NS);
        assert_eq!(past, Err(Fault::Stale));
        assert!(checked(&headers, &body, NOW - MAX_AGE_NS + 1).is_ok());
        let ahead = checked(&headers, &body, NOW - MAX_AGE_NS);
        assert_eq!(ahead, Err(Fault::Stale));
    }
}

#[test]
fn a_long_wait_that_nobody_signed_does_not_make_an_old_request_fresh() {
    let (mut headers, body) = signed();
    headers.insert(TIMEOUT.to_owned(), "1e300".to_owned());
    let limit = MAX_AGE_NS + 600 * SECOND;
    assert!(checked(&headers, &body, NOW + limit - 512).is_ok());
    let past = checked(&headers, &body, NOW + limit);
    assert_eq!(past, Err(Fault::Stale));
}

#[test]
fn each_header_that_is_signed_must_be_there() {
    for name in [NONCE, HOTKEY, UUID, SIGNATURE, BODY_HASH] {
        let (mut headers, body) = signed();
        headers.remove(name).unwrap();
        let fault = checked(&headers, &body, NOW).unwrap_err();
        assert_eq!(fault, Fault::MissingHeader(name));
        assert_eq!(fault.code(), "missing_header");
    }
    // An axon does not look at any other.
    let (mut headers, body) = signed();
    headers.retain(|name, _| [NONCE, HOTKEY, UUID, SIGNATURE, BODY_HASH].contains(&name.as_str()));
    assert_eq!(checked(&headers, &body, NOW).unwrap().timeout_s, None);
}

#[test]
fn a_header_of_another_form_is_malformed() {
    let hex = |digits: usize| "a".repeat(digits);
    let long = "u".repeat(MAX_UUID + 1);
    let bad: [(&str, &[&str]); 5] = [
        (
            NONCE,
            &[
                "",
                "-1",
                "+1",
                "01",
                " 1",
                "1_0",
                "1.5",
                "18446744073709551616",
            ],
        ),
        (HOTKEY, &["", "5F", "None"]),
        (UUID, &["", "a b", "é", "a\tb", &long]),
        (
            SIGNATURE,
            &[
                "",
                "0x",
                &hex(128),
                &format!("0x{}", hex(127)),
                &format!("0x{}", hex(130)),
            ],
        ),
        (TIMEOUT, &["", "None", "-1.0", "nan", "inf", "12s", " 1"]),
    ];
    for (name, values) in bad {
        for value in values {
            let fault = refused_with(name, value);
            assert_eq!(fault.code(), "malformed_header", "{name}: {value}");
            assert!(fault.to_string().contains(name), "{fault}");
        }
    }
}

#[test]
fn what_was_signed_cannot_be_changed() {
    for (name, value) in [
        (NONCE, (NOW + 1).to_string()),
        (HOTKEY, bob().address().to_owned()),
        (UUID, format!("{ID}0")),
        (SIGNATURE, format!("0x{}", "0".repeat(128))),
        (BODY_HASH, "0".repeat(64)),
        (BODY_HASH, String::new()),
    ] {
        assert_eq!(refused_with(name, &value), Fault::BadSignature, "{name}");
    }
    assert_eq!(
        refused_with(RECEIVER, alice().address()),
        Fault::WrongReceiver
    );
    // For another, who is not named.
    let (mut headers, body) = signed();
    headers.remove(RECEIVER);
    let header = |name: &str| headers.get(name).map(String::as_str);
    let seen = check(header, &body, &hash_fields(), alice().address(), NOW);
    assert_eq!(seen, Err(Fault::BadSignature));
}

#[test]
fn a_body_with_other_values_of_hashed_fields_is_refused() {
    let (headers, body) = signed();
    let body = String::from_utf8(body).unwrap();
    let with = |from: &str, to: &str| {
        assert!(body.contains(from));
        checked(&headers, body.replace(from, to).as_bytes(), NOW)
    };
    for (from, to) in [
        (r#""prompt":"it's""#, r#""prompt":"it""#),
        (r#""prompt":"it's""#, r#""prompt":["it's"]"#),
        (r#""prompt":"it's""#, r#""other":"it's""#),
        (r#""count":3"#, r#""count":3.0"#),
        (r#""count":3"#, r#""count":3,"count":4"#),
    ] {
        assert_eq!(with(from, to), Err(Fault::HashMismatch), "{to}");
    }
    // Of what is not hashed nothing is signed.
    assert!(with(r#""rest":[1.0,null]"#, r#""rest":{}"#).is_ok());
    for body in [
        "",
        "[]",
        "null",
        "{",
        "\"a\"",
        r#"{"a":NaN}"#,
        r#"{"a":"\ud800"}"#,
    ] {
        let fault = checked(&headers, body.as_bytes(), NOW);
        assert_eq!(fault, Err(Fault::MalformedBody), "{body}");
    }
}

#[test]
fn a_replay_has_the_same_nonce_and_another_process_with_the_key_another() {
    let (headers, body) = signed();
    let first = checked(&headers, &body, NOW).unwrap();
    assert_eq!(first.nonce, format!("{NOW}.{ID}"));
    let mut again = headers;
    again.insert(TIMEOUT.to_owned(), "13.0".to_owned());
    assert_eq!(
        checked(&again, &body, NOW + SECOND).unwrap().nonce,
        first.nonce
    );
    let (headers, body) = sign(
        &alice(),
        &axon(),
        "Completion",
        12.0,
        &fields(),
        &hash_fields(),
        "other",
        NOW,
    );
    let other = checked(&headers.into_iter().collect(), &body, NOW).unwrap();
    assert_eq!(other.nonce, format!("{NOW}.other"));
}

#[test]
fn the_hash_of_no_fields_is_that_of_nothing() {
    let nothing = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a";
    assert_eq!(body_hash(&fields(), &[]), nothing);
    let one = ["missing".to_owned()];
    let none = body_hash(&fields(), &one);
    assert_ne!(none, nothing);
    let explicit = json!({"missing": null});
    assert_eq!(body_hash(explicit.as_object().unwrap(), &one), none);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| json!(float)),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z']{0,3}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_is_accepted_and_any_single_change_is_refused(
        value in any_value(),
        other in any_value(),
        uuid in "[!-~]{1,40}",
        timeout_s in 0.0..1e4,
        at in any::<prop::sample::Index>(),
    ) {
        let fields = json!({"value": value});
        let fields = fields.as_object().unwrap();
        let hash_fields = ["value".to_owned()];
        let (alice, bob) = (alice(), bob());
        let (headers, body) =
            sign(&alice, &axon(), "Any", timeout_s, fields, &hash_fields, &uuid, NOW);
        let headers: Headers = headers.into_iter().collect();
        let checked = |headers: &Headers, body: &[u8]| {
            let header = |name: &str| headers.get(name).map(String::as_str);
            check(header, body, &hash_fields, bob.address(), NOW)
        };
        let seen = checked(&headers, &body).unwrap();
        prop_assert_eq!(seen.hotkey, alice.address());
        prop_assert_eq!(seen.timeout_s, Some(timeout_s));

        let mut changed: Map<String, Value> = serde_json::from_slice(&body).unwrap();
        changed.insert("value".to_owned(), other.clone());
        let same = python_str::python_str(&value) == python_str::python_str(&other);
        let changed = Value::Object(changed).to_string();
        prop_assert_eq!(checked(&headers, changed.as_bytes()).is_ok(), same);

        // One character of each header that is signed.
        for name in [NONCE, UUID, SIGNATURE, BODY_HASH, HOTKEY] {
            let mut changed = headers.clone();
            let value = changed.get_mut(name).unwrap();
            let at = at.index(value.len());
            let digit = if &value[at..=at] == "1" { "2" } else { "1" };
            value.replace_range(at..=at, digit);
            prop_assert!(checked(&changed, &body).is_err(), "{}", name);
        }
    }
}
