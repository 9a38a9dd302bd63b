//! An extrinsic on its way.

use super::super::endpoints::Endpoints;
use super::super::error::{ChainError, SubmitError};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::value::RawValue;
use subxt::utils::H256;
use subxt_rpcs::methods::legacy::TransactionStatus;

/// Where an extrinsic is, as the endpoint sees it that it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// In the pool, waiting for one with a lower nonce.
    Future,
    /// In the pool, ready for a block.
    Ready,
    /// Told to other nodes.
    Broadcast,
    /// In this block, which may yet be replaced by another one.
    InBlock(H256),
    /// Not any more in this block, which was replaced; it may come into another one.
    Retracted(H256),
    /// In this block, which was not finalized for long; the endpoint follows it no more.
    FinalityTimeout(H256),
    /// In this block, for good.
    Finalized(H256),
    /// Replaced by another extrinsic with the same nonce, of this hash.
    Usurped(H256),
    /// Not any more in the pool of this endpoint, which was full. Others may have it.
    Dropped,
    /// Not valid any more, by its nonce or era, or in the state that the chain is in.
    Invalid,
}

impl Progress {
    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Progress::FinalityTimeout(_)
                | Progress::Finalized(_)
                | Progress::Usurped(_)
                | Progress::Dropped
                | Progress::Invalid
        )
    }
}

impl From<TransactionStatus<H256>> for Progress {
    fn from(status: TransactionStatus<H256>) -> Self {
        match status {
            TransactionStatus::Future => Progress::Future,
            TransactionStatus::Ready => Progress::Ready,
            TransactionStatus::Broadcast(_) => Progress::Broadcast,
            TransactionStatus::InBlock(hash) => Progress::InBlock(hash),
            TransactionStatus::Retracted(hash) => Progress::Retracted(hash),
            TransactionStatus::FinalityTimeout(hash) => Progress::FinalityTimeout(hash),
            TransactionStatus::Finalized(hash) => Progress::Finalized(hash),
            TransactionStatus::Usurped(hash) => Progress::Usurped(hash),
            TransactionStatus::Dropped => Progress::Dropped,
            TransactionStatus::Invalid => Progress::Invalid,
        }
    }
}

pub(super) async fn submit(
    endpoints: &Endpoints,
    extrinsic: &[u8],
) -> Result<BoxStream<'static, Result<Progress, ChainError>>, SubmitError> {
    let params = format!("[\"0x{}\"]", hex::encode(extrinsic));
    let params = RawValue::from_string(params)
        .map_err(|e| SubmitError::NotSent(ChainError::decode("the extrinsic", e)))?;
    let sent = endpoints.submit(params).await?;
    let progress = stream::unfold(Some(Box::pin(sent)), async |sent| {
        let mut sent = sent?;
        let item = sent.next().await?;
        let progress = item.map_err(ChainError::from).and_then(|raw| {
            let status: TransactionStatus<H256> = serde_json::from_str(raw.get())
                .map_err(|e| ChainError::decode("what became of the extrinsic", e))?;
            Ok(Progress::from(status))
        });
        let ends = progress.as_ref().map_or(true, Progress::is_last);
        Some((progress, (!ends).then_some(sent)))
    });
    Ok(progress.boxed())
}
