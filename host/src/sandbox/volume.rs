//! How much a challenge keeps in `/data`.
//!
//! Neither WASI nor the host's file system can be told how much a directory may
//! hold, so it is looked at: before a call, from time to time while it runs, and
//! after it. A guest gets beyond its limit by what it can write between two looks.

use super::outcome::{Outcome, PluginError};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi::FsPerms;

/// Files and directories that a volume may have.
const MAX_FILES: u64 = 100_000;
/// The least time between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How many times as long as a look took the pause after it is: looking takes no
/// more than a tenth of the time.
const PAUSE_PER_LOOK: u32 = 9;

/// What is in a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Usage {
    bytes: u64,
    files: u64,
}

/// Watches a volume for the length of one call.
#[derive(Debug)]
pub(super) struct VolumeWatch {
    directory: PathBuf,
    limit: Usage,
    /// What it may not outgrow: its limit, or what it had before if that was more,
    /// so that a guest can still make room.
    bound: Usage,
    /// What the call comes to if the volume has grown too large.
    full: Outcome,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Pause(Pin<Box<Sleep>>),
    Look(JoinHandle<(io::Result<Usage>, Duration)>),
}

impl VolumeWatch {
    /// Looks at a volume before a call, which comes to `full` if the volume grows too
    /// large meanwhile.
    ///
    /// # Errors
    ///
    /// [`Outcome::Unavailable`]: it cannot be looked at.
    pub(super) async fn begin(
        directory: &Path,
        max_bytes: u64,
        full: Outcome,
    ) -> Result<Self, PluginError> {
        let limit = Usage {
            bytes: max_bytes,
            files: MAX_FILES,
        };
        VolumeWatch::within(directory, limit, full).await
    }

    async fn within(directory: &Path, limit: Usage, full: Outcome) -> Result<Self, PluginError> {
        let directory = directory.to_owned();
        let unavailable = |error: io::Error| {
            let message = format!("cannot open {}: {error}", directory.display());
            PluginError::new(Outcome::Unavailable, message)
        };
        // An operator may have removed it to make room.
        if !directory.exists() {
            let made = spawn_blocking({
                let directory = directory.clone();
                move || fs::create_dir_all(directory)
            });
            let made = made.await.map_err(io::Error::other).flatten();
            made.map_err(unavailable)?;
        }
        let before = look(&directory).await.0.map_err(unavailable)?;
        Ok(VolumeWatch {
            bound: Usage {
                bytes: before.bytes.max(limit.bytes),
                files: before.files.max(limit.files),
            },
            next: pause(PAUSE),
            directory,
            limit,
            full,
        })
    }

    /// What the guest may do.
    pub(super) fn perms(&self) -> FsPerms {
        match self.is_read_only() {
            true => FsPerms::ReadOnly,
            false => FsPerms::ReadWrite,
        }
    }

    /// A volume that is a quarter above its limit can only be read: else each call could
    /// add what it writes before it is stopped.
    pub(super) fn is_read_only(&self) -> bool {
        let much = |limit: u64| limit.saturating_add(limit / 4);
        self.bound.bytes > much(self.limit.bytes) || self.bound.files > much(self.limit.files)
    }

    /// Ready when the volume has grown too large.
    pub(super) fn poll_full(&mut self, context: &mut Context<'_>) -> Poll<PluginError> {
        loop {
            match &mut self.next {
                Next::Pause(timer) => {
                    ready!(timer.as_mut().poll(context));
                    self.next = Next::Look(spawn_look(self.directory.clone()));
                }
                Next::Look(looking) => {
                    let looked = ready!(Pin::new(looking).poll(context));
                    let (usage, took) = looked.unwrap_or_else(|e| (Err(e.into()), PAUSE));
                    self.next = pause(PAUSE.max(took * PAUSE_PER_LOOK));
                    // One that cannot be looked at now is looked at again.
                    if let Ok(Err(full)) = usage.map(|usage| self.check(usage)) {
                        return Poll::Ready(full);
                    }
                }
            }
        }
    }

    /// Looks at the volume after a call.
    pub(super) async fn finish(self) -> Result<(), PluginError> {
        let usage = look(&self.directory).await.0.map_err(|error| {
            let message = format!("cannot look at {}: {error}", self.directory.display());
            PluginError::new(Outcome::Unavailable, message)
        })?;
        self.check(usage)
    }

    fn check(&self, usage: Usage) -> Result<(), PluginError> {
        let message = if usage.bytes > self.bound.bytes {
            let Usage { bytes, .. } = usage;
            format!("its volume is full: {bytes} of {} bytes", self.limit.bytes)
        } else if usage.files > self.bound.files {
            let Usage { files, .. } = usage;
            format!("its volume is full: {files} of {} files", self.limit.files)
        } else {
            return Ok(());
        };
        Err(PluginError::new(self.full, message))
    }
}

fn pause(length: Duration) -> Next {
    Next::Pause(Box::pin(sleep_until(Instant::now() + length)))
}

fn spawn_look(directory: PathBuf) -> JoinHandle<(io::Result<Usage>, Duration)> {
    spawn_blocking(move || {
        let start = Instant::now();
        (usage(&directory), start.elapsed())
    })
}

async fn look(directory: &Path) -> (io::Result<Usage>, Duration) {
    let looked = spawn_look(directory.to_owned()).await;
    looked.unwrap_or_else(|error| (Err(error.into()), Duration::ZERO))
}

