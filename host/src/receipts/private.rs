//! What the author of a challenge does not want to be given out.

use serde_json::{Map, Value};

/// Which documents of a challenge are replaced by their digests in what is given out. Who
/// verifies is told that they are private, and checks the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Private {
    /// The component.
    pub component: bool,
    /// The settings.
    pub settings: bool,
    /// Transcripts and what they name: rows, files, and what was asked for.
    pub transcript: bool,
    /// Tasks and solutions: what evaluations came to, and the runs of submissions.
    pub tasks: bool,
}

/// The key of a settings schema that lists what is private.
const KEY: &str = "x-proctor-private";

impl Private {
    /// What a challenge marks in the schema of its settings: `x-proctor-private` lists any
    /// of `component`, `settings`, `transcript` and `tasks`; and settings in which a
    /// property is set that is `writeOnly` (JSON Schema 2020-12, 9.4) are private. Where a
    /// mark cannot be told from none it counts, for better too little than a secret: a mark
    /// that is not known, and a schema that is no JSON, make everything private, and a
    /// `writeOnly` that is not in plain `properties` and `items` makes the settings so, set
    /// or not.
    #[must_use]
    pub fn of(schema: &str, settings: &str) -> Self {
        let mut private = Private::default();
        let Ok(schema) = serde_json::from_str(schema) else {
            private.mark("");
            return private;
        };
        // `true` and `false` are schemas that mark nothing.
        let Value::Object(schema) = schema else {
            return private;
        };
        match schema.get(KEY) {
            None => {}
            Some(Value::Array(marks)) => {
                for mark in marks {
                    private.mark(mark.as_str().unwrap_or_default());
                }
            }
            Some(_) => private.mark(""),
        }
        private.settings |= match serde_json::from_str(settings) {
            Ok(settings) => has_write_only(&schema, &settings) || is_obscure(&schema),
            Err(_) => !write_only(&schema, Place::Schema).is_empty(),
        };
        private
    }

    /// Whether this text of settings is given to nobody. `{}` is what most challenges have
    /// and tells nothing: a document is private by its digest, whoever names it.
    #[must_use]
    pub fn hides_settings(&self, settings: &str) -> bool {
        self.settings && settings != "{}"
    }

    /// Whether a transcript of so many calls of the host is given to nobody. The one
    /// without any is everybody's, likewise.
    #[must_use]
    pub fn hides_transcript(&self, calls: usize) -> bool {
        (self.transcript || self.tasks) && calls > 0
    }

    fn mark(&mut self, mark: &str) {
        match mark {
            "component" => self.component = true,
            "settings" => self.settings = true,
            "transcript" => self.transcript = true,
            "tasks" => self.tasks = true,
            _ => {
                *self = Private {
                    component: true,
                    settings: true,
                    transcript: true,
                    tasks: true,
                }
            }
        }
    }
}

/// Where in a schema something stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// A schema, to which only `properties` and `items` lead.
    Schema,
    /// The map of a plain schema's properties.
    Properties,
    /// Anywhere else: what it is about depends on the values, or on who refers to it.
    Elsewhere,
}

/// Whether a `writeOnly` may be about something that [`has_write_only`] does not look at.
fn is_obscure(schema: &Map<String, Value>) -> bool {
    let marks = write_only(schema, Place::Schema);
    marks.contains(&Place::Elsewhere)
        || refers(schema, &|_| true) && !marks.is_empty()
        // What is not in the schema itself nobody here can read.
        || refers(schema, &|to| !to.as_str().is_some_and(|to| to.starts_with('#')))
}

/// The places of all `writeOnly` marks.
fn write_only(object: &Map<String, Value>, place: Place) -> Vec<Place> {
    let mut places = Vec::new();
    if place != Place::Properties && object.get("writeOnly") == Some(&Value::Bool(true)) {
        places.push(place);
    }
    for (key, value) in object {
        let next = match (place, key.as_str()) {
            (Place::Schema, "properties") => Place::Properties,
            (Place::Schema, "items") | (Place::Properties, _) => Place::Schema,
            (Place::Schema | Place::Elsewhere, _) => Place::Elsewhere,
        };
        match value {
            Value::Object(inner) => places.extend(write_only(inner, next)),
            Value::Array(list) => {
                let inner = objects(list);
                places.extend(inner.flat_map(|inner| write_only(inner, Place::Elsewhere)));
            }
            _ => {}
        }
    }
    places
}

/// Whether anything in a schema refers to what `is_it` says yes to.
fn refers(object: &Map<String, Value>, is_it: &dyn Fn(&Value) -> bool) -> bool {
    object.iter().any(|(key, value)| {
        let is_reference = ["$ref", "$dynamicRef", "$recursiveRef"].contains(&key.as_str());
        let inside = match value {
            Value::Object(inner) => refers(inner, is_it),
            Value::Array(list) => objects(list).any(|inner| refers(inner, is_it)),
            _ => false,
        };
        inside || is_reference && is_it(value)
    })
}

/// The objects in a list, and in the lists in it.
fn objects(list: &[Value]) -> Box<dyn Iterator<Item = &Map<String, Value>> + '_> {
    Box::new(list.iter().flat_map(|value| match value {
        Value::Object(object) => Box::new(std::iter::once(object)),
        Value::Array(inner) => objects(inner),
        _ => Box::new(std::iter::empty()) as Box<dyn Iterator<Item = _>>,
    }))
}

