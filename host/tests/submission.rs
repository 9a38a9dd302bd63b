//! Weights on their way to a simulated chain: each once, whatever happens in between.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

#[path = "submission/support.rs"]
mod support;

use proctor_host::store::{SubmissionKind, SubmissionState};
use proctor_host::submission::SubmissionError;
use proctor_simulated_chain::drand::{KNOWN_ROUND, KNOWN_SIGNATURE};
use proctor_simulated_chain::{Call, Failure, Invalid, NETUID, Outcome, SimulatedChain};
use std::collections::BTreeSet;
use support::{Setup, until, vector};

const SUBMIT: &str = "author_submitAndWatchExtrinsic";

/// What was taken into blocks and succeeded: the blocks, in order.
fn taken(chain: &SimulatedChain) -> Vec<u64> {
    let received = chain.received();
    // Sending the same bytes again is no other submission.
    let blocks: BTreeSet<u64> = received
        .iter()
        .filter_map(|received| match &received.outcome {
            Outcome::Included {
                block,
                result: Ok(()),
                ..
            } => Some(*block),
            _ => None,
        })
        .collect();
    blocks.into_iter().collect()
}

/// How many different extrinsics were sent.
fn different(chain: &SimulatedChain) -> usize {
    let received = chain.received();
    let bytes: BTreeSet<_> = received.iter().map(|received| &received.bytes).collect();
    bytes.len()
}

fn row_of(chain: &SimulatedChain, uid: u16) -> Vec<(u16, u16)> {
    let row = chain.read(|state| state.subnets[&NETUID].weights.get(&(0, uid)).cloned());
    row.unwrap_or_default()
}

#[tokio::test]
async fn weights_are_submitted_once_in_each_epoch_and_read_back() {
    let setup = Setup::new().await;
    let running = setup.start();
    // Block 1005 begins an epoch; the margin is 2 blocks.
    for (epoch, block) in [1_003, 1_013, 1_023].into_iter().enumerate() {
        setup.mine_slowly_to(block - 1).await;
        setup.chain.until(|chain| chain.waiting() == 1).await;
        setup.mine_slowly_to(block + 4).await;
        let id = i64::try_from(epoch).unwrap() + 1;
        let row = setup.ended(id).await;
        assert_eq!(row.state, SubmissionState::Confirmed, "{row:?}");
        assert_eq!(row.new.kind, SubmissionKind::Set);
        assert_eq!(row.block, Some(block));
        assert_eq!(row.sends, 1);
    }
    assert_eq!(taken(&setup.chain), [1_003, 1_013, 1_023]);
    assert_eq!(different(&setup.chain), 3);
    assert_eq!(row_of(&setup.chain, 0), [(1, 65_535), (2, 30_000)]);
    let events = setup.store.events_after(0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["weights_submitted"; 3]);
    running.stop().await;
}

#[tokio::test]
async fn weights_of_another_mechanism_are_submitted_and_read_back_as_its_own() {
    let setup = Setup::with(|state| state.subnet(NETUID).mechanisms = 2).await;
    let running = setup.start_with(|config| config.chain.mechanism = 1);
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.mine_slowly_to(1_004).await;
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Confirmed, "{row:?}");
    assert_eq!(row.new.call, "SubtensorModule.set_mechanism_weights");
    let of = |mechanism| {
        setup.chain.read(|state| {
            let rows = &state.subnets[&NETUID].weights;
            rows.get(&(mechanism, 0)).cloned().unwrap_or_default()
        })
    };
    assert_eq!((of(0), of(1)), (vec![], vec![(1, 65_535), (2, 30_000)]));
    running.stop().await;
}

