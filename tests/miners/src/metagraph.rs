//! The subnet of the miners, as the host reads it.

use crate::miner::DevMiner;
use serde_json::{Value, json};
use std::sync::Arc;

/// What `metagraph.json` has of these miners, each with its own coldkey's name and
/// without stake; and of the host, if its hotkey is given, as a validator with uid 0.
#[must_use]
pub fn metagraph(netuid: u16, host: Option<&str>, miners: &[Arc<DevMiner>]) -> Value {
    let host = host.map(|hotkey| {
        json!({
            "uid": 0, "hotkey": hotkey, "coldkey": "host", "axon_ip": null,
            "stake": 100_000.0, "validator_permit": true,
        })
    });
    let miners = miners.iter().map(|miner| {
        json!({
            "uid": miner.uid, "hotkey": miner.hotkey, "coldkey": format!("miner-{}", miner.index),
            "axon_ip": miner.address.ip(), "axon_port": miner.address.port(),
            "stake": 0.0, "validator_permit": false,
        })
    });
    let neurons: Vec<Value> = host.into_iter().chain(miners).collect();
    json!({"netuid": netuid, "block": 1, "owner_hotkey": null, "neurons": neurons})
}