/// What is below a directory, and what was and is still open. Links are not
/// followed. What goes while it is looked at does not count.
fn usage(root: &Path) -> io::Result<Usage> {
    let mut usage = Usage::default();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(error) if is_gone(&error) && directory != root => continue,
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                // Nested deeper than a path can tell: nobody needs that.
                usage.files = u64::MAX;
                return Ok(usage);
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if is_gone(&error) => continue,
                metadata => metadata?,
            };
            usage.files = usage.files.saturating_add(1);
            if metadata.is_dir() {
                directories.push(entry.path());
            } else {
                usage.bytes = usage.bytes.saturating_add(size(&metadata));
            }
        }
        // It is too full already. How much so matters less than the time.
        if usage.files > 2 * MAX_FILES {
            break;
        }
    }
    usage.bytes = usage.bytes.saturating_add(deleted_bytes(root));
    Ok(usage)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The length of a file, or what it takes on disk if that is more. One with holes
/// counts with its length: whoever copies it would fill them.
fn size(metadata: &fs::Metadata) -> u64 {
    metadata.len().max(metadata.blocks().saturating_mul(512))
}

/// Bytes of files below a directory that were deleted and are still open: they take
/// their place, and nobody sees them. Only known where there is a `/proc`.
fn deleted_bytes(root: &Path) -> u64 {
    let (Ok(root), Ok(open)) = (root.canonicalize(), fs::read_dir("/proc/self/fd")) else {
        return 0;
    };
    let sizes = open.flatten().filter_map(|descriptor| {
        let path = descriptor.path();
        let target = fs::read_link(&path).ok()?;
        let deleted = target
            .as_os_str()
            .as_encoded_bytes()
            .ends_with(b" (deleted)");
        if !deleted || !target.starts_with(&root) {
            return None;
        }
        let metadata = fs::metadata(path).ok()?;
        metadata
            .is_file()
            .then(|| (metadata.ino(), size(&metadata)))
    });
    // One file may be open many times.
    let sizes: std::collections::BTreeMap<u64, u64> = sizes.collect();
    sizes
        .values()
        .fold(0, |sum, size| sum.saturating_add(*size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn bytes(root: &Path) -> u64 {
        usage(root).unwrap().bytes
    }

    #[test]
    fn all_files_count_and_links_do_not_lead_out() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(directory.path().join("outside"), vec![1; 1 << 20]).unwrap();
        assert_eq!(usage(&root).unwrap(), Usage { bytes: 0, files: 2 });
        fs::write(root.join("a/b/c"), vec![1; 8192]).unwrap();
        std::os::unix::fs::symlink("../outside", root.join("link")).unwrap();
        std::os::unix::fs::symlink(".", root.join("loop")).unwrap();
        assert_eq!(usage(&root).unwrap().files, 5);
        assert!((8192..65536).contains(&bytes(&root)), "{}", bytes(&root));
    }

    #[test]
    fn a_file_with_holes_counts_with_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let file = fs::File::create(directory.path().join("holes")).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(bytes(directory.path()), 1 << 40);
    }

    #[test]
    fn a_file_that_is_deleted_and_still_open_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gone");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&vec![1; 1 << 20]).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(bytes(directory.path()) >= 1 << 20);
        drop(file);
        assert_eq!(bytes(directory.path()), 0);
    }

    #[tokio::test]
    async fn a_volume_that_was_removed_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("volumes/c/data");
        let watch = VolumeWatch::begin(&data, 1 << 20, Outcome::Denied).await;
        assert!(watch.is_ok() && data.is_dir());
    }

    #[tokio::test]
    async fn files_and_directories_are_counted_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let limit = Usage {
            bytes: 1 << 20,
            files: 3,
        };
        fs::write(root.join("a"), "").unwrap();
        let watch = VolumeWatch::within(root, limit, Outcome::Denied)
            .await
            .unwrap();
        fs::create_dir(root.join("b")).unwrap();
        fs::write(root.join("b/c"), "").unwrap();
        assert_eq!(watch.finish().await, Ok(()));
        let watch = VolumeWatch::within(root, limit, Outcome::Denied)
            .await
            .unwrap();
        fs::write(root.join("b/d"), "").unwrap();
        let error = watch.finish().await.unwrap_err();
        assert_eq!(error.outcome, Outcome::Denied);
        assert_eq!(error.message, "its volume is full: 4 of 3 files");
    }

    #[tokio::test]
    async fn a_volume_that_is_too_full_may_shrink_and_not_grow() {
        let directory = tempfile::tempdir().unwrap();
        let (root, file) = (directory.path(), directory.path().join("a"));
        fs::write(&file, vec![1; 110_000]).unwrap();
        let begin = || VolumeWatch::begin(root, 100_000, Outcome::Unavailable);
        assert!(matches!(begin().await.unwrap().perms(), FsPerms::ReadWrite));
        let watch = begin().await.unwrap();
        fs::write(&file, vec![1; 105_000]).unwrap();
        assert_eq!(watch.finish().await, Ok(()));
        let watch = begin().await.unwrap();
        fs::write(&file, vec![1; 150_000]).unwrap();
        let error = watch.finish().await.unwrap_err();
        assert_eq!(error.outcome, Outcome::Unavailable);
        assert!(error.message.contains("its volume is full"), "{error}");
        assert!(error.message.ends_with("of 100000 bytes"), "{error}");
        assert!(matches!(begin().await.unwrap().perms(), FsPerms::ReadOnly));
    }
}
