//! What a change changed, for the audit log.

use super::record::Record;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Each field that differs: `{"field": [before, after]}`. Before a new record there
/// is null everywhere.
pub(super) fn difference(before: Option<&Record>, after: &Record) -> Value {
    let old = before.map(fields).unwrap_or_default();
    let mut changes = Map::new();
    for (field, value) in fields(after) {
        let was = old.get(&field).cloned().unwrap_or_default();
        if was != value {
            changes.insert(field, json!([was, value]));
        }
    }
    Value::Object(changes)
}

/// Names of the fields in which two values of a type differ.
pub(super) fn changed_fields<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    let map = |value: &T| match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let before = map(before);
    let after = map(after).into_iter();
    let changed = after.filter(|(field, value)| before.get(field) != Some(value));
    changed.map(|(field, _)| field).collect()
}

fn fields(record: &Record) -> Map<String, Value> {
    let mut fields = record.spec.fields();
    fields.insert("status".into(), json!(record.status));
    fields.insert("digest".into(), json!(record.digest));
    fields.insert("component_version".into(), json!(record.version));
    fields
}
