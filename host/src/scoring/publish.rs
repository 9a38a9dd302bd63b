//! The weight vector that counts now.

use super::finalize::PATIENCE;
use super::latest::{Content, Policies, Vector};
use super::organic::{OrganicRows, pays};
use super::pipeline::{Pipeline, PipelineError};
use super::vector::{Combined, limits};
use crate::receipts::VectorInput;
use crate::sandbox::{Capability, sha256_hex};
use crate::store::NewVector;
use crate::weights::{Dropped, NoMiner, OnChain, TooFew, on_chain};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What the published vector was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inputs {
    plugins: u64,
    subnet: u64,
    ledger: u64,
}

/// How far publishing is.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// When this process first looked.
    first: Option<f64>,
    /// What the last vector was made from.
    inputs: Option<Inputs>,
    /// What organic rewards came to in it.
    organic: OrganicRows,
    /// When that was read.
    organic_at: f64,
}

/// Seconds in which organic rewards make one vector, however many iterations there are:
/// each vector is a row of the history, with all that it was made from, and is kept.
/// A chain takes one in an epoch, which is 360 blocks of 12 s where nobody chose
/// otherwise.
const ORGANIC_PACE: f64 = 1_200.0;

impl Pipeline {
    /// Publishes the current vector: at every change of what it is made from, and
    /// often enough that it stays valid. What organic rewards came to is followed in
    /// steps of some minutes. Returns it if it is a new one. There is none before the
    /// first finalization or the first organic weights.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`]; the last vector stays.
    pub async fn publish(&self, now: f64) -> Result<Option<Arc<Vector>>, PipelineError> {
        // One at a time: what was read first is told first.
        let mut seen = self.published.lock().await;
        let first = *seen.first.get_or_insert(now);
        let inputs = Inputs {
            plugins: *self.plugins.changes().borrow(),
            subnet: *self.subnet.changes().borrow(),
            ledger: self.ledger.load(Ordering::Relaxed),
        };
        let valid_s = self.config.weights.valid_s;
        let last = self.latest.get();
        let confirmed = last.as_ref().map(|last| last.confirmed_at);
        let is_fresh = confirmed.is_some_and(|at| (at..at + valid_s / 3.0).contains(&now));
        let is_same = seen.inputs == Some(inputs);
        let ledger = seen.inputs.map(|seen| seen.ledger);
        let anew = last.is_none()
            || ledger != Some(inputs.ledger)
            || !(seen.organic_at..seen.organic_at + ORGANIC_PACE).contains(&now);
        let organic = self.organic_now(&seen.organic, anew, now).await?;
        if is_fresh && is_same && organic.is_none() {
            return Ok(None);
        }
        if last.is_none() && self.waits(first, now).await? {
            return Ok(None);
        }
        let rows = organic.as_ref().unwrap_or(&seen.organic);
        let Some((content, dropped, input)) = self.content(rows, now).await? else {
            return Ok(None);
        };
        let document = serde_json::to_string(&content)?;
        let vector = match &content.on_chain {
            OnChain::Vector { quantised, .. } => Ok(quantised.clone()),
            OnChain::Refused(reason) => Err(reason.clone()),
        };
        let made = self.receipt_of_vector(&input, vector, now).await?;
        let leaves = self.leaves(&content.day, made.leaves().collect());
        let vector = NewVector {
            digest: sha256_hex(document.as_bytes()),
            day: content.day.clone(),
            document,
            receipt: made.id,
            made_at: now,
        };
        let row = self.store.publish_vector(vector, made.kept, leaves).await?;
        let is_new = last.is_none_or(|last| last.id != row.id);
        let vector = Vector {
            id: row.id,
            digest: row.digest,
            made_at: row.made_at,
            confirmed_at: now,
            valid_until: now + valid_s,
            metagraph_read_at: self.subnet.read_at(),
            metagraph_block: self.metagraph().block(),
            content,
        };
        self.tell(&vector);
        if is_new {
            self.tell_new(&vector, &dropped);
        }
        self.latest.set(vector);
        // Not before: what failed is tried again at the next look.
        if let Some(organic) = organic {
            (seen.organic, seen.organic_at) = (organic, now);
        }
        seen.inputs = Some(inputs);
        Ok(self.latest.get().filter(|_| is_new))
    }

