//! From revealed commits to verdicts and standings.
//!
//! A commit is opened when its time has come, its artifact evaluated once per
//! version of the plugin, and compared with the best of earlier days. At the
//! scoring hour the commits of the day are compared with one another and judged,
//! by time of commit, and the challenge's standings and weights are written down
//! with the verdicts, in one piece and once. Each step is a row whose state moves
//! forward only.

mod compare;
mod evaluate;
mod fetch;
mod finalize;
mod judge;
mod latest;
mod organic;
mod pipeline;
mod publish;
mod receipts;
mod references;
mod results;
mod reveal;
mod schedule;
mod sources;
mod standings;
mod submit;
mod vector;
mod views;
mod work;

pub use compare::StoredComparison;
pub use evaluate::seed;
pub use finalize::{FinalizedCommit, PATIENCE};
pub use latest::{Content, LatestVector, Policies, Vector};
pub use pipeline::{Pipeline, PipelineError, Resources};
pub use results::Results;
pub use schedule::Schedule;
pub use sources::{Lack, Origin, Source};
pub use submit::StandingsCache;
pub use vector::{Finalized, Paid};

pub(crate) use references::{order, unique_pool};
pub(crate) use standings::best_commits;
pub(crate) use views::{comparison_logs, is_revealed, public_error, with_logs};

use crate::plugins::ActivePlugin;
use crate::store::JobKey;

/// What an evaluation of an artifact by a plugin depends on.
fn job_key(plugin: &ActivePlugin, artifact_digest: &str) -> JobKey {
    JobKey {
        challenge: plugin.name().to_owned(),
        plugin_digest: plugin.component.digest().to_owned(),
        settings_digest: plugin.settings_digest.clone(),
        artifact_digest: artifact_digest.to_owned(),
        engine: plugin.engine.clone(),
    }
}
