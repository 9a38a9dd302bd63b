//! One round of an audit.

use super::Auditor;
use super::difference::Difference;
use super::host::Failure;
use super::rules::{self, Fit, Signers};
use super::state::Disputed;
use crate::clock;
use crate::receipts::bundle::Bundle;
use crate::receipts::{Head, SignedHead};
use crate::verify::{self, Context, Counts, Options, Report, Sample, Verdict};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;
use std::fmt;
use std::time::Instant;
use tokio::time::timeout;

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All that was looked at is as the host says.
    Verified,
    /// Something could not be checked.
    NotCheckable,
    /// Something failed, of which nothing can be said.
    Failed,
    /// Something differs.
    Differs,
}

impl Ended {
    /// The stable name, such as `not_checkable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Ended::Verified => "verified",
            Ended::NotCheckable => "not_checkable",
            Ended::Failed => "failed",
            Ended::Differs => "differs",
        }
    }

    /// The exit status that tells it: 0 verified, 1 differs, 2 failed, 3 not checkable.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Ended::Verified => 0,
            Ended::Differs => 1,
            Ended::Failed => 2,
            Ended::NotCheckable => 3,
        }
    }
}

/// A day whose bundle was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditedDay {
    /// The day, `YYYY-MM-DD`.
    pub day: String,
    /// Leaves that are audited now.
    pub leaves: u64,
    /// How many of them were not before.
    pub new: u64,
    /// Receipts that were computed again.
    pub executed: u64,
    /// What the sample was drawn by.
    pub seed: u64,
    /// What the verification came to.
    pub verdict: Verdict,
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// Its stable name, such as `unreachable`.
    pub kind: &'static str,
    /// What, for people.
    pub what: String,
}

/// What a round did, and what it found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Round {
    /// The number of the round in this process, from 1.
    pub round: u64,
    /// When it began, in RFC 3339.
    pub at: String,
    /// The host.
    pub from: String,
    /// What it came to.
    pub result: Ended,
    /// Last heads of days that were told.
    pub heads: u64,
    /// The days that had new receipts, the earliest first.
    pub days: Vec<AuditedDay>,
    /// How many receipts came to what, over all days and kinds.
    pub receipts: Counts,
    /// What differs, also what was found in a round before and still is so.
    pub differences: Vec<Difference>,
    /// What failed.
    pub errors: Vec<Failed>,
    /// Time that it took.
    pub seconds: f64,
}

impl Round {
    /// Whether nothing failed, whatever was found.
    #[must_use]
    pub fn went_through(&self) -> bool {
        self.errors.is_empty()
    }
}

impl fmt::Display for Round {
    /// A line for people, and one for each difference and failure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            verified,
            differs,
            not_checkable,
            not_sampled,
        } = self.receipts;
        let new: u64 = self.days.iter().map(|day| day.new).sum();
        write!(
            f,
            "{} {}: {} days, {new} new receipts; {verified} verified, {differs} differ, \
             {not_checkable} not checkable, {not_sampled} not sampled, in {:.1} s",
            self.at,
            self.result.name().replace('_', " "),
            self.heads,
            self.seconds
        )?;
        for difference in &self.differences {
            write!(f, "\n  differs: {difference}")?;
        }
        for Failed { kind, what } in &self.errors {
            write!(f, "\n  {kind}: {what}")?;
        }
        Ok(())
    }
}

impl Auditor {
    /// Asks the host for all that is new, and looks at it. `now` is in seconds since the
    /// Unix epoch. Takes as long as the sample takes to compute; what fails is in the
    /// result, and is tried again in the next round.
    pub async fn round(&mut self, now: f64) -> Round {
        let start = Instant::now();
        self.rounds += 1;
        let mut round = Round {
            round: self.rounds,
            at: clock::rfc3339(now),
            from: self.host.name(),
            result: Ended::Verified,
            heads: 0,
            days: Vec::new(),
            receipts: Counts::default(),
            differences: Vec::new(),
            errors: Vec::new(),
            seconds: 0.0,
        };
        if let Err(failure) = self.hear(now, &mut round).await {
            self.fail(&failure, &mut round);
        }
        // Also what a round before could not: of heads that are believed already.
        let grown = self
            .state
            .days
            .iter()
            .filter(|(_, day)| day.audited < day.head.head.size);
        let grown: Vec<String> = grown.map(|(day, _)| day.clone()).collect();
        for day in grown {
            if let Err(failure) = self.audit(&day, now, &mut round).await {
                self.fail(&failure, &mut round);
            }
            self.save(&mut round);
        }
        if round.went_through() {
            self.state.last_success = Some(now);
            self.save(&mut round);
        }
        round.result = result(&round);
        round.seconds = start.elapsed().as_secs_f64();
        self.metrics.round(now, round.went_through());
        round
    }

