//! What the operator gives a challenge.

use super::{ConfigError, Organic};
use crate::registry::signature::TrustedKey;
use crate::sandbox::{Limits, OutboundRule, RouteLimits};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// What a challenge may be called, for people.
pub const CHALLENGE_NAME: &str = "1 to 64 of a-z, 0-9, - and _, first a letter or digit";

/// Whether a challenge may be called that: [`CHALLENGE_NAME`].
pub fn is_challenge_name(name: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    matches!(name.len(), 1..=64) && !name.starts_with(['-', '_']) && name.bytes().all(allowed)
}

/// Section `challenges.<name>`, and the part of a challenge's record with the same
/// names: what the challenge is given. A challenge without a section has the
/// defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Challenge {
    /// The challenge's share of the emission, in percent, 0 to 100. Default: 100.
    pub emission_percent: f64,
    /// Settings that the challenge defines. Default: none.
    #[schema(value_type = Object)]
    pub settings: Map<String, Value>,
    /// Whether it may keep files in `/data`, its volume. Default: no.
    pub data: bool,
    /// Size that the volume may have, in bytes. Default: 1 GiB.
    pub data_max_bytes: u64,
    /// Whether it has a database. Default: no.
    pub database: bool,
    /// Size that the database may have, in bytes. Default: 64 MiB.
    pub database_max_bytes: u64,
    /// Milliseconds that an SQL statement may take. Default: 1 000.
    pub statement_ms: u64,
    /// Environment variables of every call. Results depend on them. Default: none.
    pub environment: BTreeMap<String, String>,
    /// Names of the secrets that its routes get as environment variables. Their
    /// values are kept sealed. Default: none.
    pub secrets: BTreeSet<String>,
    /// Hosts that its routes may send requests to, as in `api.example.org`,
    /// `*.example.org`, `http://10.0.0.7:8080`. Default: none.
    pub outbound: Vec<String>,
    /// What a call of the challenge may take.
    pub limits: Limits,
    /// What a submission may take for each task.
    pub solver: SolverLimits,
    /// What runs submissions. Default: the sandbox.
    pub runner: Runner,
    /// What an answer of its routes may take.
    pub route_limits: RouteLimits,
    /// Which of its routes want a miner's signature, or take uploads: those that any
    /// rule that says so fits. Default: none.
    pub routes: Vec<RouteRule>,
    /// Who must have signed its component for it to be loaded, any one of them: public keys
    /// in PEM (ECDSA on P-256, as cosign's), or hotkeys in SS58. Default: nobody.
    pub signed_by: Vec<String>,
    /// How it scores real traffic, if it has the capability `organic`.
    pub organic: Organic,
}

impl Default for Challenge {
    fn default() -> Self {
        Challenge {
            emission_percent: 100.0,
            settings: Map::new(),
            data: false,
            data_max_bytes: 1 << 30,
            database: false,
            database_max_bytes: 64 << 20,
            statement_ms: 1_000,
            environment: BTreeMap::new(),
            secrets: BTreeSet::new(),
            outbound: Vec::new(),
            limits: Limits::default(),
            solver: SolverLimits::default(),
            runner: Runner::default(),
            route_limits: RouteLimits::default(),
            routes: Vec::new(),
            signed_by: Vec::new(),
            organic: Organic::default(),
        }
    }
}

/// What runs a challenge's submissions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Runner {
    /// The sandbox: a submission is a component.
    #[default]
    Component,
    /// A service that runs submissions that are no components.
    Http {
        /// Its address; `/solve` is put after it.
        url: String,
        /// The record of the GPU server that it is on, which has its token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gpu_server: Option<String>,
        /// GPUs that it needs. Default: 0.
        #[serde(default)]
        gpu_count: u32,
    },
}

/// How the host treats some of a challenge's routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteRule {
    /// The method; none is every method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path below `/challenges/{name}`, as in `/submissions/{id}/env`; a segment
    /// in braces is any, and a last segment `*` is any number of them.
    pub path: String,
    /// Whether it wants the signature of a registered miner. Default: no.
    #[serde(default)]
    pub signed: bool,
    /// Whether the body is an artifact: it goes to the artifact store, and the
    /// challenge gets its reference. Wants a signature. Default: no.
    #[serde(default)]
    pub upload: bool,
    /// Whether a request is an entry for organic scoring, as of `POST
    /// /v1/organic/{challenge}`: the host queues it, and the challenge's handler does
    /// not see it. Default: no.
    #[serde(default)]
    pub organic: bool,
}

