//! One call: a fresh store, run to its end or its limit.

use super::engine::Sandbox;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::state::{Denied, State};
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::task::JoinError;
use tokio::time::Instant;
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

/// What a call is about: what its result depends on beside component and input.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The challenge's settings, JSON.
    pub settings: Arc<str>,
    /// What everything random is made from.
    pub seed: u64,
    /// The logical time, in seconds since the Unix epoch.
    pub now: f64,
}

/// What a challenge may reach. Nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The directory that the guest sees as `/data`.
    pub data: Option<PathBuf>,
    /// The SQLite file behind the import `database`.
    pub database: Option<PathBuf>,
    /// Size that the database may have, in pages of 4 KiB.
    pub database_pages: u32,
    /// Time that one SQL statement may take.
    pub statement: Duration,
}

/// What a call took.
#[derive(Debug, Clone, Default)]
pub struct CallReport {
    /// Fuel used. The same on every machine.
    pub fuel: u64,
    /// Wall-clock time, waiting for a place not included.
    pub elapsed: Duration,
    /// Bytes of linear memory at the end, which is the peak.
    pub memory_bytes: usize,
    /// Calls to the host.
    pub host_calls: u64,
    /// What the guest wrote to stdout and stderr, up to its limit.
    pub log: String,
}

/// What came of a call, and what it took.
#[derive(Debug, Clone)]
pub struct Called<T> {
    /// The result, checked.
    pub result: Result<T, PluginError>,
    /// What it took.
    pub report: CallReport,
}

impl<T> Called<T> {
    /// The outcome of the call.
    pub fn outcome(&self) -> Outcome {
        self.result
            .as_ref()
            .map_or_else(|e| e.outcome, |_| Outcome::Ok)
    }

    pub(super) fn and_then<U>(self, f: impl FnOnce(T) -> Result<U, PluginError>) -> Called<U> {
        Called {
            result: self.result.and_then(f),
            report: self.report,
        }
    }
}

/// Raised in a guest whose time is over.
#[derive(Debug, thiserror::Error)]
#[error("the time of the call is over")]
pub(super) struct DeadlinePassed;

/// Runs `call` until it is done or `deadline` is over. A timer alone is not
/// enough: a busy runtime looks at its timers only once in many polls. So each
/// time that a guest gives way is a look at the clock.
async fn until<T>(deadline: Instant, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut timer = pin!(tokio::time::sleep_until(deadline));
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if Instant::now() >= deadline => Poll::Ready(None),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}

impl Sandbox {
    /// Runs `call` in a store made from `state`, within `limits`. Returns the
    /// state as well, which is gone if the host failed before the call.
    pub(super) async fn run<T>(
        &self,
        mut state: State,
        limits: &Limits,
        call: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> (Called<T>, State) {
        let start = Instant::now();
        let deadline = start + limits.wall();
        state.deadline = state.deadline.min(deadline);
        let deadline = state.deadline;
        let mut store = Store::new(&self.0.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.call_hook(|mut context, hook| context.data_mut().count_host_call(hook));
        store.set_hostcall_fuel(limits.output_bytes);
        // Each tick of the engine, the guest gives way to others.
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().forget_host_call();
            Ok(UpdateDeadline::Yield(1))
        });
        store.set_epoch_deadline(1);
        let returned = match store.set_fuel(limits.fuel) {
            Ok(()) => until(deadline, call(&mut store)).await,
            Err(error) => Some(Err(error)),
        };
        let result = match returned {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(classify(&error, store.data())),
            None => Err(PluginError::new(
                Outcome::Timeout,
                format!("still running after {:?}", start.elapsed()),
            )),
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let state = store.into_data();
        let report = CallReport {
            fuel,
            elapsed: start.elapsed(),
            memory_bytes: state.limiter.memory_used(),
            host_calls: state.host_calls(),
            log: state.log.text(),
        };
        (Called { result, report }, state)
    }
}

/// Tells what ended a call.
fn classify(error: &wasmtime::Error, state: &State) -> PluginError {
    let outcome = if error.is::<Denied>() || error.is::<ResourceTableError>() {
        Outcome::Denied
    } else if error.is::<DeadlinePassed>() {
        Outcome::Timeout
    } else if error.is::<JoinError>() {
        Outcome::HostError
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        match trap {
            Trap::OutOfFuel => Outcome::OutOfFuel,
            Trap::StackOverflow => Outcome::StackOverflow,
            _ => Outcome::Trap,
        }
    } else if error.is::<I32Exit>() {
        Outcome::Trap
    } else if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        Outcome::Unavailable
    } else {
        // What is left is a value that cannot be lifted: too much data, bad
        // UTF-8, a pointer out of bounds.
        Outcome::InvalidOutput
    };
    if let (Outcome::Trap | Outcome::InvalidOutput, Some(refused)) =
        (outcome, state.limiter.refused())
    {
        // Most guests trap when they are refused, and do not say why; and so
        // fails what wants too much from the start.
        return PluginError::new(
            Outcome::OutOfMemory,
            format!("asked for more {refused} than it may have"),
        );
    }
    let frames = error
        .downcast_ref::<wasmtime::WasmBacktrace>()
        .map(|trace| {
            trace
                .frames()
                .iter()
                .filter_map(|frame| frame.func_name())
                .map(str::to_owned)
                .take(16)
                .collect()
        })
        .unwrap_or_default();
    let mut message = error.root_cause().to_string();
    if let (Outcome::Trap, Some(said)) = (outcome, last_line(&state.log.text())) {
        message.push_str(": ");
        message.push_str(&said);
    }
    PluginError {
        frames,
        ..PluginError::new(outcome, message)
    }
}

/// What a guest wrote last: for a panic, where and why.
fn last_line(log: &str) -> Option<String> {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("note: "))
        .collect();
    let from = lines
        .iter()
        .rposition(|line| line.contains("panicked at"))
        .unwrap_or_else(|| lines.len().saturating_sub(1));
    let tail: Vec<&str> = lines.into_iter().skip(from).take(2).collect();
    (!tail.is_empty()).then(|| tail.join(" "))
}
