use super::*;
use proptest::prelude::*;

const ALICE: [u8; 32] = [1; 32];
const VECTOR: (&[u16], &[u16]) = (&[1, 2], &[65_535, 100]);
const RATE: u64 = 100;

const POLICY: Policy = Policy {
    margin_blocks: 20,
    jitter_blocks: 10,
    resubmit_above: None,
};

fn epoch(block: u64) -> EpochState {
    EpochState {
        block,
        tempo: 360,
        last_epoch_block: 1_000,
        pending_epoch_at: 0,
        epoch_index: 7,
        blocks_since_last_step: block.saturating_sub(1_000),
    }
}

fn sent(epoch_index: u64, block: u64) -> LastSubmission {
    LastSubmission {
        epoch_index,
        block,
        uids: VECTOR.0.to_vec(),
        values: VECTOR.1.to_vec(),
    }
}

fn at(epoch: &EpochState, last_update: u64, last: Option<&LastSubmission>) -> Decision {
    decide(epoch, RATE, last_update, last, VECTOR, &ALICE, &POLICY)
}

/// The blocks from `from` on at which the decision changes, until it is to submit.
fn submits_at(from: EpochState, last_update: u64) -> u64 {
    let mut now = from;
    loop {
        match at(&now, last_update, None) {
            Decision::Submit(_) => return now.block,
            Decision::Wait { until, .. } => {
                assert!(until > now.block);
                now.block = until;
            }
        }
    }
}

#[test]
fn a_vector_is_submitted_before_the_margin_brought_forward_by_the_jitter() {
    let lands = submits_at(epoch(1_000), 900) + 1;
    assert!((1_330..=1_340).contains(&lands), "{lands}");
    let other = |hotkey: u8| {
        let period = Period::of(&epoch(1_000)).unwrap();
        period.target(&[hotkey; 32], &POLICY)
    };
    let targets: std::collections::BTreeSet<u64> = (0..200).map(other).collect();
    assert_eq!(targets, (1_330..=1_340).collect());
    assert_eq!(other(1), lands);
}

#[test]
fn a_host_that_comes_late_submits_at_once() {
    for block in 1_341..=1_358 {
        let decision = at(&epoch(block), 900, None);
        assert_eq!(decision, Decision::Submit(Why::Due), "{block}");
    }
}

#[test]
fn what_would_land_with_the_epoch_waits_for_the_next_one() {
    let Decision::Wait { until, why } = at(&epoch(1_359), 900, None) else {
        panic!("block 1360 begins with the epoch");
    };
    assert_eq!(why, Wait::Early);
    assert!((1_689..=1_699).contains(&until), "{until}");
}

#[test]
fn one_period_has_one() {
    let decision = at(&epoch(1_350), 1_335, Some(&sent(7, 1_335)));
    let submitted = Wait::Submitted;
    assert_eq!(
        decision,
        Decision::Wait {
            until: 1_359,
            why: submitted
        }
    );
    let lone = EpochState {
        epoch_index: 0,
        ..epoch(1_350)
    };
    let decision = at(&lone, 1_335, Some(&sent(0, 1_335)));
    assert!(matches!(decision, Decision::Wait { why, .. } if why == submitted));
}

#[test]
fn what_landed_with_the_epoch_counts_for_the_next() {
    let late = sent(7, 1_000);
    let decision = at(&epoch(1_350), 1_000, Some(&late));
    assert!(matches!(
        decision,
        Decision::Wait {
            why: Wait::Submitted,
            ..
        }
    ));
    let decision = at(&epoch(1_350), 999, Some(&sent(6, 999)));
    assert_eq!(decision, Decision::Submit(Why::Due));
    let lone = EpochState {
        epoch_index: 0,
        ..epoch(1_350)
    };
    let decision = at(&lone, 1_000, Some(&sent(0, 1_000)));
    assert!(matches!(
        decision,
        Decision::Wait {
            why: Wait::Submitted,
            ..
        }
    ));
}

