//! A sandbox with one place for routes, and requests to have things done there.

use super::setup::{WORLD, load};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use proctor_host::sandbox::{
    CallContext, Called, Journal, PluginComponent, PluginError, RouteBody, RouteCall, RouteLimits,
    Sandbox, SandboxConfig,
};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// A sandbox in which a call of a route that does not end leaves no place for
/// another.
pub(crate) struct Alone {
    pub(crate) sandbox: Sandbox,
    pub(crate) plugin: PluginComponent,
    pub(crate) journal: Arc<Journal>,
}

/// What came of a request.
pub(crate) struct Asked {
    pub(crate) head: Result<http::Response<RouteBody>, PluginError>,
    pub(crate) ended: oneshot::Receiver<Called<()>>,
}

impl Alone {
    pub(crate) fn new() -> Self {
        Alone::with_places(1)
    }

    /// With more places than one.
    pub(crate) fn with_places(max_route_calls: u32) -> Self {
        // Compiled once, and not by each test at the same time.
        static COMPILED: LazyLock<()> =
            LazyLock::new(|| drop(load(&WORLD.sandbox, "routes_challenge")));
        LazyLock::force(&COMPILED);
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/hostile-cache");
        let sandbox = Sandbox::new(&SandboxConfig {
            max_route_calls,
            max_concurrent_calls: 1,
            ..SandboxConfig::new(cache)
        });
        let sandbox = sandbox.unwrap();
        Alone {
            plugin: load(&sandbox, "routes_challenge"),
            sandbox,
            journal: Arc::default(),
        }
    }

    /// A call, and what tells how it ended.
    pub(crate) fn call(&self, limits: RouteLimits) -> (RouteCall, oneshot::Receiver<Called<()>>) {
        let (end, ended) = oneshot::channel();
        let call = RouteCall {
            journal: Some(Arc::clone(&self.journal)),
            ended: Some(Box::new(move |called| drop(end.send(called.clone())))),
            ..RouteCall::new(context(), limits, Default::default())
        };
        (call, ended)
    }

    pub(crate) async fn send<B>(&self, request: http::Request<B>, limits: RouteLimits) -> Asked
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (call, ended) = self.call(limits);
        let head = self.plugin.handle(&self.sandbox, call, request).await;
        Asked { head, ended }
    }

    /// Has a route do something, without a body.
    pub(crate) async fn ask(&self, doing: &Value, limits: RouteLimits) -> Asked {
        let request = act(doing).body(Full::<Bytes>::default()).unwrap();
        self.send(request, limits).await
    }

    /// Has a route do something, as `call` says, and returns what it saw.
    pub(crate) async fn look(&self, doing: &Value, call: RouteCall) -> Value {
        let request = act(doing).body(Full::<Bytes>::default()).unwrap();
        let answer = self.plugin.handle(&self.sandbox, call, request).await;
        serde_json::from_str(&text(answer.unwrap()).await).unwrap()
    }

    /// Fails if a call still holds the place.
    pub(crate) async fn is_free(&self) {
        let asked = self.ask(&json!({"do": "request"}), limits()).await;
        assert_eq!(asked.head.expect("the place is taken").status(), 200);
        asked.ended.await.unwrap();
    }

    pub(crate) fn journal_has(&self, what: &str) -> bool {
        let entries = self.journal.entries(0, usize::MAX);
        entries.iter().any(|entry| entry.text.contains(what))
    }
}

pub(crate) fn limits() -> RouteLimits {
    RouteLimits::default()
}

pub(crate) fn context() -> CallContext {
    CallContext {
        settings: "{}".into(),
        seed: 7,
        now: 1_750_000_000.5,
    }
}

/// A request that has something done.
pub(crate) fn act(doing: &Value) -> http::request::Builder {
    http::Request::get("/a/b?c=%20d")
        .header("host", "example.com")
        .header("x-act", doing.to_string())
}

/// The pieces of a body, and what it ended with if that was an error.
pub(crate) async fn pieces(
    response: http::Response<RouteBody>,
) -> (Vec<Bytes>, Option<PluginError>) {
    let mut body = response.into_body();
    let mut pieces = Vec::new();
    loop {
        match body.frame().await {
            Some(Ok(frame)) => pieces.extend(frame.into_data()),
            Some(Err(error)) => return (pieces, Some(error)),
            None => return (pieces, None),
        }
    }
}

pub(crate) async fn text(response: http::Response<RouteBody>) -> String {
    let (pieces, error) = pieces(response).await;
    assert_eq!(error, None);
    String::from_utf8(pieces.concat()).unwrap()
}

/// A body that is sent piece by piece; it ends when the sender is dropped.
pub(crate) fn channel() -> (Sender, ChannelBody) {
    let (sender, receiver) = mpsc::channel(1);
    (Sender(sender), ChannelBody(receiver))
}

pub(crate) struct Sender(mpsc::Sender<Bytes>);

impl Sender {
    pub(crate) async fn send(&self, piece: &'static str) {
        self.0.send(piece.into()).await.unwrap();
    }
}

pub(crate) struct ChannelBody(mpsc::Receiver<Bytes>);

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
