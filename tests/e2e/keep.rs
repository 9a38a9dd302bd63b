//! Backup, restore, what is kept for how long, and the database looked after.

use crate::commits::{Commit, HOUR, all_revealed, document};
use crate::http::Response;
use crate::stored::{Done, Dump};
use crate::support::{DAY, Ran, Server, World, until};
use proctor_testing::guest_bytes;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

/// Looks for changes often.
const OFTEN: &str = "backup.interval_s=0.02";

fn backup_of(world: &World) -> PathBuf {
    world.data().join("scoring_results.json")
}

/// A world whose seed is not in its configuration.
fn world() -> World {
    let world = World::new().with_digits();
    let text = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), text.replace("seed = 7\n", "")).unwrap();
    world
}

/// A world and what is committed in it: some is judged on the first day, the last is
/// opened on the second, when there is something to compare it with.
fn prepare(world: World) -> (World, Vec<Commit>) {
    let commits: Vec<Commit> = (3_u16..)
        .zip([
            ("endless_loop", 30.0),
            ("knn", 29.0),
            ("nearest_centroid", 28.0),
            ("knn_renamed", 10.0),
        ])
        .map(|(uid, (solver, hours))| Commit::new(uid, &world.add_artifact(solver), hours))
        .collect();
    world.ingest(0, &all_revealed(&commits));
    world.ingest(
        1,
        &document([(commits[1].hotkey.as_str(), commits[1].sealed())]),
    );
    (world, commits)
}

/// What is in the backup.
fn saved(world: &World) -> Value {
    serde_json::from_slice(&fs::read(backup_of(world)).unwrap()).unwrap()
}

/// Serves until the day has its vector, and the backup as well.
fn finalize(world: &World) -> Server {
    let mut server = world.serve(&[OFTEN]);
    loop {
        let written = server.wait_for("backup written");
        let size = fs::metadata(backup_of(world)).unwrap().len();
        let vectors = saved(world)["vectors"].as_array().map_or(0, Vec::len);
        if *written.field("bytes") == size && vectors == 1 {
            return server;
        }
    }
}

fn ask(server: &Server, commits: &[Commit]) -> Response {
    let encrypted: Vec<&str> = commits.iter().map(|c| c.encrypted.as_str()).collect();
    let body = json!({"challenge_name": "digits", "encrypted_commits": encrypted});
    let response = server.post("/get_scoring_result", &body);
    assert_eq!(response.status, 200, "{}", response.body);
    response
}

/// The database of a world that is not served, to be tampered with.
fn database(world: &World) -> Connection {
    Connection::open(world.data().join("proctor.sqlite")).unwrap()
}

#[test]
fn a_restored_host_goes_on_where_it_was() {
    let (world, commits) = prepare(world());
    let server = finalize(&world);
    let answer = ask(&server, &commits);
    assert_eq!(answer.json()["data"]["is_done"], true);
    server.stop();
    // Nothing else is left of it.
    let other = self::world();
    let saved = other.write("saved.json", fs::read(backup_of(&world)).unwrap());
    for solver in ["endless_loop", "knn", "nearest_centroid", "knn_renamed"] {
        other.add_artifact(solver);
    }
    let restored: Value =
        serde_json::from_str(&other.done(&["restore", "--json", &saved])).unwrap();
    assert_eq!(restored["rows"]["commits"], commits.len());
    assert_eq!(restored["rows"]["results"], 3);

    let before = Done::of(&world);
    before.assert_kept(&Done::of(&other));
    Done::of(&other).assert_kept(&before);
    let mut server = other.serve(&[OFTEN]);
    server.wait_for("plugin active");
    assert_eq!(ask(&server, &commits).body, answer.body, "to the byte");

    // The next day is the same for both, down to the tasks that are drawn, and only
    // what is new is done.
    other.pass(DAY);
    server.wait_for("finalized");
    let log = server.stop();
    for step in [
        "revealed",
        "evaluated",
        "judged",
        "challenge finalized",
        "finalized",
    ] {
        let times = log.iter().filter(|event| event.is(step)).count();
        assert_eq!(times, 1, "{step}: {log:#?}");
    }
    before.assert_kept(&Done::of(&other));
    world.pass(DAY);
    let mut server = world.serve(&[]);
    server.wait_for("finalized");
    server.stop();
    let (wanted, found) = (Dump::of(&world), Dump::of(&other));
    assert_eq!(wanted.evaluations, found.evaluations);
    assert_eq!(wanted.comparisons, found.comparisons);
    assert_eq!(wanted.finalizations, found.finalizations);
    assert_eq!(wanted.vectors, found.vectors);
    other.done(&["db", "check"]);
}

