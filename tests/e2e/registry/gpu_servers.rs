//! Servers with GPUs.

use super::{component, create_digits, delete, fields, get, patch, path, post, serve, world};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const TOKEN: &str = "agent-token-agent-token";

/// An agent that answers this to whatever it is asked, and what it was asked.
fn agent(answers: &[&'static str]) -> (String, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    let answers = answers.to_vec();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            for line in BufReader::new(&stream).lines() {
                match line.unwrap() {
                    line if line.is_empty() => break,
                    line => head.push(line.to_lowercase()),
                }
            }
            (&stream).write_all(answer.as_bytes()).unwrap();
            if sender.send(head).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

const WELL: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"status\":\"ok\"}";
const ILL: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[test]
fn a_server_is_made_changed_probed_and_removed_and_its_token_never_comes_out() {
    let world = world("registry.private_hosts = ['127.0.0.1']");
    let server = serve(&world);
    let (address, asked) = agent(&[WELL, ILL]);
    let body = json!({"id": "gpu-1", "base_url": address, "token": TOKEN, "labels": {"rack": "7"}});
    let made = post(&server, "gpu-servers", &body);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        made.header("etag"),
        format!("\"{}\"", made.json()["revision"])
    );
    let one = get(&server, "gpu-servers/gpu-1");
    assert_eq!(one, made.json());
    assert_eq!(one["token_hint"], "agen…oken");
    for (field, value) in [
        ("enabled", json!(true)),
        ("verify_tls", json!(true)),
        ("timeout_seconds", json!(30.0)),
        ("min_gpu_count", json!(1)),
        ("labels", json!({"rack": "7"})),
    ] {
        assert_eq!(one[field], value, "{field}");
    }
    post(&server, "gpu-servers", &body).assert_problem(409, "exists");

    let route = path("gpu-servers/gpu-1");
    let tag = made.header("etag");
    let change = json!({"description": "new"});
    let changed = server.admin("PATCH", &route, Some(&change), &[("if-match", tag)]);
    assert_eq!(changed.json()["description"], "new", "{changed:?}");
    let late = server.admin("PATCH", &route, Some(&change), &[("if-match", tag)]);
    late.assert_problem(412, "precondition_failed");
    assert_eq!(late.header("etag"), changed.header("etag"));

    let health = |id: &str| {
        server.admin(
            "POST",
            &path(&format!("gpu-servers/{id}/health")),
            None,
            &[],
        )
    };
    let well = health("gpu-1").json();
    assert_eq!(
        (&well["id"], &well["status"]),
        (&json!("gpu-1"), &json!("ok")),
        "{well}"
    );
    let head = asked.recv().unwrap();
    assert!(head[0].starts_with("get /health "), "{head:?}");
    assert!(
        head.contains(&format!("authorization: bearer {TOKEN}")),
        "{head:?}"
    );
    let ill = health("gpu-1").json();
    assert_eq!(
        (&ill["status"], &ill["code"]),
        (&json!("error"), &json!("unauthorized")),
        "{ill}"
    );

    for (operation, enabled) in [("disable", false), ("enable", true), ("enable", true)] {
        let done = server.admin(
            "POST",
            &path(&format!("gpu-servers/gpu-1/{operation}")),
            None,
            &[],
        );
        assert_eq!(
            (done.status, &done.json()["enabled"]),
            (200, &json!(enabled))
        );
    }
    let log = get(&server, "audit?subject=gpu-server:gpu-1");
    let actions = log["changes"].as_array().unwrap().iter();
    let actions: Vec<&str> = actions
        .map(|change| change["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["enable", "disable", "update", "create"]);
    let told = get(&server, "gpu-servers").to_string() + &log.to_string();
    assert!(!told.contains(TOKEN));
    for file in fs::read_dir(world.data()).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            let bytes = fs::read(&file).unwrap();
            let holds = bytes
                .windows(TOKEN.len())
                .any(|window| window == TOKEN.as_bytes());
            assert!(!holds, "{} has it", file.display());
        }
    }
    assert_eq!(delete(&server, "gpu-servers/gpu-1").status, 204);
    for (method, rest) in [
        ("GET", "gpu-servers/gpu-1"),
        ("DELETE", "gpu-servers/gpu-1"),
        ("POST", "gpu-servers/gpu-1/health"),
        ("POST", "gpu-servers/gpu-1/enable"),
    ] {
        server
            .admin(method, &path(rest), None, &[])
            .assert_problem(404, "unknown_gpu_server");
    }
    assert_eq!(get(&server, "gpu-servers"), json!({"gpu_servers": []}));
    server.stop();
}

