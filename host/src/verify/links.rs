//! What a receipt takes from others is what those say.

mod judge;
mod transcript;
mod vector;
mod weights;

use super::day::{Day, Role};
use super::documents::Documents;
use super::report::{Findings, Step, Trouble, Why};
use crate::canonical::Bits;
use crate::receipts::documents::{
    Commit, CompareInput, EvaluateInput, Evaluated, JudgeInput, JudgeOutput, Verdict,
};
use crate::receipts::{Kind, Receipt};
use std::collections::{BTreeMap, BTreeSet};

/// What others take from a receipt.
enum Facts {
    /// The artifact that was evaluated.
    Evaluated(String),
    /// The verdict on a commit; none if there is none.
    Judged(Box<Commit>, Option<Verdict>),
}

/// What was found by the links, for the steps that follow.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Judgements of a commit that no receipt compares with a reference, which is right
    /// if the challenge does not compare: the reference's artifact.
    pub(super) uncompared: BTreeMap<String, String>,
    /// Answers of the host that nobody else can ask for.
    pub(super) recorded_answers: u64,
    /// Ids of receipts of other days.
    pub(super) external: BTreeSet<String>,
}

/// What a challenge told on the day.
struct Paid<'a> {
    /// Which leaf it is.
    place: usize,
    id: &'a str,
    /// Whether it pays anybody.
    pays: Result<bool, Trouble>,
}

struct Links<'a> {
    day: &'a Day,
    documents: &'a Documents,
    facts: BTreeMap<&'a str, Result<Facts, Trouble>>,
    /// Which leaf a receipt is.
    places: BTreeMap<&'a str, usize>,
    /// What each challenge told on the day.
    paid: BTreeMap<&'a str, Vec<Paid<'a>>>,
    /// Hotkeys that are registered, as the day's vector has them; none if there is none.
    registered: Option<BTreeSet<String>>,
    linked: Linked,
}

/// Checks the links of all receipts that are computed again.
pub(super) fn check(day: &Day, findings: &mut Findings) -> Linked {
    let documents = &day.documents;
    let all = day.all().filter_map(|(_, signed)| {
        let facts = facts(documents, &signed.receipt)?;
        Some((signed.id.as_str(), facts))
    });
    let leaves = documents.bundle.receipts();
    let external = day.all().filter(|(role, _)| *role == Role::External);
    let mut links = Links {
        day,
        documents,
        facts: all.collect(),
        places: leaves
            .iter()
            .map(|leaf| leaf.id.as_str())
            .zip(0..)
            .collect(),
        paid: vector::paid(documents),
        registered: vector::registered(documents),
        linked: Linked {
            external: external.map(|(_, signed)| signed.id.clone()).collect(),
            ..Linked::default()
        },
    };
    for (role, signed) in day.all().filter(|(role, _)| *role != Role::External) {
        let about = Some((signed.id.as_str(), signed.receipt.kind));
        let mut troubles = links.of_receipt(&signed.id, &signed.receipt);
        if role == Role::Leaf
            && signed.receipt.kind == Kind::Solve
            && documents.bundle.head().is_some()
        {
            troubles.push(Trouble::differs("a submission's run is no leaf"));
        }
        // What is absent is told once for each receipt, wherever it is missed.
        let mut told = BTreeSet::new();
        for trouble in troubles {
            if told.insert(trouble.what.clone()) {
                findings.add(Step::Links, about, trouble);
            }
        }
    }
    if let Some(trouble) = links.lacks_vector() {
        findings.add(Step::Links, None, trouble);
    }
    links.linked
}

fn facts(documents: &Documents, receipt: &Receipt) -> Option<Result<Facts, Trouble>> {
    let input = &receipt.input;
    match receipt.kind {
        Kind::Evaluate => {
            let input = documents.document::<EvaluateInput>("input", input);
            Some(input.map(|input| Facts::Evaluated(input.submission)))
        }
        Kind::Judge => {
            let judged = || {
                let input = documents.document::<JudgeInput>("input", input)?;
                let output = documents.document::<JudgeOutput>("output", &receipt.output)?;
                Ok(Facts::Judged(Box::new(input.commit), output.verdict))
            };
            Some(judged())
        }
        _ => None,
    }
}

/// Whether two are of the same commit. The miner's uid and addresses may have changed.
pub(super) fn is_same(a: &Commit, b: &Commit) -> bool {
    let key = |commit: &Commit| {
        let Commit {
            committed_at,
            miner,
            submission,
        } = commit;
        (
            committed_at.0.to_bits(),
            miner.hotkey.clone(),
            submission.clone(),
        )
    };
    key(a) == key(b)
}

fn no_receipt(what: impl Into<String>) -> Trouble {
    Trouble::not_checkable(Why::NoReceipt, what)
}

