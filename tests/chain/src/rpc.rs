//! The methods of a node.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use subxt::utils::AccountId32;

use crate::apis;
use crate::block::Block;
use crate::chain::SimulatedChain;
use crate::extrinsic::Extrinsic;
use crate::node::{Node, RpcError, Subscription, from_hex, to_hex};
use crate::validity::Invalid;
use crate::world::{World, channel, hash_json};

/// What is answered; `state_subscribeStorage` and `chainHead_*` are not there.
const METHODS: [&str; 29] = [
    "author_pendingExtrinsics",
    "author_submitAndWatchExtrinsic",
    "author_submitExtrinsic",
    "author_unwatchExtrinsic",
    "chain_getBlock",
    "chain_getBlockHash",
    "chain_getFinalizedHead",
    "chain_getHeader",
    "chain_subscribeAllHeads",
    "chain_subscribeFinalizedHeads",
    "chain_subscribeNewHeads",
    "chain_unsubscribeAllHeads",
    "chain_unsubscribeFinalizedHeads",
    "chain_unsubscribeNewHeads",
    "rpc_methods",
    "state_call",
    "state_getKeysPaged",
    "state_getMetadata",
    "state_getRuntimeVersion",
    "state_getStorage",
    "state_queryStorageAt",
    "state_subscribeRuntimeVersion",
    "state_unsubscribeRuntimeVersion",
    "system_accountNextIndex",
    "system_chain",
    "system_health",
    "system_name",
    "system_properties",
    "system_version",
];

impl Node for SimulatedChain {
    fn request(&self, method: &str, params: &[Json]) -> Result<Json, RpcError> {
        self.with(|world| request(world, method, params))
    }

    fn subscribe(&self, method: &str, params: &[Json]) -> Option<Result<Subscription, RpcError>> {
        self.with(|world| subscribe(world, method, params))
    }
}

fn request(world: &mut World, method: &str, params: &[Json]) -> Result<Json, RpcError> {
    Ok(match method {
        "rpc_methods" => json!({"methods": METHODS}),
        "system_chain" => json!("Simulated"),
        "system_name" => json!("proctor-simulated-chain"),
        "system_version" => json!("1.0.0"),
        "system_properties" => json!({"ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO"}),
        "system_health" => json!({"peers": 1, "isSyncing": false, "shouldHavePeers": true}),
        "system_accountNextIndex" => next_index(world, params)?,
        "chain_getBlockHash" => match params.first() {
            Some(Json::Array(numbers)) => numbers
                .iter()
                .map(|number| block_hash(world, Some(number)))
                .collect::<Result<_, _>>()?,
            number => block_hash(world, number)?,
        },
        "chain_getFinalizedHead" => {
            let last = world.at_number(world.finalized);
            last.map_or(Json::Null, |block| hash_json(block))
        }
        "chain_getHeader" => found(world, params, 0)?.map_or(Json::Null, |one| one.header_json()),
        "chain_getBlock" => found(world, params, 0)?.map_or(Json::Null, |one| one.json()),
        "state_getRuntimeVersion" => {
            let block = at(world, params, 0)?;
            world.version_json(&block.state.runtime)
        }
        "state_getMetadata" => json!(to_hex(at(world, params, 0)?.state.runtime.encoded())),
        "state_getStorage" => {
            let key = from_hex(params, 0)?;
            let block = at(world, params, 1)?;
            let value = block.entries().0.get(&key);
            json!(value.map(|value| to_hex(value)))
        }
        "state_getKeysPaged" => keys_paged(world, params)?,
        "state_queryStorageAt" => query_storage(world, params)?,
        "state_call" => {
            let name = params.first().and_then(Json::as_str).unwrap_or_default();
            let block = at(world, params, 2)?;
            let result = apis::call(&block, name, &from_hex(params, 1)?, |extrinsic| {
                validate(world, extrinsic)
            })?;
            json!(to_hex(&result))
        }
        "author_submitExtrinsic" => {
            let hash = world.submit(&from_hex(params, 0)?, None)?;
            json!(to_hex(&hash))
        }
        "author_pendingExtrinsics" => world
            .pool
            .waiting
            .iter()
            .map(|one| json!(to_hex(&one.extrinsic.bytes)))
            .collect(),
        _ => return Err(RpcError::no_method()),
    })
}

