//! How many requests are under way, of all miners and of each.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Miners that are remembered for having hung, and are not asked any more.
const REMEMBERED: usize = 4_096;

/// See the module. A miner that let its last request time out has one place until it
/// answers in time again: otherwise some that hang hold all places of the host.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    per_miner: usize,
    /// By hotkey; who has nothing under way and did not hang is not in it.
    miners: Mutex<HashMap<String, Miner>>,
}

#[derive(Debug, Default)]
struct Miner {
    /// The slots of what is under way.
    under_way: BTreeSet<u32>,
    hung: bool,
}

/// The place of one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    hotkey: String,
    /// The least number that no other request to the miner has now.
    slot: u32,
    /// Whether the request timed out; none if it was dropped.
    hung: Option<bool>,
    _all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(all: usize, per_miner: usize) -> Self {
        Places {
            all: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            per_miner,
            miners: Mutex::default(),
        }
    }

    /// Waits for a place among all; none if the miner has as many as it may.
    pub(super) async fn take(self: &Arc<Self>, hotkey: &str) -> Option<Place> {
        // Those of a busy miner do not wait in line before those of the others.
        let busy = |miner: &Miner| self.free_slot(miner).is_none();
        if self.lock().get(hotkey).is_some_and(busy) {
            return None;
        }
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        // Who waits has nothing under way yet, so there may be too many of them now.
        let mut miners = self.lock();
        let miner = miners.entry(hotkey.to_owned()).or_default();
        let slot = self.free_slot(miner)?;
        miner.under_way.insert(slot);
        Some(Place {
            places: Arc::clone(self),
            hotkey: hotkey.to_owned(),
            slot,
            hung: None,
            _all: all,
        })
    }

    /// None if the miner has as many requests under way as it may.
    fn free_slot(&self, miner: &Miner) -> Option<u32> {
        let most = if miner.hung { 1 } else { self.per_miner };
        if miner.under_way.len() >= most {
            return None;
        }
        (0..).find(|slot| !miner.under_way.contains(slot))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Miner>> {
        self.miners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Tells the requests to one miner apart that are under way at one time.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    /// Gives it back when the request has ended, in time or not.
    pub(super) fn free(mut self, hung: bool) {
        self.hung = Some(hung);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut miners = self.places.lock();
        let Some(miner) = miners.get_mut(&self.hotkey) else {
            return;
        };
        miner.under_way.remove(&self.slot);
        miner.hung = self.hung.unwrap_or(miner.hung);
        if miner.under_way.is_empty() && !miner.hung {
            miners.remove(&self.hotkey);
        }
        if miners.len() > REMEMBERED {
            miners.retain(|_, miner| !miner.under_way.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    /// What a future has come to without waiting.
    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn take(places: &Arc<Places>, hotkey: &str) -> Poll<Option<Place>> {
        poll(std::pin::pin!(places.take(hotkey)))
    }

    fn taken(places: &Arc<Places>, hotkey: &str) -> Place {
        match take(places, hotkey) {
            Poll::Ready(Some(place)) => place,
            other => panic!("no place: {other:?}"),
        }
    }

    fn is_busy(places: &Arc<Places>, hotkey: &str) -> bool {
        matches!(take(places, hotkey), Poll::Ready(None))
    }

    #[test]
    fn a_miner_is_busy_with_as_many_requests_as_it_may_have() {
        let places = Arc::new(Places::new(10, 2));
        let (first, second) = (taken(&places, "a"), taken(&places, "a"));
        assert!(is_busy(&places, "a"));
        let _other = taken(&places, "b");
        assert_eq!((first.slot(), second.slot()), (0, 1));
        first.free(false);
        let third = taken(&places, "a");
        assert_eq!(third.slot(), 0);
        assert!(is_busy(&places, "a"));
        drop((second, third));
        assert_eq!(places.lock().len(), 1, "only b has something under way");
    }

    #[test]
    fn a_busy_miner_does_not_wait_for_a_place_among_all() {
        let places = Arc::new(Places::new(1, 1));
        let _first = taken(&places, "a");
        assert!(is_busy(&places, "a"));
        assert!(take(&places, "b").is_pending());
    }

    #[test]
    fn a_miner_may_have_become_busy_while_a_place_was_waited_for() {
        let places = Arc::new(Places::new(2, 1));
        let (first, second) = (taken(&places, "b"), taken(&places, "c"));
        let mut one = Box::pin(places.take("a"));
        let mut two = Box::pin(places.take("a"));
        assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
        drop((first, second));
        let one = poll(one.as_mut());
        assert!(matches!(one, Poll::Ready(Some(_))), "{one:?}");
        assert!(matches!(poll(two.as_mut()), Poll::Ready(None)));
        // What it was given for nothing is free again.
        taken(&places, "b");
    }

    #[test]
    fn a_miner_that_hung_has_one_place_until_it_answers_in_time() {
        let places = Arc::new(Places::new(10, 3));
        taken(&places, "a").free(true);
        let one = taken(&places, "a");
        assert!(is_busy(&places, "a"));
        // Whoever asked is gone: that says nothing of the miner.
        drop(one);
        let one = taken(&places, "a");
        assert!(is_busy(&places, "a"));
        one.free(false);
        let _three = [0; 3].map(|_| taken(&places, "a"));
        assert!(is_busy(&places, "a"));
    }

    #[test]
    fn miners_that_hung_and_are_gone_are_forgotten() {
        let places = Arc::new(Places::new(10, 2));
        let _kept = taken(&places, "kept");
        for miner in 0..REMEMBERED {
            taken(&places, &miner.to_string()).free(true);
        }
        assert_eq!(places.lock().len(), 1);
    }
}