#[test]
fn nothing_is_restored_from_what_is_no_whole_backup() {
    let (world, _) = prepare(world());
    finalize(&world).stop();
    let whole = fs::read(backup_of(&world)).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let foreign = json!([{"challenge_name": "digits", "docker_hub_id": "a/b@sha256:00",
                          "scoring_logs": [{"score": 1.0}], "comparison_logs": {}}]);
    let fresh = self::world();
    for (file, words) in [
        (whole[..whole.len() - 1].to_vec(), vec!["checksum"]),
        (whole[..whole.len() / 2].to_vec(), vec!["checksum"]),
        (
            // Whatever it is: the seed is another in each run.
            text.replacen("\"score\":", "\"score\":1", 1).into_bytes(),
            vec!["checksum"],
        ),
        (
            text.replacen("\"accepted\":1", "\"accepted\":0", 1)
                .into_bytes(),
            vec!["checksum"],
        ),
        (b"not JSON".to_vec(), vec!["not a whole backup"]),
        (b"{}".to_vec(), vec!["not a whole backup"]),
        (
            foreign.to_string().into_bytes(),
            vec!["1 results", "none of them can be taken"],
        ),
    ] {
        assert_ne!(file, whole);
        let file = fresh.write("saved.json", file);
        fresh.run(&["restore", &file]).assert_refused(&words);
        assert!(
            !fresh.data().join("proctor.sqlite").exists(),
            "nothing has changed"
        );
    }
    fresh
        .run(&["restore", "missing.json"])
        .assert_refused(&["missing.json"]);

    let saved = fresh.write("saved.json", &whole);
    let seed = "scoring.seed=7";
    fresh
        .run(&["restore", &saved, "--set", seed])
        .assert_refused(&["scoring.seed"]);
    let ran = world.run(&["restore", &saved]);
    ran.assert_refused(&["nothing was restored", "not empty"]);
    let server = fresh.serve(&[]);
    fresh.run(&["restore", &saved]).assert_refused(&["in use"]);
    server.stop();
    fresh.done(&["restore", &saved]);
}

#[test]
fn the_backup_is_private_and_written_only_when_something_changed() {
    let (world, commits) = prepare(world());
    let mut server = finalize(&world);
    until("the published vector is saved as well", || {
        let vectors = &saved(&world)["published_vectors"];
        vectors.as_array().is_some_and(|rows| rows.len() == 1)
    });
    // That it was saved may still be about to be told.
    server.watch_for(Duration::from_millis(200));
    let file = saved(&world);
    let rows = |part: &str| file[part].as_array().unwrap().len();
    assert_eq!((rows("commits"), rows("results")), (4, 3));
    assert_eq!((rows("finalizations"), rows("vectors")), (1, 1));
    let sealed = file["commits"].as_array().unwrap().iter();
    let mut sealed = sealed.filter(|commit| commit["state"] == "sealed");
    assert_eq!(
        sealed.next().unwrap()["key"],
        *commits[3].key,
        "it is needed to go on"
    );
    let metadata = fs::metadata(backup_of(&world)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let quiet = server.watch_for(Duration::from_millis(300));
    assert!(
        !quiet.iter().any(|event| event.is("backup written")),
        "{quiet:#?}"
    );
    server.stop();
    world.serve(&[OFTEN]).stop();
    let same = fs::metadata(backup_of(&world)).unwrap();
    assert_eq!(
        (same.ino(), same.mtime()),
        (metadata.ino(), metadata.mtime())
    );

    let mut server = world.serve(&[OFTEN]);
    let late = Commit::new(9, &"0".repeat(64), 1.0);
    world.ingest(0, &all_revealed(commits.iter().chain([&late])));
    server.wait_for("backup written");
    let text = fs::read_to_string(backup_of(&world)).unwrap();
    assert!(text.contains(&late.encrypted));
    server.stop();
}

#[test]
fn a_backup_that_cannot_be_written_stops_nothing_and_is_tried_again() {
    let (world, _) = prepare(world());
    let directory = world.path().join("elsewhere");
    let path = format!("backup.path='{}'", directory.join("saved.json").display());
    let mut server = world.serve(&[OFTEN, &path]);
    server.wait_for("backup not written");
    server.wait_for("finalized");
    fs::create_dir(&directory).unwrap();
    server.wait_for("backup written");
    server.stop();
    let saved = directory.join("saved.json");
    self::world().done(&["restore", saved.to_str().unwrap()]);
}

#[test]
fn a_new_database_does_not_overwrite_the_backup_of_a_lost_one() {
    let (world, commits) = prepare(world());
    finalize(&world).stop();
    let whole = fs::read(backup_of(&world)).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.data().join(format!("proctor.sqlite{suffix}")));
    }
    let mut server = world.serve(&[OFTEN]);
    server.wait_for("plugin active");
    assert_eq!(fs::read(backup_of(&world)).unwrap(), whole);
    world.ingest(0, &all_revealed(&commits[1..2]));
    let moved = server.wait(|event| event.message.contains("moved aside"));
    server.stop();
    assert_eq!(fs::read(moved.text("aside")).unwrap(), whole);
}

