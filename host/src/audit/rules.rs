//! What the heads of a host say about each other. Only computes.

use super::difference::Difference;
use super::state::{Disputed, Earlier, KnownDay, State};
use crate::clock;
use crate::receipts::tree::{Tree, is_consistent};
use crate::receipts::{Head, SignedHead, signs_head};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Days whose last heads are kept.
pub const KEPT_DAYS: usize = 40;
/// Pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A state of a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) size: u64,
    pub(super) root: String,
}

impl Point {
    fn of(head: &Head) -> Self {
        Point {
            size: head.size,
            root: head.root.clone(),
        }
    }
}

/// What a host has to prove: that one tree of a day is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// Whose tree it is.
    pub(super) day: String,
    pub(super) from: Point,
    pub(super) to: Point,
    /// The day whose head says that `from` was; the same as `day` if it was seen.
    pub(super) said_by: String,
}

impl Claim {
    /// What is wrong with the proof of it, if anything is.
    pub(super) fn refuted(&self, proof: &[String]) -> Option<Difference> {
        let (from, to) = (&self.from, &self.to);
        let why = self.problem(proof)?;
        let source = match self.said_by == self.day {
            true => "seen before".to_owned(),
            false => format!("named by the head of {}", self.said_by),
        };
        let what = format!(
            "the tree of {} leaves, root {}, is not the one of {} leaves, root {}, {source}, that \
             grew: {why}",
            to.size, to.root, from.size, from.root
        );
        Some(Difference::of_day("consistency", &self.said_by, what))
    }

    /// What is wrong with the proof of it, if it is of a head in the bundle of `said_by`.
    pub(super) fn refuted_in_bundle(&self, proof: &[String]) -> Option<Difference> {
        let why = self.problem(proof)?;
        let what = format!(
            "the bundle has another tree of {}: {} leaves, root {}, are not the beginning of {}, \
             root {}: {why}",
            self.day, self.from.size, self.from.root, self.to.size, self.to.root
        );
        Some(Difference::of_day("contents", &self.said_by, what))
    }

    fn problem(&self, proof: &[String]) -> Option<String> {
        let (from, to) = (&self.from, &self.to);
        match is_consistent((&from.root, from.size), (&to.root, to.size), proof) {
            Ok(true) => None,
            Ok(false) => Some("the proof does not hold".to_owned()),
            Err(error) => Some(format!("the proof is none: {error}")),
        }
    }
}

/// Who may sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signers<'a> {
    /// Who was said to; whoever signed before if it is empty.
    pub(super) told: &'a [String],
    /// Who signed before.
    pub(super) known: Option<&'a str>,
}

impl Signers<'_> {
    pub(super) fn may_be(&self, signer: &str) -> bool {
        match self.told {
            [] => self.known.is_none_or(|known| known == signer),
            told => told.iter().any(|told| told == signer),
        }
    }
}

/// The last heads of days, as a host told them.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The newest day first.
    pub(super) heads: Vec<SignedHead>,
    /// Whether there are no earlier ones.
    pub(super) is_all: bool,
}

/// What follows from what was heard.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What contradicts what is known.
    pub(super) differences: Vec<Difference>,
    /// What is to be proved before the heads are believed.
    pub(super) claims: BTreeSet<Claim>,
    /// The heads that are new, the earliest day first, but those that are not believed.
    pub(super) fresh: Vec<Disputed>,
    /// Heads that are not believed.
    pub(super) disputed: Vec<Disputed>,
    /// Days that have not come by the clock that was given, and are not looked at.
    pub(super) future: Vec<String>,
}

