//! JSON-RPC over WebSocket, as nodes serve it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value as Json, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::faults::{Act, Faults};
use crate::node::{Node, RpcError, Subscription};

/// A node that is served on a port of the loopback, until this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    faults: Faults,
    _stop: DropGuard,
}

impl Server {
    /// Serves a node on a free port.
    ///
    /// # Errors
    ///
    /// If there is no port.
    pub async fn start(node: Arc<dyn Node>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let faults = Faults::new();
        let stop = CancellationToken::new();
        let accepting = accept(listener, node, faults.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Self {
            address,
            faults,
            _stop: stop.drop_guard(),
        })
    }

    /// `ws://` and the address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What may go wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

async fn accept(listener: TcpListener, node: Arc<dyn Node>, faults: Faults) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        if !faults.lets_in() {
            continue;
        }
        // Small answers are not to wait for the client's next word.
        let _ = stream.set_nodelay(true);
        let (node, faults) = (Arc::clone(&node), faults.clone());
        connections.spawn(async move {
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                Connection::new(node, faults).run(socket).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// An answer, and the subscription that begins once it is sent.
struct Answer {
    json: Json,
    begins: Option<(String, Subscription)>,
}

struct Connection {
    node: Arc<dyn Node>,
    faults: Faults,
    sender: UnboundedSender<Answer>,
    outgoing: UnboundedReceiver<Answer>,
    held: Vec<Answer>,
    subscriptions: HashMap<String, CancellationToken>,
    count: u64,
    tasks: JoinSet<()>,
}

/// The connection is to be closed.
struct Cut;

impl Connection {
    fn new(node: Arc<dyn Node>, faults: Faults) -> Self {
        let (sender, outgoing) = mpsc::unbounded_channel();
        Self {
            node,
            faults,
            sender,
            outgoing,
            held: Vec::new(),
            subscriptions: HashMap::new(),
            count: 0,
            tasks: JoinSet::new(),
        }
    }

    async fn run(mut self, mut socket: WebSocketStream<TcpStream>) {
        let mut line = self.faults.line();
        let cuts = line.borrow_and_update().cuts;
        loop {
            let silent = line.borrow().silent;
            let ended = tokio::select! {
                biased;
                changed = line.changed() => changed.is_err() || line.borrow().cuts != cuts,
                Some(answer) = self.outgoing.recv(), if !silent => {
                    self.send(&mut socket, answer).await
                }
                message = socket.next(), if !silent => match message {
                    Some(Ok(Message::Text(text))) => self.handle(text.as_str()).is_err(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => true,
                    Some(Ok(_)) => false,
                },
                Some(_) = self.tasks.join_next() => false,
            };
            if ended {
                return;
            }
        }
    }

    /// Sends an answer; true if nobody is there.
    async fn send(&mut self, socket: &mut WebSocketStream<TcpStream>, answer: Answer) -> bool {
        let text = answer.json.to_string();
        if let Some((id, subscription)) = answer.begins {
            self.forward(id, subscription);
        }
        socket.send(Message::text(text)).await.is_err()
    }

    fn forward(&mut self, id: String, mut subscription: Subscription) {
        let Some(stop) = self.subscriptions.get(&id).cloned() else {
            return;
        };
        let (sender, faults) = (self.sender.clone(), self.faults.clone());
        let forwarding = async move {
            while let Some(item) = subscription.items.recv().await {
                if faults.is_muted(subscription.notification) {
                    continue;
                }
                let json = json!({
                    "jsonrpc": "2.0",
                    "method": subscription.notification,
                    "params": {"subscription": id, "result": item},
                });
                if sender.send(Answer { json, begins: None }).is_err() {
                    return;
                }
            }
        };
        self.tasks.spawn(async move {
            stop.run_until_cancelled(forwarding).await;
        });
    }

    fn handle(&mut self, text: &str) -> Result<(), Cut> {
        match serde_json::from_str(text) {
            Ok(Json::Array(requests)) => requests.iter().try_for_each(|one| self.one(one)),
            Ok(request) => self.one(&request),
            Err(_) => {
                let error = RpcError::new(-32_700, "Parse error");
                self.answer(&Json::Null, Err(error), None);
                Ok(())
            }
        }
    }

    fn one(&mut self, request: &Json) -> Result<(), Cut> {
        let id = request.get("id").cloned().unwrap_or_default();
        let method = request
            .get("method")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let params = match request.get("params") {
            Some(Json::Array(params)) => params.clone(),
            _ => Vec::new(),
        };
        let act = self.faults.next(method, &params);
        match act {
            Some(Act::CutBefore) => return Err(Cut),
            Some(Act::Fail(error)) => {
                self.answer(&id, Err(error), None);
                return Ok(());
            }
            _ => {}
        }
        let (result, begins) = self.carry_out(method, &params);
        match act {
            Some(Act::CutAfter) => Err(Cut),
            Some(Act::Ignore) => Ok(()),
            Some(Act::Delay(by)) => {
                let sender = self.sender.clone();
                let json = response(&id, result);
                self.tasks.spawn(async move {
                    tokio::time::sleep(by).await;
                    let _ = sender.send(Answer { json, begins });
                });
                Ok(())
            }
            _ => {
                self.answer(&id, result, begins);
                Ok(())
            }
        }
    }

    fn carry_out(
        &mut self,
        method: &str,
        params: &[Json],
    ) -> (Result<Json, RpcError>, Option<(String, Subscription)>) {
        if method.contains("_unsubscribe") || method.contains("_unwatch") {
            let id = params.first().and_then(Json::as_str).unwrap_or_default();
            let known = self.subscriptions.remove(id);
            if let Some(stop) = &known {
                stop.cancel();
            }
            return (Ok(json!(known.is_some())), None);
        }
        match self.node.subscribe(method, params) {
            Some(Ok(subscription)) => {
                self.count += 1;
                let id = format!("subscription-{}", self.count);
                self.subscriptions
                    .insert(id.clone(), CancellationToken::new());
                (Ok(json!(id)), Some((id, subscription)))
            }
            Some(Err(error)) => (Err(error), None),
            None => (self.node.request(method, params), None),
        }
    }

    fn answer(
        &mut self,
        id: &Json,
        result: Result<Json, RpcError>,
        begins: Option<(String, Subscription)>,
    ) {
        let json = response(id, result);
        self.held.push(Answer { json, begins });
        if self.held.len() >= self.faults.held() {
            if self.faults.held() > 0 {
                self.faults.reorder(0);
            }
            for answer in self.held.drain(..).rev() {
                // The receiver is this connection's own.
                let _ = self.sender.send(answer);
            }
        }
    }
}

fn response(id: &Json, result: Result<Json, RpcError>) -> Json {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error.json()}),
    }
}
