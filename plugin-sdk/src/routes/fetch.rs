//! Requests of a route's own.

use crate::routes::{IncomingBody, Problem};

/// Why a request of the challenge's own has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// The operator's record of the challenge does not allow that address, or the
    /// call is not one of a route.
    Denied,
    /// The other side took too long.
    Timeout,
    /// The request cannot be sent as it is: its address is not absolute, or a
    /// header is not allowed.
    Invalid(String),
    /// The other side cannot be reached, or broke off.
    Failed(String),
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::Denied => write!(f, "the address is not allowed"),
            FetchError::Timeout => write!(f, "the other side took too long"),
            FetchError::Invalid(why) => write!(f, "the request cannot be sent: {why}"),
            FetchError::Failed(why) => write!(f, "the other side failed: {why}"),
        }
    }
}

impl std::error::Error for FetchError {}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        let cause = format!("fetch: {error}");
        match error {
            FetchError::Timeout | FetchError::Failed(_) => Problem::unavailable(cause),
            FetchError::Denied | FetchError::Invalid(_) => Problem::internal(cause),
        }
    }
}

/// Sends a request to a host that the operator's record of the challenge allows,
/// and returns the answer with its head read and its body still coming.
///
/// For routes only: what is scored must not depend on others. A component that
/// does not call it imports nothing to send with. In a test the answer is
/// [`Harness::outbound`](crate::testing::Harness::outbound)'s.
///
/// Errors: see [`FetchError`]. An answer with a status of 400 or more is an answer.
pub fn fetch(request: http::Request<Vec<u8>>) -> Result<http::Response<IncomingBody>, FetchError> {
    #[cfg(target_family = "wasm")]
    return super::wasi::fetch(&request);
    #[cfg(not(target_family = "wasm"))]
    native::fetch(request).map(|response| response.map(IncomingBody::from))
}

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::with_outbound;

#[cfg(not(target_family = "wasm"))]
mod native {
    use super::FetchError;
    use std::cell::RefCell;
    use std::rc::Rc;

    pub(crate) type Outbound =
        dyn Fn(http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, FetchError>;

    thread_local! {
        static OUTBOUND: RefCell<Option<Rc<Outbound>>> = const { RefCell::new(None) };
    }

    pub(super) fn fetch(
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, FetchError> {
        let outbound = OUTBOUND.with_borrow(Option::clone);
        outbound.map_or(Err(FetchError::Denied), |answer| answer(request))
    }

    /// Has `answer` stand for the world while `call` runs.
    pub(crate) fn with_outbound<T>(answer: &Rc<Outbound>, call: impl FnOnce() -> T) -> T {
        let before = OUTBOUND.replace(Some(Rc::clone(answer)));
        let result = call();
        OUTBOUND.set(before);
        result
    }
}
