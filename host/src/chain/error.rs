//! Why the chain has no answer.

use super::rejection::Rejection;
use subxt::error::{
    AccountNonceError, BackendError, BlockError, BlocksError, EventsError, ExtrinsicError,
    OnlineClientAtBlockError, OnlineClientError, RpcError, RuntimeApiError, StorageError,
};
use subxt::ext::frame_decode::extrinsics::{ExtrinsicEncodeError, ExtrinsicInfoError};
use subxt::ext::frame_decode::runtime_apis::{RuntimeApiInfoError, RuntimeApiInputsEncodeError};
use subxt::ext::frame_decode::storage::{StorageInfoError, StorageKeyEncodeError};

/// Why the chain has no answer. What is asked for is told as `Pallet.name`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// An address of the configuration is none, or a name is that of no network.
    #[error("{0}")]
    Network(String),
    /// No endpoint can be reached, or the connection was lost.
    #[error("the chain cannot be reached: {0}")]
    Connection(String),
    /// An endpoint did not answer in time.
    #[error("{endpoint} did not answer {what} in {seconds} s")]
    Timeout {
        /// Its address.
        endpoint: String,
        /// What it was asked.
        what: String,
        /// `chain.timeout_s`.
        seconds: f64,
    },
    /// An endpoint is of another chain than those before.
    #[error(
        "{endpoint} is of another chain: its genesis hash is 0x{}, and that of the others 0x{}",
        hex::encode(.found),
        hex::encode(.expected)
    )]
    OtherChain {
        /// The endpoint, which is not used.
        endpoint: String,
        /// The genesis hash of the first endpoint that answered since this host started.
        expected: [u8; 32],
        /// The genesis hash of this one.
        found: [u8; 32],
    },
    /// The runtime has no such call.
    #[error("the runtime of the chain, spec version {spec_version}, has no call {what}")]
    NoSuchCall {
        /// `Pallet.call`.
        what: String,
        /// The version of the runtime.
        spec_version: u32,
    },
    /// The runtime has no such storage item.
    #[error("the runtime of the chain, spec version {spec_version}, has no storage {what}")]
    NoSuchStorage {
        /// `Pallet.Item`.
        what: String,
        /// The version of the runtime.
        spec_version: u32,
    },
    /// The runtime has no such function.
    #[error("the runtime of the chain, spec version {spec_version}, has no function {what}")]
    NoSuchApi {
        /// `Api.function`.
        what: String,
        /// The version of the runtime.
        spec_version: u32,
    },
    /// The storage item is there, has no value, and no default.
    #[error("{what} has no value")]
    NoValue {
        /// `Pallet.Item`.
        what: String,
    },
    /// The endpoint knows no such block.
    #[error("the endpoint knows no block {0}")]
    NoSuchBlock(String),
    /// The endpoint keeps the state of recent blocks only, and was asked for an old one.
    #[error("the endpoint has discarded the state of that block: {0}")]
    StateDiscarded(String),
    /// The arguments are not what the runtime's call, storage or function takes.
    #[error("spec version {spec_version} takes other arguments for {what}: {problem}")]
    Encode {
        /// `Pallet.name`.
        what: String,
        /// The version of the runtime.
        spec_version: u32,
        /// What is wrong.
        problem: String,
    },
    /// An answer is not what it should be.
    #[error("{what} cannot be read: {problem}")]
    Decode {
        /// What was asked for.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// The metadata of the runtime could not be got, or is of a version that is not
    /// supported.
    #[error("the metadata of the runtime cannot be read: {0}")]
    Metadata(String),
    /// The endpoint answered with an error.
    #[error("the endpoint answered: {message} ({code})")]
    Rpc {
        /// The code of JSON-RPC.
        code: i32,
        /// The endpoint's message.
        message: String,
        /// What the endpoint added, as JSON.
        data: Option<String>,
    },
}

