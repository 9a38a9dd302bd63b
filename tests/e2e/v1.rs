//! The public `/v1` routes, the operator's view of the state, and pushes, over real
//! sockets.

use crate::commits::{Commit, HOUR, all_revealed, document};
use crate::http::{self, Response};
use crate::support::{START, Server, World, metagraph, neuron, until};
use proctor_host::chain::{Hotkey, signed};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The day of [`START`].
const TODAY: &str = "2026-08-22";

fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Response {
    let mut stream = connect(address);
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| line.split_once(':').unwrap());
    Response {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// The JSON of an answer that must be one.
#[track_caller]
fn json_of(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{value}"))
}

/// All items of a list, page by page.
fn walk(server: &Server, path: &str, key: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = server.get(&format!("{path}{separator}limit={limit}{cursor}"));
        let page = json_of(&page);
        let found = list(&page, key);
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
        assert!(!found.is_empty(), "a page that leads on has something");
    }
}

fn texts<'a>(items: &'a [Value], key: &str) -> Vec<&'a str> {
    items
        .iter()
        .map(|item| item[key].as_str().unwrap())
        .collect()
}

/// Two accepted or at least judged commits, one that is sealed, one that is refused,
/// and a sealed one of a name that nobody knows.
struct Day {
    knn: Commit,
    linear: Commit,
    sealed: Commit,
    refused: Commit,
    nowhere: Commit,
}

impl Day {
    fn new(world: &World) -> Self {
        let knn = world.add_artifact("knn");
        let linear = world.add_artifact("linear");
        let day = Day {
            sealed: Commit::new(5, &knn, 2.0),
            refused: Commit::of_text(6, "digits---something else", 30.0),
            nowhere: Commit::new(7, &knn, 3.0),
            knn: Commit::new(3, &knn, 30.0),
            linear: Commit::new(4, &linear, 29.0),
        };
        let here = [&day.knn, &day.linear, &day.sealed, &day.refused];
        let mut told = all_revealed(here);
        told["miner_commits"][&day.nowhere.hotkey] = json!({ "nowhere": day.nowhere.revealed() });
        world.ingest(0, &told);
        day
    }
}

fn finalized(world: &World, settings: &[&str]) -> Server {
    let mut server = world.serve(settings);
    server.wait_for("finalized");
    server
}

#[test]
fn pages_of_results_show_every_commit_once() {
    let world = World::new().with_digits();
    let day = Day::new(&world);
    let server = finalized(&world, &[]);
    let all = walk(&server, "/v1/results", "results", 1_000);
    assert_eq!(all.len(), 5);
    for limit in 1..=6 {
        assert_eq!(walk(&server, "/v1/results", "results", limit), all);
    }
    let of = |query: &str| {
        let items = walk(&server, &format!("/v1/results?{query}"), "results", 2);
        let mut hotkeys: Vec<String> = texts(&items, "hotkey")
            .into_iter()
            .map(Into::into)
            .collect();
        hotkeys.sort();
        hotkeys
    };
    assert_eq!(
        of("challenge=digits"),
        ["miner-3", "miner-4", "miner-5", "miner-6"]
    );
    assert_eq!(of("hotkey=miner-4"), ["miner-4"]);
    assert_eq!(of("uid=7"), ["miner-7"]);
    assert_eq!(of(&format!("day={TODAY}")), ["miner-3", "miner-4"]);
    assert_eq!(of("day=2026-08-21"), [""; 0]);
    assert_eq!(of("state=judged"), ["miner-3", "miner-4"]);
    assert_eq!(of("state=refused&challenge=digits"), ["miner-6"]);
    assert_eq!(of("state=sealed"), ["miner-5", "miner-7"]);
    assert_eq!(of("hotkey=nobody"), [""; 0]);

    let judged = all
        .iter()
        .find(|commit| commit["hotkey"] == "miner-4")
        .unwrap();
    assert_eq!(judged["challenge"], "digits");
    assert_eq!(judged["uid"], 4);
    assert_eq!(judged["encrypted_commit"], day.linear.encrypted);
    assert_eq!(judged["sha256"], sha256(&day.linear.encrypted));
    assert_eq!(judged["committed_at"], day.linear.committed_at);
    assert_eq!(judged["day"], TODAY);
    assert_eq!(judged["finalized_day"], TODAY);
    assert_eq!(judged["scored_at"], START - HOUR);
    assert!(
        judged["score"].is_f64() && judged["penalty"].is_f64(),
        "{judged}"
    );

    for (query, code) in [
        ("limit=0", "invalid_limit"),
        ("limit=1001", "invalid_limit"),
        ("limit=many", "invalid_limit"),
        ("cursor=x", "invalid_cursor"),
        ("day=today", "invalid_day"),
        ("day=2026-8-22", "invalid_day"),
        ("state=done", "invalid_state"),
        ("uid=-1", "invalid_query"),
    ] {
        let answer = server.get(&format!("/v1/results?{query}"));
        answer.assert_problem(400, code);
    }
    for challenge in ["nobody", "nowhere"] {
        let answer = server.get(&format!("/v1/results?challenge={challenge}"));
        answer.assert_problem(404, "unknown_challenge");
    }
    // One that another list gave.
    let other = json_of(&server.get("/v1/finalizations?limit=1"));
    assert_eq!(other["next"], Value::Null, "there is one day");
    server
        .get("/v1/results?cursor=WyJhIiwiYiJd")
        .assert_problem(400, "invalid_cursor");
    server.stop();
}

