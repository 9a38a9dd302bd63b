//! Challenges: components with the exports of `proctor:challenge`.

use super::bindings::{comparer, controller, info, organic, types, weights};
use super::call::Called;
use super::check;
use super::compile_cache::CacheUse;
use super::contract;
use super::engine::Sandbox;
use super::limits::Limits;
use super::link;
use super::outcome::{Outcome, PluginError};
use super::plugin_call::PluginCall;
use super::runner::SolveRecord;
use super::sha256_hex;
use super::state::State;
use serde::Serialize;
use std::fmt;
use tokio::sync::Semaphore;
use types::{
    ComparisonLog, Evaluated, Evaluation, HotkeyWeight, ScoringLog, Standing, Submission, Verdict,
};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

pub use info::exports::proctor::challenge::info::{Description, SettingsProblem};

/// What a plugin can do, told by what it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Exports `controller`: evaluates and judges.
    Scoring,
    /// Exports `comparer`: compares.
    Comparison,
    /// Exports `weights`: pays.
    GetWeights,
    /// Exports `wasi:http/incoming-handler`: has routes of its own.
    ProxyRoutes,
    /// Exports `organic`: scores miners on real traffic.
    Organic,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Capability; 5] = [
        Capability::Scoring,
        Capability::Comparison,
        Capability::GetWeights,
        Capability::ProxyRoutes,
        Capability::Organic,
    ];

    /// The stable name, such as `get_weights`.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Scoring => "scoring",
            Capability::Comparison => "comparison",
            Capability::GetWeights => "get_weights",
            Capability::ProxyRoutes => "proxy_routes",
            Capability::Organic => "organic",
        }
    }
}

/// A challenge's component, compiled and linked.
pub struct PluginComponent {
    digest: String,
    size: u64,
    imports: Vec<String>,
    exports: Vec<String>,
    info: info::InfoPluginPre<State>,
    controller: Option<controller::ControllerPluginPre<State>>,
    comparer: Option<comparer::ComparerPluginPre<State>>,
    weights: Option<weights::WeightsPluginPre<State>>,
    pub(super) routes: Option<ProxyPre<State>>,
    pub(super) organic: Option<organic::OrganicPluginPre<State>>,
    /// Its own share of the places for calls of `organic`.
    pub(super) organic_places: Semaphore,
}

impl fmt::Debug for PluginComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginComponent")
            .field("digest", &self.digest)
            .field("exports", &self.exports)
            .finish_non_exhaustive()
    }
}

/// Major and minor version of the contract that this host takes.
const CONTRACT: &str = "proctor:challenge/";
/// What a component with routes of its own exports, of any 0.2.
pub(super) const HANDLER: &str = "wasi:http/incoming-handler";

impl PluginComponent {
    /// Compiles and links a challenge. Blocks while it compiles.
    ///
    /// # Errors
    ///
    /// [`Outcome::LinkError`], with what this host would need.
    pub fn load(sandbox: &Sandbox, bytes: &[u8]) -> Result<(Self, CacheUse), PluginError> {
        let link_error = |message: String| PluginError::new(Outcome::LinkError, message);
        contract::CHALLENGE.check(bytes).map_err(link_error)?;
        let (component, cache) = sandbox.compile(bytes)?;
        let (imports, exports) = (link::imports(&component), link::exports(&component));
        let pre = sandbox
            .0
            .plugin_linker
            .instantiate_pre(&component)
            .map_err(|e| link_error(format!("an import that this host does not offer: {e:#}")))?;
        // The host's …Pre tells whether an interface is there; the name tells
        // whether one was meant.
        let absent = |name: &str, error: wasmtime::Error| {
            let prefix = match name {
                HANDLER => format!("{HANDLER}@"),
                name => format!("{CONTRACT}{name}@"),
            };
            match exports.iter().find(|export| export.starts_with(&prefix)) {
                Some(export) => Err(link_error(format!(
                    "exports {export}, but not as this host knows it: {error:#}"
                ))),
                None => Ok(None),
            }
        };
        let info = match info::InfoPluginPre::new(pre.clone()) {
            Ok(info) => info,
            Err(error) => {
                absent("info", error)?;
                return Err(link_error(
                    "exports no proctor:challenge/info: it is a component for another world".into(),
                ));
            }
        };
        let controller = controller::ControllerPluginPre::new(pre.clone()).map_or_else(
            |e| absent("controller", e).map(|_: Option<()>| None),
            |c| Ok(Some(c)),
        )?;
        let comparer = comparer::ComparerPluginPre::new(pre.clone()).map_or_else(
            |e| absent("comparer", e).map(|_: Option<()>| None),
            |c| Ok(Some(c)),
        )?;
        let weights = weights::WeightsPluginPre::new(pre.clone()).map_or_else(
            |e| absent("weights", e).map(|_: Option<()>| None),
            |c| Ok(Some(c)),
        )?;
        let organic = super::organic::link(pre).map_or_else(
            |e| absent("organic", e).map(|_: Option<()>| None),
            |c| Ok(Some(c)),
        )?;
        let routes = sandbox
            .0
            .route_linker
            .instantiate_pre(&component)
            .and_then(ProxyPre::new)
            .map_or_else(
                |e| absent(HANDLER, e).map(|_: Option<()>| None),
                |c| Ok(Some(c)),
            )?;
        let plugin = PluginComponent {
            digest: sha256_hex(bytes),
            size: bytes.len() as u64,
            imports,
            exports,
            info,
            controller,
            comparer,
            weights,
            routes,
            organic,
            organic_places: Semaphore::new(sandbox.organic_share()),
        };
        Ok((plugin, cache))
    }

