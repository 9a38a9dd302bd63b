//! Whoever waits for an answer, as the guest's task sees it.

use crate::sandbox::outcome::{Outcome, PluginError};
use crate::sandbox::watch::Deadline;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

/// What a guest may take to come to its end when its answer is complete: to write
/// down what it has done, say.
const AFTER: Duration = Duration::from_secs(5);

/// Kept by whoever waits. When it is dropped, the guest is stopped.
#[derive(Debug)]
pub(super) struct Presence {
    leave: Option<oneshot::Sender<Left>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Left {
    /// The answer is complete.
    Satisfied,
    /// The answer is not as it may be.
    Refused(PluginError),
}

#[derive(Debug, Default)]
struct Shared {
    gone: AtomicBool,
    refused: Mutex<Option<PluginError>>,
    /// Since when there may be something to take that is not taken.
    idle: Mutex<Option<Instant>>,
}

/// A client, and what is watched of it; it may take `patience` for each piece.
pub(super) fn client(patience: Duration) -> (Presence, Client) {
    let (leave, left) = oneshot::channel();
    let shared = Arc::<Shared>::default();
    let presence = Presence {
        leave: Some(leave),
        shared: Arc::clone(&shared),
    };
    let client = Client {
        left: Some(left),
        shared,
        patience,
        timer: Box::pin(sleep(patience)),
    };
    (presence, client)
}

impl Presence {
    /// Waits for the guest.
    pub(super) fn wait(&self) {
        self.shared.set_idle(None);
    }

    /// Has taken something.
    pub(super) fn take(&self) {
        self.shared.set_idle(Some(Instant::now()));
    }

    /// Has all that there is.
    pub(super) fn is_satisfied(&mut self) {
        self.leave(Left::Satisfied);
    }

    /// Does not take this.
    pub(super) fn refuse(&mut self, error: PluginError) {
        *lock(&self.shared.refused) = Some(error.clone());
        self.leave(Left::Refused(error));
    }

    fn leave(&mut self, left: Left) {
        self.wait();
        if let Some(leave) = self.leave.take() {
            // The guest may have ended.
            let _ = leave.send(left);
        }
    }
}

impl Shared {
    fn set_idle(&self, since: Option<Instant>) {
        *lock(&self.idle) = since;
    }

    fn idle(&self) -> Option<Instant> {
        *lock(&self.idle)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The guest's side.
pub(in crate::sandbox) struct Client {
    left: Option<oneshot::Receiver<Left>>,
    shared: Arc<Shared>,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
}

/// How a client parted with the call.
#[derive(Debug)]
pub(super) struct Parting(Arc<Shared>);

impl Parting {
    /// Whether the guest was stopped because it left.
    pub(super) fn is_early(&self) -> bool {
        self.0.gone.load(Ordering::Relaxed)
    }

    /// What is wrong with the answer, whether or not the guest has noticed.
    pub(super) fn refused(&self) -> Result<(), PluginError> {
        lock(&self.0.refused).take().map_or(Ok(()), Err)
    }
}

impl Client {
    pub(super) fn parting(&self) -> Parting {
        Parting(Arc::clone(&self.shared))
    }

    /// Ready when there is nobody to go on for.
    pub(in crate::sandbox) fn poll_stop(
        &mut self,
        context: &mut Context<'_>,
        deadline: &Deadline,
    ) -> Poll<PluginError> {
        let Some(left) = &mut self.left else {
            return Poll::Pending;
        };
        match Pin::new(left).poll(context) {
            Poll::Ready(Ok(Left::Satisfied)) => {
                self.left = None;
                deadline.bound(Instant::now() + AFTER);
                return Poll::Pending;
            }
            Poll::Ready(Ok(Left::Refused(error))) => return Poll::Ready(error),
            Poll::Ready(Err(_)) => return Poll::Ready(self.leave("the client has gone")),
            Poll::Pending => {}
        }
        let Some(idle) = self.shared.idle() else {
            return Poll::Pending;
        };
        let at = idle + self.patience;
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
        if self.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(self.leave("the client takes nothing"));
        }
        Poll::Pending
    }

    fn leave(&self, why: &str) -> PluginError {
        self.shared.gone.store(true, Ordering::Relaxed);
        PluginError::new(Outcome::Unavailable, why)
    }
}
