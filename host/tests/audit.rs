//! `proctor audit` against a host on loopback that tells the truth, and against one that
//! does not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helper functions of a test"
)]

#[path = "audit/fake.rs"]
mod fake;

use fake::{Fake, Fault, World, signer};
use proctor_host::audit::{
    AuditError, AuditMetrics, AuditOptions, Auditor, Ended, Failed, Round, StateError,
};
use proctor_host::verify::SampleSize;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const DAYS: [&str; 3] = ["2026-08-21", "2026-08-22", "2026-08-23"];
/// On the last of them.
const NOW: f64 = 1_787_475_600.0;
/// Compiled components, kept from run to run.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/audit-cache");

fn options(fake: &Fake, directory: &TempDir) -> AuditOptions {
    AuditOptions {
        from: fake.url(),
        sample: SampleSize::Part(1.0),
        signers: Vec::new(),
        state: directory.path().join("state.json"),
        plugins: None,
        jobs: 2,
        cache: Some(CACHE.into()),
        max_bytes: 1 << 20,
        max_day: Duration::from_secs(600),
        days: 31,
    }
}

/// A host with two days, and who audits it.
struct Audit {
    fake: Fake,
    directory: TempDir,
    metrics: Arc<AuditMetrics>,
    auditor: Auditor,
}

impl Audit {
    async fn new() -> Self {
        let fake = Fake::start().await;
        fake.world().grow(DAYS[0], 3);
        fake.world().grow(DAYS[1], 2);
        let directory = tempfile::tempdir().unwrap();
        let metrics = Arc::new(AuditMetrics::default());
        let auditor = Auditor::open(options(&fake, &directory), Arc::clone(&metrics)).unwrap();
        Audit {
            fake,
            directory,
            metrics,
            auditor,
        }
    }

    /// With a first round, which found nothing.
    async fn begun() -> Self {
        let mut audit = Audit::new().await;
        let round = audit.round().await;
        assert_eq!(
            (round.result, round.receipts.verified),
            (Ended::Verified, 5),
            "{round}"
        );
        audit
    }

    async fn round(&mut self) -> Round {
        self.auditor.round(NOW).await
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.fake.world()
    }

    /// The same as after a restart.
    fn reopen(self, change: impl FnOnce(&mut AuditOptions)) -> Self {
        let Audit {
            fake,
            directory,
            metrics,
            auditor,
        } = self;
        drop(auditor);
        let mut options = options(&fake, &directory);
        change(&mut options);
        let auditor = Auditor::open(options, Arc::clone(&metrics)).unwrap();
        Audit {
            fake,
            directory,
            metrics,
            auditor,
        }
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.encode();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .parse()
            .unwrap()
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.directory.path().join("state.json")).unwrap())
            .unwrap()
    }
}

fn steps(round: &Round) -> Vec<(&str, &str)> {
    let differences = round.differences.iter();
    differences
        .map(|found| (found.day.as_str(), found.step.as_str()))
        .collect()
}

fn kinds(round: &Round) -> Vec<&str> {
    round
        .errors
        .iter()
        .map(|Failed { kind, .. }| *kind)
        .collect()
}

#[tokio::test]
async fn what_grew_is_looked_at_and_what_did_not_is_not() {
    let mut audit = Audit::begun().await;
    let round = audit.round().await;
    assert_eq!((round.result, round.days.len()), (Ended::Verified, 0));
    assert_eq!(round.heads, 2);
    audit.world().grow(DAYS[0], 1);
    audit.world().grow(DAYS[2], 4);
    let asked = audit.world().asked.len();
    let round = audit.round().await;
    assert_eq!(round.result, Ended::Verified, "{round}");
    let days: Vec<_> = round
        .days
        .iter()
        .map(|day| (&*day.day, day.new, day.leaves))
        .collect();
    assert_eq!(days, [(DAYS[0], 1, 4), (DAYS[2], 4, 4)]);
    let asked = audit.world().asked[asked..].to_vec();
    let expected = [
        "/v1/days?limit=1000",
        "/v1/days/2026-08-21/consistency?from=3&to=4",
        "/v1/days/2026-08-21/bundle?artifacts=true",
        "/v1/days/2026-08-23/bundle?artifacts=true",
    ];
    assert_eq!(asked, expected);
    assert_eq!(audit.metric("proctor_audit_rounds_total"), 3.0);
    assert!(audit.metric("proctor_audit_receipts_total{result=\"verified\"}") >= 10.0);
    assert_eq!(
        audit.metric("proctor_audit_last_success_timestamp_seconds"),
        NOW
    );
    assert_eq!(audit.metric("proctor_audit_head_inconsistent_total"), 0.0);
    assert!(!audit.auditor.has_differed());
}

