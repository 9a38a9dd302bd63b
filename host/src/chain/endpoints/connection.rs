//! A connection to one endpoint.

use super::super::error::ChainError;
use futures_util::{Stream, stream};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::time::Duration;
use subxt::SubstrateConfig;
use subxt::config::{Config, Header};
use subxt::ext::jsonrpsee::core::client::{
    ClientT, Error as ClientError, Subscription, SubscriptionClientT,
};
use subxt::ext::jsonrpsee::core::traits::ToRpcParams;
use subxt::ext::jsonrpsee::ws_client::{PingConfig, WsClient, WsClientBuilder};
use subxt::utils::H256;
use subxt_rpcs::{Error as RpcError, UserError};
use tokio_util::sync::CancellationToken;

/// The largest answer: metadata is half a megabyte, as hexadecimal digits 1 MB, and a
/// metagraph less than that.
const MAX_ANSWER: u32 = 64 * 1024 * 1024;

type Head = <SubstrateConfig as Config>::Header;

/// A connection to one endpoint. It is closed when the last who holds it is gone.
#[derive(Debug)]
pub(super) struct Connection {
    /// Which of the addresses it is.
    pub(super) index: usize,
    /// The address without what is secret in it.
    pub(super) label: String,
    /// Its last finalized block when it was connected to, if that was far behind.
    pub(super) behind_at: Option<u64>,
    answer: Duration,
    client: WsClient,
    /// The endpoint did not answer, or the connection broke.
    lost: CancellationToken,
    /// It is lost, or another one took its place.
    left: CancellationToken,
}

/// Why a connection had no answer to a request.
pub(super) enum Failure {
    /// It had one: an error.
    Answered(UserError),
    /// It may have got the request or not, and is of no use any more.
    Lost(ChainError),
}

#[derive(Debug, Clone)]
struct Params(Option<Box<RawValue>>);

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(self.0)
    }
}

impl Connection {
    /// Connects, and gets the chain's genesis hash. `answer` is the time for both.
    pub(super) async fn open(
        index: usize,
        address: &str,
        label: &str,
        answer: Duration,
    ) -> Result<(Self, [u8; 32]), ChainError> {
        let both = async {
            // A silent peer is noticed even while nothing is asked, but not before it had
            // the time for an answer.
            let ping = PingConfig::new()
                .ping_interval(answer)
                .inactive_limit(answer.saturating_mul(2));
            let client = WsClientBuilder::new()
                .connection_timeout(answer)
                // The limit around each request ends it first.
                .request_timeout(answer.saturating_mul(2))
                .max_response_size(MAX_ANSWER)
                .enable_ws_ping(ping)
                .build(address)
                .await
                .map_err(|e| ChainError::Connection(format!("{label}: {e}")))?;
            let lost = CancellationToken::new();
            let connection = Connection {
                index,
                label: label.to_owned(),
                behind_at: None,
                answer,
                client,
                left: lost.child_token(),
                lost,
            };
            let genesis = connection.genesis().await?;
            Ok((connection, genesis))
        };
        match tokio::time::timeout(answer, both).await {
            Ok(result) => result,
            Err(_) => Err(timeout(label, "the connection", answer)),
        }
    }

    async fn genesis(&self) -> Result<[u8; 32], ChainError> {
        let what = "chain_getBlockHash";
        let params = RawValue::from_string("[0]".into());
        let params = params.map_err(|e| ChainError::decode(what, e))?;
        let answer = match self.request(what, Some(params)).await {
            Ok(answer) => answer,
            Err(Failure::Answered(error)) => return Err(RpcError::User(error).into()),
            Err(Failure::Lost(error)) => return Err(error),
        };
        serde_json::from_str::<H256>(answer.get())
            .map(|hash| hash.0)
            .map_err(|e| ChainError::decode(format!("the genesis hash of {}", self.label), e))
    }

