//! What is believed of a host, and what is not.

use super::*;
use crate::canonical::digest;
use crate::chain::Hotkey;
use crate::receipts::{PreviousHead, Signer};
use proptest::prelude::*;

const DAYS: [&str; 3] = ["2026-08-21", "2026-08-22", "2026-08-23"];
/// On the last of them.
const NOW: f64 = 1_787_475_600.0;

/// Ids of leaves of one of many possible histories of a day.
fn leaves(day: &str, history: &str, size: u64) -> Vec<String> {
    (0..size)
        .map(|leaf| digest(format!("{day} {history} {leaf}")))
        .collect()
}

fn signed(
    key: &str,
    day: &str,
    (history, size): (&str, u64),
    previous: Option<&SignedHead>,
) -> SignedHead {
    let previous = previous.map(|signed| PreviousHead {
        day: signed.head.day.clone(),
        root: signed.head.root.clone(),
        size: signed.head.size,
    });
    let signer = Signer::from(Hotkey::from_uri(key).unwrap());
    let head = Head::of(day, &leaves(day, history, size), previous).unwrap();
    signer.sign_head(head).unwrap()
}

/// The head of Alice's honest history.
fn head(day: usize, size: u64, previous: Option<&SignedHead>) -> SignedHead {
    signed("//Alice", DAYS[day], ("", size), previous)
}

fn heard(heads: &[&SignedHead]) -> Heard {
    let heads = heads.iter().rev().map(|head| (*head).clone());
    Heard {
        heads: heads.collect(),
        is_all: true,
    }
}

fn known(heads: &[&SignedHead]) -> State {
    let mut state = State::new("http://host");
    state.take(heads.iter().map(|head| (*head).clone()).collect());
    state
}

const ANYONE: Signers<'_> = Signers {
    told: &[],
    known: None,
};

fn planned(state: &State, heads: &[&SignedHead]) -> Plan {
    let signers = Signers {
        told: &[],
        known: state.signer.as_deref(),
    };
    plan(state, &heard(heads), signers, NOW)
}

/// The step of the only difference.
fn step(plan: &Plan) -> &str {
    let [difference] = &*plan.differences else {
        panic!("{:?}", plan.differences);
    };
    &difference.step
}

/// What an honest host with this history would prove.
fn proof(claim: &Claim, history: &str) -> Vec<String> {
    let tree = Tree::of(leaves(&claim.day, history, claim.to.size)).unwrap();
    tree.consistency(claim.from.size).unwrap()
}

#[test]
fn what_grows_is_believed_once_it_is_proved() {
    let first = head(0, 3, None);
    let second = head(1, 2, Some(&first));
    let plan = planned(&known(&[]), &[&first, &second]);
    assert_eq!(
        (plan.differences, plan.claims.len(), plan.fresh.len()),
        (vec![], 0, 2)
    );

    // The second day had the first one's head before that grew once more.
    let grown = [head(0, 5, None), head(1, 4, Some(&first))];
    let state = known(&[&first, &second]);
    let plan = planned(&state, &[&grown[0], &grown[1]]);
    assert_eq!(plan.differences, []);
    assert_eq!(plan.fresh.len(), 2);
    assert_eq!(plan.claims.len(), 3);
    for claim in &plan.claims {
        assert_eq!(claim.refuted(&proof(claim, "")), None);
        assert!(claim.refuted(&proof(claim, "other")).is_some());
        assert!(claim.refuted(&[]).is_some());
        assert!(claim.refuted(&["00".to_owned()]).is_some());
    }
    let plan = planned(&state, &[&first, &second]);
    assert!(
        plan.fresh.is_empty() && plan.claims.is_empty(),
        "nothing is new"
    );
}

#[test]
fn a_day_that_shrinks_changes_or_vanishes_is_told() {
    let [first, last] = [head(0, 3, None), head(2, 1, None)];
    let state = known(&[&first]);
    let smaller = head(0, 2, None);
    let plan = planned(&state, &[&smaller]);
    assert_eq!(
        (step(&plan), plan.fresh.len(), plan.disputed.len()),
        ("consistency", 0, 1)
    );
    let other = signed("//Alice", DAYS[0], ("other", 3), None);
    assert_eq!(step(&planned(&state, &[&other])), "consistency");
    assert_eq!(step(&planned(&state, &[])), "vanished");
    // A page that does not go back so far says nothing.
    let page = Heard {
        heads: vec![last.clone()],
        is_all: false,
    };
    let about = plan_of(&known(&[&head(1, 1, None)]), &page);
    assert!(
        about
            .differences
            .iter()
            .all(|difference| difference.step != "vanished")
    );
    // Nor does a day before all that is known.
    let plan = planned(&known(&[&last]), &[&first, &last]);
    assert!(plan.differences.is_empty() && plan.fresh.is_empty());
}

