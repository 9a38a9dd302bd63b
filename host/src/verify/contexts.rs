//! What calls had in common.

use super::report::{Context, MAX_FINDINGS};
use crate::receipts::{Receipt, SignedReceipt};
use std::collections::BTreeMap;

/// What the calls among the leaves had in common.
pub(super) fn of_leaves(leaves: &[SignedReceipt]) -> Vec<Context> {
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for leaf in leaves {
        let Receipt {
            challenge,
            kind,
            component,
            settings,
            limits,
            seed,
            logical_time,
            ..
        } = &leaf.receipt;
        if component.is_some() {
            let at = logical_time.0.to_bits();
            let key = (challenge, *kind, component, settings, limits, seed, at);
            *counts.entry(key).or_default() += 1;
        }
    }
    let mut contexts: Vec<Context> = counts
        .into_iter()
        .map(
            |((challenge, kind, component, settings, limits, seed, at), count)| Context {
                challenge: challenge.clone(),
                kind,
                component: component.clone(),
                settings: settings.clone(),
                limits: limits.clone(),
                seed: seed.clone(),
                logical_time: f64::from_bits(at),
                count,
            },
        )
        .collect();
    contexts.sort_by(|a, b| {
        let of = |context: &Context| (context.challenge.clone(), context.kind);
        of(a).cmp(&of(b)).then(b.count.cmp(&a.count))
    });
    contexts.truncate(MAX_FINDINGS);
    contexts
}
