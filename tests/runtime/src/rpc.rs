//! The JSON-RPC methods of a node that clients of chains use.

use crate::node::{Node, State};
use crate::runtime::Trap;
use crate::storage::Storage;
use parity_scale_codec::{Decode, Encode};
use proctor_simulated_chain::{Node as Behind, RpcError, Subscription, from_hex, to_hex};
use serde_json::{Value, json};
use std::str::FromStr;
use std::sync::Arc;
use subxt_utils_accountid32::AccountId32;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Keys that a page has at most.
const PAGE: u64 = 1_000;

/// What a node answers if the runtime came to no end.
impl From<Trap> for RpcError {
    fn from(trap: Trap) -> Self {
        RpcError::new(4003, format!("Client error: Execution failed: {trap}"))
    }
}

fn unknown_block() -> RpcError {
    RpcError::new(4003, "Client error: UnknownBlock: Header was not found")
}

fn no_such(what: &str, position: usize) -> RpcError {
    RpcError::params(format!("parameter {position} is no {what}"))
}

/// The parameters of a request, by position.
struct Params<'a>(&'a [Value]);

impl Params<'_> {
    fn text(&self, position: usize) -> Result<&str, RpcError> {
        let value = self.0.get(position).and_then(Value::as_str);
        value.ok_or_else(|| no_such("text", position))
    }

    fn number(&self, position: usize) -> Option<u64> {
        self.0.get(position).and_then(Value::as_u64)
    }

    fn bytes(&self, position: usize) -> Result<Vec<u8>, RpcError> {
        from_hex(self.0, position)
    }

    /// Bytes, if they are given.
    fn bytes_if_any(&self, position: usize) -> Result<Option<Vec<u8>>, RpcError> {
        match self.0.get(position) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.bytes(position).map(Some),
        }
    }
}

impl Behind for Node {
    fn request(&self, method: &str, params: &[Value]) -> Result<Value, RpcError> {
        self.lock().request(method, &Params(params))
    }

    fn subscribe(&self, method: &str, params: &[Value]) -> Option<Result<Subscription, RpcError>> {
        let notification = match method {
            "author_submitAndWatchExtrinsic" => "author_extrinsicUpdate",
            "chain_subscribeAllHeads" => "chain_allHead",
            "chain_subscribeFinalizedHeads" => "chain_finalizedHead",
            "chain_subscribeNewHeads" => "chain_newHead",
            "state_subscribeRuntimeVersion" => "state_runtimeVersion",
            _ => return None,
        };
        let (sender, items) = unbounded_channel();
        let mut state = self.lock();
        let begun = match method {
            "author_submitAndWatchExtrinsic" => Params(params)
                .bytes(0)
                .and_then(|extrinsic| state.submit(extrinsic, Some(sender)))
                .map(drop),
            "state_subscribeRuntimeVersion" => {
                state.watch_runtime(sender);
                Ok(())
            }
            _ => {
                state.listen(sender);
                Ok(())
            }
        };
        Some(begun.map(|()| Subscription {
            notification,
            items,
        }))
    }
}

impl State {
    fn request(&mut self, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
        Ok(match method {
            "rpc_methods" => json!({ "methods": METHODS }),
            "system_chain" => json!("proctor-runtime-tests"),
            "system_name" => json!("A runtime in process"),
            "system_version" => json!(env!("CARGO_PKG_VERSION")),
            "system_health" => json!({ "peers": 0, "isSyncing": false, "shouldHavePeers": false }),
            "system_properties" => json!({ "ss58Format": 42, "tokenDecimals": 9 }),
            "system_accountNextIndex" => self.next_index(params)?,
            "chain_getBlockHash" => self.block_hash(params),
            "chain_getFinalizedHead" => json!(to_hex(&self.chain.last().hash)),
            "chain_getHeader" => self.header(params)?,
            "chain_getBlock" => self.block(params)?,
            "state_getRuntimeVersion" => self.runtime_version(),
            "state_getMetadata" => self.metadata(params)?,
            "state_call" => {
                let storage = self.storage(params, 2)?;
                let parameter = params.bytes(1)?;
                let output = self.chain.call(&storage, params.text(0)?, &parameter)?;
                json!(to_hex(&output))
            }
            "state_getStorage" => {
                let storage = self.storage(params, 1)?;
                json!(storage.get(&params.bytes(0)?).map(to_hex))
            }
            "state_getKeysPaged" => self.keys(params)?,
            "state_queryStorageAt" => self.query(params)?,
            "author_pendingExtrinsics" => {
                let waiting = self.pool.iter();
                waiting.map(|w| to_hex(&w.extrinsic)).collect()
            }
            "author_submitExtrinsic" => json!(to_hex(&self.submit(params.bytes(0)?, None)?)),
            _ => return Err(RpcError::no_method()),
        })
    }

    /// The storage of the block whose hash is at this position; of the newest without.
    fn storage(&self, params: &Params<'_>, position: usize) -> Result<Arc<Storage>, RpcError> {
        let Some(hash) = params.bytes_if_any(position)? else {
            return Ok(self.chain.last().storage.clone());
        };
        let block = self.chain.find(&hash).ok_or_else(unknown_block)?;
        Ok(block.storage.clone())
    }