/// What a host does with its history, and what is told of it.
type Rewriting = (
    &'static str,
    fn(&mut World),
    &'static [(&'static str, &'static str)],
);

const REWRITINGS: [Rewriting; 8] = [
    (
        "fewer leaves",
        |world| {
            world.forget(DAYS[1]);
            world.grow(DAYS[1], 1)
        },
        &[(DAYS[1], "consistency")],
    ),
    (
        "other leaves",
        |world| {
            world.forget(DAYS[1]);
            world.history = 10;
            world.grow(DAYS[1], 2)
        },
        &[(DAYS[1], "consistency")],
    ),
    (
        "other leaves and more",
        |world| {
            world.forget(DAYS[1]);
            world.history = 10;
            world.grow(DAYS[1], 4)
        },
        &[(DAYS[1], "consistency")],
    ),
    (
        "a proof of nothing",
        |world| {
            world.proves_nothing = true;
            world.grow(DAYS[1], 1)
        },
        &[(DAYS[1], "consistency")],
    ),
    (
        "a day less",
        |world| world.forget(DAYS[1]),
        &[(DAYS[1], "vanished")],
    ),
    (
        "another signer",
        |world| {
            world.sign_with("//Bob");
            world.grow(DAYS[2], 1)
        },
        &[(DAYS[2], "signer")],
    ),
    (
        "no signature",
        |world| {
            world.grow(DAYS[2], 1);
            world.break_signature(DAYS[2])
        },
        &[(DAYS[2], "signature")],
    ),
    (
        "no day before",
        |world| {
            world.grow(DAYS[2], 1);
            world.break_chain(DAYS[2])
        },
        &[(DAYS[2], "previous")],
    ),
];

#[tokio::test]
async fn a_host_that_rewrites_its_history_is_found_in_every_round() {
    for (name, rewrite, expected) in REWRITINGS {
        let mut audit = Audit::begun().await;
        rewrite(&mut audit.world());
        for rounds in 1..=2 {
            let round = audit.round().await;
            assert_eq!(steps(&round), expected, "{name}: {round}");
            assert_eq!(round.result, Ended::Differs);
            assert!(
                round.days.is_empty(),
                "{name}: it is not looked at any further"
            );
            let counted = audit.metric("proctor_audit_head_inconsistent_total");
            assert_eq!(counted, f64::from(rounds), "{name}");
        }
        // It is kept once, also for the next process, beside the head that was believed.
        audit = audit.reopen(|_| {});
        assert!(audit.auditor.has_differed());
        assert_eq!(audit.auditor.found().len(), 1, "{name}");
        let state = audit.state();
        assert_eq!(state["days"][DAYS[1]]["head"]["head"]["size"], 2, "{name}");
        assert_eq!(
            steps(&audit.round().await),
            expected,
            "{name}: after a restart"
        );
    }
}

#[tokio::test]
async fn a_change_of_signer_is_believed_if_the_operator_says_so() {
    let mut audit = Audit::begun().await;
    audit.world().sign_with("//Bob");
    audit.world().grow(DAYS[2], 2);
    assert_eq!(audit.round().await.result, Ended::Differs);
    let bob = signer("//Bob").address().to_owned();
    audit = audit.reopen(|options| options.signers = vec![bob.clone()]);
    let round = audit.round().await;
    assert_eq!(
        (round.result, round.days.len()),
        (Ended::Verified, 1),
        "{round}"
    );
    // From then on it is the one that is known.
    audit = audit.reopen(|_| {});
    audit.world().grow(DAYS[2], 1);
    assert_eq!(audit.round().await.result, Ended::Verified);
}

