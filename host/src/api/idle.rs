//! Connections on which nothing happens are closed, and there are only so many.

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

/// A listener whose connections end if they take too long: a request must be read
/// and answered within `patience` of its first byte, the next must begin within as
/// much, and a long answer must be taken bit by bit.
#[derive(Debug)]
pub(super) struct Patient {
    listener: TcpListener,
    patience: Duration,
    places: Arc<Semaphore>,
}

impl Patient {
    /// With at most `connections` open; more wait in the system's queue.
    pub(super) fn new(listener: TcpListener, patience: Duration, connections: usize) -> Self {
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        Patient {
            listener,
            patience,
            places: Arc::new(Semaphore::new(connections)),
        }
    }
}

impl axum::serve::Listener for Patient {
    type Io = Bounded<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Nobody closes the semaphore.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        // With axum's treatment of what can go wrong here.
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        (Bounded::new(stream, self.patience, place), address)
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
    _place: Option<OwnedSemaphorePermit>,
}

impl<T> Bounded<T> {
    fn new(inner: T, patience: Duration, place: Option<OwnedSemaphorePermit>) -> Self {
        Bounded {
            inner,
            patience,
            deadline: Box::pin(sleep(patience)),
            answered: true,
            _place: place,
        }
    }

    fn move_on(&mut self) {
        let deadline = Instant::now() + self.patience;
        self.deadline.as_mut().reset(deadline);
    }

    /// What it comes to that nothing can be done now.
    fn or_late<U>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<U>> {
        match self.deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
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
    use axum::Router;
    use axum::routing::get;
    use std::io::{Read, Write};

    /// Says something to a server that waits for a tenth of a second, and returns
    /// all that it answers until it closes the connection.
    async fn conversation(say: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let patient = Patient::new(listener, Duration::from_millis(100), 1);
        let router = Router::new().route("/", get(async || "hello"));
        let server = tokio::spawn(axum::serve(patient, router).into_future());
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
}
