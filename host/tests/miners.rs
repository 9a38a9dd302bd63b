//! Asking miners over real sockets, good ones and others: what each of them does
//! wrong costs its own answer.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helper functions of a test"
)]

use proctor_dev_miners::{Behaviour, DevMiner, Miners as DevMiners, Options, Work};
use proctor_host::chain::{Hotkey, Metagraph};
use proctor_host::config;
use proctor_host::metrics::Metrics;
use proctor_host::miners::{Answer, AskRules, Miners, Request, Target};
use proctor_host::sandbox::organic::{Failure, Protocol};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine, and shorter than a hanging test.
const PATIENCE: Duration = Duration::from_secs(60);

const MAX_BYTES: usize = 64 << 10;

const RULES: AskRules = AskRules {
    timeout: PATIENCE,
    max_bytes: MAX_BYTES,
};

/// What a miner has that is expected not to answer.
const SOON: AskRules = AskRules {
    timeout: Duration::from_millis(300),
    max_bytes: MAX_BYTES,
};

/// Miners that check signatures, and echo.
fn miners(count: usize) -> DevMiners {
    let options = Options {
        count,
        signatures: true,
        ..Options::default()
    };
    DevMiners::start(options).unwrap()
}

fn on_loopback() -> config::Miners {
    config::Miners {
        private_networks: vec!["127.0.0.1".into()],
        ..config::Miners::default()
    }
}

fn host(config: &config::Miners) -> (Miners, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let hotkey = Hotkey::from_uri("//Host").unwrap();
    let host = Miners::new(config, Some(hotkey), Arc::clone(&metrics)).unwrap();
    (host, metrics)
}

fn target(miner: &DevMiner) -> Target {
    Target {
        uid: miner.uid,
        hotkey: miner.hotkey.clone(),
        ip: Some(miner.address.ip()),
        port: Some(miner.address.port()),
    }
}

fn echo(protocol: Protocol) -> Request {
    Request {
        path: "Echo".into(),
        body: r#"{"n": 7}"#.into(),
        protocol,
    }
}

async fn ask(host: &Miners, miner: &DevMiner, rules: AskRules) -> Answer {
    let request = echo(Protocol::Btauth);
    host.ask("echo", &target(miner), &request, rules).await
}

/// An iteration that does not wait for the answer.
fn start_asking(
    host: &Miners,
    miner: &Arc<DevMiner>,
    rules: AskRules,
) -> tokio::task::JoinHandle<Answer> {
    let (host, miner) = (host.clone(), Arc::clone(miner));
    tokio::spawn(async move { ask(&host, &miner, rules).await })
}

const ECHO: &str = r#"{"echo":7}"#;