#[tokio::test]
async fn a_lie_about_a_result_is_found_with_its_receipt_and_its_place() {
    let mut audit = Audit::begun().await;
    let id = audit.world().lie(DAYS[1]);
    let round = audit.round().await;
    assert_eq!(round.result, Ended::Differs);
    let [difference] = &*round.differences else {
        panic!("{round}");
    };
    assert_eq!((&*difference.day, &*difference.step), (DAYS[1], "execute"));
    assert_eq!(difference.receipt.as_deref(), Some(&*id));
    assert!(
        difference.field.as_deref().unwrap().starts_with("values"),
        "{difference:?}"
    );
    assert!(difference.byte.is_some());
    assert_eq!(
        audit.metric("proctor_audit_receipts_total{result=\"differs\"}"),
        1.0
    );
    assert_eq!(audit.metric("proctor_audit_head_inconsistent_total"), 0.0);
    let found = &audit.state()["found"];
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["difference"]["receipt"], *id);
}

#[tokio::test]
async fn what_fails_in_between_is_counted_and_made_up_for() {
    for (path, fault, kind) in [
        ("/v1/days", Fault::Busy, "status"),
        ("/v1/days", Fault::CutOff, "interrupted"),
        ("/v1/days", Fault::Nonsense, "malformed"),
        ("/v1/days", Fault::Redirects, "unreachable"),
        ("/consistency", Fault::Busy, "status"),
        ("/consistency", Fault::Nonsense, "malformed"),
        ("/bundle", Fault::Busy, "status"),
        ("/bundle", Fault::CutOff, "interrupted"),
        ("/bundle", Fault::Nonsense, "malformed"),
    ] {
        let mut audit = Audit::begun().await;
        audit.world().grow(DAYS[1], 1);
        audit.world().faults.push((path, fault));
        let round = audit.auditor.round(NOW + 60.0).await;
        assert_eq!(
            (round.result, kinds(&round)),
            (Ended::Failed, vec![kind]),
            "{path} {fault:?}"
        );
        assert_eq!(
            audit.metric(&format!("proctor_audit_errors_total{{kind=\"{kind}\"}}")),
            1.0
        );
        assert_eq!(
            audit.metric("proctor_audit_last_success_timestamp_seconds"),
            NOW
        );
        audit.world().faults.clear();
        let round = audit.auditor.round(NOW + 120.0).await;
        assert_eq!(
            (round.result, round.days.len()),
            (Ended::Verified, 1),
            "{path} {fault:?}"
        );
        assert_eq!(
            audit.metric("proctor_audit_last_success_timestamp_seconds"),
            NOW + 120.0
        );
        assert!(!audit.auditor.has_differed());
    }
}

