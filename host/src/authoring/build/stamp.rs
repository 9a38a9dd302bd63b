//! The stamp of components that are not made by a linker.
//!
//! In Rust the SDK puts it in by itself.

use super::job::version;
use super::{BuildError, Job, Kind};
use crate::authoring::project::Language;
use crate::sandbox::contract::{self, Stamp};
use std::fs;
use std::path::Path;

/// Puts the contract and the SDK that a component was built with into it.
pub(super) fn append(job: &Job<'_>, component: &mut Vec<u8>) -> Result<(), BuildError> {
    let sdk = &job.project.sdk;
    let of_sdk = match job.project.language {
        Language::Rust => return Ok(()),
        Language::Python => fs::read_to_string(sdk.join("_version.py"))
            .ok()
            .and_then(|text| python_version(&text)),
        Language::Js => package_version(&sdk.join("package.json")),
    };
    let language = job.project.language;
    let of_sdk = of_sdk.ok_or_else(|| {
        let sdk = sdk.display();
        BuildError::Invalid(format!("the SDK in {sdk} does not tell its version"))
    })?;
    let (package, file) = match job.kind {
        Kind::Challenge(_) => ("proctor:challenge", "wit/challenge/worlds.wit"),
        Kind::Solver => ("proctor:solver", "wit/solver/solver.wit"),
    };
    let stamp = Stamp {
        contract: format!("{package}@{}", version(&sdk.join(file), package)?),
        sdk: format!("proctor-sdk-{language} {of_sdk}"),
    };
    contract::append(component, &stamp);
    Ok(())
}

/// The version in a line such as `__version__ = "0.1.0"`.
fn python_version(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim().trim_matches('"').to_owned())
}

fn package_version(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(package.get("version")?.as_str()?.to_owned())
}
