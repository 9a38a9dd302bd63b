//! What a judgement takes: the evaluation, the comparisons, and the verdicts on those that
//! it is compared with.

use super::super::report::Trouble;
use super::{Facts, Links, is_same, no_receipt, same_context};
use crate::canonical::Bits;
use crate::receipts::documents::{
    Commit, CompareInput, CompareOutput, Comparison, ComparisonLog, Evaluated, JudgeInput,
};
use crate::receipts::{Kind, Receipt};

/// What the host itself says of a copy.
const COPY: &str = "the same artifact";

impl Links<'_> {
    pub(super) fn judge(
        &mut self,
        id: &str,
        receipt: &Receipt,
        troubles: &mut Vec<Trouble>,
    ) -> Result<(), Trouble> {
        let input: JudgeInput = self.documents.document("input", &receipt.input)?;
        let evaluated = Evaluated {
            result: input.result.clone(),
            submission: input.commit.submission.clone(),
        };
        match self.evaluation(receipt, "commit", &evaluated) {
            // The host's own rule has neither.
            Ok(evaluation) if receipt.component.is_some() => {
                troubles.extend(same_context(receipt, evaluation).err());
            }
            Ok(_) => {}
            Err(trouble) => troubles.push(trouble),
        }
        let (compared, unknown) = self.compared(receipt, &evaluated);
        for (index, comparison) in input.comparisons.iter().enumerate() {
            let logs = self.logs(id, &evaluated, comparison, &compared, unknown.as_ref());
            let earlier = is_earlier(&comparison.reference, &input.commit);
            let score = self.reference_score(receipt, comparison);
            for trouble in [earlier.err(), logs.err(), score.err()]
                .into_iter()
                .flatten()
            {
                let what = format!("comparisons[{index}]: {}", trouble.what);
                troubles.push(Trouble { what, ..trouble });
            }
        }
        if receipt.component.is_some() && receipt.transcript.is_some() {
            self.transcript(receipt, None, troubles)?;
        }
        Ok(())
    }

    /// The comparisons of a commit that its judgement depends on, and why there may be
    /// more.
    fn compared(
        &self,
        receipt: &Receipt,
        evaluated: &Evaluated,
    ) -> (Vec<(CompareInput, CompareOutput)>, Option<Trouble>) {
        let (mut compared, mut unknown) = (Vec::new(), None);
        for (_, comparison) in self.day.dependencies(receipt, Kind::Compare) {
            let documents = self
                .documents
                .document::<CompareInput>("input of a comparison", &comparison.input)
                .and_then(|input| {
                    let output = &comparison.output;
                    let output = self.documents.document("output of a comparison", output)?;
                    Ok((input, output))
                });
            match documents {
                Ok((input, output)) if input.candidate == *evaluated => {
                    compared.push((input, output));
                }
                Ok(_) => {}
                Err(trouble) => unknown = Some(trouble),
            }
        }
        (compared, unknown)
    }

    /// Checks what a comparison is said to have found.
    fn logs(
        &mut self,
        id: &str,
        evaluated: &Evaluated,
        comparison: &Comparison,
        compared: &[(CompareInput, CompareOutput)],
        unknown: Option<&Trouble>,
    ) -> Result<(), Trouble> {
        let (reference, logs) = (&comparison.reference.submission, &comparison.logs);
        let differs = || {
            let what = format!("the logs about {reference} are not those of its comparison");
            Err(Trouble::differs(what))
        };
        if *reference == evaluated.submission {
            let copy = ComparisonLog {
                reason: Some(COPY.to_owned()),
                reference: reference.clone(),
                similarity: Bits(1.0),
            };
            return if *logs == [copy] { Ok(()) } else { differs() };
        }
        let mut about = compared.iter().filter(|(input, output)| {
            let mut references = input.references.iter();
            output.outcome == "ok" && references.any(|of| of.submission == *reference)
        });
        let is_same = |(_, output): &(CompareInput, CompareOutput)| {
            output
                .logs
                .iter()
                .filter(|log| log.reference == *reference)
                .eq(logs)
        };
        match (about.next(), unknown) {
            (Some(first), _) if is_same(first) || about.any(is_same) => Ok(()),
            (Some(_), _) => differs(),
            (None, Some(trouble)) => Err(trouble.clone()),
            (None, None) if logs.is_empty() => {
                let uncompared = &mut self.linked.uncompared;
                uncompared.insert(id.to_owned(), reference.clone());
                Ok(())
            }
            (None, None) => {
                let what = format!("the comparison with {reference} has no receipt");
                Err(no_receipt(what))
            }
        }
    }

    /// Checks a reference's score by the receipt of its verdict.
    fn reference_score(&self, receipt: &Receipt, comparison: &Comparison) -> Result<(), Trouble> {
        let verdicts = self.verdicts(receipt, &comparison.reference)?;
        let told = comparison.reference_score;
        let mut scores = verdicts
            .iter()
            .map(|(_, verdict)| verdict.map(|verdict| verdict.score));
        if scores.any(|score| score == told) {
            return Ok(());
        }
        match (verdicts.is_empty(), told) {
            (true, None) if self.has_no_verdict(receipt, &comparison.reference) => Ok(()),
            (true, _) => Err(no_receipt("the reference has no verdict with a receipt")),
            (false, _) => Err(Trouble::differs(
                "the reference's score is not its verdict's",
            )),
        }
    }

    /// Whether the challenge could not judge a commit on this day.
    fn has_no_verdict(&self, receipt: &Receipt, commit: &Commit) -> bool {
        let facts = self.facts.iter().filter(|(id, _)| {
            let of = self.day.get(id);
            self.places.contains_key(**id) && of.is_some_and(|of| of.challenge == receipt.challenge)
        });
        let mut failed = facts.filter_map(|(_, facts)| match facts {
            Ok(Facts::Judged(judged, None)) => Some(judged),
            _ => None,
        });
        failed.any(|judged| is_same(judged, commit))
    }
}

/// References are of other miners, and were committed before: by time, ties by hotkey.
fn is_earlier(reference: &Commit, commit: &Commit) -> Result<(), Trouble> {
    let key = |commit: &Commit| {
        let at = commit.committed_at.0.max(0.0);
        // The bits of a float that is not negative sort like the float.
        (at.to_bits().cast_signed(), commit.miner.hotkey.clone())
    };
    let is_other = reference.miner.hotkey != commit.miner.hotkey;
    if is_other && key(reference) < key(commit) {
        return Ok(());
    }
    Err(Trouble::differs(
        "the reference is no earlier commit of another miner",
    ))
}
