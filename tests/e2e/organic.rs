//! Organic scoring from outside: entries over HTTP, miners on loopback, kills.

mod accounting;
mod control;
mod entries;
mod weights;

use crate::http::Response;
use crate::support::{Server, World, metagraph, neuron, parse, until};
use proctor_dev_miners::{Behaviour, Miners, Options, Work};
use proctor_host::chain::{Hotkey, btauth};
use proctor_testing::guest;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The challenge of the tests: asks every miner for what the sample has, and pays one
/// for each right answer.
const ORGANIC: &str = "organic";

/// The seed of the host's hotkey.
const HOST: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

/// Registered callers: `caller(0)` and so on.
const CALLERS: u16 = 4;

/// A subnet of a host, callers, and miners on loopback.
struct Subnet {
    world: World,
    miners: Miners,
    /// What makes each signed request another one.
    nonce: AtomicU64,
}

fn caller(number: u16) -> Hotkey {
    Hotkey::from_uri(&format!("//Caller/{number}")).unwrap()
}

impl Subnet {
    /// With a miner for each behaviour, and this in the section
    /// `challenges.organic.organic`.
    fn new(behaviours: &[Behaviour], section: &str) -> Self {
        let options = Options {
            count: behaviours.len(),
            work: Work::echo(),
            ..Options::default()
        };
        let miners = Miners::start(options).unwrap();
        for (miner, behaviour) in miners.all().iter().zip(behaviours) {
            miner.behave(behaviour.clone());
        }
        let world = World::new();
        let wallet = world.path().join("wallets/w/hotkeys");
        fs::create_dir_all(&wallet).unwrap();
        let key = json!({ "secretSeed": HOST });
        fs::write(wallet.join("default"), key.to_string()).unwrap();
        let subnet = Subnet {
            world,
            miners,
            nonce: AtomicU64::new(0),
        };
        subnet.configured(section)
    }

    fn configured(self, section: &str) -> Self {
        let wallets = self.world.path().join("wallets");
        let more = format!(
            "[wallet]
path = '{wallets}'
name = 'w'
[miners]
private_networks = ['127.0.0.1']
[challenges.{ORGANIC}.organic]
retry_s = 0
{section}",
            wallets = wallets.display(),
        );
        let Subnet {
            world,
            miners,
            nonce,
        } = self;
        let world = world.configured(&more);
        let component = world.plugins().join("organic.wasm");
        fs::copy(guest("organic_challenge"), component).unwrap();
        let subnet = Subnet {
            world,
            miners,
            nonce,
        };
        subnet.register();
        subnet
    }

    /// Writes the metagraph: the host has uid 0, then come the miners, then the callers.
    fn register(&self) {
        let host = Hotkey::from_uri(HOST).unwrap();
        let mut neurons = vec![neuron(0, host.address(), 90_000.0)];
        for miner in self.miners.all() {
            let mut neuron = neuron(miner.uid, &miner.hotkey, 1.0);
            neuron["axon_ip"] = json!("127.0.0.1");
            neuron["axon_port"] = json!(miner.address.port());
            neurons.push(neuron);
        }
        let first = u16::try_from(neurons.len()).unwrap();
        neurons.extend((0..CALLERS).map(|number| {
            let mut neuron = neuron(first + number, caller(number).address(), 10.0);
            neuron["axon_ip"] = Value::Null;
            neuron
        }));
        let mut all = metagraph();
        all["neurons"] = neurons.into();
        self.world.set_metagraph(&all);
    }

    /// A host that has the challenge active.
    fn serve(&self) -> Server {
        let mut server = self.world.serve(&[]);
        server.wait(|event| event.is("plugin active") && event.text("challenge") == ORGANIC);
        server
    }

    /// The headers of a caller's entry.
    fn signed(&self, caller: &Hotkey, path: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let count = self.nonce.fetch_add(1, Ordering::Relaxed);
        let nonce = self.world.now() as u64 * 1_000_000_000 + count;
        let host = Hotkey::from_uri(HOST).unwrap();
        let headers = btauth::sign(caller, "POST", path, body, Some(host.address()), nonce);
        headers.into_iter().collect()
    }

    /// Sends an entry; none if the host is not there, or died over it.
    fn try_send(
        &self,
        address: &str,
        caller: &Hotkey,
        body: &Value,
        more: &[(&str, &str)],
    ) -> Option<Response> {
        let path = format!("/v1/organic/{ORGANIC}");
        let body = body.to_string();
        let signed = self.signed(caller, &path, body.as_bytes());
        let mut headers: Vec<(&str, &str)> = vec![("content-type", "application/json")];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        headers.extend(more);
        try_request(address, "POST", &path, &headers, body.as_bytes())
    }

    /// Sends an entry to a host that is there.
    fn send(
        &self,
        server: &Server,
        caller: &Hotkey,
        body: &Value,
        more: &[(&str, &str)],
    ) -> Response {
        let answer = self.try_send(&server.public, caller, body, more);
        answer.expect("the host is there")
    }
}

/// One request; none if there is no whole answer.
fn try_request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Response> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    parse(&answer, false)
}

/// What the host tells of the challenge's loop.
fn status(server: &Server) -> Value {
    let answer = server.admin_get(&format!("/v1/admin/organic/{ORGANIC}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Waits until the loop is as wanted.
#[track_caller]
fn until_status(server: &Server, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    until(what, || is_so(&status(server)));
    status(server)
}
