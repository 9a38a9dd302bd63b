//! Whatever happens in whichever order: nothing is lost, and nothing is done twice.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
enum Op {
    Add {
        caller: u8,
        content: u8,
        priority: i8,
    },
    Begin {
        uniform: bool,
        random: u64,
        steps: u8,
        synthetic: bool,
    },
    /// Of the iterations that ever began: one of the last.
    Complete {
        back: usize,
    },
    Fail {
        back: usize,
        again: bool,
        counts: bool,
    },
    Restart,
    Retry {
        entry: usize,
    },
    Stop(bool),
    Steps(u8),
    Forget,
    Wait(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..3_u8, 0..12_u8, -1..2_i8)
            .prop_map(|(caller, content, priority)| Op::Add { caller, content, priority }),
        8 => (any::<bool>(), any::<u64>(), 0..3_u8, any::<bool>()).prop_map(
            |(uniform, random, steps, synthetic)| Op::Begin { uniform, random, steps, synthetic }
        ),
        5 => (0..4_usize).prop_map(|back| Op::Complete { back }),
        5 => (0..4_usize, prop::bool::weighted(0.8), prop::bool::weighted(0.8))
            .prop_map(|(back, again, counts)| Op::Fail { back, again, counts }),
        1 => Just(Op::Restart),
        2 => (0..20_usize).prop_map(|entry| Op::Retry { entry }),
        1 => prop::bool::weighted(0.3).prop_map(Op::Stop),
        2 => (0..6_u8).prop_map(Op::Steps),
        1 => Just(Op::Forget),
        2 => (0..6_u8).prop_map(Op::Wait),
    ]
}

const SMALL: QueueRules = QueueRules {
    queue_max: 4,
    most_of_caller: 3,
    dedupe_s: 10.0,
};
const KEPT_S: f64 = 15.0;
const RETRY_S: f64 = 3.0;

#[derive(Debug, Clone)]
struct Entry {
    id: String,
    caller: String,
    digest: String,
    priority: f64,
    received_at: f64,
    state: EntryState,
    attempts: u32,
    interrupted: u32,
    not_before: f64,
    ended_at: f64,
}

/// What ought to be so.
#[derive(Debug, Default)]
struct Model {
    now: f64,
    /// All that were ever queued, in order.
    entries: Vec<Entry>,
    /// Ids that were forgotten.
    gone: BTreeSet<String>,
    /// (number, entry, whether it runs)
    iterations: Vec<(i64, Option<usize>, bool)>,
    stopped: bool,
    steps: u64,
}

impl Model {
    fn kept(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().enumerate();
        entries.filter(|(_, entry)| !self.gone.contains(&entry.id))
    }

    fn in_state(&self, state: EntryState) -> Vec<usize> {
        let of = self.kept().filter(|(_, entry)| entry.state == state);
        of.map(|(index, _)| index).collect()
    }

    fn end(&mut self, index: usize, state: EntryState) {
        self.entries[index].state = state;
        self.entries[index].ended_at = self.now;
    }

    async fn add(&mut self, store: &Store, caller: u8, content: u8, priority: i8) {
        let entry = NewEntry {
            id: format!("e{}", self.entries.len()),
            challenge: "c".to_owned(),
            caller: format!("v{caller}"),
            sample: "{}".to_owned(),
            digest: format!("d{content}"),
            priority: f64::from(priority),
            received_at: self.now,
        };
        let first = self.kept().find(|(_, old)| {
            old.digest == entry.digest
                && old.received_at > self.now - SMALL.dedupe_s
                && !matches!(old.state, EntryState::Dropped | EntryState::Failed)
        });
        let first = first.map(|(_, old)| old.id.clone());
        let of_caller = self.kept().filter(|(_, old)| {
            old.caller == entry.caller
                && matches!(old.state, EntryState::Queued | EntryState::Leased)
        });
        let of_caller = u32::try_from(of_caller.count()).unwrap();
        let added = store.organic_add(entry.clone(), SMALL).await.unwrap();
        match (first, added) {
            (Some(first), Added::Duplicate(row)) => assert_eq!(row.id, first),
            (None, Added::TooMany { queued }) => {
                assert_eq!(queued, of_caller);
                assert!(queued >= SMALL.most_of_caller);
            }
            (None, Added::Queued { dropped }) => {
                assert!(of_caller < SMALL.most_of_caller);
                let queued = self.in_state(EntryState::Queued);
                let over = (queued.len() + 1).saturating_sub(SMALL.queue_max as usize);
                let oldest: Vec<_> = queued.into_iter().take(over).collect();
                let ids = oldest.iter().map(|index| self.entries[*index].id.clone());
                assert_eq!(dropped, ids.collect::<Vec<_>>());
                for index in oldest {
                    self.end(index, EntryState::Dropped);
                }
                self.entries.push(Entry {
                    id: entry.id,
                    caller: entry.caller,
                    digest: entry.digest,
                    priority: entry.priority,
                    received_at: self.now,
                    state: EntryState::Queued,
                    attempts: 0,
                    interrupted: 0,
                    not_before: 0.0,
                    ended_at: 0.0,
                });
                let queue = queue_of(store).await;
                assert!(queue.queued <= u64::from(SMALL.queue_max));
            }
            (first, added) => panic!("{first:?} but {added:?}"),
        }
    }

