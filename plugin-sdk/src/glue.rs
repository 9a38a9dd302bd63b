//! Between the generated bindings and the traits. Used by the macros only.

use crate::bindings::controller::exports::proctor::challenge::controller;
use crate::bindings::controller::proctor::challenge::context;
use crate::bindings::info::exports::proctor::challenge::info;
use crate::bindings::organic::exports::proctor::challenge::organic as wire;
use crate::bindings::{comparer, solver, weights};
use crate::context::{Context, Host};
use crate::organic::{self, Admission, Entry, Folded, MinerReward, Neuron, Response, Rewarded};
use crate::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Controller, Description, Evaluated,
    Evaluation, HotkeyWeight, Organic, Routes, ScoringLog, SettingsProblem, Solver, Standing,
    Submission, Verdict, Weights, settings,
};
use std::marker::PhantomData;

/// What a challenge is stamped with: the contract that it is built for, and by what.
pub const CHALLENGE: &str = concat!(
    r#"{"contract":"proctor:challenge@0.1.1","sdk":"proctor-sdk-rust "#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// What a submission is stamped with.
pub const SOLVER: &str = concat!(
    r#"{"contract":"proctor:solver@0.1.0","sdk":"proctor-sdk-rust "#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// The bytes of a stamp, of which there are `N`.
pub const fn stamp<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => [0; N],
    }
}

/// The exports of a challenge.
#[derive(Debug)]
pub struct Plugin<C>(PhantomData<C>);

/// The export of a solver.
#[derive(Debug)]
pub struct SolverPlugin<S>(PhantomData<S>);

/// Compiles for a challenge only.
pub const fn is_challenge<P: info::Guest>() {}
/// Compiles for a challenge with the capability `scoring` only.
pub const fn is_controller<P: controller::Guest>() {}
/// Compiles for a challenge with the capability `comparison` only.
pub const fn is_comparer<P: comparer::exports::proctor::challenge::comparer::Guest>() {}
/// Compiles for a challenge with the capability `get_weights` only.
pub const fn is_weights<P: weights::exports::proctor::challenge::weights::Guest>() {}
/// Compiles for a challenge with the capability `proxy_routes` only. Its export is
/// WASI's, whose trait is there for a component only.
pub const fn is_routes<C: Routes>(_: PhantomData<Plugin<C>>) {}
/// Compiles for a challenge with the capability `organic` only.
pub const fn is_organic<P: wire::Guest>() {}
/// Compiles for a solver only.
pub const fn is_solver<P: solver::Guest>() {}

fn with<C: Challenge, T>(
    call: impl FnOnce(C, &Context<'_>) -> Result<T, ChallengeError>,
) -> Result<T, ChallengeError> {
    let of_call = Context::new(context::seed(), context::now(), &Host);
    settings::call(&context::settings(), &of_call, call)
}

impl<C: Challenge> info::Guest for Plugin<C> {
    fn describe() -> Description {
        describe::<C>()
    }

    fn validate_settings(json: String) -> Result<(), Vec<SettingsProblem>> {
        settings::read::<C>(&json).map(drop)
    }
}

/// What the challenge tells of itself.
pub(crate) fn describe<C: Challenge>() -> Description {
    Description {
        name: C::NAME.to_owned(),
        version: C::VERSION.to_owned(),
        summary: C::SUMMARY.to_owned(),
        settings_schema: settings::schema::<C>(),
    }
}

impl<C: Controller> controller::Guest for Plugin<C> {
    fn evaluate(
        submission: Submission,
        seed_tasks: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        with(|challenge: C, context| challenge.evaluate(context, &submission, seed_tasks))
    }

    fn judge(evaluated: Evaluated) -> Result<Verdict, ChallengeError> {
        with(|challenge: C, context| challenge.judge(context, &evaluated))
    }
}

impl<C: Comparer> comparer::exports::proctor::challenge::comparer::Guest for Plugin<C> {
    fn compare(
        candidate: Evaluation,
        references: Vec<Evaluation>,
    ) -> Result<Vec<ComparisonLog>, ChallengeError> {
        with(|challenge: C, context| challenge.compare(context, &candidate, &references))
    }
}

impl<C: Weights> weights::exports::proctor::challenge::weights::Guest for Plugin<C> {
    fn get_weights(standings: Vec<Standing>) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        with(|challenge: C, context| challenge.get_weights(context, standings))
    }
}

impl<C: Organic> wire::Guest for Plugin<C> {
    fn admit(entry: Entry) -> Result<Admission, ChallengeError> {
        with(|challenge: C, context| organic::admit(&challenge, context, &entry))
    }

    fn datasets() -> Result<Vec<String>, ChallengeError> {
        with(|challenge: C, _| Ok(challenge.datasets()))
    }

    fn synthesize(dataset: String, seed: u64) -> Result<String, ChallengeError> {
        with(|challenge: C, context| organic::synthesize(&challenge, context, &dataset, seed))
    }

    fn queries(sample: String, metagraph: Vec<Neuron>) -> Result<Vec<wire::Query>, ChallengeError> {
        let queries = with(|challenge: C, context| {
            organic::queries(&challenge, context, &sample, &metagraph)
        })?;
        let to_wire = |query: organic::Query<String>| wire::Query {
            uid: query.uid,
            path: query.path,
            body: query.body,
            protocol: query.protocol,
        };
        Ok(queries.into_iter().map(to_wire).collect())
    }

    fn reference(sample: String) -> Result<Option<String>, ChallengeError> {
        with(|challenge: C, context| organic::reference(&challenge, context, &sample))
    }

    fn reward(
        sample: String,
        responses: Vec<wire::Response>,
        reference: Option<String>,
    ) -> Result<Vec<MinerReward>, ChallengeError> {
        let responses = responses.into_iter().map(|response| Response {
            uid: response.uid,
            hotkey: response.hotkey,
            outcome: response.outcome,
            latency: response.latency,
        });
        with(|challenge: C, context| {
            organic::reward(
                &challenge,
                context,
                &sample,
                responses,
                reference.as_deref(),
            )
        })
    }

    fn fold(rewards: Vec<Rewarded>, state: Option<String>) -> Result<Folded, ChallengeError> {
        with(|challenge: C, context| challenge.fold(context, &rewards, state.as_deref()))
    }
}

impl<S: Solver> solver::Guest for SolverPlugin<S> {
    fn solve(task: String) -> Result<String, String> {
        S::solve_json(&task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_stamp_names_the_contract_that_is_built_for() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        for (text, file) in [
            (CHALLENGE, "challenge/worlds.wit"),
            (SOLVER, "solver/solver.wit"),
        ] {
            let stamp: Value = serde_json::from_str(text).unwrap();
            let line = format!("package {};", stamp["contract"].as_str().unwrap());
            let wit = fs::read_to_string(wit.join(file)).unwrap();
            assert!(wit.lines().any(|found| found == line), "{line}");
            let sdk = format!("proctor-sdk-rust {}", env!("CARGO_PKG_VERSION"));
            assert_eq!(stamp["sdk"], sdk);
        }
        assert_eq!(&stamp::<{ SOLVER.len() }>(SOLVER)[..], SOLVER.as_bytes());
    }
}