#[test]
fn a_commit_is_shown_with_all_that_its_score_comes_from() {
    let world = World::new().with_digits();
    let day = Day::new(&world);
    world.ingest(1, &all_revealed([&day.linear]));
    let server = finalized(&world, &[]);
    let path = |commit: &Commit| format!("/v1/results/digits/{}", sha256(&commit.encrypted));

    let shown = json_of(&server.get(&path(&day.linear)));
    assert_eq!(shown["state"], "judged");
    assert_eq!(shown["key"], day.linear.key);
    assert_eq!(
        shown["commit_text"],
        format!("digits---{}", shown["artifact"].as_str().unwrap())
    );
    let logs = list(&shown, "scoring_logs");
    assert_eq!(logs.len(), 2, "one per task");
    assert!(
        logs.iter()
            .all(|log| log["score"].is_f64() && log.get("task").is_none())
    );
    let comparison = &shown["comparisons"][0];
    assert_eq!(comparison["hotkey"], "miner-3");
    assert!(comparison["logs"][0]["similarity"].is_f64(), "{shown}");
    let evaluation = &shown["evaluation"];
    let plugin = &json_of(&server.get("/v1/challenges"))["challenges"][0]["plugin_digest"];
    assert_eq!(&evaluation["plugin_digest"], plugin);
    assert_eq!(evaluation["outcome"], "ok");
    assert!(evaluation["seed"].as_str().unwrap().parse::<u64>().is_ok());
    let seen = list(&shown, "seen");
    assert_eq!(texts(seen, "hotkey"), ["validator-0", "validator-1"]);
    assert_eq!(
        (&seen[0]["uid"], &seen[0]["claimed_at"]),
        (&json!(0), &json!(day.linear.committed_at))
    );
    assert_eq!(seen[0]["heard_at"], START);

    let sealed = server.get(&path(&day.sealed));
    let shown = json_of(&sealed);
    assert_eq!(shown["state"], "sealed");
    assert_eq!(shown["encrypted_commit"], day.sealed.encrypted);
    for hidden in [
        "key",
        "commit_text",
        "artifact",
        "score",
        "evaluation",
        "fault",
    ] {
        assert_eq!(shown[hidden], Value::Null, "{hidden}");
    }
    assert!(!sealed.body.contains(&day.sealed.key));

    let refused = server.get(&path(&day.refused));
    let shown = json_of(&refused);
    assert_eq!(shown["state"], "refused");
    assert!(
        shown["fault"]
            .as_str()
            .unwrap()
            .chars()
            .all(|c| c.is_ascii_lowercase() || c == '_')
    );
    assert!(!refused.body.contains(&day.refused.key));
    assert!(!refused.body.contains("something"));

    for (path, code) in [
        (
            format!("/v1/results/digits/{}", sha256("never seen")),
            "unknown_commit",
        ),
        (
            path(&day.linear)
                .to_uppercase()
                .replace("/V1/RESULTS/DIGITS", "/v1/results/digits"),
            "unknown_commit",
        ),
        (
            format!("/v1/results/digits/{}", sha256(&day.nowhere.encrypted)),
            "unknown_commit",
        ),
        ("/v1/results/digits/x".to_owned(), "unknown_commit"),
        (
            format!("/v1/results/nowhere/{}", sha256(&day.nowhere.encrypted)),
            "unknown_challenge",
        ),
        (
            format!("{}?hotkey=miner-3", path(&day.linear)),
            "unknown_commit",
        ),
    ] {
        server.get(&path).assert_problem(404, code);
    }

    // One that comes while it serves, copied by somebody else.
    let mut copy = Commit::new(8, &"0".repeat(64), 1.0);
    copy.encrypted.clone_from(&day.sealed.encrypted);
    world.ingest(1, &document([(copy.hotkey.as_str(), copy.sealed())]));
    let copied = format!("{}?hotkey=miner-8", path(&day.sealed));
    assert_eq!(json_of(&server.get(&copied))["uid"], 8);
    assert_eq!(
        json_of(&server.get(&path(&day.sealed)))["uid"],
        5,
        "who was first"
    );
    let late = Commit::new(9, &"0".repeat(64), 1.0);
    world.ingest(1, &document([(late.hotkey.as_str(), late.sealed())]));
    assert_eq!(json_of(&server.get(&path(&late)))["uid"], 9);
    server.stop();
}

