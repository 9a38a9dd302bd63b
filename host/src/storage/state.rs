//! What a host keeps with the service beside the peers' shape of a state, so that
//! one that lost its database goes on from there.

use super::provenance::{MAX_TEXT, is_digest};
use crate::clock;
use crate::commits::unseal;
use crate::commits::wire::{MAX_COMMIT, MAX_ENCRYPTED_COMMIT, MAX_KEY, MAX_NAME};
use crate::config::is_challenge_name;
use crate::sandbox::types::{HotkeyWeight, Standing};
use crate::sandbox::{Outcome, sha256_hex};
use crate::scoring::{FinalizedCommit, StoredComparison};
use crate::store::{
    CommitRow, CommitState, Finalization, FinalizationRow, JobKey, WeightVectorRow, upload_name,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u32 = 1;
/// Most commits, and most days of the ledger.
const MAX_ROWS: usize = 100_000;

/// The part `proctor` of a state. JSON in it is text, so that nobody rewrites it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    version: u32,
    /// SHA-256 of all of it, this one empty: a service that reads numbers as others
    /// do may write them as others.
    digest: String,
    /// The deployment's, in decimal; none if it is the operator's.
    seed: Option<String>,
    first_days: BTreeMap<String, String>,
    finalizations: Vec<KeptDay>,
    vector: Option<KeptVector>,
    commits: Vec<KeptCommit>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KeptDay {
    day: String,
    challenge: String,
    plugin_digest: String,
    settings_digest: String,
    engine: String,
    outcome: String,
    message: Option<String>,
    standings: String,
    weights: String,
    results: String,
    scheduled_at: f64,
    finalized_at: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KeptVector {
    day: String,
    uids: String,
    values: String,
    derivation: String,
    finalized_at: f64,
}

/// A judged commit.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KeptCommit {
    challenge: String,
    miner_hotkey: String,
    miner_uid: u16,
    encrypted_commit: String,
    committed_at: f64,
    /// None of what a miner handed in here: that was never sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    text: String,
    artifact: String,
    artifact_digest: String,
    batch_day: String,
    finalized_day: String,
    score: f64,
    penalty: f64,
    accepted: bool,
    reason: Option<String>,
    comparisons: String,
    judged_at: f64,
    /// What its evaluation is known by, beside challenge and artifact.
    evaluation: Option<KeptKey>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KeptKey {
    plugin_digest: String,
    settings_digest: String,
    engine: String,
}

/// Of one challenge: its judged commits, each with what its evaluation is known by,
/// and its days of the ledger.
#[derive(Debug, Default)]
pub(crate) struct KeptChallenge {
    pub(crate) commits: Vec<(CommitRow, Option<JobKey>)>,
    pub(crate) days: Vec<FinalizationRow>,
}

/// What is taken in of it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) seed: Option<u64>,
    pub(super) first_days: BTreeMap<String, String>,
    pub(super) days: Vec<FinalizationRow>,
    pub(super) vector: Option<(WeightVectorRow, f64)>,
    pub(super) commits: Vec<(CommitRow, Option<JobKey>)>,
}

impl Kept {
    /// What is kept of `challenges`, their first days, and the last vector with when
    /// it was made.
    pub(crate) fn new(
        seed: Option<u64>,
        first_days: BTreeMap<String, String>,
        challenges: Vec<KeptChallenge>,
        vector: Option<(WeightVectorRow, f64)>,
    ) -> Self {
        let mut kept = Kept {
            version: VERSION,
            digest: String::new(),
            seed: seed.map(|seed| seed.to_string()),
            first_days,
            vector: vector.map(|(row, finalized_at)| KeptVector {
                day: row.day,
                uids: row.uids,
                values: row.values,
                derivation: row.derivation,
                finalized_at,
            }),
            finalizations: Vec::new(),
            commits: Vec::new(),
        };
        for challenge in challenges {
            kept.finalizations
                .extend(challenge.days.into_iter().map(KeptDay::new));
            let commits = challenge.commits.into_iter();
            kept.commits
                .extend(commits.filter_map(|(row, key)| KeptCommit::new(row, key)));
        }
        kept.digest = kept.made_digest();
        kept
    }

    /// With an empty `digest`.
    fn made_digest(&self) -> String {
        sha256_hex(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads the part `proctor` of a state; or says what is wrong with it.
    pub(super) fn read(value: Value) -> Result<Read, String> {
        if value.get("version") != Some(&VERSION.into()) {
            return Err("it is of another version".into());
        }
        let mut kept: Kept = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let digest = std::mem::take(&mut kept.digest);
        if kept.made_digest() != digest {
            return Err("it is not what it was".into());
        }
        Ok(kept.checked()?)
    }

    /// All of it must hold that holds in a database, or nothing is taken in.
    fn checked(self) -> Result<Read, &'static str> {
        if self.commits.len() > MAX_ROWS || self.finalizations.len() > MAX_ROWS {
            return Err("it is too large");
        }
        let seed = self.seed.map(|seed| seed.parse::<u64>()).transpose();
        let seed = seed.map_err(|_| "the seed is no number")?;
        for (challenge, day) in &self.first_days {
            if !is_challenge_name(challenge) || !is_day(day) {
                return Err("a first day is none");
            }
        }
        let mut ledger: BTreeMap<(String, String), f64> = BTreeMap::new();
        let mut days = Vec::new();
        for day in self.finalizations {
            let row = day.checked()?.finalization();
            let of = &row.finalization;
            let first = self.first_days.get(&of.challenge);
            if first.is_some_and(|first| *first > of.day) {
                return Err("a day is before the first of its challenge");
            }
            let place = (of.challenge.clone(), of.day.clone());
            if ledger.insert(place, of.scheduled_at).is_some() {
                return Err("a day is there twice");
            }
            days.push(row);
        }
        let rows: Vec<_> = ledger.iter().collect();
        let in_order = |pair: &[(&(String, String), &f64)]| match pair {
            [(a, before), (b, after)] => a.0 != b.0 || before < after,
            _ => true,
        };
        if !rows.windows(2).all(in_order) {
            return Err("the days are not in order");
        }
        let vector = self.vector.map(KeptVector::checked).transpose()?;
        if let Some((vector, _)) = &vector
            && !ledger.keys().any(|(_, day)| *day == vector.day)
        {
            return Err("the vector is of no day");
        }
        let mut known = BTreeSet::new();
        let mut commits = Vec::new();
        for commit in self.commits {
            let (row, key) = commit.checked()?.row();
            let day = row.finalized_day.clone().unwrap_or_default();
            if !ledger.contains_key(&(row.challenge.clone(), day)) {
                return Err("a commit is of no day");
            }
            let (hotkey, text) = (row.miner_hotkey.clone(), row.encrypted_commit.clone());
            if !known.insert((row.challenge.clone(), hotkey, text)) {
                return Err("a commit is there twice");
            }
            commits.push((row, key));
        }
        Ok(Read {
            seed,
            first_days: self.first_days,
            days,
            vector,
            commits,
        })
    }
}

impl KeptDay {
    fn new(row: FinalizationRow) -> Self {
        let FinalizationRow {
            finalization: of,
            finalized_at,
            ..
        } = row;
        KeptDay {
            day: of.day,
            challenge: of.challenge,
            plugin_digest: of.plugin_digest,
            settings_digest: of.settings_digest,
            engine: of.engine,
            outcome: of.outcome,
            message: of.message,
            standings: of.standings,
            weights: of.weights,
            results: of.results,
            scheduled_at: of.scheduled_at,
            finalized_at,
        }
    }

    fn checked(self) -> Result<Self, &'static str> {
        if !is_challenge_name(&self.challenge) || !is_day(&self.day) {
            return Err("a day of the ledger is none");
        }
        if !is_digest(&self.plugin_digest) || !is_digest(&self.settings_digest) {
            return Err("a digest is not 64 hex digits");
        }
        let message = self.message.as_deref().unwrap_or_default();
        if self.engine.len() > MAX_TEXT || message.len() > MAX_TEXT {
            return Err("a text is too long");
        }
        Outcome::from_code(&self.outcome).ok_or("the outcome of a day is unknown")?;
        let standings = serde_json::from_str::<Vec<Standing>>(&self.standings);
        let results = serde_json::from_str::<Vec<FinalizedCommit>>(&self.results);
        let weights = serde_json::from_str::<Vec<HotkeyWeight>>(&self.weights);
        let finite = |weights: Vec<HotkeyWeight>| {
            let mut weights = weights.iter();
            weights.all(|w| w.weight.is_finite() && w.weight >= 0.0)
        };
        if standings.is_err() || results.is_err() || !weights.is_ok_and(finite) {
            return Err("what a day came to cannot be read");
        }
        if !is_time(self.scheduled_at) || !is_time(self.finalized_at) {
            return Err("a time is out of range");
        }
        Ok(self)
    }

    fn finalization(self) -> FinalizationRow {
        FinalizationRow {
            finalization: Finalization {
                day: self.day,
                challenge: self.challenge,
                plugin_digest: self.plugin_digest,
                settings_digest: self.settings_digest,
                engine: self.engine,
                outcome: self.outcome,
                message: self.message,
                standings: self.standings,
                weights: self.weights,
                results: self.results,
                scheduled_at: self.scheduled_at,
            },
            finalized_at: self.finalized_at,
            // The service is told what a day came to, not how.
            receipt: None,
            tree: None,
        }
    }
}

impl KeptVector {
    fn checked(self) -> Result<(WeightVectorRow, f64), &'static str> {
        let uids = serde_json::from_str::<Vec<u16>>(&self.uids).unwrap_or_default();
        let values = serde_json::from_str::<Vec<u16>>(&self.values).unwrap_or_default();
        let derivation = serde_json::from_str::<Value>(&self.derivation);
        if uids.len() != values.len() || !derivation.is_ok_and(|d| d.is_object()) {
            return Err("the vector cannot be read");
        }
        if !is_day(&self.day) || !is_time(self.finalized_at) {
            return Err("the vector is of no day");
        }
        let row = WeightVectorRow {
            day: self.day,
            uids: self.uids,
            values: self.values,
            derivation: self.derivation,
            receipt: None,
        };
        Ok((row, self.finalized_at))
    }
}

