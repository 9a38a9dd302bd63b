//! Settings: read from JSON, described by a schema, checked with a path.

use crate::{Challenge, ChallengeError, Context, SettingsProblem};
use serde_json::Value;

/// JSON Schema (2020-12) of a challenge's settings.
pub(crate) fn schema<C: Challenge>() -> String {
    schemars::schema_for!(C::Settings).as_value().to_string()
}

/// Reads settings and checks them.
///
/// Errors: every problem found; one if the JSON or its shape is wrong.
pub(crate) fn read<C: Challenge>(json: &str) -> Result<C::Settings, Vec<SettingsProblem>> {
    let value: Value =
        serde_json::from_str(json).map_err(|e| vec![problem("", format!("not JSON: {e}"))])?;
    if !value.is_object() {
        return Err(vec![problem("", "settings are an object")]);
    }
    let settings: C::Settings = serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let path = if path == "." { "" } else { &path };
        vec![problem(path, e.inner().to_string())]
    })?;
    match C::check_settings(&settings) {
        problems if problems.is_empty() => Ok(settings),
        problems => Err(problems),
    }
}

/// Makes the challenge from its settings and calls it: what happens for each call
/// of the host.
///
/// Errors: those of `call`; `internal` if the settings are invalid.
pub(crate) fn call<C: Challenge, T>(
    json: &str,
    context: &Context<'_>,
    call: impl FnOnce(C, &Context<'_>) -> Result<T, ChallengeError>,
) -> Result<T, ChallengeError> {
    let settings = read::<C>(json).map_err(|problems| {
        let problems = problems.iter().map(|p| match p.path.as_str() {
            "" => p.message.clone(),
            path => format!("{path}: {}", p.message),
        });
        let text = problems.collect::<Vec<_>>().join("; ");
        ChallengeError::Internal(format!("settings: {text}"))
    })?;
    call(C::new(settings), context)
}

fn problem(path: &str, message: impl Into<String>) -> SettingsProblem {
    SettingsProblem {
        path: path.to_owned(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        tasks: u32,
    }

    impl Default for Settings {
        fn default() -> Self {
            Settings { tasks: 3 }
        }
    }

    struct Sample;

    impl Challenge for Sample {
        type Settings = Settings;
        const NAME: &'static str = "sample";
        const VERSION: &'static str = "1.0.0";

        fn new(_: Settings) -> Self {
            Sample
        }

        fn check_settings(settings: &Settings) -> Vec<SettingsProblem> {
            match settings.tasks {
                1..=10 => Vec::new(),
                n => vec![problem("tasks", format!("{n} is not in 1..=10"))],
            }
        }
    }

    fn problems(json: &str) -> Vec<SettingsProblem> {
        read::<Sample>(json).err().unwrap_or_default()
    }

    #[test]
    fn an_empty_object_gives_the_defaults() {
        assert_eq!(read::<Sample>("{}").map(|s| s.tasks).ok(), Some(3));
    }

    #[test]
    fn a_problem_names_its_path() {
        assert_eq!(problems(r#"{"tasks": "x"}"#)[0].path, "tasks");
        assert_eq!(problems(r#"{"tasks": 11}"#)[0].path, "tasks");
        assert!(
            problems(r#"{"task": 1}"#)[0]
                .message
                .contains("unknown field")
        );
        assert_eq!(problems("[]").len(), 1);
        assert!(
            problems("{")
                .first()
                .is_some_and(|p| p.message.starts_with("not JSON"))
        );
    }

    #[test]
    fn the_schema_names_the_fields() {
        let schema: Value = serde_json::from_str(&schema::<Sample>()).unwrap();
        assert!(schema["properties"]["tasks"].is_object());
    }
}
