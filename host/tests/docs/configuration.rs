//! The page that lists every key of `proctor.toml`, `docs/reference/configuration.md`.

use super::assert_current;
use proctor_host::config::{Challenge, Config};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use utoipa::{PartialSchema, ToSchema};

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `PROCTOR_TEST_UPDATE=1 cargo test --workspace --test docs`. -->

`proctor serve --config proctor.toml` reads a TOML file. Every key has a default, so that the
file has only what differs; a key that is not on this page is refused. What is set later wins:

1. the default,
2. the file,
3. a variable of the environment: `PROCTOR_SECTION__KEY`, as in `PROCTOR_SCORING__HOUR=14` or
   `PROCTOR_CHALLENGES__DIGITS__EMISSION_PERCENT=40`,
4. an option of the command: `--set section.key=value`, and those that have a name of their own.

An error names the key, and nothing is started:

```text
error: scoring.hour: 24 is not an hour: 0 to 23
```

What a challenge is given, in `challenges.<name>`, may also be in [its record](../operate.md),
which can be changed while the host runs. The section wins.
";

#[test]
fn the_book_has_every_key_as_it_is() {
    let mut schemas = Vec::new();
    Config::schemas(&mut schemas);
    let schemas = schemas.into_iter();
    let schemas: Map<String, Value> = schemas
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap()))
        .collect();
    let config = serde_json::to_value(Config::schema()).unwrap();
    let mut book = Book {
        schemas,
        page: INTRODUCTION.to_owned(),
    };
    let defaults = serde_json::to_value(Config::default()).unwrap();
    book.section("", &config, &defaults);
    assert_current("reference/configuration.md", &book.page);
}

struct Book {
    schemas: Map<String, Value>,
    page: String,
}

/// A section that is written after the keys of the one that it is in.
struct Inner {
    path: String,
    schema: Value,
    defaults: Value,
}

impl Book {
    /// Writes the keys of an object, and then those of the objects within.
    fn section(&mut self, path: &str, schema: &Value, defaults: &Value) {
        if !path.is_empty() {
            let about = described(schema);
            // The heading says which one it is.
            let named = about.strip_prefix("Section `");
            let rest = named.and_then(|named| named.split_once('`'));
            let about = rest.map_or(&about[..], |(_, rest)| {
                rest.trim_start_matches([':', '.', ',', ';', ' '])
            });
            write!(self.page, "\n## `{path}`\n\n").unwrap();
            if !about.trim().is_empty() {
                writeln!(self.page, "{}\n", sentence(about)).unwrap();
            }
        } else {
            self.page.push_str("\n## Outside of all sections\n\n");
        }
        let mut inner = Vec::new();
        let mut rows = String::new();
        for (key, property) in schema["properties"].as_object().unwrap() {
            let default = defaults.get(key).unwrap_or(&Value::Null);
            if let Some(section) = self.inner(path, key, property, default) {
                if !path.is_empty() {
                    let (about, _) = without_default(&described(property));
                    let at = &section.path;
                    let link = anchor(at);
                    writeln!(rows, "| `{key}` | [`{at}`](#{link}) | | {} |", cell(&about)).unwrap();
                }
                inner.push(section);
                continue;
            }
            let ty = self.type_of(property);
            let (about, told) = without_default(&described(property));
            let default = match is_required(schema, key) {
                true => "required".to_owned(),
                false => shown_default(key, default, &told),
            };
            writeln!(rows, "| `{key}` | {ty} | {default} | {} |", cell(&about)).unwrap();
        }
        if !rows.is_empty() {
            let head = "| key | type | default | |\n|---|---|---|---|\n";
            write!(self.page, "{head}{rows}").unwrap();
        }
        for section in inner {
            match section.schema.get("oneOf") {
                Some(kinds) => self.kinds(&section.path, &section.schema, kinds),
                None => self.section(&section.path, &section.schema, &section.defaults),
            }
        }
    }

    /// Writes an object whose other keys depend on its `kind`.
    fn kinds(&mut self, path: &str, schema: &Value, kinds: &Value) {
        let about = described(schema);
        write!(self.page, "\n## `{path}`\n\n{}\n\n", sentence(&about)).unwrap();
        self.page
            .push_str("| `kind` | key | type | default | |\n|---|---|---|---|---|\n");
        for kind in kinds.as_array().unwrap() {
            let parts = match kind.get("allOf") {
                Some(parts) => parts.as_array().unwrap().clone(),
                None => vec![kind.clone()],
            };
            let properties = parts
                .iter()
                .flat_map(|part| part["properties"].as_object().unwrap());
            let properties: Vec<(&String, &Value)> = properties.collect();
            let name = properties.iter().find(|(key, _)| *key == "kind").unwrap().1;
            let name = name["enum"][0].as_str().unwrap();
            let about = cell(&described(kind));
            writeln!(self.page, "| `{name}` | | | | {about} |").unwrap();
            for (key, property) in properties.iter().filter(|(key, _)| *key != "kind") {
                let ty = self.type_of(property);
                let (about, told) = without_default(&described(property));
                let default = match parts.iter().any(|part| is_required(part, key)) {
                    true => "required".to_owned(),
                    false => shown_default(key, &Value::Null, &told),
                };
                let about = cell(&about);
                writeln!(self.page, "| | `{key}` | {ty} | {default} | {about} |").unwrap();
            }
        }
    }

