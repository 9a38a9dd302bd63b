//! Attacks on the public listener, byte by byte.

use crate::http::Response;
use crate::routes::{Signed, answers, register, serve, serve_with};
use crate::support::{Server, World, connect, parse, send, until};
use proctor_host::chain::Hotkey;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const PATH: &str = "/challenges/answers/x";

/// Says these bytes, and returns all that comes back until the connection is closed, or
/// nothing more comes for some time.
fn say(address: &str, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    // It may be closed while it is said.
    let _ = stream.write_all(bytes);
    read_all(&mut stream)
}

fn read_all(stream: &mut TcpStream) -> String {
    let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        all.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The status of each answer.
fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line.get(..3).unwrap()).collect()
}

#[test]
fn a_request_cannot_be_hidden_in_another() {
    let (_world, server, _) = answers();
    let hidden = "GET /challenges/answers/hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    let post = |headers: &str, body: &str| {
        let request = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{body}");
        say(&server.public, request.as_bytes())
    };
    let length = format!("content-length: {}", hidden.len() + 5);
    let chunked = "transfer-encoding: chunked";
    let in_chunk = format!("0\r\n\r\n{hidden}");
    // Several lengths, and encodings that are none.
    for headers in [
        format!("{length}\r\n{length}0"),
        format!("content-length: 5\r\ncontent-length: {}", hidden.len()),
        format!("{length}\r\ntransfer-encoding: identity"),
        "transfer-encoding: xchunked".to_owned(),
        "transfer-encoding: chunked, identity".to_owned(),
        "transfer-encoding: gzip, chunked".to_owned(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity".to_owned(),
        "transfer-encoding : chunked".to_owned(),
        "transfer-encoding:\r\n chunked".to_owned(),
        "content-length: +5".to_owned(),
        "content-length: 5, 5".to_owned(),
        "content-length: 0x5".to_owned(),
        "content-length: -1".to_owned(),
        "content-length: 99999999999999999999".to_owned(),
        "host: y\r\ncontent-length: 0".to_owned(),
    ] {
        let answers = post(&headers, &in_chunk);
        assert_eq!(statuses(&answers), ["400"], "{headers:?}: {answers}");
        assert!(!answers.contains("hidden"), "{headers:?}: {answers}");
    }
    // Of a length and an encoding the encoding counts, and there is no next request for
    // who went by the length.
    for headers in [
        format!("{chunked}\r\n{length}"),
        format!("{length}\r\n{chunked}"),
    ] {
        let answers = post(&headers, &in_chunk);
        assert_eq!(statuses(&answers), ["200"], "{headers:?}: {answers}");
        assert!(!answers.contains("hidden"), "{headers:?}: {answers}");
    }
    // Chunks that have no end or no size.
    for chunks in [
        "ffffffffffffffffff\r\nx",
        "-1\r\nx",
        "x\r\nx",
        "5\r\nhelloxx0\r\n\r\n",
        " 5\r\nx",
    ] {
        let answers = post(chunked, chunks);
        assert!(
            !statuses(&answers).contains(&"200"),
            "{chunks:?}: {answers}"
        );
    }
    let old = format!("POST {PATH} HTTP/1.0\r\n{chunked}\r\n\r\n{in_chunk}");
    let answers = say(&server.public, old.as_bytes());
    assert!(
        !answers.contains(" 200 ") && !answers.contains("hidden"),
        "{answers}"
    );
    // Trailers are no headers.
    let trailers = "0\r\nx-proctor-verified-hotkey: 5Evil\r\n\r\n";
    let answers = post(chunked, trailers);
    assert_eq!(statuses(&answers), ["200"], "{answers}");
    assert!(!answers.contains("Evil"), "{answers}");
    // What is one after the other is answered one after the other.
    let answers = say(&server.public, hidden.repeat(3).as_bytes());
    assert_eq!(statuses(&answers), ["200"; 3], "{answers}");
    server.stop();
}

