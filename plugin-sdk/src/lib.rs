#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod bindings;
mod challenge;
mod context;
#[doc(hidden)]
pub mod glue;
pub mod organic;
pub mod ranking;
pub mod routes;
mod settings;
mod solver;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::controller::proctor::challenge::database::{DatabaseError, Rows, Value};
pub use bindings::controller::proctor::challenge::runner::{Failure, SolveError, SolveFailure};
pub use bindings::controller::proctor::challenge::types::{
    ChallengeError, Commit, Comparison, ComparisonLog, Evaluated, Evaluation, HotkeyWeight, Miner,
    ScoringLog, Standing, Submission, Verdict,
};
pub use bindings::info::exports::proctor::challenge::info::{Description, SettingsProblem};
pub use challenge::{Challenge, Comparer, Controller, Weights};
pub use context::{Context, Database, Imports};
pub use organic::Organic;
pub use routes::Routes;
pub use solver::Solver;

// What an author's code needs beside the traits, at the versions used here.
pub use http;
pub use rand;
pub use rand_chacha;
pub use schemars::{self, JsonSchema};
pub use serde;
pub use serde_json;

// For what `export!` expands to.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use wasip2;

/// Makes a component of a [`Challenge`] with exactly the capabilities named.
///
/// A capability is one of `controller`, `comparer`, `weights`, `routes` and `organic`;
/// the type must implement the trait of the same name. What is not named is not exported, even
/// if the trait is implemented, and the host does not offer it.
///
/// ```
/// # use proctor_sdk::*;
/// # #[derive(Default, serde::Deserialize, JsonSchema)]
/// # #[serde(crate = "proctor_sdk::serde")]
/// # #[schemars(crate = "proctor_sdk::schemars")]
/// # struct Settings {}
/// struct Lottery;
/// # impl Challenge for Lottery {
/// #     type Settings = Settings;
/// #     const NAME: &'static str = "lottery";
/// #     const VERSION: &'static str = "0.1.0";
/// #     const SUMMARY: &'static str = "Everybody gets the same.";
/// #     fn new(_: Settings) -> Self { Lottery }
/// # }
/// impl Weights for Lottery {
///     fn get_weights(
///         &self,
///         _: &Context<'_>,
///         standings: Vec<Standing>,
///     ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
///         let pay = |s: Standing| HotkeyWeight { hotkey: s.commit.miner.hotkey, weight: 1.0 };
///         Ok(standings.into_iter().map(pay).collect())
///     }
/// }
/// proctor_sdk::export!(Lottery: weights);
/// ```
#[macro_export]
macro_rules! export {
    ($challenge:ty $(: $($capability:ident),+ $(,)?)?) => {
        const _: () = {
            #[allow(dead_code)]
            type ProctorPlugin = $crate::glue::Plugin<$challenge>;
            $crate::export!(@stamp CHALLENGE);
            $crate::export!(@export info ProctorPlugin);
            $($( $crate::export!(@export $capability ProctorPlugin); )+)?
        };
    };
    // A custom section of the module, which linking keeps: what the component is built for.
    (@stamp $contract:ident) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        #[unsafe(link_section = "proctor:sdk")]
        static PROCTOR_STAMP: [u8; $crate::glue::$contract.len()] =
            $crate::glue::stamp($crate::glue::$contract);
    };
    (@export info $plugin:ident) => {
        const _: () = $crate::glue::is_challenge::<$plugin>();
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = { $crate::bindings::info::export_info!($plugin with_types_in $crate::bindings::info); };
    };
    (@export controller $plugin:ident) => {
        const _: () = $crate::glue::is_controller::<$plugin>();
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = { $crate::bindings::controller::export_controller!($plugin with_types_in $crate::bindings::controller); };
    };
    (@export comparer $plugin:ident) => {
        const _: () = $crate::glue::is_comparer::<$plugin>();
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = { $crate::bindings::comparer::export_comparer!($plugin with_types_in $crate::bindings::comparer); };
    };
    (@export weights $plugin:ident) => {
        const _: () = $crate::glue::is_weights::<$plugin>();
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = { $crate::bindings::weights::export_weights!($plugin with_types_in $crate::bindings::weights); };
    };
    (@export routes $plugin:ident) => {
        const _: () = $crate::glue::is_routes(::core::marker::PhantomData::<$plugin>);
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = { $crate::wasip2::http::proxy::export!($plugin with_types_in $crate::wasip2); };
    };
    (@export organic $plugin:ident) => {
        const _: () = $crate::glue::is_organic::<$plugin>();
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = { $crate::bindings::organic::export_organic!($plugin with_types_in $crate::bindings::organic); };
    };
    (@export $unknown:ident $plugin:ident) => {
        compile_error!(concat!(
            "`", stringify!($unknown), "` is no capability: use controller, comparer, weights, routes, organic"
        ));
    };
}

/// Makes a component of a [`Solver`], to be submitted by a miner.
///
/// ```
/// struct Echo;
/// impl proctor_sdk::Solver for Echo {
///     type Task = String;
///     type Solution = String;
///     fn solve(task: String) -> Result<String, String> {
///         Ok(task)
///     }
/// }
/// proctor_sdk::export_solver!(Echo);
/// ```
#[macro_export]
macro_rules! export_solver {
    ($solver:ty) => {
        const _: () = {
            #[allow(dead_code)]
            type ProctorSolver = $crate::glue::SolverPlugin<$solver>;
            $crate::export!(@stamp SOLVER);
            const _: () = $crate::glue::is_solver::<ProctorSolver>();
            #[cfg(target_family = "wasm")]
            #[allow(unsafe_code, unused_qualifications)]
            const _: () = { $crate::bindings::solver::export_solver_world!(ProctorSolver with_types_in $crate::bindings::solver); };
        };
    };
}