#[tokio::test]
async fn one_day_that_fails_does_not_keep_the_others() {
    let mut audit = Audit::new().await;
    audit
        .world()
        .faults
        .push(("/2026-08-21/bundle", Fault::Busy));
    let round = audit.round().await;
    assert_eq!(
        (round.result, kinds(&round)),
        (Ended::Failed, vec!["status"])
    );
    let days = |round: &Round| {
        round
            .days
            .iter()
            .map(|day| day.day.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(days(&round), [DAYS[1]]);
    let round = audit.round().await;
    assert_eq!(
        (round.result, days(&round)),
        (Ended::Verified, vec![DAYS[0].to_owned()])
    );
}

#[tokio::test]
async fn a_bundle_is_no_larger_than_is_taken() {
    let mut audit = Audit::new()
        .await
        .reopen(|options| options.max_bytes = 1_000);
    let round = audit.round().await;
    assert_eq!(kinds(&round), ["too_large", "too_large"]);
    assert_eq!(round.result, Ended::Failed);
}

#[tokio::test]
async fn what_a_bundle_takes_from_another_day_is_of_the_tree_that_is_known() {
    let mut audit = Audit::begun().await;
    let id = audit.world().ids(DAYS[0])[1].clone();
    audit.world().depend(DAYS[2], vec![id]);
    let round = audit.round().await;
    assert_eq!(
        (round.result, round.days.len()),
        (Ended::Verified, 1),
        "{round}"
    );
    let id = audit.world().tell_instead(DAYS[0], 3);
    audit.world().depend(DAYS[2], vec![id.clone()]);
    // As large as the known tree, smaller, and larger.
    for size in [3, 1, 5] {
        assert_eq!(audit.world().tell_instead(DAYS[0], size), id);
        let round = audit.round().await;
        assert_eq!(steps(&round), [(DAYS[2], "contents")], "{size}: {round}");
        assert_eq!(round.result, Ended::Differs);
        let what = &round.differences[0].what;
        assert!(what.contains(DAYS[0]), "{what}");
        assert!(round.days.is_empty(), "it is not looked at any further");
    }
    assert_eq!(audit.auditor.found().len(), 3);
}

#[tokio::test]
async fn a_day_that_grew_meanwhile_is_tied_to_what_is_known_of_it() {
    let mut audit = Audit::begun().await;
    let id = audit.world().ids(DAYS[0])[0].clone();
    audit.world().depend(DAYS[2], vec![id]);
    audit.world().grow_unseen(DAYS[0], 2);
    audit.world().faults.push(("/consistency", Fault::Busy));
    let round = audit.round().await;
    assert_eq!(
        (round.result, kinds(&round)),
        (Ended::Failed, vec!["status"]),
        "{round}"
    );
    let round = audit.round().await;
    assert_eq!(
        (round.result, round.days.len()),
        (Ended::Verified, 1),
        "{round}"
    );
    let proof = "/v1/days/2026-08-21/consistency?from=3&to=5".to_owned();
    assert_eq!(audit.world().asked.last(), Some(&proof));
}

#[tokio::test]
async fn each_day_has_a_time_of_its_own() {
    let mut audit = Audit::new()
        .await
        .reopen(|options| options.max_day = Duration::ZERO);
    let round = audit.round().await;
    assert_eq!(
        (round.result, kinds(&round)),
        (Ended::Failed, vec!["verifier", "verifier"]),
        "{round}"
    );
    assert!(round.errors[0].what.contains(DAYS[0]), "{round}");
    audit = audit.reopen(|_| {});
    let round = audit.round().await;
    assert_eq!((round.result, round.days.len()), (Ended::Verified, 2));
}

#[tokio::test]
async fn a_host_that_gives_no_submissions_is_asked_without() {
    let mut audit = Audit::new().await;
    audit.world().keeps_artifacts = true;
    assert_eq!(audit.round().await.result, Ended::Verified);
    let asked = &audit.world().asked;
    assert!(
        asked.contains(&"/v1/days/2026-08-22/bundle?artifacts=false".to_owned()),
        "{asked:?}"
    );
}

#[tokio::test]
async fn at_first_so_many_days_are_looked_at_and_then_all_that_are_new() {
    let mut audit = Audit::new().await.reopen(|options| options.days = 1);
    let round = audit.round().await;
    assert_eq!(
        (round.result, round.heads, round.days.len()),
        (Ended::Verified, 1, 1),
        "{round}"
    );
    assert_eq!(audit.world().asked[0], "/v1/days?limit=1");
    audit.world().grow(DAYS[2], 1);
    let round = audit.round().await;
    assert_eq!(
        (round.result, round.days.len()),
        (Ended::Verified, 1),
        "{round}"
    );
}

#[tokio::test]
async fn a_restart_goes_on_with_what_is_known() {
    let mut audit = Audit::begun().await.reopen(|_| {});
    assert_eq!(
        audit.metric("proctor_audit_last_success_timestamp_seconds"),
        NOW
    );
    let round = audit.round().await;
    assert_eq!((round.result, round.days.len()), (Ended::Verified, 0));
    let in_use = Auditor::open(options(&audit.fake, &audit.directory), Arc::default());
    assert!(matches!(
        in_use.unwrap_err(),
        AuditError::State(StateError::InUse(_))
    ));
    assert!(audit.state()["days"][DAYS[0]]["audited"] == 3);
}

#[tokio::test]
async fn a_day_that_has_not_come_is_left_for_later() {
    let mut audit = Audit::begun().await;
    audit.world().grow(DAYS[2], 1);
    let round = audit.auditor.round(NOW - 2.0 * 86_400.0).await;
    assert_eq!(
        (round.result, kinds(&round)),
        (Ended::Failed, vec!["future"])
    );
    let round = audit.round().await;
    assert_eq!((round.result, round.days.len()), (Ended::Verified, 1));
}

/// `proctor audit`, on the day of the tests.
fn command(fake: &Fake, directory: &Path) -> Command {
    let clock = directory.join("clock");
    fs::write(&clock, NOW.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proctor"));
    command.args([
        "audit",
        "--from",
        &fake.url(),
        "--sample",
        "100%",
        "--json",
        "--state",
    ]);
    command.arg(directory.join("state.json"));
    command.args(["--cache", CACHE, "--jobs", "2"]);
    command.env("PROCTOR_TEST_CLOCK", clock);
    command.stdin(Stdio::null());
    command
}

/// The status of one round, what it says of it, and what goes to stderr.
async fn once(fake: &Fake, directory: &TempDir) -> (i32, Value, String) {
    let mut command = command(fake, directory.path());
    command.arg("--once");
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let round = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), round, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_of_one_round_tells_what_it_came_to() {
    let fake = Fake::start().await;
    let directory = tempfile::tempdir().unwrap();
    fake.world().grow(DAYS[0], 2);
    let (status, round, told) = once(&fake, &directory).await;
    assert_eq!(
        (status, round["result"].as_str()),
        (0, Some("verified")),
        "{told}"
    );
    assert_eq!(round["receipts"]["verified"], 2);
    fake.world().grow(DAYS[1], 2);
    fake.world().prune(DAYS[1]);
    let (status, round, told) = once(&fake, &directory).await;
    assert_eq!(
        (status, round["result"].as_str()),
        (3, Some("not_checkable")),
        "{told}"
    );
    let id = fake.world().lie(DAYS[2]);
    let (status, round, told) = once(&fake, &directory).await;
    assert_eq!(
        (status, round["result"].as_str()),
        (1, Some("differs")),
        "{told}"
    );
    assert!(told.contains(&id) && told.contains("ERROR"), "{told}");
    let (status, ..) = once(&fake, &directory).await;
    assert_eq!(status, 0, "nothing is new");
    fake.world().faults.push(("/v1/days", Fault::Busy));
    let (status, round, _) = once(&fake, &directory).await;
    assert_eq!((status, round["result"].as_str()), (2, Some("failed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_state_ends_the_command_and_is_not_overwritten() {
    let fake = Fake::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    fs::write(&path, "{\"version\": \"proc").unwrap();
    let (status, _, told) = once(&fake, &directory).await;
    assert_eq!(status, 2);
    assert!(
        told.contains("state.json") && told.contains("cannot be read"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"version\": \"proc");
    assert!(fake.world().asked.is_empty());
}

/// An audit that goes on until it is told to end.
struct Running {
    child: Child,
    rounds: BufReader<std::process::ChildStdout>,
    metrics: String,
}

impl Running {
    fn start(fake: &Fake, directory: &Path) -> Self {
        let mut command = command(fake, directory);
        command.args(["--every", "1", "--metrics-listen", "127.0.0.1:0"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("metrics http://").unwrap();
        let metrics = address.strip_suffix("/metrics").unwrap().to_owned();
        // Whoever does not read stops who writes.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        let rounds = BufReader::new(child.stdout.take().unwrap());
        Running {
            child,
            rounds,
            metrics,
        }
    }

    /// The next round that comes to this.
    fn wait_for(&mut self, result: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.rounds.read_line(&mut line).unwrap(),
                0,
                "it ended before"
            );
            let round: Value = serde_json::from_str(&line).unwrap();
            if round["result"] == result {
                return;
            }
        }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(&self.metrics).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_through_failures_until_it_is_told_to_end() {
    let fake = Fake::start().await;
    let directory = tempfile::tempdir().unwrap();
    fake.world().grow(DAYS[0], 2);
    fake.world()
        .faults
        .extend([("/v1/days", Fault::Busy), ("/bundle", Fault::CutOff)]);
    let run = move || {
        let mut audit = Running::start(&fake, directory.path());
        audit.wait_for("failed");
        audit.wait_for("failed");
        audit.wait_for("verified");
        let metrics = audit.metrics();
        for line in [
            "proctor_audit_errors_total{kind=\"status\"} 1",
            "proctor_audit_errors_total{kind=\"interrupted\"} 1",
            "proctor_audit_receipts_total{result=\"verified\"} 2",
            "content-type: application/openmetrics-text",
        ] {
            assert!(metrics.contains(line), "{metrics}");
        }
        assert_eq!(audit.end(), 0);
        let mut audit = Running::start(&fake, directory.path());
        audit.wait_for("verified");
        fake.world().lie(DAYS[1]);
        audit.wait_for("differs");
        audit.wait_for("verified");
        assert_eq!(audit.end(), 1, "something differed once");
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
