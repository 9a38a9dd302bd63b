//! What a store holds for the length of one call.

use super::bindings::types;
use super::call::CallContext;
use super::clock::{LogicalMonotonicClock, LogicalWallClock, MonotonicClock};
use super::database::DatabaseGrant;
use super::files::{Files, Opened};
use super::journal::CallJournal;
use super::limits::{Limiter, Limits};
use super::log::GuestLog;
use super::outbound::Requests;
use super::outcome::PluginError;
use super::routes::{Client, RouteGrants};
use super::runner::Runner;
use super::tape::Tape;
use super::volume::VolumeWatch;
use super::watch::Deadline;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::CallHook;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::{FsPerms, ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// A refusal of the host, raised as a trap.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Denied(pub(super) String);

pub(super) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    clock: LogicalMonotonicClock,
    opened: Opened,
    pub(super) limiter: Limiter,
    pub(super) context: CallContext,
    pub(super) deadline: Deadline,
    pub(super) log: GuestLog,
    pub(super) runner: Option<Runner>,
    pub(super) database: Option<DatabaseGrant>,
    pub(super) requests: Requests,
    /// Of a call that is scored.
    pub(super) tape: Option<Tape>,
    /// Of a call of a route.
    pub(super) route: Option<RouteGrants>,
    /// What is watched beside the deadline, until the call begins.
    pub(super) volume: Option<VolumeWatch>,
    pub(super) client: Option<Client>,
    host_calls: u64,
    host_calls_limit: u64,
}

/// What a guest finds around it.
#[derive(Default)]
pub(super) struct Surroundings<'a> {
    /// What it sees as `/data`.
    pub(super) data: Option<(&'a Path, FsPerms)>,
    pub(super) environment: &'a [(String, String)],
    /// Seen beside the environment.
    pub(super) secrets: &'a [(String, String)],
    pub(super) journal: Option<&'a CallJournal>,
    /// Whether time passes and chance is chance. If not, both are those of the
    /// [`CallContext`].
    pub(super) is_real: bool,
}

/// Handles that a guest may hold at a time: open files, streams, timers. Each
/// open file is a file descriptor of the host, which has about a thousand.
const HANDLES: usize = 128;

impl State {
    pub(super) fn new(
        context: CallContext,
        limits: &Limits,
        deadline: Deadline,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, PluginError> {
        let log = GuestLog::new(limits.log_bytes, surroundings.journal);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(log.stdout())
            .stderr(log.stderr())
            .envs(surroundings.environment)
            .envs(surroundings.secrets)
            .max_random_size(1 << 20)
            .allow_tcp(false)
            .allow_udp(false);
        if !surroundings.is_real {
            let random = || ChaCha20Rng::seed_from_u64(context.seed);
            wasi.secure_random(random())
                .insecure_random(random())
                .insecure_random_seed(context.seed.into())
                .wall_clock(LogicalWallClock(
                    Duration::try_from_secs_f64(context.now).unwrap_or_default(),
                ));
        }
        if let Some((data, perms)) = surroundings.data {
            wasi.preopened_dir(data, "/data", perms).map_err(|e| {
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
            http: WasiHttpCtx::new(),
            table,
            clock: LogicalMonotonicClock::default(),
            opened: Opened::default(),
            limiter: Limiter::new(limits),
            context,
            deadline,
            log,
            runner: None,
            database: None,
            requests: Requests::default(),
            tape: None,
            route: None,
            volume: None,
            client: None,
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

    /// The files of a call that is scored.
    pub(super) fn files(&mut self) -> Files<'_> {
        Files {
            wasi: WasiFilesystemCtxView {
                ctx: self.wasi.filesystem(),
                table: &mut self.table,
            },
            opened: &mut self.opened,
            tape: self.tape.as_ref(),
        }
    }

    /// Calls to the host so far.
    pub(super) fn host_calls(&self) -> u64 {
        self.host_calls
    }

    /// Time that the call has left.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.at().saturating_duration_since(Instant::now())
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

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.requests,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

impl types::Host for State {}
