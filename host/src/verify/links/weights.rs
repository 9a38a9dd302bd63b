//! What a challenge's weights are made of: who stands where.

use super::super::day::Role;
use super::super::report::Trouble;
use super::{Facts, Links, accepted, no_receipt};
use crate::clock;
use crate::receipts::documents::{GetWeightsInput, Standing};
use crate::receipts::{Kind, Receipt};
use std::collections::BTreeMap;

/// Seconds.
const DAY: f64 = 86_400.0;

impl Links<'_> {
    pub(super) fn get_weights(
        &mut self,
        id: &str,
        receipt: &Receipt,
        troubles: &mut Vec<Trouble>,
    ) -> Result<(), Trouble> {
        troubles.extend(self.is_of_day(id, receipt).err());
        let input: GetWeightsInput = self.documents.document("input", &receipt.input)?;
        for (index, standing) in input.standings.iter().enumerate() {
            let checked = self.standing(receipt, standing).map_err(|trouble| Trouble {
                what: format!("standings[{index}]: {}", trouble.what),
                ..trouble
            });
            troubles.extend(checked.err());
        }
        let mut standings: BTreeMap<&str, f64> = BTreeMap::new();
        for standing in &input.standings {
            let hotkey = standing.commit.miner.hotkey.as_str();
            if standings.insert(hotkey, standing.score.0).is_some() {
                let what = format!("{hotkey} stands more than once");
                troubles.push(Trouble::differs(what));
            }
        }
        troubles.extend(self.left_out(receipt, &standings));
        self.transcript(receipt, None, troubles)
    }

    /// Whether the weights were told for the day that they are a leaf of.
    fn is_of_day(&self, id: &str, receipt: &Receipt) -> Result<(), Trouble> {
        let head = self.documents.bundle.head();
        let Some(signed) = head.filter(|_| self.places.contains_key(id)) else {
            return Ok(());
        };
        let (day, now) = (&signed.head.day, receipt.logical_time.0);
        let start = clock::start_of_day(day);
        if start.is_some_and(|start| (start..start + DAY).contains(&now)) {
            return Ok(());
        }
        Err(Trouble::differs(format!(
            "its logical time, {now}, is not on the day {day}"
        )))
    }

    fn standing(&self, receipt: &Receipt, standing: &Standing) -> Result<(), Trouble> {
        let mut verdicts = self.verdicts(receipt, &standing.commit)?;
        if verdicts.is_empty() {
            return Err(no_receipt("the verdict has no receipt"));
        }
        verdicts.retain(|(_, verdict)| accepted(*verdict) == Some(standing.score));
        if verdicts.is_empty() {
            let what = "the score is not that of an accepted verdict";
            return Err(Trouble::differs(what));
        }
        let (scored_at, now) = (standing.scored_at, receipt.logical_time);
        // All of a day have its time, and those before have an earlier one. Of a receipt by
        // itself nobody knows which are which.
        let has_day = self.documents.bundle.head().is_some();
        let mut is_then = verdicts.iter().map(|(id, _)| match has_day {
            true if self.places.contains_key(id) => scored_at == now,
            true => scored_at.0 < now.0,
            false => scored_at.0 <= now.0,
        });
        if is_then.any(|is_then| is_then) {
            return Ok(());
        }
        Err(Trouble::differs(format!(
            "it was scored at {}, which is not when its verdict was given",
            scored_at.0
        )))
    }

    /// Accepted commits of the day whose miners do not stand, or with less.
    fn left_out(&self, receipt: &Receipt, standings: &BTreeMap<&str, f64>) -> Vec<Trouble> {
        let of_day = self.day.all().filter(|(role, signed)| {
            let of = &signed.receipt;
            *role == Role::Leaf && of.kind == Kind::Judge && of.challenge == receipt.challenge
        });
        let better = of_day.filter_map(|(_, signed)| {
            let Some(Ok(Facts::Judged(commit, verdict))) = self.facts.get(signed.id.as_str())
            else {
                return None;
            };
            let score = accepted(verdict.as_ref())?.0;
            let hotkey = commit.miner.hotkey.as_str();
            let Some(standing) = standings.get(hotkey) else {
                let registered = self.registered.as_ref();
                let may_stand = registered.is_none_or(|miners| miners.contains(hotkey));
                let what =
                    format!("{hotkey} was accepted and has no standing: it may not be registered");
                return may_stand.then(|| no_receipt(what));
            };
            (score > *standing).then(|| {
                Trouble::differs(format!(
                    "{hotkey} stands with {standing}, and its commit of the judgement {} has \
                     {score}",
                    signed.id
                ))
            })
        });
        better.collect()
    }
}
