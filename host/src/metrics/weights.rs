//! What is counted of the chain, of weights, and of their submission.

use super::gauges::{Current, Known};
use super::{CallLabels, ChallengeLabels, Metrics, OutcomeLabels};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

type Seconds = Known<f64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    challenge: String,
    source: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Weights {
    sources: Current<SourceLabels>,
    shares: Current<ChallengeLabels, f64, AtomicU64>,
    dropped: Family<CallLabels, Counter>,
    vector_made: Seconds,
    zero_miner: Gauge,
    vector_refused: Gauge,
    chain_connected: Gauge,
    chain_failovers: Counter,
    chain_errors: Family<OutcomeLabels, Counter>,
    metagraph_block: Known<i64>,
    metagraph_read: Seconds,
    metagraph_stale: Gauge,
    submissions: Family<OutcomeLabels, Counter>,
    submission_open: Gauge,
    submitted: Seconds,
    submission_late: Gauge,
    submission_refused: Current<OutcomeLabels>,
    key_mismatch: Gauge,
}

impl Weights {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "weights_source",
            "1 for where each challenge's weights come from: own, fallback or none",
            self.sources.family.clone(),
        );
        r.register(
            "weights_share",
            "Part of emission that each challenge decides, 0 to 1",
            self.shares.family.clone(),
        );
        r.register(
            "weights_dropped",
            "Weights that were left out of a vector, by challenge and reason",
            self.dropped.clone(),
        );
        r.register_with_unit(
            "weights_made_timestamp",
            "When the current vector was made, since the Unix epoch",
            Unit::Seconds,
            self.vector_made.clone(),
        );
        r.register(
            "weights_zero_miner",
            "1 while the current vector pays no miner",
            self.zero_miner.clone(),
        );
        r.register(
            "weights_refused",
            "1 while the current weights make no vector that the subnet would take",
            self.vector_refused.clone(),
        );
        r.register(
            "chain_connected",
            "1 while an endpoint of the chain answers",
            self.chain_connected.clone(),
        );
        r.register(
            "chain_failovers",
            "Changes from one endpoint of the chain to the next",
            self.chain_failovers.clone(),
        );
        r.register(
            "chain_errors",
            "Requests to the chain without an answer, by code",
            self.chain_errors.clone(),
        );
        r.register(
            "metagraph_block",
            "The block that the metagraph was read at",
            self.metagraph_block.clone(),
        );
        r.register_with_unit(
            "metagraph_read_timestamp",
            "When the metagraph was last read, since the Unix epoch",
            Unit::Seconds,
            self.metagraph_read.clone(),
        );
        r.register(
            "metagraph_stale",
            "1 while the metagraph is older than chain.stale_after_s",
            self.metagraph_stale.clone(),
        );
        r.register(
            "weights_submissions",
            "Submissions of weights that ended, by outcome",
            self.submissions.clone(),
        );
        r.register(
            "weights_submission_open",
            "1 while it is not known what became of a submission",
            self.submission_open.clone(),
        );
        r.register_with_unit(
            "weights_submitted_timestamp",
            "When weights were last confirmed on chain, since the Unix epoch",
            Unit::Seconds,
            self.submitted.clone(),
        );
        r.register(
            "weights_late",
            "1 while an epoch ended, or is about to, without this host's weights",
            self.submission_late.clone(),
        );
        r.register(
            "weights_preflight_refused",
            "1 for the chain's error that keeps weights from being submitted",
            self.submission_refused.family.clone(),
        );
        r.register(
            "wallet_key_mismatch",
            "1 while the hotkey is not one that may set weights: not registered, or not the expected one",
            self.key_mismatch.clone(),
        );
    }
}

impl Metrics {
    /// Tells for each challenge where its weights come from, `own`, `fallback` or
    /// `none`, and its part of emission.
    pub fn set_weight_sources<'a>(
        &self,
        sources: impl Iterator<Item = (&'a str, &'static str, f64)>,
    ) {
        let (mut from, mut shares) = (Vec::new(), Vec::new());
        for (challenge, source, share) in sources {
            let challenge = challenge.to_owned();
            shares.push((
                ChallengeLabels {
                    challenge: challenge.clone(),
                },
                share,
            ));
            from.push((SourceLabels { challenge, source }, 1));
        }
        self.weights.sources.set(from.into_iter());
        self.weights.shares.set(shares.into_iter());
    }

    /// Counts what was left out of a new vector.
    pub fn dropped(&self, challenge: &str, reason: &'static str) {
        let labels = CallLabels {
            challenge: challenge.to_owned(),
            outcome: reason,
        };
        self.weights.dropped.get_or_create(&labels).inc();
    }

    /// Tells of the current vector: when it was made, in seconds since the Unix epoch,
    /// whether it pays no miner, and whether the subnet would not take it.
    pub fn set_vector(&self, made_at: f64, zero_miner: bool, refused: bool) {
        self.weights.vector_made.set(made_at);
        self.weights.zero_miner.set(zero_miner.into());
        self.weights.vector_refused.set(refused.into());
    }

    /// Tells whether an endpoint of the chain answers.
    pub fn set_chain_connected(&self, connected: bool) {
        self.weights.chain_connected.set(connected.into());
    }

    /// Counts a change to the next endpoint.
    pub fn chain_failover(&self) {
        self.weights.chain_failovers.inc();
    }

    /// Counts a request to the chain without an answer, by the error's code.
    pub fn chain_error(&self, code: &'static str) {
        let labels = OutcomeLabels { outcome: code };
        self.weights.chain_errors.get_or_create(&labels).inc();
    }

    /// Tells of the metagraph: its block, and when it was read, in seconds since the
    /// Unix epoch.
    pub fn set_metagraph(&self, block: u64, read_at: f64) {
        self.weights.metagraph_block.set(block.cast_signed());
        self.weights.metagraph_read.set(read_at);
    }

    /// Tells whether the metagraph is too old to be submitted with.
    pub fn set_metagraph_stale(&self, stale: bool) {
        self.weights.metagraph_stale.set(stale.into());
    }

    /// Counts a submission that ended, by outcome.
    pub fn submission_ended(&self, outcome: &'static str) {
        let labels = OutcomeLabels { outcome };
        self.weights.submissions.get_or_create(&labels).inc();
    }

    /// Tells whether it is not known what became of a submission.
    pub fn set_submission_open(&self, open: bool) {
        self.weights.submission_open.set(open.into());
    }

    /// Tells when weights were last confirmed on chain, in seconds since the Unix epoch.
    pub fn set_submitted(&self, at: f64) {
        self.weights.submitted.set(at);
    }

    /// Tells whether an epoch ended, or is about to, without this host's weights.
    pub fn set_submission_late(&self, late: bool) {
        self.weights.submission_late.set(late.into());
    }

    /// Tells which of the chain's errors keeps weights from being submitted, if one
    /// does.
    pub fn set_preflight_refused(&self, error: Option<&'static str>) {
        let labels = error.map(|outcome| (OutcomeLabels { outcome }, 1));
        self.weights.submission_refused.set(labels.into_iter());
    }

    /// Tells whether the hotkey is none that may set weights.
    pub fn set_key_mismatch(&self, mismatch: bool) {
        self.weights.key_mismatch.set(mismatch.into());
    }
}
