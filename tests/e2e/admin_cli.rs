//! The operator's commands, against a host that serves.

use crate::registry::{self, create_digits, get, world};
use crate::support::{Ran, Server, World, run, variant};
use proctor_testing::guest;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// A command that asks this host.
fn command(world: &World, server: &Server, arguments: &[&str]) -> Command {
    let mut command = world.proctor(arguments);
    let url = format!("http://{}", server.admin);
    command
        .args(["--url", &url, "--config"])
        .arg(world.config());
    command
}

fn ask(world: &World, server: &Server, arguments: &[&str]) -> Ran {
    run(&mut command(world, server, arguments))
}

/// What a command prints that succeeds.
#[track_caller]
fn done(world: &World, server: &Server, arguments: &[&str]) -> String {
    let ran = ask(world, server, arguments);
    assert!(
        ran.status.success(),
        "{arguments:?}: {}{}",
        ran.stdout,
        ran.stderr
    );
    ran.stdout
}

/// The same with `--json`.
#[track_caller]
fn json_of(world: &World, server: &Server, arguments: &[&str]) -> Value {
    let printed = done(world, server, &[arguments, &["--json"]].concat());
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// All of this is in a text.
#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?}: {text}");
    }
}

/// A world whose host has the digits challenge as a draft.
fn with_draft() -> (World, Server, Value) {
    let world = world("");
    let server = registry::serve(&world);
    let created = create_digits(&server, &json!({}));
    (world, server, created)
}

const RUN: [&str; 2] = ["challenge", "create"];

