//! What is known of the subnet, kept up to date.

mod age;
mod cache;
mod refresh;

pub use refresh::refresh;

use super::Metagraph;
use super::client::Chain;
use super::error::ChainError;
use super::read;
use crate::config::Config;
use std::sync::Arc;
use tokio::sync::watch;

/// What is known of the subnet. Clones share it: what one is told, all know.
#[derive(Debug, Clone)]
pub struct Subnet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    known: watch::Sender<Known>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Known {
    metagraph: Arc<Metagraph>,
    read_at: Option<f64>,
}

impl Subnet {
    /// A subnet as a metagraph tells it, which was read from the chain at `read_at`, in
    /// seconds since the Unix epoch; `None` if it is of a file, which is never stale.
    #[must_use]
    pub fn new(metagraph: Metagraph, read_at: Option<f64>) -> Self {
        let metagraph = Arc::new(metagraph);
        Self {
            shared: Arc::new(Shared {
                known: watch::Sender::new(Known { metagraph, read_at }),
                changes: watch::Sender::new(0),
            }),
        }
    }

    /// The metagraph as last read. Whoever decides something by it asks once and keeps
    /// it for as long as that takes.
    #[must_use]
    pub fn metagraph(&self) -> Arc<Metagraph> {
        Arc::clone(&self.shared.known.borrow().metagraph)
    }

    /// When it was last read from the chain, in seconds since the Unix epoch, or when
    /// its block was made, if the endpoint was behind; `None` if it is of a file.
    #[must_use]
    pub fn read_at(&self) -> Option<f64> {
        self.shared.known.borrow().read_at
    }

    /// Whether it was read more than `stale_after_s` seconds ago.
    #[must_use]
    pub fn is_stale(&self, now: f64, stale_after_s: f64) -> bool {
        self.read_at()
            .is_some_and(|read_at| now - read_at > stale_after_s)
    }

