//! Weights on a simulated chain, by the binary: from a miner's commit to the row that
//! the chain has.

use crate::commits::{Commit, HOUR};
use crate::days::hour_of;
use crate::support::{DAY, Server, World, run, until};
use proctor_host::chain::Hotkey;
use proctor_simulated_chain::{NETUID, SimulatedChain};
use serde_json::{Value, json};
use std::fs;
use tokio::runtime::Runtime;

/// The seed of `//Bob`, who has uid 1 and a permit.
const SEED: &str = "0x398f0c28f98885e046333d4a41c19cee4c37368a9832c6502f6cfd182e2aef89";
/// The uid of `//Charlie`, the miner.
const MINER: u16 = 2;

/// A simulated chain, and a host on it whose one miner has a standing to come.
struct Subnet {
    chain: SimulatedChain,
    world: World,
    // The chain runs in it, so it goes after it.
    _runtime: Runtime,
}

impl Subnet {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let chain = runtime.block_on(SimulatedChain::start());
        let world = World::new().with_digits();
        let wallet = world.path().join("wallets/w/hotkeys");
        fs::create_dir_all(&wallet).unwrap();
        fs::write(
            wallet.join("default"),
            format!(r#"{{"secretSeed": "{SEED}"}}"#),
        )
        .unwrap();
        let wallets = world.path().join("wallets");
        let world = world.configured(&format!(
            "[chain]
network = '{url}'
netuid = {NETUID}
timeout_s = 5
refresh_blocks = 1
[commits]
min_validator_stake = 0
[wallet]
path = '{wallets}'
name = 'w'
[weights]
submit = true
margin_blocks = 3
jitter_blocks = 0",
            url = chain.url(),
            wallets = wallets.display(),
        ));
        Subnet {
            chain,
            world,
            _runtime: runtime,
        }
    }

    /// Starts a host, and has the miner's commit evaluated.
    fn serve(&self, settings: &[&str]) -> Server {
        let world = &self.world;
        world.set_clock(hour_of(0) - 6.0 * HOUR);
        let mut server = world.serve(settings);
        server.wait_for("plugin active");
        let text = format!("digits---sha256:{}", world.add_artifact("knn"));
        let miner = address("//Charlie");
        let commit = Commit::at(&miner, &text, hour_of(0) - 5.0 * HOUR - DAY);
        let document = world.write(
            "validator.json",
            json!({"miner_commits": { miner: { "digits": commit.revealed() } }}).to_string(),
        );
        world.done(&["ingest", "--validator", "0", &document]);
        world.set_clock(hour_of(0) - 4.0 * HOUR);
        server.wait_for("evaluated");
        server
    }

    /// The scoring hour: waits for the vector, and for the metagraph of that time.
    fn finalize(&self, server: &mut Server) {
        self.world.set_clock(hour_of(0));
        server.wait_for("finalized");
        until("the vector is told", || {
            server.get("/v1/weights/latest").status == 200
        });
        self.chain.mine(1);
        let read = format!(
            "proctor_metagraph_read_timestamp_seconds {:.1}\n",
            hour_of(0)
        );
        until("the metagraph is read", || {
            server.admin_get("/metrics").body.contains(&read)
        });
    }

    /// One more block, which the host has seen.
    fn mine(&self, server: &Server) {
        self.chain.mine(1);
        let block = format!("proctor_metagraph_block {}\n", self.chain.best());
        until("the host has seen the block", || {
            server.admin_get("/metrics").body.contains(&block)
        });
    }

    /// What was sent to the chain: a call each.
    fn sent(&self) -> Vec<String> {
        let received = self.chain.received();
        let sent = received.iter().map(|one| format!("{:?}", one.extrinsic));
        sent.collect()
    }

    /// The row of weights that the chain has of Bob.
    fn row(&self) -> Vec<(u16, u16)> {
        self.chain.read(|state| {
            let rows = &state.subnets[&NETUID].weights;
            rows.get(&(0, 1)).cloned().unwrap_or_default()
        })
    }
}

fn address(uri: &str) -> String {
    Hotkey::from_uri(uri).unwrap().address().to_owned()
}

fn submissions(server: &Server) -> Vec<Value> {
    let page = server.admin_get("/v1/admin/weights/submissions").json();
    page["submissions"].as_array().unwrap().clone()
}

