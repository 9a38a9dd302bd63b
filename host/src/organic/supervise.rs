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
        let mut tidy = interval(TIDY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                _ = tidy.tick() => self.tidy(clock::unix_now()).await,
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

    /// Forgets what ended long enough ago.
    async fn tidy(&self, now: f64) {
        let plugins = self.0.resources.plugins.active().into_iter();
        for plugin in plugins.filter(|plugin| plugin.has(Capability::Organic)) {
            let (challenge, keep_s) = (plugin.name().to_owned(), plugin.given.organic.keep_s);
            let store = &self.0.resources.store;
            match store.organic_forget(challenge.clone(), now - keep_s).await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(challenge, rows, "forgot ended entries and iterations"),
                Err(error) => tracing::error!(challenge, %error, "old entries were not forgotten"),
            }
        }
    }
}