    /// Takes what was read from the chain at `read_at`, in seconds since the Unix epoch.
    pub fn update(&self, metagraph: Metagraph, read_at: f64) {
        let metagraph = Arc::new(metagraph);
        let told = Arc::clone(&metagraph);
        let before = self.shared.known.send_replace(Known {
            metagraph,
            read_at: Some(read_at),
        });
        if told.differs(&before.metagraph) {
            self.shared.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// A number that grows when something else is known of the subnet: who is
    /// registered, and with what keys, address, stake and permit, its owner or its
    /// hyperparameters. Not with the block, nor with when anybody last set weights.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }
}

/// The subnet as the chain tells it now, or as it was last told if the chain does not
/// answer. Asks the chain once.
///
/// # Errors
///
/// That of the chain, if there is no copy of what it told earlier.
pub async fn open(
    chain: &Chain,
    netuid: u16,
    config: &Config,
    now: f64,
) -> Result<Subnet, ChainError> {
    let error = match read_now(chain, netuid).await {
        Ok((metagraph, made_at)) => {
            let read_at = age::read_at(now, made_at);
            cache::store(config, &metagraph, read_at);
            return Ok(Subnet::new(metagraph, Some(read_at)));
        }
        Err(error) => error,
    };
    let Some((metagraph, read_at)) = cache::load(config, netuid) else {
        return Err(error);
    };
    let (block, age) = (metagraph.block(), (now - read_at).max(0.0).round());
    tracing::warn!(
        block,
        age_s = age,
        error = %error,
        "the chain does not answer; starting with what it last told"
    );
    Ok(Subnet::new(metagraph, Some(read_at)))
}

/// What the chain last told a host of this data directory; none if it never did. Asks
/// nobody.
#[must_use]
pub fn last_known(config: &Config) -> Option<Metagraph> {
    let (metagraph, _) = cache::load(config, config.chain.netuid?)?;
    Some(metagraph)
}

/// The metagraph of the last finalized block, and when that was made.
async fn read_now(chain: &Chain, netuid: u16) -> Result<(Metagraph, Option<f64>), ChainError> {
    let at = chain.at_finalized().await?;
    tokio::try_join!(read::metagraph(&at, netuid), read::timestamp(&at))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chain::{Hyperparameters, Neuron};

    fn neuron(uid: u16) -> Neuron {
        Neuron {
            uid,
            hotkey: format!("hk{uid}"),
            stake: 1.0,
            ..Neuron::default()
        }
    }

    fn metagraph(block: u64, neurons: Vec<Neuron>) -> Metagraph {
        Metagraph::new(1, block, None, neurons).unwrap()
    }

    fn hyperparameters(tempo: u16) -> Hyperparameters {
        Hyperparameters {
            tempo,
            weights_rate_limit: 100,
            weights_version: 0,
            min_allowed_weights: 1,
            max_weight_limit: u16::MAX,
            commit_reveal_enabled: false,
            commit_reveal_period: 1,
            commit_reveal_version: Some(4),
            mechanism_count: 1,
            stake_threshold: 0,
        }
    }

    #[test]
    fn all_clones_know_what_one_is_told() {
        let subnet = Subnet::new(metagraph(1, vec![neuron(0)]), Some(10.0));
        let clone = subnet.clone();
        subnet.update(metagraph(2, vec![neuron(0), neuron(1)]), 20.0);
        assert_eq!(clone.metagraph().block(), 2);
        assert_eq!(clone.metagraph().uid_of("hk1"), Some(1));
        assert_eq!(clone.read_at(), Some(20.0));
    }

    #[test]
    fn what_was_read_long_ago_is_stale_and_a_file_never_is() {
        let subnet = Subnet::new(metagraph(1, vec![]), Some(100.0));
        assert!(!subnet.is_stale(160.0, 60.0));
        assert!(subnet.is_stale(160.5, 60.0));
        // The clock was set back.
        assert!(!subnet.is_stale(50.0, 60.0));
        subnet.update(metagraph(1, vec![]), 150.0);
        assert!(!subnet.is_stale(160.5, 60.0));
        let file = Subnet::new(metagraph(1, vec![]), None);
        assert!(!file.is_stale(f64::MAX, 1.0));
    }

    #[test]
    fn changes_are_told_of_everything_but_the_block_and_last_updates() {
        let subnet = Subnet::new(metagraph(1, vec![neuron(0)]), Some(0.0));
        let mut changes = subnet.changes();
        let mut changed = |metagraph: Metagraph| {
            changes.borrow_and_update();
            subnet.update(metagraph, 1.0);
            changes.has_changed().unwrap()
        };
        assert!(!changed(metagraph(2, vec![neuron(0)])));
        let updated = Neuron {
            last_update: Some(2),
            ..neuron(0)
        };
        assert!(!changed(metagraph(3, vec![updated])));
        let with = |neuron: Neuron| metagraph(4, vec![neuron]);
        let base = neuron(0);
        assert!(changed(with(Neuron {
            hotkey: "other".into(),
            ..base.clone()
        })));
        assert!(changed(with(base.clone())));
        assert!(!changed(with(base.clone())));
        assert!(changed(with(Neuron {
            stake: 2.0,
            ..base.clone()
        })));
        assert!(changed(with(Neuron {
            validator_permit: true,
            ..base.clone()
        })));
        assert!(changed(with(Neuron {
            axon_port: Some(8_091),
            ..base.clone()
        })));
        assert!(changed(with(Neuron {
            registered_at: Some(4),
            ..base.clone()
        })));
        assert!(changed(metagraph(4, vec![base.clone(), neuron(1)])));
        assert!(changed(
            with(base.clone()).with_hyperparameters(hyperparameters(360))
        ));
        assert!(changed(
            with(base.clone()).with_hyperparameters(hyperparameters(361))
        ));
        let owned = Metagraph::new(1, 5, Some("hk0".into()), vec![base]).unwrap();
        assert!(changed(owned));
    }
}
