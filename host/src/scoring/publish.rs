//! The weight vector that counts now.

use super::finalize::PATIENCE;
use super::latest::{Content, OnChain, Policies, Vector};
use super::pipeline::{Pipeline, PipelineError};
use super::vector::limits;
use crate::sandbox::sha256_hex;
use crate::weights::{Dropped, Limits, NoMiner, TooFew, conform};
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
}

impl Pipeline {
    /// Publishes the current vector: at every change of what it is made from, and
    /// often enough that it stays valid. Returns it if it is a new one. There is none
    /// before the first finalization.
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
        if is_fresh && seen.inputs == Some(inputs) {
            return Ok(None);
        }
        // What a host that was down has missed is not what counts.
        if last.is_none() && now < first + PATIENCE && self.catches_up(now).await? {
            return Ok(None);
        }
        let Some((content, dropped)) = self.content(now).await? else {
            return Ok(None);
        };
        let document = serde_json::to_string(&content)?;
        let digest = sha256_hex(document.as_bytes());
        let row = self
            .store
            .publish_vector(digest, content.day.clone(), document, now)
            .await?;
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
        seen.inputs = Some(inputs);
        Ok(self.latest.get().filter(|_| is_new))
    }

    /// Whether a challenge is still to be finalized on days before the last one.
    async fn catches_up(&self, now: f64) -> Result<bool, PipelineError> {
        let last = self.schedule.last_day(now);
        for plugin in self.plugins.active() {
            let days = self.unfinalized(&plugin, now).await?;
            if days.first().is_some_and(|day| *day < last) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the vector pays now, and what was left out of it; none before the first
    /// finalization.
    async fn content(&self, now: f64) -> Result<Option<(Content, Vec<Dropped>)>, PipelineError> {
        let last_days = self.store.last_days().await?.into_iter();
        let Some(finalized) = last_days.map(|(_, day)| day).max() else {
            return Ok(None);
        };
        // Not an earlier one if the clock moved back.
        let day = self.schedule.last_day(now).max(finalized.clone());
        let sources = self.sources(&day, now).await?;
        let (aggregated, refused) = self.aggregate(&sources).await?;
        let metagraph = self.metagraph();
        let rules = &self.config.weights;
        let limits = limits(&metagraph);
        let pad_with = match rules.too_few {
            TooFew::Refuse => BTreeSet::new(),
            TooFew::Pad => metagraph.neurons().map(|neuron| neuron.uid).collect(),
        };
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
        Ok(Some((content, dropped)))
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

/// The vector as the chain wants it, and what had to be done to it for that.
fn on_chain(weights: &[(u16, f64)], limits: Limits, pad_with: &BTreeSet<u16>) -> OnChain {
    let quantised = match conform(weights, limits, None, pad_with) {
        Ok(quantised) => quantised,
        Err(error) => return OnChain::Refused(error.to_string()),
    };
    let least = Limits {
        min_allowed_weights: 0,
        ..limits
    };
    let unpadded = conform(weights, least, None, &BTreeSet::new()).unwrap_or_default();
    let unclipped = conform(weights, Limits::default(), None, &BTreeSet::new());
    if let Some(part) = quantised.above(limits.max_weight_limit) {
        let (part, limit) = (part * 100.0, f64::from(limits.max_weight_limit) / 655.35);
        let reason =
            format!("the greatest weight is {part:.2} % of all; the subnet allows {limit:.2} %");
        return OnChain::Refused(reason);
    }
    let padded = quantised.uids.iter().copied();
    OnChain::Vector {
        padded: padded.filter(|uid| !unpadded.uids.contains(uid)).collect(),
        clipped: unclipped.is_ok_and(|unclipped| unclipped != unpadded),
        quantised,
    }
}