    async fn begin(&mut self, store: &Store, uniform: bool, random: u64, steps: u8, made: bool) {
        let due: Vec<_> = self
            .in_state(EntryState::Queued)
            .into_iter()
            .filter(|index| self.entries[*index].not_before <= self.now)
            .collect();
        let new = NewIteration {
            sampling: if uniform {
                Sampling::Uniform
            } else {
                Sampling::Priority
            },
            random,
            steps: u64::from(steps),
            dataset: made.then(|| "facts".to_owned()),
            ..next(self.now)
        };
        let begun = store.organic_begin(new).await.unwrap();
        let expected = !self.stopped && self.steps >= u64::from(steps) && (made || !due.is_empty());
        let Some(begun) = begun else {
            assert!(!expected);
            return;
        };
        assert!(expected);
        self.steps -= u64::from(steps);
        assert_eq!(begun.steps, self.steps);
        assert_eq!(begun.dataset.is_some(), due.is_empty());
        let taken = begun.entry.map(|entry| {
            let is_it = |index: &&usize| self.entries[**index].id == entry.id;
            let index = *due.iter().find(is_it).expect("it may be tried");
            if !uniform {
                let best = due.iter().map(|index| self.entries[*index].priority);
                let best = best.fold(f64::NEG_INFINITY, f64::max);
                let first = due
                    .iter()
                    .find(|index| self.entries[**index].priority == best);
                assert_eq!(first, Some(&index));
            }
            self.entries[index].state = EntryState::Leased;
            index
        });
        assert_eq!(
            begun.queue_size as usize,
            self.in_state(EntryState::Queued).len()
        );
        self.iterations.push((begun.id, taken, true));
    }

    fn recent(&self, back: usize) -> Option<usize> {
        self.iterations.len().checked_sub(back + 1)
    }

    async fn complete(&mut self, store: &Store, back: usize) {
        let Some(which) = self.recent(back) else {
            return;
        };
        let (id, entry, runs) = self.iterations[which];
        let done = store
            .organic_complete(completed(id, self.now))
            .await
            .unwrap();
        assert_eq!(done, runs);
        self.iterations[which].2 = false;
        if let Some(index) = entry.filter(|_| runs) {
            self.entries[index].attempts += 1;
            self.end(index, EntryState::Done);
        }
    }

    async fn fail(&mut self, store: &Store, back: usize, again: bool, counts: bool) {
        let Some(which) = self.recent(back) else {
            return;
        };
        let (id, entry, runs) = self.iterations[which];
        let again_at = again.then_some(self.now + RETRY_S);
        let failure = Failed {
            counts,
            ..failed(id, self.now, again_at)
        };
        let became = store.organic_fail(failure).await.unwrap();
        self.iterations[which].2 = false;
        let Some(index) = entry.filter(|_| runs) else {
            assert_eq!(became, None);
            return;
        };
        self.entries[index].attempts += u32::from(counts);
        if again && (!counts || self.entries[index].attempts < 3) {
            self.entries[index].not_before = self.now + RETRY_S;
            self.entries[index].state = EntryState::Queued;
        } else {
            self.end(index, EntryState::Failed);
        }
        assert_eq!(became, Some(self.entries[index].state));
    }

    async fn restart(&mut self, store: &Store) {
        let running: Vec<_> = self.iterations.iter_mut().filter(|it| it.2).collect();
        let taken_back = store.organic_take_back(self.now).await.unwrap();
        assert_eq!(taken_back as usize, running.len());
        for iteration in running {
            iteration.2 = false;
            if let Some(index) = iteration.1 {
                let entry = &mut self.entries[index];
                entry.interrupted += 1;
                entry.state = match entry.interrupted < 10 {
                    true => EntryState::Queued,
                    false => EntryState::Failed,
                };
                entry.ended_at = self.now;
            }
        }
    }

