//! A directory for one host, and the processes that work in it.

use crate::http::{self, Response};
use proctor_testing::guest;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before the test fails, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Compiled components, kept from run to run: they are called by digest.
const COMPILED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/e2e-compiled");

/// The validators' stakes; only the last one is too poor to be heard.
const STAKES: [f64; 3] = [90_000.0, 40_000.0, 50.0];

/// Miners in the metagraph: `miner-3` with uid 3, and so on.
const MINERS: std::ops::Range<u16> = 3..20;

/// A data directory, a plugins folder and a configuration.
pub(crate) struct World {
    directory: TempDir,
}

impl World {
    /// Without plugins, artifacts and commits. What was compiled once, by any
    /// test, need not be compiled again.
    pub(crate) fn new() -> Self {
        let world = World::cold();
        fs::create_dir_all(COMPILED).unwrap();
        chmod_private(Path::new(COMPILED));
        std::os::unix::fs::symlink(COMPILED, world.data().join("compiled")).unwrap();
        world
    }

    /// Like [`new`](Self::new), with an empty compile cache.
    pub(crate) fn cold() -> Self {
        let world = World {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(world.data()).unwrap();
        fs::create_dir(world.plugins()).unwrap();
        let metagraph = serde_json::to_vec(&metagraph()).unwrap();
        fs::write(world.data().join("metagraph.json"), metagraph).unwrap();
        world.configure();
        world
    }

    /// The same once more: whatever is in it now.
    pub(crate) fn copy(&self) -> Self {
        let world = World {
            directory: tempfile::tempdir().unwrap(),
        };
        copy_directory(self.path(), world.path());
        world.configure();
        world
    }

    /// With the digits challenge in the plugins folder.
    pub(crate) fn with_digits(self) -> Self {
        fs::copy(guest("digits"), self.plugins().join("digits.wasm")).unwrap();
        self
    }

    /// Few and small tasks. The day can be finalized at any time of day.
    fn configure(&self) {
        let text = format!(
            "data_dir = '{data}'
plugins.dir = '{plugins}'
public.listen = '127.0.0.1:0'
admin.listen = '127.0.0.1:0'
sandbox.max_concurrent_calls = 2
[scoring]
seed = 7
hour = 0
interval_ms = 20
[challenges.digits]
settings = {{ tasks = 2, batch_size = 10, min_score = 0.2 }}
solver = {{ fuel = 100000000, memory_bytes = 16777216 }}
",
            data = self.data().display(),
            plugins = self.plugins().display(),
        );
        fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("proctor.toml")
    }

    /// A file beside the data directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command that takes the configuration, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(proctor(arguments).arg("--config").arg(self.config()))
    }

    /// [`run`](Self::run), which must succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert!(ran.status.success(), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    }

    /// Adds a guest to the artifact store, and returns its digest.
    pub(crate) fn add_artifact(&self, name: &str) -> String {
        let printed = self.done(&["artifact", "add", guest(name).to_str().unwrap()]);
        printed.trim().strip_prefix("sha256:").unwrap().to_owned()
    }

    /// Has a validator publish a document, and returns what came of it.
    pub(crate) fn ingest(&self, validator: u16, document: &Value) -> Value {
        let name = format!("validator-{validator}.json");
        let file = self.write(&name, document.to_string());
        let validator = validator.to_string();
        let printed = self.done(&["ingest", "--json", "--validator", &validator, &file]);
        serde_json::from_str(&printed).unwrap()
    }

    /// Starts `proctor serve`, and waits until it listens.
    pub(crate) fn serve(&self, settings: &[&str]) -> Server {
        let mut command = proctor(&["serve", "--log", "info", "--log-format", "json"]);
        command.arg("--config").arg(self.config());
        for setting in settings {
            command.args(["--set", setting]);
        }
        Server::start(&mut command)
    }
}

/// The validators of [`STAKES`], then [`MINERS`].
fn metagraph() -> Value {
    let neuron = |uid: u16, hotkey: String, stake: f64, validator: bool| {
        json!({
            "uid": uid, "hotkey": hotkey, "coldkey": format!("{hotkey}-cold"),
            "axon_ip": format!("192.0.2.{uid}"), "stake": stake, "validator_permit": validator,
        })
    };
    let validators = (0_u16..)
        .zip(STAKES)
        .map(|(uid, stake)| neuron(uid, format!("validator-{uid}"), stake, true));
    let miners = MINERS.map(|uid| neuron(uid, format!("miner-{uid}"), 1.0, false));
    json!({
        "netuid": 61, "block": 1, "owner_hotkey": "validator-0",
        "neurons": validators.chain(miners).collect::<Vec<_>>(),
    })
}

fn chmod_private(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
}

fn copy_directory(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            let link = fs::read_link(entry.path()).unwrap();
            std::os::unix::fs::symlink(link, target).unwrap();
        } else if kind.is_dir() {
            fs::create_dir(&target).unwrap();
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The binary, without settings from the environment.
pub(crate) fn proctor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proctor"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PROCTOR_") {
            command.env_remove(name);
        }
    }
    command
}

