//! The current weight vector.

use super::sources::Source;
use crate::weights::{Decision, NoMiner, OnChain, Quantised, SameMiner, TooFew, Unassigned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What a vector pays and how it came about: what its digest is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The subnet.
    pub netuid: u16,
    /// The last day that it takes in, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Who is paid, in ascending order.
    pub uids: Vec<u16>,
    /// Their hotkeys, in the order of the uids; none of a uid that is not registered.
    pub hotkeys: Vec<Option<String>>,
    /// Their parts of the whole, in the order of the uids; their sum is 1.
    pub weights: Vec<f64>,
    /// Hotkey → sum of what the challenges give it, as parts of the whole, before what
    /// could not be paid is redistributed.
    pub hotkey_weights: BTreeMap<String, f64>,
    /// The vector as the chain wants it.
    pub on_chain: OnChain,
    /// The operator's choices and the subnet's limits that it was made with.
    pub policies: Policies,
    /// What each challenge pays, by name.
    pub challenges: Vec<Source>,
    /// How it came about: a [`Derivation`](crate::weights::Derivation).
    pub derivation: serde_json::Value,
}

/// What a vector was made with: enough to make it again of what the challenges told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Policies {
    /// Who gets what cannot be paid.
    pub unassigned: Unassigned,
    /// What becomes of miners that look like one.
    pub same_miner: SameMiner,
    /// What is paid when nobody earned anything.
    pub zero_miner: NoMiner,
    /// What is done with too few weights.
    pub too_few: TooFew,
    /// Seconds for which weights stand in for later ones.
    pub fallback_max_age_s: f64,
    /// The subnet's least number of weights.
    pub min_allowed_weights: u16,
    /// The greatest part of the sum that a weight may have, in 65535ths.
    pub max_weight_limit: u16,
}

/// A weight vector that was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// Its number in the history.
    pub id: i64,
    /// SHA-256 of its [`Content`] as JSON, 64 lower-case hexadecimal digits.
    pub digest: String,
    /// When it was made, in seconds since the Unix epoch.
    pub made_at: f64,
    /// When it was last found to be what counts, likewise.
    pub confirmed_at: f64,
    /// Until when it counts unless it is confirmed again, likewise.
    pub valid_until: f64,
    /// When the metagraph was read that it was made with, likewise; none of a file.
    pub metagraph_read_at: Option<f64>,
    /// The block of the metagraph that it was last confirmed with.
    pub metagraph_block: u64,
    /// What it pays.
    pub content: Content,
}

impl Vector {
    /// What is submitted.
    ///
    /// # Errors
    ///
    /// Why the subnet would refuse it.
    pub fn quantised(&self) -> Result<&Quantised, &str> {
        match &self.content.on_chain {
            OnChain::Vector { quantised, .. } => Ok(quantised),
            OnChain::Refused(reason) => Err(reason),
        }
    }

    /// Whether it pays no miner.
    #[must_use]
    pub fn is_zero_miner(&self) -> bool {
        let miners = serde_json::to_value(Decision::Miners).ok();
        self.content.derivation.get("decision") != miners.as_ref()
    }
}

/// The current weight vector. Clones share it.
#[derive(Debug, Clone)]
pub struct LatestVector(Arc<watch::Sender<Option<Arc<Vector>>>>);

impl Default for LatestVector {
    /// None yet.
    fn default() -> Self {
        LatestVector(Arc::new(watch::Sender::new(None)))
    }
}

impl LatestVector {
    /// The vector; none before the first finalization.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Vector>> {
        self.0.borrow().clone()
    }

    /// Tells of each new vector, and of each time that it is confirmed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Option<Arc<Vector>>> {
        self.0.subscribe()
    }

    pub(super) fn set(&self, vector: Vector) {
        self.0.send_replace(Some(Arc::new(vector)));
    }
}