fn plan_of(state: &State, heard: &Heard) -> Plan {
    plan(state, heard, ANYONE, NOW)
}

#[test]
fn another_signer_and_no_signature_are_told() {
    let first = head(0, 3, None);
    let state = known(&[&first]);
    let bobs = signed("//Bob", DAYS[1], ("", 1), Some(&first));
    assert_eq!(step(&planned(&state, &[&first, &bobs])), "signer");
    // Also of the first ones that are ever heard.
    assert_eq!(step(&planned(&known(&[]), &[&first, &bobs])), "signer");
    let both = [first.signer.clone(), bobs.signer.clone()];
    for (told, expected) in [(&both[..1], 1), (&both[1..], 0), (&both[..], 0)] {
        let signers = Signers {
            told,
            known: state.signer.as_deref(),
        };
        let plan = plan(&state, &heard(&[&first, &bobs]), signers, NOW);
        assert_eq!(plan.differences.len(), expected, "{told:?}");
    }
    let mut forged = bobs.clone();
    forged.signer = first.signer.clone();
    assert_eq!(step(&planned(&state, &[&first, &forged])), "signature");
}

#[test]
fn a_head_names_the_last_one_before_it_and_no_other() {
    let first = head(0, 3, None);
    let state = known(&[&first]);
    let of = |previous: Option<&SignedHead>| {
        let second = head(1, 1, previous);
        planned(&state, &[&first, &second])
    };
    assert_eq!(of(Some(&first)).differences, []);
    assert_eq!(step(&of(None)), "previous");
    assert_eq!(
        step(&of(Some(&head(0, 2, None)))),
        "previous",
        "it was over"
    );
    assert_eq!(
        step(&of(Some(&head(1, 1, None)))),
        "previous",
        "it is no day before"
    );
    assert_eq!(
        step(&of(Some(&signed("//Alice", DAYS[0], ("other", 3), None)))),
        "consistency"
    );
    assert_eq!(
        step(&of(Some(&head(0, 4, None)))),
        "consistency",
        "more than there are"
    );
    let third = head(2, 1, Some(&head(1, 1, None)));
    assert_eq!(
        step(&planned(&state, &[&first, &third])),
        "previous",
        "there is no such day"
    );
    // The same tree after another day.
    let (second, again) = (head(1, 1, Some(&first)), head(1, 1, None));
    let state = known(&[&first, &second]);
    assert_eq!(step(&planned(&state, &[&first, &again])), "head");
}

#[test]
fn a_head_that_was_not_believed_is_compared_with_what_was_known_when_it_was_told() {
    let first = head(0, 3, None);
    let mut state = known(&[&first]);
    let bobs = signed("//Bob", DAYS[1], ("", 1), Some(&first));
    let plan = planned(&state, &[&first, &bobs]);
    state.dispute(plan.disputed);
    // The day before grows, and then the operator says that this is Bob.
    let grown = head(0, 4, None);
    state.take(vec![grown.clone()]);
    let told = [bobs.signer.clone()];
    let signers = Signers {
        told: &told,
        known: state.signer.as_deref(),
    };
    let believed = super::plan(&state, &heard(&[&grown, &bobs]), signers, NOW);
    assert_eq!(believed.differences, []);
    assert_eq!(believed.fresh.len(), 1);
    // One that is told only now is newer.
    let late = signed("//Bob", DAYS[1], ("", 2), Some(&first));
    let late = super::plan(&state, &heard(&[&grown, &late]), signers, NOW);
    assert_eq!(step(&late), "previous");
}

#[test]
fn days_that_have_not_come_are_not_believed() {
    let [first, tomorrow] = [
        head(0, 3, None),
        signed("//Alice", "2026-08-24", ("", 1), None),
    ];
    let later = signed("//Alice", "2026-08-25", ("", 1), None);
    let plan = planned(&known(&[]), &[&first, &tomorrow, &later]);
    assert_eq!(plan.future, ["2026-08-25"]);
    assert_eq!(plan.fresh.len(), 2, "clocks differ");
    assert_eq!(plan.differences, []);
}

