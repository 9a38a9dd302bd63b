//! What a verification came to.

use crate::receipts::Kind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Findings that a report has, at most.
pub const MAX_FINDINGS: usize = 100;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is as it says.
    Verified,
    /// It cannot be told: something is withheld, or another engine is needed.
    NotCheckable,
    /// Something is not as it says.
    Differs,
}

impl Verdict {
    /// The stable name, such as `not_checkable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::NotCheckable => "not_checkable",
            Verdict::Differs => "differs",
        }
    }
}

/// Where something was found, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The file: each blob is what it is named after.
    Bundle,
    /// Who signed.
    Signatures,
    /// The leaves make the head's root.
    Tree,
    /// What a receipt takes from others is what those say.
    Links,
    /// Computing it again.
    Execute,
}

impl Step {
    /// The stable name, such as `links`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Step::Bundle => "bundle",
            Step::Signatures => "signatures",
            Step::Tree => "tree",
            Step::Links => "links",
            Step::Execute => "execute",
        }
    }
}

/// Why something cannot be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The author of the challenge keeps it private.
    Private,
    /// The call had an environment, which is never given out.
    Environment,
    /// The bundle was made without it.
    NotIncluded,
    /// It is not kept any more, or the bundle is not whole.
    Missing,
    /// It is damaged, which is a finding of its own.
    Damaged,
    /// Another engine computed it.
    Engine,
    /// Time decided, or a service did, and not the call.
    Time,
    /// No receipt says where it comes from.
    NoReceipt,
    /// It would take more than this verifier gives.
    Limits,
    /// How deep the guest got decides, which is not the same everywhere.
    Stack,
}

/// Something that is not as it should be, or cannot be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    pub step: Step,
    /// [`Verdict::Differs`] or [`Verdict::NotCheckable`].
    pub result: Verdict,
    /// Why it cannot be checked; none of what differs.
    pub why: Option<Why>,
    /// Id of the receipt that it is about, if it is about one.
    pub receipt: Option<String>,
    /// That receipt's kind.
    pub kind: Option<Kind>,
    /// What, for people.
    pub what: String,
    /// The first byte that differs, from 0 on, of the text that `what` names; none if it
    /// is not known.
    pub byte: Option<u64>,
    /// Where in a document that byte is, such as `logs[3].score`.
    pub field: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.step.name())?;
        if let (Some(kind), Some(receipt)) = (self.kind, &self.receipt) {
            write!(f, "{} {:.12}: ", kind.name(), receipt)?;
        }
        f.write_str(&self.what)
    }
}

/// How many receipts came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of it is as it says.
    pub verified: u64,
    /// Something is not.
    pub differs: u64,
    /// It cannot be told.
    pub not_checkable: u64,
    /// Not in the sample: signed, linked, and not computed again.
    pub not_sampled: u64,
}

/// What calls of a challenge had in common, and how many had it.
///
/// A challenge that is changed, and commits that are left over from another day, have more
/// than one; and so has a host that treats submissions differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Context {
    /// The challenge.
    pub challenge: Option<String>,
    /// What was called.
    pub kind: Kind,
    /// Digest of the component.
    pub component: Option<String>,
    /// Digest of the settings.
    pub settings: Option<String>,
    /// Digest of the limits.
    pub limits: Option<String>,
    /// The seed, in decimal digits.
    pub seed: String,
    /// The time that the guest was told, in seconds since the Unix epoch.
    pub logical_time: f64,
    /// Leaves that had it.
    pub count: u64,
}

/// What was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sampled {
    /// Receipts that were computed again.
    pub drawn: u64,
    /// Of how many.
    pub of: u64,
    /// What they were drawn by.
    pub seed: u64,
}

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`Verdict::Differs`] if anything does, else [`Verdict::NotCheckable`] if anything
    /// is not.
    pub verdict: Verdict,
    /// The day, `YYYY-MM-DD`, UTC; none of a bundle of one receipt.
    pub day: Option<String>,
    /// Who signed the head, or the first receipt without one: SS58 with prefix 42.
    pub signer: Option<String>,
    /// Leaves in the bundle.
    pub leaves: u64,
    /// The engine that computed here.
    pub engine: String,
    /// Kind → how many receipts came to what. Leaves, and solves that they name.
    pub receipts: BTreeMap<&'static str, Counts>,
    /// Receipts of other days: their signatures were checked, and what is taken from them.
    pub external: u64,
    /// Answers of databases and files, which no one else can ask for again. They are
    /// taken as they were recorded.
    pub recorded_answers: u64,
    /// What the calls among the leaves had in common, by challenge and kind, the most
    /// frequent first; at most [`MAX_FINDINGS`].
    pub contexts: Vec<Context>,
    /// Of a verification by sample, what was drawn.
    pub sample: Option<Sampled>,
    /// What differs first, then what cannot be checked, each in the order of the steps;
    /// at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub findings_total: u64,
    /// Time that it took.
    pub seconds: f64,
    /// Receipts that were computed again per second.
    pub receipts_per_second: f64,
}

/// Why a step is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) why: Option<Why>,
    pub(super) what: String,
    pub(super) byte: Option<u64>,
    pub(super) field: Option<String>,
}

impl Trouble {
    pub(super) fn differs(what: impl Into<String>) -> Self {
        Trouble {
            why: None,
            what: what.into(),
            byte: None,
            field: None,
        }
    }

    pub(super) fn not_checkable(why: Why, what: impl Into<String>) -> Self {
        Trouble {
            why: Some(why),
            ..Trouble::differs(what)
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.why {
            Some(_) => Verdict::NotCheckable,
            None => Verdict::Differs,
        }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    differs: Vec<Finding>,
    not_checkable: Vec<Finding>,
    total: u64,
    worst: BTreeMap<String, Verdict>,
    verdict: Option<Verdict>,
}

impl Findings {
    pub(super) fn add(&mut self, step: Step, receipt: Option<(&str, Kind)>, trouble: Trouble) {
        let result = trouble.verdict();
        self.total += 1;
        self.verdict = self.verdict.max(Some(result));
        if let Some((id, _)) = receipt {
            let worst = self.worst.entry(id.to_owned()).or_insert(result);
            *worst = result.max(*worst);
        }
        let list = match result {
            Verdict::Differs => &mut self.differs,
            _ => &mut self.not_checkable,
        };
        if list.len() < MAX_FINDINGS {
            list.push(Finding {
                step,
                result,
                why: trouble.why,
                receipt: receipt.map(|(id, _)| id.to_owned()),
                kind: receipt.map(|(_, kind)| kind),
                what: trouble.what,
                byte: trouble.byte,
                field: trouble.field,
            });
        }
    }

    /// What is known of a receipt.
    pub(super) fn of(&self, id: &str) -> Verdict {
        self.worst.get(id).copied().unwrap_or(Verdict::Verified)
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Verified)
    }

    /// The first of them, and how many there are.
    pub(super) fn finish(self) -> (Vec<Finding>, u64) {
        let mut list = self.differs;
        list.extend(self.not_checkable);
        list.truncate(MAX_FINDINGS);
        (list, self.total)
    }
}
