//! What operators and validators of the replaced scoring API find again: its
//! flags, its hotkey check, its clients.

use crate::commits::{Commit, HOUR, all_revealed};
use crate::support::{Server, World, neuron, run, until};
use proctor_dev_storage::{Clock, FakeStorage, Options};
use proctor_host::chain::Hotkey;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const SEED: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

/// 2026-08-22T15:00:00Z: today's hour has passed.
const AFTERNOON: f64 = 1_787_410_800.0;

fn address() -> String {
    Hotkey::from_uri(SEED).unwrap().address().to_owned()
}

/// A wallet in Bittensor's layout; returns the folder of wallets.
fn wallet(world: &World) -> PathBuf {
    let wallets = world.path().join("wallets");
    let hotkeys = wallets.join("scoring-api").join("hotkeys");
    fs::create_dir_all(&hotkeys).unwrap();
    let key = json!({"secretSeed": SEED, "ss58Address": address()});
    fs::write(hotkeys.join("default"), key.to_string()).unwrap();
    wallets
}

/// `proctor serve` with a wallet.
fn serve(world: &World, more: &[&str]) -> Command {
    let mut command = world.proctor(&["serve", "--log", "info", "--log-format", "json"]);
    command
        .arg("--config")
        .arg(world.config())
        .arg("--wallet.path")
        .arg(wallet(world))
        .args(["--wallet.name", "scoring-api", "--wallet.hotkey", "default"])
        .args(more);
    command
}

/// The host's own hotkey, with some stake, beside a miner.
fn register(world: &World, stake: f64) {
    let neurons = [neuron(0, &address(), stake), neuron(3, "miner-3", 1.0)];
    let metagraph = json!({"netuid": 61, "block": 1, "owner_hotkey": null, "neurons": neurons});
    world.set_metagraph(&metagraph);
}

fn metric(server: &Server, name: &str) -> String {
    let metrics = server.admin_get("/metrics").body;
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.unwrap_or_default().to_owned()
}

#[test]
fn the_command_line_of_the_replaced_api_serves() {
    let world = World::new();
    register(&world, 20_000.0);
    let cache = world.data();
    let mut command = serve(
        &world,
        &[
            "--scoring_api.port",
            "0",
            "--scoring_api.epoch_length",
            "60",
            "--netuid",
            "61",
            "--subtensor.network",
            "finney",
            "--validator.cache_dir",
            cache.to_str().unwrap(),
            "--validator.hf_repo_id",
            "my_username/rest-scoring-api",
        ],
    );
    command.args(["--set", "chain.mode=offline"]);
    let mut server = Server::start(command.env("HF_TOKEN", "secret"));
    assert_eq!(server.wait_for("signing").text("hotkey"), address());
    assert_eq!(server.get("/livez").status, 200);
    server.stop();
}

#[test]
fn another_hotkey_than_expected_is_refused() {
    let world = World::new();
    register(&world, 20_000.0);
    let other = Hotkey::from_uri("//Alice").unwrap();
    let ran = run(serve(&world, &[]).env("SCORING_API_HOTKEY", other.address()));
    ran.assert_refused(&["SCORING_API_HOTKEY", other.address(), &address()]);
    let mut expected = serve(&world, &[]);
    Server::start(expected.env("SCORING_API_HOTKEY", address())).stop();
    let mut none = world.proctor(&["serve"]);
    none.arg("--config").arg(world.config());
    run(none.env("SCORING_API_HOTKEY", address())).assert_refused(&["wallet.name"]);
}

#[test]
fn a_wallet_or_subnet_that_is_not_there_is_refused() {
    let world = World::new();
    register(&world, 20_000.0);
    let ran = run(&mut serve(
        &world,
        &["--set", "wallet.hotkey=nobody", "--netuid", "7"],
    ));
    ran.assert_refused(&["chain.netuid is 7", "subnet 61"]);
    let mut nobody = world.proctor(&["serve", "--wallet.name", "nobody"]);
    nobody.arg("--config").arg(world.config());
    run(nobody.arg("--wallet.path").arg(wallet(&world))).assert_refused(&["nobody"]);
}

