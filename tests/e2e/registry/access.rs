//! Tokens, secrets, and who did what.

use super::{
    create_digits, delete, fields, get, operate, patch, path, post, runtime, serve, world,
};
use crate::support::{Server, World, send};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;

/// Whether any file of the database has these bytes in it.
fn database_holds(world: &World, text: &str) -> bool {
    let files = fs::read_dir(world.data()).unwrap().map(Result::unwrap);
    let files = files.filter(|file| {
        file.file_name()
            .to_string_lossy()
            .starts_with("proctor.sqlite")
    });
    let mut found = 0;
    let holds = files.inspect(|_| found += 1).any(|file| {
        fs::read(file.path())
            .unwrap()
            .windows(text.len())
            .any(|w| w == text.as_bytes())
    });
    assert!(holds || found > 0, "there is a database");
    holds
}

fn tokens(server: &Server) -> Vec<Value> {
    let record = get(server, "challenges/digits");
    record["tokens"].as_array().unwrap().clone()
}

fn rotate(server: &Server, overlap_s: f64) -> String {
    let body = json!({ "overlap_s": overlap_s });
    let rotated = post(server, "challenges/digits/rotate-token", &body);
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let rotated = rotated.json();
    let token = rotated["challenge_token"].as_str().unwrap().to_owned();
    let hint = format!("{}…{}", &token[..4], &token[39..]);
    assert_eq!(rotated["token_hint"], hint);
    token
}

#[test]
fn a_token_is_told_once_rotated_with_an_overlap_and_revoked_at_once() {
    let world = world("");
    let server = serve(&world);
    let first = create_digits(&server, &json!({}))["challenge_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(first.len(), 43);
    assert_eq!(tokens(&server).len(), 1);
    let second = rotate(&server, 600.0);
    assert_ne!(first, second);
    let now = tokens(&server);
    assert_eq!(now.len(), 2);
    assert_eq!(now[0]["expires_at"], world.now() + 600.0);
    assert_eq!(now[1]["expires_at"], Value::Null);
    let text = get(&server, "challenges").to_string() + &get(&server, "audit").to_string();
    for token in [&first, &second] {
        assert!(!text.contains(token.as_str()), "it is not told again");
        assert!(!database_holds(&world, token), "only a hash of it is kept");
    }
    world.pass(601.0);
    assert_eq!(tokens(&server).len(), 1, "the first has ended");

    let id = tokens(&server)[0]["id"].clone();
    let third = rotate(&server, 0.0);
    assert_ne!(third, second);
    assert_eq!(
        tokens(&server).len(),
        1,
        "without an overlap it ends at once"
    );
    let gone = delete(&server, &format!("challenges/digits/tokens/{id}"));
    gone.assert_problem(404, "unknown_token");
    let id = tokens(&server)[0]["id"].clone();
    assert_eq!(
        delete(&server, &format!("challenges/digits/tokens/{id}")).status,
        204
    );
    assert_eq!(tokens(&server), [] as [Value; 0]);
    for overlap in [json!(-1), json!(604_801), json!("long"), Value::Null] {
        let body = json!({ "overlap_s": overlap });
        let refused = post(&server, "challenges/digits/rotate-token", &body);
        assert_eq!(fields(&refused), ["overlap_s"]);
    }
    server.stop();
}

#[test]
fn a_dry_run_makes_no_token_and_ends_none() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({}));
    let before = (get(&server, "challenges/digits"), get(&server, "audit"));
    let id = before.0["tokens"][0]["id"].clone();
    let rotate = "challenges/digits/rotate-token?dry_run=true";
    let would = post(&server, rotate, &json!({ "overlap_s": 0 }));
    assert_eq!(would.status, 200, "{would:?}");
    let would = would.json();
    assert_eq!(would["dry_run"], true);
    for told in ["challenge_token", "token_hint"] {
        assert_eq!(would[told], Value::Null);
    }
    let bad = post(&server, rotate, &json!({ "overlap_s": -1 }));
    assert_eq!(fields(&bad), ["overlap_s"]);
    let route = format!("challenges/digits/tokens/{id}");
    let would = delete(&server, &format!("{route}?dry_run=true"));
    assert_eq!(would.status, 204, "{would:?}");
    let after = (get(&server, "challenges/digits"), get(&server, "audit"));
    assert_eq!(after, before);
    let odd = delete(&server, &format!("{route}?dry_run=perhaps"));
    odd.assert_problem(400, "invalid_query");
    assert_eq!(delete(&server, &route).status, 204);
    assert_eq!(tokens(&server), [] as [Value; 0]);
    server.stop();
}

#[test]
fn a_rotation_that_is_sent_again_gives_the_same_token() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({}));
    let route = path("challenges/digits/rotate-token");
    let rotate = || {
        server
            .admin("POST", &route, None, &[("idempotency-key", "k")])
            .json()
    };
    let first = rotate();
    assert_eq!(rotate(), first);
    assert_eq!(tokens(&server).len(), 2, "that of the record, and one more");
    let token = first["challenge_token"].as_str().unwrap();
    assert!(
        !database_holds(&world, token),
        "what is answered again is sealed"
    );
    server.stop();
}

const SECRET: &str = "correct-horse-battery-staple";