#[test]
fn the_leaderboard_is_that_of_the_last_finalization() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let before = json_of(&server.get("/v1/challenges/digits/leaderboard"));
    assert_eq!(
        before,
        json!({"challenge": "digits", "day": null, "entries": []})
    );
    let challenge = json_of(&server.get("/v1/challenges"))["challenges"][0].take();
    assert_eq!(challenge["name"], "digits");
    assert_eq!(challenge["active"], true);
    assert_eq!(challenge["is_done"], false);
    assert_eq!(challenge["last_finalized_day"], Value::Null);
    let nobody = server.get("/v1/challenges/nobody/leaderboard");
    nobody.assert_problem(404, "unknown_challenge");

    let day = Day::new(&world);
    server.wait_for("finalized");
    let board = json_of(&server.get("/v1/challenges/digits/leaderboard"));
    assert_eq!(board["day"], TODAY);
    let entries = list(&board, "entries");
    assert!(!entries.is_empty());
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(entry["rank"], index + 1);
        let hotkey = entry["hotkey"].as_str().unwrap();
        let commit = [&day.knn, &day.linear]
            .into_iter()
            .find(|c| c.hotkey == hotkey);
        let commit = commit.unwrap();
        assert_eq!(entry["encrypted_commit"], commit.encrypted);
        assert_eq!(entry["committed_at"], commit.committed_at);
        let data = server.scoring_result(&[&commit.encrypted]);
        let known = &data["commits"][&commit.encrypted];
        assert_eq!(entry["score"], known["score"]);
        assert_eq!(entry["penalty"], known["penalty"]);
        assert_eq!(entry["artifact"], known["docker_hub_id"]);
        assert_eq!(entry["uid"], known["miner_uid"]);
        assert_eq!(entry["scored_at"], known["scored_timestamp"]);
        assert!(entry["weight"].is_f64(), "{entry}");
    }
    let scores: Vec<f64> = entries
        .iter()
        .map(|e| e["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");

    let challenge = json_of(&server.get("/v1/challenges"))["challenges"][0].take();
    assert_eq!(challenge["is_done"], true);
    assert_eq!(challenge["last_finalized_day"], TODAY);
    assert_eq!(challenge["commits"]["judged"], 2);
    assert_eq!(challenge["commits"]["sealed"], 1);

    let ledger = walk(
        &server,
        "/v1/finalizations?challenge=digits",
        "finalizations",
        1,
    );
    assert_eq!(texts(&ledger, "day"), [TODAY]);
    let row = json_of(&server.get(&format!("/v1/finalizations/digits/{TODAY}")));
    for (key, value) in ledger[0].as_object().unwrap() {
        assert_eq!(row[key], *value, "{key}");
    }
    assert_eq!(row["outcome"], "ok");
    assert_eq!(row["commits"], 2);
    assert_eq!(row["ranked"], entries.len());
    assert_eq!(row["scheduled_at"], START - HOUR);
    let results = list(&row, "results");
    assert_eq!(
        texts(results, "hotkey"),
        ["miner-3", "miner-4"],
        "by time of commit"
    );
    assert_eq!(results[1]["sha256"], sha256(&day.linear.encrypted));
    assert_eq!(list(&row, "standings").len(), entries.len());
    let paid: BTreeMap<&str, f64> = list(&row, "weights")
        .iter()
        .map(|paid| {
            (
                paid["hotkey"].as_str().unwrap(),
                paid["weight"].as_f64().unwrap(),
            )
        })
        .collect();
    for entry in entries {
        assert_eq!(entry["weight"], paid[entry["hotkey"].as_str().unwrap()]);
    }
    let other = server.get("/v1/finalizations/digits/2026-08-21");
    other.assert_problem(404, "not_finalized");
    let nobody = server.get("/v1/finalizations?challenge=nobody");
    nobody.assert_problem(404, "unknown_challenge");
    server.stop();
}

