//! Two days of a subnet through the real binary, with a storage service that fails in
//! every way. A host that is killed a hundred times comes to the same end as one that
//! is left alone: the same ledger, and the same told.

mod script;

use crate::commits::HOUR;
use crate::receipts;
use crate::stored::{self, Done, Dump};
use crate::support::{Event, Server, World, metagraph, neuron};
use proctor_dev_storage::{Clock, FakeStorage, Options, RunningStorage};
use proctor_host::chain::Hotkey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use script::{COMMITS, DELAYS, FIRST_HOUR, Script, ticks};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const KILLS: u64 = 100;

/// What the host signs with.
const SEED: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

/// The uid of the host's own hotkey.
const OWN_UID: u16 = 19;

/// A host with its service, on its way through the two days.
struct Run<'a> {
    script: &'a Script,
    world: World,
    storage: RunningStorage,
    server: Option<Server>,
    log: Vec<Event>,
    done: Done,
    /// What tells that all is done of this tick.
    is_settled: String,
    /// How often it was killed before that.
    midway: u64,
}

/// What a host is killed after.
enum Kill {
    /// Lines of its log.
    Lines(usize),
    /// Requests to the service.
    Requests(u64),
}

impl<'a> Run<'a> {
    fn new(script: &'a Script) -> Self {
        let world = World::new().with_digits();
        for (_, solver, mark, _) in COMMITS {
            world.add_variant(solver, mark);
        }
        let own = Hotkey::from_uri(SEED).unwrap().address().to_owned();
        let mut everybody = metagraph();
        for uid in 0..3 {
            let validator = neuron(uid, &format!("validator-{uid}"), 20_000.0);
            everybody["neurons"][usize::from(uid)] = validator;
        }
        everybody["neurons"][usize::from(OWN_UID)] = neuron(OWN_UID, &own, 20_000.0);
        world.set_metagraph(&everybody);
        let hotkeys = world.path().join("wallets/proctor/hotkeys");
        fs::create_dir_all(&hotkeys).unwrap();
        let key = json!({ "secretSeed": SEED, "ss58Address": own });
        fs::write(hotkeys.join("default"), key.to_string()).unwrap();
        let options = Options {
            clock: Clock::File(world.clock()),
            ..Options::default()
        };
        let storage = FakeStorage::start(options).unwrap();
        let more = format!(
            "[commits]
epoch_length_s = 0.05
[storage]
url = '{url}'
timeout_ms = 300
max_answer_bytes = 1000000
max_retry_s = 0.05
[wallet]
path = '{wallets}'
name = 'proctor'
[archive]
url = 'file://{archive}'
",
            url = storage.url(),
            wallets = world.path().join("wallets").display(),
            archive = world.path().join("archive").display(),
        );
        Run {
            script,
            world: world.configured(&more),
            storage,
            server: None,
            log: Vec::new(),
            done: Done::default(),
            is_settled: String::new(),
            midway: 0,
        }
    }

    /// Goes through both days, killed so often in each tick.
    fn through(mut self, kills: &[Vec<Kill>]) -> End {
        let mut heard = f64::NEG_INFINITY;
        for (tick, kills) in ticks().into_iter().zip(kills) {
            let now = FIRST_HOUR + tick.at * HOUR;
            if !tick.is_outage {
                heard = now;
            }
            self.is_settled = self.script.is_settled(heard, now);
            if !tick.is_outage {
                let told = " AND NOT EXISTS (SELECT 1 FROM outbox)";
                self.is_settled.push_str(told);
            }
            self.storage.set_faults(tick.faults).unwrap();
            self.publish(now);
            for kill in kills {
                self.kill_after(kill);
            }
            self.settle(tick.at);
        }
        self.end()
    }

    /// Makes it that time, with what the validators have seen by then.
    fn publish(&self, now: f64) {
        for validator in 0..DELAYS.len() {
            let document = self.script.document(validator, now);
            let uid = i64::try_from(validator).unwrap();
            self.storage.set_miner_commits(uid, document).unwrap();
        }
        self.world.set_clock(now);
    }

    fn start(&self) -> Server {
        self.world.serve(&[])
    }