#[test]
fn a_secret_goes_in_sealed_and_never_comes_out() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"secrets": ["API_KEY"]}));
    let missing = post(&server, "challenges/digits/activate", &json!({}));
    missing.assert_problem(409, "not_ready");
    assert!(missing.body.contains("missing_secret"), "{missing:?}");
    assert!(missing.body.contains("API_KEY"), "{missing:?}");

    let route = path("challenges/digits/secrets/API_KEY");
    let put = |route: &str, value: &Value| {
        server.admin("PUT", route, Some(&json!({ "value": value })), &[])
    };
    assert_eq!(put(&route, &json!(SECRET)).status, 204);
    operate(&server, "digits", "activate");
    assert_eq!(
        runtime(&server, "digits")["state"],
        "running",
        "it has what it needs"
    );
    let record = get(&server, "challenges/digits");
    assert_eq!(record["secrets_set"]["API_KEY"], world.now());
    assert_eq!(record["runtime"]["revision"], record["revision"]);
    for page in [
        "challenges",
        "challenges/digits",
        "audit",
        "challenges/digits/logs",
    ] {
        assert!(!get(&server, page).to_string().contains(SECRET), "{page}");
    }
    assert!(
        !server.get("/v1/registry").body.contains("API_KEY"),
        "not even the name"
    );
    assert!(!database_holds(&world, SECRET));
    server
        .admin("GET", &route, None, &[])
        .assert_problem(405, "method_not_allowed");

    put(&path("challenges/digits/secrets/OTHER"), &json!("x"))
        .assert_problem(404, "unknown_secret");
    for value in [
        json!(7),
        Value::Null,
        json!("a\0b"),
        json!("x".repeat(65_537)),
    ] {
        assert_eq!(fields(&put(&route, &value)), ["value"]);
    }
    assert_eq!(
        delete(&server, "challenges/digits/secrets/API_KEY").status,
        204
    );
    assert_eq!(
        runtime(&server, "digits")["reason"]["code"],
        "missing_secret"
    );
    assert_eq!(put(&route, &json!(SECRET)).status, 204);
    server.stop();

    // Whoever has only the database has no secret: without the key it is lost.
    fs::remove_file(world.data().join("registry.key")).unwrap();
    let server = serve(&world);
    let lost = runtime(&server, "digits");
    assert_eq!(lost["reason"]["code"], "missing_secret", "{lost}");
    let reason = lost["reason"]["reason"].as_str().unwrap();
    assert!(reason.contains("another key"), "{reason}");
    assert_eq!(
        server
            .admin("PUT", &route, Some(&json!({"value": SECRET})), &[])
            .status,
        204
    );
    assert_eq!(runtime(&server, "digits")["state"], "running");
    server.stop();
}

#[test]
fn every_change_is_audited_with_who_made_it() {
    let world = world("");
    let server = serve(&world);
    create_digits(&server, &json!({"secrets": ["API_KEY"]}));
    let alice = "alice-has-a-token-of-forty-characters-00";
    let tokens = world.data().join("admin.tokens");
    let mut file = fs::OpenOptions::new().append(true).open(tokens).unwrap();
    writeln!(file, "alice {alice}").unwrap();
    let as_alice = |method: &str, rest: &str, body: &str| {
        let headers = [
            ("x-admin-token", alice),
            ("content-type", "application/json"),
        ];
        send(
            &server.admin,
            method,
            &path(rest),
            &headers,
            body.as_bytes(),
        )
    };
    let changed = as_alice("PATCH", "challenges/digits", "{\"emission_percent\": 20}");
    assert_eq!(changed.status, 200, "{changed:?}");
    // What changes nothing is no change.
    as_alice("PATCH", "challenges/digits", "{\"emission_percent\": 20}");
    as_alice(
        "PUT",
        "challenges/digits/secrets/API_KEY",
        &json!({"value": SECRET}).to_string(),
    );
    operate(&server, "digits", "activate");
    operate(&server, "digits", "restart");
    patch(
        &server,
        "challenges/digits",
        &json!({"emission_percent": 200}),
    );
    let log = get(&server, "audit?subject=digits");
    let told: Vec<(&str, &str)> = log["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["actor"].as_str().unwrap(),
                change["action"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("operator", "restart"),
        ("operator", "activate"),
        ("alice", "set_secret"),
        ("alice", "update"),
        ("operator", "create"),
    ];
    assert_eq!(told, expected);
    let update = &log["changes"][3];
    assert_eq!(update["changes"], json!({"emission_percent": [0.0, 20.0]}));
    assert_eq!(
        (&update["at"], &update["subject"]),
        (&json!(world.now()), &json!("digits"))
    );
    assert!(!log.to_string().contains(SECRET));

    let number = update["id"].as_i64().unwrap();
    let earlier = get(&server, &format!("audit?before={number}&limit=1"));
    assert_eq!(earlier["changes"][0]["action"], "create");
    assert_eq!(get(&server, "audit?subject=nobody")["changes"], json!([]));
    for query in ["limit=0", "limit=1001", "before=x"] {
        let odd = server.admin("GET", &path(&format!("audit?{query}")), None, &[]);
        odd.assert_problem(400, "invalid_query");
    }
    server.stop();
}