impl KeptCommit {
    /// None of what is not judged.
    fn new(row: CommitRow, key: Option<JobKey>) -> Option<Self> {
        if row.state != CommitState::Judged {
            return None;
        }
        // Without a key, only what was handed in here can be told to be what it says.
        let uploaded = upload_name(&row.miner_hotkey, row.artifact_digest.as_deref()?);
        if row.key.is_none() && row.encrypted_commit != uploaded {
            return None;
        }
        Some(KeptCommit {
            challenge: row.challenge,
            miner_hotkey: row.miner_hotkey,
            miner_uid: row.miner_uid,
            encrypted_commit: row.encrypted_commit,
            committed_at: row.committed_at?,
            key: row.key,
            text: row.text?,
            artifact: row.artifact?,
            artifact_digest: row.artifact_digest?,
            batch_day: row.batch_day?,
            finalized_day: row.finalized_day?,
            score: row.score?,
            penalty: row.penalty?,
            accepted: row.accepted?,
            reason: row.reason,
            comparisons: row.comparisons.unwrap_or_else(|| "[]".into()),
            judged_at: row.judged_at?,
            evaluation: key.map(|key| KeptKey {
                plugin_digest: key.plugin_digest,
                settings_digest: key.settings_digest,
                engine: key.engine,
            }),
        })
    }