#[test]
fn what_did_not_change_is_not_sent_again() {
    let world = World::new().with_digits();
    let day = Day::new(&world);
    let server = finalized(&world, &[]);
    let commit = format!("/v1/results/digits/{}", sha256(&day.knn.encrypted));
    let ledger = format!("/v1/finalizations/digits/{TODAY}");
    let tagged = |path: &str, tag: &str| {
        let tag = [("if-none-match", tag.to_owned())];
        ask(&server.public, "GET", path, &tag, b"")
    };
    for path in [
        "/v1/plugins",
        "/v1/challenges",
        "/v1/challenges/digits/leaderboard",
        "/v1/results",
        &commit,
        "/v1/finalizations",
        &ledger,
        "/openapi.json",
        "/docs",
    ] {
        let first = server.get(path);
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(first.header("cache-control"), "no-cache", "{path}");
        let tag = first.header("etag");
        assert_eq!(tag, format!("\"{}\"", sha256(&first.body)), "{path}");
        let again = tagged(path, tag);
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), tag, "{path}");
        assert_eq!(tagged(path, "\"other\"").status, 200, "{path}");
        let head = http::request(&server.public, "HEAD", path, b"");
        assert_eq!((head.status, head.header("etag")), (200, tag), "{path}");
    }
    let before = server.get("/v1/results");
    let late = Commit::new(9, &"0".repeat(64), 1.0);
    world.ingest(1, &document([(late.hotkey.as_str(), late.sealed())]));
    let after = tagged("/v1/results", before.header("etag"));
    assert_eq!(after.status, 200, "there is one more");
    let missing = tagged("/v1/results/digits/x", "*");
    missing.assert_problem(404, "unknown_commit");
    assert_eq!(missing.header("etag"), "");
    server.stop();
}

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    id: Option<i64>,
    kind: String,
    data: Value,
}

/// A reader of `GET /v1/events`.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(server: &Server, query: &str, last_event_id: Option<i64>) -> Self {
        let (status, stream) = Stream::begin(server, query, last_event_id);
        assert_eq!(status, 200);
        stream
    }

    fn begin(server: &Server, query: &str, last_event_id: Option<i64>) -> (u16, Self) {
        let mut stream = connect(&server.public);
        // As of HTTP/1.0, so that what comes is not in chunks.
        let mut head = format!("GET /v1/events{query} HTTP/1.0\r\n");
        if let Some(id) = last_event_id {
            head.push_str(&format!("last-event-id: {id}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = Stream(BufReader::new(stream));
        let status = stream.line().unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        while let Some(line) = stream.line().filter(|line| !line.is_empty()) {
            headers.push(line);
        }
        if status == 200 {
            let kind = "content-type: text/event-stream".to_owned();
            assert!(headers.contains(&kind), "{headers:?}");
        }
        (status, stream)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.strip_suffix('\n')
            .map(|line| line.trim_end_matches('\r').to_owned())
    }

    /// The next event; none once the stream has ended.
    fn next(&mut self) -> Option<Told> {
        let mut told = Told::default();
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", id)) => told.id = Some(id.parse().unwrap()),
                Some(("event", kind)) => told.kind = kind.to_owned(),
                Some(("data", data)) => told.data = serde_json::from_str(data).unwrap(),
                Some((field, _)) if !field.is_empty() => panic!("{line}"),
                _ if line.is_empty() && told != Told::default() => return Some(told),
                // A comment.
                _ => {}
            }
        }
    }

    /// Everything up to the end of a day.
    fn up_to_finalized(&mut self) -> Vec<Told> {
        let mut all = Vec::new();
        loop {
            let told = self
                .next()
                .unwrap_or_else(|| panic!("it ended after {all:?}"));
            all.push(told);
            if all.last().unwrap().kind == "finalized" {
                return all;
            }
        }
    }
}