#[test]
fn what_is_wrong_with_a_server_is_told_by_field() {
    let world = world("");
    let server = serve(&world);
    for (body, named) in [
        (json!({}), &["id", "base_url"][..]),
        (
            json!({"id": "a/b", "base_url": "https://gpu.example.org"}),
            &["id"],
        ),
        (json!({"id": "a", "base_url": "ftp://x"}), &["base_url"]),
        (
            json!({"id": "a", "base_url": "http://127.0.0.1:1"}),
            &["base_url"],
        ),
        (
            json!({"id": "a", "base_url": "https://gpu.example.org", "gpus": 1}),
            &["gpus"],
        ),
        (
            json!({"id": "a", "base_url": "https://gpu.example.org", "enabled": null}),
            &["enabled"],
        ),
        (
            json!({"id": "a", "base_url": "https://gpu.example.org", "min_gpu_count": -1}),
            &["min_gpu_count"],
        ),
        (
            json!({"id": "a", "base_url": "https://gpu.example.org", "token": "a b"}),
            &["token"],
        ),
    ] {
        assert_eq!(
            fields(&post(&server, "gpu-servers", &body)),
            named,
            "{body}"
        );
    }
    let body = json!({"id": "gpu-1", "base_url": "https://gpu.example.org"});
    assert_eq!(post(&server, "gpu-servers", &body).status, 201);
    for (change, named) in [
        (json!({"id": "other"}), "id"),
        (json!({"timeout_seconds": 0}), "timeout_seconds"),
        (json!({"min_gpu_count": 0}), "min_gpu_count"),
        (json!({"base_url": null}), "base_url"),
        (json!({"token_hint": "x"}), "token_hint"),
    ] {
        assert_eq!(
            fields(&patch(&server, "gpu-servers/gpu-1", &change)),
            [named],
            "{change}"
        );
    }
    server.stop();
}

#[test]
fn a_runner_wants_a_server_that_can_take_it() {
    let world = world("registry.private_hosts = ['127.0.0.1', '127.0.0.2']");
    let server = serve(&world);
    let body = json!({"id": "gpu-1", "base_url": "http://127.0.0.1:1", "min_gpu_count": 2});
    assert_eq!(post(&server, "gpu-servers", &body).status, 201);
    create_digits(&server, &json!({}));
    let runner = |url: &str, id: &str, count: u32| {
        let runner = json!({"kind": "http", "url": url, "gpu_server": id, "gpu_count": count});
        patch(&server, "challenges/digits", &json!({ "runner": runner }))
    };
    let here = "http://127.0.0.1:1/solver";
    for (url, id, count, named) in [
        (here, "gpu-2", 1, "runner.gpu_server"),
        (here, "gpu-1", 3, "runner.gpu_count"),
        ("http://127.0.0.2:1", "gpu-1", 1, "runner.url"),
        ("http://192.168.0.1:1", "gpu-1", 1, "runner.url"),
    ] {
        let refused = runner(url, id, count);
        assert_eq!(fields(&refused), [named], "{refused:?}");
    }
    assert_eq!(runner(here, "gpu-1", 2).status, 200);
    let disable = || server.admin("POST", &path("gpu-servers/gpu-1/disable"), None, &[]);
    assert_eq!(disable().status, 200);
    let activate = || server.admin("POST", &path("challenges/digits/activate"), None, &[]);
    let refused = activate();
    refused.assert_problem(409, "not_ready");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("gpu_server_disabled"), "{detail}");
    // Of other changes it is not in the way.
    let other = patch(
        &server,
        "challenges/digits",
        &json!({"emission_percent": 5}),
    );
    assert_eq!(other.status, 200, "{other:?}");
    server.admin("POST", &path("gpu-servers/gpu-1/enable"), None, &[]);
    assert_eq!(activate().status, 200);
    server.stop();
}

#[test]
fn a_server_that_a_challenge_names_is_not_removed() {
    let world = world("registry.private_hosts = ['127.0.0.1']");
    let server = serve(&world);
    let body = json!({"id": "gpu-1", "base_url": "http://127.0.0.1:1"});
    assert_eq!(post(&server, "gpu-servers", &body).status, 201);
    let artifact = component(&server, &guest_bytes("digits"));
    let runner = json!({"kind": "http", "url": "http://127.0.0.1:1", "gpu_server": "gpu-1"});
    let body = json!({"slug": "digits", "artifact": artifact, "runner": runner});
    let created = post(&server, "challenges", &body);
    assert_eq!(created.status, 201, "{created:?}");
    let refused = delete(&server, "gpu-servers/gpu-1");
    refused.assert_problem(409, "in_use");
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("digits")
    );
    let back = json!({"runner": {"kind": "component"}});
    assert_eq!(patch(&server, "challenges/digits", &back).status, 200);
    assert_eq!(delete(&server, "gpu-servers/gpu-1").status, 204);
    assert_eq!(
        get(&server, "gpu-servers")["gpu_servers"],
        Value::Array(Vec::new())
    );
    server.stop();
}