#[test]
fn old_days_leave_the_database_and_what_is_paid_stays() {
    let (world, commits) = prepare(World::new().with_digits());
    let server = finalize(&world);
    let before = ask(&server, &commits).json();
    server.stop();
    world.ingest(0, &document([]));
    world.ingest(1, &document([]));
    world.pass(89.0 * DAY);
    let compact =
        || -> Value { serde_json::from_str(&world.done(&["db", "compact", "--json"])).unwrap() };
    assert_eq!(
        compact(),
        json!({"days": [], "commits": 0}),
        "it is too early"
    );
    world.pass(2.0 * DAY);
    // The second and the third are standings, the fourth is sealed and has a key.
    assert_eq!(compact(), json!({"days": ["2026-08-22"], "commits": 1}));
    assert_eq!(compact(), json!({"days": [], "commits": 0}));
    assert!(world.data().join("archive/2026-08-22.jsonl.gz").is_file());
    world.done(&["db", "check"]);
    let told = world.ingest(0, &all_revealed([&commits[0]]));
    assert_eq!(told["new"], 0, "it does not come back: {told}");

    // So many days may mean a wrong clock: nothing is done without being told to.
    let mut server = world.serve(&[]);
    server.wait(|event| event.message.starts_with("too many days to catch up with"));
    server.stop();
    let mut server = world.serve(&["scoring.max_catch_up_days=100"]);
    server.wait_for("finalized");
    let after = ask(&server, &commits).json();
    let of =
        |answer: &Value, index: usize| answer["data"]["commits"][&commits[index].encrypted].clone();
    // With the seed of the configuration both always stand.
    for index in [1, 2] {
        assert_eq!(of(&before, index)["accepted"], true);
        assert_eq!(of(&after, index), of(&before, index));
    }
    assert_eq!(of(&before, 0)["accepted"], false);
    assert_eq!(of(&after, 0), Value::Null);
    server.stop();
    world
        .run(&["db", "compact", "--before", "2027-08-22"])
        .assert_refused(&["2027-08-22"]);
}

#[test]
fn a_host_has_old_days_leave_by_itself() {
    let (world, commits) = prepare(World::new().with_digits());
    finalize(&world).stop();
    world.ingest(0, &document([]));
    world.ingest(1, &document([]));
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let shown = |server: &Server| {
        let answer = ask(server, &commits).json();
        answer["data"]["commits"][&commits[0].encrypted].clone()
    };
    assert_eq!(shown(&server)["accepted"], false);
    server.stop();
    world.pass(91.0 * DAY);
    let mut server = world.serve(&[]);
    let left = server.wait_for("old days have left the database");
    assert_eq!(
        (left.field("days"), left.field("commits")),
        (&json!(1), &json!(1))
    );
    assert_eq!(shown(&server), Value::Null, "of what is in memory as well");
    server.stop();
}