#[tokio::test]
async fn what_no_finalized_block_has_is_neither_confirmed_nor_followed_by_another() {
    let setup = Setup::new().await;
    setup.chain.finality_lag(None);
    let running = setup.start();
    let submitted = running.submitter.submit().await.unwrap();
    let id = submitted.submission.unwrap().id;
    setup.chain.mine(1);
    setup.reached(id, SubmissionState::Included).await;
    setup.chain.mine(40);
    let error = running.submitter.submit().await.unwrap_err();
    assert!(
        matches!(error, SubmissionError::Open(open) if open == id),
        "{error}"
    );
    assert_eq!(different(&setup.chain), 1);
    setup.chain.finality_lag(Some(0));
    setup.chain.mine(1);
    let row = setup.ended(id).await;
    assert_eq!(
        (row.state, row.block),
        (SubmissionState::Confirmed, Some(1_001))
    );
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_is_killed_while_weights_wait_finds_them_and_sends_no_others() {
    let setup = Setup::new().await;
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    running.kill().await;
    // It is down while its weights get into a block, and for some more.
    setup.chain.mine(3);
    let running = setup.start();
    let row = setup.ended(1).await;
    assert_eq!(
        (row.state, row.block),
        (SubmissionState::Confirmed, Some(1_003))
    );
    setup.mine_slowly_to(1_012).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    assert_eq!(different(&setup.chain), 2, "one in each epoch");
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_is_killed_before_the_node_answers_sends_nothing_else() {
    let setup = Setup::new().await;
    setup.chain.faults().ignore(SUBMIT, 1);
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    running.kill().await;
    let row = setup.store.submission(1).await.unwrap().unwrap();
    assert_eq!((row.state, row.sends), (SubmissionState::Prepared, 1));
    let running = setup.start();
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(
        (row.state, row.block),
        (SubmissionState::Confirmed, Some(1_003))
    );
    setup.mine_slowly_to(1_011).await;
    assert_eq!(different(&setup.chain), 1);
    running.stop().await;
}

#[tokio::test]
async fn weights_whose_answer_was_lost_are_looked_for_and_not_sent_anew() {
    let setup = Setup::new().await;
    setup.chain.faults().cut_after(SUBMIT, 1);
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(
        (row.state, row.block),
        (SubmissionState::Confirmed, Some(1_003))
    );
    setup.mine_slowly_to(1_011).await;
    assert_eq!(different(&setup.chain), 1);
    running.stop().await;
}

#[tokio::test]
async fn weights_that_did_not_arrive_are_sent_again_as_they_were_signed() {
    let setup = Setup::new().await;
    setup.chain.faults().cut_before(SUBMIT, 2);
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    until("it was tried in vain", async || {
        setup.chain.faults().requests(SUBMIT) == 1
    })
    .await;
    setup.mine_slowly_to(1_003).await;
    until("it was tried again", async || {
        setup.chain.faults().requests(SUBMIT) == 2
    })
    .await;
    setup.mine_slowly_to(1_004).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(
        (row.state, row.block),
        (SubmissionState::Confirmed, Some(1_005))
    );
    assert_eq!(row.sends, 3);
    assert_eq!(different(&setup.chain), 1);
    running.stop().await;
}

#[tokio::test]
async fn weights_that_a_pool_forgot_are_sent_again_as_they_were_signed() {
    let setup = Setup::new().await;
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.reached(1, SubmissionState::Sent).await;
    setup.chain.restart();
    assert_eq!(setup.chain.waiting(), 0);
    setup.chain.mine(1);
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Confirmed);
    assert_eq!(different(&setup.chain), 1);
    assert_eq!(taken(&setup.chain), [1_004]);
    running.stop().await;
}

#[tokio::test]
async fn a_block_of_a_fork_does_not_count() {
    let setup = Setup::new().await;
    setup.chain.finality_lag(Some(3));
    let running = setup.start();
    let submitted = running.submitter.submit().await.unwrap();
    let id = submitted.submission.unwrap().id;
    setup.chain.mine(2);
    setup.reached(id, SubmissionState::Included).await;
    // The block is replaced, and what was in it is lost.
    setup.chain.fork_and_lose(2);
    setup.chain.finality_lag(Some(0));
    setup.chain.mine(1);
    setup.chain.until(|chain| chain.waiting() == 1).await;
    let row = setup.store.submission(id).await.unwrap().unwrap();
    assert_eq!(row.state, SubmissionState::Included);
    setup.chain.mine(1);
    let row = setup.ended(id).await;
    assert_eq!(row.state, SubmissionState::Confirmed);
    assert_eq!(row.block, Some(setup.chain.best()));
    assert_eq!(different(&setup.chain), 1);
    running.stop().await;
}

#[tokio::test]
async fn weights_of_an_era_that_is_over_are_given_up_and_made_anew() {
    let setup = Setup::new().await;
    setup.chain.faults().cut_before(SUBMIT, 1_000);
    let running = setup.start();
    let submitted = running.submitter.submit().await.unwrap();
    let row = submitted.submission.unwrap();
    assert_eq!((row.new.born, row.new.dies), (1_000, 1_008));
    setup.mine_slowly_to(1_006).await;
    let row = setup.store.submission(row.id).await.unwrap().unwrap();
    assert!(row.state.is_open(), "block 1007 may have it: {row:?}");
    assert_eq!(different(&setup.chain), 0);
    setup.mine_slowly_to(1_007).await;
    let row = setup.ended(row.id).await;
    assert_eq!(row.state, SubmissionState::Expired);
    setup.chain.faults().clear();
    setup.mine_slowly_to(1_012).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    let row = setup.ended(2).await;
    assert_eq!(row.state, SubmissionState::Confirmed);
    assert_eq!(taken(&setup.chain), [1_013]);
    running.stop().await;
}

#[tokio::test]
async fn weights_whose_nonce_another_extrinsic_used_are_given_up() {
    let setup = Setup::new().await;
    setup.chain.faults().cut_before(SUBMIT, 1_000);
    let running = setup.start_with(|config| config.weights.submit = false);
    let submitted = running.submitter.submit().await.unwrap();
    let id = submitted.submission.unwrap().id;
    setup.chain.mine(1);
    setup.chain.edit(|state| {
        let alice = proctor_simulated_chain::account("alice");
        *state.nonces.entry(alice).or_default() += 1;
    });
    setup.chain.mine(1);
    let row = setup.ended(id).await;
    assert_eq!(row.state, SubmissionState::Expired);
    assert!(row.message.unwrap().contains("nonce"));
    running.stop().await;
}

#[tokio::test]
async fn a_refusal_of_the_pool_ends_it_and_is_not_answered_with_a_hail_of_others() {
    let setup = Setup::new().await;
    for _ in 0..3 {
        setup.chain.refuse_next(Invalid::Custom(6).error());
    }
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Rejected);
    assert_eq!(row.outcome.as_deref(), Some("RateLimitExceeded"));
    setup.mine_slowly_to(1_013).await;
    assert!(
        setup.chain.received().len() <= 4,
        "{:?}",
        setup.chain.received()
    );
    setup
        .mine_until("it is submitted in the end", async || {
            taken(&setup.chain).len() == 1
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_fails_in_its_block_is_told_by_the_chains_name_of_the_error() {
    let setup = Setup::new().await;
    let running = setup.start_with(|config| config.weights.submit = false);
    running.submitter.submit().await.unwrap();
    setup
        .chain
        .edit(|state| state.subnet(NETUID).neuron(0).validator_permit = false);
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Failed, "{row:?}");
    assert_eq!(row.outcome.as_deref(), Some("NeuronNoValidatorPermit"));
    assert_eq!(row.block, Some(1_001));
    let received = setup.chain.received();
    let failed = Err(Failure::Module("NeuronNoValidatorPermit"));
    assert!(
        matches!(&received[0].outcome, Outcome::Included { result, .. } if *result == failed),
        "{received:?}"
    );
    let events = setup.store.events_after(0, 9).await.unwrap();
    assert_eq!(events.last().unwrap().kind, "weights_rejected");
    running.stop().await;
}

#[tokio::test]
async fn weights_that_are_not_there_after_a_success_are_unconfirmed() {
    let setup = Setup::new().await;
    setup.chain.finality_lag(Some(1));
    let running = setup.start_with(|config| config.weights.submit = false);
    running.submitter.submit().await.unwrap();
    setup.chain.mine(1);
    setup.chain.edit(|state| {
        state
            .subnet(NETUID)
            .weights
            .insert((0, 0), vec![(3, 65_535)]);
    });
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Unconfirmed);
    running.stop().await;
}

#[tokio::test]
async fn a_commit_to_a_hash_is_revealed_in_its_epoch_and_then_confirmed() {
    let setup = Setup::with(|state| {
        state.commit_reveal_version = 0;
        state.subnet(NETUID).commit_reveal = true;
    })
    .await;
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    setup.reached(1, SubmissionState::Finalized).await;
    let row = setup.store.submission(1).await.unwrap().unwrap();
    assert_eq!(row.new.kind, SubmissionKind::Commit);
    // The host is killed with a commit to reveal.
    running.kill().await;
    let running = setup.start();
    setup.mine_slowly_to(1_004).await;
    assert_eq!(row_of(&setup.chain, 0), []);
    // What is in block 1005 is of the next epoch.
    setup.mine_slowly_to(1_006).await;
    let reveal = setup.ended(2).await;
    assert_eq!(reveal.block, Some(1_005));
    assert_eq!(reveal.new.kind, SubmissionKind::Reveal);
    assert_eq!(reveal.state, SubmissionState::Confirmed, "{reveal:?}");
    assert_eq!(reveal.new.commit_id, Some(1));
    let commit = setup.ended(1).await;
    assert_eq!(commit.state, SubmissionState::Confirmed);
    assert_eq!(row_of(&setup.chain, 0), [(1, 65_535), (2, 30_000)]);
    let calls = setup.chain.received();
    let revealed = calls.iter().filter(|received| {
        let extrinsic = received.extrinsic.as_ref();
        matches!(extrinsic.map(|e| &e.call), Some(Call::Reveal { .. }))
    });
    assert_eq!(revealed.count(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_commit_whose_epoch_is_missed_is_told_as_lost() {
    let setup = Setup::with(|state| {
        state.commit_reveal_version = 0;
        state.subnet(NETUID).commit_reveal = true;
    })
    .await;
    let running = setup.start_with(|config| config.weights.submit = false);
    running.submitter.submit().await.unwrap();
    setup.chain.mine(1);
    setup.reached(1, SubmissionState::Finalized).await;
    running.kill().await;
    setup.chain.mine_to(1_020);
    let running = setup.start_with(|config| config.weights.submit = false);
    setup.chain.mine(1);
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Unconfirmed);
    assert_eq!(row.outcome.as_deref(), Some("ExpiredWeightCommit"));
    running.stop().await;
}

#[tokio::test]
async fn a_timelocked_commit_is_confirmed_when_the_chain_has_revealed_it() {
    let setup = Setup::with(|state| {
        state.commit_reveal_version = 4;
        state.subnet(NETUID).commit_reveal = true;
    })
    .await;
    let running = setup.start_at_known_round();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    setup.reached(1, SubmissionState::Finalized).await;
    let row = setup.store.submission(1).await.unwrap().unwrap();
    assert_eq!(row.new.kind, SubmissionKind::Timelocked);
    assert_eq!(row.new.reveal_round, Some(KNOWN_ROUND));
    assert_eq!(row.new.reveal_epoch, Some(91));
    // The epoch has begun, and the round is not there yet.
    setup.mine_slowly_to(1_007).await;
    let row = setup.store.submission(1).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.commit_epoch),
        (SubmissionState::Finalized, Some(90))
    );
    setup
        .chain
        .edit(|state| state.publish(KNOWN_ROUND, &KNOWN_SIGNATURE));
    setup.mine_slowly_to(1_009).await;
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Confirmed, "{row:?}");
    assert_eq!(row_of(&setup.chain, 0), [(1, 65_535), (2, 30_000)]);
    running.stop().await;
}