/// Compares what a host tells of its days with what it told before. `now` is in seconds
/// since the Unix epoch.
pub(super) fn plan(state: &State, heard: &Heard, signers: Signers<'_>, now: f64) -> Plan {
    let mut plan = Plan::default();
    let last = clock::day_after(&clock::day(now));
    // Whom nobody knows yet is known from the last head on.
    let first = || heard.heads.iter().find(|head| signs_head(head));
    let signers = Signers {
        known: signers.known.or_else(|| Some(first()?.signer.as_str())),
        ..signers
    };
    // What was before all that is known is not looked at.
    let floor = state.days.keys().next().map_or("", String::as_str);
    let heads: BTreeMap<&str, &SignedHead> = heard
        .heads
        .iter()
        .map(|signed| (signed.head.day.as_str(), signed))
        .filter(|(day, _)| *day >= floor)
        .collect();
    let from = match heard.is_all {
        true => floor,
        false => heads.keys().next().copied().unwrap_or("~"),
    };
    for day in state.days.keys().filter(|day| day.as_str() >= from) {
        if !heads.contains_key(day.as_str()) {
            let what = "the host has no tree of this day any more".to_owned();
            plan.differences
                .push(Difference::of_day("vanished", day, what));
        }
    }
    for (day, signed) in &heads {
        let before = state.days.get(*day);
        if before.is_some_and(|before| before.head.head == signed.head) {
            continue;
        }
        let head = Disputed {
            head: (*signed).clone(),
            after: after(state, &signed.head),
        };
        if *day > last.as_str() {
            plan.future.push((*day).to_owned());
            plan.disputed.push(head);
            continue;
        }
        let about = About {
            signed,
            before,
            after: head.after.as_ref(),
            heads: &heads,
            from,
        };
        match about.check(signers, &mut plan.claims) {
            Ok(()) => plan.fresh.push(head),
            Err((step, what)) => {
                plan.differences.push(Difference::of_day(step, day, what));
                plan.disputed.push(head);
            }
        }
    }
    plan
}

/// The head of the last day before a head's that was known before it was told: it is not
/// older than that.
fn after(state: &State, head: &Head) -> Option<Earlier> {
    // It may have been told in an earlier round, and not been believed then.
    if let Some(told) = state
        .disputed
        .get(&head.day)
        .filter(|told| told.head.head == *head)
    {
        return told.after.clone();
    }
    let (day, known) = state.days.range(..head.day.clone()).next_back()?;
    Some(Earlier {
        day: day.clone(),
        size: known.head.head.size,
    })
}

/// What is wrong with a head: the step, and what.
type Wrong = (&'static str, String);

/// A head that was not seen before, or not believed.
struct About<'a> {
    signed: &'a SignedHead,
    before: Option<&'a KnownDay>,
    after: Option<&'a Earlier>,
    heads: &'a BTreeMap<&'a str, &'a SignedHead>,
    /// All days from this one on were heard.
    from: &'a str,
}

impl About<'_> {
    fn check(&self, signers: Signers<'_>, claims: &mut BTreeSet<Claim>) -> Result<(), Wrong> {
        let head = &self.signed.head;
        let signer = &self.signed.signer;
        if !signs_head(self.signed) {
            return Err(("signature", format!("the head is not signed by {signer}")));
        }
        if !signers.may_be(signer) {
            let known = match signers.told {
                [] => signers.known.unwrap_or("nobody").to_owned(),
                told => told.join(" or "),
            };
            let what = format!("the head is signed by {signer} instead of {known}");
            return Err(("signer", what));
        }
        let mut found = BTreeSet::new();
        if let Some(before) = self.before {
            let before = Point::of(&before.head.head);
            if before.size == head.size && before.root == head.root {
                let what = "there are two heads of the same tree, which name different heads of \
                            the day before"
                    .to_owned();
                return Err(("head", what));
            }
            found.extend(self.claim(&head.day, before, Point::of(head), "seen before")?);
        }
        self.check_previous(&mut found)?;
        claims.extend(found);
        Ok(())
    }

    /// Whether the head that this one names is that of an earlier day, and not one that
    /// was over when this head was made.
    fn check_previous(&self, found: &mut BTreeSet<Claim>) -> Result<(), Wrong> {
        let head = &self.signed.head;
        let wrong = |what| ("previous", what);
        let Some(previous) = &head.previous else {
            return match self.after {
                None => Ok(()),
                Some(Earlier { day, .. }) => Err(wrong(format!(
                    "the head names none of a day before, and {day} has one"
                ))),
            };
        };
        let named = Point {
            size: previous.size,
            root: previous.root.clone(),
        };
        if previous.day >= head.day {
            let what = format!(
                "the head names that of {}, which is no day before",
                previous.day
            );
            return Err(wrong(what));
        }
        if let Some(Earlier { day, size }) = self.after
            && (previous.day < *day || (previous.day == *day && named.size < *size))
        {
            let what = format!(
                "the head names {} leaves of {}, when {day} had {size} already",
                named.size, previous.day
            );
            return Err(wrong(what));
        }
        match self.heads.get(previous.day.as_str()) {
            Some(other) => {
                let to = Point::of(&other.head);
                found.extend(self.claim(&previous.day, named, to, "named by a later head")?);
                Ok(())
            }
            None if previous.day.as_str() >= self.from => Err(wrong(format!(
                "the head names that of {}, and there is none",
                previous.day
            ))),
            // Of a day before all that is looked at.
            None => Ok(()),
        }
    }

    /// What is to be proved for one tree to be the beginning of another; nothing if they
    /// are the same.
    fn claim(
        &self,
        day: &str,
        from: Point,
        to: Point,
        source: &str,
    ) -> Result<Option<Claim>, Wrong> {
        let said_by = &self.signed.head.day;
        let wrong = |what| ("consistency", what);
        if from == to {
            return Ok(None);
        }
        let (old, new) = (from.size, to.size);
        if from.size > to.size {
            let what = format!("{day} has {new} leaves, and had {old} ({source})");
            return Err(wrong(what));
        }
        if from.size == to.size {
            let (old, new) = (&from.root, &to.root);
            let what =
                format!("{day} has the root {new}, and had {old} ({source}) of as many leaves");
            return Err(wrong(what));
        }
        if from.size == 0 {
            return Err(wrong(format!("{day} had a head without leaves ({source})")));
        }
        Ok(Some(Claim {
            day: day.to_owned(),
            from,
            to,
            said_by: said_by.clone(),
        }))
    }
}