    /// Kills the host at some point, but not before it has begun; at the latest
    /// when there is nothing more to be done.
    fn kill_after(&mut self, kill: &Kill) {
        let mut server = self.server.take().unwrap_or_else(|| self.start());
        let begun = self.requests();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut lines = 0;
        loop {
            lines += server.watch_for(Duration::from_millis(1)).len();
            let is_time = match kill {
                Kill::Lines(wanted) => lines >= *wanted,
                Kill::Requests(wanted) => self.requests() - begun >= *wanted,
            };
            let is_up = || server.log.iter().any(|event| event.is("plugin active"));
            if is_time || (is_up() && self.is_settled()) {
                break;
            }
            assert!(Instant::now() < deadline, "{:#?}", server.log);
        }
        self.midway += u64::from(!self.is_settled());
        self.log.extend(server.kill());
        let now = Done::of(&self.world);
        self.done.assert_kept(&now);
        self.done = now;
    }

    /// Has the host do all that is to be done.
    fn settle(&mut self, at: f64) {
        let mut server = self.server.take().unwrap_or_else(|| self.start());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.is_settled() {
            server.watch_for(Duration::from_millis(2));
            assert!(
                Instant::now() < deadline,
                "not settled {at} hours from the first scoring hour: {}\n{:#?}\n{:#?}",
                self.is_settled,
                server.log,
                self.storage.requests(),
            );
        }
        self.server = Some(server);
    }

    fn is_settled(&self) -> bool {
        self.world.data().join("proctor.sqlite").exists()
            && stored::value::<bool>(&self.world, &self.is_settled)
    }

    fn requests(&self) -> u64 {
        let requests = self.storage.requests();
        requests.values().flat_map(BTreeMap::values).sum()
    }

    fn end(mut self) -> End {
        let server = self.server.take().unwrap();
        let asked: Vec<&str> = self
            .script
            .commits
            .iter()
            .map(|c| c.encrypted.as_str())
            .collect();
        let answer = server.scoring_result(&asked);
        self.log.extend(server.stop());
        self.done.assert_kept(&Done::of(&self.world));
        for day in stored::values::<String>(&self.world, "SELECT day FROM weight_vectors") {
            receipts::assert_verified(&self.world, &day);
        }
        let claims = "SELECT miner_hotkey, encrypted_commit, validator_hotkey, claimed_at
             FROM sightings JOIN commits ON id = commit_id ORDER BY 1, 2, 3, 4";
        let faults = "SELECT validator_uid, miner_hotkey, challenge, code FROM commit_faults
             ORDER BY 1, 2, 3, 4";
        End {
            dump: Dump::of(&self.world),
            claims: stored::rows_of(&self.world, claims),
            faults: stored::rows_of(&self.world, faults),
            answer,
            told: told(&self.storage),
            archive: files(&self.world.path().join("archive")),
            requests: self.storage.requests(),
            midway: self.midway,
            log: self.log,
        }
    }
}

/// What two days came to.
struct End {
    dump: Dump,
    claims: Vec<String>,
    faults: Vec<String>,
    answer: Value,
    told: BTreeMap<String, Value>,
    archive: BTreeMap<String, String>,
    requests: BTreeMap<String, BTreeMap<String, u64>>,
    midway: u64,
    log: Vec<Event>,
}

/// What the service was told last of each thing.
fn told(storage: &RunningStorage) -> BTreeMap<String, Value> {
    let mut told = BTreeMap::new();
    for upload in storage.uploads(0) {
        assert_eq!(upload.uid, Some(OWN_UID.into()), "{upload:?}");
        let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let route = &upload.route;
        if let Some(results) = upload.body["scoring_results"].as_array() {
            assert!(results.len() <= 5);
            for result in results {
                let name = format!("{route} {}", text(result, "docker_hub_id"));
                told.insert(name, result.clone());
            }
        } else {
            let name = format!("{route} {}", text(&upload.body, "encrypted_commit"));
            let mut body = upload.body;
            // What the host keeps there for itself is in the order of its own numbers.
            if let Some(kept) = body.get_mut("proctor") {
                sort(kept);
            }
            told.insert(name, body);
        }
    }
    told
}

/// Sorts all lists, and forgets the digest over them.
fn sort(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(sort);
            list.sort_by_key(Value::to_string);
        }
        Value::Object(fields) => {
            fields.remove("digest");
            fields.values_mut().for_each(sort);
        }
        _ => {}
    }
}

