//! Watches the drop folder.

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a folder must be quiet before it is read: a copy comes in pieces.
const QUIET: Duration = Duration::from_millis(200);

/// Tells that the drop folder changed.
#[derive(Debug)]
pub struct FolderChanges {
    changes: mpsc::Receiver<()>,
    _watcher: Debouncer<RecommendedWatcher, RecommendedCache>,
}

impl FolderChanges {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// The folder cannot be watched.
    pub fn of(directory: &Path) -> notify::Result<Self> {
        let (changed, changes) = mpsc::channel(1);
        let mut watcher = new_debouncer(QUIET, None, move |seen: DebounceEventResult| {
            // What cannot be told may be a change.
            if seen.map_or(true, |events| events.iter().any(|e| is_change(e.kind))) {
                // One change that waits stands for all.
                let _ = changed.try_send(());
            }
        })?;
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(FolderChanges {
            changes,
            _watcher: watcher,
        })
    }

    /// Waits for a change. Returns false if there will be none any more.
    pub async fn next(&mut self) -> bool {
        self.changes.recv().await.is_some()
    }
}

/// That files were opened or read is no change: the loader does so itself.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
