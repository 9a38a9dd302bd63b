//! Connections that wait for a request, and how long one may be held for its answer.

use axum::body::{Body, Bytes, HttpBody};
use futures_util::task::AtomicWaker;
use http_body::{Frame, SizeHint};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// The connections of a listener that wait for a request, in the order in which they
/// began to. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: AtomicU64,
    /// Since when each of them waits, by their numbers.
    waiting: Mutex<BTreeMap<u64, (Instant, Arc<State>)>>,
}

/// Time between two that are ended, at least: the place of one is soon free.
const PAUSE: Duration = Duration::from_millis(10);

/// What is said of one connection. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Seat(Arc<Occupied>);

/// Of one connection, which leaves the queue with it.
#[derive(Debug)]
struct Occupied {
    waiting: Waiting,
    /// Its number in the queue while it waits.
    number: Mutex<Option<u64>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    ended: AtomicBool,
    waker: AtomicWaker,
    /// Which hold it is, and until when.
    held: Mutex<Option<(u64, Instant)>>,
}

impl Waiting {
    /// Ends the connection that has waited longest, if that is as long as `grace`.
    /// Returns after what time to look again.
    pub(super) fn end_oldest(&self, grace: Duration) -> Duration {
        let mut waiting = self.lock();
        let Some(oldest) = waiting.first_entry() else {
            return grace;
        };
        let age = oldest.get().0.elapsed();
        if age < grace {
            return (grace - age).max(PAUSE);
        }
        let (_, state) = oldest.remove();
        state.ended.store(true, Ordering::Release);
        state.waker.wake();
        PAUSE
    }

    fn number(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, (Instant, Arc<State>)>> {
        let waiting = &self.0.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Of a connection that waits for its first request.
    pub(super) fn new(waiting: &Waiting) -> Self {
        let seat = Seat(Arc::new(Occupied {
            waiting: waiting.clone(),
            number: Mutex::default(),
            state: Arc::default(),
        }));
        seat.0.wait();
        seat
    }

    /// There is a request: the connection does not wait until what is returned is
    /// dropped.
    pub(super) fn busy(&self) -> Busy {
        self.0.leave();
        Busy(self.clone())
    }

    /// Keeps the connection open for some time though nothing is written, or until what
    /// is returned is dropped.
    pub(super) fn hold(&self, time: Duration) -> Hold {
        let number = self.0.waiting.number();
        *self.0.held() = Some((number, Instant::now() + time));
        Hold {
            seat: self.clone(),
            number,
        }
    }

    /// Until when the connection is held.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.0.held().map(|(_, until)| until)
    }

    /// Whether the connection is to end. Else the task is woken when it is.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> bool {
        self.0.state.waker.register(cx.waker());
        self.0.state.ended.load(Ordering::Acquire)
    }
}

impl Occupied {
    fn wait(&self) {
        let number = self.waiting.number();
        *self.number() = Some(number);
        let since = (Instant::now(), Arc::clone(&self.state));
        self.waiting.lock().insert(number, since);
    }

    fn leave(&self) {
        if let Some(number) = self.number().take() {
            self.waiting.lock().remove(&number);
        }
    }

    fn number(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<(u64, Instant)>> {
        let held = &self.state.held;
        held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A connection on which a request is answered.
#[derive(Debug)]
pub(super) struct Busy(Seat);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.wait();
    }
}

/// A connection that is held.
#[derive(Debug)]
pub(super) struct Hold {
    seat: Seat,
    number: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.seat.0.held();
        // Another may have taken its place.
        if held.is_some_and(|(number, _)| number == self.number) {
            *held = None;
        }
    }
}

/// A body with something that is dropped with it.
#[derive(Debug)]
pub(super) struct Until<G> {
    body: Body,
    _guard: G,
}

impl<G: Send + Unpin + 'static> Until<G> {
    pub(super) fn sent(body: Body, guard: G) -> Body {
        Body::new(Until {
            body,
            _guard: guard,
        })
    }
}

impl<G: Unpin> HttpBody for Until<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn is_ended(seat: &Seat) -> bool {
        seat.poll_ended(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_one_that_waits_longest_ends_first() {
        let waiting = Waiting::default();
        let seats: Vec<Seat> = (0..3).map(|_| Seat::new(&waiting)).collect();
        let busy = seats[0].busy();
        waiting.end_oldest(Duration::ZERO);
        assert_eq!([0, 1, 2].map(|i| is_ended(&seats[i])), [false, true, false]);
        drop(busy);
        waiting.end_oldest(Duration::ZERO);
        assert_eq!([0, 2].map(|i| is_ended(&seats[i])), [false, true]);
        waiting.end_oldest(Duration::ZERO);
        assert!(is_ended(&seats[0]));
        waiting.end_oldest(Duration::ZERO);
    }

    #[test]
    fn nobody_is_ended_who_has_just_come() {
        let waiting = Waiting::default();
        let grace = Duration::from_secs(1_000);
        assert_eq!(waiting.end_oldest(grace), grace);
        let seat = Seat::new(&waiting);
        assert!(waiting.end_oldest(grace) > grace / 2);
        assert!(!is_ended(&seat));
    }

    #[test]
    fn nothing_is_kept_of_a_connection_that_is_gone() {
        let waiting = Waiting::default();
        let (waits, busy) = (Seat::new(&waiting), Seat::new(&waiting));
        let request = busy.busy();
        drop((waits, busy));
        drop(request);
        assert!(waiting.lock().is_empty());
    }

    #[test]
    fn a_hold_ends_with_its_own_drop_only() {
        let seat = Seat::new(&Waiting::default());
        let first = seat.hold(Duration::from_secs(1));
        let second = seat.hold(Duration::from_secs(2));
        let until = seat.held_until();
        drop(first);
        assert_eq!(seat.held_until(), until);
        drop(second);
        assert_eq!(seat.held_until(), None);
    }
}