    /// Asks for the heads, and believes those that contradict nothing.
    async fn hear(&mut self, now: f64, round: &mut Round) -> Result<(), Failure> {
        let oldest = self.state.days.keys().next().map(String::as_str);
        let heard = self.host.heads(oldest, self.options.days).await?;
        round.heads = heard.heads.len() as u64;
        let signers = Signers {
            told: &self.options.signers,
            known: self.state.signer.as_deref(),
        };
        let mut plan = rules::plan(&self.state, &heard, signers, now);
        let mut refuted = Vec::new();
        for claim in &plan.claims {
            // Without the proof none of the heads is believed: a later round would compare
            // heads of different times.
            let proof = self.host.proof(claim).await?;
            refuted.extend(claim.refuted(&proof));
        }
        let is_refuted = |head: &Disputed| {
            let day = &head.head.head.day;
            refuted
                .iter()
                .any(|difference: &Difference| difference.day == *day)
        };
        let (disputed, fresh) = plan.fresh.into_iter().partition::<Vec<_>, _>(is_refuted);
        plan.disputed.extend(disputed);
        plan.differences.extend(refuted);
        self.metrics
            .heads_inconsistent(plan.differences.len() as u64);
        for difference in plan.differences {
            self.differs(difference, now, round);
        }
        self.state.dispute(plan.disputed);
        self.state
            .take(fresh.into_iter().map(|head| head.head).collect());
        self.save(round);
        for day in plan.future {
            self.fail(&Failure::Future(day), round);
        }
        Ok(())
    }

    /// Looks at the bundle of a day, and computes a sample of what is new in it.
    async fn audit(&mut self, day: &str, now: f64, round: &mut Round) -> Result<(), Failure> {
        let Some(known) = self.state.days.get(day) else {
            return Ok(());
        };
        let (head, audited) = (known.head.head.clone(), known.audited);
        let file = self
            .host
            .bundle(day, &self.cache, self.options.max_bytes)
            .await?;
        let opened = tokio::task::spawn_blocking(move || Bundle::open(file.path())).await;
        let bundle = match opened {
            Ok(Ok(bundle)) => bundle,
            Ok(Err(problem)) => {
                return Err(Failure::Malformed {
                    route: format!("the bundle of {day}"),
                    why: problem.to_string(),
                });
            }
            Err(error) => return Err(Failure::Verifier(error.to_string())),
        };
        if let Some(difference) = self.compare(day, &head, &bundle)? {
            self.differs(difference, now, round);
            return Ok(());
        }
        let others = self.compare_others(day, &bundle).await?;
        if !others.is_empty() {
            for difference in others {
                self.differs(difference, now, round);
            }
            return Ok(());
        }
        // Drawn after the host has told all: it cannot know.
        let seed = SysRng.try_next_u64();
        let seed = seed.map_err(|error| Failure::Verifier(error.to_string()))?;
        let most = self.options.max_day;
        let began = Instant::now();
        let report = timeout(most, verify::run(bundle, self.options(seed, audited))).await;
        // The timer rings at the next millisecond: what ended before it may be late too.
        let in_time = report.ok().filter(|_| began.elapsed() < most);
        let report = in_time.ok_or_else(|| {
            let most = most.as_secs_f64();
            Failure::Verifier(format!("{day} was not verified within {most} s"))
        })?;
        let report = report.map_err(|error| Failure::Verifier(error.to_string()))?;
        let executed = report.sample.map_or(0, |sample| sample.drawn);
        round.days.push(AuditedDay {
            day: day.to_owned(),
            leaves: head.size,
            new: head.size - audited,
            executed,
            seed,
            verdict: report.verdict,
        });
        if let Some(known) = self.state.days.get_mut(day) {
            known.audited = head.size;
            known.executed += executed;
        }
        self.count(&report, round);
        tell_contexts(day, &report);
        for finding in report.findings {
            if let Some(difference) = Difference::of_finding(day, finding) {
                self.differs(difference, now, round);
            }
        }
        Ok(())
    }