    /// Whether the first vector of this process, which has looked since `first`, is to
    /// be put off, for as long as [`PATIENCE`]: what a host that was down has missed is
    /// not what counts, and of the first day of all nothing can stand in for a challenge
    /// that is not through with it.
    async fn waits(&self, first: f64, now: f64) -> Result<bool, PipelineError> {
        let last_day = self.schedule.last_day(now);
        let has_missed = now < first + PATIENCE;
        let is_due = now < self.schedule.finalized_at(&last_day) + PATIENCE;
        let is_first = is_due && self.store.published_vectors(None, 1).await?.is_empty();
        if is_first && self.lacks_a_challenge(&last_day, now) {
            return Ok(true);
        }
        for plugin in self.plugins.active() {
            let days = self.unfinalized(&plugin, now).await?;
            let missed = days.first().is_some_and(|day| *day < last_day);
            if (has_missed && missed) || (is_first && pays(&plugin) && !days.is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What organic rewards have come to, if it is to be read `anew`, or if there is
    /// something of a challenge that had nothing before; none if `known` still counts.
    async fn organic_now(
        &self,
        known: &OrganicRows,
        anew: bool,
        now: f64,
    ) -> Result<Option<OrganicRows>, PipelineError> {
        let (mut rows, names) = if anew {
            (OrganicRows::new(), self.challenges_to_run())
        } else {
            let active = self.plugins.active().into_iter();
            let organic = active.filter(|plugin| plugin.has(Capability::Organic));
            let names = organic.map(|plugin| plugin.name().to_owned());
            let names: BTreeSet<String> = names.filter(|name| !known.contains_key(name)).collect();
            if names.is_empty() {
                return Ok(None);
            }
            (known.clone(), names)
        };
        // Not of later days, which a clock that was wrong may have left.
        let today = self.schedule.day_of(now);
        for name in names {
            let row = self
                .store
                .organic_weights(name.clone(), Some(today.clone()));
            if let Some(row) = row.await? {
                rows.insert(name, row);
            }
        }
        let is_new = if anew {
            !rows.is_empty() || !known.is_empty()
        } else {
            rows.len() > known.len()
        };
        Ok(is_new.then_some(rows))
    }

    /// What the vector pays now, and what was left out of it; none before the first
    /// finalization, unless organic rewards pay somebody.
    async fn content(
        &self,
        organic: &OrganicRows,
        now: f64,
    ) -> Result<Option<(Content, Vec<Dropped>, VectorInput)>, PipelineError> {
        let last_days = self.store.last_days().await?.into_iter();
        let finalized = last_days.map(|(_, day)| day).max();
        let last_day = self.schedule.last_day(now);
        let day = match &finalized {
            // Not an earlier one if the clock moved back.
            Some(finalized) => last_day.max(finalized.clone()),
            None => last_day,
        };
        let sources = self.sources(&day, organic, now).await?;
        let is_organic = || sources.iter().any(|source| source.organic_share.is_some());
        let Some(finalized) = finalized.or_else(|| is_organic().then_some(day)) else {
            return Ok(None);
        };
        let metagraph = self.metagraph();
        let rules = &self.config.weights;
        let limits = limits(&metagraph);
        let pad_with = match rules.too_few {
            TooFew::Refuse => BTreeSet::new(),
            TooFew::Pad => metagraph.neurons().map(|neuron| neuron.uid).collect(),
        };
        let Combined {
            aggregated,
            refused,
            input,
        } = self
            .aggregate(&finalized, &sources, Some(&pad_with))
            .await?;
        let on_chain = match refused {
            Some(reason) => OnChain::Refused(reason),
            None => on_chain(&aggregated.weights, limits, &pad_with),
        };
        let (uids, weights): (Vec<u16>, Vec<f64>) = aggregated.weights.into_iter().unzip();
        let hotkey_of = |uid: &u16| metagraph.by_uid(*uid).map(|neuron| neuron.hotkey.clone());
        let dropped = aggregated.derivation.dropped.clone();
        let content = Content {
            netuid: metagraph.netuid(),
            day: finalized,
            hotkeys: uids.iter().map(hotkey_of).collect(),
            uids,
            weights,
            hotkey_weights: aggregated.derivation.hotkeys.clone(),
            on_chain,
            policies: Policies {
                unassigned: rules.unassigned,
                same_miner: rules.same_miner,
                zero_miner: rules.zero_miner,
                too_few: rules.too_few,
                fallback_max_age_s: self.config.fallback_weights.max_age_s,
                min_allowed_weights: limits.min_allowed_weights,
                max_weight_limit: limits.max_weight_limit,
            },
            challenges: sources,
            derivation: serde_json::to_value(aggregated.derivation)?,
        };
        Ok(Some((content, dropped, input)))
    }

    fn tell(&self, vector: &Vector) {
        let content = &vector.content;
        let share_of = |challenge: &str| {
            let share = content
                .derivation
                .pointer(&format!("/challenges/{challenge}/share"));
            share
                .and_then(serde_json::Value::as_f64)
                .unwrap_or_default()
        };
        let sources = content.challenges.iter();
        self.metrics.set_weight_sources(sources.map(|source| {
            let challenge = source.challenge.as_str();
            (challenge, source.origin.name(), share_of(challenge))
        }));
        let refused = vector.quantised().is_err() && !self.is_skipped(content);
        self.metrics
            .set_vector(vector.made_at, vector.is_zero_miner(), refused);
    }

    /// Whether nobody is paid because the operator wants it so.
    fn is_skipped(&self, content: &Content) -> bool {
        content.uids.is_empty() && self.config.weights.zero_miner == NoMiner::Skip
    }

    fn tell_new(&self, vector: &Vector, dropped: &[Dropped]) {
        let content = &vector.content;
        for dropped in dropped {
            let challenge = dropped.challenge.as_deref().unwrap_or_default();
            self.metrics.dropped(challenge, dropped.reason.code());
        }
        for source in &content.challenges {
            if let Some(lack) = &source.lack {
                tracing::warn!(
                    challenge = source.challenge,
                    from = source.origin.name(),
                    day = source.day,
                    code = lack.code,
                    reason = lack.message,
                    "a challenge tells no weights of its own"
                );
            }
        }
        if vector.is_zero_miner() {
            tracing::warn!(vector = vector.id, "the weight vector pays no miner");
        }
        if let OnChain::Vector {
            padded, clipped, ..
        } = &content.on_chain
            && (!padded.is_empty() || *clipped)
        {
            tracing::warn!(
                vector = vector.id,
                ?padded,
                clipped,
                "the weights were made to fit the subnet's limits"
            );
        }
        if let Err(reason) = vector.quantised()
            && !self.is_skipped(content)
        {
            tracing::error!(
                vector = vector.id,
                reason,
                "the subnet would refuse the weights"
            );
        }
        let (id, day, digest) = (vector.id, &content.day, &vector.digest);
        tracing::info!(
            vector = id,
            day,
            digest,
            uids = content.uids.len(),
            "weights"
        );
    }
}

#[cfg(test)]
mod tests;