    /// SHA-256 of the component, 64 lower-case hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Size of the component in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Interfaces that it imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Interfaces that it exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// What it can do.
    pub fn capabilities(&self) -> Vec<Capability> {
        [
            (self.controller.is_some(), Capability::Scoring),
            (self.comparer.is_some(), Capability::Comparison),
            (self.weights.is_some(), Capability::GetWeights),
            (self.routes.is_some(), Capability::ProxyRoutes),
            (self.organic.is_some(), Capability::Organic),
        ]
        .into_iter()
        .filter_map(|(there, capability)| there.then_some(capability))
        .collect()
    }

    /// Name, version and settings of the challenge.
    pub async fn describe(&self, sandbox: &Sandbox, limits: &Limits) -> Called<Description> {
        let pre = &self.info;
        let call = PluginCall::bare(limits);
        call.run(sandbox, "describe", async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            plugin
                .proctor_challenge_info()
                .call_describe(store)
                .await
                .map(Ok)
        })
        .await
        .0
    }

    /// Makes an instance, and calls nothing: what every call begins with.
    pub async fn instantiate(&self, sandbox: &Sandbox, limits: &Limits) -> Called<()> {
        let pre = &self.info;
        let call = PluginCall::bare(limits);
        call.run(sandbox, "instantiate", async |store| {
            pre.instantiate_async(&mut *store).await?;
            Ok(Ok(()))
        })
        .await
        .0
    }

    /// Has the challenge check settings. Returns what is wrong with them.
    pub async fn validate_settings(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        settings: &str,
    ) -> Called<Vec<SettingsProblem>> {
        let settings = settings.to_owned();
        let pre = &self.info;
        call.run(sandbox, "validate-settings", async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            let checked = plugin
                .proctor_challenge_info()
                .call_validate_settings(store, &settings)
                .await?;
            Ok(Ok(checked.err().unwrap_or_default()))
        })
        .await
        .0
    }

    /// Evaluates a submission. The records tell how it did on each run, in
    /// order.
    pub async fn evaluate(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        submission: &Submission,
        seed_tasks: &[String],
    ) -> (Called<Vec<ScoringLog>>, Vec<SolveRecord>) {
        let Some(pre) = &self.controller else {
            return (not_exported("controller"), Vec::new());
        };
        let (called, records) = call
            .run(sandbox, "evaluate", async |store| {
                let plugin = pre.instantiate_async(&mut *store).await?;
                plugin
                    .proctor_challenge_controller()
                    .call_evaluate(store, submission, seed_tasks)
                    .await
            })
            .await;
        (called.and_then(check::scoring_logs), records)
    }

    /// Judges a commit.
    pub async fn judge(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        evaluated: &Evaluated,
    ) -> Called<Verdict> {
        let Some(pre) = &self.controller else {
            return not_exported("controller");
        };
        call.run(sandbox, "judge", async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            plugin
                .proctor_challenge_controller()
                .call_judge(store, evaluated)
                .await
        })
        .await
        .0
        .and_then(check::verdict)
    }

    /// Compares a candidate with references.
    pub async fn compare(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        candidate: &Evaluation,
        references: &[Evaluation],
    ) -> Called<Vec<ComparisonLog>> {
        let Some(pre) = &self.comparer else {
            return not_exported("comparer");
        };
        call.run(sandbox, "compare", async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            plugin
                .proctor_challenge_comparer()
                .call_compare(store, candidate, references)
                .await
        })
        .await
        .0
        .and_then(|logs| {
            let asked = references.iter().map(|r| r.submission.digest.as_str());
            check::comparison_logs(logs, asked)
        })
    }

    /// Turns standings into weights.
    pub async fn get_weights(
        &self,
        sandbox: &Sandbox,
        call: PluginCall<'_>,
        standings: &[Standing],
    ) -> Called<Vec<HotkeyWeight>> {
        let Some(pre) = &self.weights else {
            return not_exported("weights");
        };
        call.run(sandbox, "get-weights", async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            plugin
                .proctor_challenge_weights()
                .call_get_weights(store, standings)
                .await
        })
        .await
        .0
        .and_then(|weights| {
            let payable = standings.iter().map(|s| s.commit.miner.hotkey.as_str());
            check::weights(weights, payable)
        })
    }
}

pub(super) fn not_exported<T>(interface: &str) -> Called<T> {
    Called::failed(PluginError::new(
        Outcome::LinkError,
        format!("the plugin does not export {CONTRACT}{interface}"),
    ))
}