#[tokio::test]
async fn a_miner_checks_who_asks_in_either_protocol() {
    let miners = miners(2);
    let (host, metrics) = host(&on_loopback());
    let [first, second] = [&miners.all()[0], &miners.all()[1]];
    let dendrite = Protocol::Dendrite(vec!["n".into()]);
    for protocol in [Protocol::Btauth, dendrite] {
        let request = echo(protocol);
        let answer = host.ask("echo", &target(first), &request, RULES).await;
        assert_eq!(answer.outcome.as_deref(), Ok(ECHO), "{answer:?}");
        assert_eq!(answer.status, Some(200));
        assert!(answer.latency > Duration::ZERO);
        // Signed for another than the one that is asked.
        let wrong = Target {
            hotkey: second.hotkey.clone(),
            ..target(first)
        };
        let refused = host.ask("echo", &wrong, &request, RULES).await;
        assert_eq!(refused.outcome, Err(Failure::Status));
        assert_eq!(refused.status, Some(401));
    }
    let counts = first.counts();
    assert_eq!((counts.requests["/Echo"], counts.refused), (4, 2));
    let sent = first.received();
    assert_eq!(sent[0].body, r#"{"n": 7}"#);
    assert_eq!(sent[0].headers["content-type"], "application/json");
    let timeout = &sent[2].headers["timeout"];
    assert_eq!(timeout.parse::<f64>().unwrap(), PATIENCE.as_secs_f64());

    let text = metrics.encode();
    let counted = |outcome: &str, count: &str| {
        let label = format!("outcome=\"{outcome}\"");
        let mut lines = text.lines().filter(|line| line.contains("miner"));
        lines.any(|line| line.contains(&label) && line.ends_with(&format!(" {count}")))
    };
    assert!(counted("ok", "2") && counted("status", "2"), "{text}");
}

#[tokio::test]
async fn what_a_miner_does_wrong_costs_its_own_answer() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let (host, _) = host(&on_loopback());
    for (behaviour, failure, status) in [
        (Behaviour::HugeBody, Failure::TooLarge, Some(200)),
        (Behaviour::HugeChunks, Failure::TooLarge, Some(200)),
        (Behaviour::HeaderFlood, Failure::TooLarge, None),
        (Behaviour::WrongType, Failure::Malformed, Some(200)),
        (Behaviour::NotJson, Failure::Malformed, Some(200)),
        (Behaviour::NotHttp, Failure::Malformed, None),
        (Behaviour::Status(500), Failure::Status, Some(500)),
        (Behaviour::Status(201), Failure::Status, Some(201)),
        (Behaviour::Close, Failure::Connection, None),
        (Behaviour::CloseInBody, Failure::Connection, Some(200)),
    ] {
        miner.behave(behaviour.clone());
        let answer = ask(&host, miner, RULES).await;
        assert_eq!(answer.outcome, Err(failure), "{behaviour}");
        assert_eq!(answer.status, status, "{behaviour}");
        miner.behave(Behaviour::Good);
        let answer = ask(&host, miner, RULES).await;
        assert_eq!(answer.outcome.as_deref(), Ok(ECHO), "after {behaviour}");
    }
    // What is wrong with it, only the challenge knows.
    miner.behave(Behaviour::Wrong);
    assert!(ask(&host, miner, RULES).await.outcome.is_ok());
}

#[tokio::test]
async fn an_answer_may_have_as_many_bytes_as_the_challenge_says() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let (host, _) = host(&on_loopback());
    let body = |bytes: usize| Work::new(move |_| "x".repeat(bytes - 2).into());
    miner.set_work(body(MAX_BYTES));
    let answer = ask(&host, miner, RULES).await;
    assert_eq!(answer.outcome.map(|text| text.len()), Ok(MAX_BYTES));
    miner.set_work(body(MAX_BYTES + 1));
    let answer = ask(&host, miner, RULES).await;
    assert_eq!(answer.outcome, Err(Failure::TooLarge));
}

#[tokio::test]
async fn an_answer_is_over_at_the_deadline_wherever_it_is() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let (host, _) = host(&on_loopback());
    for (behaviour, status) in [(Behaviour::Hang, None), (Behaviour::SlowBody, Some(200))] {
        miner.behave(behaviour.clone());
        let answer = ask(&host, miner, SOON).await;
        assert_eq!(answer.outcome, Err(Failure::Timeout), "{behaviour}");
        assert_eq!(answer.status, status, "{behaviour}");
        assert!(answer.latency >= SOON.timeout, "{answer:?}");
        // The connection is not kept for a miner that is still at it.
        miner.until(|counts| counts.open == 0).await;
    }
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let miners = miners(2);
    let [miner, elsewhere] = [&miners.all()[0], &miners.all()[1]];
    let (host, _) = host(&on_loopback());
    miner.behave(Behaviour::Redirect(format!(
        "http://{}/",
        elsewhere.address
    )));
    let answer = ask(&host, miner, RULES).await;
    assert_eq!(answer.outcome, Err(Failure::Status));
    assert_eq!(answer.status, Some(307));
    assert_was_left_alone(elsewhere).await;
}

/// Connections are accepted in order: if ours is the first, there was none before.
async fn assert_was_left_alone(miner: &DevMiner) {
    let _ours = TcpStream::connect(miner.address).unwrap();
    let counts = miner.until(|counts| counts.connections > 0).await;
    assert_eq!(counts.connections, 1);
}

