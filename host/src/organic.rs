//! Organic scoring: miners are scored on what callers really ask, and on samples of the
//! challenge's own while nobody asks.
//!
//! What callers send is admitted by the challenge and queued in the database. The loop
//! of each challenge begins an iteration whenever one is due: it takes a sample, asks
//! miners about it, has the challenge reward their answers, and folds the rewards into
//! the challenge's state and weights. How an iteration ends is one transaction with what
//! becomes of its entry; what a dead process was at is begun anew.

mod admit;
mod fit;
mod iteration;
mod rate;
mod record;
mod run;
mod shared;
mod status;
mod supervise;
mod trigger;

pub(crate) use admit::may_send;
pub use admit::{SubmitError, Submitted};
pub use status::{LoopState, LoopStatus};

use crate::chain::Hotkey;
use crate::config;
use crate::miners::{Miners, MinersError};
use crate::plugins::ActivePlugin;
use crate::sandbox::Capability;
use crate::scoring::{Resources, Schedule};
use crate::store::{EntryRow, LoopRow, Steps, StoreError};
use shared::Shared;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

/// Organic scoring of all challenges. Clones share everything.
#[derive(Debug, Clone)]
pub struct Organic(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    resources: Resources,
    miners: Miners,
    /// This host's own address, which is not asked.
    hotkey: Option<String>,
    seed: u64,
    schedule: Schedule,
    /// Every challenge that had the capability since the start, by name.
    shared: Mutex<BTreeMap<String, Arc<Shared>>>,
}

impl Organic {
    /// Organic scoring over what is stored. Requests to miners are signed with
    /// `hotkey`; `seed` is the deployment's, and `schedule` says which day weights are
    /// of.
    ///
    /// # Errors
    ///
    /// Miners cannot be asked over HTTP.
    pub fn new(
        resources: Resources,
        hotkey: Option<Hotkey>,
        seed: u64,
        schedule: Schedule,
    ) -> Result<Self, MinersError> {
        let address = hotkey.as_ref().map(|hotkey| hotkey.address().to_owned());
        let metrics = Arc::clone(&resources.metrics);
        let miners = Miners::new(&resources.config.miners, hotkey, metrics)?;
        Ok(Organic(Arc::new(Inner {
            resources,
            miners,
            hotkey: address,
            seed,
            schedule,
            shared: Mutex::default(),
        })))
    }

    /// This host's own hotkey, in SS58: whom entries are signed for.
    #[must_use]
    pub fn hotkey(&self) -> Option<&str> {
        self.0.hotkey.as_deref()
    }

