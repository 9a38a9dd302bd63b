//! What the host answered in one call, where that is not a function of the call:
//! recorded, so that the call can be done again anywhere.

use super::runner::SolveRecord;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// An answer of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCall {
    /// What was called, such as `database.query`.
    pub name: String,
    /// What the guest passed, in a form that depends on nothing else.
    pub request: Vec<u8>,
    /// What it got, likewise.
    pub response: Vec<u8>,
    /// Of `runner.solve`: what the submission's own run came to; none if it did not run
    /// in the sandbox.
    pub solve: Option<SolveRecord>,
}

/// Where a call that is done again does not do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Which host call, from 0 on.
    pub index: usize,
    /// What was recorded there; none if that was the end.
    pub recorded: Option<HostCall>,
    /// What the guest calls instead, and with what; none if it ends.
    pub found: Option<(String, Vec<u8>)>,
}

impl Divergence {
    /// The first byte of the request that differs; none if something else does.
    #[must_use]
    pub fn byte(&self) -> Option<usize> {
        let (recorded, (name, request)) = (self.recorded.as_ref()?, self.found.as_ref()?);
        (recorded.name == *name).then(|| first_difference(&recorded.request, request))?
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { index, .. } = self;
        match (&self.recorded, &self.found) {
            (Some(recorded), Some((name, _))) if recorded.name == *name => {
                let byte = self.byte().unwrap_or_default();
                write!(
                    f,
                    "host call {index}, {name}: byte {byte} of what is passed"
                )
            }
            (Some(recorded), Some((name, _))) => {
                let Self { index, .. } = self;
                write!(f, "host call {index}: {name} instead of {}", recorded.name)
            }
            (Some(recorded), None) => {
                write!(f, "host call {index}: none instead of {}", recorded.name)
            }
            (None, Some((name, _))) => write!(f, "host call {index}: {name} after the last one"),
            (None, None) => write!(f, "host call {index}"),
        }
    }
}

/// The first byte in which two differ: the length of the shorter one if it begins the
/// other; none if they are the same.
#[must_use]
pub fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let differs = a.iter().zip(b).position(|(a, b)| a != b);
    differs.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len())))
}

/// Raised in a guest that does not do what was recorded.
#[derive(Debug, thiserror::Error)]
#[error("the call does not do what was recorded of it")]
pub(super) struct Diverged;

/// Raised in a guest whose call has no answer on the tape that could be given.
#[derive(Debug, thiserror::Error)]
#[error("what is recorded of {0} is no answer of it")]
pub(super) struct Unreadable(pub(super) &'static str);

/// The answers of the host in one call. Clones share everything.
#[derive(Clone)]
pub struct Tape(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Recording {
        calls: Vec<HostCall>,
        room: usize,
        is_cut: bool,
    },
    /// Every call must be the next one.
    Replaying {
        calls: VecDeque<HostCall>,
        index: usize,
        diverged: Option<Divergence>,
    },
    /// A call that was recorded is answered from the tape, another one is made.
    Lenient {
        calls: Vec<HostCall>,
        made: Vec<String>,
    },
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape")
    }
}

impl Tape {
    /// Records up to `max_bytes` of requests and answers; of a call with more, nothing
    /// is kept.
    #[must_use]
    pub fn record(max_bytes: usize) -> Self {
        Tape::new(State::Recording {
            calls: Vec::new(),
            room: max_bytes,
            is_cut: false,
        })
    }

    /// Answers what was recorded, in order. A guest that calls anything else is stopped.
    #[must_use]
    pub fn replay(calls: Vec<HostCall>) -> Self {
        Tape::new(State::Replaying {
            calls: calls.into(),
            index: 0,
            diverged: None,
        })
    }

    /// Answers what was recorded, in any order and each once; what was not is done.
    #[must_use]
    pub fn lenient(calls: Vec<HostCall>) -> Self {
        Tape::new(State::Lenient {
            calls,
            made: Vec::new(),
        })
    }

