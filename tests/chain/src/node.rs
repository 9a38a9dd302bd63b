//! What answers requests.

use serde_json::{Value as Json, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// A node behind a [`Server`](crate::Server): the simulated one, or one that runs a real
/// runtime.
///
/// Its methods are called from the connection's task and may take some milliseconds.
pub trait Node: Send + Sync + 'static {
    /// Answers a request. `params` are the positional ones; missing ones are left out.
    ///
    /// # Errors
    ///
    /// What the client is told: [`RpcError::no_method`] for what the node does not know.
    fn request(&self, method: &str, params: &[Json]) -> Result<Json, RpcError>;

    /// Begins a subscription. `None` if the method is no subscription: then it is a
    /// request.
    ///
    /// # Errors
    ///
    /// (in the option) What the client is told.
    fn subscribe(&self, method: &str, params: &[Json]) -> Option<Result<Subscription, RpcError>>;
}

/// A subscription: what comes, until the sender is dropped or the client leaves.
#[derive(Debug)]
pub struct Subscription {
    /// The method of its notifications, such as `chain_newHead`.
    pub notification: &'static str,
    /// What comes.
    pub items: UnboundedReceiver<Json>,
}

/// An error of JSON-RPC.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    /// The code.
    pub code: i64,
    /// The message.
    pub message: String,
    /// More, if there is.
    pub data: Option<Json>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The same with data.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Json>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The node does not know the method.
    #[must_use]
    pub fn no_method() -> Self {
        Self::new(-32_601, "Method not found")
    }

    /// The parameters are not those of the method.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(-32_602, message)
    }

    pub(crate) fn json(&self) -> Json {
        let mut json = json!({"code": self.code, "message": self.message});
        if let (Some(data), Some(object)) = (&self.data, json.as_object_mut()) {
            object.insert("data".to_owned(), data.clone());
        }
        json
    }
}

/// Bytes as JSON-RPC has them.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Bytes from a parameter that is hex, with or without `0x`.
///
/// # Errors
///
/// If there is no such parameter, or it is not hex.
pub fn from_hex(params: &[Json], place: usize) -> Result<Vec<u8>, RpcError> {
    params
        .get(place)
        .and_then(Json::as_str)
        .and_then(|text| hex::decode(text.trim_start_matches("0x")).ok())
        .ok_or_else(|| RpcError::params(format!("parameter {place} is not hex")))
}
