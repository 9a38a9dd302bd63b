//! What runs is swapped while it is asked.

use crate::registry::{operate, patch, runtime, serve, settings, world};
use crate::support::{Server, World, connect, parse, until, variant};
use proctor_testing::guest_bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What the clients ask for, in turn.
const PATHS: [&str; 2] = [
    "/challenges/digits/leaderboard",
    "/challenges/digits/tasks/sample",
];

/// So few that a challenge's limits for one address do not come into it.
const CLIENTS: usize = 3;

/// Clients that ask without pause, each on one connection.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn of(server: &Server) -> Self {
        let mut load = Load {
            stop: Arc::default(),
            answered: Arc::default(),
            failed: Arc::default(),
            clients: Vec::new(),
        };
        for client in 0..CLIENTS {
            let (stop, answered) = (Arc::clone(&load.stop), Arc::clone(&load.answered));
            let (failed, address) = (Arc::clone(&load.failed), server.public.clone());
            load.clients.push(thread::spawn(move || {
                let mut stream = connect(&address);
                for path in PATHS.iter().cycle().skip(client) {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    if let Err(why) = ask(&mut stream, path) {
                        failed.lock().unwrap().push(why);
                        return;
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        load
    }

    /// Waits until some requests that began after this call are answered, and returns
    /// how many were in the meantime.
    #[track_caller]
    fn goes_on(&self) -> usize {
        let answered = || self.answered.load(Ordering::SeqCst);
        let before = answered();
        until("the clients are answered", || {
            self.none_failed();
            // Each has at most one under way.
            answered() >= before + 4 * CLIENTS
        });
        answered() - before
    }

    #[track_caller]
    fn none_failed(&self) {
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    /// Ends, and returns how many were answered.
    #[track_caller]
    fn end(mut self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients.drain(..) {
            client.join().unwrap();
        }
        self.none_failed();
        self.answered.load(Ordering::SeqCst)
    }
}

/// One request on a connection that stays; an error if it is not answered with 200.
fn ask(stream: &mut TcpStream, path: &str) -> Result<(), String> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let sent = stream.write_all(head.as_bytes());
    sent.map_err(|error| format!("{path}: not sent: {error}"))?;
    let (mut answer, mut bytes) = (Vec::new(), [0; 16 << 10]);
    let response = loop {
        match stream.read(&mut bytes) {
            Ok(count) if count > 0 => answer.extend_from_slice(&bytes[..count]),
            end => {
                let answer = String::from_utf8_lossy(&answer);
                return Err(format!("{path}: {end:?} after {answer:?}"));
            }
        }
        if let Some(response) = parse(&answer, false) {
            break response;
        }
    };
    let framed = ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| response.headers.contains_key(*name));
    if response.status != 200 || !framed {
        return Err(format!("{path}: {response:?}"));
    }
    Ok(())
}

/// An answer that goes on and on, and is read as it comes.
struct Endless {
    socket: TcpStream,
    read: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Endless {
    fn begin(server: &Server, path: &str, headers: &str) -> Self {
        let mut socket = connect(&server.public);
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let read = Arc::new(Mutex::new(String::new()));
        let (mut stream, text) = (socket.try_clone().unwrap(), Arc::clone(&read));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                let piece = String::from_utf8_lossy(&bytes[..count]);
                text.lock().unwrap().push_str(&piece);
            }
        });
        Endless {
            socket,
            read,
            reader,
        }
    }

    fn count(&self, wanted: &str) -> usize {
        self.read.lock().unwrap().matches(wanted).count()
    }

    /// Waits for some more of it.
    #[track_caller]
    fn goes_on(&self, wanted: &str) {
        let before = self.count(wanted);
        until("the stream goes on", || {
            self.is_open();
            self.count(wanted) >= before + 3
        });
    }

    #[track_caller]
    fn is_open(&self) {
        let read = self.read.lock().unwrap();
        assert!(!self.reader.is_finished(), "it has ended: {read}");
    }

    /// All of it, once the other side has ended it.
    fn rest(self) -> String {
        self.reader.join().unwrap();
        self.read.lock().unwrap().clone()
    }
}

fn drop_in(world: &World, name: &str, bytes: &[u8]) {
    let draft = world.write("draft", bytes);
    fs::rename(draft, world.plugins().join(name)).unwrap();
}

/// The digest that runs.
#[track_caller]
fn running(server: &Server, slug: &str) -> String {
    let runtime = runtime(server, slug);
    assert_eq!(runtime["state"], "running", "{runtime}");
    runtime["digest"].as_str().unwrap().to_owned()
}

/// Drops a version in, and waits until it runs.
fn swap(world: &World, server: &mut Server, slug: &str, bytes: &[u8]) {
    drop_in(world, &format!("{slug}.wasm"), bytes);
    let active = server.wait(|event| event.is("plugin active") && event.text("challenge") == slug);
    let digest = format!("sha256:{}", active.text("digest"));
    assert_eq!(running(server, slug), digest);
}

#[test]
fn a_hot_swap_under_load_fails_no_request() {
    let world = world("");
    drop_in(&world, "digits.wasm", &guest_bytes("digits"));
    let mut server = serve(&world);
    server.wait_for("plugin active");
    let load = Load::of(&server);
    let mut asked = BTreeMap::<String, usize>::new();
    let mut answers = |server: &Server| {
        let answered = load.goes_on();
        *asked.entry(running(server, "digits")).or_default() += answered;
    };
    answers(&server);
    for mark in 1..=3 {
        swap(&world, &mut server, "digits", &variant("digits", mark));
        answers(&server);
    }
    let third = running(&server, "digits");
    let change = json!({"settings": settings()});
    let changed = patch(&server, "challenges/digits", &change);
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = changed.json();
    assert_eq!(changed["runtime"]["revision"], changed["revision"]);
    server.wait_for("challenge configured");
    answers(&server);
    operate(&server, "digits", "restart");
    server.wait_for("plugin active");
    answers(&server);
    operate(&server, "digits", "rollback");
    assert_ne!(running(&server, "digits"), third);
    answers(&server);
    let follow = json!({"artifact": "file:digits.wasm", "track": "folder"});
    let followed = patch(&server, "challenges/digits", &follow);
    assert_eq!(followed.status, 200, "{followed:?}");
    assert_eq!(running(&server, "digits"), third);
    answers(&server);

    assert!(load.end() >= asked.values().sum());
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked.values().all(|answered| *answered > 0), "{asked:?}");
    server.stop();
}