#[tokio::test]
async fn a_timelocked_commit_that_the_chain_could_not_use_is_unconfirmed() {
    let setup = Setup::with(|state| {
        state.commit_reveal_version = 4;
        state.subnet(NETUID).commit_reveal = true;
    })
    .await;
    let running = setup.start_at_known_round();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    setup.reached(1, SubmissionState::Finalized).await;
    setup.chain.edit(|state| {
        state.publish(KNOWN_ROUND, &KNOWN_SIGNATURE);
        let subnet = state.subnet(NETUID);
        subnet.neuron(0).validator_permit = false;
        // The weights of the epoch before are the same ones, and prove nothing.
        subnet
            .weights
            .insert((0, 0), vec![(1, 65_535), (2, 30_000)]);
    });
    setup.mine_slowly_to(1_006).await;
    let row = setup.ended(1).await;
    assert_eq!(row.state, SubmissionState::Unconfirmed, "{row:?}");
    assert_eq!(row.outcome.as_deref(), Some("NotRevealed"));
    running.stop().await;
}

#[tokio::test]
async fn a_dry_run_changes_nothing_here_or_there() {
    let setup = Setup::new().await;
    let running = setup.start_with(|config| config.weights.submit = false);
    let plan = running.submitter.plan().await.unwrap();
    assert_eq!(plan.source, "online");
    assert_eq!((plan.call.call, plan.nonce), ("set_weights", Some(0)));
    assert_eq!(plan.refused, None, "{:?}", plan.checks);
    assert!(plan.call_data.starts_with("0x0700"), "{}", plan.call_data);
    assert_eq!(plan.fee_rao, Some(0), "{:?}", plan.notes);
    assert_eq!(setup.chain.faults().requests(SUBMIT), 0);
    assert_eq!(setup.store.submission_page(None, 9).await.unwrap(), []);
    running.stop().await;
}