#[test]
fn events_are_told_as_they_happen_and_from_wherever_a_reader_was() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let mut live = Stream::open(&server, "", None);
    let first = live.next().unwrap();
    let begin = Told {
        id: Some(0),
        ..Told::default()
    };
    assert_eq!(first, begin, "where it begins, so that it can be resumed");

    let day = Day::new(&world);
    let events = live.up_to_finalized();
    let ids: Vec<i64> = events.iter().map(|told| told.id.unwrap()).collect();
    assert_eq!(ids, (1..=events.len() as i64).collect::<Vec<_>>());
    let scored: Vec<&Told> = events.iter().filter(|told| told.kind == "scored").collect();
    assert_eq!(scored.len(), 2);
    for told in &scored {
        let commit = if told.data["miner_uid"] == 3 {
            &day.knn
        } else {
            &day.linear
        };
        assert_eq!(told.data["encrypted_commit"], commit.encrypted);
        assert_eq!(told.data["challenge"], "digits");
        assert_eq!(told.data["at"], START);
    }
    let last = events.last().unwrap();
    assert_eq!(last.data["day"], TODAY);
    assert_eq!(last.data["commits"], 2);
    // Who is told finds what it was told of.
    let data = server.scoring_result(&[&day.knn.encrypted]);
    assert!(data["commits"][&day.knn.encrypted]["score"].is_f64());

    let from = |after: i64| {
        events
            .iter()
            .filter(move |told| told.id > Some(after))
            .cloned()
    };
    for after in 0..events.len() as i64 {
        let rest: Vec<Told> = from(after).collect();
        let mut resumed = Stream::open(&server, "", Some(after));
        assert_eq!(resumed.up_to_finalized(), rest);
        let mut resumed = Stream::open(&server, &format!("?after={after}"), None);
        assert_eq!(resumed.up_to_finalized(), rest);
        // A browser that comes again sends both.
        let mut resumed = Stream::open(&server, "?after=0", Some(after));
        assert_eq!(resumed.up_to_finalized(), rest);
    }

    // The stream ends with the host, at once, and goes on at the next.
    let log = server.stop();
    assert!(
        !log.iter().any(|line| line.message.contains("still open")),
        "{log:#?}"
    );
    assert_eq!(live.next(), None);
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let mut resumed = Stream::open(&server, "", last.id);
    let mut all = Stream::open(&server, "?after=0", None);
    assert_eq!(all.up_to_finalized(), events);
    world.pass(23.0 * HOUR);
    let next = resumed.up_to_finalized();
    assert_eq!(next[0].id, last.id.map(|id| id + 1));
    assert_eq!(next.last().unwrap().data["day"], "2026-08-23");
    assert_eq!(all.up_to_finalized(), next);
    server.stop();
}

#[test]
fn a_reader_that_missed_events_is_told_so() {
    let world = World::new().with_digits();
    Day::new(&world);
    let server = finalized(&world, &[]);
    let mut all = Stream::open(&server, "?after=0", None);
    let last = all.up_to_finalized().last().unwrap().id.unwrap();
    // As of a database that was restored from an older state.
    let mut ahead = Stream::open(&server, "", Some(last + 7));
    let told = ahead.next().unwrap();
    assert_eq!((told.kind.as_str(), told.id), ("gap", Some(last)));
    assert_eq!(told.data, json!({ "first": last + 1 }));
    for query in ["?after=x", "?after=-1", "?after="] {
        server
            .get(&format!("/v1/events{query}"))
            .assert_problem(400, "invalid_event_id");
    }
    server.stop();
}

#[test]
fn there_are_only_so_many_streams() {
    let world = World::new().with_digits();
    let server = world.serve(&["public.max_streams=1"]);
    let mut first = Stream::open(&server, "", None);
    assert!(first.next().is_some());
    let second = server.get("/v1/events");
    second.assert_problem(503, "overloaded");
    assert_eq!(second.header("retry-after"), "1");
    let streams = |server: &Server| {
        let metrics = crate::metrics::Metrics::of(&server.admin_get("/metrics"));
        metrics.sum("proctor_event_streams", &[])
    };
    assert_eq!(streams(&server), 1.0);
    drop(first);
    until("its place is free", || {
        Stream::begin(&server, "", None).0 == 200
    });
    until("none is open", || streams(&server) == 0.0);
    server.stop();
}

#[test]
fn a_stream_outlives_the_time_that_a_request_may_take() {
    let world = World::new().with_digits();
    let mut server = world.serve(&["public.timeout_ms=300", "public.max_requests=1"]);
    server.wait_for("plugin active");
    let mut streams: Vec<Stream> = (0..3).map(|_| Stream::open(&server, "", None)).collect();
    for stream in &mut streams {
        assert!(stream.next().is_some());
    }
    // A request that never comes whole, and so takes as long as one may.
    let mut slow = connect(&server.public);
    let head = "POST /get_scoring_result HTTP/1.0\r\ncontent-length: 9\r\n\r\n{";
    slow.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
    Day::new(&world);
    for stream in &mut streams {
        assert!(!stream.up_to_finalized().is_empty());
    }
    assert_eq!(
        server.get("/livez").status,
        200,
        "nor do they count as requests"
    );
    server.stop();
}