    /// Whether a bundle is of the tree that is known.
    fn compare(
        &self,
        day: &str,
        known: &Head,
        bundle: &verify::BundleFile,
    ) -> Result<Option<Difference>, Failure> {
        let differs = |step, what| Ok(Some(Difference::of_day(step, day, what)));
        let Some(SignedHead { head, signer, .. }) = bundle.head() else {
            return differs("bundle", "it has no head".to_owned());
        };
        let signers = Signers {
            told: &self.options.signers,
            known: self.state.signer.as_deref(),
        };
        if !signers.may_be(signer) && *head != *known {
            return differs("signer", format!("the bundle's head is signed by {signer}"));
        }
        let leaves: Vec<&str> = bundle
            .receipts()
            .iter()
            .map(|leaf| leaf.id.as_str())
            .collect();
        match rules::fit(known, head, &leaves) {
            Fit::Fits => Ok(None),
            Fit::Stale => Err(Failure::Stale(day.to_owned())),
            Fit::Other(what) => differs("contents", format!("the bundle has another tree: {what}")),
        }
    }

    /// Whether the trees of other days that a bundle takes receipts from are those that are
    /// known of these days.
    async fn compare_others(
        &self,
        day: &str,
        bundle: &verify::BundleFile,
    ) -> Result<Vec<Difference>, Failure> {
        let (mut differences, claims) = rules::others(&self.state, day, &bundle.proofs().heads);
        for claim in claims {
            let proof = self.host.proof(&claim).await?;
            differences.extend(claim.refuted_in_bundle(&proof));
        }
        Ok(differences)
    }

    fn options(&self, seed: u64, skip: u64) -> Options {
        Options {
            plugins: self.options.plugins.clone(),
            jobs: self.options.jobs,
            sample: Some(Sample {
                size: self.options.sample,
                seed,
            }),
            skip,
            cache_dir: Some(self.cache.join("compiled")),
            ..Options::default()
        }
    }

    fn count(&self, report: &Report, round: &mut Round) {
        let all = &mut round.receipts;
        for counts in report.receipts.values() {
            all.verified += counts.verified;
            all.differs += counts.differs;
            all.not_checkable += counts.not_checkable;
            all.not_sampled += counts.not_sampled;
            for (result, count) in [
                ("verified", counts.verified),
                ("differs", counts.differs),
                ("not_checkable", counts.not_checkable),
            ] {
                self.metrics.receipts(result, count);
            }
        }
    }

    fn differs(&mut self, difference: Difference, now: f64, round: &mut Round) {
        tracing::error!(
            day = difference.day,
            step = difference.step,
            receipt = difference.receipt,
            field = difference.field,
            byte = difference.byte,
            "the host's receipts differ: {}",
            difference.what
        );
        self.state.keep(&difference, now);
        round.differences.push(difference);
    }

    fn fail(&self, failure: &Failure, round: &mut Round) {
        let kind = failure.kind();
        tracing::warn!(kind, "{failure}");
        self.metrics.failed(kind);
        round.errors.push(Failed {
            kind,
            what: failure.to_string(),
        });
    }

    fn save(&self, round: &mut Round) {
        if let Err(error) = self.file.save(&self.state) {
            self.fail(&Failure::State(error.to_string()), round);
        }
    }
}

/// Tells of calls of one kind that did not all have the same component, settings, limits,
/// seed and time. A host may have a reason; whether it is a good one is for people to say.
fn tell_contexts(day: &str, report: &Report) {
    for context in &report.contexts {
        let is_of = |of: &&Context| of.challenge == context.challenge && of.kind == context.kind;
        if report.contexts.iter().filter(is_of).count() > 1 {
            tracing::info!(
                day,
                challenge = context.challenge,
                kind = context.kind.name(),
                component = context.component,
                settings = context.settings,
                limits = context.limits,
                seed = context.seed,
                logical_time = context.logical_time,
                count = context.count,
                "not all calls of this kind had the same"
            );
        }
    }
}

fn result(round: &Round) -> Ended {
    let of_day = |day: &AuditedDay| match day.verdict {
        Verdict::Verified => Ended::Verified,
        Verdict::NotCheckable => Ended::NotCheckable,
        Verdict::Differs => Ended::Differs,
    };
    let days = round.days.iter().map(of_day);
    let failed = round.errors.iter().map(|_| Ended::Failed);
    let differs = round.differences.iter().map(|_| Ended::Differs);
    days.chain(failed)
        .chain(differs)
        .max()
        .unwrap_or(Ended::Verified)
}