/// All files in a directory by path, but for what a kill left of a draft
/// (`name#1`).
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(name, content)| {
                let folder = path.file_name().unwrap().to_str().unwrap();
                (format!("{folder}/{name}"), content)
            }));
        } else {
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.contains('#') {
                found.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// When to kill, by tick: the same in every run of the test, but for who wants to
/// look further.
fn kills() -> Vec<Vec<Kill>> {
    let seed = std::env::var("SIMULATION_SEED").map_or(61, |seed| seed.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |end: u64| random.next_u64() % end;
    let mut kills: Vec<Vec<Kill>> = ticks().iter().map(|_| Vec::new()).collect();
    let places = kills.len() as u64;
    for _ in 0..KILLS {
        let tick = usize::try_from(below(places)).unwrap();
        kills[tick].push(match below(3) {
            0 => Kill::Requests(below(12)),
            _ => Kill::Lines(usize::try_from(below(10)).unwrap()),
        });
    }
    kills
}

#[test]
fn two_days_with_a_hundred_kills_end_as_two_days_without() {
    let script = Script::new();
    let never: Vec<Vec<Kill>> = ticks().iter().map(|_| Vec::new()).collect();
    let wanted = Run::new(&script).through(&never);
    assert_plausible(&wanted);
    let got = Run::new(&script).through(&kills());
    assert_plausible(&got);

    wanted.dump.assert_same(&got.dump, "killed a hundred times");
    assert_eq!(wanted.claims, got.claims);
    assert_eq!(wanted.faults, got.faults);
    assert_eq!(wanted.answer, got.answer);
    assert_eq!(wanted.archive, got.archive);
    let told = |end: &End| end.told.keys().cloned().collect::<Vec<_>>();
    assert_eq!(told(&wanted), told(&got));
    for (what, content) in &wanted.told {
        assert_eq!(*content, got.told[what], "{what}");
    }
    assert_done_once(&wanted.log);
    assert_done_once(&got.log);
    let starts = got.log.iter().filter(|event| event.is("listening"));
    assert_eq!(starts.count() as u64, KILLS + 1);
    let midway = got.midway;
    assert!(
        midway >= KILLS / 5,
        "only {midway} kills were in the midst of something"
    );
}

/// Each thing is evaluated, judged and finalized at most once, whatever happens.
fn assert_done_once(log: &[Event]) {
    let mut seen = BTreeSet::new();
    for event in log {
        let what = ["hotkey", "artifact", "day"].map(|name| event.text(name));
        let message = event.message.as_str();
        match message {
            "evaluated" | "judged" | "challenge finalized" | "finalized" => {
                assert!(seen.insert((message, what)), "twice: {event:?}");
            }
            _ => {}
        }
    }
}

/// The reference is what was meant.
fn assert_plausible(end: &End) {
    let states = ["judged", "evaluated", "sealed", "refused"];
    let counts = states.map(|state| stored::with_text(&end.dump.commits, state));
    assert_eq!(counts, [11, 1, 1, 1]);
    assert_eq!(end.dump.evaluations.len(), 11);
    assert_eq!(end.dump.finalizations.len(), 2);
    assert_eq!(end.dump.vectors.len(), 2);
    assert_eq!(end.answer["is_done"], true);
    // 12 commits and 11 artifacts that were opened, and the standings.
    let told = |route: &str| {
        let names = end.told.keys().filter(|name| name.starts_with(route));
        names.count()
    };
    let routes = [
        "/upload-commit",
        "/upload-centralized-score",
        "/upload-validator-state",
    ];
    assert_eq!(routes.map(told), [12, 11, 1]);
    // 11 verdicts and 2 rows of the ledger.
    assert_eq!(end.archive.len(), 13, "{:?}", end.archive.keys());
    // What is evaluated and compared is told before it is judged.
    let unjudged = end.told.values().filter(|told| {
        let compared = told["comparison_logs"].as_object();
        told["scored_timestamp"].is_null() && compared.is_some_and(|logs| !logs.is_empty())
    });
    assert_eq!(unjudged.count(), 2, "a commit and its artifact's results");
    // Nobody backdated anything, the host's own uploads do not count as what it saw,
    // and one mixed keys up.
    assert_eq!(end.faults.len(), 1, "{:?}", end.faults);
    let came: BTreeSet<&str> = end
        .requests
        .values()
        .flat_map(|answers| answers.keys().map(String::as_str))
        .collect();
    for fault in ["200", "503", "hang", "close", "garbage", "truncate", "huge"] {
        assert!(
            came.iter().any(|answer| answer.contains(fault)),
            "{fault}: {came:?}"
        );
    }
}