    async fn retry(&mut self, store: &Store, index: usize) {
        let id = format!("e{index}");
        let row = store.organic_retry(id.clone(), self.now).await.unwrap();
        let may = |entry: &Entry| matches!(entry.state, EntryState::Failed | EntryState::Dropped);
        let entry = self.entries.get_mut(index).filter(|entry| may(entry));
        match entry.filter(|_| !self.gone.contains(&id)) {
            Some(entry) => {
                assert_eq!(row.map(|row| row.state), Some(EntryState::Queued));
                entry.state = EntryState::Queued;
                entry.attempts = 0;
                entry.interrupted = 0;
                entry.not_before = 0.0;
            }
            None => assert_eq!(row, None),
        }
    }

    async fn forget(&mut self, store: &Store) {
        let before = self.now - KEPT_S;
        let forget = store.organic_forget("c".to_owned(), before, self.now);
        forget.await.unwrap();
        let gone = self
            .kept()
            .filter(|(_, e)| e.state.is_end() && e.ended_at < before);
        let gone: Vec<_> = gone.map(|(_, entry)| entry.id.clone()).collect();
        self.gone.extend(gone);
    }

    /// Everything is where it ought to be.
    async fn check(&self, store: &Store) {
        for entry in &self.entries {
            let row = store.organic_entry(entry.id.clone()).await.unwrap();
            if self.gone.contains(&entry.id) {
                assert_eq!(row, None);
                continue;
            }
            let row = row.expect("nothing vanishes");
            assert_eq!(
                (row.state, row.attempts),
                (entry.state, entry.attempts),
                "{}",
                row.id
            );
            assert_eq!(row.not_before, entry.not_before, "{}", row.id);
            assert_eq!(row.ended_at.is_some(), row.state.is_end(), "{}", row.id);
        }
        let queue = queue_of(store).await;
        for (count, state) in [
            (queue.queued, EntryState::Queued),
            (queue.leased, EntryState::Leased),
            (queue.done, EntryState::Done),
            (queue.dropped, EntryState::Dropped),
            (queue.failed, EntryState::Failed),
        ] {
            assert_eq!(count as usize, self.in_state(state).len(), "{state:?}");
        }
        let known = store.organic_loop("c".to_owned()).await.unwrap();
        assert_eq!((known.steps, known.stopped), (self.steps, self.stopped));
        let rows = store
            .organic_iterations("c".to_owned(), None, 1_000)
            .await
            .unwrap();
        let done = rows.iter().filter(|row| row.state == IterationState::Done);
        let done: Vec<_> = done.filter_map(|row| row.entry.clone()).collect();
        let once: BTreeSet<_> = done.iter().collect();
        assert_eq!(once.len(), done.len(), "an entry is done once");
    }
}

async fn run(ops: Vec<Op>) {
    let (directory, mut store) = store();
    let mut model = Model::default();
    for op in ops {
        match op {
            Op::Add {
                caller,
                content,
                priority,
            } => {
                model.add(&store, caller, content, priority).await;
            }
            Op::Begin {
                uniform,
                random,
                steps,
                synthetic,
            } => {
                model.begin(&store, uniform, random, steps, synthetic).await;
            }
            Op::Complete { back } => model.complete(&store, back).await,
            Op::Fail {
                back,
                again,
                counts,
            } => model.fail(&store, back, again, counts).await,
            Op::Restart => {
                drop(store);
                store = open(&directory);
                model.restart(&store).await;
            }
            Op::Retry { entry } => model.retry(&store, entry).await,
            Op::Stop(stopped) => {
                store
                    .organic_stop("c".to_owned(), stopped, model.now)
                    .await
                    .unwrap();
                model.stopped = stopped;
            }
            Op::Steps(steps) => {
                let steps = u64::from(steps);
                store
                    .organic_steps("c".to_owned(), Steps::Add(steps), model.now)
                    .await
                    .unwrap();
                model.steps += steps;
            }
            Op::Forget => model.forget(&store).await,
            Op::Wait(seconds) => model.now += f64::from(seconds),
        }
        model.check(&store).await;
    }
    drop(store);
    let problems = Store::problems(&directory.path().join("db"), true).unwrap();
    assert_eq!(problems, []);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn every_entry_is_accounted_for_whatever_happens(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(ops));
    }
}