#[test]
fn a_bundle_has_the_tree_of_the_head_or_one_that_it_grew_to() {
    let of = |day: &str, size| Head::of(day, &leaves(day, "", size), None).unwrap();
    let known = of(DAYS[0], 3);
    let fits = |bundle: &Head, leaves: &[String]| fit(&known, bundle, leaves);
    for size in [3, 4, 7] {
        assert_eq!(
            fits(&of(DAYS[0], size), &leaves(DAYS[0], "", size)),
            Fit::Fits
        );
    }
    assert_eq!(fits(&of(DAYS[0], 2), &leaves(DAYS[0], "", 2)), Fit::Stale);
    let is_other = |fit| matches!(fit, Fit::Other(_));
    assert!(is_other(fits(&of(DAYS[1], 3), &leaves(DAYS[1], "", 3))));
    assert!(is_other(fits(
        &of(DAYS[0], 3),
        &leaves(DAYS[0], "other", 3)
    )));
    assert!(
        is_other(fits(&of(DAYS[0], 3), &leaves(DAYS[0], "", 2))),
        "leaves are left out"
    );
}

#[test]
fn a_head_of_another_day_in_a_bundle_is_the_known_one_or_to_be_proved() {
    let day = DAYS[0];
    let state = known(&[&head(0, 3, None), &head(1, 2, Some(&head(0, 3, None)))]);
    let others = |heads: &[SignedHead]| others(&state, DAYS[2], heads);
    let same = [head(0, 3, None), head(1, 2, Some(&head(0, 3, None)))];
    assert_eq!(others(&same), (Vec::new(), Vec::new()));
    // Nobody knows of that day.
    let unknown = signed("//Alice", "2026-08-20", ("", 9), None);
    assert_eq!(others(&[unknown]), (Vec::new(), Vec::new()));
    for (history, size) in [("", 2), ("", 5), ("other", 2), ("other", 5)] {
        let (differences, claims) = others(&[signed("//Alice", day, (history, size), None)]);
        assert!(differences.is_empty());
        let [claim] = &*claims else {
            panic!("{claims:?}");
        };
        let sizes = (claim.from.size, claim.to.size);
        assert_eq!(sizes, (size.min(3), size.max(3)));
        let refuted = claim.refuted_in_bundle(&proof(claim, ""));
        assert_eq!(refuted.is_some(), history == "other", "{refuted:?}");
        if let Some(difference) = refuted {
            assert_eq!((&*difference.day, &*difference.step), (DAYS[2], "contents"));
        }
    }
    let before = signed("//Alice", "2026-08-20", ("", 1), None);
    let other_previous = signed("//Alice", day, ("", 3), Some(&before));
    let other_root = signed("//Alice", day, ("other", 3), None);
    let mut empty = head(0, 3, None);
    empty.head.size = 0;
    for head in [other_previous, other_root, empty] {
        let (differences, claims) = others(&[head]);
        let [difference] = &*differences else {
            panic!("{differences:?}");
        };
        assert_eq!((&*difference.day, &*difference.step), (DAYS[2], "contents"));
        assert!(claims.is_empty());
    }
}

#[test]
fn pauses_grow_with_failures_up_to_the_time_between_rounds() {
    let s = Duration::from_secs;
    assert_eq!(pause(s(4_320), s(20), 0), s(4_300));
    assert_eq!(pause(s(60), s(90), 0), s(1), "the next round is due");
    let failed: Vec<Duration> = (1..6).map(|n| pause(s(10), s(0), n)).collect();
    assert_eq!(failed, [s(1), s(2), s(4), s(8), s(10)]);
    assert_eq!(pause(s(60), s(0), u32::MAX), s(60));
}

proptest! {
    #[test]
    fn an_honest_host_is_never_accused(
        steps in prop::collection::vec((0_usize..3, 1_u64..4, any::<bool>()), 1..20),
    ) {
        let mut heads: [Option<SignedHead>; 3] = [None, None, None];
        let mut state = known(&[]);
        for (day, more, is_looked_at) in steps {
            let size = heads[day].as_ref().map_or(0, |head| head.head.size) + more;
            let previous = heads[..day].iter().rev().flatten().next().cloned();
            heads[day] = Some(head(day, size, previous.as_ref()));
            if !is_looked_at {
                continue;
            }
            let told: Vec<&SignedHead> = heads.iter().flatten().collect();
            let plan = planned(&state, &told);
            prop_assert_eq!(&plan.differences, &[]);
            for claim in &plan.claims {
                prop_assert_eq!(claim.refuted(&proof(claim, "")), None);
            }
            state.take(plan.fresh.into_iter().map(|head| head.head).collect());
        }
    }
}
