//! Submissions that are no components: a service runs them, asked over HTTP.

use crate::commits::{Commit, all_revealed};
use crate::receipts;
use crate::stored;
use crate::support::World;
use digits_solvers::{Knn, Task};
use proctor_sdk::Solver;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A service on this machine that answers as it is told to: with a status and a body,
/// to the request of this number.
struct Service {
    address: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Service {
    fn start(answer: impl Fn(usize, &Value) -> (u16, Value) + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<Value>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming() {
                serve(&connection.unwrap(), &log, &answer);
            }
        });
        Service { address, asked }
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }

    /// A host whose challenge has its submissions run here.
    fn world(&self) -> World {
        let more = format!(
            "runner = {{ kind = 'http', url = 'http://{}/digits' }}
[registry]
private_hosts = ['127.0.0.1']",
            self.address
        );
        World::new().with_digits().configured(&more)
    }
}

/// Answers one request, and hangs up.
fn serve(
    mut connection: &TcpStream,
    log: &Mutex<Vec<Value>>,
    answer: &impl Fn(usize, &Value) -> (u16, Value),
) {
    let mut reader = BufReader::new(connection);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    assert_eq!(first, "POST /digits/solve HTTP/1.1\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(body.clone());
        log.len()
    };
    let (status, text) = answer(number, &body);
    let text = text.to_string();
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: ");
    write!(connection, "{head}{}\r\n\r\n{text}", text.len()).unwrap();
}

fn knn(asked: &Value) -> Value {
    let task: Task = serde_json::from_value(asked["task"].clone()).unwrap();
    json!(Knn::solve(task).unwrap())
}

#[test]
fn a_service_runs_what_the_host_does_not_have() {
    // At first it is not up.
    let service = Service::start(|number, asked| match number {
        1 => (503, json!({"error": {"code": "trap"}})),
        _ => (200, json!({"solution": knn(asked)})),
    });
    let world = service.world();
    let digest = "ab".repeat(32);
    let reference = format!("ghcr.io/miner/solver:1@sha256:{digest}");
    let first = Commit::of_text(3, &format!("digits---{reference}"), 30.0);
    // Who copies it does not choose where it is pulled from.
    let copy = format!("digits---copy.example.com/x@sha256:{digest}");
    let copy = Commit::of_text(4, &copy, 29.0);
    world.ingest(0, &all_revealed([&copy, &first]));

    let mut server = world.serve(&["scoring.retry_s=8"]);
    let put_back = server.wait_for("evaluation put back");
    assert_eq!(put_back.text("outcome"), "unavailable");
    assert!(put_back.text("reason").contains("503"), "{put_back:?}");
    world.pass(put_back.field("retry_in_s").as_f64().unwrap());
    let judged = server.wait_for("judged");
    assert_eq!(judged.text("hotkey"), first.hotkey);
    assert!(judged.field("score").as_f64().unwrap() > 0.5, "{judged:?}");
    server.wait_for("challenge finalized");
    server.stop();

    let asked = service.asked();
    // The first attempt, and two tasks.
    assert_eq!(asked.len(), 3);
    for asked in &asked {
        assert_eq!(asked["challenge"], "digits");
        assert_eq!(asked["artifact"], reference);
        assert_eq!(asked["artifact_digest"], format!("sha256:{digest}"));
        assert!(asked["deadline_ms"].as_u64().unwrap() > 0);
    }
    // The seed belongs to the day, so it is the same at each attempt.
    assert_eq!(asked[0]["seed"], asked[1]["seed"]);
    assert_eq!(asked[0]["task"], asked[1]["task"]);
    // Nobody takes it for a result of the sandbox.
    let remote = "SELECT count(*) = 1 AND min(engine LIKE '%+runner.http.%') FROM evaluations";
    assert!(stored::value::<bool>(&world, remote));
    // What it answered is recorded, and nobody can have it answered again.
    let bundle = receipts::export(&world, "2026-08-22", &["--artifacts"]);
    let ran = receipts::verify(bundle.to_str().unwrap(), &[]);
    assert_eq!(ran.status.code(), Some(3), "{}", ran.stderr);
    let kinds = ran.json()["receipts"].clone();
    assert_eq!(kinds["evaluate"]["differs"], 0, "{kinds:#}");
    assert_eq!(kinds["evaluate"]["not_checkable"], 1, "{kinds:#}");
    assert_eq!(kinds["judge"]["verified"], 2, "{kinds:#}");
}

#[test]
fn what_the_service_says_of_a_submission_costs_it_the_task() {
    let service = Service::start(|number, asked| match number {
        1 => {
            let error = json!({"code": "out_of_memory", "message": "8 GiB"});
            (422, json!({ "error": error }))
        }
        _ => (200, json!({"solution": knn(asked)})),
    });
    let world = service.world();
    let reference = format!("digits---ghcr.io/miner/solver@sha256:{}", "ab".repeat(32));
    let commit = Commit::of_text(3, &reference, 30.0);
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    let judged = server.wait_for("judged");
    let score = judged.field("score").as_f64().unwrap();
    assert!(score > 0.2 && score < 0.6, "one of two tasks: {score}");
    server.stop();
    let solves = "SELECT solves = '{\"ok\":1,\"out_of_memory\":1}' FROM evaluations";
    assert!(stored::value::<bool>(&world, solves));
    assert_eq!(service.asked().len(), 2);
}
