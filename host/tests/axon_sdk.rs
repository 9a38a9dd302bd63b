//! What Proctor signs, before the Bittensor SDK's own checks: a real `Axon` of version
//! 10, and `http_auth.verify` of version 11, on loopback. See
//! `tests/fixtures/axon/README.md` for how to have the two.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    missing_docs
)]

use proctor_host::chain::dendrite::Axon;
use proctor_host::chain::{Hotkey, btauth, dendrite};
use proctor_host::clock::unix_now_ns;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The other side of the fixtures, in a process.
struct Sdk {
    process: Child,
    port: u16,
    /// Kept open: it logs what it refuses.
    _output: BufReader<ChildStdout>,
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// None if the variable does not name a Python with the SDK.
fn start(variable: &str) -> Option<Sdk> {
    let Some(python) = std::env::var_os(variable) else {
        eprintln!("SKIPPED: {variable} names no Python with the Bittensor SDK");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/axon/make.py");
    let mut process = Command::new(python)
        .arg(script)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap();
    Some(Sdk {
        process,
        port,
        _output: output,
    })
}

async fn post(
    url: String,
    headers: impl IntoIterator<Item = (impl AsRef<str>, String)>,
    body: Vec<u8>,
) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name.as_ref(), value);
    }
    let response = request.body(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn alice() -> Hotkey {
    Hotkey::from_uri("//Alice").unwrap()
}

fn bob() -> String {
    Hotkey::from_uri("//Bob").unwrap().address().to_owned()
}

/// Classes of the axon, what they hash, and bodies.
fn requests() -> Vec<(&'static str, &'static [&'static str], Value)> {
    let typed = &[
        "entries", "text", "whole", "fraction", "flag", "values", "anything", "timeout",
    ];
    let nested = json!({
        "it's": "a \"quote\"", "both": "'\"", "lines": "a\nb\r\t\\\u{0}\u{7f}\u{a0}",
        "unicode": "é漢😀\u{301}\u{200b}\u{2028}\u{10ffff}", "floats": [1.0, -0.0, 1e-5, 1e22],
        "": [null, true, {"x": [u64::MAX, i64::MIN]}],
    });
    vec![
        (
            "Completion",
            &["prompt", "count"],
            json!({"prompt": "hello", "count": 2, "completion": null}),
        ),
        (
            "Completion",
            &["prompt", "count"],
            json!({"prompt": "it's\n\"é漢😀\" ".repeat(2_000), "count": 1}),
        ),
        (
            "Typed",
            typed,
            json!({"text": "", "whole": -1, "fraction": 1.0, "flag": false, "values": [nested],
                "entries": nested, "anything": nested}),
        ),
        (
            "Typed",
            typed,
            json!({"text": "'", "whole": 7, "fraction": 1e-7, "flag": true, "values": [],
                "entries": {}, "anything": null}),
        ),
        ("Unhashed", &[], json!({"payload": {"a": [1]}})),
        ("Unhashed", &[], json!({})),
    ]
}

#[tokio::test]
async fn a_real_axon_takes_what_is_signed_and_nothing_else() {
    let Some(sdk) = start("PROCTOR_TEST_SDK_10") else {
        return;
    };
    let axon = Axon {
        hotkey: bob(),
        ip: [127, 0, 0, 1].into(),
        port: sdk.port,
    };
    let signed = |axon: &Axon, name, hash_fields: &[&str], body: &Value, nonce_ns| {
        let hash_fields: Vec<String> = hash_fields.iter().map(|f| (*f).to_owned()).collect();
        let body = body.as_object().unwrap();
        dendrite::sign(
            &alice(),
            axon,
            name,
            12.0,
            body,
            &hash_fields,
            "u",
            nonce_ns,
        )
    };
    let url = |name: &str| format!("http://127.0.0.1:{}/{name}", sdk.port);
    for (name, hash_fields, fields) in requests() {
        let (headers, body) = signed(&axon, name, hash_fields, &fields, unix_now_ns());
        let (status, text) = post(url(name), headers.clone(), body.clone()).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        for (field, value) in fields.as_object().unwrap() {
            if field != "completion" {
                assert_eq!(answer[field], *value, "{field}");
            }
        }
        let (status, text) = post(url(name), headers, body).await;
        assert_eq!((status, text.contains("Nonce")), (401, true), "{text}");
    }

    let (name, hash_fields, fields) = requests().remove(0);
    let (headers, body) = signed(&axon, name, hash_fields, &fields, unix_now_ns());
    let (_, text) = post(url(name), headers, body).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["completion"], "HELLOHELLO");

    let other = Axon {
        hotkey: alice().address().to_owned(),
        ..axon.clone()
    };
    let (headers, body) = signed(&other, name, hash_fields, &fields, unix_now_ns());
    let (status, text) = post(url(name), headers, body).await;
    assert_eq!(
        (status, text.contains("Signature mismatch")),
        (401, true),
        "{text}"
    );

    let (headers, body) = signed(&axon, name, hash_fields, &fields, unix_now_ns());
    let changed = String::from_utf8(body).unwrap().replace("hello", "other");
    let (status, text) = post(url(name), headers, changed.into_bytes()).await;
    assert_ne!(status, 200, "{text}");
    assert!(!text.contains("completion"), "{text}");
}

#[tokio::test]
async fn the_sdks_verify_takes_what_is_signed_and_nothing_else() {
    let Some(sdk) = start("PROCTOR_TEST_SDK_11") else {
        return;
    };
    let path = "/generate?n=1&text=%20a";
    let url = || format!("http://127.0.0.1:{}{path}", sdk.port);
    let body = br#"{"prompt": "hello"}"#;
    let signed = |receiver: Option<&str>, nonce_ns| {
        btauth::sign(&alice(), "POST", path, body, receiver, nonce_ns)
    };
    let bob = bob();
    let headers = signed(Some(&bob), unix_now_ns());
    let told = |status, text: &str| (status, text.to_owned());
    let seen = post(url(), headers.clone(), body.to_vec()).await;
    assert_eq!(seen, told(200, alice().address()));
    let seen = post(url(), headers, body.to_vec()).await;
    assert_eq!(seen, told(401, "ReplayedRequest"));
    let seen = post(url(), signed(Some(&bob), unix_now_ns()), b"{}".to_vec()).await;
    assert_eq!(seen, told(401, "BadSignature"));
    for receiver in [None, Some(alice().address())] {
        let headers = signed(receiver, unix_now_ns());
        let seen = post(url(), headers, body.to_vec()).await;
        assert_eq!(seen, told(401, "WrongReceiver"));
    }
    for nonce_ns in [
        unix_now_ns() - 11_000_000_000,
        unix_now_ns() + 4_000_000_000,
    ] {
        let seen = post(url(), signed(Some(&bob), nonce_ns), body.to_vec()).await;
        assert_eq!(seen, told(401, "StaleRequest"));
    }
}
