//! Bodies that are read to their end before anybody is asked: into memory, or into a
//! file on their way to the artifact store.

use crate::artifacts::{ArtifactError, ArtifactStore};
use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Time that a body has to come in, beside what it has for its length.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that must come in each second on average: who sends less keeps a place from
/// others.
const PACE: u64 = 128 << 10;

/// Time that a body may take that is read into memory: its nonce must be remembered for
/// longer than that after it was fresh.
const LONGEST: Duration = Duration::from_secs(1_800);

/// Bytes that are written at a time, about.
const PIECE: usize = 1 << 20;

/// Uploads that are put into the store at a time: each is in memory for that.
const AT_A_TIME: usize = 2;

/// Miners that take turns, by chance, have one of so many.
const TURNS: usize = 64;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum ReadError {
    /// It is larger than it may be.
    #[error("it is too large")]
    TooLarge,
    /// It comes in too slowly.
    #[error("it comes in too slowly")]
    TooSlow,
    /// The client left, or said what is no body.
    #[error(transparent)]
    Broken(#[from] axum::Error),
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Where uploads are until they are artifacts.
#[derive(Debug)]
pub(super) struct Uploads {
    directory: PathBuf,
    places: Semaphore,
    turns: [Mutex<()>; TURNS],
    hasher: RandomState,
}

/// A body in a file, which goes with it.
#[derive(Debug)]
pub(super) struct Upload {
    file: NamedTempFile,
    pub(super) size: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub(super) digest: String,
}

impl Uploads {
    /// In a directory of the data directory. What an earlier host left there is removed.
    pub(super) fn open(data_dir: &Path) -> Self {
        let directory = data_dir.join("uploads");
        let left = match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir_all(&directory),
        };
        if let Err(error) = left {
            let directory = directory.display();
            tracing::error!(%directory, %error, "uploads cannot be taken");
        }
        Uploads {
            directory,
            places: Semaphore::new(AT_A_TIME),
            turns: [const { Mutex::const_new(()) }; TURNS],
            hasher: RandomState::new(),
        }
    }

    /// Waits until no other upload of a miner is being kept. What is found of its nonces
    /// is so until what comes back is dropped.
    pub(super) async fn turn(&self, hotkey: &str) -> Option<MutexGuard<'_, ()>> {
        let index = self.hasher.hash_one(hotkey) as usize % TURNS;
        Some(self.turns.get(index)?.lock().await)
    }

    /// Reads a body of at most `most` bytes into a file.
    pub(super) async fn read(&self, body: Body, most: u64) -> Result<Upload, ReadError> {
        let directory = self.directory.clone();
        let made = blocking(move || NamedTempFile::new_in(directory)).await?;
        let mut file = Some(made);
        let mut hash = Sha256::new();
        let mut piece = Vec::new();
        let mut reading = Reading::new(body, most, PATIENCE, Duration::MAX);
        loop {
            let bytes = reading.next().await?;
            let is_last = bytes.is_none();
            if let Some(bytes) = bytes {
                hash.update(&bytes);
                piece.extend_from_slice(&bytes);
            }
            if piece.len() < PIECE && !is_last {
                continue;
            }
            let (whole, Some(mut written)) = (std::mem::take(&mut piece), file.take()) else {
                return Err(io::Error::other("the file is gone").into());
            };
            let written = blocking(move || {
                written.write_all(&whole)?;
                Ok(written)
            });
            let written = written.await?;
            if is_last {
                return Ok(Upload {
                    file: written,
                    size: reading.size,
                    digest: hex::encode(hash.finalize()),
                });
            }
            file = Some(written);
        }
    }

    /// Puts an upload into the artifact store. It is on disk when this returns.
    pub(super) async fn keep(
        &self,
        artifacts: &ArtifactStore,
        upload: Upload,
    ) -> Result<(), ArtifactError> {
        // Nobody closes the semaphore.
        let _place = self.places.acquire().await.ok();
        let (artifacts, path) = (artifacts.clone(), upload.file.path().to_owned());
        let kept = tokio::task::spawn_blocking(move || {
            let kept = artifacts.add_file(upload.file.path());
            drop(upload);
            kept
        });
        match kept.await {
            Ok(kept) => kept.map(drop),
            Err(error) => Err(ArtifactError::Io {
                path,
                error: io::Error::other(error),
            }),
        }
    }
}