#[test]
fn without_a_margin_the_last_block_of_the_period_is_aimed_at() {
    let policy = Policy {
        margin_blocks: 0,
        jitter_blocks: 0,
        ..POLICY
    };
    let now = |block| decide(&epoch(block), RATE, 900, None, VECTOR, &ALICE, &policy);
    assert_eq!(
        now(1_357),
        Decision::Wait {
            until: 1_358,
            why: Wait::Early
        }
    );
    assert_eq!(now(1_358), Decision::Submit(Why::Due));
}

#[test]
fn a_new_tempo_does_not_make_a_second_one() {
    let reset = EpochState {
        tempo: 400,
        last_epoch_block: 1_340,
        ..epoch(1_730)
    };
    let decision = at(&reset, 1_335, Some(&sent(7, 1_335)));
    assert!(matches!(
        decision,
        Decision::Wait {
            why: Wait::Submitted,
            ..
        }
    ));
}

#[test]
fn registering_counts_for_the_rate_limit_and_is_no_submission() {
    assert_eq!(
        at(&epoch(1_341), 1_300, None),
        Decision::Wait {
            until: 1_399,
            why: Wait::RateLimit
        }
    );
    let early = at(&epoch(1_341), 1_242, None);
    assert_eq!(early, Decision::Submit(Why::Due));
    let first = at(&epoch(1_341), 0, None);
    assert_eq!(first, Decision::Submit(Why::Due));
    let unlimited = decide(&epoch(1_341), 0, 1_341, None, VECTOR, &ALICE, &POLICY);
    assert_eq!(unlimited, Decision::Submit(Why::Due));
}

#[test]
fn the_rate_limit_ends_with_its_last_block() {
    let now = |block| at(&epoch(block), 1_250, None);
    assert_eq!(
        now(1_348),
        Decision::Wait {
            until: 1_349,
            why: Wait::RateLimit
        }
    );
    assert_eq!(now(1_349), Decision::Submit(Why::Due));
}

#[test]
fn a_submission_that_the_chain_does_not_show_yet_counts_for_the_rate_limit() {
    let always = Policy {
        resubmit_above: Some(0.0),
        ..POLICY
    };
    let last = sent(7, 1_300);
    let vector: (&[u16], &[u16]) = (&[3], &[65_535]);
    let decision = decide(
        &epoch(1_350),
        RATE,
        900,
        Some(&last),
        vector,
        &ALICE,
        &always,
    );
    assert_eq!(
        decision,
        Decision::Wait {
            until: 1_399,
            why: Wait::RateLimit
        }
    );
}

#[test]
fn a_vector_that_changed_enough_is_submitted_again() {
    let policy = Policy {
        resubmit_above: Some(0.5),
        ..POLICY
    };
    let last = sent(7, 1_100);
    let again = |vector| {
        decide(
            &epoch(1_345),
            RATE,
            1_100,
            Some(&last),
            vector,
            &ALICE,
            &policy,
        )
    };
    let submitted = |decision| {
        matches!(
            decision,
            Decision::Wait {
                why: Wait::Submitted,
                ..
            }
        )
    };
    assert!(submitted(again(VECTOR)));
    assert!(submitted(again((&[1, 2], &[65_535, 20_000]))));
    let Decision::Submit(Why::Changed(by)) = again((&[2], &[65_535])) else {
        panic!("everything changed");
    };
    assert!(by > 1.99 && by <= 2.0, "{by}");
}

#[test]
fn an_epoch_that_the_owner_orders_is_met_if_there_is_time() {
    let ordered = |block| EpochState {
        pending_epoch_at: 1_110,
        ..epoch(block)
    };
    assert_eq!(at(&ordered(1_100), 900, None), Decision::Submit(Why::Due));
    assert_eq!(at(&ordered(1_108), 900, None), Decision::Submit(Why::Due));
    let too_late = at(&ordered(1_109), 900, None);
    assert!(matches!(
        too_late,
        Decision::Wait {
            why: Wait::Early,
            ..
        }
    ));
}

