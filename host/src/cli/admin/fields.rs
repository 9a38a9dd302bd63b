//! Fields as they are given on the command line: `--set`, `--unset`, `--from`.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Fields of what is made or changed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Fields {
    /// Set a field, as in `emission_percent=20` or `limits.fuel=1000000`. The value is
    /// JSON if it can be, else a text. Of a path with dots, what is beside it stays.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Fields from a file, JSON or (by its name) TOML; `-` is JSON from the standard
    /// input. A field of it is set as a whole; --set comes after it.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Fields {
    /// What is to be sent, `base` being what is there now.
    pub(in crate::cli) fn body(
        &self,
        base: &Value,
        more: &[(&str, &Option<String>)],
    ) -> anyhow::Result<Map<String, Value>> {
        let mut body = match &self.from {
            Some(path) => read(path)?,
            None => Map::new(),
        };
        for (field, value) in more {
            if let Some(value) = value {
                body.insert((*field).to_owned(), Value::String(value.clone()));
            }
        }
        for setting in &self.set {
            set(&mut body, base, setting)?;
        }
        Ok(body)
    }
}

fn read(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut text = String::new();
    let named = || path.display().to_string();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path).with_context(named)?;
    }
    let value: Value = if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        toml::from_str(&text).with_context(named)?
    } else {
        serde_json::from_str(&text).with_context(named)?
    };
    match value {
        Value::Object(fields) => Ok(fields),
        _ => bail!("{}: must be an object", named()),
    }
}

/// Sets one field.
fn set(body: &mut Map<String, Value>, base: &Value, setting: &str) -> anyhow::Result<()> {
    let (key, text) = setting
        .split_once('=')
        .with_context(|| format!("--set {setting}: expected KEY=VALUE"))?;
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let (map, last) = place(body, base, key).with_context(|| format!("--set {key}"))?;
    map.insert(last.to_owned(), value);
    Ok(())
}

/// Takes one field out of the map that it is in.
pub(in crate::cli) fn unset(
    body: &mut Map<String, Value>,
    base: &Value,
    key: &str,
) -> anyhow::Result<()> {
    if !key.contains('.') {
        bail!("--unset {key}: only what is in a map can be removed, as in environment.{key}");
    }
    let (map, last) = place(body, base, key).with_context(|| format!("--unset {key}"))?;
    if map.shift_remove(last).is_none() {
        bail!("--unset {key}: it is not there");
    }
    Ok(())
}

/// The map that a path ends in, which is taken over from `base`, and the last part.
fn place<'a, 'k>(
    body: &'a mut Map<String, Value>,
    base: &Value,
    key: &'k str,
) -> anyhow::Result<(&'a mut Map<String, Value>, &'k str)> {
    let (parents, last) = match key.rsplit_once('.') {
        Some((parents, last)) => (parents.split('.').collect(), last),
        None => (Vec::new(), key),
    };
    if last.is_empty() || parents.iter().any(|part| part.is_empty()) {
        bail!("is no name of a field");
    }
    if let Some(first) = parents.first()
        && !body.contains_key(*first)
    {
        let now = base.get(*first).cloned().unwrap_or_default();
        body.insert((*first).to_owned(), now);
    }
    let mut map = body;
    for parent in parents {
        let inner = map.entry(parent).or_insert(Value::Null);
        if inner.is_null() {
            *inner = Value::Object(Map::new());
        }
        map = inner
            .as_object_mut()
            .with_context(|| format!("{parent} is no map: set it as a whole, as JSON"))?;
    }
    Ok((map, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(set: &[&str], from: Option<PathBuf>) -> Fields {
        Fields {
            set: set.iter().map(|s| (*s).to_owned()).collect(),
            from,
        }
    }

    #[test]
    fn a_value_is_json_where_it_can_be_and_a_path_keeps_what_is_beside_it() {
        let base =
            json!({"settings": {"tasks": 2, "min_score": 0.2}, "routes": [], "solver": null});
        let given = fields(
            &[
                "emission_percent=20",
                "name=Digits, again",
                "settings.tasks=3",
                "settings.deep.er=[1]",
                "solver.fuel=7",
                "description=\"20\"",
                "environment.KEY=a=b",
            ],
            None,
        );
        let body = given.body(&base, &[("artifact", &Some("7".into())), ("x", &None)]);
        let expected = json!({
            "artifact": "7",
            "emission_percent": 20,
            "name": "Digits, again",
            "settings": {"tasks": 3, "min_score": 0.2, "deep": {"er": [1]}},
            "solver": {"fuel": 7},
            "description": "20",
            "environment": {"KEY": "a=b"},
        });
        assert_eq!(Value::Object(body.unwrap()), expected);
        for bad in [
            "name",
            "routes.0=1",
            ".a=1",
            "a..b=1",
            "=1",
            "settings.tasks.x=1",
        ] {
            assert!(fields(&[bad], None).body(&base, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_in_a_map_can_be_removed() {
        let base = json!({"environment": {"A": "1", "B": "2"}});
        let mut body = Map::new();
        unset(&mut body, &base, "environment.A").unwrap();
        assert_eq!(
            Value::Object(body.clone()),
            json!({"environment": {"B": "2"}})
        );
        for bad in ["environment", "environment.C", "environment.A"] {
            assert!(unset(&mut body, &base, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_json_or_by_its_name_toml_and_flags_come_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let toml = directory.path().join("record.toml");
        std::fs::write(&toml, "name = 'x'\n[settings]\ntasks = 2\nscale = 0.5\n").unwrap();
        let given = fields(&["settings.tasks=3"], Some(toml));
        let body = given.body(&json!({"settings": {"other": 1}}), &[]).unwrap();
        let expected = json!({"name": "x", "settings": {"tasks": 3, "scale": 0.5}});
        assert_eq!(Value::Object(body), expected);
        let json = directory.path().join("record.json");
        for (text, good) in [
            ("{\"name\": \"x\"}", true),
            ("[]", false),
            ("name = 1", false),
        ] {
            std::fs::write(&json, text).unwrap();
            let read = fields(&[], Some(json.clone())).body(&Value::Null, &[]);
            assert_eq!(read.is_ok(), good, "{text}");
        }
    }
}
