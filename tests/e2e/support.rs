//! A directory for one host, and the processes that work in it.

use crate::commits::{Commit, HOUR};
use crate::http::{self, Response};
use proctor_testing::{guest, guest_bytes};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
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

/// Names the file with the time in it.
const TEST_CLOCK: &str = "PROCTOR_TEST_CLOCK";

/// 2026-08-22T15:00:00Z, when a world begins: an hour after the scoring hour, so
/// that what was due by then can be finalized at once.
pub(crate) const START: f64 = 1_787_410_800.0;

pub(crate) const DAY: f64 = 24.0 * HOUR;

/// A data directory, a plugins folder, a configuration, and a clock that moves only
/// when it is told to.
pub(crate) struct World {
    directory: TempDir,
    /// What else is in the configuration.
    more: String,
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
            more: String::new(),
        };
        fs::create_dir(world.data()).unwrap();
        fs::create_dir(world.plugins()).unwrap();
        world.set_metagraph(&metagraph());
        world.set_clock(START);
        world.configure();
        world
    }

    /// With everybody who is in this file, instead of the validators and miners that
    /// are there by default.
    pub(crate) fn set_metagraph(&self, metagraph: &Value) {
        let path = self.data().join("metagraph.json");
        fs::write(path, metagraph.to_string()).unwrap();
    }

    /// The same once more: whatever is in it now.
    pub(crate) fn copy(&self) -> Self {
        let world = World {
            directory: tempfile::tempdir().unwrap(),
            more: self.more.clone(),
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

    /// With more in the configuration, TOML.
    pub(crate) fn configured(mut self, more: &str) -> Self {
        more.clone_into(&mut self.more);
        self.configure();
        self
    }

    /// Few and small tasks.
    fn configure(&self) {
        let text = format!(
            "data_dir = '{data}'
plugins.dir = '{plugins}'
public.listen = '127.0.0.1:0'
admin.listen = '127.0.0.1:0'
sandbox.max_concurrent_calls = 2
[scoring]
seed = 7
interval_ms = 20
[challenges.digits]
settings = {{ tasks = 2, batch_size = 10, min_score = 0.2 }}
solver = {{ fuel = 100000000, memory_bytes = 16777216 }}
{more}",
            data = self.data().display(),
            plugins = self.plugins().display(),
            more = self.more,
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

    /// The file that the processes of this world read the time from.
    pub(crate) fn clock(&self) -> PathBuf {
        self.path().join("clock")
    }

    /// What time it is, in seconds since the Unix epoch.
    pub(crate) fn now(&self) -> f64 {
        fs::read_to_string(self.clock()).unwrap().parse().unwrap()
    }

    /// Makes it another time, for the processes that run as well.
    pub(crate) fn set_clock(&self, now: f64) {
        let next = self.write("clock.next", now.to_string());
        fs::rename(next, self.clock()).unwrap();
    }

    /// Lets some seconds pass.
    pub(crate) fn pass(&self, seconds: f64) {
        self.set_clock(self.now() + seconds);
    }

    /// The binary, in the time of this world.
    pub(crate) fn proctor(&self, arguments: &[&str]) -> Command {
        let mut command = proctor(arguments);
        command.env(TEST_CLOCK, self.clock());
        command
    }

    /// A file beside the data directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command that takes the configuration, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.proctor(arguments).arg("--config").arg(self.config()))
    }

    /// [`run`](Self::run), which must succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert!(ran.status.success(), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    }

    /// Adds a guest to the artifact store, and returns its digest.
    pub(crate) fn add_artifact(&self, name: &str) -> String {
        self.add_file(guest(name).to_str().unwrap())
    }

    /// The same with other bytes and so another digest: a custom section is added,
    /// which changes nothing of what it does.
    pub(crate) fn add_variant(&self, name: &str, mark: u8) -> String {
        let file = self.write("variant.wasm", variant(name, mark));
        self.add_file(&file)
    }

    fn add_file(&self, path: &str) -> String {
        let printed = self.done(&["artifact", "add", path]);
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

    /// Returns once a host that serves has looked for work at the present time, and
    /// is through with what it found but for evaluations. To see that, it is given
    /// commits of the last miner that it refuses at once. Waits for an active challenge.
    pub(crate) fn look(&self, server: &mut Server) {
        let metagraph = fs::read(self.data().join("metagraph.json")).unwrap();
        let metagraph: Value = serde_json::from_slice(&metagraph).unwrap();
        let miner = metagraph["neurons"].as_array().unwrap().last().unwrap();
        let miner = miner["hotkey"].as_str().unwrap();
        let active = |server: &Server| {
            let plugins = server.get("/v1/plugins").json();
            let mut plugins = plugins["plugins"].as_array().unwrap().iter();
            let active = plugins.find(|plugin| plugin["state"] == "active");
            active.map(|plugin| plugin["name"].as_str().unwrap().to_owned())
        };
        // It may be compiled for the first time.
        until("a challenge is active", || active(server).is_some());
        let challenge = active(server).unwrap();
        // What it logs last of a look may be the first that it does.
        for _ in 0..2 {
            let text = format!("{challenge}---no artifact");
            let commit = Commit::at(miner, &text, self.now() - 3.0 * DAY);
            let commits = json!({ miner: { &challenge: commit.revealed() } });
            self.ingest(1, &json!({ "miner_commits": commits }));
            server.wait(|event| event.is("commit refused") && event.text("hotkey") == miner);
        }
    }

    /// Starts `proctor serve`, and waits until it listens.
    pub(crate) fn serve(&self, settings: &[&str]) -> Server {
        let mut command = self.proctor(&["serve", "--log", "info", "--log-format", "json"]);
        command.arg("--config").arg(self.config());
        for setting in settings {
            command.args(["--set", setting]);
        }
        Server::start(&mut command)
    }
}

/// The component `name` with a custom section at its end.
pub(crate) fn variant(name: &str, mark: u8) -> Vec<u8> {
    let mut bytes = guest_bytes(name);
    // Section 0, 3 bytes: a name of one byte, and one byte.
    bytes.extend([0, 3, 1, b'v', mark]);
    bytes
}

/// The validators of [`STAKES`], then [`MINERS`].
pub(crate) fn metagraph() -> Value {
    let validators = (0_u16..)
        .zip(STAKES)
        .map(|(uid, stake)| neuron(uid, &format!("validator-{uid}"), stake));
    let miners = MINERS.map(|uid| neuron(uid, &format!("miner-{uid}"), 1.0));
    json!({
        "netuid": 61, "block": 1, "owner_hotkey": "validator-0",
        "neurons": validators.chain(miners).collect::<Vec<_>>(),
    })
}

/// One neuron of a metagraph. Whoever has more than a miner has a permit.
pub(crate) fn neuron(uid: u16, hotkey: &str, stake: f64) -> Value {
    json!({
        "uid": uid, "hotkey": hotkey, "coldkey": format!("{hotkey}-cold"),
        "axon_ip": format!("192.0.2.{uid}"), "stake": stake, "validator_permit": stake > 1.0,
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
    /// The file with the tokens of the admin listener.
    tokens: Option<PathBuf>,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut server = Server {
            tokens: tokens(command),
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
            match (stream, line.split_once("://")) {
                (Stream::Out, Some(("public http", address))) => {
                    address.clone_into(&mut server.public)
                }
                (Stream::Out, Some(("admin http" | "admin https", address))) => {
                    address.clone_into(&mut server.admin);
                }
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

    /// `GET` from the admin listener, with the operator's token.
    pub(crate) fn admin_get(&self, path: &str) -> Response {
        self.admin("GET", path, None, &[])
    }

    /// Asks the admin listener, with the operator's token.
    pub(crate) fn admin(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Response {
        let authorization = format!("Bearer {}", self.token());
        let mut all = vec![("authorization", authorization.as_str())];
        let body = body.map(Value::to_string);
        if body.is_some() {
            all.push(("content-type", "application/json"));
        }
        all.extend(headers);
        let body = body.unwrap_or_default();
        send(&self.admin, method, path, &all, body.as_bytes())
    }

    /// The first token of the admin listener.
    pub(crate) fn token(&self) -> String {
        let tokens = self.tokens.as_deref().expect("a data directory is told");
        let tokens = fs::read_to_string(tokens).unwrap();
        let token = tokens.lines().next().unwrap().split(' ').next_back();
        token.unwrap().to_owned()
    }

    /// `POST` of JSON to the public listener.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        http::request(&self.public, "POST", path, body.to_string().as_bytes())
    }

    /// [`scoring_result_of`](Self::scoring_result_of) the digits challenge.
    pub(crate) fn scoring_result(&self, encrypted: &[&str]) -> Value {
        self.scoring_result_of("digits", encrypted)
    }

    /// `POST /get_scoring_result`; what is in `data`.
    pub(crate) fn scoring_result_of(&self, challenge: &str, encrypted: &[&str]) -> Value {
        let body = json!({ "challenge_name": challenge, "encrypted_commits": encrypted });
        let response = self.post("/get_scoring_result", &body);
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()["data"].take()
    }
}

/// Where the tokens of a `proctor` are that is started so.
fn tokens(command: &Command) -> Option<PathBuf> {
    let arguments: Vec<_> = command.get_args().collect();
    let value = |flag: &str| {
        let flags = arguments.windows(2).find(|pair| pair[0] == flag);
        flags.map(|pair| PathBuf::from(pair[1]))
    };
    let data = value("--data-dir").or_else(|| Some(value("--config")?.with_file_name("data")));
    data.map(|data| data.join("admin.tokens"))
}

/// One request on a connection of its own, with whatever headers.
pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = connect(address);
    let sent = stream.write_all(&[head.as_bytes(), body].concat());
    // Who refuses a body may not read all of it.
    drop(sent);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    parse(&answer, method == "HEAD").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"))
}

pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// An answer that was read to its end; none if it is not one, whole.
pub(crate) fn parse(answer: &[u8], of_head: bool) -> Option<Response> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(':'))
        .map(|line| line.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let body = match headers.get("transfer-encoding").map(String::as_str) {
        Some("chunked") if !of_head => unchunk(body)?,
        _ => body.to_vec(),
    };
    let length = headers.get("content-length").filter(|_| !of_head);
    if length.is_some_and(|length| *length != body.len().to_string()) {
        return None;
    }
    let body = String::from_utf8(body).ok()?;
    Some(Response {
        status,
        headers,
        body,
    })
}

fn unchunk(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n")?;
        let length = std::str::from_utf8(&chunks[..end]).ok()?;
        let length = usize::from_str_radix(length, 16).ok()?;
        body.extend_from_slice(chunks.get(end + 2..end + 2 + length)?);
        chunks = chunks.get(end + 2 + length + 2..)?;
        if length == 0 {
            return Some(body);
        }
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