#[test]
fn a_subnet_without_tempo_gets_nothing() {
    let none = EpochState {
        tempo: 0,
        ..epoch(1_100)
    };
    let decision = Decision::Wait {
        until: 1_101,
        why: Wait::NoEpochs,
    };
    assert_eq!(at(&none, 900, None), decision);
    assert!(!is_late(&none, RATE, 1, None, &POLICY));
}

#[test]
fn epochs_that_never_come_are_counted_by_the_tempo() {
    let mut now = epoch(5_000);
    let lands = submits_at(now, 900) + 1;
    assert!((5_290..=5_300).contains(&lands), "{lands}");
    now.block = lands;
    let last = sent(7, lands);
    let Decision::Wait { until, why } = at(&now, lands, Some(&last)) else {
        panic!("there is one");
    };
    assert_eq!((until, why), (5_319, Wait::Submitted));
    now.block = until;
    let Decision::Wait { until, .. } = at(&now, lands, Some(&last)) else {
        panic!("it is early");
    };
    assert!((5_649..=5_659).contains(&until), "{until}");
}

#[test]
fn a_tempo_shorter_than_the_margin_is_met_at_its_beginning() {
    let short = |block| EpochState {
        tempo: 10,
        ..epoch(block)
    };
    let decide = |block, last: &LastSubmission| {
        decide(
            &short(block),
            3,
            last.block,
            Some(last),
            VECTOR,
            &ALICE,
            &POLICY,
        )
    };
    assert_eq!(decide(1_000, &sent(6, 995)), Decision::Submit(Why::Due));
    // The epoch of block 1010 may be put off.
    let due = Decision::Wait {
        until: 1_010,
        why: Wait::Submitted,
    };
    assert_eq!(decide(1_009, &sent(7, 1_001)), due);
    let submitted = Decision::Wait {
        until: 1_009,
        why: Wait::Submitted,
    };
    assert_eq!(decide(1_001, &sent(7, 1_001)), submitted);
}

#[test]
fn it_is_late_within_the_margin_and_after_an_epoch_without() {
    let late = |block, last_update, last: Option<&LastSubmission>| {
        is_late(&epoch(block), RATE, last_update, last, &POLICY)
    };
    let before = sent(6, 970);
    assert!(!late(1_339, 970, Some(&before)));
    assert!(late(1_340, 970, Some(&before)));
    assert!(!late(1_340, 1_335, Some(&sent(7, 1_335))));
    let long_ago = sent(5, 639);
    assert!(late(1_100, 639, Some(&long_ago)));
    assert!(!late(1_100, 640, Some(&sent(5, 640))));
}

#[test]
fn it_is_not_late_where_the_chain_would_not_have_taken_it() {
    let late = |rate, last_update| is_late(&epoch(1_350), rate, last_update, None, &POLICY);
    assert!(late(100, 1_240));
    assert!(!late(100, 1_241));
    assert!(!late(500, 1_001));
    assert!(!is_late(&epoch(1_100), 500, 500, None, &POLICY));
    assert!(is_late(&epoch(1_100), 500, 479, None, &POLICY));
    assert!(!is_late(&epoch(1_100), RATE, 1_050, None, &POLICY));
}

#[test]
fn the_change_of_a_vector_is_that_of_its_parts() {
    let whole: (&[u16], &[u16]) = (&[1, 2], &[100, 300]);
    assert_eq!(change(whole, (&[2, 1], &[3, 1])), 0.0);
    assert_eq!(change(whole, (&[1, 2, 9], &[1, 3, 0])), 0.0);
    assert_eq!(change(whole, (&[1, 2], &[300, 100])), 1.0);
    assert_eq!(change(whole, (&[3], &[1])), 2.0);
    assert_eq!(change(whole, (&[], &[])), 2.0);
    assert_eq!(change((&[1], &[0]), whole), 2.0);
    assert_eq!(change((&[1], &[0]), (&[], &[])), 0.0);
    assert_eq!(change(whole, (&[2], &[7])), 0.5);
}