    /// A commit is what its key makes of it: nobody can put in another artifact.
    fn checked(self) -> Result<Self, &'static str> {
        if !is_challenge_name(&self.challenge) {
            return Err("a commit is of no challenge");
        }
        if self.miner_hotkey.is_empty() || self.miner_hotkey.len() > MAX_NAME {
            return Err("a commit is of no miner");
        }
        let sealed = &self.encrypted_commit;
        let reason = self.reason.as_deref().unwrap_or_default();
        if sealed.len() > MAX_ENCRYPTED_COMMIT
            || self.key.as_ref().map_or(0, String::len) > MAX_KEY
            || self.text.len() > MAX_COMMIT
            || reason.len() > MAX_TEXT
        {
            return Err("a text is too long");
        }
        let is_same = match &self.key {
            Some(key) => unseal(sealed, key, &self.challenge).is_ok_and(|opened| {
                opened.text == self.text
                    && opened.artifact.to_string() == self.artifact
                    && opened.artifact.digest() == self.artifact_digest
            }),
            None => {
                is_digest(&self.artifact_digest)
                    && *sealed == upload_name(&self.miner_hotkey, &self.artifact_digest)
                    && self.artifact == format!("sha256:{}", self.artifact_digest)
                    && self.text == format!("{}---{}", self.challenge, self.artifact)
            }
        };
        if !is_same {
            return Err("a commit is not what its key opens");
        }
        if !is_day(&self.batch_day) || !is_day(&self.finalized_day) {
            return Err("a commit is of no day");
        }
        if self.finalized_day < self.batch_day {
            return Err("a commit was judged before its day");
        }
        if !is_time(self.committed_at) || !is_time(self.judged_at) {
            return Err("a time is out of range");
        }
        let is_score = self.score.is_finite() && self.score >= 0.0;
        if !is_score || !(0.0..=1.0).contains(&self.penalty) {
            return Err("a verdict is none");
        }
        if serde_json::from_str::<Vec<StoredComparison>>(&self.comparisons).is_err() {
            return Err("a comparison cannot be read");
        }
        if let Some(key) = &self.evaluation
            && !(is_digest(&key.plugin_digest)
                && is_digest(&key.settings_digest)
                && key.engine.len() <= MAX_TEXT)
        {
            return Err("a digest is not 64 hex digits");
        }
        Ok(self)
    }

    fn row(self) -> (CommitRow, Option<JobKey>) {
        let key = self.evaluation.map(|key| JobKey {
            challenge: self.challenge.clone(),
            plugin_digest: key.plugin_digest,
            settings_digest: key.settings_digest,
            artifact_digest: self.artifact_digest.clone(),
            engine: key.engine,
        });
        let row = CommitRow {
            id: 0,
            challenge: self.challenge,
            miner_hotkey: self.miner_hotkey,
            miner_uid: self.miner_uid,
            encrypted_commit: self.encrypted_commit,
            committed_at: Some(self.committed_at),
            key: self.key,
            state: CommitState::Judged,
            fault: None,
            text: Some(self.text),
            artifact: Some(self.artifact),
            artifact_digest: Some(self.artifact_digest),
            batch_day: Some(self.batch_day),
            receipt: None,
            evaluation_id: None,
            judge_attempts: 0,
            judge_not_before: 0.0,
            comparisons: Some(self.comparisons),
            score: Some(self.score),
            penalty: Some(self.penalty),
            accepted: Some(self.accepted),
            reason: self.reason,
            judged_at: Some(self.judged_at),
            finalized_day: Some(self.finalized_day),
            revision: 0,
        };
        (row, key)
    }
}

fn is_day(text: &str) -> bool {
    clock::start_of_day(text).is_some_and(|start| clock::day(start) == text)
}

fn is_time(time: f64) -> bool {
    time.is_finite() && time >= 0.0
}

#[cfg(test)]
mod tests;