#[test]
fn too_little_stake_is_told_loudly_and_measured() {
    let world = World::new();
    for (stake, warned) in [(9_999.0, true), (10_000.0, false)] {
        register(&world, stake);
        let server = Server::start(&mut serve(&world, &[]));
        let gauge = format!("proctor_stake_sufficient {}", u8::from(!warned));
        assert_eq!(metric(&server, "proctor_stake_sufficient"), gauge);
        let log = server.stop();
        let told = log.iter().any(|event| event.is("INSUFFICIENT STAKE"));
        assert_eq!(told, warned, "{stake}");
    }
}

#[test]
fn clients_ask_until_the_day_is_done() {
    let world = World::new().with_digits();
    world.set_clock(AFTERNOON);
    let digest = world.add_artifact("knn");
    let commit = Commit::at(
        "miner-3",
        &format!("digits---sha256:{digest}"),
        AFTERNOON - 30.0 * HOUR,
    );
    world.ingest(0, &all_revealed([&commit]));
    let mut server = world.serve(&[]);
    server.wait_for("challenge finalized");
    let url = format!("http://{}", server.public);
    let asked = [
        "--url",
        &url,
        "--challenge",
        "digits",
        &commit.encrypted,
        "unknown",
    ];
    let client = |more: &[&str]| {
        let mut command = world.proctor(&["client", "scoring-result"]);
        run(command.args(asked).args(more))
    };
    for more in [&[][..], &["--wait", "--poll-interval", "0.1"]] {
        let ran = client(more);
        assert!(ran.status.success(), "{}", ran.stderr);
        let answer = ran.json();
        assert_eq!(answer["is_done"], true);
        assert_eq!(answer["commits"]["unknown"], Value::Null);
        assert!(answer["commits"][&commit.encrypted]["score"].is_number());
    }
    // Early tomorrow it is not done; a validator of today is content all the same.
    world.pass(10.0 * HOUR);
    let late = ["--wait", "--poll-interval", "0.1", "--deadline", "0"];
    let asked = ["--url", &url, "--challenge", "digits", &commit.encrypted];
    let mut command = world.proctor(&["client", "scoring-result"]);
    let ran = run(command.args(asked).args(late));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    let mut command = world.proctor(&["client", "scoring-result"]);
    assert!(
        run(command.args(asked).args(late).arg("--legacy"))
            .status
            .success()
    );
    let mut nobody = world.proctor(&["client", "scoring-result", "--challenge", "digits"]);
    run(nobody.args(["--url", "http://127.0.0.1:1", "x"])).assert_refused(&["127.0.0.1:1"]);
    python(&server, &commit.encrypted);
    server.stop();
}

/// The Python client's own tests against this host.
fn python(server: &Server, encrypted: &str) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut command = Command::new("python3");
    command
        .current_dir(root)
        .args(["-m", "unittest", "discover", "-s", "clients/python/tests"])
        .args(["-t", "clients/python", "-p", "test_live.py"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PROCTOR_URL", format!("http://{}", server.public))
        .env("PROCTOR_CHALLENGE", "digits")
        .env("PROCTOR_COMMITS", encrypted);
    let ran = run(&mut command);
    assert!(ran.status.success(), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("OK") && !ran.stderr.contains("skipped"),
        "{}",
        ran.stderr
    );
}

#[test]
fn who_is_not_registered_signs_as_itself() {
    let world = World::new().with_digits();
    let storage = FakeStorage::start(Options {
        clock: Clock::File(world.clock()),
        ..Options::default()
    })
    .unwrap();
    let digest = world.add_artifact("knn");
    let commit = Commit::at(
        "miner-3",
        &format!("digits---sha256:{digest}"),
        world.now() - 30.0 * HOUR,
    );
    world.ingest(0, &all_revealed([&commit]));
    let url = format!("storage.url={}", storage.url());
    let soon = ["--set", &url, "--set", "storage.jitter=0"];
    let server = Server::start(&mut serve(&world, &soon));
    until("a score is uploaded", || !storage.uploads(0).is_empty());
    let upload = storage.uploads(0).remove(0);
    assert_eq!((upload.uid, upload.hotkey), (Some(-1), Some(address())));
    // What came of asking the service for each validator is shown.
    until("a validator was asked for", || {
        let state = server.admin_get("/v1/state/validators").json();
        let outcome = &state["validators"][0]["poll"]["outcome"];
        ["changed", "unchanged"].contains(&outcome.as_str().unwrap_or_default())
    });
    server.stop();
}