#[test]
fn what_is_no_request_is_refused() {
    let (_world, server, _) = answers();
    for bytes in [
        "GET\r\n\r\n",
        "GET /challenges/answers/a b HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /challenges/answers/\0 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /challenges/answers/x HTTP/1.1\r\nhost: x\r\nx\0y: z\r\n\r\n",
        "GET /challenges/answers/x HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n",
        "GET /challenges/answers/x HTTP/9.9\r\nhost: x\r\n\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
    ] {
        let answers = say(&server.public, bytes.as_bytes());
        let statuses = statuses(&answers);
        let refused = statuses.iter().all(|status| status.starts_with('4'));
        assert!(refused && statuses.len() <= 1, "{bytes:?}: {answers}");
    }
    let absolute = format!("GET http://evil.example{PATH} HTTP/1.1\r\nhost: x\r\n\r\n");
    let answers = say(&server.public, absolute.as_bytes());
    assert_eq!(statuses(&answers), ["200"], "{answers}");
    server.stop();
}

#[test]
fn a_head_has_a_size() {
    let (_world, server, _) = answers();
    let get = |path: &str, headers: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        say(&server.public, request.as_bytes())
    };
    let long = "a".repeat(17 << 10);
    let many = "a: b\r\n".repeat(101);
    // On every route, with and without a challenge behind it.
    for path in [PATH, "/livez", "/v1/registry", "/none"] {
        let one_header = get(path, &format!("x: {long}\r\n"));
        assert_eq!(statuses(&one_header), ["431"], "{path}");
        assert!(one_header.contains("head_too_large"), "{one_header}");
        assert_eq!(statuses(&get(path, &many)), ["431"], "{path}");
        let query = get(&format!("{path}?{long}"), "");
        assert_eq!(statuses(&query), ["431"], "{path}");
    }
    let endless = format!("x: {}", "a".repeat(1 << 20));
    assert!(!get(PATH, &endless).contains(" 200 "));
    let large = get(PATH, &format!("x: {}\r\n", "a".repeat(15 << 10)));
    assert_eq!(statuses(&large), ["200"]);
    server.stop();
}

#[test]
fn a_body_has_a_size_however_it_comes() {
    let (world, server, miner) = answers();
    let too_large = vec![b'x'; 100_001];
    // Nothing of it is waited for.
    let announced = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100001\r\n\r\n");
    let answers = say(&server.public, announced.as_bytes());
    assert_eq!(statuses(&answers), ["413"], "{answers}");
    let expecting = announced.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    let answers = say(&server.public, expecting.as_bytes());
    assert_eq!(
        statuses(&answers),
        ["413"],
        "nobody says to go on: {answers}"
    );
    // Chunks tell no size before they are there.
    let mut chunks = Vec::new();
    for piece in too_large.chunks(10_000) {
        chunks.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        chunks.extend([piece, b"\r\n"].concat());
    }
    chunks.extend(b"0\r\n\r\n");
    let chunked = |path: &str, headers: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{headers}\r\n"
        );
        say(&server.public, &[head.as_bytes(), &chunks].concat())
    };
    assert!(!chunked(PATH, "").contains(" 200 "));
    for path in [
        "/challenges/answers/submissions",
        "/challenges/answers/signed/x",
    ] {
        let signed = Signed {
            challenge: "answers",
            method: "POST",
            path,
            nonce: "large",
            at: world.now(),
            body: &too_large,
        };
        let headers = signed.headers(&miner).into_iter();
        let headers: String = headers.map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let answers = chunked(path, &headers);
        assert_eq!(statuses(&answers), ["413"], "{path}: {answers}");
    }
    assert_eq!(
        fs::read_dir(world.data().join("uploads")).unwrap().count(),
        0
    );
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}