#[tokio::test]
async fn no_private_address_is_asked_that_the_configuration_does_not_name() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let named = config::Miners {
        private_networks: vec!["10.0.0.0/8".into(), "127.0.0.2".into()],
        ..config::Miners::default()
    };
    for config in [config::Miners::default(), named] {
        let (host, _) = host(&config);
        let mut target = target(miner);
        let request = echo(Protocol::Btauth);
        for ip in [
            Ipv4Addr::LOCALHOST.into(),
            "::ffff:127.0.0.1".parse().unwrap(),
        ] {
            target.ip = Some(ip);
            let answer = host.ask("echo", &target, &request, RULES).await;
            assert_eq!(answer.outcome, Err(Failure::Unreachable), "{ip}");
            assert_eq!(answer.latency, Duration::ZERO);
        }
    }
    assert_was_left_alone(miner).await;
}

#[tokio::test]
async fn without_a_hotkey_nobody_is_asked() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let host = Miners::new(&on_loopback(), None, Arc::default()).unwrap();
    assert!(!host.can_sign());
    let answer = ask(&host, miner, RULES).await;
    assert_eq!(answer.outcome, Err(Failure::Unreachable));
    assert_was_left_alone(miner).await;
}

#[tokio::test]
async fn an_axon_that_nobody_listens_at_is_a_connection_that_fails() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = Target {
        port: Some(free.local_addr().unwrap().port()),
        ..target(miner)
    };
    drop(free);
    let (host, _) = host(&on_loopback());
    let answer = host
        .ask("echo", &gone, &echo(Protocol::Btauth), RULES)
        .await;
    assert_eq!(answer.outcome, Err(Failure::Connection));
    assert_eq!(answer.status, None);
}

#[tokio::test]
async fn a_connection_is_used_for_many_requests() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let (host, _) = host(&on_loopback());
    for _ in 0..20 {
        let answer = ask(&host, miner, RULES).await;
        assert_eq!(answer.outcome.as_deref(), Ok(ECHO));
    }
    let counts = miner.counts();
    assert_eq!(counts.total(), 20);
    // One is opened for naught if the last one is not yet back when the next begins.
    assert!(counts.connections <= 10, "{counts:?}");
}

#[tokio::test]
async fn no_two_requests_have_one_nonce() {
    let miners = miners(1);
    let miner = &miners.all()[0];
    let config = config::Miners {
        per_miner: 50,
        ..on_loopback()
    };
    let (host, _) = host(&config);
    let asked: Vec<_> = (0..50).map(|_| start_asking(&host, miner, RULES)).collect();
    for answer in asked {
        // The miner would refuse a nonce that it knows.
        assert_eq!(answer.await.unwrap().outcome.as_deref(), Ok(ECHO));
    }
}

#[tokio::test]
async fn a_busy_miner_is_known_at_once_and_the_others_are_asked() {
    let miners = miners(2);
    let [hanging, good] = [&miners.all()[0], &miners.all()[1]];
    let config = config::Miners {
        per_miner: 2,
        ..on_loopback()
    };
    let (host, _) = host(&config);
    hanging.behave(Behaviour::Hang);
    let asked = [0; 2].map(|_| start_asking(&host, hanging, RULES));
    hanging.until(|counts| counts.total() == 2).await;

    let answer = ask(&host, hanging, RULES).await;
    assert_eq!(answer.outcome, Err(Failure::Busy));
    assert_eq!((answer.status, answer.latency), (None, Duration::ZERO));
    let answer = ask(&host, good, RULES).await;
    assert_eq!(answer.outcome.as_deref(), Ok(ECHO));
    assert_eq!(hanging.counts().total(), 2);

    hanging.behave(Behaviour::Good);
    asked.iter().for_each(|task| task.abort());
    hanging.until(|counts| counts.open == 0).await;
    let answer = ask(&host, hanging, RULES).await;
    assert_eq!(answer.outcome.as_deref(), Ok(ECHO));
}

