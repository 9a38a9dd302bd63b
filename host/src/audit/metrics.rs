//! What Prometheus sees of an audit. The text beside a metric is its help.

use super::host::Failure;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// Every metric of an audit, in a registry of their own.
#[derive(Debug)]
pub struct AuditMetrics {
    registry: Registry,
    receipts: Family<ResultLabels, Counter>,
    last_success: Gauge<f64, AtomicU64>,
    inconsistent: Counter,
    errors: Family<KindLabels, Counter>,
    rounds: Counter,
}

impl Default for AuditMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("proctor_audit");
        let metrics = AuditMetrics {
            receipts: Family::default(),
            last_success: Gauge::default(),
            inconsistent: Counter::default(),
            errors: Family::default(),
            rounds: Counter::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register(
            "receipts",
            "Receipts of the audited host that were looked at, by result: verified, differs or not_checkable",
            metrics.receipts.clone(),
        );
        r.register_with_unit(
            "last_success_timestamp",
            "When a round last went through without an error, whatever it found, since the Unix epoch; 0 if none has",
            Unit::Seconds,
            metrics.last_success.clone(),
        );
        r.register(
            "head_inconsistent",
            "Heads of the audited host that contradict what it told before, or are not signed by its signer",
            metrics.inconsistent.clone(),
        );
        r.register(
            "errors",
            "Failures in which nothing can be said of the audited host, by kind",
            metrics.errors.clone(),
        );
        r.register(
            "rounds",
            "Rounds of the audit that ended",
            metrics.rounds.clone(),
        );
        // An increase is only seen by who saw 0.
        for result in ["verified", "differs", "not_checkable"] {
            metrics
                .receipts
                .get_or_create(&ResultLabels { result })
                .inc_by(0);
        }
        for kind in Failure::KINDS {
            metrics.errors.get_or_create(&KindLabels { kind }).inc_by(0);
        }
        AuditMetrics {
            registry,
            ..metrics
        }
    }
}

impl AuditMetrics {
    /// All of them, in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        if let Err(error) = text::encode(&mut out, &self.registry) {
            tracing::error!(%error, "cannot write the metrics");
        }
        out
    }

    /// So many receipts came to this: `verified`, `differs` or `not_checkable`.
    pub fn receipts(&self, result: &'static str, count: u64) {
        self.receipts
            .get_or_create(&ResultLabels { result })
            .inc_by(count);
    }

    /// So many heads contradict what the host told before.
    pub fn heads_inconsistent(&self, count: u64) {
        self.inconsistent.inc_by(count);
    }

    /// Something failed. `kind` is one of [`Failure::kind`].
    pub fn failed(&self, kind: &'static str) {
        self.errors.get_or_create(&KindLabels { kind }).inc();
    }

    /// A round ended, at this time in seconds since the Unix epoch; whether nothing
    /// failed in it.
    pub fn round(&self, now: f64, went_through: bool) {
        self.rounds.inc();
        if went_through {
            self.last_success.set(now);
        }
    }

    /// A round last went through at this time, in seconds since the Unix epoch.
    pub fn succeeded_before(&self, at: f64) {
        self.last_success.set(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_count_begins_at_0_and_only_success_moves_the_time() {
        let metrics = AuditMetrics::default();
        let has = |line: &str| metrics.encode().lines().any(|told| told == line);
        for name in ["verified", "differs", "not_checkable"] {
            assert!(has(&format!(
                "proctor_audit_receipts_total{{result=\"{name}\"}} 0"
            )));
        }
        assert!(has("proctor_audit_errors_total{kind=\"unreachable\"} 0"));
        assert!(has("proctor_audit_head_inconsistent_total 0"));
        metrics.round(5.0, true);
        metrics.round(6.0, false);
        metrics.receipts("differs", 2);
        metrics.heads_inconsistent(1);
        metrics.failed("unreachable");
        assert!(has("proctor_audit_last_success_timestamp_seconds 5.0"));
        assert!(has("proctor_audit_rounds_total 2"));
        assert!(has("proctor_audit_receipts_total{result=\"differs\"} 2"));
        assert!(has("proctor_audit_head_inconsistent_total 1"));
        assert!(has("proctor_audit_errors_total{kind=\"unreachable\"} 1"));
    }
}