    /// The runtime stays the same, and so its version is told once.
    fn watch_runtime(&mut self, watcher: UnboundedSender<Value>) {
        if watcher.send(self.runtime_version()).is_ok() {
            self.runtime_watchers.push(watcher);
        }
    }

    fn runtime_version(&self) -> Value {
        let version = self.chain.version().decode();
        let apis: Vec<Value> = version
            .apis
            .map(|api| json!([to_hex(&api.name_hash), api.version]))
            .collect();
        json!({
            "specName": version.spec_name,
            "implName": version.impl_name,
            "authoringVersion": version.authoring_version,
            "specVersion": version.spec_version,
            "implVersion": version.impl_version,
            "transactionVersion": version.transaction_version,
            "stateVersion": version.state_version.map(u8::from),
            "apis": apis,
        })
    }

    fn metadata(&mut self, params: &Params<'_>) -> Result<Value, RpcError> {
        const FUNCTION: &str = "Metadata_metadata";
        let storage = self.storage(params, 0)?;
        let opaque = self.chain.call(&storage, FUNCTION, &[])?;
        let metadata = Vec::<u8>::decode(&mut opaque.as_slice());
        let metadata = metadata.map_err(|error| Trap(format!("{FUNCTION}: {error}")))?;
        Ok(json!(to_hex(&metadata)))
    }

    /// The nonce after those that are in the newest block and in the pool.
    fn next_index(&mut self, params: &Params<'_>) -> Result<Value, RpcError> {
        const FUNCTION: &str = "AccountNonceApi_account_nonce";
        let account = AccountId32::from_str(params.text(0)?);
        let account = account.map_err(|_| no_such("account", 0))?.0;
        let storage = self.chain.last().storage.clone();
        let nonce = self.chain.call(&storage, FUNCTION, &account)?;
        let nonce = u32::decode(&mut nonce.as_slice());
        let mut nonce = nonce.map_err(|error| Trap(format!("{FUNCTION}: {error}")))?;
        while self.pool.provides(&(account, nonce).encode()) {
            nonce += 1;
        }
        Ok(json!(nonce))
    }

    fn block_hash(&self, params: &Params<'_>) -> Value {
        let block = match params.number(0) {
            Some(number) => usize::try_from(number)
                .ok()
                .and_then(|number| self.chain.block(number)),
            None => Some(self.chain.last()),
        };
        json!(block.map(|block| to_hex(&block.hash)))
    }

    fn header(&self, params: &Params<'_>) -> Result<Value, RpcError> {
        Ok(match params.bytes_if_any(0)? {
            Some(hash) => json!(self.chain.find(&hash).map(|block| block.header.json())),
            None => self.chain.last().header.json(),
        })
    }

    fn block(&self, params: &Params<'_>) -> Result<Value, RpcError> {
        let block = match params.bytes_if_any(0)? {
            Some(hash) => self.chain.find(&hash),
            None => Some(self.chain.last()),
        };
        let Some(block) = block else {
            return Ok(Value::Null);
        };
        let extrinsics: Vec<String> = block.extrinsics.iter().map(|x| to_hex(x)).collect();
        Ok(json!({
            "block": { "header": block.header.json(), "extrinsics": extrinsics },
            "justifications": null,
        }))
    }

    fn keys(&self, params: &Params<'_>) -> Result<Value, RpcError> {
        let storage = self.storage(params, 3)?;
        let prefix = params.bytes_if_any(0)?.unwrap_or_default();
        let start = params.bytes_if_any(2)?;
        let count = params.number(1).unwrap_or(PAGE);
        if count > PAGE {
            return Err(RpcError::new(4002, format!("count exceeds {PAGE}")));
        }
        let count = usize::try_from(count).unwrap_or_default();
        let keys = storage.keys_after(&prefix, start.as_deref());
        Ok(keys.take(count).map(to_hex).collect())
    }

    fn query(&self, params: &Params<'_>) -> Result<Value, RpcError> {
        let hash = params.bytes_if_any(1)?;
        let storage = self.storage(params, 1)?;
        let keys = params.0.first().and_then(Value::as_array);
        let keys = keys.ok_or_else(|| no_such("list of keys", 0))?;
        let mut changes = Vec::with_capacity(keys.len());
        for (position, key) in keys.iter().enumerate() {
            let bytes = from_hex(keys, position)?;
            changes.push(json!([key, storage.get(&bytes).map(to_hex)]));
        }
        let hash = hash.unwrap_or_else(|| self.chain.last().hash.to_vec());
        Ok(json!([{ "block": to_hex(&hash), "changes": changes }]))
    }
}

const METHODS: &[&str] = &[
    "author_pendingExtrinsics",
    "author_submitAndWatchExtrinsic",
    "author_submitExtrinsic",
    "chain_getBlock",
    "chain_getBlockHash",
    "chain_getFinalizedHead",
    "chain_getHeader",
    "chain_subscribeAllHeads",
    "chain_subscribeFinalizedHeads",
    "chain_subscribeNewHeads",
    "rpc_methods",
    "state_call",
    "state_getKeysPaged",
    "state_getMetadata",
    "state_getRuntimeVersion",
    "state_getStorage",
    "state_queryStorageAt",
    "state_subscribeRuntimeVersion",
    "system_accountNextIndex",
    "system_chain",
    "system_health",
    "system_name",
    "system_properties",
    "system_version",
];
