//! The calls that set weights.
//!
//! They are made by name from the metadata of the runtime that they are for, so that a
//! runtime that orders its calls anew, or lacks one, is no surprise.

use serde::Serialize;
use serde_json::{Map, json};
use subxt::dynamic::Value;
use subxt::ext::scale_value::Composite;
use subxt::transactions::DynamicPayload;
use utoipa::ToSchema;

/// The pallet that all of the calls are of.
const PALLET: &str = "SubtensorModule";

/// The version of timelocked commits that this host makes: the payload of
/// [`timelock`](super::timelock), encrypted to drand's quicknet.
pub const TIMELOCK_VERSION: u16 = 4;

/// A call of the pallet `SubtensorModule` that sets weights, or a step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightCall {
    /// `set_weights`, or `set_mechanism_weights` if the mechanism is not 0.
    Set {
        /// The subnet.
        netuid: u16,
        /// The mechanism, 0 to 15.
        mechanism: u8,
        /// `dests`.
        uids: Vec<u16>,
        /// `weights`, as many.
        values: Vec<u16>,
        /// `version_key`.
        version_key: u64,
    },
    /// `commit_weights`, or `commit_mechanism_weights` if the mechanism is not 0.
    Commit {
        /// The subnet.
        netuid: u16,
        /// The mechanism, 0 to 15.
        mechanism: u8,
        /// `commit_hash`, of [`commit_hash`](super::commit_hash::commit_hash).
        hash: [u8; 32],
    },
    /// `reveal_weights`, or `reveal_mechanism_weights` if the mechanism is not 0.
    Reveal {
        /// The subnet.
        netuid: u16,
        /// The mechanism, 0 to 15.
        mechanism: u8,
        /// `uids`.
        uids: Vec<u16>,
        /// `values`, as many.
        values: Vec<u16>,
        /// `salt`.
        salt: Vec<u16>,
        /// `version_key`.
        version_key: u64,
    },
    /// `commit_timelocked_mechanism_weights`.
    CommitTimelocked {
        /// The subnet.
        netuid: u16,
        /// The mechanism, 0 to 15.
        mechanism: u8,
        /// `commit`, of [`encrypt`](super::timelock::encrypt); at most 5,000 bytes.
        commit: Vec<u8>,
        /// `reveal_round` of drand.
        reveal_round: u64,
        /// `commit_reveal_version`.
        version: u16,
    },
}

/// A call for people: what it is, with the names and values of its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallView {
    /// `SubtensorModule`.
    pub pallet: &'static str,
    /// The name of the call.
    pub call: &'static str,
    /// Its arguments by name, in the order of the runtime; bytes as `0x` and hex.
    #[schema(value_type = Object)]
    pub arguments: Map<String, serde_json::Value>,
}

/// An argument as the runtime takes it, and as people read it.
type Argument = (&'static str, Value, serde_json::Value);

impl WeightCall {
    /// The pallet that the call is of.
    #[must_use]
    pub fn pallet(&self) -> &'static str {
        PALLET
    }

    /// The name of the call.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self, self.mechanism()) {
            (WeightCall::Set { .. }, 0) => "set_weights",
            (WeightCall::Set { .. }, _) => "set_mechanism_weights",
            (WeightCall::Commit { .. }, 0) => "commit_weights",
            (WeightCall::Commit { .. }, _) => "commit_mechanism_weights",
            (WeightCall::Reveal { .. }, 0) => "reveal_weights",
            (WeightCall::Reveal { .. }, _) => "reveal_mechanism_weights",
            (WeightCall::CommitTimelocked { .. }, _) => "commit_timelocked_mechanism_weights",
        }
    }

    /// The call with its pallet, `SubtensorModule.set_weights`.
    #[must_use]
    pub fn what(&self) -> String {
        format!("{PALLET}.{}", self.name())
    }

    /// The subnet.
    #[must_use]
    pub fn netuid(&self) -> u16 {
        match self {
            WeightCall::Set { netuid, .. }
            | WeightCall::Commit { netuid, .. }
            | WeightCall::Reveal { netuid, .. }
            | WeightCall::CommitTimelocked { netuid, .. } => *netuid,
        }
    }

    /// The mechanism.
    #[must_use]
    pub fn mechanism(&self) -> u8 {
        match self {
            WeightCall::Set { mechanism, .. }
            | WeightCall::Commit { mechanism, .. }
            | WeightCall::Reveal { mechanism, .. }
            | WeightCall::CommitTimelocked { mechanism, .. } => *mechanism,
        }
    }

    /// The call as subxt takes it. Whether the runtime has such a call is found when it
    /// is encoded.
    #[must_use]
    pub fn payload(&self) -> DynamicPayload<Composite<()>> {
        let arguments = self.arguments().into_iter();
        let named = arguments.map(|(name, value, _)| (name.to_owned(), value));
        subxt::dynamic::tx(PALLET, self.name(), Composite::Named(named.collect()))
    }

    /// The call for people.
    #[must_use]
    pub fn view(&self) -> CallView {
        let arguments = self.arguments().into_iter();
        let named = arguments.map(|(name, _, json)| (name.to_owned(), json));
        CallView {
            pallet: PALLET,
            call: self.name(),
            arguments: named.collect(),
        }
    }

    fn arguments(&self) -> Vec<Argument> {
        let netuid = number("netuid", self.netuid());
        let in_mechanism = |always: bool| {
            let mechanism = self.mechanism();
            (always || mechanism != 0).then(|| number("mecid", mechanism))
        };
        let mut arguments = vec![netuid];
        match self {
            WeightCall::Set {
                uids,
                values,
                version_key,
                ..
            } => {
                arguments.extend(in_mechanism(false));
                arguments.push(numbers("dests", uids));
                arguments.push(numbers("weights", values));
                arguments.push(number("version_key", *version_key));
            }
            WeightCall::Commit { hash, .. } => {
                arguments.extend(in_mechanism(false));
                arguments.push(bytes("commit_hash", hash));
            }
            WeightCall::Reveal {
                uids,
                values,
                salt,
                version_key,
                ..
            } => {
                arguments.extend(in_mechanism(false));
                arguments.push(numbers("uids", uids));
                arguments.push(numbers("values", values));
                arguments.push(numbers("salt", salt));
                arguments.push(number("version_key", *version_key));
            }
            WeightCall::CommitTimelocked {
                commit,
                reveal_round,
                version,
                ..
            } => {
                arguments.extend(in_mechanism(true));
                arguments.push(bytes("commit", commit));
                arguments.push(number("reveal_round", *reveal_round));
                arguments.push(number("commit_reveal_version", *version));
            }
        }
        arguments
    }
}

fn number(name: &'static str, number: impl Into<u64>) -> Argument {
    let number = number.into();
    (name, Value::u128(u128::from(number)), json!(number))
}

fn numbers(name: &'static str, numbers: &[u16]) -> Argument {
    let values = numbers.iter().map(|n| Value::u128(u128::from(*n)));
    (name, Value::unnamed_composite(values), json!(numbers))
}

fn bytes(name: &'static str, bytes: &[u8]) -> Argument {
    let text = format!("0x{}", hex::encode(bytes));
    (name, Value::from_bytes(bytes), json!(text))
}

/// Where the runtime stores what belongs to a mechanism of a subnet:
/// `mechanism · 4096 + netuid`. Source: subtensor `get_mechanism_storage_index`.
#[must_use]
pub fn storage_index(netuid: u16, mechanism: u8) -> u16 {
    u16::from(mechanism)
        .wrapping_mul(4_096)
        .wrapping_add(netuid)
}
