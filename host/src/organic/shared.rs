//! What the parts of one challenge's loop share.

use crate::config;
use crate::plugins::ActivePlugin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, Notify, broadcast, watch};

/// Ends that a waiter may be behind before it looks at its entry again.
const ENDS: usize = 1_024;

/// What the parts of one challenge's loop share.
#[derive(Debug)]
pub(super) struct Shared {
    /// There may be something to do.
    pub(super) wake: Notify,
    /// Held while rewards are taken into the state: no two at a time.
    pub(super) folding: AsyncMutex<()>,
    ended: broadcast::Sender<Arc<str>>,
    in_flight: watch::Sender<u32>,
    known: Mutex<Known>,
}

/// What was last known of a loop.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// What the operator wants, as the challenge last had it.
    pub(super) given: config::Organic,
    /// Digests of the component and of its settings, as they last were.
    pub(super) version: Option<(String, String)>,
    pub(super) last_started_at: Option<f64>,
    pub(super) last_iteration: Option<i64>,
    pub(super) iterations: u64,
}

impl Shared {
    pub(super) fn new(given: config::Organic) -> Self {
        Shared {
            wake: Notify::new(),
            folding: AsyncMutex::default(),
            ended: broadcast::Sender::new(ENDS),
            in_flight: watch::Sender::new(0),
            known: Mutex::new(Known {
                given,
                version: None,
                last_started_at: None,
                last_iteration: None,
                iterations: 0,
            }),
        }
    }

    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// Notes the challenge as it is now.
    pub(super) fn set_plugin(&self, plugin: &ActivePlugin) {
        let mut known = self.lock();
        known.given.clone_from(&plugin.given.organic);
        known.version = Some(plugin_version(plugin));
    }

    /// Notes that an iteration began.
    pub(super) fn began(&self, id: i64, at: f64) {
        let mut known = self.lock();
        known.last_started_at = Some(at);
        known.last_iteration = Some(id);
        known.iterations += 1;
    }

    /// Tells who waits for it that an entry has ended.
    pub(super) fn ended(&self, entry: &str) {
        // Nobody needs to wait for it.
        let _ = self.ended.send(entry.into());
    }

    /// Is told which entries end.
    pub(super) fn ends(&self) -> broadcast::Receiver<Arc<str>> {
        self.ended.subscribe()
    }

    pub(super) fn in_flight(&self) -> u32 {
        *self.in_flight.borrow()
    }

    /// Waits until no iteration runs.
    pub(super) async fn drained(&self) {
        // The sender is here, so there is an answer.
        let _ = self.in_flight.subscribe().wait_for(|n| *n == 0).await;
    }

    /// A place among the iterations that run, taken before one begins.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        self.in_flight.send_modify(|n| *n += 1);
        Place {
            shared: Arc::clone(self),
            wakes: true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the iterations that run. Given back when dropped, however the
/// iteration ends.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    /// Whether there may be something to do once it is free.
    wakes: bool,
}

impl Place {
    /// Gives it back when nothing began: the loop would wake itself without end.
    pub(super) fn unused(mut self) {
        self.wakes = false;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let in_flight = &self.shared.in_flight;
        in_flight.send_modify(|n| *n = n.saturating_sub(1));
        if self.wakes {
            self.shared.wake.notify_one();
        }
    }
}

/// Digests of the component and of its settings.
pub(super) fn plugin_version(plugin: &ActivePlugin) -> (String, String) {
    let component = plugin.component.digest().to_owned();
    (component, plugin.settings_digest.clone())
}