impl ChainError {
    /// A stable code, for metrics and problems.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ChainError::Network(_) => "unknown_network",
            ChainError::Connection(_) => "connection",
            ChainError::Timeout { .. } => "timeout",
            ChainError::OtherChain { .. } => "other_chain",
            ChainError::NoSuchCall { .. } => "no_such_call",
            ChainError::NoSuchStorage { .. } => "no_such_storage",
            ChainError::NoSuchApi { .. } => "no_such_api",
            ChainError::NoValue { .. } => "no_value",
            ChainError::NoSuchBlock(_) => "no_such_block",
            ChainError::StateDiscarded(_) => "state_discarded",
            ChainError::Encode { .. } => "encode",
            ChainError::Decode { .. } => "decode",
            ChainError::Metadata(_) => "metadata",
            ChainError::Rpc { .. } => "rpc",
        }
    }

    /// Whether nothing is known of the answer, since none came: the same may be asked
    /// again later.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        matches!(
            self,
            ChainError::Connection(_) | ChainError::Timeout { .. } | ChainError::OtherChain { .. }
        )
    }

    /// Whether the runtime lacks what was asked for, so that something else may be asked
    /// for in its place.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            ChainError::NoSuchCall { .. }
                | ChainError::NoSuchStorage { .. }
                | ChainError::NoSuchApi { .. }
        )
    }

    /// An answer to `what` that is not what it should be.
    pub fn decode(what: impl Into<String>, problem: impl ToString) -> Self {
        ChainError::Decode {
            what: what.into(),
            problem: problem.to_string(),
        }
    }

    /// Why `what`, as `Pallet.name`, could not be had of a runtime of `spec_version`.
    /// Takes any error of subxt.
    pub fn of(what: &str, spec_version: u32, error: impl Into<subxt::Error>) -> Self {
        use subxt::Error;
        let encode = |problem: String| ChainError::Encode {
            what: what.into(),
            spec_version,
            problem,
        };
        match error.into() {
            Error::StorageError(e) => of_storage(what, spec_version, e),
            Error::RuntimeApiError(e) => of_api(what, spec_version, e),
            Error::ExtrinsicError(e) => of_extrinsic(what, spec_version, e),
            Error::OnlineClientAtBlockError(e) => e.into(),
            Error::OnlineClientError(OnlineClientError::RpcError(e)) => e.into(),
            Error::OnlineClientError(OnlineClientError::CannotGetGenesisHash(e))
            | Error::BlocksError(BlocksError::CannotGetBlockHeaderStream(e))
            | Error::BlocksError(BlocksError::CannotGetBlockHeader(e))
            | Error::EventsError(EventsError::CannotFetchEventBytes(e))
            | Error::BlockError(BlockError::CouldNotDownloadBlockHeader { reason: e, .. })
            | Error::BackendError(e) => e.into(),
            Error::BlocksError(BlocksError::CannotGetCurrentBlock(e)) => e.into(),
            Error::BlockError(BlockError::BlockNotFound { block_hash }) => {
                ChainError::NoSuchBlock(block_hash.to_string())
            }
            Error::OtherRpcClientError(e) => e.into(),
            e @ Error::OfflineClientAtBlockError(_) => ChainError::Metadata(e.to_string()),
            e @ Error::AccountNonceError(_) => encode(e.to_string()),
            e => ChainError::decode(what, e),
        }
    }
}

fn of_storage(what: &str, spec_version: u32, error: StorageError) -> ChainError {
    let missing = || ChainError::NoSuchStorage {
        what: what.into(),
        spec_version,
    };
    match error {
        StorageError::PalletNameNotFound(_)
        | StorageError::StorageEntryNotFound { .. }
        | StorageError::StorageInfoError(
            StorageInfoError::PalletNotFound { .. } | StorageInfoError::StorageNotFound { .. },
        )
        | StorageError::StorageKeyEncodeError(StorageKeyEncodeError::CannotGetInfo(
            StorageInfoError::PalletNotFound { .. } | StorageInfoError::StorageNotFound { .. },
        )) => missing(),
        StorageError::NoValueFound => ChainError::NoValue { what: what.into() },
        StorageError::CannotFetchValue(e)
        | StorageError::CannotIterateValues(e)
        | StorageError::StreamFailure(e) => e.into(),
        e @ StorageError::CannotDecodeStorageVersion(_) => ChainError::decode(what, e),
        e => ChainError::Encode {
            what: what.into(),
            spec_version,
            problem: e.to_string(),
        },
    }
}