#[test]
fn no_path_leads_out_of_a_challenge() {
    let (_world, server, _) = answers();
    for path in [
        "/challenges/answers/../../v1/registry",
        "/challenges/answers/..",
        "/challenges/answers/../answers/x",
        "/challenges/answers/%2e%2e/%2e%2e/etc/passwd",
        "/challenges/answers/..%2f..%2fetc%2fpasswd",
        "/challenges/answers/..%5c..%5cetc",
        "/challenges/answers/....//....//etc/passwd/../../../../..",
        "/challenges/answers/%252e%252e%252fetc",
        "/challenges/answers/%c0%ae%c0%ae/x",
        "/challenges/answers/%e0%80%ae/x",
        "/challenges/answers/x%00.html",
        "/challenges/answers/x%0d%0aset-cookie:a",
        "/challenges/../v1/registry",
        "/challenges/./answers/x",
        "/challenges/..%2fanswers/x",
        "/challenges/%2e%2e/x",
        "/../challenges/answers/x",
        "//challenges/answers/x",
        "/challenges/answers%2fx",
        "/challenges/answers%00/x",
        "/challenges/ANSWERS/x",
        "/v1/challenges/answers/submissions/../../../../x",
        "/v1/challenges/answers/submissions/../../..",
        "/v1/challenges/../challenges/answers/submissions",
        "/v1/admin/challenges",
        "/challenges/answers/../../v1/admin/challenges",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answers = say(&server.public, request.as_bytes());
        let status = statuses(&answers);
        let refused = [["400"], ["403"], ["404"], ["405"]].contains(&[status[0]]);
        assert!(refused && status.len() == 1, "{path}: {answers}");
        assert!(
            !answers.to_lowercase().contains("set-cookie"),
            "{path}: {answers}"
        );
    }
    server.stop();
}

#[test]
fn who_says_little_keeps_nobody_out() {
    let world = World::new();
    let few = ["public.max_requests=4", "public.max_streams=0"];
    let server = serve_with(&world, &["answers_challenge"], &few);
    let address = server.public.clone();
    // Far more connections than there may be: silent ones, and heads without an end.
    let attack: Vec<TcpStream> = (0..40)
        .map(|index| {
            let mut stream = connect(&address);
            if index % 2 == 0 {
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nx: ");
            }
            stream
        })
        .collect();
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(server.get("/livez").status, 200);
        assert_eq!(server.get(PATH).status, 200);
    }
    assert!(
        start.elapsed() < Duration::from_secs(50),
        "{:?}",
        start.elapsed()
    );
    drop(attack);
    server.stop();
}

/// Whether a request was answered with 429.
fn is_refused(stream: &TcpStream) -> bool {
    let mut head = [0; 12];
    stream.set_nonblocking(true).unwrap();
    let read = stream.peek(&mut head);
    stream.set_nonblocking(false).unwrap();
    read.is_ok() && &head == b"HTTP/1.1 429"
}

#[test]
fn a_body_that_does_not_come_takes_only_its_own_places() {
    let world = World::new().configured(
        "[challenges.answers]\n\
         route_limits = { head_ms = 3000, stream_ms = 3000, concurrency_per_client = 2 }\n\
         routes = [{ path = '/signed', signed = true }]",
    );
    let miner = register(&world, 3, "//Alice");
    let server = serve_with(&world, &["answers_challenge"], &["public.timeout_ms=500"]);
    let address = server.public.clone();
    let signed = Signed {
        challenge: "answers",
        method: "POST",
        path: "/challenges/answers/signed",
        nonce: "slow",
        at: world.now(),
        body: b"xx",
    };
    let headers = signed.headers(&miner).into_iter();
    let headers: String = headers.map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let begin = |path: &str, headers: &str| {
        let mut stream = connect(&address);
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: 2\r\n\r\nx");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let slow = [("/challenges/answers/signed", headers.as_str()), (PATH, "")];
    let waiting = RefCell::new(slow.map(|(path, headers)| begin(path, headers)));
    until("both places are taken", || {
        // The look itself may have had a place when they asked for one.
        for (stream, (path, headers)) in waiting.borrow_mut().iter_mut().zip(slow) {
            if is_refused(stream) {
                *stream = begin(path, headers);
            }
        }
        server.get(PATH).status == 429
    });
    let [waits_for_host, mut waits_for_guest] = waiting.into_inner();
    assert_eq!(server.get("/v1/challenges").status, 200);
    // The guest waits for its body as long as it may.
    let mut first = [0; 12];
    waits_for_guest.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 504");
    // The host's own routes do not wait longer than for anything else.
    let mut stream = begin("/v1/commits", "");
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 503");
    drop(waits_for_host);
    until("there are places", || server.get(PATH).status == 200);
    server.stop();
}

#[test]
fn a_signed_request_counts_once_whatever_is_killed() {
    let (world, server, miner) = answers();
    let request = |nonce| Signed {
        challenge: "answers",
        method: "POST",
        path: "/challenges/answers/signed/x",
        nonce,
        at: world.now(),
        body: b"hello",
    };
    let first = request("first");
    let headers = first.headers(&miner);
    assert_eq!(first.send(&server, &headers).status, 200);
    server.kill();
    let server = serve(&world, &[]);
    first
        .send(&server, &headers)
        .assert_problem(409, "replayed");
    // The same under another signature of the same miner, in other capitals.
    first
        .send(&server, &first.headers(&miner))
        .assert_problem(409, "replayed");
    let mut upper = headers.clone();
    upper[1].1 = format!("0x{}", upper[1].1.to_uppercase());
    first.send(&server, &upper).assert_problem(409, "replayed");

    // Of many at once, one.
    let race = request("race");
    let (signed, address) = (race.headers(&miner), server.public.clone());
    let headers: Vec<_> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let barrier = Barrier::new(6);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    send(&address, race.method, race.path, &headers, race.body).status
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| [200, 409].contains(status)),
        "{statuses:?}"
    );
    server.stop();
}