/// A command that has ended.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// It failed with status 1, and says all of this on stderr.
    #[track_caller]
    pub(crate) fn assert_refused(&self, words: &[&str]) {
        assert_eq!(self.status.code(), Some(1), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?}: {}", self.stderr);
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let mut process = Process::start(command);
    let (mut stdout, mut stderr) = (String::new(), String::new());
    while let Some((stream, line)) = process.next_line(&"") {
        let text = match stream {
            Stream::Out => &mut stdout,
            Stream::Err => &mut stderr,
        };
        text.push_str(&line);
        text.push('\n');
    }
    Ran {
        status: process.child.wait().unwrap(),
        stdout,
        stderr,
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stream {
    Out,
    Err,
}

/// A child whose output is read line by line. Killed when dropped.
struct Process {
    child: Child,
    lines: Receiver<(Stream, String)>,
    deadline: Instant,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        read_lines(child.stdout.take().unwrap(), Stream::Out, sender.clone());
        read_lines(child.stderr.take().unwrap(), Stream::Err, sender);
        Process {
            child,
            lines,
            deadline: Instant::now() + PATIENCE,
        }
    }

    /// The next line of either stream; none once both are closed.
    fn next_line(&mut self, so_far: &dyn Debug) -> Option<(Stream, String)> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("not done after {PATIENCE:?}: {so_far:#?}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // By its pid; it may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stream: impl Read + Send + 'static, which: Stream, sender: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            // Who does not listen any more does not mind.
            let Ok(line) = line else { return };
            if sender.send((which, line)).is_err() {
                return;
            }
        }
    });
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) message: String,
    fields: Map<String, Value>,
}

impl Event {
    fn read(line: &str) -> Self {
        let fields = serde_json::from_str(line).map(|mut line: Value| line["fields"].take());
        let Ok(Value::Object(fields)) = fields else {
            // What a command says beside its log.
            let (message, fields) = (line.to_owned(), Map::new());
            return Event { message, fields };
        };
        let message = fields["message"].as_str().unwrap_or_default().to_owned();
        Event { message, fields }
    }

    pub(crate) fn is(&self, message: &str) -> bool {
        self.message == message
    }

    /// A field, null if there is none.
    pub(crate) fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_default()
    }
}

/// A `proctor` that serves. Killed when dropped.
pub(crate) struct Server {
    process: Process,
    /// Everything that it logged so far.
    pub(crate) log: Vec<Event>,
    /// How much of that was given to whom waits for it.
    seen: usize,
    /// What it printed besides the two addresses.
    pub(crate) printed: Vec<String>,
    pub(crate) public: String,
    pub(crate) admin: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut server = Server {
            process: Process::start(command),
            log: Vec::new(),
            seen: 0,
            printed: Vec::new(),
            public: String::new(),
            admin: String::new(),
        };
        while server.admin.is_empty() {
            let Some((stream, line)) = server.process.next_line(&server.log) else {
                panic!("it does not serve: {:#?}", server.log);
            };
            match (stream, line.split_once(" http://")) {
                (Stream::Out, Some(("public", address))) => server.public = address.to_owned(),
                (Stream::Out, Some(("admin", address))) => server.admin = address.to_owned(),
                (Stream::Out, _) => server.printed.push(line),
                (Stream::Err, _) => server.log.push(Event::read(&line)),
            }
        }
        server
    }

    /// The next line that it prints.
    pub(crate) fn next_printed(&mut self) -> String {
        loop {
            match self.process.next_line(&self.log) {
                Some((Stream::Out, line)) => return line,
                Some((Stream::Err, line)) => self.log.push(Event::read(&line)),
                None => panic!("it ended first: {:#?}", self.log),
            }
        }
    }

    /// The next line of the log; none once the process has ended.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        while self.seen == self.log.len() {
            let (stream, line) = self.process.next_line(&self.log)?;
            if stream == Stream::Err {
                self.log.push(Event::read(&line));
            }
        }
        self.seen += 1;
        Some(self.log[self.seen - 1].clone())
    }

    /// Reads the log on from where it was read to, up to what is wanted.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: impl Fn(&Event) -> bool) -> Event {
        loop {
            match self.next_event() {
                Some(event) if what(&event) => return event,
                Some(_) => {}
                None => panic!("it ended first: {:#?}", self.log),
            }
        }
    }

    /// [`wait`](Self::wait) for a message.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, message: &str) -> Event {
        self.wait(|event| event.is(message))
    }

    /// What it logs in some time. That it logs nothing takes time to be seen.
    pub(crate) fn watch_for(&mut self, time: Duration) -> Vec<Event> {
        let end = Instant::now() + time;
        while let Ok((stream, line)) = self
            .process
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if stream == Stream::Err {
                self.log.push(Event::read(&line));
            }
        }
        let events = self.log.split_off(self.seen);
        self.log.extend(events.iter().cloned());
        self.seen = self.log.len();
        events
    }

    /// SIGKILL. Returns what it had logged before it died, all of it.
    pub(crate) fn kill(mut self) -> Vec<Event> {
        self.process.child.kill().unwrap();
        while self.next_event().is_some() {}
        std::mem::take(&mut self.log)
    }

    /// SIGTERM, and a clean end.
    pub(crate) fn stop(mut self) -> Vec<Event> {
        let pid = self.process.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        while self.next_event().is_some() {}
        let status = self.process.child.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.log);
        std::mem::take(&mut self.log)
    }

    /// `GET` from the public listener.
    pub(crate) fn get(&self, path: &str) -> Response {
        http::request(&self.public, "GET", path, b"")
    }

    /// `GET` from the admin listener.
    pub(crate) fn admin_get(&self, path: &str) -> Response {
        http::request(&self.admin, "GET", path, b"")
    }

    /// `POST` of JSON to the public listener.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        http::request(&self.public, "POST", path, body.to_string().as_bytes())
    }

    /// `POST /get_scoring_result` for the digits challenge; what is in `data`.
    pub(crate) fn scoring_result(&self, encrypted: &[&str]) -> Value {
        let body = json!({ "challenge_name": "digits", "encrypted_commits": encrypted });
        let response = self.post("/get_scoring_result", &body);
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()["data"].take()
    }
}

/// Asks again and again until the answer is yes.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "not so after {PATIENCE:?}: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}