#[tokio::test]
async fn what_the_chain_would_refuse_is_not_sent() {
    let setup = Setup::with(|state| {
        state.subnet(NETUID).neuron(0).validator_permit = false;
        state.subnet(NETUID).min_allowed_weights = 3;
    })
    .await;
    let running = setup.start();
    let error = running.submitter.submit().await.unwrap_err();
    let SubmissionError::WouldRefuse(plan) = error else {
        panic!("{error}");
    };
    assert_eq!(plan.refused.as_deref(), Some("NeuronNoValidatorPermit"));
    let refused = plan.checks.iter().filter(|check| check.is_refused());
    let refused: Vec<&str> = refused.map(|check| check.error).collect();
    assert_eq!(refused, ["NeuronNoValidatorPermit", "WeightVecLengthIsLow"]);
    setup.mine_slowly_to(1_004).await;
    assert_eq!(setup.store.submission_page(None, 9).await.unwrap(), []);
    assert!(
        setup
            .metric("weights_preflight_refused{outcome=\"NeuronNoValidatorPermit\"} 1")
            .await
    );
    running.stop().await;
}

#[tokio::test]
async fn a_hotkey_that_is_not_registered_is_told_and_sends_nothing() {
    let setup = Setup::with(|state| {
        let ferdie = proctor_simulated_chain::account("ferdie");
        state.subnet(NETUID).register(Some(0), ferdie, 990);
    })
    .await;
    let running = setup.start();
    setup.mine_slowly_to(1_003).await;
    assert!(setup.metric("wallet_key_mismatch 1").await);
    assert_eq!(setup.chain.faults().requests(SUBMIT), 0);
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_submitted_with_a_stale_metagraph() {
    let setup = Setup::stale().await;
    let running = setup.start();
    let error = running.submitter.submit().await.unwrap_err();
    assert!(matches!(error, SubmissionError::Stale { .. }), "{error}");
    setup.mine_slowly_to(1_004).await;
    assert!(setup.metric("metagraph_stale 1").await);
    assert_eq!(setup.chain.faults().requests(SUBMIT), 0);
    assert!(running.submitter.plan().await.unwrap().notes[0].contains("stale_after_s"));
    running.stop().await;
}

#[tokio::test]
async fn an_epoch_without_weights_is_told_as_late() {
    let setup = Setup::new().await;
    setup.vectors.send_replace(Some(vector(None)));
    let running = setup.start_with(|config| config.weights.margin_blocks = 4);
    setup.mine_slowly_to(1_002).await;
    assert!(setup.metric("weights_late 1").await);
    until("it is told", async || {
        let events = setup.store.events_after(0, 9).await.unwrap();
        events.iter().any(|event| event.kind == "weights_late")
    })
    .await;
    setup
        .vectors
        .send_replace(Some(vector(Some(&[(1, 65_535)]))));
    setup
        .mine_until("it is made up for", async || taken(&setup.chain).len() == 1)
        .await;
    setup
        .mine_until("it is not late any more", async || {
            setup.has_metric("weights_late 0")
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_vector_that_changed_enough_is_submitted_again_within_the_epoch() {
    let setup = Setup::with(|state| state.subnet(NETUID).tempo = 40).await;
    let running = setup.start_with(|config| {
        config.weights.margin_blocks = 35;
        config.weights.resubmit_above = Some(0.5);
    });
    // The epoch ends in block 1035.
    setup.mine_slowly_to(1_001).await;
    setup
        .mine_until("it is submitted", async || taken(&setup.chain).len() == 1)
        .await;
    setup.ended(1).await;
    setup
        .vectors
        .send_replace(Some(vector(Some(&[(1, 65_535), (2, 31_000)]))));
    setup.mine_slowly_to(setup.chain.best() + 6).await;
    assert_eq!(different(&setup.chain), 1, "hardly anything changed");
    setup
        .vectors
        .send_replace(Some(vector(Some(&[(3, 65_535)]))));
    setup
        .mine_until("it is submitted again", async || {
            taken(&setup.chain).len() == 2
        })
        .await;
    assert!(setup.chain.best() < 1_035);
    assert_eq!(row_of(&setup.chain, 0), [(3, 65_535)]);
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_lost_its_database_does_not_submit_an_epoch_twice() {
    let setup = Setup::new().await;
    let running = setup.start();
    setup.mine_slowly_to(1_002).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    setup.chain.mine(1);
    setup.ended(1).await;
    running.stop().await;
    let setup = setup.with_new_store();
    let running = setup.start();
    setup.mine_slowly_to(1_011).await;
    assert_eq!(different(&setup.chain), 1);
    setup.mine_slowly_to(1_012).await;
    setup.chain.until(|chain| chain.waiting() == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn without_a_chain_a_dry_run_tells_the_same_call() {
    let setup = Setup::new().await;
    let running = setup.start_offline();
    let plan = running.submitter.plan().await.unwrap();
    assert_eq!((plan.source, plan.spec_version), ("offline", 365));
    assert!(plan.notes[0].contains("offline"), "{:?}", plan.notes);
    assert_eq!(plan.refused, None, "{:?}", plan.checks);
    let error = running.submitter.submit().await.unwrap_err();
    assert!(matches!(error, SubmissionError::Offline), "{error}");
    running.stop().await;
    let running = setup.start_with(|config| config.weights.submit = false);
    let online = running.submitter.plan().await.unwrap();
    assert_eq!(online.call_data, plan.call_data);
    running.stop().await;
}

#[tokio::test]
async fn kills_at_random_places_submit_nothing_twice() {
    let setup = Setup::new().await;
    // Nearly each block is one to submit in.
    let start = || setup.start_with(|config| config.weights.margin_blocks = 8);
    let mut running = start();
    // Each number of requests is a place to be killed at: some eighty are made until
    // weights are sent. The blocks go on.
    for place in 0_usize..60 {
        let requests = setup.chain.faults().requests("*");
        let enough = requests + 1 + place * 37 % 151;
        if place % 5 == 0 {
            setup.chain.faults().cut_after(SUBMIT, 1);
        }
        let reached = setup
            .chain
            .until(|chain| chain.faults().requests("*") >= enough);
        tokio::select! {
            () = reached => {}
            // There was less to be done.
            () = setup.looked() => {}
        }
        running.kill().await;
        setup.chain.mine(u64::from(place % 3 != 0));
        running = start();
    }
    setup.chain.faults().clear();
    setup
        .mine_until("all is settled", async || {
            setup.nothing_is_open().await && !taken(&setup.chain).is_empty()
        })
        .await;
    running.stop().await;
    // Epochs begin in 1005, 1015 and so on; what is between counts for one.
    let blocks = taken(&setup.chain);
    let epochs: BTreeSet<u64> = blocks.iter().map(|block| (block + 5) / 10).collect();
    assert_eq!(epochs.len(), blocks.len(), "{blocks:?}");
    assert!(blocks.len() > 2, "{blocks:?}");
    let rows = setup.store.submission_page(None, 100).await.unwrap();
    let confirmed = rows
        .iter()
        .filter(|row| row.state == SubmissionState::Confirmed);
    assert_eq!(confirmed.count(), blocks.len(), "{rows:?}");
}
