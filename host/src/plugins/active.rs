//! Configuring a component: what its record gives it.

use super::load::{Candidate, Loader, Rejection};
use crate::config;
use crate::runner;
use crate::sandbox::{
    CallContext, Capability, Description, Grants, Journal, Limits, Outbound, OutboundRule,
    PluginCall, PluginComponent, Sandbox, sha256_hex,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs, io};

/// Problems with settings that are told at a time.
const MAX_PROBLEMS: usize = 100;

/// A challenge that can be called.
pub struct ActivePlugin {
    /// The component.
    pub component: Arc<PluginComponent>,
    /// What it told of itself.
    pub description: Description,
    /// What its record gives it.
    pub given: config::Challenge,
    /// Revision of that record.
    pub revision: i64,
    /// Since when an operator has it active, in seconds since the Unix epoch; none if
    /// it was from the beginning.
    pub active_since: Option<f64>,
    /// The operator's settings, JSON.
    pub settings: Arc<str>,
    /// SHA-256 of the settings.
    pub settings_digest: String,
    /// What results depend on beside plugin, settings and artifact: the sandbox's
    /// [identity](crate::sandbox::Sandbox::identity), and the limits below.
    pub engine: String,
    /// What a call may take.
    pub limits: Limits,
    /// What a submission may take for each task.
    pub solver_limits: Limits,
    /// What it may reach.
    pub grants: Grants,
    /// Where its routes may send requests.
    pub outbound: Arc<Outbound>,
    /// Environment variables that only its routes get.
    pub secrets: Vec<(String, String)>,
    /// What it and the host say of its calls.
    pub journal: Arc<Journal>,
    /// The challenge's share of the emission, in percent.
    pub emission_percent: f64,
}

impl fmt::Debug for ActivePlugin {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivePlugin")
            .field("component", &self.component)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl ActivePlugin {
    /// Name of the challenge.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Whether it has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.component.capabilities().contains(&capability)
    }
}

/// What a challenge is to be configured with.
pub struct Configuration<'a> {
    /// What its record gives it.
    pub given: &'a config::Challenge,
    /// Revision of that record.
    pub revision: i64,
    /// Since when an operator has it active, in seconds since the Unix epoch.
    pub active_since: Option<f64>,
    /// Its secrets, by name.
    pub secrets: Vec<(String, String)>,
}

impl fmt::Debug for Configuration<'_> {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Loader {
    /// What is wrong with the settings, by the challenge's schema, or else by its own
    /// word: each one's path, and why.
    ///
    /// # Errors
    ///
    /// The challenge cannot tell.
    pub async fn check_settings(
        &self,
        candidate: &Candidate,
        given: &config::Challenge,
    ) -> Result<Vec<(String, String)>, Rejection> {
        let limits = Limits::to_describe();
        let grants = Grants {
            environment: environment(given),
            ..Grants::default()
        };
        let call = PluginCall {
            journal: Some(self.plugins.journal(&candidate.description.name)),
            ..PluginCall::new(bare_context(), &limits, &grants)
        };
        let settings = settings_text(&given.settings);
        let problems = schema_problems(&candidate.description, &given.settings);
        if !problems.is_empty() {
            return Ok(problems);
        }
        let checked = candidate
            .component
            .validate_settings(&self.sandbox, call, &settings)
            .await;
        let problems = checked.result?.into_iter();
        Ok(problems.map(|p| (p.path, p.message)).collect())
    }

    /// Makes a challenge that can be called.
    ///
    /// # Errors
    ///
    /// The settings are not valid, or its volume cannot be made.
    pub async fn configure(
        &self,
        candidate: &Candidate,
        wanted: Configuration<'_>,
    ) -> Result<ActivePlugin, Rejection> {
        let name = &candidate.description.name;
        let given = wanted.given;
        let problems = self.check_settings(candidate, given).await?;
        if !problems.is_empty() {
            let problems = problems.iter();
            let reason: Vec<String> = problems
                .map(|(path, message)| format!("challenges.{name}.settings.{path}: {message}"))
                .collect();
            return Err(Rejection::new("invalid_settings", reason.join("; ")));
        }
        let grants = grants(&self.config.data_dir, name, given)
            .map_err(|e| Rejection::new("host_error", format!("cannot make its volume: {e}")))?;
        let (limits, solver_limits) = (given.limits, given.solver.limits());
        let settings = settings_text(&given.settings);
        let outbound = given.outbound.iter();
        let outbound: Vec<OutboundRule> = outbound.filter_map(|host| host.parse().ok()).collect();
        Ok(ActivePlugin {
            engine: engine(&self.sandbox, limits, solver_limits, &given.environment)
                .map_err(|e| Rejection::new("host_error", e.to_string()))?
                + &runner::identity(&given.runner),
            settings_digest: sha256_hex(settings.as_bytes()),
            settings: settings.into(),
            limits,
            solver_limits,
            emission_percent: given.emission_percent,
            grants,
            outbound: Arc::new(Outbound::new(outbound)),
            secrets: wanted.secrets,
            journal: self.plugins.journal(name),
            given: given.clone(),
            revision: wanted.revision,
            active_since: wanted.active_since,
            component: Arc::clone(&candidate.component),
            description: candidate.description.clone(),
        })
    }
}

