//! Where a configuration comes from, before it is checked.

use super::{Config, ConfigError};
use std::path::PathBuf;
use toml::{Table, Value};

/// Prefix of the environment variables that are read.
const PREFIX: &str = "PROCTOR_";

/// What else begins with the prefix: the flags of every command, those of commands
/// that ask the admin API, and what only tests read.
const NOT_KEYS: [&str; 5] = [
    "LOG",
    "TEST_",
    "ADMIN_TOKEN",
    "ADMIN_URL",
    "WALLET_PASSWORD",
];

/// The sources of a configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfigSource {
    /// The TOML file; none is the defaults.
    pub file: Option<PathBuf>,
    /// Environment variables; those without the prefix `PROCTOR_` are ignored.
    pub environment: Vec<(String, String)>,
    /// `section.key=value`, each.
    pub overrides: Vec<String>,
}

impl ConfigSource {
    /// Reads the sources and checks the result.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut table = Table::new();
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
                path: path.clone(),
                error,
            })?;
            table = text.parse().map_err(|error| ConfigError::Syntax {
                path: path.clone(),
                error: Box::new(error),
            })?;
        }
        for (name, text) in &self.environment {
            let Some(key) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if !NOT_KEYS.iter().any(|other| key.starts_with(other)) {
                let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
                set(&mut table, &path, text).map_err(|problem| ConfigError::key(name, problem))?;
            }
        }
        for setting in &self.overrides {
            let (key, text) = setting
                .split_once('=')
                .ok_or_else(|| ConfigError::key(setting, "expected KEY=VALUE"))?;
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            set(&mut table, &path, text).map_err(|problem| ConfigError::key(key, problem))?;
        }
        let config: Config = serde_path_to_error::deserialize(Value::Table(table))
            .map_err(|error| ConfigError::key(error.path().to_string(), problem(error.inner())))?;
        config.check()
    }
}

/// The message alone: the path is told by the error around it.
fn problem(error: &toml::de::Error) -> String {
    error.message().to_owned()
}

/// Sets a key. The text is a TOML value where it can be one, else a string.
fn set(table: &mut Table, path: &[String], text: &str) -> Result<(), String> {
    let Some((last, parents)) = path.split_last() else {
        return Err("an empty key".into());
    };
    let mut table = table;
    for parent in parents {
        table = table
            .entry(parent)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("{parent} is not a section"))?;
    }
    table.insert(last.clone(), value(text));
    Ok(())
}

fn value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(overrides: &[&str]) -> Result<Config, String> {
        let overrides = overrides.iter().map(|s| (*s).to_owned()).collect();
        let source = ConfigSource {
            overrides,
            ..ConfigSource::default()
        };
        source.load().map_err(|e| e.to_string())
    }

    #[test]
    fn later_sources_win() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("proctor.toml");
        std::fs::write(
            &file,
            "[scoring]\nhour = 1\nretry_s = 2\n[public]\nlisten = '127.0.0.1:1'",
        )
        .unwrap();
        let environment = vec![
            ("PROCTOR_SCORING__HOUR".to_owned(), "3".to_owned()),
            (
                "PROCTOR_PUBLIC__LISTEN".to_owned(),
                "127.0.0.1:2".to_owned(),
            ),
            ("PROCTOR_LOG".to_owned(), "debug".to_owned()),
        ];
        let overrides = vec!["public.listen=127.0.0.1:3".to_owned()];
        let config = ConfigSource {
            file: Some(file),
            environment,
            overrides,
        }
        .load()
        .unwrap();
        assert_eq!(config.scoring.hour, 3);
        assert_eq!(config.scoring.retry_s, 2.0);
        assert_eq!(config.public.listen.port(), 3);
    }

    #[test]
    fn every_error_names_its_key() {
        for (setting, key) in [
            ("scoring.hours=1", "scoring"),
            ("scoring.hour=24", "scoring.hour"),
            ("scoring.hour=x", "scoring.hour"),
            ("admin.listen=0.0.0.0:1", "admin.listen"),
            ("commits.reveal_interval_s=-1", "commits.reveal_interval_s"),
            (
                "sandbox.max_concurrent_calls=0",
                "sandbox.max_concurrent_calls",
            ),
            (
                "challenges.a.emission_percent=101",
                "challenges.a.emission_percent",
            ),
            ("challenges.a.limits.fuel=0", "challenges.a.limits.fuel"),
            (
                "challenges.a.solver.wall_ms=0",
                "challenges.a.solver.wall_ms",
            ),
            ("challenges.a.emission=1", "challenges.a"),
            ("data_dir.x.y=1", "data_dir"),
            ("data_dir=", "data_dir"),
            (
                "public.max_requests=9223372036854775807",
                "public.max_requests",
            ),
            (
                "sandbox.max_concurrent_calls=4000000",
                "sandbox.max_concurrent_calls",
            ),
            ("scoring.max_retry_s=1", "scoring.max_retry_s"),
            ("challenges.a.statement_ms=0", "challenges.a.statement_ms"),
            (
                "challenges.a.database_max_bytes=0",
                "challenges.a.database_max_bytes",
            ),
            ("challenges.Bad Name.data=true", "challenges.Bad Name"),
            ("nonsense", "nonsense"),
        ] {
            let error = load(&[setting]).unwrap_err();
            assert!(error.starts_with(key), "{setting}: {error}");
        }
    }

    #[test]
    fn an_unknown_variable_is_refused() {
        let environment = vec![("PROCTOR_SCORING__HOURS".to_owned(), "1".to_owned())];
        let source = ConfigSource {
            environment,
            ..ConfigSource::default()
        };
        let error = source.load().unwrap_err().to_string();
        assert!(error.contains("unknown field `hours`"), "{error}");
        let environment = vec![("PROCTOR_SCORING_HOUR".to_owned(), "1".to_owned())];
        let source = ConfigSource {
            environment,
            ..ConfigSource::default()
        };
        let error = source.load().unwrap_err().to_string();
        assert!(error.contains("unknown field `scoring_hour`"), "{error}");
    }

    #[test]
    fn settings_of_a_challenge_are_its_own() {
        let config = load(&["challenges.digits.settings.tasks=3"]).unwrap();
        assert_eq!(
            config.challenge("digits").settings["tasks"].as_i64(),
            Some(3)
        );
        assert!(config.challenge("other").settings.is_empty());
    }
}