/// An upload of a miner to the guest that answers what it is told.
fn upload<'a>(world: &World, nonce: &'a str, body: &'a [u8]) -> Signed<'a> {
    Signed {
        challenge: "answers",
        method: "POST",
        path: "/challenges/answers/submissions",
        nonce,
        at: world.now(),
        body,
    }
}

/// Sends these at the same time, and returns their statuses, sorted.
fn at_once(server: &Server, miner: &Hotkey, requests: &[Signed<'_>]) -> Vec<u16> {
    let barrier = Barrier::new(requests.len());
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|request| {
                let (headers, address) = (request.headers(miner), &server.public);
                let barrier = &barrier;
                scope.spawn(move || {
                    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
                    barrier.wait();
                    send(
                        address,
                        request.method,
                        request.path,
                        &headers,
                        request.body,
                    )
                    .status
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    });
    statuses.sort_unstable();
    statuses
}

/// Names of all files in the artifact store.
fn stored(world: &World) -> BTreeSet<String> {
    let files = fs::read_dir(world.data().join("artifacts")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_nonce_has_one_artifact_kept() {
    let (world, server, miner) = answers();
    let first = upload(&world, "once", b"first");
    assert_eq!(first.send(&server, &first.headers(&miner)).status, 200);
    let kept = stored(&world);
    assert_eq!(kept.len(), 1, "{kept:?}");
    for body in [&b"second"[..], b"third"] {
        let again = upload(&world, "once", body);
        again
            .send(&server, &again.headers(&miner))
            .assert_problem(409, "replayed");
    }
    assert_eq!(stored(&world), kept);

    // Of many at once as well.
    let bodies: Vec<String> = (0..8).map(|index| format!("race {index}")).collect();
    let race = bodies.iter();
    let race = race.map(|body| upload(&world, "race", body.as_bytes()));
    let statuses = at_once(&server, &miner, &race.collect::<Vec<_>>());
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(stored(&world).len(), 2);
    server.stop();
}

#[test]
fn a_miner_uploads_a_hundred_times_a_day_and_no_more_are_kept() {
    let (world, server, miner) = answers();
    let nonces: Vec<String> = (0..105).map(|index| format!("n{index}")).collect();
    let uploads: Vec<Signed<'_>> = nonces
        .iter()
        .map(|nonce| upload(&world, nonce, nonce.as_bytes()))
        .collect();
    let (first, rest) = uploads.split_at(96);
    let (last, one_more) = rest.split_at(8);
    for one in first {
        let response = one.send(&server, &one.headers(&miner));
        assert_eq!(response.status, 200, "{response:?}");
    }
    let statuses = at_once(&server, &miner, last);
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429, 429, 429]);
    assert_eq!(stored(&world).len(), 100);
    let refused = one_more[0].send(&server, &one_more[0].headers(&miner));
    refused.assert_problem(429, "too_many_uploads");
    assert_eq!(refused.header("retry-after"), "3600");
    server.stop();
}

#[test]
fn what_is_kept_is_counted_when_its_miner_leaves() {
    let (world, server, miner) = answers();
    for index in 0..20 {
        let (nonce, body) = (format!("n{index}"), format!("{index:09999}"));
        let one = upload(&world, &nonce, body.as_bytes());
        let headers = one.headers(&miner);
        let lines: String = headers
            .iter()
            .map(|(n, v)| format!("{n}: {v}\r\n"))
            .collect();
        let before = stored(&world);
        let mut stream = connect(&server.public);
        let head = format!("POST {} HTTP/1.1\r\nhost: x\r\n{lines}", one.path);
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).unwrap();
        let start = Instant::now();
        // It leaves at the moment at which there is something in the store.
        while stored(&world).is_subset(&before) {
            assert!(start.elapsed() < Duration::from_secs(60), "{index}");
            std::thread::yield_now();
        }
        drop(stream);
        one.send(&server, &headers).assert_problem(409, "replayed");
    }
    server.stop();
}

#[test]
fn what_is_cut_short_can_be_sent_again() {
    let (world, server, miner) = answers();
    let request = Signed {
        challenge: "answers",
        method: "POST",
        path: "/challenges/answers/submissions",
        nonce: "once",
        at: world.now(),
        body: b"an artifact",
    };
    let headers = request.headers(&miner);
    let lines: String = headers
        .iter()
        .map(|(n, v)| format!("{n}: {v}\r\n"))
        .collect();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\n{lines}content-length: 11\r\n\r\nan arti",
        request.path
    );
    let mut stream = connect(&server.public);
    stream.write_all(head.as_bytes()).unwrap();
    until("the upload has begun", || {
        fs::read_dir(world.data().join("uploads")).unwrap().count() == 1
    });
    server.kill();
    let server = serve(&world, &[]);
    assert_eq!(
        fs::read_dir(world.data().join("uploads")).unwrap().count(),
        0
    );
    let response = request.send(&server, &headers);
    assert_eq!(response.status, 200, "{response:?}");
    server.stop();
}