/// Validators with keys: rich, and poor. A third one is not registered.
fn signers(world: &World) -> [Hotkey; 3] {
    let keys = ["//Alice", "//Bob", "//Charlie"].map(|uri| Hotkey::from_uri(uri).unwrap());
    let mut metagraph = metagraph();
    metagraph["neurons"][0] = neuron(0, keys[0].address(), 90_000.0);
    metagraph["neurons"][2] = neuron(2, keys[1].address(), 50.0);
    world.set_metagraph(&metagraph);
    keys
}

fn nanoseconds(world: &World) -> u64 {
    (world.now() * 1e9) as u64
}

fn push(server: &Server, headers: &[(&str, String)], body: &Value) -> Response {
    ask(
        &server.public,
        "POST",
        "/v1/commits",
        headers,
        body.to_string().as_bytes(),
    )
}

#[test]
fn a_validator_pushes_what_it_saw() {
    let world = World::new().with_digits();
    let [alice, ..] = signers(&world);
    let knn = Commit::new(3, &world.add_artifact("knn"), 30.0);
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let mut body = all_revealed([&knn]);
    body["miner_commits"]["miner-4"] = json!({ "digits": {} });
    let headers = signed::sign(&alice, 0, body.to_string().as_bytes(), nanoseconds(&world));
    let pushed = json_of(&push(&server, &headers, &body));
    let faults = json!([{"hotkey": "miner-4", "challenge": "digits",
        "code": "missing_encrypted_commit"}]);
    assert_eq!(
        pushed,
        json!({"new": 1, "updated": 0, "faults_total": 1, "faults": faults})
    );
    let event = server.wait_for("commits pushed");
    assert_eq!(
        (event.field("validator"), event.field("new")),
        (&json!(0), &json!(1))
    );
    assert_eq!(event.text("hotkey"), alice.address());
    push(&server, &headers, &body).assert_problem(409, "replayed");
    let event = server.wait_for("push refused");
    assert_eq!(
        (event.text("code"), event.text("hotkey")),
        ("replayed", alice.address())
    );
    server.wait_for("finalized");
    let data = server.scoring_result(&[&knn.encrypted]);
    assert!(data["commits"][&knn.encrypted]["score"].is_f64());
    let path = format!("/v1/results/digits/{}", sha256(&knn.encrypted));
    let seen = json_of(&server.get(&path))["seen"].take();
    assert_eq!(seen[0]["hotkey"], alice.address());
    let metrics = crate::metrics::Metrics::of(&server.admin_get("/metrics"));
    let pushes = |outcome| metrics.sum("proctor_pushes_total", &[("outcome", outcome)]);
    assert_eq!((pushes("ok"), pushes("replayed")), (1.0, 1.0));

    // It was on disk when it was answered: also after a kill nothing is taken twice.
    drop(server);
    let server = world.serve(&[]);
    push(&server, &headers, &body).assert_problem(409, "replayed");
    let headers = signed::sign(
        &alice,
        0,
        body.to_string().as_bytes(),
        nanoseconds(&world) + 1,
    );
    let again = json_of(&push(&server, &headers, &body));
    assert_eq!((&again["new"], &again["updated"]), (&json!(0), &json!(0)));
    assert_eq!(again["faults_total"], 0, "they are told once");
    server.stop();
}

