//! One call: a fresh store, run to its end or its limit.

use super::engine::Sandbox;
use super::limits::Limits;
use super::outcome::{Outcome, PluginError};
use super::state::{Denied, State};
use super::watch::Watch;
use std::fmt::{self, Write};
use std::sync::Arc;
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

/// What a call took.
#[derive(Debug, Clone, Default)]
pub struct CallReport {
    /// Fuel used. The same on every machine; 0 of a stack that overflowed, where that
    /// depends on the host's own frames.
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

    /// A call that did not come to run.
    pub(super) fn failed(error: PluginError) -> Self {
        Called {
            result: Err(error),
            report: CallReport::default(),
        }
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
        state.deadline.bound(start + limits.wall());
        let turns = state
            .route
            .as_ref()
            .map(|_| Arc::clone(&self.0.route_turns));
        let mut watch = Watch::new(state.deadline.clone())
            .volume(state.volume.take())
            .client(state.client.take())
            .turns(turns);
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
            Ok(()) => watch.over(call(&mut store)).await,
            Err(error) => Ok(Err(error)),
        };
        let mut result = match returned {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(classify(&error, store.data())),
            Err(stopped) => Err(stopped),
        };
        let fuel = match &result {
            // The host's own frames below the guest's count: how deep the guest gets
            // depends on how the host was compiled.
            Err(error) if error.outcome == Outcome::StackOverflow => 0,
            _ => limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0)),
        };
        let state = store.into_data();
        let report = CallReport {
            fuel,
            elapsed: start.elapsed(),
            memory_bytes: state.limiter.memory_used(),
            host_calls: state.host_calls(),
            log: state.log.finish(),
        };
        if result.is_ok()
            && let Err(full) = watch.finish().await
        {
            result = Err(full);
        }
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
    } else if is_of_the_machine(error) {
        Outcome::HostError
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
        .map(|trace| frames(trace.frames().iter().filter_map(|frame| frame.func_name())))
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

/// Functions of a trace as their author wrote them, innermost first, at most 16. What
/// comes of a panic of Rust itself is left out: it is the same in each.
fn frames<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut frames: Vec<String> = names.take(64).map(demangled).collect();
    let is_of_panics = |name: &String| {
        let starts = ["core::", "std::", "rust_", "__rust"];
        name == "abort" || starts.iter().any(|start| name.starts_with(start))
    };
    let own = frames.iter().position(|name| !is_of_panics(name));
    frames.drain(..own.unwrap_or_default());
    frames.truncate(16);
    frames
}

/// The name of a function, cut: a guest chose it, and a mangled one can be short and
/// stand for a megabyte.
fn demangled(name: &str) -> String {
    const MAX_NAME: usize = 256;
    struct Cut(String);
    impl Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let left = MAX_NAME - self.0.len();
            self.0.push_str(
                text.get(..text.floor_char_boundary(left))
                    .unwrap_or_default(),
            );
            if text.len() > left {
                Err(fmt::Error)
            } else {
                Ok(())
            }
        }
    }
    let mut cut = Cut(String::new());
    let name = name
        .get(..name.floor_char_boundary(4 * MAX_NAME))
        .unwrap_or_default();
    // What does not fit is left out.
    let _ = write!(cut, "{:#}", rustc_demangle::demangle(name));
    cut.0
}

/// Whether the machine refused something, such as memory: that says nothing of the guest.
/// wasmtime gives on what the system told, as a type that it does not tell; the text is
/// that of `std::io::Error`.
pub(super) fn is_of_the_machine(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::error::OutOfMemory>()
        || error
            .chain()
            .any(|cause| cause.to_string().contains("(os error "))
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

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn a_trace_has_the_names_that_authors_wrote() {
        let of = |names: &[&str]| frames(names.iter().copied());
        let score = "_ZN8my_crate5score17h05af221e174051e9E";
        let panic = [
            "abort",
            "rust_panic",
            "_ZN3std9panicking3try17h05af221e174051e9E",
            "_ZN4core9panicking9panic_fmt17h05af221e174051e9E",
        ];
        let names = [&panic[..], &[score, "_RNvC8my_crate4main", "solve"]].concat();
        let expected = ["my_crate::score", "my_crate::main", "solve"];
        assert_eq!(of(&names), expected);
        assert_eq!(
            of(&panic[..2]),
            ["abort", "rust_panic"],
            "rather than nothing"
        );
        assert_eq!(of(&[score; 20]).len(), 16);
        let long = "é".repeat(5_000);
        assert_eq!(of(&[&long]), ["é".repeat(128)]);
    }
}