fn subscribe(
    world: &mut World,
    method: &str,
    params: &[Json],
) -> Option<Result<Subscription, RpcError>> {
    let (notification, items) = match method {
        "chain_subscribeNewHeads" | "chain_subscribeAllHeads" => {
            let (sender, items) = channel([world.best().header_json()]);
            world.listeners.best.push(sender);
            let all = method == "chain_subscribeAllHeads";
            (
                if all {
                    "chain_allHead"
                } else {
                    "chain_newHead"
                },
                items,
            )
        }
        "chain_subscribeFinalizedHeads" => {
            let last = world.at_number(world.finalized);
            let (sender, items) = channel(last.map(|block| block.header_json()));
            world.listeners.finalized.push(sender);
            ("chain_finalizedHead", items)
        }
        "state_subscribeRuntimeVersion" => {
            let version = world.version_json(&world.best().state.runtime);
            let (sender, items) = channel([version]);
            world.listeners.versions.push(sender);
            ("state_runtimeVersion", items)
        }
        "author_submitAndWatchExtrinsic" => {
            let (sender, items) = channel([]);
            let result = from_hex(params, 0).and_then(|bytes| world.submit(&bytes, Some(sender)));
            if let Err(error) = result {
                return Some(Err(error));
            }
            ("author_extrinsicUpdate", items)
        }
        _ => return None,
    };
    Some(Ok(Subscription {
        notification,
        items,
    }))
}

/// The block of a parameter that is a hash, or the best; `None` if it is not known.
fn found(world: &World, params: &[Json], place: usize) -> Result<Option<Arc<Block>>, RpcError> {
    if params.get(place).is_none_or(Json::is_null) {
        return Ok(Some(Arc::clone(world.best())));
    }
    Ok(world.at_hash(&from_hex(params, place)?).cloned())
}

/// The same, for what needs its state.
fn at(world: &World, params: &[Json], place: usize) -> Result<Arc<Block>, RpcError> {
    let hash = || params.get(place).cloned().unwrap_or_default();
    let Some(block) = found(world, params, place)? else {
        let message = format!(
            "Client error: UnknownBlock: Header was not found: {}",
            hash()
        );
        return Err(RpcError::new(4_003, message));
    };
    if block.number().saturating_add(world.states_kept) < world.best().number() {
        let message = format!(
            "Client error: UnknownBlock: State already discarded for {}",
            hash()
        );
        return Err(RpcError::new(4_003, message));
    }
    Ok(block)
}

fn block_hash(world: &World, number: Option<&Json>) -> Result<Json, RpcError> {
    let number = match number {
        None | Some(Json::Null) => return Ok(hash_json(world.best())),
        Some(Json::String(hex)) => u64::from_str_radix(hex.trim_start_matches("0x"), 16).ok(),
        Some(number) => number.as_u64(),
    };
    let number = number.ok_or_else(|| RpcError::params("the number of a block"))?;
    Ok(world
        .at_number(number)
        .map_or(Json::Null, |block| hash_json(block)))
}

fn next_index(world: &World, params: &[Json]) -> Result<Json, RpcError> {
    let account = params
        .first()
        .and_then(Json::as_str)
        .and_then(|text| AccountId32::from_str(text).ok())
        .ok_or_else(|| RpcError::params("an account in SS58"))?;
    let mut next = world.best().state.nonce(&account.0);
    let waits = |nonce| {
        let mut waiting = world.pool.waiting.iter().map(|one| &one.extrinsic);
        waiting.any(|one| one.account == account.0 && one.nonce == nonce)
    };
    while waits(next) {
        next += 1;
    }
    Ok(json!(next))
}

fn keys_paged(world: &World, params: &[Json]) -> Result<Json, RpcError> {
    use std::ops::Bound::{Excluded, Unbounded};

    let prefix = match params.first() {
        None | Some(Json::Null) => Vec::new(),
        Some(_) => from_hex(params, 0)?,
    };
    let count = params.get(1).and_then(Json::as_u64).unwrap_or_default();
    let start = match params.get(2) {
        None | Some(Json::Null) => None,
        Some(_) => Some(from_hex(params, 2)?),
    };
    let block = at(world, params, 3)?;
    let from = match start {
        Some(start) => Excluded(start),
        None => std::ops::Bound::Included(prefix.clone()),
    };
    let keys = block
        .entries()
        .0
        .range((from, Unbounded))
        .map(|(key, _)| key)
        .take_while(|key| key.starts_with(&prefix))
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .map(|key| json!(to_hex(key)));
    Ok(keys.collect())
}

fn query_storage(world: &World, params: &[Json]) -> Result<Json, RpcError> {
    let block = at(world, params, 1)?;
    let keys = params.first().and_then(Json::as_array);
    let changes: Json = keys
        .into_iter()
        .flatten()
        .map(|key| {
            let value = block
                .entries()
                .0
                .get(&from_hex(std::slice::from_ref(key), 0)?);
            Ok(json!([key, value.map(|value| to_hex(value))]))
        })
        .collect::<Result<_, RpcError>>()?;
    Ok(json!([{"block": hash_json(&block), "changes": changes}]))
}

fn validate(world: &World, extrinsic: &[u8]) -> Result<(), Invalid> {
    let state = world.next_state();
    let extrinsic = Extrinsic::decode(extrinsic, &state.runtime).map_err(|_| Invalid::BadProof)?;
    world.validate(&extrinsic, &state)
}