#[test]
fn a_push_that_is_not_a_validators_is_refused() {
    let world = World::new().with_digits();
    let [alice, bob, charlie] = signers(&world);
    let server = world.serve(&[]);
    let commit = Commit::new(3, &"0".repeat(64), 30.0);
    let body = all_revealed([&commit]);
    let bytes = body.to_string().into_bytes();
    let now = nanoseconds(&world);
    let second = 1_000_000_000;
    let refused = |headers: &[(&str, String)], body: &Value, status, code| {
        push(&server, headers, body).assert_problem(status, code);
    };
    let good = signed::sign(&alice, 0, &bytes, now);
    for name in [
        signed::UID,
        signed::HOTKEY,
        signed::TIMESTAMP,
        signed::SIGNATURE,
    ] {
        let mut headers = good.to_vec();
        headers.retain(|(key, _)| *key != name);
        refused(&headers, &body, 401, "missing_header");
        headers.push((name, "x".to_owned()));
        refused(&headers, &body, 401, "malformed_header");
    }
    for at in [now - 301 * second, now + 301 * second] {
        refused(&signed::sign(&alice, 0, &bytes, at), &body, 401, "stale");
    }
    refused(&good, &json!({ "miner_commits": {} }), 401, "bad_signature");
    let mut stolen = good.clone();
    stolen[1].1 = bob.address().to_owned();
    refused(&stolen, &body, 401, "bad_signature");
    refused(
        &signed::sign(&charlie, 0, &bytes, now),
        &body,
        403,
        "not_registered",
    );
    refused(
        &signed::sign(&alice, 1, &bytes, now),
        &body,
        403,
        "not_registered",
    );
    refused(
        &signed::sign(&alice, -1, &bytes, now),
        &body,
        403,
        "not_registered",
    );
    refused(
        &signed::sign(&bob, 2, &bytes, now),
        &body,
        403,
        "stake_too_low",
    );
    for malformed in [json!([]), json!({}), json!({ "miner_commits": [] })] {
        let headers = signed::sign(&alice, 0, malformed.to_string().as_bytes(), now);
        refused(&headers, &malformed, 422, "malformed");
    }
    assert_eq!(
        list(&json_of(&server.get("/v1/results")), "results").len(),
        0
    );
    let unauthorized = push(&server, &[], &body);
    assert_eq!(unauthorized.header("www-authenticate"), "Hotkey");
    // What was refused is not held against who signed it.
    assert_eq!(json_of(&push(&server, &good, &body))["new"], 1);
    for at in [now - 299 * second, now + 299 * second] {
        let headers = signed::sign(&alice, 0, &bytes, at);
        assert_eq!(json_of(&push(&server, &headers, &body))["new"], 0);
    }
    server
        .get("/v1/commits")
        .assert_problem(405, "method_not_allowed");
    server.stop();
    let server = world.serve(&["public.max_body_bytes=100"]);
    push(&server, &good, &body).assert_problem(413, "body_rejected");
    server.stop();
}

#[test]
fn scoring_results_may_be_for_validators_only() {
    let world = World::new().with_digits();
    let [alice, bob, charlie] = signers(&world);
    let mut server = world.serve(&["public.signed_results=true"]);
    server.wait_for("plugin active");
    let body = json!({ "challenge_name": "digits", "encrypted_commits": ["x"] });
    let body = body.to_string();
    let now = nanoseconds(&world);
    let answer = |headers: &[(&str, String)]| {
        ask(
            &server.public,
            "POST",
            "/get_scoring_result",
            headers,
            body.as_bytes(),
        )
    };
    let signed = |key, uid| signed::sign(key, uid, body.as_bytes(), now);
    answer(&[]).assert_problem(401, "missing_header");
    answer(&signed(&charlie, 0)).assert_problem(403, "not_registered");
    answer(&signed(&bob, 2)).assert_problem(403, "stake_too_low");
    for _ in 0..2 {
        // Reading twice does no harm.
        let data = json_of(&answer(&signed(&alice, 0)))["data"].take();
        assert_eq!(data, json!({"commits": {"x": null}, "is_done": false}));
    }
    server.stop();
}

#[test]
fn ten_thousand_ciphertexts_of_usual_length_are_answered() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let encrypted: Vec<String> = (0..10_000).map(|n| format!("{n:0>600}")).collect();
    let body = json!({ "challenge_name": "digits", "encrypted_commits": encrypted });
    let answer = json_of(&server.post("/get_scoring_result", &body));
    assert_eq!(answer["data"]["commits"].as_object().unwrap().len(), 10_000);
    server.stop();
}

