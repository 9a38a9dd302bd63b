//! Reading every blob of a bundle.

use super::report::{Step, Trouble, Why};
use super::{BundleFile, Options};
use crate::receipts::bundle::BlobProblem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Bytes of a blob that is read while others are.
const SMALL: u64 = 16 << 20;
/// Bytes of a blob that is read at all.
const MAX: u64 = 1 << 30;

/// Reads every blob: small ones many at a time, others one by one, as each takes its
/// memory. Returns what is wrong with them, in the order of their digests.
pub(super) fn damaged(
    bundle: BundleFile,
    options: &Options,
    jobs: usize,
) -> (BundleFile, impl Iterator<Item = Trouble>) {
    let bundle = bundle.with_max_blob(SMALL);
    let left: Mutex<BTreeSet<String>> = Mutex::default();
    let damaged: Mutex<BTreeMap<String, Trouble>> = Mutex::default();
    let large = large(&bundle);
    let digests: Vec<&str> = bundle.digests().collect();
    let next = AtomicUsize::new(0);
    let read = || {
        while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let problem = match large.contains(digest) {
                true => Err(None),
                false => bundle.blob(digest).map(drop).map_err(Some),
            };
            match problem {
                Ok(()) => {}
                Err(None | Some(BlobProblem::TooLarge { .. })) => {
                    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                    left.insert((*digest).to_owned());
                }
                Err(Some(problem)) => {
                    let mut damaged = damaged.lock().unwrap_or_else(PoisonError::into_inner);
                    damaged.insert((*digest).to_owned(), trouble(digest, &problem));
                }
            }
            if let Some(progress) = &options.progress {
                let done = next.load(Ordering::Relaxed).min(digests.len());
                progress(Step::Bundle, done as u64, digests.len() as u64);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs {
            scope.spawn(read);
        }
        read();
    });
    let mut damaged = damaged.into_inner().unwrap_or_else(PoisonError::into_inner);
    let left = left.into_inner().unwrap_or_else(PoisonError::into_inner);
    let bundle = bundle.with_max_blob(MAX);
    for digest in left {
        if let Err(problem) = bundle.blob(&digest) {
            let trouble = trouble(&digest, &problem);
            damaged.insert(digest, trouble);
        }
    }
    (bundle, damaged.into_values())
}

/// The digests of blobs that are large as they are in the file.
fn large(bundle: &BundleFile) -> BTreeSet<&str> {
    let large = bundle.entries().iter().filter(|entry| entry.size > SMALL);
    let names = large.filter_map(|entry| entry.name.rsplit('/').next()?.split('.').next());
    names.collect()
}

fn trouble(digest: &str, problem: &BlobProblem) -> Trouble {
    let what = format!("blob {digest}: {problem}");
    match problem {
        BlobProblem::TooLarge { .. } => Trouble::not_checkable(Why::Limits, what),
        _ => Trouble::differs(what),
    }
}
