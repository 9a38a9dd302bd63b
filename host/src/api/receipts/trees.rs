//! The trees that were last asked for.

use crate::api::problem::Problem;
use crate::receipts::tree::Tree;
use crate::store::{Store, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Trees that are kept. One takes about 100 bytes for each leaf.
const KEPT: usize = 4;

/// The trees that were last asked for, by day and size. A tree of a size never changes.
#[derive(Debug, Default)]
pub(super) struct Trees(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    day: String,
    size: u64,
    tree: Arc<Tree>,
}

impl Trees {
    /// The tree of a day when it had so many leaves, which it has or has had. One tree is
    /// made at a time, whoever asks: hashing is what costs here.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) async fn get(
        &self,
        store: &Store,
        day: &str,
        size: u64,
    ) -> Result<Arc<Tree>, Problem> {
        let mut kept = self.0.lock().await;
        let is_it = |kept: &Kept| kept.size == size && kept.day == day;
        let found = match kept.iter().position(is_it) {
            Some(place) => kept.remove(place),
            None => None,
        };
        let found = match found {
            Some(found) => found,
            None => Kept {
                tree: Arc::new(make(store, day, size).await?),
                day: day.to_owned(),
                size,
            },
        };
        let tree = Arc::clone(&found.tree);
        kept.push_front(found);
        kept.truncate(KEPT);
        Ok(tree)
    }

    /// The sizes of those that are kept, the last one first.
    #[cfg(test)]
    pub(super) async fn sizes(&self) -> Vec<u64> {
        self.0.lock().await.iter().map(|kept| kept.size).collect()
    }
}

async fn make(store: &Store, day: &str, size: u64) -> Result<Tree, Problem> {
    let mut leaves = store.leaf_ids(day.to_owned()).await?;
    // Leaves are only ever added.
    leaves.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let made = tokio::task::spawn_blocking(move || Tree::of(leaves));
    let made = made.await.map_err(|_| StoreError::Stopped)?;
    let tree = made.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if tree.size() != size {
        let problem = format!("{day} has {} leaves and a head of {size}", tree.size());
        return Err(StoreError::Corrupt(problem).into());
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::receipts::tests::{DAY, World};

    #[tokio::test]
    async fn the_trees_of_last_are_made_once_and_no_more_are_kept() {
        let world = World::new().await;
        world.leaves(DAY, 9).await;
        let trees = Trees::default();
        let get = |size| trees.get(&world.store, DAY, size);
        let first = get(9).await.unwrap();
        for size in 1..KEPT as u64 {
            get(size).await.unwrap();
        }
        assert!(Arc::ptr_eq(&first, &get(9).await.unwrap()));
        for size in 1..=KEPT as u64 {
            get(size).await.unwrap();
        }
        assert_eq!(trees.0.lock().await.len(), KEPT);
        assert!(!Arc::ptr_eq(&first, &get(9).await.unwrap()));
    }
}