#[test]
fn an_answer_is_one_answer_whatever_the_challenge_says_of_it() {
    let (_world, server, _) = answers();
    for (headers, hex) in [
        (r#"[["content-length","2"]]"#, "6f6b"),
        (r#"[["content-length","0"]]"#, "6f6b"),
        (r#"[["content-length","1"]]"#, "6f6b"),
        (r#"[["content-length","9"]]"#, "6f6b"),
        (r#"[["content-length","2"],["content-length","3"]]"#, "6f6b"),
        (r#"[["transfer-encoding","chunked"]]"#, "6f6b"),
        (r#"[["connection","keep-alive, content-length"]]"#, "6f6b"),
        (r#"[["trailer","x"],["upgrade","websocket"]]"#, "6f6b"),
    ] {
        let answer = format!(r#"{{"headers":{headers},"hex":"{hex}"}}"#);
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nx-answer: {answer}\r\n\r\n");
        let answers = say(&server.public, request.as_bytes());
        assert!(statuses(&answers).len() <= 1, "{headers}: {answers}");
        if let Some(Response { status, .. }) = parse(answers.as_bytes(), false) {
            // The guest itself may refuse to say it: 500.
            assert!([200, 500, 502].contains(&status), "{headers}: {answers}");
        }
        assert!(
            !answers.to_lowercase().contains("upgrade:"),
            "{headers}: {answers}"
        );
    }
    for status in [100, 101, 103, 199, 600, 999] {
        let answer = format!(r#"{{"status":{status},"headers":[]}}"#);
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nx-answer: {answer}\r\n\r\n");
        let answers = say(&server.public, request.as_bytes());
        assert_eq!(statuses(&answers), ["502"], "{status}: {answers}");
    }
    server.stop();
}
