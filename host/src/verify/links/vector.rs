//! What a weight vector is made of: what each challenge told.

use super::super::documents::Documents;
use super::super::report::Trouble;
use super::{Links, Paid, no_receipt};
use crate::receipts::documents::{GetWeightsInput, GetWeightsOutput, Miner};
use crate::receipts::{Kind, Receipt, VectorChallenge, VectorInput, VectorMiner, compute};
use std::collections::{BTreeMap, BTreeSet};

/// How the reason begins for which a challenge that organic rewards decide pays nothing,
/// whatever it told itself.
const ORGANIC: &str = "organic_stale";

/// What each challenge told on the day.
pub(super) fn paid(documents: &Documents) -> BTreeMap<&str, Vec<Paid<'_>>> {
    let mut paid: BTreeMap<&str, Vec<Paid<'_>>> = BTreeMap::new();
    for (place, leaf) in documents.bundle.receipts().iter().enumerate() {
        let receipt = &leaf.receipt;
        if let (Kind::GetWeights, Some(name)) = (receipt.kind, &receipt.challenge) {
            let output = documents.document::<GetWeightsOutput>("weights", &receipt.output);
            let pays = output.map(|output| {
                output.outcome == "ok" && output.weights.iter().any(|w| w.weight.0 > 0.0)
            });
            let id = leaf.id.as_str();
            paid.entry(name).or_default().push(Paid { place, id, pays });
        }
    }
    paid
}

/// Hotkeys that are registered, as the day's vector has them.
pub(super) fn registered(documents: &Documents) -> Option<BTreeSet<String>> {
    let leaves = documents.bundle.receipts().iter();
    let mut inputs = leaves
        .filter(|leaf| leaf.receipt.kind == Kind::Vector)
        .filter_map(|leaf| {
            let input = documents.document::<VectorInput>("input", &leaf.receipt.input);
            input.ok()
        });
    let of_day = inputs.find(|input| input.fit.is_none())?;
    Some(of_day.miners.into_keys().collect())
}