/// Whether a property that is set, at any depth, is `writeOnly`.
fn has_write_only(schema: &Map<String, Value>, settings: &Value) -> bool {
    if schema.get("writeOnly") == Some(&Value::Bool(true)) {
        return true;
    }
    let under = |key: &str| schema.get(key).and_then(Value::as_object);
    match settings {
        Value::Object(set) => set.iter().any(|(name, value)| {
            let property = under("properties").and_then(|of| of.get(name));
            let property = property.and_then(Value::as_object);
            property.is_some_and(|schema| has_write_only(schema, value))
        }),
        Value::Array(items) => under("items")
            .is_some_and(|schema| items.iter().any(|item| has_write_only(schema, item))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_only_property_makes_settings_private_where_it_is_set() {
        let schema = r#"{"properties": {"key": {"writeOnly": true}, "inner": {"properties":
            {"list": {"items": {"properties": {"token": {"writeOnly": true}}}}}}}}"#;
        for (settings, expected) in [
            ("{}", false),
            (r#"{"other": 1}"#, false),
            (r#"{"key": "k"}"#, true),
            (r#"{"inner": {"list": [{}, {"token": 1}]}}"#, true),
            (r#"{"inner": {"list": [{}]}}"#, false),
        ] {
            let private = Private::of(schema, settings);
            assert_eq!(private.settings, expected, "{settings}");
            assert!(!private.component && !private.transcript && !private.tasks);
        }
    }

    #[test]
    fn a_write_only_that_is_not_in_plain_sight_makes_settings_private() {
        let key = r#"{"properties": {"key": {"writeOnly": true}}}"#;
        for schema in [
            // As schemars writes an inner struct, an optional one, an enum and a map.
            format!(
                r##"{{"properties": {{"a": {{"$ref": "#/$defs/A"}}}}, "$defs": {{"A": {key}}}}}"##
            ),
            format!(
                r##"{{"properties": {{"a": {{"anyOf": [{{"$ref": "#/$defs/A"}}, {{"type": "null"}}]}}}},
                "$defs": {{"A": {key}}}}}"##
            ),
            format!(r#"{{"properties": {{"a": {{"oneOf": [{key}]}}}}}}"#),
            format!(r#"{{"properties": {{"a": {{"additionalProperties": {key}}}}}}}"#),
            format!(r#"{{"allOf": [{key}]}}"#),
            format!(r#"{{"if": {key}}}"#),
            format!(r#"{{"patternProperties": {{"^a": {key}}}}}"#),
            format!(r#"{{"properties": {{"a": {{"prefixItems": [{key}]}}}}}}"#),
            format!(r#"{{"properties": {{"a": {{"items": [{key}]}}}}}}"#),
            format!(r#"{{"dependentSchemas": {{"a": {key}}}}}"#),
            // To a property that is marked.
            r##"{"properties": {"key": {"writeOnly": true}, "a": {"$ref": "#/properties/key"}}}"##
                .to_owned(),
            r#"{"properties": {"a": {"$ref": "https://schemas.example.org/a.json"}}}"#.to_owned(),
        ] {
            let private = Private::of(&schema, r#"{"a": "secret"}"#);
            assert!(private.settings, "{schema}");
            assert!(!private.component && !private.transcript && !private.tasks);
        }
    }

    #[test]
    fn what_marks_nothing_is_open() {
        for schema in [
            r##"{"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}},
                "additionalProperties": false}"##,
            r#"{"properties": {"a": {"writeOnly": false}, "writeOnly": {"type": "string"}}}"#,
            // Plain, and not set.
            r#"{"properties": {"b": {"writeOnly": true}}, "additionalProperties": false,
                "anyOf": [{"required": ["a"]}]}"#,
            "{}",
            "true",
        ] {
            let private = Private::of(schema, r#"{"a": "open"}"#);
            assert_eq!(private, Private::default(), "{schema}");
        }
    }

    #[test]
    fn settings_that_cannot_be_read_are_private_if_any_may_be() {
        let schema = r#"{"properties": {"key": {"writeOnly": true}}}"#;
        assert!(Private::of(schema, "{").settings);
        assert!(!Private::of("{}", "{").settings);
    }

    #[test]
    fn what_other_challenges_name_as_well_is_not_hidden_from_them() {
        let private = Private::of(&format!(r#"{{"{KEY}": ["settings", "tasks"]}}"#), "{}");
        assert!(!private.hides_settings("{}") && private.hides_settings(r#"{"a":1}"#));
        assert!(!private.hides_transcript(0) && private.hides_transcript(1));
        let open = Private::default();
        assert!(!open.hides_settings(r#"{"a":1}"#) && !open.hides_transcript(1));
    }

    #[test]
    fn marks_are_taken_and_an_unknown_one_is_all_of_them() {
        let of = |marks: &str| Private::of(&format!(r#"{{"{KEY}": {marks}}}"#), "{}");
        assert!(of(r#"["tasks"]"#).tasks && !of(r#"["tasks"]"#).component);
        let all = of(r#"["taks"]"#);
        assert!(all.component && all.settings && all.transcript && all.tasks);
        assert_eq!(of("true"), all);
        assert_eq!(of("[]"), Private::default());
        for unreadable in ["no schema", "", "{"] {
            assert_eq!(Private::of(unreadable, "{}"), all, "{unreadable}");
        }
    }
}