/// Section `challenges.<name>.solver`: what a submission may take for each task. Missing
/// keys, and the limits that are not here, are those of a solver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SolverLimits {
    /// See [`Limits::fuel`].
    pub fuel: Option<u64>,
    /// See [`Limits::wall_ms`].
    pub wall_ms: Option<u64>,
    /// See [`Limits::memory_bytes`].
    pub memory_bytes: Option<usize>,
    /// See [`Limits::output_bytes`].
    pub output_bytes: Option<usize>,
}

impl SolverLimits {
    /// The limits, complete.
    pub fn limits(&self) -> Limits {
        let default = Limits::solver();
        Limits {
            fuel: self.fuel.unwrap_or(default.fuel),
            wall_ms: self.wall_ms.unwrap_or(default.wall_ms),
            memory_bytes: self.memory_bytes.unwrap_or(default.memory_bytes),
            output_bytes: self.output_bytes.unwrap_or(default.output_bytes),
            ..default
        }
    }
}

impl Challenge {
    pub(super) fn check(&self, prefix: &str) -> Result<(), ConfigError> {
        match self.problems().into_iter().next() {
            Some((field, problem)) => Err(ConfigError::key(format!("{prefix}.{field}"), problem)),
            None => Ok(()),
        }
    }

    /// What is wrong with it: each field's path, and why. Settings are for the
    /// challenge to check.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems: Vec<(String, String)> = Vec::new();
        let mut problem = |field: &str, message: String| problems.push((field.into(), message));
        if !(0.0..=100.0).contains(&self.emission_percent) {
            let message = format!("{} is not in 0 to 100", self.emission_percent);
            problem("emission_percent", message);
        }
        for (field, bytes) in [
            ("data_max_bytes", self.data_max_bytes),
            ("database_max_bytes", self.database_max_bytes),
        ] {
            if bytes < 64 << 10 {
                problem(field, "must be at least 65536".into());
            }
        }
        if self.statement_ms == 0 {
            problem("statement_ms", "must be at least 1".into());
        }
        for (section, limits) in [("limits", self.limits), ("solver", self.solver.limits())] {
            for (field, message) in limits.problems() {
                problem(&format!("{section}.{field}"), message);
            }
        }
        for (field, message) in self.route_limits.problems() {
            problem(&format!("route_limits.{field}"), message);
        }
        for (field, message) in self.organic.problems() {
            problem(&format!("organic.{field}"), message);
        }
        for (name, value) in &self.environment {
            let field = format!("environment.{name}");
            if !is_variable_name(name) {
                problem(&field, format!("the name is not {VARIABLE_NAME}"));
            }
            if value.contains('\0') || value.len() > MAX_VARIABLE {
                let message = format!("must be at most {MAX_VARIABLE} bytes, without NUL");
                problem(&field, message);
            }
        }
        for name in &self.secrets {
            let field = format!("secrets.{name}");
            if !is_variable_name(name) {
                problem(&field, format!("the name is not {VARIABLE_NAME}"));
            } else if self.environment.contains_key(name) {
                problem(&field, "is in environment as well".into());
            }
        }
        for (index, host) in self.outbound.iter().enumerate() {
            if let Err(message) = host.parse::<OutboundRule>() {
                problem(&format!("outbound.{index}"), message.to_string());
            }
        }
        if self.signed_by.len() > MAX_SIGNERS {
            problem("signed_by", format!("must have at most {MAX_SIGNERS} keys"));
        }
        for (index, key) in self.signed_by.iter().enumerate() {
            if let Err(message) = key.parse::<TrustedKey>() {
                problem(&format!("signed_by.{index}"), message.to_string());
            }
        }
        if let Runner::Http { url, .. } = &self.runner
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            problem("runner.url", "must begin with http:// or https://".into());
        }
        for (index, rule) in self.routes.iter().enumerate() {
            if let Some((field, message)) = rule.problem() {
                problem(&format!("routes.{index}.{field}"), message);
            }
        }
        problems
    }
}

/// Keys of whom a component may be signed by, at most.
const MAX_SIGNERS: usize = 32;
/// What an environment variable or a secret may be called, for people.
const VARIABLE_NAME: &str = "1 to 64 of A-Z, 0-9 and _, first a letter";
/// Bytes of an environment variable or a secret, at most.
pub const MAX_VARIABLE: usize = 64 << 10;

/// Whether an environment variable or a secret may be called that.
pub fn is_variable_name(name: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    first && name.len() <= 64 && name.bytes().all(allowed)
}