    fn new(state: State) -> Self {
        Tape(Arc::new(Mutex::new(state)))
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what was recorded, in order; none if it was too much, or if nothing is
    /// recorded here.
    #[must_use]
    pub fn take_recorded(&self) -> Option<Vec<HostCall>> {
        self.with(|state| match state {
            State::Recording {
                calls,
                is_cut: false,
                ..
            } => Some(std::mem::take(calls)),
            _ => None,
        })
    }

    /// The names of the calls that a lenient tape had no answer to, in order: those are
    /// made, or refused. None of another tape.
    #[must_use]
    pub fn unrecorded(&self) -> Vec<String> {
        self.with(|state| match state {
            State::Lenient { made, .. } => made.clone(),
            State::Recording { .. } | State::Replaying { .. } => Vec::new(),
        })
    }

    /// Where the call did not do the same, once it has ended.
    #[must_use]
    pub fn divergence(&self) -> Option<Divergence> {
        self.with(|state| match state {
            State::Replaying {
                calls,
                index,
                diverged,
            } => diverged.clone().or_else(|| {
                let recorded = calls.front()?.clone();
                Some(Divergence {
                    index: *index,
                    recorded: Some(recorded),
                    found: None,
                })
            }),
            State::Recording { .. } | State::Lenient { .. } => None,
        })
    }

    /// The answer to a call; none if it is to be made, and then [`push`](Self::push)ed.
    ///
    /// # Errors
    ///
    /// [`Diverged`]: it is not the one that was recorded.
    pub(super) fn replayed(&self, name: &str, request: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
        self.with(|state| match state {
            State::Recording { .. } => Ok(None),
            State::Replaying {
                calls,
                index,
                diverged,
            } => {
                let next = calls.pop_front();
                match next {
                    Some(call) if call.name == name && call.request == request => {
                        *index += 1;
                        Ok(Some(call.response))
                    }
                    recorded => {
                        diverged.get_or_insert(Divergence {
                            index: *index,
                            recorded,
                            found: Some((name.to_owned(), request.to_vec())),
                        });
                        Err(Diverged.into())
                    }
                }
            }
            State::Lenient { calls, made } => {
                let same = |call: &HostCall| call.name == name && call.request == request;
                let found = calls.iter().position(same);
                // What is refused for want of a file is never pushed.
                if found.is_none() {
                    made.push(name.to_owned());
                }
                Ok(found.map(|index| calls.remove(index).response))
            }
        })
    }

    /// Adds a call that was made.
    pub(super) fn push(&self, call: HostCall) {
        self.with(|state| {
            if let State::Recording {
                calls,
                room,
                is_cut,
            } = state
            {
                let size = call.request.len() + call.response.len() + size_of::<HostCall>();
                match room.checked_sub(size) {
                    Some(left) if !*is_cut => {
                        *room = left;
                        calls.push(call);
                    }
                    _ => {
                        *is_cut = true;
                        calls.clear();
                    }
                }
            }
        });
    }

    /// Whether a call of that name is still to be answered from the tape.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_named = |call: &HostCall| call.name == name;
        self.with(|state| match state {
            State::Recording { .. } => false,
            State::Replaying { calls, .. } => calls.iter().any(is_named),
            State::Lenient { calls, .. } => calls.iter().any(is_named),
        })
    }

    /// Whether everything is answered from the tape.
    pub(super) fn is_replay(&self) -> bool {
        self.with(|state| matches!(state, State::Replaying { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, request: &str, response: &str) -> HostCall {
        HostCall {
            name: name.into(),
            request: request.into(),
            response: response.into(),
            solve: None,
        }
    }

    #[test]
    fn what_was_recorded_is_answered_in_order() {
        let tape = Tape::record(10_000);
        assert_eq!(tape.replayed("a", b"1").unwrap(), None);
        tape.push(call("a", "1", "x"));
        tape.push(call("b", "", "y"));
        let calls = tape.take_recorded().unwrap();
        let tape = Tape::replay(calls);
        assert_eq!(
            tape.replayed("a", b"1").unwrap().as_deref(),
            Some(&b"x"[..])
        );
        let left = tape.divergence().unwrap();
        assert_eq!((left.index, left.found.is_none()), (1, true));
        assert_eq!(tape.replayed("b", b"").unwrap().as_deref(), Some(&b"y"[..]));
        assert_eq!(tape.divergence(), None);
        assert!(tape.replayed("c", b"").is_err());
        assert_eq!(
            tape.divergence().unwrap().to_string(),
            "host call 2: c after the last one"
        );
    }

    #[test]
    fn the_first_byte_that_differs_is_named() {
        let tape = Tape::replay(vec![call("a", "same-1", "x")]);
        assert!(tape.replayed("a", b"same-2").is_err());
        let diverged = tape.divergence().unwrap();
        assert_eq!(diverged.byte(), Some(5));
        assert_eq!(
            diverged.to_string(),
            "host call 0, a: byte 5 of what is passed"
        );
        assert_eq!(first_difference(b"ab", b"abc"), Some(2));
        assert_eq!(first_difference(b"ab", b"ab"), None);
    }

    #[test]
    fn of_too_much_nothing_is_kept() {
        let tape = Tape::record(2 * size_of::<HostCall>() + 8);
        tape.push(call("a", "12", "34"));
        assert_eq!(tape.clone().take_recorded().unwrap().len(), 1);
        tape.push(call("a", "12", "3456789"));
        tape.push(call("a", "", ""));
        assert_eq!(tape.take_recorded(), None);
    }

    #[test]
    fn a_lenient_tape_answers_each_call_once_and_lets_others_be_made() {
        let tape = Tape::lenient(vec![call("a", "1", "x"), call("a", "1", "y")]);
        let answer = || tape.replayed("a", b"1").unwrap();
        assert_eq!(answer().as_deref(), Some(&b"x"[..]));
        assert_eq!(answer().as_deref(), Some(&b"y"[..]));
        assert_eq!(tape.unrecorded(), [""; 0]);
        assert_eq!(answer(), None);
        assert_eq!(tape.replayed("b", b"").unwrap(), None);
        tape.push(call("b", "", "z"));
        assert_eq!(tape.unrecorded(), ["a", "b"]);
        assert_eq!(tape.divergence(), None);
    }
}