    /// The section that a key is, if it is one.
    fn inner(&self, path: &str, key: &str, property: &Value, default: &Value) -> Option<Inner> {
        let path = match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        if let Some(values) = property.get("additionalProperties") {
            let schema = self.referred(values)?.clone();
            let defaults = serde_json::to_value(Challenge::default()).unwrap();
            let path = format!("{path}.<name>");
            return Some(Inner {
                path,
                schema,
                defaults,
            });
        }
        if let Some(items) = property.get("items") {
            let schema = self.referred(items)?.clone();
            let defaults = json!({});
            return Some(Inner {
                path,
                schema,
                defaults,
            });
        }
        let schema = self.referred(property)?.clone();
        if schema.get("enum").is_some() {
            return None;
        }
        let defaults = match &path[..] {
            // Its keys may be missing, and are then not nothing.
            "challenges.<name>.solver" => {
                let limits = Challenge::default().solver.limits();
                serde_json::to_value(limits).unwrap()
            }
            _ => default.clone(),
        };
        Some(Inner {
            path,
            schema,
            defaults,
        })
    }

    fn referred(&self, property: &Value) -> Option<&Value> {
        let one_of = ["allOf", "oneOf", "anyOf"].map(|key| property[key].as_array());
        let parts = one_of.into_iter().flatten().flatten();
        let mut all = std::iter::once(property).chain(parts);
        let reference = all.find_map(|part| part["$ref"].as_str())?;
        let name = reference.rsplit('/').next().unwrap();
        Some(&self.schemas[name])
    }

    fn type_of(&self, property: &Value) -> String {
        let schema = self.referred(property).unwrap_or(property);
        if let Some(values) = schema["enum"].as_array() {
            let values = values.iter().filter(|value| !value.is_null());
            let values: Vec<String> = values.map(code).collect();
            return values.join(", ");
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let mut types = types
            .iter()
            .filter_map(Value::as_str)
            .filter(|ty| *ty != "null");
        match types.next().unwrap_or("object") {
            "array" => format!("list of {}s", self.type_of(&schema["items"])),
            "boolean" => "true or false".into(),
            "integer" => "integer".into(),
            "number" => "number".into(),
            "object" => "table".into(),
            other => other.into(),
        }
    }
}

/// The doc comment, on one line, without links to what is no page.
fn described(schema: &Value) -> String {
    let parts = ["allOf", "oneOf"].map(|key| schema[key].as_array());
    let parts = parts.into_iter().flatten().flatten();
    let mut all = std::iter::once(schema).chain(parts);
    // What may be missing has its description within.
    let text = all.find_map(|part| part["description"].as_str());
    let text: Vec<&str> = text.unwrap_or_default().split_whitespace().collect();
    let mut text = text.join(" ");
    while let Some((before, rest)) = text.split_once("[`Limits::") {
        let (name, after) = rest.split_once("`]").unwrap();
        let link = anchor("challenges.<name>.limits");
        text = format!("{before}[`limits.{name}`](#{link}){after}");
    }
    text
}

/// What a doc comment says, and the default that it tells.
fn without_default(text: &str) -> (String, String) {
    match text.split_once("Default: ") {
        Some((about, default)) => {
            let default = default.trim_end_matches('.');
            (about.trim().to_owned(), default.to_owned())
        }
        None => (text.to_owned(), String::new()),
    }
}

/// The default that there is; what is told of it, if it is made of other things.
fn shown_default(key: &str, value: &Value, told: &str) -> String {
    let empty = match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    };
    match (empty, told) {
        (true, "") => "none".to_owned(),
        (true, told) => cell(told),
        (false, _) => {
            let size = value
                .as_u64()
                .filter(|_| key.contains("bytes"))
                .and_then(size);
            let size = size.map(|size| format!(", {size}")).unwrap_or_default();
            format!("{}{size}", code(value))
        }
    }
}

fn size(bytes: u64) -> Option<String> {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let mut units = units.into_iter();
    let (shift, unit) =
        units.find(|(shift, _)| bytes >> shift > 0 && bytes.is_multiple_of(1 << shift))?;
    Some(format!("{} {unit}", bytes >> shift))
}

/// A value as TOML has it.
fn code(value: &Value) -> String {
    format!("`{value}`")
}

fn is_required(schema: &Value, key: &str) -> bool {
    let required = schema["required"].as_array();
    required.is_some_and(|keys| keys.iter().any(|one| one == key))
}

fn anchor(path: &str) -> String {
    path.chars()
        .filter(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + rest.as_str()
}

fn cell(text: &str) -> String {
    let mut in_code = false;
    let mut cell = String::new();
    for c in text.chars() {
        in_code ^= c == '`';
        match c {
            '|' => cell.push_str("\\|"),
            '<' if !in_code => cell.push_str("&lt;"),
            c => cell.push(c),
        }
    }
    cell
}
