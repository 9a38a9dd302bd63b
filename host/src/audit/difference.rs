//! What is not as a host says.

use crate::verify::{Finding, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that is not as the host says, or contradicts what it said before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Of which day, `YYYY-MM-DD`.
    pub day: String,
    /// Of a head: `signature`, `signer`, `head`, `consistency`, `previous`, `vanished`. Of
    /// a bundle: `contents` if its tree, or one of another day in it, is another than the
    /// head's, or a step of the verification.
    pub step: String,
    /// Id of the receipt that it is about, if it is about one.
    pub receipt: Option<String>,
    /// What, for people.
    pub what: String,
    /// The first byte that differs, of the text that `what` names.
    pub byte: Option<u64>,
    /// Where in a document that byte is.
    pub field: Option<String>,
}

/// A difference, and when it was found first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// When, in RFC 3339.
    pub at: String,
    /// What.
    pub difference: Difference,
}

impl Difference {
    pub(super) fn of_day(step: &str, day: &str, what: String) -> Self {
        Difference {
            day: day.to_owned(),
            step: step.to_owned(),
            receipt: None,
            what,
            byte: None,
            field: None,
        }
    }

    /// What a verification of a day found; none if that only cannot be checked.
    pub(super) fn of_finding(day: &str, finding: Finding) -> Option<Self> {
        let differs = finding.result == Verdict::Differs;
        differs.then(|| Difference {
            day: day.to_owned(),
            step: finding.step.name().to_owned(),
            receipt: finding.receipt,
            what: finding.what,
            byte: finding.byte,
            field: finding.field,
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.day, self.step)?;
        if let Some(receipt) = &self.receipt {
            write!(f, "{receipt:.12}: ")?;
        }
        f.write_str(&self.what)
    }
}