impl RouteRule {
    /// Whether a request is meant. The path begins with `/`. The case of the method
    /// does not matter: a challenge may not look at it either.
    pub fn fits(&self, method: &str, path: &str) -> bool {
        let wanted = self.method.as_ref();
        if wanted.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(method)) {
            return false;
        }
        let mut segments = path.split('/');
        let mut pattern = self.path.split('/');
        loop {
            match (pattern.next(), segments.next()) {
                (Some("*"), Some(_)) | (None, None) => return true,
                (Some(wanted), Some(segment)) => {
                    let any = wanted.starts_with('{') && wanted.ends_with('}');
                    if !(wanted == segment || any && !segment.is_empty()) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        let upper =
            |method: &String| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        if !self.method.as_ref().is_none_or(upper) {
            return Some((
                "method",
                "must be a method in capital letters, as in POST".into(),
            ));
        }
        if !self.path.starts_with('/') {
            return Some(("path", "must begin with /".into()));
        }
        let segments: Vec<&str> = self.path.split('/').collect();
        let last = segments.len().saturating_sub(1);
        // What no request's path, decoded and normalized, can be: it would guard nothing.
        let odd = |c: char| matches!(c, '%' | '?' | '#' | '\\') || c.is_control();
        let never = |segment: &&str| matches!(*segment, "." | "..");
        let middle = segments.get(1..last).unwrap_or_default();
        if self.path.contains(odd) || segments.iter().any(never) || middle.contains(&"") {
            let message = "must be as a path is when it is decoded: without %, ?, #, \\, dot \
                           segments and empty ones";
            return Some(("path", message.into()));
        }
        if segments
            .iter()
            .enumerate()
            .any(|(i, s)| *s == "*" && i != last)
        {
            return Some(("path", "* may only be the last segment".into()));
        }
        if self.upload && !self.signed {
            return Some(("upload", "wants signed = true".into()));
        }
        if self.organic && (self.signed || self.upload) {
            let message = "is signed in ways of its own: without signed and upload";
            return Some(("organic", message.into()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(method: Option<&str>, path: &str) -> RouteRule {
        RouteRule {
            method: method.map(str::to_owned),
            path: path.into(),
            signed: true,
            upload: false,
            organic: false,
        }
    }

    #[test]
    fn a_rule_fits_its_method_and_path_only() {
        let exact = rule(Some("POST"), "/submissions");
        assert!(exact.fits("POST", "/submissions"));
        assert!(exact.fits("pOsT", "/submissions"), "in any case");
        for (method, path) in [
            ("GET", "/submissions"),
            ("POST", "/submissions/"),
            ("POST", "/"),
        ] {
            assert!(!exact.fits(method, path), "{method} {path}");
        }
        let segment = rule(None, "/submissions/{id}/env");
        assert!(segment.fits("PUT", "/submissions/7/env"));
        assert!(!segment.fits("PUT", "/submissions//env"));
        assert!(!segment.fits("PUT", "/submissions/7/8/env"));
        let below = rule(None, "/admin/*");
        assert!(below.fits("GET", "/admin/a/b"));
        assert!(!below.fits("GET", "/admin"));
    }

    #[test]
    fn a_rule_that_could_never_fit_is_refused() {
        for path in [
            "/a/../b", "/./a", "/a?x", "/%61", "/a//b", "/a\\b", "/a#b", "/\n",
        ] {
            let problem = rule(None, path).problem();
            assert_eq!(problem.map(|(field, _)| field), Some("path"), "{path}");
        }
        for path in ["/", "/a/", "/a/{id}/*", "/ä b"] {
            assert_eq!(rule(None, path).problem(), None, "{path}");
        }
    }

    #[test]
    fn every_problem_names_its_field() {
        let challenge = Challenge {
            emission_percent: f64::NAN,
            environment: BTreeMap::from([("lower".into(), String::new())]),
            secrets: BTreeSet::from(["1".into()]),
            outbound: vec!["not a host/".into()],
            signed_by: vec!["ghcr.io".into()],
            runner: Runner::Http {
                url: "ftp://x".into(),
                gpu_server: None,
                gpu_count: 0,
            },
            routes: vec![RouteRule {
                upload: true,
                signed: false,
                ..rule(None, "/")
            }],
            ..Challenge::default()
        };
        let fields: Vec<String> = challenge.problems().into_iter().map(|(f, _)| f).collect();
        let expected = [
            "emission_percent",
            "environment.lower",
            "secrets.1",
            "outbound.0",
            "signed_by.0",
            "runner.url",
            "routes.0.upload",
        ];
        assert_eq!(fields, expected);
        assert_eq!(Challenge::default().problems(), []);
    }
}
