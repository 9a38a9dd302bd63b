//! Watches the drop folder.

use super::load::Loader;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, new_debouncer};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a folder must be quiet before it is read: a copy comes in pieces.
const QUIET: Duration = Duration::from_millis(200);

/// How often the folder is read without a change: a file may have been rejected
/// for a reason that passes, and a notification may be lost.
const RESCAN: Duration = Duration::from_secs(30);

/// Loads what is in the drop folder, and again whenever it changes. One task
/// does all loading, so that two changes never race. Returns when cancelled.
///
/// # Errors
///
/// The folder cannot be watched.
pub async fn watch(
    loader: Loader,
    directory: &Path,
    stop: CancellationToken,
) -> notify::Result<()> {
    let (changed, mut changes) = mpsc::channel(1);
    let mut watcher = new_debouncer(QUIET, None, move |seen: DebounceEventResult| {
        // What cannot be told may be a change.
        if seen.map_or(true, |events| events.iter().any(|e| is_change(e.kind))) {
            // One change that waits stands for all.
            let _ = changed.try_send(());
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    loop {
        if let Err(error) = loader.scan().await {
            tracing::error!(directory = %directory.display(), %error, "cannot read the plugins folder");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(RESCAN) => {}
            change = changes.recv() => if change.is_none() { return Ok(()) },
        }
    }
}

/// That files were opened or read is no change: the loader does so itself.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
