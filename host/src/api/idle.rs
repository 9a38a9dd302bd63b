//! Connections on which nothing happens are closed, and there are only so many.

use super::waiting::{Seat, Waiting};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Time that a connection has for its request before another may take its place.
const GRACE: Duration = Duration::from_secs(1);

/// A listener whose connections end if they take too long: a request must be read
/// and answered within `patience` of its first byte, the next must begin within as
/// much, and a long answer must be taken bit by bit. Whoever answers may
/// [hold](Seat::hold) a connection longer.
///
/// When there are as many as there may be, the next takes the place of the one that
/// has waited longest for its request: who keeps many open and asks nothing keeps
/// nobody out.
#[derive(Debug)]
pub(super) struct Patient {
    listener: TcpListener,
    patience: Duration,
    places: Arc<Semaphore>,
    waiting: Waiting,
    grace: Duration,
}

impl Patient {
    /// With at most `connections` open; more wait in the system's queue.
    pub(super) fn new(listener: TcpListener, patience: Duration, connections: usize) -> Self {
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        Patient {
            listener,
            patience,
            places: Arc::new(Semaphore::new(connections)),
            waiting: Waiting::default(),
            grace: GRACE,
        }
    }

    /// Waits for a place, which those have to give up that wait for a request.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).acquire_owned();
        tokio::pin!(place);
        loop {
            tokio::select! {
                biased;
                // Nobody closes the semaphore.
                place = &mut place => return place.ok(),
                () = sleep(self.waiting.end_oldest(self.grace)) => {}
            }
        }
    }
}

impl axum::serve::Listener for Patient {
    type Io = Bounded<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // With axum's treatment of what can go wrong here.
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        let place = self.place().await;
        let seat = Seat::new(&self.waiting);
        (Bounded::new(stream, self.patience, place, seat), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection with a deadline that moves on when an answer does, or when the
/// first byte after one comes in. What trickles in does not move it.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    inner: T,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    answered: bool,
    seat: Seat,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T> Bounded<T> {
    fn new(inner: T, patience: Duration, place: Option<OwnedSemaphorePermit>, seat: Seat) -> Self {
        Bounded {
            inner,
            patience,
            deadline: Box::pin(sleep(patience)),
            answered: true,
            seat,
            _place: place,
        }
    }

    /// What whoever answers on this connection says of it.
    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }

    fn move_on(&mut self) {
        let deadline = Instant::now() + self.patience;
        self.deadline.as_mut().reset(deadline);
    }

    /// What it comes to that nothing can be done now.
    fn or_late<U>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<U>> {
        if self.seat.poll_ended(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        while self.deadline.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match self.seat.held_until().filter(|until| *until > now) {
                Some(until) => {
                    let deadline = until.min(now + self.patience);
                    self.deadline.as_mut().reset(deadline);
                }
                None => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            }
        }
        Poll::Pending
    }

    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(1..)) = written {
            self.answered = true;
            self.move_on();
        }
        if written.is_pending() {
            return self.or_late(cx);
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Bounded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if read.is_pending() {
            return self.or_late(cx);
        }
        if buffer.filled().len() > before && std::mem::take(&mut self.answered) {
            self.move_on();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Bounded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::listen::{Peer, with_peers};
    use axum::Router;
    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use std::io::{Read, Write};

    /// A server that says hello at once, or after half a second of silence for which
    /// it holds the connection or not.
    async fn serve(
        patience: Duration,
        connections: usize,
    ) -> (SocketAddr, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut patient = Patient::new(listener, patience, connections);
        patient.grace = Duration::from_millis(50);
        let slow = async |held: bool, ConnectInfo(peer): ConnectInfo<Peer>| {
            let _held = held.then(|| peer.seat.hold(Duration::from_secs(30)));
            sleep(Duration::from_millis(500)).await;
            "hello"
        };
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/held", get(move |peer| slow(true, peer)))
            .route("/silent", get(move |peer| slow(false, peer)));
        let server = axum::serve(patient, with_peers(router));
        (address, tokio::spawn(server.into_future()))
    }

    /// Says something to a server that waits for a tenth of a second, and returns
    /// all that it answers until it closes the connection.
    async fn conversation(say: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) -> String {
        let (address, server) = serve(Duration::from_millis(100), 1).await;
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let patience = Some(Duration::from_secs(30));
            stream.set_read_timeout(patience).unwrap();
            say(&mut stream);
            let mut answer = String::new();
            match stream.read_to_string(&mut answer) {
                Ok(_) => answer,
                // It may have been closed while something was said.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => answer,
                Err(error) => panic!("it is still open: {error}"),
            }
        });
        let answer = answer.await.unwrap();
        server.abort();
        answer
    }

    #[tokio::test]
    async fn who_says_nothing_is_left() {
        assert_eq!(conversation(|_| ()).await, "");
    }

    #[tokio::test]
    async fn who_never_comes_to_an_end_is_left() {
        let trickle = |stream: &mut std::net::TcpStream| {
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            // Each byte comes in time for the one before; none moves the deadline.
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let answer = conversation(trickle).await;
        assert!(!answer.contains("200"), "{answer}");
    }

    #[tokio::test]
    async fn who_asks_is_answered_and_left_when_it_asks_no_more() {
        let answer = conversation(|stream| {
            for _ in 0..3 {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    .unwrap();
            }
        });
        assert_eq!(answer.await.matches("hello").count(), 3);
    }

    #[tokio::test]
    async fn a_silent_answer_takes_as_long_as_the_connection_is_held() {
        for (path, expected) in [("/held", 1), ("/silent", 0)] {
            let answer = conversation(move |stream| {
                let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
                stream.write_all(ask.as_bytes()).unwrap();
            });
            assert_eq!(answer.await.matches("hello").count(), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn who_waits_longest_makes_room_and_who_is_answered_does_not() {
        let (address, server) = serve(Duration::from_secs(60), 3).await;
        let talk = tokio::task::spawn_blocking(move || {
            let connect = || {
                let stream = std::net::TcpStream::connect(address).unwrap();
                let patience = Some(Duration::from_secs(30));
                stream.set_read_timeout(patience).unwrap();
                stream
            };
            let ask = |stream: &mut std::net::TcpStream, path: &str| {
                let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
            };
            let read = |mut stream: std::net::TcpStream| {
                let mut answer = String::new();
                let ended = stream.read_to_string(&mut answer);
                (ended.is_ok(), answer)
            };
            let mut answered = connect();
            ask(&mut answered, "/held");
            let mut head = connect();
            head.write_all(b"GET / HTTP/1.1\r\nx: ").unwrap();
            let silent = connect();
            for _ in 0..5 {
                let mut honest = connect();
                ask(&mut honest, "/");
                assert!(read(honest).1.contains("hello"));
            }
            assert!(read(answered).1.contains("hello"));
            assert!(!read(head).1.contains("200"));
            drop(silent);
        });
        talk.await.unwrap();
        server.abort();
    }
}