/// What a bundle is beside the head of its day that is known.
#[derive(Debug, PartialEq)]
pub(super) enum Fit {
    /// It has that tree, or one that it grew to.
    Fits,
    /// It is older than the head.
    Stale,
    /// It has another tree.
    Other(String),
}

/// Compares the leaves of a bundle, ids in order, with the head that is known of its day.
pub(super) fn fit<T: AsRef<str>>(known: &Head, bundle: &Head, leaves: &[T]) -> Fit {
    if bundle.day != known.day {
        return Fit::Other(format!("it is of {}", bundle.day));
    }
    if bundle.size < known.size {
        return Fit::Stale;
    }
    let beginning = usize::try_from(known.size)
        .ok()
        .and_then(|size| leaves.get(..size));
    let Some(beginning) = beginning else {
        let (found, expected) = (leaves.len(), known.size);
        return Fit::Other(format!("it has {found} leaves, and the day {expected}"));
    };
    match Tree::of(beginning).map(|tree| tree.root()) {
        Ok(root) if root == known.root => Fit::Fits,
        Ok(root) => Fit::Other(format!(
            "its first {} leaves have the root {root}, and the signed head {}",
            known.size, known.root
        )),
        Err(error) => Fit::Other(error.to_string()),
    }
}

/// Compares heads of other days in the bundle of a day with those that are known of these
/// days. Returns what contradicts them, and what the host has to prove.
pub(super) fn others(
    state: &State,
    bundle: &str,
    heads: &[SignedHead],
) -> (Vec<Difference>, Vec<Claim>) {
    let (mut differences, mut claims) = (Vec::new(), Vec::new());
    for SignedHead { head, .. } in heads {
        let Some(known) = state.days.get(&head.day) else {
            continue;
        };
        let known = &known.head.head;
        if known == head {
            continue;
        }
        let (day, told, seen) = (&head.day, Point::of(head), Point::of(known));
        if told.size == seen.size || told.size == 0 {
            let what = format!(
                "the bundle has another head of {day}: of {} leaves, root {}, and not of {}, root \
                 {}",
                told.size, told.root, seen.size, seen.root
            );
            differences.push(Difference::of_day("contents", bundle, what));
            continue;
        }
        // Both may be honest: the day may have grown since, or before the bundle was made.
        let (from, to) = match told.size < seen.size {
            true => (told, seen),
            false => (seen, told),
        };
        claims.push(Claim {
            day: day.clone(),
            from,
            to,
            said_by: bundle.to_owned(),
        });
    }
    (differences, claims)
}

/// How long to wait after a round that took `took`, if that many in a row failed: never
/// longer than to the next one.
pub fn pause(every: Duration, took: Duration, failures: u32) -> Duration {
    let rest = every.saturating_sub(took).max(Duration::from_secs(1));
    match failures.checked_sub(1) {
        None => rest,
        Some(doublings) => {
            let factor = 2_u32.saturating_pow(doublings);
            FIRST_PAUSE.saturating_mul(factor).min(rest)
        }
    }
}

#[cfg(test)]
mod tests;
