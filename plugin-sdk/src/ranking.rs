//! The ranking rules that challenges share: pure functions from logs to score,
//! penalty and acceptance, and from standings to shares.
//!
//! | rule | item |
//! |---|---|
//! | score of a commit, from its scoring logs | [`mean_score`], [`max_score`] |
//! | penalty, from its comparison logs | [`similarity_penalty`] |
//! | what is held against it, and what makes it a copy | [`Screening`], [`SameScore`] |
//! | whether it is accepted | [`Acceptance`] |
//! | what the penalty takes off the score | [`Easing`], [`ease_circle_in_out`] |
//! | all of these in one | [`VerdictRules`] |
//! | a miner's best commit | [`update_best_commit`] |
//! | references for later commits | [`UniquePool`] |
//! | shares of the best commits | [`EmissionRules`], [`softmax_nonzero`] |
//! | weights of the rewards of organic scoring | [`FoldRules`] |
//! | one miner behind several hotkeys | [`exclude_same_miner`], [`repository_owner`] |
//!
//! The time is always an argument, sums run in the order of the input, and
//! nothing fails: what is not a finite number is worth nothing. Run in Wasm, the
//! same input gives the same bytes everywhere; natively, [`f64::exp`] and
//! [`f64::powf`] are the platform's and may differ in the last digit.
//!
//! The rules are those of an existing system, RedTeam's scoring API (the *peer*),
//! and give its numbers (`tests/golden/ranking.json`, `tests/golden/controller.json`)
//! but for what follows.
//!
//! # Where Proctor differs from the peer
//!
//! Numbers of the golden cases:
//!
//! - **No penalty, no reduction** (`adjust_by_similarity_raw_0.73`,
//!   `adjust_by_similarity_raw_1.0`). For a similarity of 0 or less the peer makes
//!   the score 0, so that a commit without comparisons was worth nothing, yet
//!   accepted and best. In Proctor the score stands.
//! - **Nothing found is no copy** (`ctl_abs_first_ever_no_baseline`). The peer's
//!   controller takes a highest similarity of exactly 0 for a high one, so that
//!   the first submission ever is not scored. In Proctor it is.
//! - **No score, no share** (`base_heap`, `base_nan`, `base_none_score_error`,
//!   `base_threshold_default_09`). The peer's base manager runs its softmax over
//!   every uid: each gets a share for doing nothing, and where nobody has a score
//!   the shares are uniform. Proctor has one softmax, over the non-zero entries,
//!   and without scores all shares are 0.
//! - **A missing similarity is passed over** (`base_none_score_error`, `e1`). The
//!   peer's base manager raises on it and leaves the commit half judged; its
//!   challenge managers pass over it, and so does Proctor.
//! - **An axon that is not served identifies nobody** (`esm_ignore_ip`,
//!   `esm_only_ignored_ip`). The peer drops every miner at `0.0.0.0`; Proctor
//!   pays them, and groups them by coldkey and repository owner only.
//!
//! Behaviour that no golden case shows:
//!
//! - **The same miner is found transitively.** The peer merges a group of hotkeys
//!   into the first that overlaps and no further, so that two groups which a
//!   later miner bridges are paid twice. It also compares addresses as text.
//! - **One rule of acceptance.** The peer's base manager wants the penalty
//!   *below* its threshold and has no least score; that is `max_penalty:
//!   threshold.next_down()` with `min_score: f64::NEG_INFINITY`.
//! - **One rule of the best commit**, that of the peer's newest version, in which
//!   a perfect score replaces another.
//! - **NaN and infinity.** In the peer's base manager a reference with nothing but
//!   NaN hides the similarities of all others; in its other managers what a NaN
//!   does depends on its place in the list; and an infinite score makes every
//!   share NaN. In Proctor a NaN similarity is passed over, and a score that is
//!   not finite is worth nothing.
//! - **Similarity above 1.** The peer pays 1.1 more than 1, and raises at 1.3.
//!   Here anything from `full_at` on leaves nothing.
//! - **Temperature.** 0 makes the peer divide by it; here the best share equally.
//! - **Order.** The pool is sorted, where the peer iterates a set.

mod acceptance;
mod best_commit;
mod emission;
mod fold;
mod same_miner;
mod score;
mod screening;
mod similarity;
mod softmax;
mod unique_pool;
mod verdict;

pub use acceptance::Acceptance;
pub use best_commit::{BestCommit, update_best_commit};
pub use emission::{EmissionRules, Scored};
pub use fold::{Average, FoldRules};
pub use same_miner::{Contender, exclude_same_miner, repository_owner};
pub use score::{max_score, mean_score};
pub use screening::{SameScore, Screening};
pub use similarity::{Easing, ease_circle_in_out, similarity_penalty};
pub use softmax::softmax_nonzero;
pub use unique_pool::{UniqueCommit, UniquePool};
pub use verdict::{Aggregate, Judgement, VerdictRules};