#[test]
fn a_check_finds_what_may_not_be_while_a_host_runs() {
    let (world, _) = prepare(world());
    let nothing = self::world();
    nothing
        .run(&["db", "check"])
        .assert_refused(&["there is no database"]);
    let check = |world: &World| -> (Ran, Value) {
        let ran = world.run(&["db", "check", "--json"]);
        let found = ran.json();
        (ran, found)
    };
    let server = finalize(&world);
    let (ran, found) = check(&world);
    assert_eq!(
        (ran.status.code(), &found["ok"]),
        (Some(0), &json!(true)),
        "{found}"
    );
    server.stop();
    database(&world)
        .execute("UPDATE commits SET score = NULL WHERE state = 'judged'", [])
        .unwrap();
    let (ran, found) = check(&world);
    assert_eq!((ran.status.code(), &found["ok"]), (Some(1), &json!(false)));
    let problem = found["problems"][0]["problem"].as_str().unwrap();
    assert!(
        problem.contains("3 judged commits without a verdict"),
        "{problem}"
    );
}

#[test]
fn a_database_is_vacuumed_only_while_no_host_runs() {
    let (world, commits) = prepare(world());
    let server = finalize(&world);
    world.run(&["db", "vacuum"]).assert_refused(&["in use"]);
    world.run(&["db", "compact"]).assert_refused(&["in use"]);
    let answer = ask(&server, &commits);
    server.stop();
    let sizes: Value = serde_json::from_str(&world.done(&["db", "vacuum", "--json"])).unwrap();
    assert!(sizes["bytes"].as_u64().unwrap() <= sizes["bytes_before"].as_u64().unwrap());
    let server = world.serve(&[]);
    assert_eq!(ask(&server, &commits).body, answer.body);
    server.stop();
}

#[test]
fn an_export_tells_what_is_sealed_only_if_it_is_asked_to() {
    let (world, commits) = prepare(world());
    let server = finalize(&world);
    let (opened, sealed) = (&commits[1], &commits[3]);
    let exported = world.done(&["db", "export"]);
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |table: &str| lines.iter().filter(|line| line["table"] == table).count();
    assert_eq!(
        (of("commits"), of("evaluations"), of("weight_vectors")),
        (4, 3, 1)
    );
    assert!(exported.contains(&opened.key) && exported.contains(&sealed.encrypted));
    assert!(!exported.contains(&sealed.key));
    assert!(!exported.contains("\"key\":\"seed\""));

    let out = world.path().join("export.jsonl");
    world.done(&[
        "db",
        "export",
        "--with-keys",
        "--out",
        out.to_str().unwrap(),
    ]);
    let all = fs::read_to_string(&out).unwrap();
    assert!(all.contains(&sealed.key) && all.contains("\"key\":\"seed\""));
    let mode = fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop();
}

#[test]
fn a_backup_can_be_had_at_any_time() {
    let (world, _) = prepare(world());
    let server = finalize(&world);
    let saved = world.path().join("saved.json");
    let saved = saved.to_str().unwrap();
    world.done(&["db", "backup", "--out", saved]);
    server.kill();
    let other = self::world();
    other.done(&["restore", saved]);
    Done::of(&world).assert_kept(&Done::of(&other));
}

#[test]
fn the_backup_holds_every_challenge() {
    let world = world();
    let plugin = world.plugins().join("c1.wasm");
    fs::write(plugin, guest_bytes("tokens_challenge")).unwrap();
    let digest = world.add_artifact("knn");
    let tokens = format!(
        "challenges.c1.settings={{ tasks = 1, penalty_threshold = 0.5, \
         submissions.{digest} = {{ score = 0.5, tokens = [1] }} }}"
    );
    let commit = |uid: u16, challenge: &str| {
        let text = format!("{challenge}---sha256:{digest}");
        let commit = Commit::at(&format!("miner-{uid}"), &text, world.now() - 30.0 * HOUR);
        (
            commit.hotkey.clone(),
            json!({ challenge: commit.revealed() }),
        )
    };
    let commits: BTreeMap<String, Value> = [commit(3, "digits"), commit(4, "c1")].into();
    world.ingest(0, &json!({ "miner_commits": commits }));
    let mut server = world.serve(&[OFTEN, &tokens]);
    for _ in 0..2 {
        server.wait_for("judged");
    }
    until("both are in the backup", || {
        let Ok(bytes) = fs::read(backup_of(&world)) else {
            return false;
        };
        let saved: Value = serde_json::from_slice(&bytes).unwrap();
        let results = saved["results"].as_array().unwrap().iter();
        let names: BTreeSet<&str> = results
            .map(|result| result["challenge_name"].as_str().unwrap())
            .collect();
        names == BTreeSet::from(["c1", "digits"])
    });
    server.stop();
}
