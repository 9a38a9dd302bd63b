//! Fields of a record, as a client gives them: what is wrong is told by field, all of
//! it at once.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field's path, as in `limits.fuel`.
    pub field: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl FieldProblem {
    /// A problem with a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        FieldProblem {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// `current` with the fields of `changes` that it has; those are taken out of
/// `changes`. A map or a list is replaced as a whole.
///
/// # Errors
///
/// Each field that cannot be read: a wrong type, an unknown field in it, a null
/// where there must be something.
pub(super) fn overlay<T: Serialize + DeserializeOwned>(
    current: &T,
    changes: &mut Map<String, Value>,
) -> Result<T, Vec<FieldProblem>> {
    let Ok(Value::Object(current)) = serde_json::to_value(current) else {
        return Err(vec![FieldProblem::new("", "cannot be changed")]);
    };
    let (mut whole, mut problems) = (current.clone(), Vec::new());
    let named: Vec<String> = changes
        .keys()
        .filter(|key| current.contains_key(*key))
        .cloned()
        .collect();
    for field in named {
        let Some(value) = changes.shift_remove(&field) else {
            continue;
        };
        if value.is_null() {
            problems.push(FieldProblem::new(field, "may not be null"));
            continue;
        }
        // One at a time, so that each is told what is wrong with it.
        let mut alone = current.clone();
        alone.insert(field.clone(), value.clone());
        match serde_path_to_error::deserialize::<_, T>(Value::Object(alone)) {
            Ok(_) => drop(whole.insert(field, value)),
            Err(error) => {
                let path = error.path().to_string();
                let path = if path == "." { field } else { path };
                problems.push(FieldProblem::new(path, error.inner().to_string()));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(Value::Object(whole))
        .map_err(|error| vec![FieldProblem::new("", error.to_string())])
}

/// Reads one field.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if value.is_null() {
        return Err("may not be null".into());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// A problem for each field that nobody took.
pub(super) fn unknown(rest: &Map<String, Value>) -> impl Iterator<Item = FieldProblem> {
    rest.keys()
        .map(|field| FieldProblem::new(field, "is no field of this record, or cannot be changed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Challenge;
    use serde_json::json;

    fn change(changes: Value) -> (Result<Challenge, Vec<FieldProblem>>, Map<String, Value>) {
        let Value::Object(mut changes) = changes else {
            panic!("not an object");
        };
        (overlay(&Challenge::default(), &mut changes), changes)
    }

    #[test]
    fn only_what_is_named_changes_and_maps_are_replaced_as_a_whole() {
        let (changed, rest) = change(json!({"emission_percent": 5, "nonsense": 1}));
        let expected = Challenge {
            emission_percent: 5.0,
            ..Challenge::default()
        };
        assert_eq!(changed.unwrap(), expected);
        let unknown: Vec<_> = unknown(&rest).map(|p| p.field).collect();
        assert_eq!(unknown, ["nonsense"]);
    }

    #[test]
    fn each_bad_field_is_named_with_its_path() {
        let (changed, _) = change(json!({
            "emission_percent": "much",
            "settings": null,
            "limits": {"fuel": -1},
            "solver": {"speed": 1},
            "routes": [{"path": "/", "signed": 7}],
        }));
        let problems = changed.unwrap_err();
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        let expected = [
            "emission_percent",
            "settings",
            "limits.fuel",
            "solver.speed",
            "routes[0].signed",
        ];
        assert_eq!(fields, expected, "{problems:?}");
    }
}
