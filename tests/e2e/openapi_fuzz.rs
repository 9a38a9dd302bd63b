//! Both OpenAPI documents against the host that serves them: requests are made from
//! the schemas, well-formed ones and others, and what is answered must be what the
//! document says. The same requests in each run.

mod input;
mod output;

use crate::commits::{Commit, all_revealed};
use crate::routes::{Signed, register};
use crate::support::{Server, World, connect, until};
use input::{Chance, Known, Request};
use proctor_host::chain::Hotkey;
use proctor_testing::guest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};

/// Requests of each operation.
const ROUNDS: u64 = 36;

/// An answer, whatever its body is.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// One request. Of an answer that never ends only the head is read.
fn exchange(address: &str, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(address);
    // It may be refused before all of it is read.
    let _ = stream.write_all(bytes);
    let (mut answer, mut piece) = (Vec::new(), [0; 16 << 10]);
    let end = loop {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            break end;
        }
        match stream.read(&mut piece) {
            Ok(length @ 1..) => answer.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    };
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let kind = headers.get("content-type").map_or("", String::as_str);
    let mut body = answer.split_off(end + 4);
    if kind.starts_with("text/event-stream") || bytes.starts_with(b"HEAD ") {
        body.clear();
    } else if let Some(length) = headers.get("content-length") {
        let length: usize = length.parse().unwrap();
        while body.len() < length {
            match stream.read(&mut piece) {
                Ok(read @ 1..) => body.extend_from_slice(&piece[..read]),
                _ => return None,
            }
        }
    } else {
        let _ = stream.read_to_end(&mut body);
    }
    Some(Answer {
        status,
        headers,
        body,
    })
}

/// A listener and its document.
struct Target {
    name: &'static str,
    address: String,
    token: Option<String>,
    document: Value,
}

impl Target {
    fn new(name: &'static str, address: &str, token: Option<String>) -> Self {
        let request = format!("GET /openapi.json HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let answer = exchange(address, request.as_bytes()).unwrap();
        assert_eq!(answer.status, 200);
        Target {
            name,
            address: address.to_owned(),
            token,
            document: serde_json::from_slice(&answer.body).unwrap(),
        }
    }

    /// Path, method and operation; those that end what others need come last.
    fn operations(&self) -> Vec<(&str, &str, &Value)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let mut operations: Vec<(&str, &str, &Value)> = paths
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().iter();
                methods.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
            })
            .collect();
        operations.sort_by_key(|(path, method, _)| {
            let ends = ["/disable", "/deactivate"];
            (
                *method == "delete",
                ends.iter().any(|end| path.ends_with(end)),
            )
        });
        operations
    }

    /// Asks each operation, and adds what is not as the document says.
    fn fuzz(&self, known: &Known, found: &mut Found) {
        for (path, method, operation) in self.operations() {
            // Of the name, so that a new route leaves the others as they were.
            let mut chance = Chance::new(&format!("{method} {path}"));
            let document = &self.document;
            let mut done = false;
            for round in 0..ROUNDS {
                let request =
                    Request::make(document, path, method, operation, known, round, &mut chance);
                let (asked, answer) = self.ask(&request);
                found.asked += 1;
                let faults = match answer {
                    Some(answer) => {
                        done |= answer.status < 300;
                        output::faults(document, operation, &answer)
                    }
                    None => vec!["it is not answered".to_owned()],
                };
                let name = self.name;
                let faults = faults.into_iter();
                let faults = faults.map(|f| format!("{name} {method} {path}: {f}\n{asked}\n"));
                found.faults.extend(faults);
            }
            // Signatures are not made here.
            let signed = self.token.is_none() && operation["responses"]["401"].is_object();
            if !done && !signed {
                found.never_done.push(format!("{method} {path}"));
            }
            let taken = document["paths"][path].as_object().unwrap();
            for other in ["TRACE", "PROPFIND", "PUT", "POST", "get"] {
                if taken.contains_key(&other.to_lowercase()) {
                    continue;
                }
                let request = Request::plain(other, &path.replace(['{', '}'], ""));
                let (asked, answer) = self.ask(&request);
                found.asked += 1;
                let status = answer.map(|answer| answer.status);
                if !matches!(status, Some(404 | 405)) {
                    found
                        .faults
                        .push(format!("{}: {status:?}\n{asked}\n", self.name));
                }
            }
        }
    }

    /// What is sent, and what is answered.
    fn ask(&self, request: &Request) -> (String, Option<Answer>) {
        let bytes = request.bytes(&self.address, self.token.as_deref());
        let asked = String::from_utf8_lossy(&bytes);
        let asked = asked.chars().take(600).collect();
        (asked, exchange(&self.address, &bytes))
    }
}

#[derive(Default)]
struct Found {
    asked: u64,
    /// What is not as the document says.
    faults: Vec<String>,
    /// Operations that never did what they are for.
    never_done: Vec<String>,
}

