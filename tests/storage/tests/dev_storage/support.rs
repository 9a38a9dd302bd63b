//! A client that signs, or does not.

use proctor_dev_storage::{FakeStorage, Options, RunningStorage};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use subxt_signer::SecretUri;
use subxt_signer::sr25519::Keypair;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn start() -> RunningStorage {
    FakeStorage::start(Options::default()).unwrap()
}

/// A validator: its uid, and the key that it signs with.
pub(crate) struct Validator {
    pub(crate) uid: i64,
    pub(crate) hotkey: &'static str,
    key: Keypair,
}

pub(crate) fn alice() -> Validator {
    let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    Validator::new(0, hotkey, "//Alice")
}

pub(crate) fn bob() -> Validator {
    let hotkey = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    Validator::new(1, hotkey, "//Bob")
}

pub(crate) type Headers = Vec<(String, String)>;

impl Validator {
    fn new(uid: i64, hotkey: &'static str, uri: &str) -> Self {
        let key = Keypair::from_uri(&SecretUri::from_str(uri).unwrap()).unwrap();
        Validator { uid, hotkey, key }
    }

    /// The four headers for a body, dated now.
    pub(crate) fn headers(&self, body: &str) -> Headers {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.headers_at(body, now.unwrap().as_nanos())
    }

    /// The same, dated in nanoseconds since the Unix epoch.
    pub(crate) fn headers_at(&self, body: &str, timestamp: u128) -> Headers {
        let message = format!("{}.{timestamp}", hex::encode(Sha256::digest(body)));
        let signature = hex::encode(self.key.sign(message.as_bytes()));
        let headers = [
            ("validator-uid", self.uid.to_string()),
            ("validator-hotkey", self.hotkey.to_owned()),
            ("timestamp", timestamp.to_string()),
            ("signature", format!("0x{signature}")),
        ];
        headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }

    /// A signed `POST`.
    pub(crate) fn post(&self, storage: &RunningStorage, path: &str, body: &Value) -> Response {
        let body = body.to_string();
        post(storage, path, &self.headers(&body), &body)
    }

    /// A signed `POST` that is done; what is answered.
    #[track_caller]
    pub(crate) fn done(&self, storage: &RunningStorage, path: &str, body: &Value) -> Value {
        let response = self.post(storage, path, body);
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response.json()
    }

    /// What `/fetch-latest-miner-commits` has for a validator.
    #[track_caller]
    pub(crate) fn latest(&self, storage: &RunningStorage, uid: i64, names: &[&str]) -> Value {
        let body = json!({
            "validator_uid": uid, "validator_hotkey": "any", "challenge_names": names,
        });
        self.done(storage, "/fetch-latest-miner-commits", &body)["miner_commits"].take()
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    fn parse(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Response {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It is an error as FastAPI words them.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let found = self.json()["detail"].to_string();
        assert!(found.contains(detail), "{found} is not about {detail:?}");
    }
}

/// Sends a request on a connection of its own, and leaves the answer to the caller.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

/// All that is answered to a request.
pub(crate) fn raw(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn request(storage: &RunningStorage, method: &str, path: &str, body: &str) -> Response {
    Response::parse(&raw(&mut send(storage.address, method, path, &[], body)))
}

pub(crate) fn post(
    storage: &RunningStorage,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> Response {
    let mut stream = send(storage.address, "POST", path, headers, body);
    Response::parse(&raw(&mut stream))
}
