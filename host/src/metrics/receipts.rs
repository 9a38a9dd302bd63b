//! What is counted of receipts.

use super::{ChallengeLabels, Metrics, Seconds, of_challenge, seconds};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceiptLabels {
    challenge: String,
    kind: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug)]
pub(super) struct Receipts {
    made: Family<ReceiptLabels, Counter>,
    bytes: Counter,
    record_seconds: Seconds<KindLabels>,
    cut: Family<ChallengeLabels, Counter>,
    leaves: super::Known<i64>,
    bundles: Family<ResultLabels, Counter>,
    pruned: Counter,
}

impl Default for Receipts {
    fn default() -> Self {
        Receipts {
            made: Family::default(),
            bytes: Counter::default(),
            record_seconds: Family::new_with_constructor(seconds),
            cut: Family::default(),
            leaves: super::Known::default(),
            bundles: Family::default(),
            pruned: Counter::default(),
        }
    }
}

impl Receipts {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "receipts",
            "Receipts that were made, by what was computed and how it ended",
            self.made.clone(),
        );
        r.register_with_unit(
            "receipt",
            "Transcripts and documents that were kept for receipts, compressed",
            Unit::Bytes,
            self.bytes.clone(),
        );
        r.register_with_unit(
            "receipt_record",
            "Time to make a receipt and to compress what is kept for it, by kind",
            Unit::Seconds,
            self.record_seconds.clone(),
        );
        r.register(
            "receipt_transcripts_cut",
            "Calls whose transcript was longer than receipts.max_transcript_bytes and is not kept: they cannot be re-executed",
            self.cut.clone(),
        );
        r.register(
            "receipt_leaves",
            "Receipts in the tree of the last day that has one",
            self.leaves.clone(),
        );
        r.register(
            "bundles",
            "Bundles of receipts that were asked for, by result: ok, busy, slow, left or failed",
            self.bundles.clone(),
        );
        r.register(
            "receipt_blobs_pruned",
            "Documents of receipts that were removed after receipts.keep_days",
            self.pruned.clone(),
        );
    }

    /// What alerts count begins at 0, or the first transcript that is cut would be no
    /// increase.
    pub(super) fn begin(&self, labels: &ChallengeLabels) {
        self.cut.get_or_create(labels).inc_by(0);
    }
}

impl Metrics {
    /// A receipt was made. `kind` is the name of a [`Kind`](crate::receipts::Kind),
    /// `outcome` the code of an [`Outcome`](crate::sandbox::Outcome), `bytes` what is
    /// newly kept for it, compressed, and `took` the time that receipt and compression
    /// took. `challenge` is empty for a vector.
    pub fn receipt_made(
        &self,
        challenge: &str,
        kind: &str,
        outcome: &str,
        bytes: u64,
        took: Duration,
    ) {
        let receipts = &self.receipts;
        let labels = ReceiptLabels {
            challenge: challenge.to_owned(),
            kind: kind.to_owned(),
            outcome: outcome.to_owned(),
        };
        receipts.made.get_or_create(&labels).inc();
        receipts.bytes.inc_by(bytes);
        let labels = KindLabels {
            kind: kind.to_owned(),
        };
        let seconds = receipts.record_seconds.get_or_create(&labels);
        seconds.observe(took.as_secs_f64());
    }

    /// A call's transcript was longer than is kept.
    pub fn transcript_cut(&self, challenge: &str) {
        let cut = &self.receipts.cut;
        cut.get_or_create(&of_challenge(challenge)).inc();
    }

    /// How many leaves the tree of the last day has that has one.
    pub fn set_tree(&self, size: u64) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.receipts.leaves.set(size);
    }

    /// So many documents of receipts were removed.
    pub fn blobs_pruned(&self, count: u64) {
        self.receipts.pruned.inc_by(count);
    }

    /// A bundle was asked for: `ok` if it was made, `busy` if there was no place, `slow`
    /// if it took too long, `left` if nobody waited for its end, `failed` otherwise.
    pub fn bundle(&self, result: &'static str) {
        let bundles = &self.receipts.bundles;
        bundles.get_or_create(&ResultLabels { result }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.encode();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn what_is_cut_begins_at_0() {
        let metrics = Metrics::default();
        let cut = || told(&metrics, "proctor_receipt_transcripts_cut_total");
        metrics.set_challenges(["c"].into_iter());
        let line = |count: u32| {
            vec![format!(
                "proctor_receipt_transcripts_cut_total{{challenge=\"c\"}} {count}"
            )]
        };
        assert_eq!(cut(), line(0));
        metrics.transcript_cut("c");
        assert_eq!(cut(), line(1));
    }

    #[test]
    fn bytes_add_up_over_all_kinds_and_the_tree_is_the_last_one() {
        let metrics = Metrics::default();
        assert_eq!(told(&metrics, "proctor_receipt_leaves"), [""; 0]);
        let took = Duration::from_millis(2);
        metrics.receipt_made("c", "evaluate", "ok", 40, took);
        metrics.receipt_made("", "vector", "ok", 2, took);
        metrics.set_tree(7);
        metrics.set_tree(3);
        let line = |name: &str| told(&metrics, name).pop().unwrap();
        assert_eq!(
            line("proctor_receipt_bytes_total"),
            "proctor_receipt_bytes_total 42"
        );
        assert_eq!(line("proctor_receipt_leaves"), "proctor_receipt_leaves 3");
        assert_eq!(
            line("proctor_receipt_record_seconds_sum{kind=\"vector\"}"),
            "proctor_receipt_record_seconds_sum{kind=\"vector\"} 0.002"
        );
        assert_eq!(told(&metrics, "proctor_receipts_total").len(), 2);
    }
}
