//! Calls of a challenge's own routes: `wasi:http/incoming-handler`.
//!
//! Nothing that is scored comes of them, so they live in real time and with real
//! chance. The guest runs in a task of its own and goes on while its answer is read.

mod body;
mod client;
mod limits;

pub use body::RouteBody;
pub use limits::RouteLimits;

pub(super) use client::Client;

use super::bindings::types::Standing;
use super::call::{CallContext, Called};
use super::engine::Sandbox;
use super::grants::Grants;
use super::journal::{CallJournal, Journal};
use super::limits::Limits;
use super::outbound::{Outbound, Requests};
use super::outcome::{Outcome, PluginError};
use super::plugin::{HANDLER, PluginComponent};
use super::state::{State, Surroundings};
use super::submit::Submit;
use super::watch::Deadline;
use body::request_body;
use bytes::Bytes;
use http::Uri;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::Authority;
use http_body::Body;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

/// One request to a challenge's own routes.
pub struct RouteCall {
    /// What the guest is told; neither seed nor time have an effect beyond that.
    pub context: CallContext,
    /// What the call may take.
    pub limits: RouteLimits,
    /// What it may reach.
    pub grants: Grants,
    /// Environment that only routes have, after that of the grants.
    pub secrets: Vec<(String, String)>,
    /// Where it may send requests.
    pub outbound: Arc<Outbound>,
    /// What the import `standings` tells, the best first.
    pub standings: Arc<[Standing]>,
    /// What the import `submissions` does; none if the request is not signed.
    pub submit: Option<Submit>,
    /// Where what it writes and how it ends is noted.
    pub journal: Option<Arc<Journal>>,
    /// Told how the call ended, which may be long after its answer began.
    pub ended: Option<Ended>,
}

/// Called once for each call of [`PluginComponent::handle`], whatever came of it. A
/// client that left before the end is no failure of the call.
pub type Ended = Box<dyn FnOnce(&Called<()>) + Send>;

impl fmt::Debug for RouteCall {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteCall")
            .field("context", &self.context)
            .field("limits", &self.limits)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

impl RouteCall {
    /// A call that has no secrets, sends no requests, knows no standings, submits
    /// nothing and is noted nowhere.
    pub fn new(context: CallContext, limits: RouteLimits, grants: Grants) -> Self {
        RouteCall {
            context,
            limits,
            grants,
            secrets: Vec::new(),
            outbound: Arc::default(),
            standings: Arc::default(),
            submit: None,
            journal: None,
            ended: None,
        }
    }
}

/// What only a call of a route has.
pub(super) struct RouteGrants {
    pub(super) standings: Arc<[Standing]>,
    pub(super) submit: Option<Submit>,
}

type Head = Result<http::Response<HyperOutgoingBody>, PluginError>;

/// What the guest answers with, once: what its handler has set, or what it came to
/// without.
#[derive(Clone)]
struct Answer {
    head: Arc<Mutex<Option<oneshot::Sender<Head>>>>,
    /// What the handler called an error.
    failed: Arc<Mutex<Option<PluginError>>>,
}

impl Answer {
    fn new(head: oneshot::Sender<Head>) -> Self {
        Answer {
            head: Arc::new(Mutex::new(Some(head))),
            failed: Arc::default(),
        }
    }

    /// Returns whether it is the first.
    fn give(&self, head: Head) -> bool {
        let mut sender = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        match sender.take() {
            Some(sender) => {
                // Nobody may be waiting any more.
                let _ = sender.send(head);
                true
            }
            None => false,
        }
    }

    /// Takes what the handler has set.
    fn set(&self, set: Result<http::Response<HyperOutgoingBody>, ErrorCode>) {
        let head = set.map_err(|code| {
            let error = PluginError::new(Outcome::GuestError, describe(&code));
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = Some(error.clone());
            error
        });
        self.give(head);
    }

    /// What the call came to, with regard to the answer.
    fn settle(&self, mut called: Called<()>) -> Called<()> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(()), Some(error)) = (&called.result, failed.take()) {
            called.result = Err(error);
        }
        let silent = || PluginError::new(Outcome::InvalidOutput, "it returned without an answer");
        let error = called.result.clone().err().unwrap_or_else(silent);
        if self.give(Err(error.clone())) {
            called.result = Err(error);
        }
        called
    }
}

fn describe(code: &ErrorCode) -> String {
    match code {
        ErrorCode::InternalError(Some(why)) => why.clone(),
        code => format!("{code:?}"),
    }
}