impl Links<'_> {
    fn of_receipt(&mut self, id: &str, receipt: &Receipt) -> Vec<Trouble> {
        let mut troubles = self.documents_of(receipt);
        for dependency in &receipt.depends_on {
            if self.day.get(dependency).is_none() {
                let what = format!("it depends on {dependency}, which is not in the bundle");
                troubles.push(Trouble::not_checkable(Why::Missing, what));
            }
        }
        let checked = match receipt.kind {
            Kind::Solve => Ok(()),
            Kind::Evaluate => self.evaluate(receipt, &mut troubles),
            Kind::Compare => self.compare(receipt, &mut troubles),
            Kind::Judge => self.judge(id, receipt, &mut troubles),
            Kind::GetWeights => self.get_weights(id, receipt, &mut troubles),
            Kind::Vector => self.vector(id, receipt, &mut troubles),
        };
        troubles.extend(checked.err());
        troubles
    }

    /// Whether what a receipt names by digest is there, or is withheld for a reason.
    fn documents_of(&self, receipt: &Receipt) -> Vec<Trouble> {
        let optional = [
            ("component", &receipt.component),
            ("limits", &receipt.limits),
            ("settings", &receipt.settings),
            ("transcript", &receipt.transcript),
        ];
        let optional = optional.into_iter().filter_map(|(what, digest)| {
            let digest = digest.as_deref()?;
            Some((what, digest))
        });
        let named = [
            ("input", receipt.input.as_str()),
            ("output", &receipt.output),
        ];
        let all = optional.chain(named);
        all.filter_map(|(what, digest)| self.documents.check(what, digest).err())
            .collect()
    }

    fn evaluate(&mut self, receipt: &Receipt, troubles: &mut Vec<Trouble>) -> Result<(), Trouble> {
        let input: EvaluateInput = self.documents.document("input", &receipt.input)?;
        self.transcript(receipt, Some(&input.submission), troubles)
    }

    fn compare(&mut self, receipt: &Receipt, troubles: &mut Vec<Trouble>) -> Result<(), Trouble> {
        let input: CompareInput = self.documents.document("input", &receipt.input)?;
        match self.evaluation(receipt, "candidate", &input.candidate) {
            Ok(evaluation) => troubles.extend(same_context(receipt, evaluation).err()),
            Err(trouble) => troubles.push(trouble),
        }
        for (index, reference) in input.references.iter().enumerate() {
            let what = format!("references[{index}]");
            troubles.extend(self.evaluation(receipt, &what, reference).err());
        }
        self.transcript(receipt, Some(&input.candidate.submission), troubles)
    }

    /// The evaluation that an input takes a result from.
    fn evaluation(
        &self,
        receipt: &Receipt,
        what: &str,
        of: &Evaluated,
    ) -> Result<&Receipt, Trouble> {
        let submission = &of.submission;
        let (mut unknown, mut other) = (None, None);
        for (id, evaluation) in self.day.dependencies(receipt, Kind::Evaluate) {
            match self.facts.get(id) {
                Some(Ok(Facts::Evaluated(evaluated))) if evaluated == submission => {
                    if evaluation.output == of.result {
                        // It is in the day, and lives as long.
                        return self.day.get(id).ok_or_else(|| no_receipt(id));
                    }
                    other = Some((id, &evaluation.output));
                }
                Some(Err(trouble)) => unknown = Some(trouble),
                _ => {}
            }
        }
        Err(match (other, unknown) {
            (Some((id, output)), _) => Trouble::differs(format!(
                "the {what}'s result is {}, and the evaluation {id} came to {output}",
                of.result
            )),
            (None, Some(trouble)) => trouble.clone(),
            (None, None) => no_receipt(format!(
                "the {what}'s result ({submission}) is of an evaluation without a receipt"
            )),
        })
    }

    /// The verdicts that were given on a commit, of those that a receipt depends on, with
    /// the ids of their receipts.
    fn verdicts<'r>(
        &'r self,
        receipt: &'r Receipt,
        commit: &Commit,
    ) -> Result<Vec<(&'r str, Option<&'r Verdict>)>, Trouble> {
        let (mut verdicts, mut unknown) = (Vec::new(), None);
        for (id, _) in self.day.dependencies(receipt, Kind::Judge) {
            match self.facts.get(id) {
                Some(Ok(Facts::Judged(judged, verdict))) if is_same(judged, commit) => {
                    verdicts.push((id, verdict.as_ref()));
                }
                Some(Err(trouble)) => unknown = Some(trouble.clone()),
                _ => {}
            }
        }
        match unknown {
            Some(trouble) if verdicts.is_empty() => Err(trouble),
            _ => Ok(verdicts),
        }
    }
}

/// The score of a verdict that may earn.
fn accepted(verdict: Option<&Verdict>) -> Option<Bits> {
    let verdict = verdict.filter(|verdict| verdict.accepted);
    verdict.map(|verdict| verdict.score)
}

/// Comparisons and judgements have the seed and the time of the evaluation.
fn same_context(receipt: &Receipt, evaluation: &Receipt) -> Result<(), Trouble> {
    let context = |receipt: &Receipt| (receipt.seed.clone(), receipt.logical_time);
    if context(receipt) == context(evaluation) {
        return Ok(());
    }
    Err(Trouble::differs(
        "the seed or the logical time is not that of its evaluation",
    ))
}
