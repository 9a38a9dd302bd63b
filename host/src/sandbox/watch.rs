//! What ends a call from outside: its deadline, a full volume, a client that has
//! gone.

use super::outcome::{Outcome, PluginError};
use super::routes::Client;
use super::volume::VolumeWatch;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::PollSemaphore;

/// When a call must be through. Clones share it: the time of a route is extended
/// when its answer begins, and cut when its answer has ended.
#[derive(Debug, Clone)]
pub(super) struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    pub(super) fn new(at: Instant) -> Self {
        Deadline(Arc::new(Mutex::new(at)))
    }

    pub(super) fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Makes it no later than `at`.
    pub(super) fn bound(&self, at: Instant) {
        self.set(self.at().min(at));
    }
}

/// Looked at each time that a guest gives way.
pub(super) struct Watch {
    began: Instant,
    deadline: Deadline,
    timer: Pin<Box<Sleep>>,
    volume: Option<VolumeWatch>,
    client: Option<Client>,
    turns: Option<PollSemaphore>,
}

impl Watch {
    pub(super) fn new(deadline: Deadline) -> Self {
        Watch {
            began: Instant::now(),
            timer: Box::pin(sleep_until(deadline.at())),
            deadline,
            volume: None,
            client: None,
            turns: None,
        }
    }

    /// Watches a volume as well.
    pub(super) fn volume(self, volume: Option<VolumeWatch>) -> Self {
        Watch { volume, ..self }
    }

    /// Watches a client as well.
    pub(super) fn client(self, client: Option<Client>) -> Self {
        Watch { client, ..self }
    }

    /// Has the guest compute in turn with those that share `turns`, from one time that
    /// it gives way to the next.
    pub(super) fn turns(self, turns: Option<Arc<Semaphore>>) -> Self {
        let turns = turns.map(PollSemaphore::new);
        Watch { turns, ..self }
    }

    /// Runs `call` until it is done or something ends it.
    pub(super) async fn over<T>(
        &mut self,
        call: impl Future<Output = T>,
    ) -> Result<T, PluginError> {
        let mut call = pin!(call);
        std::future::poll_fn(|context| {
            let turn = match &mut self.turns {
                Some(turns) => turns.poll_acquire(context),
                None => Poll::Ready(None),
            };
            if let Poll::Ready(turn) = turn {
                let polled = call.as_mut().poll(context);
                drop(turn);
                if let Poll::Ready(value) = polled {
                    return Poll::Ready(Ok(value));
                }
            }
            self.poll_stop(context).map(Err)
        })
        .await
    }

    /// A timer alone is not enough: a busy runtime looks at its timers only once in
    /// many polls. So each time that a guest gives way is a look at the clock.
    fn poll_stop(&mut self, context: &mut Context<'_>) -> Poll<PluginError> {
        if let Some(client) = &mut self.client
            && let Poll::Ready(error) = client.poll_stop(context, &self.deadline)
        {
            return Poll::Ready(error);
        }
        let at = self.deadline.at();
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
        if Instant::now() >= at || self.timer.as_mut().poll(context).is_ready() {
            let message = format!("still running after {:?}", self.began.elapsed());
            return Poll::Ready(PluginError::new(Outcome::Timeout, message));
        }
        match &mut self.volume {
            Some(volume) => volume.poll_full(context),
            None => Poll::Pending,
        }
    }

    /// Looks at what the call left behind.
    pub(super) async fn finish(self) -> Result<(), PluginError> {
        match self.volume {
            Some(volume) => volume.finish().await,
            None => Ok(()),
        }
    }
}
