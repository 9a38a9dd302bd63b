//! SQLite: the only module with SQL in it.
//!
//! One thread writes. It takes what has come up since its last commit, runs each
//! piece in a savepoint of one transaction, commits with `synchronous=FULL`, and
//! only then answers: what was acknowledged is on disk. Readers have connections
//! of their own and never wait for the writer (WAL).

mod artifact_names;
mod assignments;
mod backup;
mod commit_row;
mod commits;
mod comparisons;
mod credentials;
mod deliver;
mod evaluations;
mod events;
mod finalizations;
mod gpu_servers;
mod import;
mod intake;
mod meta;
mod nonces;
mod organic;
mod outbox;
mod pages;
mod receipts;
mod registry;
mod retention;
mod submissions;
mod submit;
mod validators;
mod vectors;
mod writer;

pub use assignments::{
    AssignmentRow, AssignmentState, AssignmentSubject, Attempt, AttemptEnd, AttemptReport,
    FinalizedEvaluation, NewAssignment, Wanted,
};
pub use commit_row::{CommitRow, CommitState};
pub use commits::{Judged, Linked};
pub use comparisons::ComparisonRow;
pub use credentials::TokenRow;
pub use evaluations::{EvaluationResult, EvaluationRow, Job, JobKey, QueueDepth};
pub use events::{Event, NewEvent};
pub use finalizations::{Finalization, FinalizationRow, Settled, WeightVectorRow};
pub use gpu_servers::GpuServerRow;
pub use intake::{Claim, Ingested, Intake, Report, ViewRow};
pub use organic::{
    Added, Begun, Completed, EntryRow, EntryState, Failed, IterationRow, IterationState, LoopRow,
    NewEntry, NewIteration, OrganicQueue, OrganicWeights, QueueRules, Steps,
};
pub use outbox::{Notice, OutboxDepth, OutboxKind, OutboxRow};
pub use pages::{
    ClaimedCommit, CommitFilter, CommitSummary, EvaluationSummary, FinalizationSummary,
    MinerHistory, StandingKey, ViewSummary,
};
pub use receipts::{BlobRow, HeadMaker, HeadRow, Kept, Leaves, NewBlob, NewReceipt, ReceiptRow};
pub use registry::{AuditRow, Change, RegistryRow, VersionRow, Written};
pub use submissions::{
    AskedBy, NewSubmission, Step, SubmissionKey, SubmissionKind, SubmissionRow, SubmissionState,
};
pub use submit::{Upload, Uploaded, upload_name};
pub use validators::ValidatorNode;
pub use vectors::{NewVector, PublishedVector, VectorRow};

use rusqlite::{Connection, OpenFlags, Transaction};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use writer::Writer;

/// Migrations, in order. Published ones never change; new ones are added.
const MIGRATIONS: &[&str] = &[
    include_str!("store/migrations/0001_foundation.sql"),
    include_str!("store/migrations/0002_scoring_api.sql"),
    include_str!("store/migrations/0003_master.sql"),
    include_str!("store/migrations/0004_vectors.sql"),
    include_str!("store/migrations/0005_submissions.sql"),
    include_str!("store/migrations/0006_organic.sql"),
    include_str!("store/migrations/0007_receipts.sql"),
];

/// Connections for reading that are kept open while nobody reads.
const IDLE_READERS: usize = 8;

/// Why the store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A transaction could not be begun or committed: nothing of it is stored.
    #[error("nothing was written to the database: {0}")]
    NotWritten(String),
    /// What is stored cannot be read.
    #[error("what is in the database cannot be read: {0}")]
    Corrupt(String),
    /// The file was written by a newer version.
    #[error("the database has version {found}, and this program knows {known}: use a newer one")]
    TooNew {
        /// Version of the file.
        found: usize,
        /// Newest version known.
        known: usize,
    },
    /// The writer is gone.
    #[error("the database's writer has stopped")]
    Stopped,
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Corrupt(error.to_string())
    }
}

/// The database of one host. Clones share everything.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the database, makes it if it is not there, and brings it up to
    /// date.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        keep_private(path);
        let mut connection = connect(path, OpenFlags::default())?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut connection)?;
        Ok(Store(Arc::new(Inner {
            path: path.to_owned(),
            writer: Writer::start(connection)?,
            readers: Mutex::default(),
        })))
    }

    /// Runs `work` in the writer's next transaction. Returns once that is on
    /// disk.
    ///
    /// # Errors
    ///
    /// Those of `work`, which then had no effect, or of the commit.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.writer.run(work).await
    }

    /// Runs `work` on a connection that cannot write.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let idle = inner.lock_readers().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connect(&inner.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            };
            let result = work(&connection);
            let mut idle = inner.lock_readers();
            if idle.len() < IDLE_READERS {
                idle.push(connection);
            }
            result
        })
        .await
        .map_err(|_| StoreError::Stopped)?
    }

    /// Whether the database can be written to.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn check(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }
}

impl Inner {
    fn lock_readers(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody else may read it: it holds the keys of sealed commits. Its log gets the
/// same mode from SQLite.
fn keep_private(path: &Path) {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(path);
    let private = std::fs::Permissions::from_mode(0o600);
    // Whatever is wrong with the file is told when it is opened as a database.
    if let Ok(file) = file {
        let _ = file.set_permissions(private);
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // Another process may be at the same.
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: usize = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(pending) = MIGRATIONS.get(version..) else {
        return Err(StoreError::TooNew {
            found: version,
            known: MIGRATIONS.len(),
        });
    };
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        drop(Store::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = Store::open(&path).unwrap_err();
        assert!(
            matches!(error, StoreError::TooNew { found: 99, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn nobody_else_may_read_the_database() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        std::fs::write(&path, "").unwrap();
        let store = Store::open(&path).unwrap();
        store.check().await.unwrap();
        for name in ["db", "db-wal"] {
            let file = std::fs::metadata(directory.path().join(name)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[tokio::test]
    async fn a_failed_piece_of_a_batch_has_no_effect_and_harms_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let put = |key: &'static str, then: Result<(), StoreError>| {
            store.write(move |tx| {
                tx.execute("INSERT INTO meta VALUES (?1, '')", [key])?;
                then
            })
        };
        let (a, b, c) = tokio::join!(
            put("a", Ok(())),
            put("b", Err(StoreError::Stopped)),
            put("c", Ok(()))
        );
        assert!(a.is_ok() && b.is_err() && c.is_ok());
        let keys = store
            .read(|connection| {
                let mut statement = connection.prepare("SELECT key FROM meta ORDER BY key")?;
                let keys = statement.query_map([], |row| row.get(0))?;
                Ok(keys.collect::<Result<Vec<String>, _>>()?)
            })
            .await
            .unwrap();
        assert_eq!(keys, ["a", "c"]);
    }
}
