//! A load test of `POST /get_scoring_result`, the route that validators call:
//! the real binary with commits in its database, many connections, 100 commits a
//! request. With `--peer PYTHON` the replaced API's route (`tests/load/peer.py`)
//! is served by uvicorn from the same commits, and measured in turn with it.
//!
//! ```sh
//! cargo bench --workspace --bench load -- --peer /path/to/venv/bin/python
//! ```
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a load test that cannot be set up has nothing to measure"
)]

use clap::Parser;
use proctor_host::store::{
    EvaluationResult, Finalization, Intake, JobKey, Judged, Kept, Linked, NewEvent, Report,
    Settled, Store, ViewRow,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Options {
    /// Commits in the database.
    #[arg(long, default_value_t = 1_000)]
    commits: usize,
    /// Tasks that each was scored on.
    #[arg(long, default_value_t = 10)]
    tasks: usize,
    /// Commits in a request.
    #[arg(long, default_value_t = 100)]
    asked: usize,
    /// Connections at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// A Python with fastapi and uvicorn, to measure the peer's route as well.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

const CHALLENGE: &str = "load";
const DAY: &str = "2026-08-22";

fn main() {
    let options = Options::parse();
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(directory.path(), &options));
    let (_proctor, address) = proctor(directory.path());
    let bodies = bodies(&options);
    let peer = options
        .peer
        .as_ref()
        .map(|python| peer(python, directory.path(), address, &options));
    println!(
        "{} commits of {} tasks, {} a request, {} connections, {} s each",
        options.commits, options.tasks, options.asked, options.connections, options.seconds
    );
    for _ in 0..2 {
        measure("proctor", address, &bodies, &options);
        if let Some((_, peer)) = &peer {
            measure("peer", *peer, &bodies, &options);
        }
    }
}

fn encrypted(commit: usize) -> String {
    format!("gAAAAAB{commit:0>180}")
}

/// A database in which every commit is judged.
async fn fill(directory: &Path, options: &Options) {
    let neurons: Vec<Value> = (0..256_u16)
        .map(|uid| {
            json!({"uid": uid, "hotkey": format!("hotkey-{uid}"), "coldkey": "c", "axon_ip": null,
                "stake": 1.0, "validator_permit": false})
        })
        .collect();
    let metagraph = json!({"netuid": 61, "block": 1, "owner_hotkey": null, "neurons": neurons});
    std::fs::write(directory.join("metagraph.json"), metagraph.to_string()).unwrap();
    let store = Store::open(&directory.join("proctor.sqlite")).unwrap();
    let reports = (0..options.commits).map(|commit| Report {
        challenge: CHALLENGE.into(),
        miner_hotkey: format!("hotkey-{}", commit % 256),
        miner_uid: (commit % 256) as u16,
        encrypted_commit: encrypted(commit),
        claimed_at: Some(commit as f64 + 1.0),
        key: Some("k".repeat(44)),
    });
    let intake = Intake {
        view: ViewRow {
            validator_uid: 0,
            validator_hotkey: "hotkey-0".into(),
            document: br#"{"miner_commits": {}}"#.to_vec(),
            received_at: 1.0,
            heard: true,
            source: "file".into(),
        },
        reports: reports.collect(),
        faults: Vec::new(),
        request_ns: None,
        last_confirmed_at: None,
        backdate_tolerance_s: 0.0,
    };
    store
        .take_in(intake, |claims| claims[0].claimed_at)
        .await
        .unwrap();
    let log = json!({"task": "{}", "solution": "{}", "score": 0.5, "baseline_score": null,
        "error": null});
    let logs = json!(vec![log; options.tasks]).to_string();
    let comparison = |artifact: usize| {
        json!({"hotkey": "hotkey-1", "artifact": format!("r@sha256:{artifact:064}"), "score": 0.5,
            "logs": [{"reference": "", "similarity": 0.25, "reason": null}]})
    };
    let comparisons = json!((0..10).map(comparison).collect::<Vec<_>>()).to_string();
    let mut judged = Vec::new();
    for row in store.commits_of(CHALLENGE).await.unwrap() {
        let digest = format!("{:064}", row.id);
        let key = JobKey {
            challenge: CHALLENGE.into(),
            plugin_digest: "p".into(),
            settings_digest: "s".into(),
            artifact_digest: digest.clone(),
            engine: "e".into(),
        };
        let steps = async {
            store.enqueue(key, 1, 0.0, 0.0).await.unwrap();
            let job = store.lease("l".into(), 1.0).await.unwrap().unwrap();
            let result = EvaluationResult {
                outcome: "ok",
                done: true,
                message: None,
                solves: "{}".into(),
                logs: logs.clone(),
                fuel: 1,
                finished_at: 1.0,
                receipt: None,
                kept: Kept::default(),
            };
            store.finish_job(job.id, "l".into(), result).await.unwrap();
            let artifact = format!("registry/miner@sha256:{digest}");
            let text = format!("{CHALLENGE}---{artifact}");
            store
                .reveal(row.id, text, artifact, digest, DAY.into())
                .await
                .unwrap();
            let event = event("scored");
            let linked = Linked {
                commit: row.id,
                evaluation: job.id,
                event,
                notices: Vec::new(),
            };
            store.set_evaluated(linked).await.unwrap();
        };
        steps.await;
        judged.push(Judged {
            commit: row.id,
            score: 0.5,
            penalty: 0.25,
            accepted: true,
            reason: None,
            comparisons: comparisons.clone(),
            receipt: None,
        });
    }
    let finalization = Finalization {
        day: DAY.into(),
        challenge: CHALLENGE.into(),
        plugin_digest: "p".into(),
        settings_digest: "s".into(),
        engine: "e".into(),
        outcome: "ok".into(),
        message: None,
        standings: "[]".into(),
        weights: "[]".into(),
        results: "[]".into(),
        scheduled_at: 1.0,
    };
    let settled = Settled {
        receipt: None,
        kept: Kept::default(),
        leaves: None,
        finalization,
        judged,
        failed: Vec::new(),
        superseded: Vec::new(),
        event: event("finalized"),
        notices: Vec::new(),
    };
    assert!(store.settle(settled).await.unwrap());
}

fn event(kind: &'static str) -> NewEvent {
    NewEvent {
        at: 1.0,
        kind,
        challenge: CHALLENGE.into(),
        data: json!({}),
    }
}

/// Killed when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn proctor(directory: &Path) -> (Server, SocketAddr) {
    let plugins = directory.join("plugins");
    let mut child = Command::new(env!("CARGO_BIN_EXE_proctor"))
        .args(["serve", "--set", "public.listen=127.0.0.1:0"])
        .args([
            "--set",
            "admin.listen=127.0.0.1:0",
            "--set",
            "retention.days=0",
        ])
        .arg("--set")
        .arg(format!("plugins.dir={}", plugins.display()))
        .arg("--data-dir")
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line
        .strip_prefix("public http://")
        .unwrap()
        .parse()
        .unwrap();
    (Server(child), address)
}

