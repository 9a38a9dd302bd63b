//! How many requests are under way, of all miners and of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Miners that are remembered for having hung, and are not asked any more.
const REMEMBERED: usize = 4_096;

/// See the module. Each challenge has its own places at a miner, so that one whose
/// answers take long does not have it count as busy for the others. Where a miner let a
/// request time out, it has one place until it has answered in time, and nothing else
/// is under way: otherwise some that hang hold all places of the host.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    per_miner: usize,
    /// By hotkey; who has nothing under way and did not hang is not in it.
    miners: Mutex<HashMap<String, Miner>>,
}

#[derive(Debug, Default)]
struct Miner {
    /// What is under way: the slot, and the challenge.
    under_way: BTreeMap<u32, Arc<str>>,
    /// The challenges that it let a request of time out.
    hung: BTreeSet<Arc<str>>,
}

impl Miner {
    fn under_way(&self, challenge: &str) -> usize {
        let all = self.under_way.values();
        all.filter(|of| ***of == *challenge).count()
    }
}

/// The place of one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    challenge: Arc<str>,
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

    /// Waits for a place among all; none if the miner has as many of the challenge's as
    /// it may.
    pub(super) async fn take(self: &Arc<Self>, challenge: &str, hotkey: &str) -> Option<Place> {
        // Those of a busy miner do not wait in line before those of the others.
        let busy = |miner: &Miner| self.free_slot(miner, challenge).is_none();
        if self.lock().get(hotkey).is_some_and(busy) {
            return None;
        }
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        // Who waits has nothing under way yet, so there may be too many of them now.
        let mut miners = self.lock();
        let miner = miners.entry(hotkey.to_owned()).or_default();
        let slot = self.free_slot(miner, challenge)?;
        let challenge: Arc<str> = challenge.into();
        miner.under_way.insert(slot, Arc::clone(&challenge));
        Some(Place {
            places: Arc::clone(self),
            challenge,
            hotkey: hotkey.to_owned(),
            slot,
            hung: None,
            _all: all,
        })
    }

    /// None if the miner has as many of the challenge's requests under way as it may.
    fn free_slot(&self, miner: &Miner, challenge: &str) -> Option<u32> {
        let hung = miner.hung.contains(challenge);
        let most = if hung { 1 } else { self.per_miner };
        if miner.under_way(challenge) >= most {
            return None;
        }
        (0..).find(|slot| !miner.under_way.contains_key(slot))
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
        match self.hung {
            Some(true) => {
                miner.hung.insert(Arc::clone(&self.challenge));
            }
            // What is still under way may be what hangs.
            Some(false) if miner.under_way(&self.challenge) == 0 => {
                miner.hung.remove(&self.challenge);
            }
            Some(false) | None => {}
        }
        if miner.under_way.is_empty() && miner.hung.is_empty() {
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
        poll(std::pin::pin!(places.take("one", hotkey)))
    }

    fn taken(places: &Arc<Places>, hotkey: &str) -> Place {
        match take(places, hotkey) {
            Poll::Ready(Some(place)) => place,
            other => panic!("no place: {other:?}"),
        }
    }

    fn taken_of(places: &Arc<Places>, challenge: &str, hotkey: &str) -> Place {
        match poll(std::pin::pin!(places.take(challenge, hotkey))) {
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
        let mut one = Box::pin(places.take("one", "a"));
        let mut two = Box::pin(places.take("one", "a"));
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
    fn an_answer_in_time_clears_no_miner_that_still_hangs_at_another() {
        let places = Arc::new(Places::new(10, 3));
        let [first, second, third] = [0; 3].map(|_| taken(&places, "a"));
        first.free(true);
        second.free(false);
        drop(third);
        let one = taken(&places, "a");
        assert!(is_busy(&places, "a"), "the third was under way");
        one.free(false);
        let _three = [0; 3].map(|_| taken(&places, "a"));
    }

    #[test]
    fn a_miner_that_is_busy_with_one_challenge_is_free_for_another() {
        let places = Arc::new(Places::new(10, 1));
        let of_one = taken(&places, "a");
        assert!(is_busy(&places, "a"));
        let of_other = taken_of(&places, "other", "a");
        // The uuid of a request is made of its slot.
        assert_ne!(of_one.slot(), of_other.slot());
        of_other.free(true);
        of_one.free(false);
        taken(&places, "a");
        assert_eq!(places.lock()["a"].hung.len(), 1, "the other challenge's");
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
