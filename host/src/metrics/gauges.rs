//! Gauges that are not always there.

use prometheus_client::encoding::{EncodeGaugeValue, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{Atomic, Gauge};
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A gauge that is not told before it is known: a query takes 0 for a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Known<N>(Arc<Mutex<Option<N>>>);

impl<N> Known<N> {
    pub(super) fn set(&self, value: N) {
        *lock(&self.0) = Some(value);
    }
}

impl<N: EncodeGaugeValue + Copy> EncodeMetric for Known<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        match *lock(&self.0) {
            Some(value) => encoder.encode_gauge(&value),
            None => Ok(()),
        }
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        lock(&self.0).is_none()
    }
}

/// Gauges that are told all at once. Those that are not told any more vanish; the
/// others are never missing in between, where a scrape would have an alert that waits
/// begin anew.
#[derive(Debug)]
pub(super) struct Current<L, N = i64, A = AtomicI64> {
    pub(super) family: Family<L, Gauge<N, A>>,
    told: Mutex<HashSet<L>>,
}

impl<L, N, A> Default for Current<L, N, A>
where
    L: Clone + Eq + Hash,
    A: Default,
{
    fn default() -> Self {
        Current {
            family: Family::default(),
            told: Mutex::default(),
        }
    }
}

impl<L, N, A> Current<L, N, A>
where
    L: Clone + Eq + Hash,
    A: Atomic<N> + Default,
{
    pub(super) fn set(&self, values: impl Iterator<Item = (L, N)>) {
        let mut told = lock(&self.told);
        let mut gone = std::mem::take(&mut *told);
        for (labels, value) in values {
            self.family.get_or_create(&labels).set(value);
            gone.remove(&labels);
            told.insert(labels);
        }
        for labels in gone {
            self.family.remove(&labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode_registry;
    use prometheus_client::registry::Registry;

    fn told(registry: &Registry) -> Vec<String> {
        let mut text = String::new();
        encode_registry(&mut text, registry).unwrap();
        let mut samples: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        samples.sort();
        samples
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let mut registry = Registry::default();
        let gauge = Known::<i64>::default();
        registry.register("a", "A", gauge.clone());
        let mut text = String::new();
        encode_registry(&mut text, &registry).unwrap();
        assert_eq!(text, "");
        gauge.set(0);
        assert_eq!(told(&registry), ["a 0"]);
    }

    #[test]
    fn what_is_not_told_any_more_vanishes() {
        let mut registry = Registry::default();
        let gauges: Current<[(&str, &str); 1]> = Current::default();
        registry.register("a", "A", gauges.family.clone());
        gauges.set([([("b", "1")], 1), ([("b", "2")], 2)].into_iter());
        assert_eq!(told(&registry), ["a{b=\"1\"} 1", "a{b=\"2\"} 2"]);
        gauges.set([([("b", "2")], 3)].into_iter());
        assert_eq!(told(&registry), ["a{b=\"2\"} 3"]);
        gauges.set(std::iter::empty());
        assert_eq!(told(&registry), [""; 0]);
    }
}