/// Operations that want what is not made here: a chain, a signature, a component that no
/// record has, or that one had before, or that is in no folder.
const BEYOND: [&str; 5] = [
    "post /v1/admin/challenges",
    "post /v1/admin/challenges/{slug}/rollback",
    "delete /v1/admin/challenges/{slug}",
    "get /v1/admin/weights/submissions/{id}",
    "post /v1/admin/components/{digest}/signatures",
];

#[test]
fn both_listeners_answer_whatever_they_are_asked_as_their_documents_say() {
    let world = World::new().with_digits();
    let knn = world.add_artifact("knn");
    let commits = [Commit::new(3, &knn, 30.0)];
    world.ingest(0, &all_revealed(&commits));
    let mut server = world.serve(&[]);
    server.wait_for("finalized");
    server.stop();
    // What the configuration sets is not changed over HTTP.
    let config = fs::read_to_string(world.config()).unwrap();
    let (config, _) = config.split_once("[challenges.digits]").unwrap();
    fs::write(world.config(), config).unwrap();
    fs::copy(
        guest("organic_challenge"),
        world.plugins().join("organic.wasm"),
    )
    .unwrap();
    let caller = register(&world, 5, "//Caller");
    let mut server = world.serve(&["registry.private_hosts=['127.0.0.1:1']"]);
    for _ in 0..2 {
        server.wait_for("plugin active");
    }
    let known = prepare(&world, &server, &commits[0], knn, &caller);
    let mut found = Found::default();
    Target::new("public", &server.public, None).fuzz(&known, &mut found);
    Target::new("admin", &server.admin, Some(server.token())).fuzz(&known, &mut found);
    assert!(
        found.faults.is_empty(),
        "{} of {} requests:\n{}",
        found.faults.len(),
        found.asked,
        found.faults.join("\n")
    );
    // Else nothing was shown.
    assert!(found.asked > 1_000, "{}", found.asked);
    found
        .never_done
        .retain(|operation| !BEYOND.contains(&operation.as_str()));
    assert_eq!(found.never_done, [""; 0], "never done");
    // It goes on.
    until("ready", || server.get("/readyz").status == 200);
    let log = server.stop();
    let panicked = log.iter().find(|event| event.message.contains("panicked"));
    assert!(panicked.is_none(), "{panicked:?}");
}

/// Makes what there is to be asked for.
fn prepare(
    world: &World,
    server: &Server,
    commit: &Commit,
    digest: String,
    caller: &Hotkey,
) -> Known {
    let admin = |method: &str, path: &str, body: Value| {
        let answer = server.admin(method, path, Some(&body), &[]);
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    };
    let digits = "/v1/admin/challenges/digits";
    let record = admin("PATCH", digits, json!({ "secrets": ["API_KEY"] }));
    let server_ = json!({ "id": "gpu-1", "base_url": "http://127.0.0.1:1", "token": "t0ken" });
    admin("POST", "/v1/admin/gpu-servers", server_);
    admin(
        "POST",
        &format!("{digits}/rotate-token"),
        json!({ "overlap_s": 86_400 }),
    );
    let record_ = server.admin_get(digits).json();
    let (entry, iteration) = failed_entry(world, server, caller);
    let receipts = server.get("/v1/days/2026-08-22/receipts").json();
    let day = server.get("/v1/days/2026-08-22").json();
    Known {
        leaves: day["head"]["head"]["size"].as_u64().unwrap(),
        receipt: receipts["receipts"][0]["id"].as_str().unwrap().to_owned(),
        challenge: "digits".to_owned(),
        hotkey: commit.hotkey.clone(),
        day: "2026-08-22".to_owned(),
        sha256: hex::encode(Sha256::digest(&commit.encrypted)),
        encrypted: commit.encrypted.clone(),
        digest,
        component: record["digest"].as_str().unwrap().to_owned(),
        gpu_server: "gpu-1".to_owned(),
        secret: "API_KEY".to_owned(),
        token: record_["tokens"][0]["id"].as_u64().unwrap(),
        entry,
        iteration,
    }
}

/// An organic entry that cannot be worked with, and the iteration that said so.
fn failed_entry(world: &World, server: &Server, caller: &Hotkey) -> (String, i64) {
    let body = json!({ "x": 1, "fail": "invalid-submission" }).to_string();
    let signed = Signed {
        challenge: "organic",
        method: "POST",
        path: "/v1/organic/organic",
        nonce: "n1",
        at: world.now(),
        body: body.as_bytes(),
    };
    let answer = signed.send(server, &signed.headers(caller));
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/organic/organic/entries/{id}");
    let entry = || server.get(&path).json();
    until("the entry failed", || entry()["state"] == "failed");
    (id, entry()["iteration"].as_i64().unwrap())
}
