//! Runs of a submission that a transcript tells, and their receipts.

use super::super::report::{Trouble, Why};
use super::Links;
use crate::canonical::digest;
use crate::receipts::documents::{Document, LimitsDocument};
use crate::receipts::transcript::{Held, Transcript, TranscriptCall};
use crate::receipts::{Kind, Receipt};

/// What a submission's run is called in a transcript.
const SOLVE: &str = "runner.solve";

impl Links<'_> {
    /// Checks the runs of `submission` that a call had done.
    pub(super) fn transcript(
        &mut self,
        receipt: &Receipt,
        submission: Option<&str>,
        troubles: &mut Vec<Trouble>,
    ) -> Result<(), Trouble> {
        let Some(named) = &receipt.transcript else {
            return Ok(());
        };
        let transcript: Transcript = self.documents.document("transcript", named)?;
        for digest in transcript.digests() {
            troubles.extend(self.documents.check("text of the transcript", digest).err());
        }
        let limits = self.solver_limits(receipt);
        for (index, call) in transcript.calls.iter().enumerate() {
            if call.name != SOLVE {
                self.linked.recorded_answers += 1;
                continue;
            }
            let limits = limits.as_ref().map_err(Clone::clone);
            let checked = limits
                .and_then(|limits| self.solve(receipt, submission, call, limits.as_deref()))
                .map_err(|trouble| Trouble {
                    what: format!("host call {index}, {SOLVE}: {}", trouble.what),
                    ..trouble
                });
            troubles.extend(checked.err());
        }
        Ok(())
    }

    /// The digest of the limits that each run has; none if there are none.
    fn solver_limits(&self, receipt: &Receipt) -> Result<Option<String>, Trouble> {
        let Some(limits) = &receipt.limits else {
            return Ok(None);
        };
        let limits: LimitsDocument = self.documents.document("limits", limits)?;
        let text = limits
            .solver
            .map(|solver| LimitsDocument::new(solver, None).text());
        let text = text
            .transpose()
            .map_err(|e| Trouble::differs(e.to_string()))?;
        Ok(text.map(digest))
    }

    fn solve(
        &self,
        receipt: &Receipt,
        submission: Option<&str>,
        call: &TranscriptCall,
        limits: Option<&str>,
    ) -> Result<(), Trouble> {
        let Some(id) = &call.solve else {
            return Err(Trouble::not_checkable(
                Why::Time,
                "no receipt tells the run: a service solved it, or time decided",
            ));
        };
        if !receipt.depends_on.contains(id) {
            return Err(Trouble::differs(format!(
                "it names {id}, on which nothing depends"
            )));
        }
        let Some(solve) = self.day.get(id) else {
            // Told of what it depends on.
            return Ok(());
        };
        let differs = |what: &str| Err(Trouble::differs(format!("{what} of the run {id}")));
        match solve {
            _ if solve.kind != Kind::Solve => differs("it is no receipt"),
            _ if solve.component.as_deref() != submission => differs("its submission is not that"),
            _ if solve.input != digest_of(&call.request) => differs("its task is not that"),
            _ if solve.output != digest_of(&call.response) => differs("its solution is not that"),
            _ if solve.limits.as_deref() != limits => differs("its limits are not those"),
            _ if solve.engine != receipt.engine => differs("its engine is not that"),
            _ if (&solve.seed, solve.logical_time) != (&receipt.seed, receipt.logical_time) => {
                differs("its seed or logical time is not that")
            }
            _ => Ok(()),
        }
    }
}

fn digest_of(held: &Held) -> String {
    match held {
        Held::Text(text) => digest(text),
        Held::Sha256(digest) => digest.clone(),
    }
}
