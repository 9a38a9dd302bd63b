//! From revealed commits to verdicts and standings.
//!
//! A commit is opened when its time has come, its artifact evaluated once per
//! version of the plugin, compared with earlier commits, and judged. Judging goes
//! by time of commit: a commit waits for those before it, so that what it is
//! compared with does not depend on what was evaluated first, or on when the host
//! was killed. Each step is a row whose state moves forward only.

mod evaluate;
mod finalize;
mod frontier;
mod judge;
mod pipeline;
mod references;
mod results;
mod reveal;

pub use evaluate::seed;
pub use finalize::{Finalized, PATIENCE, Paid};
pub use judge::StoredComparison;
pub use pipeline::{Pipeline, PipelineError, Resources};
pub use results::{PublicCommit, Results};

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