#[test]
fn the_operator_sees_the_whole_state_but_no_key() {
    let world = World::new().with_digits();
    let day = Day::new(&world);
    // Another validator saw one earlier, and tells another's wrong key.
    let mut earlier = day.knn.sealed();
    earlier["commit_timestamp"] = json!(day.knn.committed_at - 60.0);
    let mut wrong = day.linear.revealed();
    wrong["key"] = json!(day.knn.key);
    let told = [
        (day.knn.hotkey.as_str(), earlier),
        (&day.linear.hotkey, wrong),
    ];
    world.ingest(1, &document(told));
    // A miner that committed twice.
    let newer = Commit::new(3, &"1".repeat(64), 1.0);
    world.ingest(0, &document([(newer.hotkey.as_str(), newer.sealed())]));
    let server = finalized(&world, &[]);
    let get = |path: &str| {
        let answer = server.admin_get(path);
        for commit in [&day.knn, &day.linear, &day.sealed, &day.refused] {
            assert!(!answer.body.contains(&commit.key), "{path}");
        }
        json_of(&answer)
    };

    let state = get("/v1/state/validators");
    let [first, second] = &list(&state, "validators")[..] else {
        panic!("{state}");
    };
    assert_eq!(first["hotkey"], "validator-0");
    assert_eq!(
        (&first["stake"], &first["heard"]),
        (&json!(90_000.0), &json!(true))
    );
    assert_eq!(
        (&first["source"], &first["received_at"]),
        (&json!("file"), &json!(START))
    );
    assert_eq!(first["commits"], 6);
    assert_eq!(second["commits"], 2);
    assert_eq!(second["faults"].as_object().unwrap().len(), 1, "{second}");

    let mut cursor = String::new();
    let mut claims = Vec::new();
    loop {
        let page = get(&format!("/v1/state/validators/0/commits?limit=2{cursor}"));
        claims.extend(list(&page, "commits").iter().cloned());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(claims.len(), 6);
    let sealed = claims.iter().find(|c| c["hotkey"] == "miner-5").unwrap();
    assert_eq!(
        (&sealed["has_key"], &sealed["state"]),
        (&json!(true), &json!("sealed"))
    );
    assert_eq!(sealed["claimed_at"], day.sealed.committed_at);
    server
        .admin_get("/v1/state/validators/99/commits")
        .assert_problem(404, "unknown_validator");
    server
        .admin_get("/v1/state/validators/x/commits")
        .assert_problem(400, "invalid_path");

    let state = get("/v1/state/commits");
    let miners = list(&state, "miners");
    let twice = miners
        .iter()
        .find(|miner| miner["hotkey"] == "miner-3")
        .unwrap();
    assert_eq!(
        (&twice["challenge"], &twice["versions"]),
        (&json!("digits"), &json!(2))
    );
    assert_eq!(twice["current"]["encrypted_commit"], newer.encrypted);
    assert_eq!(twice["history"][0]["encrypted_commit"], day.knn.encrypted);
    assert_eq!(twice["history"][0]["state"], "judged");
    assert_eq!(miners.len(), 5, "also of a name that nobody knows");
    let page = get("/v1/state/commits?limit=4");
    let rest = get(&format!(
        "/v1/state/commits?limit=4&cursor={}",
        page["next"].as_str().unwrap()
    ));
    assert_eq!(
        [list(&page, "miners").clone(), list(&rest, "miners").clone()].concat(),
        *miners
    );

    // Fernet tokens need escapes in a query only for their padding.
    let escaped = day.knn.encrypted.replace('=', "%3D");
    let found = get(&format!(
        "/v1/state/lookup?challenge=digits&encrypted_commit={escaped}"
    ));
    let found = &list(&found, "commits")[0];
    assert_eq!(
        (&found["uid"], &found["has_key"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(
        found["committed_at"],
        day.knn.committed_at - 60.0,
        "the earliest"
    );
    assert_eq!(
        texts(list(found, "seen"), "hotkey"),
        ["validator-1", "validator-0"]
    );
    let none = get("/v1/state/lookup?challenge=digits&encrypted_commit=x");
    assert_eq!(none, json!({ "commits": [] }));
    server
        .admin_get("/v1/state/lookup")
        .assert_problem(400, "invalid_query");

    let state = get("/v1/state/scoring-results?challenge=digits");
    let evaluations = list(&state, "scoring_results");
    assert_eq!(evaluations.len(), 2);
    for evaluation in evaluations {
        assert_eq!(
            (&evaluation["outcome"], &evaluation["state"]),
            (&json!("ok"), &json!("done"))
        );
        assert_eq!(
            (&evaluation["attempts"], &evaluation["scoring_logs"]),
            (&json!(1), &json!(2))
        );
    }
    let page = get("/v1/state/scoring-results?limit=1");
    assert_eq!(list(&page, "scoring_results")[0], evaluations[0]);

    // It is the operator's only.
    for path in [
        "validators",
        "validators/0/commits",
        "commits",
        "lookup",
        "scoring-results",
    ] {
        server
            .get(&format!("/v1/state/{path}"))
            .assert_problem(404, "not_found");
    }
    server.stop();
}

#[test]
fn the_api_describes_itself() {
    let world = World::new();
    let server = world.serve(&[]);
    let document = json_of(&server.get("/openapi.json"));
    let agreed: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    assert_eq!(document, agreed);
    for (path, item) in document["paths"].as_object().unwrap() {
        // Whatever is described is there.
        let path = path
            .replace("{challenge}", "c")
            .replace("{sha256}", "s")
            .replace("{day}", "d");
        if item.get("get").is_some() && path != "/v1/events" {
            let answer = server.get(&path);
            assert!(
                answer.status != 405 && !answer.body.contains("\"not_found\""),
                "{path}"
            );
        }
    }
    let page = server.get("/docs");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let private = server.admin_get("/openapi.json").json();
    assert_eq!(private["info"]["title"], "Proctor, private");
    server.stop();
}