#[tokio::test]
async fn whoever_stops_waiting_leaves_nothing_behind() {
    let miners = miners(2);
    let [hanging, good] = [&miners.all()[0], &miners.all()[1]];
    // So that a place that is not given back is missed.
    let config = config::Miners {
        concurrency: 1,
        per_miner: 1,
        ..on_loopback()
    };
    let (host, _) = host(&config);
    hanging.behave(Behaviour::Hang);
    for asked in 1..=3 {
        let task = start_asking(&host, hanging, RULES);
        hanging.until(|counts| counts.total() == asked).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        hanging.until(|counts| counts.open == 0).await;
    }
    let answer = ask(&host, good, RULES).await;
    assert_eq!(answer.outcome.as_deref(), Ok(ECHO));
}

#[tokio::test]
async fn good_miners_are_asked_while_all_others_hang() {
    let miners = miners(40);
    let (hanging, good) = miners.all().split_at(32);
    let (host, _) = host(&on_loopback());
    let mut asked = Vec::new();
    for miner in hanging {
        miner.behave(Behaviour::Hang);
        // Twice as often as each may.
        asked.extend([0; 8].map(|_| start_asking(&host, miner, RULES)));
    }
    for miner in hanging {
        miner.until(|counts| counts.total() == 4).await;
    }
    for miner in good {
        let answer = ask(&host, miner, RULES).await;
        assert_eq!(answer.outcome.as_deref(), Ok(ECHO));
    }
    for miner in hanging {
        let counts = miner.counts();
        assert_eq!((counts.open, counts.total()), (4, 4), "it still hangs");
    }
    asked.iter().for_each(|task| task.abort());
}

#[tokio::test]
async fn waiting_for_those_that_hang_is_nobody_elses_latency() {
    let miners = miners(2);
    let [hanging, good] = [&miners.all()[0], &miners.all()[1]];
    let config = config::Miners {
        concurrency: 1,
        ..on_loopback()
    };
    let (host, _) = host(&config);
    hanging.behave(Behaviour::Hang);
    let rules = AskRules {
        timeout: Duration::from_secs(1),
        ..RULES
    };
    let began = Instant::now();
    let hung = start_asking(&host, hanging, rules);
    hanging.until(|counts| counts.total() == 1).await;
    // The only place is taken, until a second after the begin at least.
    let answer = ask(&host, good, RULES).await;
    let elapsed = began.elapsed();
    assert_eq!(answer.outcome.as_deref(), Ok(ECHO));
    assert!(elapsed >= rules.timeout, "it did not wait: {elapsed:?}");
    let most = elapsed - rules.timeout;
    assert!(answer.latency <= most, "{:?} > {most:?}", answer.latency);
    assert_eq!(hung.await.unwrap().outcome, Err(Failure::Timeout));
}

/// A process that does not outlive a test that fails.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_command_writes_the_metagraph_of_the_miners_that_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metagraph.json");
    let hotkey = Hotkey::from_uri("//Host").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proctor"));
    command.args(["dev", "miners", "--count", "4", "--port", "0", "--bad", "2"]);
    command.args([
        "--netuid",
        "61",
        "--hotkey",
        hotkey.address(),
        "--metagraph",
    ]);
    let child = command.arg(&path).stdout(Stdio::piped()).spawn();
    let mut served = Served(child.unwrap());
    let lines = BufReader::new(served.0.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| !line.starts_with("metagraph "))
        .collect();
    let behaviours: Vec<&str> = lines
        .iter()
        .map(|line| line.split(' ').next_back().unwrap())
        .collect();
    assert_eq!(behaviours, ["good", "hang", "good", "slow-body"]);

    let metagraph = Metagraph::load(&path).unwrap();
    assert_eq!(metagraph.netuid(), 61);
    let validator = metagraph.by_hotkey(hotkey.address()).unwrap();
    assert!(validator.uid == 0 && validator.validator_permit);
    assert_eq!(metagraph.neurons().len(), 5);
    for (uid, line) in (1..).zip(&lines) {
        let miner = metagraph.by_uid(uid).unwrap();
        let (ip, port) = (miner.axon_ip.unwrap(), miner.axon_port.unwrap());
        let hotkey = &miner.hotkey;
        assert!(line.starts_with(&format!("miner {uid} {hotkey} http://{ip}:{port} ")));
        TcpStream::connect((ip, port)).unwrap();
    }

    let id = served.0.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    assert!(served.0.wait().unwrap().success());
}