#[test]
fn pauses_grow_and_end() {
    let pauses: Vec<u64> = (0..10).map(pause_blocks).collect();
    assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
    assert_eq!(pause_blocks(u32::MAX), 64);
}

/// What comes in the way of a block.
#[derive(Debug, Clone, Copy)]
enum Event {
    None,
    /// The owner orders an epoch in so many blocks.
    Order(u64),
    /// The epoch that is due is put off.
    PutOff,
    Tempo(u16),
    /// What is sent lands so many blocks late.
    Delay(u64),
    /// What is sent never lands.
    Lost,
}

fn stormy() -> impl Strategy<Value = Event> {
    prop_oneof![
        60 => Just(Event::None),
        1 => (1..40_u64).prop_map(Event::Order),
        20 => Just(Event::PutOff),
        1 => prop_oneof![Just(0_u16), 1..40_u16, 90..200_u16].prop_map(Event::Tempo),
        5 => (1..6_u64).prop_map(Event::Delay),
        5 => Just(Event::Lost),
    ]
}

/// What landed: its block, the index of its epoch, and how much it had changed.
#[derive(Debug, Clone, Copy)]
struct Landed {
    block: u64,
    index: u64,
    by: Option<f64>,
}

/// A subnet that follows the rule block by block, with a hotkey that registered at block
/// 1,000 and then does what is decided. Returns what landed, and the blocks of epochs.
fn run(
    tempo: u16,
    rate_limit: u64,
    policy: Policy,
    numbered: bool,
    events: &[Event],
) -> (Vec<Landed>, Vec<u64>) {
    let mut state = EpochState {
        block: 1_000,
        tempo,
        last_epoch_block: 990,
        pending_epoch_at: 0,
        epoch_index: numbered.into(),
        blocks_since_last_step: 10,
    };
    let (mut last_update, mut last) = (1_000, None::<LastSubmission>);
    let mut flying = None::<(u64, Option<f64>, (Vec<u16>, Vec<u16>))>;
    let (mut landed, mut epochs) = (Vec::<Landed>::new(), Vec::new());
    for (n, event) in events.iter().enumerate() {
        state.block += 1;
        state.blocks_since_last_step += 1;
        let due = state.tempo > 0
            && (state.pending_epoch_at > 0 && state.block >= state.pending_epoch_at
                || state.block - state.last_epoch_block >= u64::from(state.tempo));
        if due && matches!(event, Event::PutOff) {
            state.pending_epoch_at = state.block + 1;
        } else if due {
            state.pending_epoch_at = 0;
            state.last_epoch_block = state.block;
            state.blocks_since_last_step = 0;
            state.epoch_index += u64::from(numbered);
            epochs.push(state.block);
        }
        match *event {
            Event::Order(after) if state.pending_epoch_at == 0 => {
                state.pending_epoch_at = state.block + after;
            }
            Event::Tempo(tempo) => {
                state.tempo = tempo;
                state.last_epoch_block = state.block;
            }
            _ => {}
        }
        if let Some((block, by, vector)) = flying.take_if(|(block, ..)| *block <= state.block) {
            assert_eq!(block, state.block);
            assert!(block - last_update >= rate_limit, "the chain refuses it");
            let (uids, values) = vector;
            last_update = block;
            last = Some(LastSubmission {
                epoch_index: state.epoch_index,
                block,
                uids,
                values,
            });
            landed.push(Landed {
                block,
                index: epochs.len() as u64,
                by,
            });
        }
        if flying.is_some() {
            continue;
        }
        // A vector that changes a little with each block, and wholly from time to time.
        let vector = (
            vec![1, 2 + (n / 50) as u16],
            vec![65_535, (n % 50) as u16 * 100],
        );
        let decided = decide(
            &state,
            rate_limit,
            last_update,
            last.as_ref(),
            (&vector.0, &vector.1),
            &ALICE,
            &policy,
        );
        match decided {
            Decision::Submit(why) => {
                let by = match why {
                    Why::Due => None,
                    Why::Changed(by) => Some(by),
                };
                let delay = match *event {
                    Event::Delay(delay) => delay,
                    Event::Lost => continue,
                    _ => 0,
                };
                flying = Some((state.block + 1 + delay, by, vector));
            }
            Decision::Wait { until, .. } => assert!(until > state.block),
        }
    }
    (landed, epochs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_epoch_of_a_quiet_subnet_has_one_in_time(
        tempo in 2..200_u16,
        rate_limit in 0..100_u64,
        margin_blocks in 0..60_u64,
        jitter_blocks in 0..30_u64,
        numbered: bool,
    ) {
        let tempo_blocks = u64::from(tempo);
        let jitter_blocks = jitter_blocks.min(tempo_blocks);
        let rate_limit = rate_limit.min(tempo_blocks - jitter_blocks);
        let policy = Policy { margin_blocks, jitter_blocks, resubmit_above: None };
        let events = vec![Event::None; 3_000];
        let (landed, epochs) = run(tempo, rate_limit, policy, numbered, &events);
        for period in epochs.windows(2) {
            let &[begins, ends] = period else { unreachable!() };
            let within: Vec<u64> = landed
                .iter()
                .map(|l| l.block)
                .filter(|block| (begins..ends).contains(block))
                .collect();
            let &[block] = within.as_slice() else {
                panic!("{begins}..{ends} has {within:?}");
            };
            let earlier = landed.iter().map(|l| l.block).filter(|l| *l < block);
            let before = earlier.max().unwrap_or(1_000);
            let margin = ends.saturating_sub(margin_blocks.max(1));
            let possible = margin.max(begins + 1).max(before + rate_limit);
            prop_assert!(block <= possible, "{} of {}..{}", block, begins, ends);
            prop_assert!(block + margin_blocks.max(1) + jitter_blocks >= ends);
        }
        prop_assert!(epochs.len() >= 10);
    }

    #[test]
    fn no_epoch_has_two_and_no_rate_limit_is_broken_whatever_comes(
        tempo in prop_oneof![1..40_u16, 90..200_u16],
        rate_limit in prop_oneof![0..5_u64, 30..150_u64],
        margin_blocks in 0..60_u64,
        jitter_blocks in 0..30_u64,
        events in prop::collection::vec(stormy(), 3_000),
    ) {
        let policy = Policy { margin_blocks, jitter_blocks, resubmit_above: None };
        let (landed, _) = run(tempo, rate_limit, policy, true, &events);
        for pair in landed.windows(2) {
            prop_assert!(pair[0].index < pair[1].index, "{:?}", pair);
            prop_assert!(pair[1].block - pair[0].block >= rate_limit);
        }
    }

    #[test]
    fn only_what_changed_enough_comes_again(
        tempo in 20..200_u16,
        rate_limit in 0..60_u64,
        above in 0.0..2.0_f64,
        events in prop::collection::vec(stormy(), 2_000),
    ) {
        let policy = Policy {
            margin_blocks: 50,
            jitter_blocks: 10,
            resubmit_above: Some(above),
        };
        let (landed, _) = run(tempo, rate_limit, policy, true, &events);
        for pair in landed.windows(2) {
            let again = pair[0].index == pair[1].index;
            prop_assert!(pair[1].by.is_none_or(|by| by > above));
            prop_assert!(!again || pair[1].by.is_some(), "{:?}", pair);
        }
    }
}