fn of_api(what: &str, spec_version: u32, error: RuntimeApiError) -> ChainError {
    let missing = || ChainError::NoSuchApi {
        what: what.into(),
        spec_version,
    };
    match error {
        RuntimeApiError::TraitNotFound(_)
        | RuntimeApiError::MethodNotFound { .. }
        | RuntimeApiError::CouldNotEncodeInputs(RuntimeApiInputsEncodeError::CannotGetInfo(
            RuntimeApiInfoError::TraitNotFound { .. } | RuntimeApiInfoError::MethodNotFound { .. },
        )) => missing(),
        RuntimeApiError::CannotCallApi(e) => match e.into() {
            // What the executor of a node says of a function that the runtime lacks:
            // metadata up to V14 lists none, so that it is found only now.
            ChainError::Rpc { message, data, .. }
                if [Some(message.as_str()), data.as_deref()]
                    .into_iter()
                    .flatten()
                    .any(|m| m.contains("Exported method") && m.contains("not found")) =>
            {
                missing()
            }
            e => e,
        },
        e @ RuntimeApiError::CouldNotEncodeInputs(_) => ChainError::Encode {
            what: what.into(),
            spec_version,
            problem: e.to_string(),
        },
        e => ChainError::decode(what, e),
    }
}

fn of_extrinsic(what: &str, spec_version: u32, error: ExtrinsicError) -> ChainError {
    match error {
        ExtrinsicError::PalletNameNotFound(_)
        | ExtrinsicError::CallNameNotFound { .. }
        | ExtrinsicError::EncodeError(ExtrinsicEncodeError::CannotGetInfo(
            ExtrinsicInfoError::PalletNotFoundByName { .. }
            | ExtrinsicInfoError::CallNotFoundByName { .. },
        )) => ChainError::NoSuchCall {
            what: what.into(),
            spec_version,
        },
        ExtrinsicError::CannotGetBlockBody(e)
        | ExtrinsicError::ErrorSubmittingTransaction(e)
        | ExtrinsicError::TransactionStatusStreamError(e)
        | ExtrinsicError::CannotGetFeeInfo(e)
        | ExtrinsicError::CannotGetValidationInfo(e)
        | ExtrinsicError::AccountNonceError {
            reason: AccountNonceError::CouldNotRetrieve(e),
            ..
        } => e.into(),
        ExtrinsicError::BlockNotFound(hash) => ChainError::NoSuchBlock(hash.to_string()),
        e @ (ExtrinsicError::EncodeError(_) | ExtrinsicError::Params(_)) => ChainError::Encode {
            what: what.into(),
            spec_version,
            problem: e.to_string(),
        },
        e => ChainError::decode(what, e),
    }
}

impl From<OnlineClientAtBlockError> for ChainError {
    fn from(error: OnlineClientAtBlockError) -> Self {
        use OnlineClientAtBlockError as E;
        match error {
            E::CannotGetCurrentBlock { reason }
            | E::CannotGetBlockHash { reason, .. }
            | E::CannotGetBlockHeader { reason, .. }
            | E::CannotGetSpecVersion { reason, .. } => reason.into(),
            E::BlockNotFound { block_number } => ChainError::NoSuchBlock(block_number.to_string()),
            E::BlockHeaderNotFound { block_hash } => {
                ChainError::NoSuchBlock(block_hash.to_string())
            }
            e => ChainError::Metadata(e.to_string()),
        }
    }
}

impl From<BackendError> for ChainError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Rpc(RpcError::ClientError(e)) => e.into(),
            e => ChainError::Connection(e.to_string()),
        }
    }
}

impl From<subxt_rpcs::Error> for ChainError {
    fn from(error: subxt_rpcs::Error) -> Self {
        use subxt_rpcs::Error as E;
        match error {
            E::User(e) if e.message.contains("State already discarded") => {
                ChainError::StateDiscarded(e.message)
            }
            E::User(e) => ChainError::Rpc {
                code: e.code,
                message: e.message,
                data: e.data.map(|data| data.get().to_owned()),
            },
            // Endpoints give their own errors in this wrapper.
            E::Client(e) => match e.downcast::<ChainError>() {
                Ok(own) => *own,
                Err(e) => ChainError::Connection(e.to_string()),
            },
            E::DisconnectedWillReconnect(reason) => ChainError::Connection(reason),
            e @ (E::Serialization(_) | E::Deserialization(_) | E::Decode(_)) => {
                ChainError::decode("an answer", e)
            }
            e => ChainError::Connection(e.to_string()),
        }
    }
}

/// What became of signed bytes that should have been sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SubmitError {
    /// The endpoint's pool refused them: they are not on their way.
    #[error("{0}")]
    Refused(Rejection),
    /// They may have been sent or not: no answer came. Only the chain tells, when it has
    /// the extrinsic in a block, or when the blocks of its era are over.
    #[error("it is not known whether it was sent: {0}")]
    Unknown(ChainError),
    /// They were not sent: no endpoint could be reached.
    #[error("it was not sent: {0}")]
    NotSent(ChainError),
}

#[cfg(test)]
mod tests;
