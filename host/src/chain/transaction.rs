//! Transactions: a call encoded and signed, without a network.

use parity_scale_codec::{Compact, Decode};
use subxt::SubstrateConfig;
use subxt::client::{ClientAtBlock, OfflineClientAtBlockT};
use subxt::config::SubstrateExtrinsicParamsBuilder;
use subxt::utils::{AccountId32, H256, MultiSignature};

use super::Hotkey;
use super::call::WeightCall;
use super::client::AtBlock;
use super::error::ChainError;

pub use super::metadata::known_runtime;

/// The fewest and the most blocks that a transaction can live. Chains forget the hashes
/// of blocks that are older than 4,096 blocks, and an era of more is rounded.
const PERIODS: std::ops::RangeInclusive<u64> = 4..=4_096;

/// For which blocks a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mortality {
    /// A block, best a finalized one: the transaction is for those after it.
    pub block: u64,
    /// The hash of this block. On a chain in which the block has another hash the
    /// transaction is not valid.
    pub hash: [u8; 32],
    /// Blocks that the transaction lives, with `block`: the next power of 2 counts,
    /// at least 4 and at most 4,096.
    pub period: u64,
}

/// A transaction: a call with a signature over it, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The call alone: indices of pallet and call, then its arguments.
    pub call_data: Vec<u8>,
    /// The whole, as it is sent, with its length in front.
    pub extrinsic: Vec<u8>,
    /// BLAKE2b-256 of `extrinsic`: its name in pools and explorers. What finds it in
    /// a block is the same hash of the block's extrinsics.
    pub hash: [u8; 32],
    /// The nonce of the account: of all transactions with it, one gets into a block.
    pub nonce: u64,
    /// The block of the era: the next block is the first that can have it.
    pub born: u64,
    /// The first block that cannot have it.
    pub dies: u64,
}

/// Encodes the call for the runtime of the client.
///
/// # Errors
///
/// [`ChainError::NoSuchCall`] names the call and the version of a runtime that has no
/// such call; [`ChainError::Encode`] if it takes other arguments.
pub fn call_data<C>(
    client: &ClientAtBlock<SubstrateConfig, C>,
    call: &WeightCall,
) -> Result<Vec<u8>, ChainError>
where
    C: OfflineClientAtBlockT<SubstrateConfig>,
{
    client
        .tx()
        .call_data(&call.payload())
        .map_err(|e| ChainError::of(&call.what(), client.spec_version(), e))
}

/// Encodes the call for the runtime of the client and signs it, with no tip. Asks
/// nobody anything.
///
/// Two signatures of the same call differ, and so do their hashes: what was once
/// signed is kept, not signed again.
///
/// # Errors
///
/// As [`call_data`]; [`ChainError::Encode`] also if the runtime wants something signed
/// that this host does not know.
pub fn sign<C>(
    client: &ClientAtBlock<SubstrateConfig, C>,
    call: &WeightCall,
    hotkey: &Hotkey,
    nonce: u64,
    mortality: Mortality,
) -> Result<Signed, ChainError>
where
    C: OfflineClientAtBlockT<SubstrateConfig>,
{
    let failed = |e| ChainError::of(&call.what(), client.spec_version(), e);
    let period = mortality
        .period
        .clamp(*PERIODS.start(), *PERIODS.end())
        .next_power_of_two();
    let params = SubstrateExtrinsicParamsBuilder::new()
        .nonce(nonce)
        .tip(0)
        .mortal_from_unchecked(period, mortality.block, H256(mortality.hash))
        .build();
    let payload = call.payload();
    let call_data = client.tx().call_data(&payload).map_err(failed)?;
    let tx = client.tx();
    let mut unsigned = tx
        .create_signable_offline(&payload, params)
        .map_err(failed)?;
    let message = unsigned.signer_payload().map_err(failed)?;
    let signed = unsigned
        .sign_with_account_and_signature(
            &AccountId32(hotkey.public_key()),
            &MultiSignature::Sr25519(hotkey.sign(&message)),
        )
        .map_err(failed)?;
    let hash = signed.hash().0;
    Ok(Signed {
        call_data,
        extrinsic: signed.into_encoded(),
        hash,
        nonce,
        born: mortality.block,
        dies: mortality.block.saturating_add(period),
    })
}

/// What the transaction would cost its account at this block, in rao: 0 for the calls
/// that set weights.
///
/// # Errors
///
/// Those of a runtime call; [`ChainError::Decode`] if the runtime answers something else.
pub async fn fee(at: &AtBlock, signed: &Signed) -> Result<u128, ChainError> {
    const WHAT: &str = "TransactionPaymentApi.query_info";
    let mut params = signed.extrinsic.clone();
    let length = u32::try_from(signed.extrinsic.len()).unwrap_or(u32::MAX);
    params.extend(length.to_le_bytes());
    let info = at
        .runtime_apis()
        .call_raw("TransactionPaymentApi_query_info", Some(&params))
        .await
        .map_err(|e| ChainError::of(WHAT, at.spec_version(), e))?;
    partial_fee(&info).ok_or_else(|| {
        let problem = format!("0x{} is no RuntimeDispatchInfo", hex::encode(&info));
        ChainError::decode(WHAT, problem)
    })
}

/// `partial_fee` of a `RuntimeDispatchInfo`: weight of two compact numbers, class, fee.
/// A balance has 64 bits in subtensor and 128 elsewhere.
fn partial_fee(info: &[u8]) -> Option<u128> {
    let rest = &mut &*info;
    <(Compact<u64>, Compact<u64>, u8)>::decode(rest).ok()?;
    match rest.len() {
        8 => u64::decode(rest).ok().map(u128::from),
        16 => u128::decode(rest).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parity_scale_codec::Encode;

    #[test]
    fn a_fee_is_read_whether_balances_have_64_or_128_bits() {
        let weight = (Compact(15_540_000_000u64), Compact(4_111u64), 0u8);
        assert_eq!(
            partial_fee(&(weight, 1_234_567u64).encode()),
            Some(1_234_567)
        );
        let great = u128::from(u64::MAX) + 1;
        assert_eq!(partial_fee(&(weight, great).encode()), Some(great));
        assert_eq!(partial_fee(&(weight, 7u32).encode()), None);
        assert_eq!(partial_fee(&[]), None);
    }
}
