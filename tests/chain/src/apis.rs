//! `state_call`: what the runtime answers.

use parity_scale_codec::{Compact, Decode, Encode, Error};

use crate::block::Block;
use crate::event::weight;
use crate::extrinsic::Extrinsic;
use crate::metagraph::metagraph;
use crate::node::RpcError;
use crate::runtime::Runtime;
use crate::state::{Account, State};
use crate::validity::Invalid;
use crate::value::{Value, encode, none, number, some};

/// The names of runtime APIs that `Core_version` tells, hashed, with their version.
const APIS: [([u8; 8], u32); 3] = [
    ([0xdf, 0x6a, 0xcb, 0x68, 0x99, 0x07, 0x60, 0x9b], 5),
    ([0x37, 0xe3, 0x97, 0xfc, 0x7c, 0x91, 0xf5, 0xe4], 2),
    ([0xd2, 0xbc, 0x98, 0x97, 0xee, 0xd0, 0x8f, 0x15], 3),
];

/// Answers a call at a block. `validate` says whether an extrinsic is valid after it.
pub(crate) fn call(
    block: &Block,
    method: &str,
    input: &[u8],
    validate: impl Fn(&[u8]) -> Result<(), Invalid>,
) -> Result<Vec<u8>, RpcError> {
    let state = &block.state;
    let runtime = &state.runtime;
    let mut rest = input;
    answer(state, runtime, method, &mut rest, validate)
        .map_err(|error| failed(&format!("the input of {method} does not decode: {error}")))?
        .ok_or_else(|| failed(&format!("Exported method {method} is not found")))
}

fn failed(why: &str) -> RpcError {
    RpcError::new(4_003, format!("Client error: Execution failed: {why}"))
}

fn answer(
    state: &State,
    runtime: &Runtime,
    method: &str,
    input: &mut &[u8],
    validate: impl Fn(&[u8]) -> Result<(), Invalid>,
) -> Result<Option<Vec<u8>>, Error> {
    let metadata = runtime.metadata();
    let output = |api: &str, name: &str| {
        let method = metadata
            .runtime_api_trait_by_name(api)?
            .method_by_name(name)?;
        Some(method.output_ty())
    };
    Ok(Some(match method {
        "Core_version" => version(runtime),
        "Metadata_metadata" => runtime.encoded().encode(),
        "Metadata_metadata_versions" => vec![16_u32].encode(),
        "Metadata_metadata_at_version" => match u32::decode(input)? {
            16 => Some(runtime.encoded().to_vec()).encode(),
            _ => None::<Vec<u8>>.encode(),
        },
        "AccountNonceApi_account_nonce" => state.nonce(&Account::decode(input)?).encode(),
        "TaggedTransactionQueue_validate_transaction" => {
            let _source = u8::decode(input)?;
            let extrinsic = extrinsic(input)?;
            match validate(&extrinsic) {
                Ok(()) => valid(&Extrinsic::decode(&extrinsic, runtime)?),
                Err(invalid) => [vec![1], invalid.encoded()].concat(),
            }
        }
        "TransactionPaymentApi_query_info" => {
            let Some(of) = output("TransactionPaymentApi", "query_info") else {
                return Ok(None);
            };
            // Calls that set weights cost nothing but their tip.
            let fee = Extrinsic::decode(&extrinsic(input)?, runtime)?.tip;
            let info = Value::named_composite([
                ("weight", weight()),
                ("class", Value::unnamed_variant("Normal", [])),
                ("partial_fee", number(fee)),
            ]);
            encode(metadata, &info, of)
        }
        _ => {
            let Some((api, name)) = method.split_once('_') else {
                return Ok(None);
            };
            let Some(of) = output(api, name) else {
                return Ok(None);
            };
            return Ok(
                subnet_info(state, name, input, of)?.filter(|_| api == "SubnetInfoRuntimeApi")
            );
        }
    }))
}

fn subnet_info(
    state: &State,
    method: &str,
    input: &mut &[u8],
    of: u32,
) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(match method {
        "get_selective_metagraph" => {
            let (netuid, fields) = <(u16, Vec<u16>)>::decode(input)?;
            metagraph(state, netuid, 0, Some(&fields), of)
        }
        "get_selective_mechagraph" => {
            let (netuid, mechanism, fields) = <(u16, u8, Vec<u16>)>::decode(input)?;
            metagraph(state, netuid, mechanism, Some(&fields), of)
        }
        "get_metagraph" => metagraph(state, u16::decode(input)?, 0, None, of),
        "get_mechagraph" => {
            let (netuid, mechanism) = <(u16, u8)>::decode(input)?;
            metagraph(state, netuid, mechanism, None, of)
        }
        "get_next_epoch_start_block" => {
            let subnet = state.subnets.get(&u16::decode(input)?);
            let next = subnet.filter(|subnet| subnet.tempo > 0).map(|subnet| {
                let next = subnet.last_epoch_block + u64::from(subnet.tempo);
                match subnet.pending_epoch_at {
                    0 => next,
                    pending => next.min(pending),
                }
            });
            let next = next.map_or_else(none, |next| some(number(next)));
            encode(state.runtime.metadata(), &next, of)
        }
        _ => return Ok(None),
    }))
}

/// An extrinsic in the input of a call: its length is a part of it.
fn extrinsic(input: &mut &[u8]) -> Result<Vec<u8>, Error> {
    let from = *input;
    let length = usize::try_from(Compact::<u32>::decode(input)?.0).unwrap_or(usize::MAX);
    let Some((_, rest)) = input.split_at_checked(length) else {
        return Err("the extrinsic is cut off".into());
    };
    *input = rest;
    Ok(from[..from.len() - rest.len()].to_vec())
}

/// `Ok(ValidTransaction)`.
fn valid(extrinsic: &Extrinsic) -> Vec<u8> {
    let tag = (extrinsic.account, extrinsic.nonce).encode();
    let priority = u64::try_from(extrinsic.tip).unwrap_or(u64::MAX);
    let provides = vec![tag];
    let (requires, longevity, propagate) = (Vec::<Vec<u8>>::new(), 64_u64, true);
    (0_u8, priority, requires, provides, longevity, propagate).encode()
}

/// `RuntimeVersion`.
fn version(runtime: &Runtime) -> Vec<u8> {
    let name = "node-subtensor";
    let versions = (1_u32, runtime.spec_version(), 1_u32);
    (
        name,
        name,
        versions,
        APIS.to_vec(),
        runtime.transaction_version(),
        1_u8,
    )
        .encode()
}