    /// An entry of a challenge.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn entry(&self, challenge: &str, id: &str) -> Result<Option<EntryRow>, StoreError> {
        let entry = self.0.resources.store.organic_entry(id.to_owned()).await?;
        Ok(entry.filter(|entry| entry.challenge == challenge))
    }

    /// An entry of a challenge once it has ended, or as it is at `until`. None if there
    /// is none.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn wait(
        &self,
        challenge: &str,
        id: &str,
        until: Instant,
    ) -> Result<Option<EntryRow>, StoreError> {
        // Who asks for what there is not makes nothing to be remembered.
        let Some(entry) = self.entry(challenge, id).await? else {
            return Ok(None);
        };
        let known = self.0.known(challenge);
        let Some(shared) = known.filter(|_| !entry.state.is_end()) else {
            return Ok(Some(entry));
        };
        let mut ends = shared.ends();
        loop {
            let entry = self.entry(challenge, id).await?;
            if entry.as_ref().is_none_or(|entry| entry.state.is_end()) {
                return Ok(entry);
            }
            let told = async {
                loop {
                    match ends.recv().await {
                        Ok(ended) if *ended != *id => {}
                        // It may be among those that were missed.
                        Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                    }
                }
            };
            if timeout_at(until, told).await.is_err() {
                return self.entry(challenge, id).await;
            }
        }
    }

    /// How the loop of a challenge does; none if it has not the capability.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn status(&self, challenge: &str) -> Result<Option<LoopStatus>, StoreError> {
        let row = self.0.resources.store.organic_loop(challenge.to_owned());
        let row = row.await?;
        self.status_of(row).await
    }

    /// How every loop does, by name of the challenge. One that the database does not
    /// tell of is left out, and logged.
    pub async fn statuses(&self) -> Vec<LoopStatus> {
        let mut statuses = Vec::new();
        for challenge in self.0.names() {
            match self.status(&challenge).await {
                Ok(status) => statuses.extend(status),
                Err(error) => tracing::error!(challenge, %error, "cannot tell how its loop does"),
            }
        }
        statuses
    }

    /// Has iterations begin, from now on. None if the challenge has not the capability.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn start(&self, challenge: &str, now: f64) -> Result<Option<LoopStatus>, StoreError> {
        self.set_stopped(challenge, false, now).await
    }

    /// Has no iteration begin after it returns; those that run end by themselves, see
    /// [`drained`](Self::drained). None if the challenge has not the capability.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn stop(&self, challenge: &str, now: f64) -> Result<Option<LoopStatus>, StoreError> {
        self.set_stopped(challenge, true, now).await
    }

    async fn set_stopped(
        &self,
        challenge: &str,
        stopped: bool,
        now: f64,
    ) -> Result<Option<LoopStatus>, StoreError> {
        if self.0.known(challenge).is_none() {
            return Ok(None);
        }
        let store = &self.0.resources.store;
        let row = store.organic_stop(challenge.to_owned(), stopped, now);
        let row = row.await?;
        tracing::info!(challenge, stopped, "organic scoring");
        self.changed(row).await
    }

    /// Counts steps. None if the challenge has not the capability.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn steps(
        &self,
        challenge: &str,
        change: Steps,
        now: f64,
    ) -> Result<Option<LoopStatus>, StoreError> {
        if self.0.known(challenge).is_none() {
            return Ok(None);
        }
        let store = &self.0.resources.store;
        let row = store.organic_steps(challenge.to_owned(), change, now);
        let row = row.await?;
        self.changed(row).await
    }

    /// Forgets the state of a challenge: the next `fold` gets none. The weights stay
    /// until then. Iterations that run go on, and are folded into the new state. None
    /// if the challenge has not the capability.
    ///
    /// # Errors
    ///
    /// That of the database.
    pub async fn reset(&self, challenge: &str, now: f64) -> Result<Option<LoopStatus>, StoreError> {
        let Some(shared) = self.0.known(challenge) else {
            return Ok(None);
        };
        // One that is folded now would store what it went on from.
        let _alone = shared.folding.lock().await;
        let store = &self.0.resources.store;
        let row = store.organic_reset(challenge.to_owned(), now).await?;
        tracing::info!(challenge, "organic scoring: the state is forgotten");
        self.changed(row).await
    }

    /// Waits until no iteration of a challenge runs.
    pub async fn drained(&self, challenge: &str) {
        if let Some(shared) = self.0.known(challenge) {
            shared.drained().await;
        }
    }

    /// Has a loop look again at what an operator changed, such as an entry that is to
    /// be tried again.
    pub fn wake(&self, challenge: &str) {
        if let Some(shared) = self.0.known(challenge) {
            shared.wake.notify_one();
        }
    }

    async fn changed(&self, row: LoopRow) -> Result<Option<LoopStatus>, StoreError> {
        self.wake(&row.challenge);
        self.status_of(row).await
    }

    async fn status_of(&self, row: LoopRow) -> Result<Option<LoopStatus>, StoreError> {
        let Some(shared) = self.0.known(&row.challenge) else {
            return Ok(None);
        };
        let active = self.0.active(&row.challenge).is_some();
        let store = &self.0.resources.store;
        let queue = store.organic_queue(row.challenge.clone()).await?;
        Ok(Some(LoopStatus::new(&shared, active, row, queue)))
    }
}

impl Inner {
    /// The challenge, if it is active and has the capability.
    fn active(&self, challenge: &str) -> Option<Arc<ActivePlugin>> {
        let plugin = self.resources.plugins.get(challenge)?;
        plugin.has(Capability::Organic).then_some(plugin)
    }

    /// What the operator wants of a challenge, active or not.
    fn given(&self, challenge: &str) -> config::Organic {
        let active = self.resources.plugins.get(challenge);
        let active = active.map(|plugin| plugin.given.organic.clone());
        let configured = || {
            Some(
                self.resources
                    .config
                    .challenges
                    .get(challenge)?
                    .organic
                    .clone(),
            )
        };
        active.or_else(configured).unwrap_or_default()
    }

    /// What the parts of a challenge's loop share, if it has the capability or had it
    /// since the start.
    fn known(&self, challenge: &str) -> Option<Arc<Shared>> {
        if let Some(plugin) = self.active(challenge) {
            return Some(self.shared(challenge, &plugin.given.organic));
        }
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get(challenge).cloned()
    }

    fn shared(&self, challenge: &str, given: &config::Organic) -> Arc<Shared> {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(challenge) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(Shared::new(given.clone()));
        all.insert(challenge.to_owned(), Arc::clone(&shared));
        shared
    }

    /// The names of the challenges that have the capability, or had it since the start.
    fn names(&self) -> Vec<String> {
        let active = self.resources.plugins.active().into_iter();
        for plugin in active.filter(|plugin| plugin.has(Capability::Organic)) {
            self.shared(plugin.name(), &plugin.given.organic);
        }
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.keys().cloned().collect()
    }
}