/// The peer, with the commits as Proctor shows them.
fn peer(
    python: &Path,
    directory: &Path,
    proctor: SocketAddr,
    options: &Options,
) -> (Server, SocketAddr) {
    let all: Vec<String> = (0..options.commits).map(encrypted).collect();
    let mut connection = Connection::open(proctor);
    let body = connection.ask(&request(proctor, &all));
    let answer: Value = serde_json::from_slice(body).unwrap();
    let commits = answer["data"]["commits"].as_object().unwrap();
    let commits: Vec<&Value> = commits.values().collect();
    let file = directory.join("peer.json");
    std::fs::write(&file, json!(commits).to_string()).unwrap();
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/load");
    let child = Command::new(python)
        .args([
            "-m",
            "uvicorn",
            "--app-dir",
            directory,
            "--host",
            "127.0.0.1",
            "--port",
        ])
        .arg(address.port().to_string())
        .args(["--no-access-log", "--log-level", "warning", "peer:app"])
        .env("PEER_COMMITS", file)
        .spawn()
        .unwrap();
    let child = Server(child);
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the peer does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    (child, address)
}

fn request(address: SocketAddr, encrypted: &[String]) -> Vec<u8> {
    let body = json!({"challenge_name": CHALLENGE, "encrypted_commits": encrypted}).to_string();
    let length = body.len();
    format!(
        "POST /get_scoring_result HTTP/1.1\r\nhost: {address}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Lists of commits to ask for, each another part of all.
fn bodies(options: &Options) -> Vec<Vec<String>> {
    let list = |from: usize| {
        let commits = (0..options.asked).map(|n| encrypted((from + n * 7) % options.commits));
        commits.collect()
    };
    (0..64).map(|part| list(part * 13)).collect()
}

struct Connection {
    stream: BufReader<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream: BufReader::with_capacity(1 << 16, stream),
            answer: Vec::new(),
        }
    }

    /// The body of the answer, which must be 200.
    fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.get_mut().write_all(request).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer).unwrap();
        &self.answer
    }
}

fn measure(name: &str, address: SocketAddr, bodies: &[Vec<String>], options: &Options) {
    let requests: Vec<Vec<u8>> = bodies.iter().map(|body| request(address, body)).collect();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let end = start + Duration::from_secs(options.seconds);
    let mut took: Vec<Duration> = Vec::new();
    let mut bytes = 0;
    std::thread::scope(|scope| {
        let work = || {
            let mut connection = Connection::open(address);
            let (mut took, mut bytes) = (Vec::new(), 0);
            while Instant::now() < end {
                let request = &requests[next.fetch_add(1, Ordering::Relaxed) % requests.len()];
                let start = Instant::now();
                bytes += connection.ask(request).len();
                took.push(start.elapsed());
            }
            (took, bytes)
        };
        let workers: Vec<_> = (0..options.connections)
            .map(|_| scope.spawn(work))
            .collect();
        for worker in workers {
            let (durations, read) = worker.join().unwrap();
            took.extend(durations);
            bytes += read;
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "{name:>8}: {:>8.0} requests/s, {:>6.0} MB/s, p50 {:>8.2} ms, p99 {:>8.2} ms, max {:>8.2} ms",
        took.len() as f64 / seconds,
        bytes as f64 / seconds / 1e6,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
