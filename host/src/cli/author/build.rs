//! `proctor plugin build` and `proctor solver build`.

use super::super::author::size;
use super::super::print_json;
use super::super::terminal::{FAINT, GOOD, Step, styled};
use super::shown;
use crate::authoring::{BuildError, Built, Project, build};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Builds components of a project, and tells what is going on.
pub(in crate::cli) fn built(project: &Project, which: &[&str]) -> Result<Vec<Built>, BuildError> {
    let mut step = None;
    build(project, which, &mut |what| {
        // One line at a time.
        step = None;
        step = Some(Step::begin(what));
    })
}

/// Builds components and prints them.
pub(in crate::cli) fn run(
    project: &Project,
    which: &[&str],
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    match built(project, which) {
        Ok(built) if as_json => {
            let built: Vec<Value> = built.iter().map(built_json).collect();
            print_json(&json!({ "built": built }))?;
        }
        Ok(built) => print(&built),
        Err(error) if as_json => {
            eprintln!("error: {error}");
            print_json(&json!({ "built": [], "error": error_json(&error) }))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// A component as JSON.
pub(in crate::cli) fn built_json(built: &Built) -> Value {
    json!({
        "name": built.name,
        "kind": if built.challenge { "challenge" } else { "solver" },
        "path": built.path,
        "bytes": built.bytes,
        "digest": built.digest,
        "elapsed_s": built.elapsed.as_secs_f64(),
        "unchanged": built.unchanged,
    })
}

/// Why there is none, as JSON.
pub(in crate::cli) fn error_json(error: &BuildError) -> Value {
    let code = match error {
        BuildError::Missing { .. } => "missing_tool",
        BuildError::Failed { .. } => "failed",
        BuildError::NoOutput { .. } => "no_component",
        BuildError::Io { .. } => "io",
        BuildError::Project(_) | BuildError::Invalid(_) => "invalid_project",
    };
    let mut value = json!({ "code": code, "message": error.to_string() });
    if let (BuildError::Missing { install, .. }, Some(object)) = (error, value.as_object_mut()) {
        object.insert("install".to_owned(), json!(install));
    }
    value
}

/// One line for each component.
pub(in crate::cli) fn print(built: &[Built]) {
    let paths: Vec<String> = built.iter().map(|built| shown(&built.path)).collect();
    let width = paths.iter().map(|path| path.chars().count()).max();
    let width = width.unwrap_or(0);
    for (built, path) in built.iter().zip(paths) {
        let (size, elapsed) = (size(built.bytes), built.elapsed);
        let digest = built.digest.get(..12).unwrap_or(&built.digest);
        let what = match built.unchanged {
            true => styled(FAINT, "unchanged"),
            false => styled(GOOD, "built    "),
        };
        let rest = format!("{size:>8}  sha256:{digest}…  {elapsed:.1?}");
        anstream::println!("{what}  {path:width$}  {}", styled(FAINT, rest));
    }
}
