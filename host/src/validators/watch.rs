//! What is to be seen when nobody asks for anything.

use super::assign::end_leases;
use crate::clock;
use crate::scoring::Pipeline;
use crate::store::{AssignmentState, StoreError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Looks every `validators.heartbeat_s`, until `stop` is cancelled: leases that are over
/// end, and who is there and what is to be done is counted.
pub async fn run(pipeline: Pipeline, stop: CancellationToken) {
    let pause = Duration::from_secs_f64(pipeline.config.validators.heartbeat_s);
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = look(&pipeline, clock::unix_now()).await {
            tracing::error!(%error, "cannot look after assignments: trying again");
        }
    }
}

async fn look(pipeline: &Pipeline, now: f64) -> Result<(), StoreError> {
    end_leases(pipeline, now).await?;
    let counts = pipeline.store.assignment_counts().await?;
    for state in AssignmentState::ALL {
        let of_state = counts.iter().filter(|(_, other, _)| *other == state);
        let count = of_state.map(|(.., count)| count).sum();
        pipeline.metrics.set_assignments(state.name(), count);
    }
    let nodes = pipeline.store.validator_nodes().await?;
    let online_since = now - pipeline.config.validators.offline_s;
    let online = nodes.iter().filter(|node| node.seen_at >= online_since);
    let online = online.count();
    pipeline
        .metrics
        .set_validator_nodes(online, nodes.len() - online);
    Ok(())
}
