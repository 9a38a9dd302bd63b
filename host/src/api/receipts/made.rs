//! A bundle on its way: written to a file that has no name, then sent.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::unfold;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// Bytes that are read and sent at a time.
const PIECE: u64 = 256 << 10;

/// Bytes a second that a bundle must be taken at, in the end: who takes it slower keeps
/// others from theirs.
const SLOWEST: u64 = 256 << 10;

/// Time that anybody has for a bundle, however small.
const GRACE: Duration = Duration::from_secs(60);

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotMade {
    /// It took too long.
    #[error("it took too long")]
    Slow,
    /// What is in it cannot be read, or the file not written.
    #[error("it failed: {0}")]
    Failed(String),
}

/// What a bundle takes from others while it is under way.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) _permit: OwnedSemaphorePermit,
    /// The connection that it is sent on.
    pub(super) _connection: Option<crate::api::waiting::Hold>,
}

/// A bundle that was made.
#[derive(Debug)]
pub(super) struct Made {
    file: File,
    pub(super) size: u64,
    place: Place,
}

/// Where a bundle is written to. It fails when there is no use in going on.
#[derive(Debug)]
pub(super) struct Watched {
    file: BufWriter<File>,
    size: u64,
    gone: CancellationToken,
    until: Instant,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone.is_cancelled() {
            return Err(io::Error::other("nobody waits for it"));
        }
        if Instant::now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Makes a bundle in a file without a name in `directory`, within `most`. It ends early
/// when `stop` is cancelled, and when nobody waits for what is returned: its place is
/// given back then.
///
/// # Errors
///
/// See [`NotMade`].
pub(super) async fn make<E: ToString>(
    directory: PathBuf,
    place: Place,
    most: Duration,
    stop: &CancellationToken,
    write: impl FnOnce(&mut Watched) -> Result<(), E> + Send + 'static,
) -> Result<Made, NotMade> {
    let gone = stop.child_token();
    let waits = gone.clone().drop_guard();
    let until = Instant::now() + most;
    let making = tokio::task::spawn_blocking(move || {
        let failed = |error: io::Error| NotMade::Failed(error.to_string());
        let file = tempfile::tempfile_in(directory).map_err(failed)?;
        let mut out = Watched {
            file: BufWriter::new(file),
            size: 0,
            gone,
            until,
        };
        let written = write(&mut out).map_err(|error| error.to_string());
        let slow = Instant::now() > until;
        match written.and_then(|()| out.flush().map_err(|error| error.to_string())) {
            _ if slow => return Err(NotMade::Slow),
            Ok(()) => {}
            Err(error) => return Err(NotMade::Failed(error)),
        }
        let size = out.size;
        let file = out.file.into_inner();
        let file = file.map_err(|error| failed(error.into_error()))?;
        Ok(Made { file, size, place })
    });
    // The thread may be at work on something that writes nothing for a while.
    let made = tokio::time::timeout(most, making).await;
    drop(waits);
    match made {
        Ok(Ok(made)) => made,
        Ok(Err(panicked)) => Err(NotMade::Failed(panicked.to_string())),
        Err(_) => Err(NotMade::Slow),
    }
}

impl Made {
    /// Sends it, piece by piece as they are taken. It is cut off if that takes too long.
    /// Its place is given back with the body.
    pub(super) fn into_body(self) -> Body {
        let seconds = self.size / SLOWEST;
        self.into_body_until(Instant::now() + GRACE + Duration::from_secs(seconds))
    }

    fn into_body_until(self, until: Instant) -> Body {
        let sending = Sending {
            file: Arc::new(self.file),
            sent: 0,
            size: self.size,
            until,
            _place: self.place,
        };
        Body::from_stream(unfold(sending, Sending::next))
    }
}

struct Sending {
    file: Arc<File>,
    sent: u64,
    size: u64,
    until: Instant,
    _place: Place,
}

impl Sending {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let length = PIECE.min(self.size.checked_sub(self.sent)?);
        if length == 0 {
            return None;
        }
        if Instant::now() > self.until {
            // After an error nothing is asked for any more.
            return Some((Err(io::ErrorKind::TimedOut.into()), self));
        }
        let (file, at) = (Arc::clone(&self.file), self.sent);
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
            file.read_exact_at(&mut piece, at).map(|()| piece)
        });
        let piece = read.await.map_err(io::Error::other).and_then(|read| read);
        self.sent += length;
        Some((piece.map(Bytes::from), self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use http_body_util::BodyExt;
    use std::sync::mpsc;
    use tokio::sync::Semaphore;

    const LONG: Duration = Duration::from_secs(60);

    fn place(places: &Arc<Semaphore>) -> Place {
        Place {
            _permit: Arc::clone(places).try_acquire_owned().unwrap(),
            _connection: None,
        }
    }

    fn endless(out: &mut Watched) -> io::Result<()> {
        loop {
            out.write_all(b"x")?;
        }
    }

    async fn of(bytes: Vec<u8>, places: &Arc<Semaphore>) -> Made {
        let stop = CancellationToken::new();
        let write = move |out: &mut Watched| out.write_all(&bytes);
        let made = make(std::env::temp_dir(), place(places), LONG, &stop, write);
        made.await.unwrap()
    }

    #[tokio::test]
    async fn it_comes_as_it_was_written_and_gives_its_place_back() {
        let places = Arc::new(Semaphore::new(1));
        let bytes: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
        let made = of(bytes.clone(), &places).await;
        assert_eq!(made.size, bytes.len() as u64);
        let body = made.into_body();
        assert_eq!(places.available_permits(), 0, "it is still to be sent");
        assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), bytes);
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn who_leaves_gives_the_place_back() {
        let places = Arc::new(Semaphore::new(1));
        let (begun, begins) = mpsc::channel();
        let write = move |out: &mut Watched| {
            begun.send(()).unwrap();
            endless(out)
        };
        let stop = CancellationToken::new();
        let directory = std::env::temp_dir();
        let made = make(directory, place(&places), LONG, &stop, write);
        let made = tokio::select! {
            biased;
            made = made => Some(made),
            begun = tokio::task::spawn_blocking(move || begins.recv()) => {
                begun.unwrap().unwrap();
                None
            }
        };
        assert!(made.is_none());
        let back = tokio::time::timeout(LONG, places.acquire()).await;
        drop(back.unwrap().unwrap());
    }

    #[tokio::test]
    async fn what_takes_too_long_and_what_fails_is_told_apart() {
        let places = Arc::new(Semaphore::new(2));
        let stop = CancellationToken::new();
        let directory = std::env::temp_dir;
        let slow = make(directory(), place(&places), Duration::ZERO, &stop, endless);
        assert!(matches!(slow.await, Err(NotMade::Slow)));
        let fails = |_: &mut Watched| Err("no such blob");
        let failed = make(directory(), place(&places), LONG, &stop, fails).await;
        assert!(matches!(failed, Err(NotMade::Failed(why)) if why == "no such blob"));
        stop.cancel();
        let stopped = make(directory(), place(&places), LONG, &stop, endless).await;
        assert!(matches!(stopped, Err(NotMade::Failed(_))));
    }

    #[tokio::test]
    async fn who_takes_it_too_slowly_is_cut_off() {
        let places = Arc::new(Semaphore::new(1));
        let made = of(vec![0; 10], &places).await;
        let past = Instant::now().checked_sub(Duration::from_nanos(1)).unwrap();
        let mut body = made.into_body_until(past);
        assert!(body.frame().await.unwrap().is_err());
        drop(body);
        assert_eq!(places.available_permits(), 1);
    }
}