#[test]
fn a_component_is_added_and_a_challenge_made_of_it() {
    let world = world("");
    let server = registry::serve(&world);
    let file = guest("digits");
    let file = file.to_str().unwrap();
    let artifact = done(&world, &server, &["component", "add", file]);
    let artifact = artifact.trim_end();
    assert!(
        artifact.starts_with("sha256:") && artifact.len() == 71,
        "{artifact}"
    );
    let added = json_of(&world, &server, &["component", "add", file]);
    assert_eq!(added["artifact"], artifact);

    let fields = world.write(
        "digits.toml",
        "emission_percent = 10\n[settings]\ntasks = 2\nbatch_size = 5\n",
    );
    let arguments = [
        &RUN[..],
        &[
            "digits",
            "--artifact",
            artifact,
            "--name",
            "Digits",
            "--from",
            &fields,
        ],
        &[
            "--set",
            "settings.batch_size=10",
            "--set",
            "metadata.tagline=Ten of them",
        ],
    ]
    .concat();
    let would = done(&world, &server, &[&arguments[..], &["--dry-run"]].concat());
    assert_says(
        &would,
        &["Nothing was changed", "settings.batch_size", artifact],
    );
    let would = json_of(&world, &server, &[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(
        (&would["dry_run"], &would["challenge_token"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(get(&server, "challenges")["challenges"], json!([]));

    let created = ask(&world, &server, &arguments);
    assert!(created.status.success(), "{}", created.stderr);
    let token = created.stdout.trim_end();
    assert_eq!(token.len(), 43, "the token alone: {}", created.stdout);
    assert_says(&created.stderr, &["digits", "draft", "Keep it"]);
    assert!(!created.stderr.contains(token));
    let record = get(&server, "challenges/digits");
    assert_eq!(record["settings"], json!({"tasks": 2, "batch_size": 10}));
    assert_eq!(
        (&record["name"], &record["emission_percent"]),
        (&json!("Digits"), &json!(10.0))
    );
    assert_eq!(record["metadata"], json!({"tagline": "Ten of them"}));

    ask(&world, &server, &arguments)
        .assert_refused(&["error: exists: there is a challenge \"digits\" already"]);
    let other = ["challenge", "create", "Bad Slug", "--artifact", artifact];
    ask(&world, &server, &other)
        .assert_refused(&["error: invalid_fields: slug:", "\n  slug: is not "]);
    let fields = world.write("other.json", "{\"slug\": \"other\"}");
    let mixed = ["challenge", "create", "digits", "--from", &fields];
    ask(&world, &server, &mixed).assert_refused(&["other", "digits"]);
    ask(&world, &server, &["component", "add", &fields]).assert_refused(&["no_component"]);
    ask(&world, &server, &["component", "add", "nowhere.wasm"]).assert_refused(&["nowhere.wasm"]);
    server.stop();
}

#[test]
fn a_record_can_be_looked_at() {
    let (world, server, created) = with_draft();
    let digest = created["challenge"]["digest"].as_str().unwrap();
    let list = done(&world, &server, &["challenge", "list"]);
    assert_says(
        &list,
        &[
            "slug",
            "emission %",
            "digits",
            "draft",
            "stopped",
            &digest[7..19],
        ],
    );
    assert_eq!(
        json_of(&world, &server, &["challenge", "list"]),
        get(&server, "challenges")
    );
    let shown = done(&world, &server, &["challenge", "show", "digits"]);
    let hint = created["challenge"]["tokens"][0]["hint"].as_str().unwrap();
    assert_says(
        &shown,
        &[
            "settings.tasks",
            digest,
            hint,
            "/challenges/digits",
            "stopped",
        ],
    );
    let shown = json_of(&world, &server, &["challenge", "show", "digits"]);
    assert_eq!(shown, get(&server, "challenges/digits"));
    let versions = done(&world, &server, &["challenge", "versions", "digits"]);
    assert_says(&versions, &[digest, "yes"]);
    let versions = json_of(&world, &server, &["challenge", "versions", "digits"]);
    assert_eq!(versions, get(&server, "challenges/digits/versions"));
    let audit = done(&world, &server, &["challenge", "audit", "digits"]);
    assert_says(
        &audit,
        &["operator", "digits", "create", "2026-08-22T15:00:00Z"],
    );
    let audit = json_of(&world, &server, &["challenge", "audit", "--limit", "1"]);
    assert_eq!(audit, get(&server, "audit?limit=1"));
    for command in ["show", "status", "versions", "activate", "delete", "logs"] {
        let ran = ask(&world, &server, &["challenge", command, "nobody"]);
        ran.assert_refused(&["error: unknown_challenge: there is no challenge \"nobody\""]);
    }
    server.stop();
}

#[test]
fn a_challenge_is_operated() {
    let (world, server, created) = with_draft();
    let challenge = |command: &str| done(&world, &server, &["challenge", command, "digits"]);
    let stopped = ask(&world, &server, &["challenge", "status", "digits"]);
    assert_eq!(
        (stopped.status.code(), stopped.stderr.as_str()),
        (Some(1), "")
    );
    assert_says(&stopped.stdout, &["digits: draft", "stopped"]);
    let would = done(
        &world,
        &server,
        &["challenge", "activate", "digits", "--dry-run"],
    );
    assert_says(&would, &["Nothing was changed"]);
    assert_says(&challenge("activate"), &["digits: active", "running since"]);
    assert_says(&challenge("status"), &["digits: active", "running since"]);
    let status = json_of(&world, &server, &["challenge", "status", "digits"]);
    assert_eq!(status["runtime"]["state"], "running");
    assert_says(&challenge("restart"), &["running since"]);
    assert_says(&challenge("pull"), &["running since"]);

    let second = world.write("second.wasm", variant("digits", 2));
    let second = done(&world, &server, &["component", "add", &second]);
    world.pass(60.0);
    let setting = format!("artifact={}", second.trim_end());
    let swapped = done(
        &world,
        &server,
        &["challenge", "update", "digits", "--set", &setting],
    );
    assert_says(
        &swapped,
        &["digest: sha256:", " -> sha256:", "running since"],
    );
    let first = created["challenge"]["digest"].as_str().unwrap();
    let back = ["challenge", "rollback", "digits", "--digest", &first[..20]];
    let back = json_of(&world, &server, &back);
    assert_eq!(
        back["runtime"]["digest"], first,
        "the beginning of a digest is enough"
    );
    challenge("rollback");
    assert_eq!(
        get(&server, "challenges/digits")["digest"],
        second.trim_end()
    );
    let unknown = ask(
        &world,
        &server,
        &["challenge", "rollback", "digits", "--digest", "sha256:00"],
    );
    unknown.assert_refused(&["error: unknown_version"]);

    assert_eq!(
        json_of(&world, &server, &["challenge", "deactivate", "digits"])["status"],
        "inactive"
    );
    assert_says(&challenge("disable"), &["digits: disabled", "stopped"]);
    let refused = ask(&world, &server, &["challenge", "activate", "digits"]);
    refused.assert_refused(&["error: transition: disabled cannot become active"]);
    server.stop();
}

#[test]
fn a_record_is_changed_by_what_is_set() {
    let (world, server, _) = with_draft();
    let update = |more: &[&str]| {
        ask(
            &world,
            &server,
            &[&["challenge", "update", "digits"], more].concat(),
        )
    };
    let would = update(&["--set", "emission_percent=20", "--dry-run"]);
    assert_says(
        &would.stdout,
        &["Nothing was changed", "emission_percent: 0.0 -> 20.0"],
    );
    assert_eq!(get(&server, "challenges/digits")["emission_percent"], 0.0);
    let changed = update(&[
        "--set",
        "settings.tasks=3",
        "--set",
        "environment.MODE=fast",
        "--set",
        "environment.TWO=\"2\"",
    ]);
    assert_says(&changed.stdout, &["settings: ", "environment: - -> "]);
    let record = get(&server, "challenges/digits");
    let settings = json!({"tasks": 3, "batch_size": 10, "min_score": 0.2});
    assert_eq!(record["settings"], settings, "what is beside it stays");
    let changed = update(&[
        "--unset",
        "environment.TWO",
        "--set",
        "name=Digits",
        "--json",
    ])
    .json();
    assert_eq!(changed["environment"], json!({"MODE": "fast"}));
    assert_eq!(changed["name"], "Digits");
    assert_says(
        &update(&["--set", "name=Digits"]).stdout,
        &["Nothing is different"],
    );

    update(&[
        "--set",
        "emission_percent=200",
        "--set",
        "limits.fuel=0",
        "--set",
        "nonsense=1",
    ])
    .assert_refused(&["error: invalid_fields: ", "\n  nonsense: "]);
    update(&["--set", "emission_percent=200", "--set", "limits.fuel=0"]).assert_refused(&[
        "error: invalid_fields: 2 fields are not valid\n",
        "\n  emission_percent: 200 is not in 0 to 100\n",
        "\n  limits.fuel: ",
    ]);
    let refused = update(&["--set", "settings.tasks=0", "--json"]);
    refused.assert_refused(&[]);
    let problem: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(
        (&problem["code"], &problem["errors"][0]["field"]),
        (&json!("invalid_fields"), &json!("settings.tasks"))
    );
    assert_eq!(refused.stdout, "");
    update(&[]).assert_refused(&["--set"]);
    update(&["--set", "name"]).assert_refused(&["KEY=VALUE"]);
    update(&["--unset", "environment.NONE"]).assert_refused(&["environment.NONE"]);
    server.stop();
}

/// One request, and its body as far as it came in one piece.
fn request(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut seen = [0; 4096];
    let mut request = String::new();
    while !request.contains("\r\n\r\n") {
        let count = stream.read(&mut seen).unwrap();
        request.push_str(std::str::from_utf8(&seen[..count]).unwrap());
    }
    stream.write_all(answer.as_bytes()).unwrap();
    request.to_lowercase()
}

fn answer(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_update_is_of_what_was_read_and_a_creation_is_sent_again_with_its_key() {
    let world = world("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = |arguments: &[&str]| {
        let mut command = world.proctor(arguments);
        command
            .args(["--url", &url])
            .env("PROCTOR_ADMIN_TOKEN", "t0ken");
        thread::spawn(move || run(&mut command))
    };
    let updating = asked(&["challenge", "update", "digits", "--set", "name=x"]);
    let read = request(
        &listener,
        &answer("200 OK", "etag: \"7\"\r\n", &json!({"slug": "digits"})),
    );
    assert_says(
        &read,
        &[
            "get /v1/admin/challenges/digits ",
            "authorization: bearer t0ken",
        ],
    );
    let lost = json!({"code": "precondition_failed", "detail": "the record is at revision 8 now"});
    let change = request(&listener, &answer("412 Precondition Failed", "", &lost));
    assert_says(
        &change,
        &["patch /v1/admin/challenges/digits ", "if-match: \"7\""],
    );
    let words = [
        "precondition_failed: the record is at revision 8 now",
        "Somebody else changed it",
    ];
    updating.join().unwrap().assert_refused(&words);

    let creating = asked(&["challenge", "create", "digits", "--artifact", "file:x.wasm"]);
    // It is heard, and not answered.
    let first = request(&listener, "");
    let made =
        json!({"challenge": {"slug": "digits"}, "challenge_token": "told once", "dry_run": false});
    let second = request(&listener, &answer("201 Created", "", &made));
    let key = |request: &str| {
        let mut lines = request.lines();
        lines
            .find(|line| line.starts_with("idempotency-key: "))
            .map(str::to_owned)
    };
    assert!(key(&first).is_some());
    assert_eq!(key(&first), key(&second));
    let created = creating.join().unwrap();
    assert_eq!(created.stdout, "told once\n", "{}", created.stderr);

    // What is no answer of the API is told as such.
    let listing = asked(&["challenge", "list"]);
    request(
        &listener,
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\nconnection: close\r\n\r\n\x1b[m",
    );
    listing
        .join()
        .unwrap()
        .assert_refused(&["502 Bad Gateway", "\\u{1b}[m"]);
}

#[test]
fn a_deletion_is_asked_for() {
    let (world, server, _) = with_draft();
    let delete = |more: &[&str]| {
        ask(
            &world,
            &server,
            &[&["challenge", "delete", "digits"], more].concat(),
        )
    };
    let would = delete(&["--dry-run"]);
    assert_says(
        &would.stdout,
        &[
            "would go: record, tokens, secrets\n",
            "would stay: audit log",
        ],
    );
    let refused = delete(&[]);
    refused.assert_refused(&["goes: record", "stays: audit log", "give --yes"]);
    assert_eq!(get(&server, "challenges/digits")["status"], "draft");
    let gone = delete(&["--yes", "--data", "purge"]);
    assert_says(
        &gone.stdout,
        &[
            "digits is deleted\n",
            "gone: record, tokens, secrets, volume (",
        ],
    );
    create_digits(&server, &json!({}));
    let gone = delete(&["--yes", "--json"]).json();
    assert_eq!(
        (&gone["slug"], &gone["dry_run"]),
        (&json!("digits"), &json!(false))
    );
    create_digits(&server, &json!({"status": "active"}));
    delete(&["--yes"])
        .assert_refused(&["error: still_active: the challenge is active: deactivate it first"]);
    server.stop();
}

#[test]
fn tokens_and_secrets_are_kept_from_other_eyes() {
    let (world, server, created) = with_draft();
    let first = created["challenge_token"].as_str().unwrap();
    let rotated = ask(
        &world,
        &server,
        &["challenge", "rotate-token", "digits", "--overlap", "60"],
    );
    let token = rotated.stdout.trim_end();
    assert!(token.len() == 43 && token != first, "{}", rotated.stdout);
    assert_says(&rotated.stderr, &["Keep it", "60 s"]);
    let rotated = json_of(&world, &server, &["challenge", "rotate-token", "digits"]);
    assert_eq!(rotated["challenge_token"].as_str().unwrap().len(), 43);
    let shown = get(&server, "challenges/digits");
    assert_eq!(shown["tokens"].as_array().unwrap().len(), 3);
    let id = shown["tokens"][0]["id"].to_string();
    let revoked = done(
        &world,
        &server,
        &["challenge", "revoke-token", "digits", &id],
    );
    assert_says(&revoked, &["is no token any more"]);
    let again = ask(
        &world,
        &server,
        &["challenge", "revoke-token", "digits", &id],
    );
    again.assert_refused(&["error: unknown_token"]);

    let name = [
        "challenge",
        "update",
        "digits",
        "--set",
        "secrets=[\"API_KEY\", \"TWO\"]",
    ];
    done(&world, &server, &name);
    let file = world.write("secret", "from-a-file\n");
    let mut set = command(
        &world,
        &server,
        &["challenge", "set-secret", "digits", "API_KEY"],
    );
    let set = run(set.stdin(File::open(&file).unwrap()));
    assert_eq!(
        set.stdout, "the secret API_KEY of digits is set\n",
        "{}",
        set.stderr
    );
    let from_file = [
        "challenge",
        "set-secret",
        "digits",
        "TWO",
        "--from-file",
        &file,
    ];
    done(&world, &server, &from_file);
    let shown = done(&world, &server, &["challenge", "show", "digits"]);
    assert_says(
        &shown,
        &["secret API_KEY", "secret TWO", "set 2026-08-22T15:00:00Z"],
    );
    assert!(!shown.contains("from-a-file"));
    let other = [
        "challenge",
        "set-secret",
        "digits",
        "OTHER",
        "--from-file",
        &file,
    ];
    ask(&world, &server, &other).assert_refused(&["error: unknown_secret"]);
    let value = ["challenge", "set-secret", "digits", "TWO", "value"];
    let value = ask(&world, &server, &value);
    assert_eq!(
        value.status.code(),
        Some(2),
        "no value is an argument: {}",
        value.stderr
    );
    let removed = done(
        &world,
        &server,
        &["challenge", "remove-secret", "digits", "TWO"],
    );
    assert_says(
        &removed,
        &["the secret TWO of digits has no value any more"],
    );
    let shown = done(&world, &server, &["challenge", "show", "digits"]);
    assert_says(&shown, &["has no value"]);
    server.stop();
}

#[test]
fn a_log_is_printed_and_followed_until_it_is_interrupted() {
    let (world, server, _) = with_draft();
    done(&world, &server, &["challenge", "activate", "digits"]);
    let log = done(&world, &server, &["challenge", "logs", "digits"]);
    assert_says(&log, &[" host: runs version ", "2026-08-22T15:00:00Z"]);
    let entries = json_of(
        &world,
        &server,
        &["challenge", "logs", "digits", "--limit", "1"],
    );
    let last = entries["entries"][0]["id"].to_string();
    let none = done(
        &world,
        &server,
        &["challenge", "logs", "digits", "--after", &last],
    );
    assert_eq!(none, "");

    let arguments = [
        "challenge",
        "logs",
        "digits",
        "--follow",
        "--after",
        &last,
        "--json",
    ];
    let mut following = command(&world, &server, &arguments);
    let mut following = following.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(following.stdout.take().unwrap());
    let (sender, lines) = channel();
    let reading = thread::spawn(move || {
        for line in out.lines() {
            sender.send(line.unwrap()).unwrap();
        }
    });
    done(&world, &server, &["challenge", "restart", "digits"]);
    loop {
        let line = lines.recv_timeout(Duration::from_secs(60)).unwrap();
        let entry: Value = serde_json::from_str(&line).unwrap();
        if entry["text"].as_str().unwrap().contains("runs version") {
            break;
        }
    }
    let pid = following.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(following.wait().unwrap().success(), "Ctrl-C is its end");
    reading.join().unwrap();

    // The end of the host is not.
    let mut following = command(&world, &server, &arguments[..4]);
    let mut following = following
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(following.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    assert_says(&first, &["host"]);
    server.stop();
    let ended = following.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_says(
        &String::from_utf8(ended.stderr).unwrap(),
        &["the host ended"],
    );
}

#[test]
fn servers_with_gpus_are_looked_after() {
    let world = world("registry.private_hosts = ['127.0.0.1']");
    let server = registry::serve(&world);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let token = world.write("agent.token", "agent-token-agent-token\n");
    let gpu = |arguments: &[&str]| ask(&world, &server, &[&["gpu-server"], arguments].concat());
    let add = [
        "add",
        "gpu-1",
        "--base-url",
        &address,
        "--agent-token-file",
        &token,
        "--set",
        "labels.rack=\"7\"",
    ];
    let added = gpu(&add);
    assert_says(&added.stdout, &["gpu-1", &address, "agen…oken"]);
    gpu(&add).assert_refused(&["error: exists"]);
    gpu(&["add", "gpu-2", "--base-url", "ftp://x", "--json"]).assert_refused(&["\"base_url\""]);
    assert_says(&gpu(&["list"]).stdout, &["gpu-1", "yes", &address]);
    assert_eq!(gpu(&["list", "--json"]).json(), get(&server, "gpu-servers"));
    assert_eq!(
        gpu(&["show", "gpu-1", "--json"]).json(),
        get(&server, "gpu-servers/gpu-1")
    );
    assert_says(
        &gpu(&["show", "gpu-1"]).stdout,
        &["min_gpu_count", "created_at"],
    );
    let changed = gpu(&[
        "update",
        "gpu-1",
        "--set",
        "min_gpu_count=2",
        "--unset",
        "labels.rack",
    ]);
    assert_says(&changed.stdout, &["min_gpu_count: 1 -> 2", "labels: "]);
    assert_eq!(get(&server, "gpu-servers/gpu-1")["labels"], json!({}));
    assert_eq!(gpu(&["disable", "gpu-1"]).stdout, "gpu-1 is disabled\n");
    assert_says(&gpu(&["list"]).stdout, &["no"]);
    assert_eq!(gpu(&["enable", "gpu-1", "--json"]).json()["enabled"], true);

    let probing = thread::spawn(move || {
        let well = request(&listener, &answer("200 OK", "", &json!({"status": "ok"})));
        let ill = request(
            &listener,
            &answer("200 OK", "", &json!({"status": "on fire"})),
        );
        [well, ill]
    });
    let well = gpu(&["health", "gpu-1"]);
    assert_eq!(well.status.code(), Some(0), "{}", well.stderr);
    assert_says(&well.stdout, &["gpu-1: ok"]);
    let ill = gpu(&["health", "gpu-1"]);
    assert_eq!(ill.status.code(), Some(1));
    assert_says(&ill.stdout, &["gpu-1: error, unwell: ", "on fire"]);
    let [asked, _] = probing.join().unwrap();
    assert_says(
        &asked,
        &[
            "get /health ",
            "authorization: bearer agent-token-agent-token",
        ],
    );

    assert_eq!(gpu(&["remove", "gpu-1"]).stdout, "gpu-1 is removed\n");
    gpu(&["show", "gpu-1"]).assert_refused(&["error: unknown_gpu_server"]);
    server.stop();
}

#[test]
fn the_public_registry_is_printed_without_a_token() {
    let (world, server, _) = with_draft();
    let public = format!("http://{}", server.public);
    let print = |more: &[&str]| {
        let mut command = world.proctor(&["registry", "print", "--url", &public]);
        run(command.args(more).arg("--config").arg(world.config()))
    };
    assert!(
        !print(&[]).stdout.contains("digits"),
        "a draft is nobody's business"
    );
    done(&world, &server, &["challenge", "activate", "digits"]);
    assert_says(
        &print(&[]).stdout,
        &["slug", "digits", "active", "/challenges/digits"],
    );
    let registry = print(&["--json"]).json();
    assert_eq!(registry, server.get("/v1/registry").json());
    assert_eq!(registry["challenges"][0]["slug"], "digits");
    server.stop();
}

#[test]
fn whoever_cannot_ask_is_told_why() {
    let (world, server, _) = with_draft();
    let list = |url: &str, token_file: Option<&str>| {
        let mut command = world.proctor(&["challenge", "list", "--url", url]);
        if let Some(file) = token_file {
            command.args(["--token-file", file]);
        }
        run(command.arg("--config").arg(world.config()))
    };
    let url = format!("http://{}", server.admin);
    assert!(
        list(&url, None).status.success(),
        "the token is where the configuration says"
    );
    let wrong = world.write("wrong", "operator this-is-not-the-token-of-anybody\n");
    list(&url, Some(&wrong)).assert_refused(&["error: unauthorized: "]);
    let empty = world.write("empty", "# nothing\n");
    list(&url, Some(&empty)).assert_refused(&["there is no token in it"]);
    list(&url, Some("nowhere")).assert_refused(&["nowhere", "--token-file", "PROCTOR_ADMIN_TOKEN"]);
    list("127.0.0.1:1", None).assert_refused(&["127.0.0.1:1 is no address"]);
    // Nobody listens there any more.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    list(&format!("http://{free}"), None).assert_refused(&[
        "cannot reach",
        "proctor serve",
        "--url",
    ]);
    let mut unset = world.proctor(&["challenge", "list", "--config"]);
    run(unset.arg(world.config())).assert_refused(&["admin.listen", "--url"]);

    // Who is told both needs no configuration.
    let mut remote = world.proctor(&["challenge", "list", "--config", "nowhere.toml"]);
    remote
        .env("PROCTOR_ADMIN_TOKEN", server.token())
        .env("PROCTOR_ADMIN_URL", &url);
    let listed = run(&mut remote);
    assert_says(&listed.stdout, &["digits"]);
    // These variables are not of the configuration.
    let mut other = world.proctor(&["db", "check", "--config"]);
    other
        .arg(world.config())
        .env("PROCTOR_ADMIN_TOKEN", "x")
        .env("PROCTOR_ADMIN_URL", "x");
    assert!(run(&mut other).status.success());
    let odd = ask(&world, &server, &["challenge", "show", "../secrets"]);
    assert_eq!(odd.status.code(), Some(2), "{}", odd.stderr);
    for _ in 0..10 {
        list(&url, Some(&wrong));
    }
    list(&url, Some(&wrong)).assert_refused(&["error: locked_out: ", "\nTry again in "]);
    server.stop();
}

#[test]
fn a_host_with_a_certificate_is_asked_with_tls() {
    const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tls");
    let certificate = format!("{TLS}/one.pem");
    let world = world(&format!(
        "admin.tls_cert = '{certificate}'\nadmin.tls_key = '{TLS}/one.key'"
    ));
    let server = world.serve(&[]);
    let url = format!("https://{}", server.admin);
    let list = |more: &[&str]| {
        let mut command = world.proctor(&["challenge", "list", "--url", &url, "--config"]);
        run(command.arg(world.config()).args(more))
    };
    let trusted = list(&["--ca", &certificate]);
    assert!(trusted.status.success(), "{}", trusted.stderr);
    let other = format!("{TLS}/two.pem");
    list(&["--ca", &other]).assert_refused(&["cannot reach", "certificate"]);
    list(&[]).assert_refused(&["certificate"]);
    list(&["--ca", &format!("{TLS}/one.key")]).assert_refused(&["there is no certificate in it"]);
    server.stop();
}