/// Reads a body of at most `most` bytes, and its SHA-256, in lower-case hex.
pub(in crate::api) async fn to_memory(body: Body, most: u64) -> Result<(Bytes, String), ReadError> {
    let mut whole = Vec::new();
    let mut reading = Reading::new(body, most, PATIENCE, LONGEST);
    while let Some(bytes) = reading.next().await? {
        whole.extend_from_slice(&bytes);
    }
    let digest = hex::encode(Sha256::digest(&whole));
    Ok((whole.into(), digest))
}

/// A body that must keep its pace.
struct Reading {
    body: axum::body::BodyDataStream,
    begun: Instant,
    size: u64,
    most: u64,
    patience: Duration,
    longest: Duration,
}

impl Reading {
    fn new(body: Body, most: u64, patience: Duration, longest: Duration) -> Self {
        Reading {
            body: body.into_data_stream(),
            begun: Instant::now(),
            size: 0,
            most,
            patience,
            longest,
        }
    }

    /// Time for the first bytes, as many as have come in, and some more.
    fn allowed(&self) -> Duration {
        let paid_for = Duration::from_millis(self.size.saturating_mul(1_000) / PACE);
        (self.patience + paid_for).min(self.longest)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let until = self.begun + self.allowed();
        let Ok(next) = timeout_at(until, self.body.next()).await else {
            return Err(ReadError::TooSlow);
        };
        let Some(bytes) = next.transpose()? else {
            return Ok(None);
        };
        self.size += bytes.len() as u64;
        match self.size > self.most {
            true => Err(ReadError::TooLarge),
            false => Ok(Some(bytes)),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work);
    done.await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::sha256_hex;
    use futures_util::stream;

    fn body(pieces: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(pieces.into_iter().map(io::Result::Ok)))
    }

    #[tokio::test]
    async fn an_upload_becomes_an_artifact_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("uploads")).unwrap();
        std::fs::write(directory.path().join("uploads/left"), "behind").unwrap();
        let uploads = Uploads::open(directory.path());
        let artifacts = ArtifactStore::open(directory.path().join("artifacts"), 4 << 20).unwrap();
        let pieces: Vec<Vec<u8>> = (0..40).map(|byte| vec![byte; 70_000]).collect();
        let whole = pieces.concat();
        let upload = uploads.read(body(pieces), 4 << 20).await.unwrap();
        assert_eq!(
            (upload.size, &upload.digest),
            (2_800_000, &sha256_hex(&whole))
        );
        let digest = upload.digest.clone();
        uploads.keep(&artifacts, upload).await.unwrap();
        assert_eq!(artifacts.get(&digest).unwrap(), whole);
        let left = std::fs::read_dir(directory.path().join("uploads")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[tokio::test]
    async fn a_body_may_have_as_many_bytes_as_it_may() {
        let directory = tempfile::tempdir().unwrap();
        let uploads = Uploads::open(directory.path());
        for (most, is_read) in [(10, true), (9, false)] {
            let halves = || body(vec![vec![1; 5], vec![2; 5]]);
            assert_eq!(to_memory(halves(), most).await.is_ok(), is_read);
            assert_eq!(uploads.read(halves(), most).await.is_ok(), is_read);
        }
        let (bytes, digest) = to_memory(Body::empty(), 0).await.unwrap();
        assert_eq!((bytes.len(), digest), (0, sha256_hex(b"")));
    }

    #[tokio::test]
    async fn a_body_must_keep_its_pace() {
        let first = stream::iter([io::Result::Ok(vec![0; 1 << 20])]);
        let body = Body::from_stream(first.chain(stream::pending()));
        let mut reading = Reading::new(body, 1 << 30, Duration::from_millis(50), LONGEST);
        reading.next().await.unwrap();
        let paid_for = Duration::from_secs(8);
        assert_eq!(reading.allowed(), paid_for + Duration::from_millis(50));
        reading.longest = Duration::from_secs(3);
        assert_eq!(reading.allowed(), reading.longest);
        reading.longest = LONGEST;
        reading.begun -= paid_for;
        assert!(matches!(reading.next().await, Err(ReadError::TooSlow)));
    }
}
