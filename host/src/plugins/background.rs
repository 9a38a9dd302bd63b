//! Loading in the background: what takes long holds up nothing else.

use futures_util::stream::{self, Stream, StreamExt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, interval_at};

/// A component that is larger takes seconds to compile, and much memory: those of Python
/// and JavaScript.
const LARGE: usize = 4 << 20;
/// Large components that are compiled at a time.
const LARGE_PLACES: usize = 1;
/// Other components that are compiled at a time.
const SMALL_PLACES: usize = 4;
/// How often people are told that something goes on.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The files that are being loaded. Who subscribes is told each time that one is done.
#[derive(Debug, Clone, Default)]
pub struct Loads {
    /// Each with whether it is to be loaded once more, because it changed meanwhile.
    under_way: BTreeMap<PathBuf, bool>,
}

impl Loads {
    /// Whether nothing is being loaded.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}

/// What is loaded, and where components wait for their turn to be compiled. Clones share
/// everything.
#[derive(Debug, Clone)]
pub(super) struct Background {
    loads: Arc<watch::Sender<Loads>>,
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
    describing: Arc<Semaphore>,
}

impl Default for Background {
    fn default() -> Self {
        Background {
            loads: Arc::default(),
            large: Arc::new(Semaphore::new(LARGE_PLACES)),
            small: Arc::new(Semaphore::new(SMALL_PLACES)),
            describing: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Background {
    pub(super) fn subscribe(&self) -> watch::Receiver<Loads> {
        self.loads.subscribe()
    }

    pub(super) fn is_loading(&self, path: &Path) -> bool {
        self.loads.borrow().under_way.contains_key(path)
    }

    /// Runs `load` in a task of its own. If the file is being loaded already, that is done
    /// once more at its end.
    pub(super) fn begin<F>(&self, path: &Path, load: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let mut is_new = false;
        // That a load begins need not be known to who waits for the end of one.
        self.loads.send_if_modified(|loads| {
            is_new = !loads.under_way.contains_key(path);
            loads.under_way.insert(path.to_owned(), !is_new);
            false
        });
        if !is_new {
            return;
        }
        let under_way = UnderWay {
            loads: Arc::clone(&self.loads),
            path: path.to_owned(),
        };
        tokio::spawn(async move {
            loop {
                load().await;
                if !under_way.once_more() {
                    break;
                }
            }
        });
    }

    /// Waits for a place to compile a component of `bytes` bytes. None if there will be
    /// none any more.
    pub(super) async fn place(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let places = if bytes > LARGE {
            &self.large
        } else {
            &self.small
        };
        Arc::clone(places).acquire_owned().await.ok()
    }

    /// Waits for the turn of a file's component to tell what it is. One at a time: those
    /// that never come back must not take the places of what is scored.
    pub(super) async fn turn_to_tell(&self) -> Option<SemaphorePermit<'_>> {
        self.describing.acquire().await.ok()
    }
}

/// A file that is being loaded, for as long as this is there: also if loading panics.
struct UnderWay {
    loads: Arc<watch::Sender<Loads>>,
    path: PathBuf,
}

impl UnderWay {
    /// Whether to load again. If not, that is the end.
    fn once_more(&self) -> bool {
        let mut again = false;
        self.loads.send_if_modified(|loads| {
            if let Some(changed) = loads.under_way.get_mut(&self.path) {
                again = std::mem::take(changed);
            }
            if again {
                return false;
            }
            loads.under_way.remove(&self.path).is_some()
        });
        again
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.loads
            .send_if_modified(|loads| loads.under_way.remove(&self.path).is_some());
    }
}

/// Does `work`, and tells how long it takes already, each time that `ticks` says so.
pub(super) async fn telling<T>(
    work: impl Future<Output = T>,
    ticks: impl Stream<Item = Duration>,
    mut tell: impl FnMut(Duration),
) -> T {
    let (mut work, mut ticks) = (pin!(work), pin!(ticks.fuse()));
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(elapsed) = ticks.next() => tell(elapsed),
        }
    }
}

/// The time since now, every few seconds.
pub(super) fn every_few_seconds() -> impl Stream<Item = Duration> {
    let start = Instant::now();
    let mut ticks = interval_at(start + TELL_EVERY, TELL_EVERY);
    stream::poll_fn(move |context| {
        let tick = ticks.poll_tick(context);
        tick.map(|now| Some(now.saturating_duration_since(start)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use tokio::sync::{mpsc, oneshot};

    fn path(name: &str) -> &Path {
        Path::new(name)
    }

    /// A load that goes on when it is told to, by what it sends when it begins.
    fn stepwise() -> (
        impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
        mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    ) {
        let (began, begins) = mpsc::unbounded_channel();
        let load = move || {
            let (go_on, told) = oneshot::channel();
            began.send(go_on).unwrap();
            async move { drop(told.await) }.boxed()
        };
        (load, begins)
    }

    #[tokio::test]
    async fn a_load_that_takes_long_holds_up_no_other() {
        let background = Background::default();
        let mut loads = background.subscribe();
        let (slow, mut slow_begins) = stepwise();
        background.begin(path("slow.wasm"), slow);
        let go_on = slow_begins.recv().await.unwrap();
        let (fast, mut fast_begins) = stepwise();
        background.begin(path("fast.wasm"), fast);
        fast_begins.recv().await.unwrap().send(()).unwrap();
        loads.changed().await.unwrap();
        assert!(!background.is_loading(path("fast.wasm")));
        assert!(background.is_loading(path("slow.wasm")));
        go_on.send(()).unwrap();
        loads.changed().await.unwrap();
        assert!(loads.borrow().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_loaded_is_loaded_once_more() {
        let background = Background::default();
        let mut loads = background.subscribe();
        let (load, mut begins) = stepwise();
        background.begin(path("a.wasm"), load);
        let first = begins.recv().await.unwrap();
        for _ in 0..3 {
            background.begin(path("a.wasm"), || async { unreachable!() });
        }
        first.send(()).unwrap();
        let second = begins.recv().await.unwrap();
        assert!(!loads.has_changed().unwrap(), "it is not done yet");
        second.send(()).unwrap();
        loads.changed().await.unwrap();
        assert!(loads.borrow().is_empty());
        assert!(begins.recv().await.is_none(), "and no more");
    }

    #[tokio::test]
    async fn a_load_that_panics_is_over() {
        let background = Background::default();
        let mut loads = background.subscribe();
        background.begin(path("a.wasm"), || async { panic!("as it should") });
        loads.changed().await.unwrap();
        assert!(!background.is_loading(path("a.wasm")));
    }

    #[tokio::test]
    async fn large_components_do_not_take_the_places_of_small_ones() {
        let background = Background::default();
        let large = background.place(LARGE + 1).await;
        assert!(large.is_some());
        let mut next = std::pin::pin!(background.place(LARGE + 1));
        assert!(futures_util::poll!(&mut next).is_pending());
        let mut held = Vec::new();
        for _ in 0..SMALL_PLACES {
            held.push(background.place(LARGE).await.unwrap());
        }
        let mut waits = std::pin::pin!(background.place(1));
        assert!(futures_util::poll!(&mut waits).is_pending());
        drop(large);
        assert!(futures_util::poll!(&mut next).is_ready());
    }

    #[tokio::test]
    async fn it_is_told_at_each_tick_until_the_work_is_done() {
        let (tick, mut ticks) = mpsc::unbounded_channel();
        let (finish, finished) = oneshot::channel();
        let mut told = Vec::new();
        let mut finish = Some(finish);
        for seconds in [5, 10] {
            tick.send(Duration::from_secs(seconds)).unwrap();
        }
        let done = telling(
            finished,
            stream::poll_fn(move |context| ticks.poll_recv(context)),
            |elapsed| {
                told.push(elapsed.as_secs());
                if elapsed.as_secs() == 10 {
                    finish.take().unwrap().send("done").unwrap();
                }
            },
        );
        assert_eq!(done.await, Ok("done"));
        assert_eq!(told, [5, 10]);
    }
}