/// What results depend on beside plugin, settings and artifact: the sandbox, what calls
/// may take, and their environment.
///
/// # Errors
///
/// Never, for limits that there are.
pub fn engine(
    sandbox: &Sandbox,
    limits: Limits,
    solver_limits: Limits,
    environment: &BTreeMap<String, String>,
) -> Result<String, serde_json::Error> {
    // Without an environment they are what they always were.
    let budget = if environment.is_empty() {
        serde_json::to_vec(&(limits, solver_limits))
    } else {
        serde_json::to_vec(&(limits, solver_limits, environment))
    }?;
    let identity = sandbox.identity();
    Ok(format!("{identity}+limits.{:.16}", sha256_hex(&budget)))
}

/// What is wrong with settings by the schema that the challenge tells. A schema that is
/// none says nothing: the challenge has the last word anyway.
fn schema_problems(
    description: &Description,
    settings: &Map<String, Value>,
) -> Vec<(String, String)> {
    let schema = serde_json::from_str::<Value>(&description.settings_schema);
    let validator = schema.ok().and_then(|schema| {
        let compiled = jsonschema::validator_for(&schema);
        compiled
            .inspect_err(|error| {
                let challenge = &description.name;
                tracing::warn!(challenge, %error, "the schema of the settings is none");
            })
            .ok()
    });
    let Some(validator) = validator else {
        return Vec::new();
    };
    let settings = Value::Object(settings.clone());
    let errors = validator.iter_errors(&settings).take(MAX_PROBLEMS);
    errors
        .map(|error| {
            let path = error.instance_path().to_string();
            let path = path.trim_start_matches('/').replace('/', ".");
            (path, error.to_string())
        })
        .collect()
}

fn bare_context() -> CallContext {
    CallContext {
        settings: "{}".into(),
        seed: 0,
        now: 0.0,
    }
}

/// The settings as the challenge gets them: with their keys in order, so that the
/// same settings have the same digest whoever wrote them.
fn settings_text(settings: &Map<String, Value>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| key.as_str());
                let entries = entries.into_iter();
                Value::Object(entries.map(|(k, v)| (k.clone(), sorted(v))).collect())
            }
            Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(&Value::Object(settings.clone())).to_string()
}

fn environment(given: &config::Challenge) -> Arc<[(String, String)]> {
    let variables = given.environment.iter();
    variables.map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// What a challenge may reach, in a volume of its own below `data_dir`.
///
/// # Errors
///
/// The volume cannot be made.
pub fn grants(data_dir: &Path, name: &str, challenge: &config::Challenge) -> io::Result<Grants> {
    let volume = data_dir.join("volumes").join(name);
    let data = volume.join("data");
    if challenge.data {
        fs::create_dir_all(&data)?;
    } else if challenge.database {
        fs::create_dir_all(&volume)?;
    }
    Ok(Grants {
        data: challenge.data.then_some(data),
        data_max_bytes: challenge.data_max_bytes,
        environment: environment(challenge),
        database: challenge.database.then(|| volume.join("database.sqlite")),
        database_pages: u32::try_from(challenge.database_max_bytes / 4096).unwrap_or(u32::MAX),
        statement: Duration::from_millis(challenge.statement_ms),
    })
}
