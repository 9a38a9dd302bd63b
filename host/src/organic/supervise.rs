//! A loop for each challenge that has the capability, for as long as it is active.

use super::Organic;
use super::run::Loop;
use crate::clock;
use crate::sandbox::Capability;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Time from one look at what need not be kept to the next.
const TIDY: Duration = Duration::from_secs(3_600);
/// Time that running iterations have once the host is stopping.
const GRACE: Duration = Duration::from_secs(5);
/// Time to the next attempt at what the database refused.
const PAUSE: Duration = Duration::from_secs(1);

impl Organic {
    /// Runs the loops of all challenges until `stop`. Takes back what an earlier process
    /// was at: the caller must be alone in the data directory. Iterations that still run
    /// after a few seconds are left to the next start.
    pub async fn run(self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.take_back()).await.is_none() {
            return;
        }
        let leave = CancellationToken::new();
        let _left_with_this = leave.clone().drop_guard();
        let mut changes = self.0.resources.plugins.changes();
        // Beside the loops, which must not wait for a database that deletes much.
        let tidying = self.clone().tidying(stop.clone());
        let tidying = tokio::spawn(tidying);
        let (mut loops, mut names) = (JoinSet::new(), BTreeMap::<Id, String>::new());
        while !stop.is_cancelled() {
            let running: BTreeSet<&String> = names.values().collect();
            let plugins = self.0.resources.plugins.active().into_iter();
            let missing: Vec<String> = plugins
                .filter(|plugin| plugin.has(Capability::Organic))
                .map(|plugin| plugin.name().to_owned())
                .filter(|name| !running.contains(name))
                .collect();
            for name in missing {
                let looping = Loop::new(&self, name.clone(), leave.clone()).run(stop.clone());
                names.insert(loops.spawn(looping).id(), name);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = changes.changed() => {}
                Some(ended) = loops.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(error) => {
                            tracing::error!(%error, "a loop ended early");
                            sleep(PAUSE).await;
                            error.id()
                        }
                    };
                    names.remove(&id);
                }
            }
        }
        while loops.join_next().await.is_some() {}
        let _ended = tidying.await;
        let drained = async {
            for name in self.0.names() {
                self.drained(&name).await;
            }
        };
        if timeout(GRACE, drained).await.is_err() {
            tracing::warn!("iterations still run after {GRACE:?}: the next start takes them up");
        }
    }

    async fn take_back(&self) {
        let store = &self.0.resources.store;
        loop {
            match store.organic_take_back(clock::unix_now()).await {
                Ok(0) => return,
                Ok(iterations) => {
                    tracing::info!(
                        iterations,
                        "took back organic iterations that were cut short"
                    );
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "cannot take back organic iterations: trying again");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn tidying(self, stop: CancellationToken) {
        let mut tick = interval(TIDY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let tidying = async {
            loop {
                tick.tick().await;
                self.tidy(clock::unix_now()).await;
            }
        };
        let _: Option<()> = stop.run_until_cancelled(tidying).await;
    }

    /// Forgets what ended long enough ago, of every challenge that anything is stored
    /// of, active or not.
    async fn tidy(&self, now: f64) {
        let store = &self.0.resources.store;
        let challenges = match store.organic_challenges().await {
            Ok(challenges) => challenges,
            Err(error) => {
                tracing::error!(%error, "old entries and iterations were not forgotten");
                return;
            }
        };
        for challenge in challenges {
            let given = self.0.given(&challenge);
            let before = now - given.keep_s;
            let records = now - given.record_keep_s.min(given.keep_s);
            let forgotten = store.organic_forget(challenge.clone(), before, records);
            match forgotten.await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(challenge, rows, "forgot ended entries and iterations"),
                Err(error) => tracing::error!(challenge, %error, "old entries were not forgotten"),
            }
        }
    }
}
