//! The thread that writes.

use super::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Pieces of work in one transaction, at most.
const BATCH: usize = 256;

/// Runs a piece of work, and returns what to do once it is on disk, or is not.
/// Without a transaction it cannot run.
type Work = Box<dyn FnOnce(Option<&Transaction<'_>>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Sends work to the thread. The thread ends when the last handle is dropped and
/// everything sent before is committed.
#[derive(Debug)]
pub(super) struct Writer {
    work: Option<mpsc::Sender<Work>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (work, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(connection, &inbox))
            .map_err(|_| StoreError::Stopped)?;
        Ok(Writer {
            work: Some(work),
            thread: Some(thread),
        })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |transaction| {
            let result = transaction.map_or(Err(StoreError::Stopped), |tx| in_savepoint(tx, work));
            Box::new(move |committed| {
                // Nobody may be waiting any more.
                let _ = reply.send(committed.and(result));
            })
        });
        let sent = self
            .work
            .as_ref()
            .is_some_and(|inbox| inbox.send(work).is_ok());
        if !sent {
            return Err(StoreError::Stopped);
        }
        answer.await.map_err(|_| StoreError::Stopped)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database's writer panicked");
        }
    }
}

fn in_savepoint<T>(
    transaction: &Transaction<'_>,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    transaction.execute_batch("SAVEPOINT piece")?;
    let result = work(transaction);
    if result.is_err() {
        transaction.execute_batch("ROLLBACK TO piece")?;
    }
    transaction.execute_batch("RELEASE piece")?;
    result
}

fn run(mut connection: Connection, inbox: &mpsc::Receiver<Work>) {
    while let Ok(first) = inbox.recv() {
        let mut answers = Vec::new();
        let committed = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => {
                answers.push(first(Some(&transaction)));
                // Some errors make SQLite end the transaction by itself; what
                // came after it would be committed piece by piece.
                while answers.len() < BATCH
                    && !transaction.is_autocommit()
                    && let Ok(next) = inbox.try_recv()
                {
                    answers.push(next(Some(&transaction)));
                }
                transaction.commit()
            }
            Err(error) => {
                answers.push(first(None));
                Err(error)
            }
        };
        if let Err(error) = &committed {
            tracing::error!(%error, "cannot write to the database");
        }
        for answer in answers {
            let committed = committed
                .as_ref()
                .map_err(|e| StoreError::NotWritten(e.to_string()));
            answer(committed.copied());
        }
    }
}