impl Links<'_> {
    pub(super) fn vector(
        &mut self,
        id: &str,
        receipt: &Receipt,
        troubles: &mut Vec<Trouble>,
    ) -> Result<(), Trouble> {
        let input: VectorInput = self.documents.document("input", &receipt.input)?;
        if let Some(signed) = self.documents.bundle.head()
            && input.day != signed.head.day
        {
            let (of, day) = (&input.day, &signed.head.day);
            let what = format!("it is the vector of {of}, and a leaf of {day}");
            troubles.push(Trouble::differs(what));
        }
        for (name, challenge) in &input.challenges {
            let checked = self
                .challenge(receipt, name, challenge)
                .and_then(|()| self.miners(&input, challenge));
            let checked = checked.map_err(|trouble| Trouble {
                what: format!("challenge {name}: {}", trouble.what),
                ..trouble
            });
            troubles.extend(checked.err());
        }
        // What counts later may be of later days.
        if input.fit.is_none() {
            troubles.extend(self.left_out_of(id, &input));
        }
        Ok(())
    }

    /// Challenges that told weights on the day, which its vector does not take.
    fn left_out_of(&self, id: &str, input: &VectorInput) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let place = self.places.get(id);
        for (name, paid) in &self.paid {
            let of_vector = input.challenges.get(*name);
            let mut found = paid.iter().filter_map(|paid| {
                let checked = is_taken(paid, place, of_vector);
                checked.err()
            });
            // The first says it all.
            troubles.extend(found.next().map(|trouble| Trouble {
                what: format!("challenge {name}: {}", trouble.what),
                ..trouble
            }));
        }
        troubles
    }

    /// Why a day that told weights has no vector.
    pub(super) fn lacks_vector(&self) -> Option<Trouble> {
        let bundle = &self.documents.bundle;
        let day = &bundle.head()?.head.day;
        if self.paid.is_empty() {
            return None;
        }
        let vectors = bundle.receipts().iter();
        let mut vectors = vectors.filter(|leaf| leaf.receipt.kind == Kind::Vector);
        // What cannot be read may be it, and is told of that receipt.
        let is_it = |input: Result<VectorInput, Trouble>| {
            input.map_or(true, |input| input.fit.is_none() && input.day == *day)
        };
        if vectors.any(|leaf| is_it(self.documents.document("input", &leaf.receipt.input))) {
            return None;
        }
        Some(no_receipt(format!(
            "no vector of {day}: not every challenge is through with the day"
        )))
    }

    /// Whether the miners are those that the challenge told weights of, as far as that
    /// changes the vector. Who is registered no more has none.
    fn miners(&self, input: &VectorInput, challenge: &VectorChallenge) -> Result<(), Trouble> {
        let id = challenge.receipt.as_ref();
        let Some(told) = id.and_then(|id| self.day.get(id)) else {
            return Ok(());
        };
        if challenge.weights.is_empty() || told.kind != Kind::GetWeights {
            return Ok(());
        }
        let standings: GetWeightsInput = self.documents.document("standings", &told.input)?;
        let (mut then, mut changed) = (input.clone(), None);
        for standing in standings.standings {
            let miner = standing.commit.miner;
            if let Some(now) = then.miners.get_mut(&miner.hotkey) {
                let before = of_standing(&miner);
                if *now != before {
                    changed.get_or_insert(miner.hotkey);
                    *now = before;
                }
            }
        }
        let Some(hotkey) = changed else {
            return Ok(());
        };
        if compute(&then).ok() == compute(input).ok() {
            return Ok(());
        }
        Err(no_receipt(format!(
            "{hotkey} has another uid, coldkey or address than when the weights were told, and \
             another vector would come of those: the metagraph has changed between, or is not \
             that"
        )))
    }

    fn challenge(
        &self,
        receipt: &Receipt,
        name: &str,
        challenge: &VectorChallenge,
    ) -> Result<(), Trouble> {
        if challenge.failed.is_some() && !challenge.weights.is_empty() {
            return Err(Trouble::differs("it failed, and has weights"));
        }
        // It pays nobody, so nothing is taken from anywhere.
        if challenge.weights.is_empty() {
            return Ok(());
        }
        if challenge.organic_share.0 > 0.0 {
            let part = challenge.organic_share.0 * 100.0;
            let what = format!("organic rewards decided {part} % of the weights");
            return Err(no_receipt(what));
        }
        let Some(id) = &challenge.receipt else {
            return Err(no_receipt("its weights have no receipt"));
        };
        if !receipt.depends_on.contains(id) {
            let what = format!("it names {id}, on which the vector does not depend");
            return Err(Trouble::differs(what));
        }
        let Some(told) = self.day.get(id) else {
            // Told of what the vector depends on.
            return Ok(());
        };
        if told.kind != Kind::GetWeights || told.challenge.as_deref() != Some(name) {
            return Err(Trouble::differs(format!("{id} is not of its weights")));
        }
        let output: GetWeightsOutput = self.documents.document("weights", &told.output)?;
        let weights: BTreeMap<_, _> = output
            .weights
            .into_iter()
            .map(|w| (w.hotkey, w.weight))
            .collect();
        if output.outcome != "ok" || weights != challenge.weights {
            return Err(Trouble::differs(format!(
                "its weights are not those of {id}"
            )));
        }
        Ok(())
    }
}

/// A miner as a vector has it.
fn of_standing(miner: &Miner) -> VectorMiner {
    VectorMiner {
        axon_ip: miner.axon_ip.clone(),
        coldkey: miner.coldkey.clone().unwrap_or_default(),
        uid: miner.uid,
    }
}

/// Checks that a vector takes what its challenge told on the day.
fn is_taken(
    paid: &Paid<'_>,
    place: Option<&usize>,
    challenge: Option<&VectorChallenge>,
) -> Result<(), Trouble> {
    let id = paid.id;
    if !paid.pays.clone()? {
        return Ok(());
    }
    let Some(challenge) = challenge else {
        return Err(no_receipt(format!(
            "it told weights ({id}), and the vector does not know it"
        )));
    };
    let takes = challenge.receipt.as_deref() == Some(id);
    let is_organic = challenge.organic_share.0 > 0.0;
    let is_stale = |failed: &String| failed.starts_with(ORGANIC);
    match challenge.weights.is_empty() {
        false if takes => Ok(()),
        _ if place.is_none_or(|place| *place < paid.place) => Err(no_receipt(format!(
            "it told weights ({id}) after the vector was made"
        ))),
        _ if is_organic || challenge.failed.as_ref().is_some_and(is_stale) => Err(no_receipt(
            format!("it told weights ({id}), and organic rewards decided"),
        )),
        true => Err(Trouble::differs(format!(
            "it told weights ({id}), and pays nobody in the vector"
        ))),
        false => Err(Trouble::differs(format!(
            "its weights are not those of the day ({id})"
        ))),
    }
}
