//! What challenges have to do with GPU servers: their runners are on them.

use super::{Capacity, GpuProblem, GpuServer, GpuServerError, GpuServers, capability};
use crate::config::Runner;
use crate::registry::{FieldProblem, Record};
use reqwest::Url;
use std::collections::BTreeMap;

impl GpuServers {
    /// Why a challenge's runner cannot be used now, if that is so: its server is not
    /// known, disabled, or too small.
    ///
    /// # Errors
    ///
    /// [`GpuServerError::Store`].
    pub async fn capability(&self, runner: &Runner) -> Result<Option<GpuProblem>, GpuServerError> {
        let Runner::Http {
            gpu_server,
            gpu_count,
            ..
        } = runner
        else {
            return Ok(None);
        };
        let servers = self.list().await?.into_iter();
        let servers: BTreeMap<String, Capacity> = servers
            .map(|server| (server.id.clone(), server.spec.capacity()))
            .collect();
        // None needed is none said: a server is asked for one at least.
        let count = (*gpu_count > 0).then_some(i64::from(*gpu_count));
        let found = |id: &str| servers.get(id).copied();
        Ok(capability(count, gpu_server.as_deref(), found))
    }

    /// What is wrong with a challenge's runner, by field: its address, and its server.
    ///
    /// # Errors
    ///
    /// [`GpuServerError::Store`].
    pub async fn runner_problems(
        &self,
        runner: &Runner,
    ) -> Result<Vec<FieldProblem>, GpuServerError> {
        let Runner::Http {
            url, gpu_server, ..
        } = runner
        else {
            return Ok(Vec::new());
        };
        let mut problems = Vec::new();
        if let Some(problem) = self.capability(runner).await? {
            problems.push(FieldProblem::new(problem.field(), problem.to_string()));
        }
        let server = match gpu_server {
            Some(id) => self.store.gpu_server(id.clone()).await?,
            None => None,
        };
        let server = server.map(GpuServer::from_row).transpose()?;
        match self.address(url) {
            Err(message) => problems.push(FieldProblem::new("runner.url", message)),
            Ok(url) => {
                let base = server.and_then(|server| server.spec.base_url.parse::<Url>().ok());
                if base.is_some_and(|base| !is_on(&url, &base)) {
                    let message = "must have the scheme and the host of the GPU server's base_url, \
                                   whose token it is sent";
                    problems.push(FieldProblem::new("runner.url", message));
                }
            }
        }
        Ok(problems)
    }
}

/// The challenges whose runner is on a GPU server, whatever their status.
pub fn used_by(id: &str, records: &[Record]) -> Vec<String> {
    let on_it = |record: &&Record| {
        let runner = &record.spec.given.runner;
        matches!(runner, Runner::Http { gpu_server: Some(server), .. } if server == id)
    };
    let records = records.iter().filter(on_it);
    records.map(|record| record.slug.clone()).collect()
}

/// Whether a runner's address is on a server: a token is sent to no other host.
pub(crate) fn is_on(url: &Url, base: &Url) -> bool {
    url.scheme() == base.scheme() && url.host_str() == base.host_str()
}