impl PluginComponent {
    /// Has the challenge answer a request to one of its routes. Returns when status
    /// and headers are there, which are what the guest gave; the body follows as the
    /// guest writes it. Nothing waits for a place: if none is free, it is refused.
    ///
    /// The URI has the path that the guest is to see. Dropping the future, or the body
    /// before its end, stops the guest.
    ///
    /// # Errors
    ///
    /// [`Outcome::Unavailable`] if no place is free, [`Outcome::LinkError`] if it has
    /// no routes, [`Outcome::Timeout`] if there is no answer in time,
    /// [`Outcome::InvalidOutput`] if there is none at all, [`Outcome::GuestError`] if
    /// the guest gave an error for an answer, and whatever ended the guest before it
    /// answered. What ends it later is an error of the body.
    pub async fn handle<B>(
        &self,
        sandbox: &Sandbox,
        call: RouteCall,
        request: http::Request<B>,
    ) -> Result<http::Response<RouteBody>, PluginError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (pre, place) = match self.place(sandbox) {
            Ok(placed) => placed,
            Err(error) => {
                if let Some(ended) = call.ended {
                    ended(&Called::failed(error.clone()));
                }
                return Err(error);
            }
        };
        let limits = call.limits;
        let is_head = request.method() == http::Method::HEAD;
        let request = incoming(request, limits.request_bytes);
        let (head, answered) = oneshot::channel();
        let (end, ending) = oneshot::channel();
        let (mut presence, client) = client::client(limits.head());
        let serving = Serving {
            sandbox: sandbox.clone(),
            pre,
            place,
            answer: Answer::new(head),
            client,
            end,
        };
        tokio::spawn(serving.run(call, request));
        match answered.await {
            Ok(Ok(response)) => {
                let missing = expected(is_head, &response);
                let max_bytes = limits.response_bytes;
                Ok(response.map(|body| RouteBody::new(body, presence, ending, max_bytes, missing)))
            }
            Ok(Err(error)) => {
                presence.is_satisfied();
                Err(error)
            }
            Err(_) => Err(PluginError::new(Outcome::HostError, "the call was lost")),
        }
    }

    fn place(
        &self,
        sandbox: &Sandbox,
    ) -> Result<(ProxyPre<State>, OwnedSemaphorePermit), PluginError> {
        let pre = self.routes.clone().ok_or_else(|| {
            let message = format!("the plugin does not export {HANDLER}");
            PluginError::new(Outcome::LinkError, message)
        })?;
        let place = Arc::clone(&sandbox.0.route_permits).try_acquire_owned();
        let place = place.map_err(|_| {
            let message = "all places for calls of routes are taken";
            PluginError::new(Outcome::Unavailable, message)
        })?;
        Ok((pre, place))
    }
}

/// The task of a call.
struct Serving {
    sandbox: Sandbox,
    pre: ProxyPre<State>,
    place: OwnedSemaphorePermit,
    answer: Answer,
    client: Client,
    end: oneshot::Sender<Result<(), PluginError>>,
}

impl Serving {
    async fn run(self, mut call: RouteCall, request: http::Request<WasiBody>) {
        let journal = call.journal.take();
        let journal = journal.map(|journal| CallJournal::new(journal, "handle"));
        let (ended, parting) = (call.ended.take(), self.client.parting());
        let all = Instant::now() + call.limits.stream();
        let begun = begin(&self.sandbox, call, self.client, journal.as_ref()).await;
        let (called, state) = match begun {
            Ok((state, limits)) => {
                let (answer, deadline) = (self.answer.clone(), state.deadline.clone());
                let set = move |set: Result<_, _>| {
                    // The rest of an answer has more time than its beginning.
                    if set.is_ok() {
                        deadline.set(all);
                    }
                    answer.set(set);
                };
                let pre = &self.pre;
                let call = async |store: &mut Store<State>| {
                    let proxy = pre.instantiate_async(&mut *store).await?;
                    let mut http = store.data_mut().http();
                    let request = http.new_incoming_request(Scheme::Http, request)?;
                    let out = http.new_response_outparam_from_callback(set)?;
                    let handler = proxy.wasi_http_incoming_handler();
                    handler.call_handle(store, request, out).await
                };
                let (called, state) = self.sandbox.run(state, &limits, call).await;
                (called, Some(state))
            }
            Err(error) => (Called::failed(error), None),
        };
        let called = called.and_then(|()| parting.refused());
        let mut called = self.answer.settle(called);
        // Before the body is dropped with the state.
        let _ = self.end.send(called.result.clone());
        drop(state);
        drop(self.place);
        let more = match &called.result {
            Err(error) if parting.is_early() => {
                let why = error.message.clone();
                called.result = Ok(());
                Some(why)
            }
            _ => None,
        };
        if let Some(journal) = journal {
            journal.ended(&called, more.as_deref());
        }
        if let Some(ended) = ended {
            ended(&called);
        }
    }
}

/// What the store of the call holds, and its limits.
async fn begin(
    sandbox: &Sandbox,
    call: RouteCall,
    client: Client,
    journal: Option<&CallJournal>,
) -> Result<(State, Limits), PluginError> {
    let limits = sandbox.clamp(&call.limits.of_store());
    let deadline = Deadline::new(Instant::now() + call.limits.head());
    let volume = call.grants.watch(Outcome::Denied).await?;
    let surroundings = Surroundings {
        data: call.grants.data(volume.as_ref()),
        environment: &call.grants.environment,
        secrets: &call.secrets,
        journal,
        is_real: true,
    };
    let mut state = State::new(call.context, &limits, deadline, &surroundings)?;
    state.database = call.grants.database(&limits);
    state.requests = Requests::new(call.outbound, call.limits.response_bytes, journal.cloned());
    state.route = Some(RouteGrants {
        standings: call.standings,
        submit: call.submit,
    });
    state.volume = volume;
    state.client = Some(client);
    Ok((state, limits))
}

/// A request as the guest gets it. It must have an authority, which a client may
/// have left out.
fn incoming<B>(request: http::Request<B>, max_bytes: u64) -> http::Request<WasiBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    let host = || parts.headers.get(HOST)?.to_str().ok()?.parse().ok();
    let authority = parts.uri.authority().cloned().or_else(host);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri = Uri::builder()
        .scheme("http")
        .authority(authority.unwrap_or_else(|| Authority::from_static("localhost")))
        .path_and_query(path)
        .build();
    parts.uri = uri.unwrap_or_else(|_| Uri::from_static("http://localhost/"));
    http::Request::from_parts(parts, request_body(body, max_bytes))
}

/// How many bytes the client expects of a body, if it knows.
fn expected<B>(is_head: bool, response: &http::Response<B>) -> Option<u64> {
    use http::StatusCode;
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if is_head || bodiless.contains(&response.status()) {
        return Some(0);
    }
    let length = response.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
