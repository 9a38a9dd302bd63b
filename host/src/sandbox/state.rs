//! What a store holds for the length of one call.

use super::bindings::types;
use super::call::CallContext;
use super::clock::{LogicalMonotonicClock, LogicalWallClock, MonotonicClock};
use super::database::DatabaseGrant;
use super::limits::{Limiter, Limits};
use super::log::GuestLog;
use super::outcome::PluginError;
use super::runner::Runner;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::CallHook;
use wasmtime_wasi::{FsPerms, ResourceTable, WasiCtx, WasiCtxView, WasiView};

/// A refusal of the host, raised as a trap.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Denied(pub(super) String);

pub(super) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    clock: LogicalMonotonicClock,
    pub(super) limiter: Limiter,
    pub(super) context: CallContext,
    pub(super) deadline: Instant,
    pub(super) log: GuestLog,
    pub(super) runner: Option<Runner>,
    pub(super) database: Option<DatabaseGrant>,
    host_calls: u64,
    host_calls_limit: u64,
}

/// Handles that a guest may hold at a time: open files, streams, timers. Each
/// open file is a file descriptor of the host, which has about a thousand.
const HANDLES: usize = 128;

impl State {
    pub(super) fn new(
        context: CallContext,
        limits: &Limits,
        deadline: Instant,
        data: Option<&Path>,
    ) -> Result<Self, PluginError> {
        let log = GuestLog::new(limits.log_bytes);
        let random = || ChaCha20Rng::seed_from_u64(context.seed);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(log.clone())
            .stderr(log.clone())
            .secure_random(random())
            .insecure_random(random())
            .insecure_random_seed(context.seed.into())
            .max_random_size(1 << 20)
            .wall_clock(LogicalWallClock(
                Duration::try_from_secs_f64(context.now).unwrap_or_default(),
            ))
            .allow_tcp(false)
            .allow_udp(false);
        if let Some(data) = data {
            wasi.preopened_dir(data, "/data", FsPerms::ReadWrite)
                .map_err(|e| {
                    PluginError::new(
                        super::Outcome::Unavailable,
                        format!("cannot open {}: {e}", data.display()),
                    )
                })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Ok(State {
            wasi: wasi.build(),
            table,
            clock: LogicalMonotonicClock::default(),
            limiter: Limiter::new(limits),
            context,
            deadline,
            log,
            runner: None,
            database: None,
            host_calls: 0,
            host_calls_limit: limits.host_calls,
        })
    }

    /// The clock of the call.
    pub(super) fn monotonic_clock(&mut self) -> MonotonicClock<'_> {
        MonotonicClock {
            clock: &self.clock,
            table: &mut self.table,
        }
    }

    /// Calls to the host so far.
    pub(super) fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Time that the call has left.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Counts a call to the host, and ends the guest if it was one too many. That
    /// is found on the way back, when [`forget_host_call`](Self::forget_host_call)
    /// has had its say.
    pub(super) fn count_host_call(&mut self, hook: CallHook) -> wasmtime::Result<()> {
        match hook {
            CallHook::CallingHost => self.host_calls += 1,
            CallHook::ReturningFromHost if self.host_calls > self.host_calls_limit => {
                let limit = self.host_calls_limit;
                return Err(Denied(format!("more than {limit} host calls")).into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a call back that wasmtime made, not the guest: how often time passes
    /// differs from run to run.
    pub(super) fn forget_host_call(&mut self) {
        self.host_calls = self.host_calls.saturating_sub(1);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl types::Host for State {}