    /// The number of its last finalized block; none if it has no usable answer.
    pub(super) async fn finalized(&self) -> Result<Option<u64>, ChainError> {
        let Some(hash) = self
            .ask::<H256>("chain_getFinalizedHead", "[]".into())
            .await?
        else {
            return Ok(None);
        };
        let of_block = format!("[\"{hash:?}\"]");
        let header = self.ask::<Head>("chain_getHeader", of_block).await?;
        Ok(header.map(|header| header.number()))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        params: String,
    ) -> Result<Option<T>, ChainError> {
        let params = RawValue::from_string(params).map_err(|e| ChainError::decode(what, e))?;
        match self.request(what, Some(params)).await {
            Ok(answer) => Ok(serde_json::from_str(answer.get()).ok()),
            Err(Failure::Answered(_)) => Ok(None),
            Err(Failure::Lost(error)) => Err(error),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.lost.is_cancelled() && self.client.is_connected()
    }

    /// Ends what still waits for it.
    pub(super) fn lose(&self) {
        self.lost.cancel();
    }

    /// Ends subscriptions that can be had elsewhere; requests and submissions go on.
    pub(super) fn leave(&self) {
        self.left.cancel();
    }

    /// Waits until another connection took its place, or it is lost.
    #[cfg(test)]
    pub(super) async fn left_for_another(&self) {
        self.left.cancelled().await;
    }

    pub(super) async fn request(
        &self,
        method: &str,
        params: Option<Box<RawValue>>,
    ) -> Result<Box<RawValue>, Failure> {
        let request = ClientT::request(&self.client, method, Params(params));
        self.in_time(method, request).await
    }

    pub(super) async fn subscribe(
        &self,
        method: &str,
        params: Option<Box<RawValue>>,
        unsubscribe: &str,
    ) -> Result<Subscription<Box<RawValue>>, Failure> {
        let request = self.client.subscribe(method, Params(params), unsubscribe);
        self.in_time(method, request).await
    }

    /// What comes of a request within the limit. `lost` ends it sooner: another request
    /// found that the endpoint does not answer.
    async fn in_time<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        let label = &self.label;
        let result = tokio::select! {
            result = tokio::time::timeout(self.answer, request) => result,
            () = self.lost.cancelled() => {
                let problem = format!("{label}: the connection was given up");
                return Err(Failure::Lost(ChainError::Connection(problem)));
            }
        };
        match result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(ClientError::Call(error))) => Err(Failure::Answered(UserError {
                code: error.code(),
                message: error.message().to_owned(),
                data: error.data().map(ToOwned::to_owned),
            })),
            Ok(Err(ClientError::RequestTimeout)) | Err(_) => {
                Err(Failure::Lost(timeout(label, what, self.answer)))
            }
            Ok(Err(error)) => {
                let problem = format!("{label}: {error}");
                Err(Failure::Lost(ChainError::Connection(problem)))
            }
        }
    }

    /// The items of a subscription, and one error when the connection is lost, which is
    /// the last item. It ends as well when the connection is left, if `may_move`.
    pub(super) fn follow(
        &self,
        subscription: Subscription<Box<RawValue>>,
        may_move: bool,
    ) -> impl Stream<Item = Result<Box<RawValue>, RpcError>> + Send + use<> {
        let until = if may_move { &self.left } else { &self.lost };
        let lost = format!("{}: the subscription ended", self.label);
        stream::unfold(Some((subscription, until.clone(), lost)), async |state| {
            let (mut subscription, until, lost) = state?;
            let item = tokio::select! {
                biased;
                item = subscription.next() => item,
                () = until.cancelled() => None,
            };
            Some(match item {
                Some(Ok(item)) => (Ok(item), Some((subscription, until, lost))),
                Some(Err(error)) => (Err(RpcError::Deserialization(error)), None),
                None => (Err(RpcError::DisconnectedWillReconnect(lost)), None),
            })
        })
    }
}

fn timeout(label: &str, what: &str, answer: Duration) -> ChainError {
    ChainError::Timeout {
        endpoint: label.to_owned(),
        what: what.to_owned(),
        seconds: answer.as_secs_f64(),
    }
}
