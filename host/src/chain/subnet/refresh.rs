//! Reads the subnet anew as the chain grows.

use super::{Subnet, age, cache};
use crate::chain::client::Chain;
use crate::chain::error::ChainError;
use crate::chain::read;
use crate::clock;
use crate::config::Config;
use crate::metrics::Metrics;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pause after a first failure, which doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked at whether the metagraph is stale, at least.
const LOOK: Duration = Duration::from_secs(30);

/// Reads the subnet anew whenever the finalized chain has grown by
/// `chain.refresh_blocks`, until it is told to stop; after a failure again after growing
/// pauses, of a second to a minute. What is known stays meanwhile, and is told to be
/// stale after `chain.stale_after_s`. Keeps `metagraph.cache.json` in `data_dir`.
pub async fn refresh(
    chain: Chain,
    subnet: Subnet,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut refresh = Refresh {
        chain,
        subnet,
        config,
        metrics,
        failures: 0,
        begun: false,
    };
    let stale = StaleWatch {
        subnet: refresh.subnet.clone(),
        config: Arc::clone(&refresh.config),
        metrics: Arc::clone(&refresh.metrics),
    };
    tokio::select! {
        () = stop.cancelled() => (),
        () = refresh.run() => (),
        () = stale.run() => (),
    }
}

struct Refresh {
    chain: Chain,
    subnet: Subnet,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    /// Failures since anything was heard of the chain.
    failures: u32,
    /// Whether the chain answered since this process began.
    begun: bool,
}

impl Refresh {
    async fn run(&mut self) {
        loop {
            if let Err(error) = self.follow().await {
                self.tell(&error);
            }
            tokio::time::sleep(pause(self.failures, rand::random())).await;
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Follows the chain until the subnet cannot be read.
    async fn follow(&mut self) -> Result<(), ChainError> {
        let mut blocks = self.chain.finalized_blocks().await?;
        while let Some(block) = blocks.next().await {
            // The stream makes pauses of its own when no endpoint answers.
            match block {
                Ok((number, _)) if self.is_due(number) => {
                    self.read(number).await?;
                    self.begun = true;
                }
                Ok(_) => self.begun = true,
                Err(error) => {
                    self.tell(&error);
                    self.failures = self.failures.saturating_add(1);
                    continue;
                }
            }
            self.failures = 0;
        }
        Ok(())
    }

    /// Warns of the first failure of a series.
    fn tell(&self, error: &ChainError) {
        let (code, block) = (error.code(), self.subnet.metagraph().block());
        let message = "cannot read the metagraph anew; keeping the last one";
        if self.failures == 0 {
            tracing::warn!(code, block, error = %error, message);
        } else {
            tracing::debug!(code, block, error = %error, message);
        }
    }

    fn is_due(&self, number: u64) -> bool {
        let rules = &self.config.chain;
        let stale = self.subnet.is_stale(clock::unix_now(), rules.stale_after_s);
        let known = self.subnet.metagraph().block();
        is_due(number, known, rules.refresh_blocks, self.begun, stale)
    }

    async fn read(&mut self, number: u64) -> Result<(), ChainError> {
        let at = self.chain.at_number(number).await?;
        let netuid = self.subnet.metagraph().netuid();
        let (metagraph, made_at) =
            tokio::try_join!(read::metagraph(&at, netuid), read::timestamp(&at))?;
        let now = clock::unix_now();
        let read_at = age::read_at(now, made_at);
        cache::store(&self.config, &metagraph, read_at);
        tracing::debug!(block = metagraph.block(), "read the metagraph");
        self.metrics.set_metagraph(metagraph.block(), read_at);
        self.subnet.update(metagraph, read_at);
        let stale = self.subnet.is_stale(now, self.config.chain.stale_after_s);
        self.metrics.set_metagraph_stale(stale);
        Ok(())
    }
}

/// Whether the subnet is to be read at block `number`, if `known` is what it was last
/// read at.
///
/// An older block is refused, since an endpoint that is behind would tell who was
/// registered long ago. Only at the start, when `known` may be of a copy, it counts: a
/// chain for development may have begun anew.
fn is_due(number: u64, known: u64, refresh_blocks: u32, begun: bool, stale: bool) -> bool {
    number >= known.saturating_add(refresh_blocks.into())
        || (stale && number > known)
        || (!begun && number < known)
}

/// Jittered by half, so that not all hosts of a subnet come back to an endpoint at once.
fn pause(failures: u32, jitter: f64) -> Duration {
    let full = PAUSE
        .saturating_mul(1_u32.checked_shl(failures.min(10)).unwrap_or(u32::MAX))
        .min(LONGEST_PAUSE);
    full.mul_f64(0.5 + jitter / 2.0)
}

struct StaleWatch {
    subnet: Subnet,
    config: Arc<Config>,
    metrics: Arc<Metrics>,
}

impl StaleWatch {
    async fn run(&self) {
        let after = self.config.chain.stale_after_s;
        let every = LOOK.min(Duration::from_secs_f64(after / 4.0));
        let mut was_stale = false;
        loop {
            let stale = self.subnet.is_stale(clock::unix_now(), after);
            self.metrics.set_metagraph_stale(stale);
            match (was_stale, stale) {
                (false, true) => tracing::error!(
                    block = self.subnet.metagraph().block(),
                    "the metagraph is stale: nothing is submitted with it"
                ),
                (true, false) => tracing::info!("the metagraph is up to date again"),
                _ => (),
            }
            was_stale = stale;
            tokio::time::sleep(every).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subnet_is_read_each_so_many_blocks_and_never_at_an_older_one() {
        let due = |number| is_due(number, 100, 25, true, false);
        assert!(!due(100) && !due(124));
        assert!(due(125) && due(1_000));
        assert!(!due(99) && !due(0));
    }

    #[test]
    fn a_chain_that_began_anew_is_taken_at_the_start() {
        assert!(is_due(5, 100, 25, false, false));
        assert!(!is_due(110, 100, 25, false, false));
    }

    #[test]
    fn what_is_stale_is_read_at_the_next_block() {
        assert!(is_due(101, 100, 25, true, true));
        // The chain stands still: what it tells is no news.
        assert!(!is_due(100, 100, 25, true, true));
        assert!(!is_due(99, 100, 25, true, true));
    }

    #[test]
    fn pauses_grow_to_a_minute_and_are_jittered_by_half() {
        let pauses = [0, 1, 2, 5, 6, 7, u32::MAX].map(|failures| pause(failures, 1.0).as_secs());
        assert_eq!(pauses, [1, 2, 4, 32, 60, 60, 60]);
        assert_eq!(pause(1, 0.0), Duration::from_secs(1));
    }
}