#[test]
fn a_stream_goes_on_through_the_swap_of_its_challenge() {
    let world = world("");
    drop_in(&world, "digits.wasm", &guest_bytes("digits"));
    drop_in(&world, "routes.wasm", &guest_bytes("routes_challenge"));
    let mut server = serve(&world);
    for _ in 0..2 {
        server.wait_for("plugin active");
    }
    let act = json!({"do": "stream", "text": "data: tick\n\n", "ms": 10});
    let ticks = Endless::begin(
        &server,
        "/challenges/routes/x",
        &format!("x-act: {act}\r\n"),
    );
    let events = Endless::begin(&server, "/challenges/digits/leaderboard/events", "");
    ticks.goes_on("tick");
    until("the leaderboard is there", || {
        events.count("event: leaderboard") == 1
    });
    for mark in 1..=2 {
        let routes = variant("routes_challenge", mark);
        swap(&world, &mut server, "routes", &routes);
        ticks.goes_on("tick");
        swap(&world, &mut server, "digits", &variant("digits", mark));
        events.is_open();
    }
    for slug in ["routes", "digits"] {
        operate(&server, slug, "restart");
    }
    ticks.goes_on("tick");
    events.is_open();
    // What begins now is of the new version, and comes beside the old.
    let later = Endless::begin(&server, "/challenges/digits/leaderboard/events", "");
    until("the leaderboard is there", || {
        later.count("event: leaderboard") == 1
    });
    let answer = ticks.read.lock().unwrap().clone();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    ticks.socket.shutdown(Shutdown::Both).unwrap();
    ticks.rest();
    server.stop();
    for stream in [events, later] {
        let text = stream.rest();
        assert!(text.ends_with("0\r\n\r\n"), "a whole answer: {text:?}");
        assert_eq!(text.matches("event: leaderboard").count(), 1, "{text:?}");
    }
}