#[test]
fn weights_come_onto_the_chain_once_and_not_again_after_a_kill() {
    let subnet = Subnet::new();
    let mut server = subnet.serve(&[]);
    subnet.finalize(&mut server);
    let vector = server.get("/v1/weights/latest").json();
    assert_eq!(vector["uids"], json!([MINER]));
    assert!(
        vector["chain_endpoint"]
            .as_str()
            .unwrap()
            .starts_with("ws://")
    );

    // The next epoch begins with block 1005: it is due with three blocks left.
    assert_eq!(subnet.sent(), [""; 0], "it is early in the epoch");
    subnet.chain.mine_to(1_002);
    until("it is sent", || subnet.sent().len() == 1);
    // What became of it is not known to a host that is killed now.
    server.kill();
    subnet.chain.mine(2);
    assert_eq!(subnet.row(), [(MINER, u16::MAX)]);
    let server = subnet.world.serve(&[]);
    until("it is found in the chain", || {
        submissions(&server)
            .first()
            .is_some_and(|one| one["state"] == "confirmed")
    });
    // Nor is it sent again in this epoch, whatever is mined; in the next one it is.
    while subnet.chain.best() < 1_008 {
        subnet.mine(&server);
    }
    assert_eq!(subnet.sent().len(), 1, "{:?}", subnet.sent());
    subnet.chain.mine_to(1_012);
    until("that of the next epoch is sent", || {
        subnet.sent().len() == 2
    });
    subnet.chain.mine(1);
    let states = || -> Vec<Value> {
        let rows = submissions(&server);
        rows.iter().map(|one| one["state"].clone()).collect()
    };
    let rows = submissions(&server);
    until(&format!("both are confirmed: {rows:?}"), || {
        states() == ["confirmed", "confirmed"]
    });
    let metrics = server.admin_get("/metrics").body;
    for line in [
        "proctor_chain_connected 1",
        "proctor_weights_submissions_total{outcome=\"confirmed\"} ",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    server.stop();
}

#[test]
fn an_operator_sees_the_call_the_checks_and_the_history() {
    let subnet = Subnet::new();
    let mut server = subnet.serve(&["weights.submit=false"]);
    subnet.finalize(&mut server);
    let admin = format!("http://{}", server.admin);
    let config = subnet.world.config();
    let weights = |arguments: &[&str]| {
        let mut all = vec!["weights"];
        all.extend(arguments);
        all.extend([
            "--url",
            &admin,
            "--json",
            "--config",
            config.to_str().unwrap(),
        ]);
        run(&mut subnet.world.proctor(&all))
    };
    let plan = weights(&["submit", "--dry-run"]).json();
    let plan = plan.get("plan").unwrap_or(&plan);
    assert_eq!(plan["source"], "online");
    assert_eq!(plan["call"]["arguments"]["dests"], json!([MINER]));
    assert_eq!(plan["refused"], Value::Null, "{plan}");
    assert!(plan["fee_rao"].is_u64() && plan["nonce"].is_u64(), "{plan}");
    assert_eq!(subnet.sent(), [""; 0], "a dry run sends nothing");

    // The chain would refuse it: nothing is sent, and the reason is told.
    subnet
        .chain
        .edit(|state| state.subnet(NETUID).neuron(1).validator_permit = false);
    subnet.chain.mine(1);
    let refused = weights(&["submit"]);
    assert!(!refused.status.success());
    assert!(
        refused.stderr.contains("NeuronNoValidatorPermit"),
        "{}",
        refused.stderr
    );
    assert_eq!(subnet.sent(), [""; 0]);
    subnet
        .chain
        .edit(|state| state.subnet(NETUID).neuron(1).validator_permit = true);
    subnet.chain.mine_on_submit(true);
    let submitted = weights(&["submit"]);
    assert!(submitted.status.success(), "{}", submitted.stderr);
    assert_eq!(subnet.row(), [(MINER, u16::MAX)]);
    let history = weights(&["history"]).json();
    assert_eq!(history["submissions"][0]["state"], "confirmed", "{history}");

    let metagraph = run(&mut subnet.world.proctor(&[
        "metagraph",
        "--json",
        "--config",
        config.to_str().unwrap(),
    ]));
    let metagraph = metagraph.json();
    assert_eq!(metagraph["neurons"][2]["hotkey"], address("//Charlie"));
    server.stop();
}
