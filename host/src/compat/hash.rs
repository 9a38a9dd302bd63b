//! What is known by its SHA-256.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::python_json::python_json;

/// The hash of a task's input: SHA-256 of its [`python_json`] text, 64 lower-case
/// hex digits.
///
/// `None` for what Python takes for false: null, false, 0, and an empty text, list or
/// object.
#[must_use]
pub fn input_hash(input: &Value) -> Option<String> {
    let is_empty = match input {
        Value::Null => true,
        Value::Bool(bool) => !bool,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    (!is_empty).then(|| sha256_hex(&python_json(input)))
}

/// What the cache of scored commits calls an entry: SHA-256 of the ciphertext, 64
/// lower-case hex digits.
#[must_use]
pub fn hash_cache_key(encrypted_commit: &str) -> String {
    sha256_hex(encrypted_commit)
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_python_takes_for_false_has_no_hash() {
        for input in [
            json!(null),
            json!({}),
            json!([]),
            json!(""),
            json!(0),
            json!(-0.0),
            json!(false),
        ] {
            assert_eq!(input_hash(&input), None, "{input}");
        }
        for input in [
            json!({"a": null}),
            json!([0]),
            json!(" "),
            json!(0.1),
            json!(true),
        ] {
            assert!(input_hash(&input).is_some(), "{input}");
        }
    }

    #[test]
    fn the_order_of_fields_matters() {
        let [a, b] = [json!({"a": 2, "b": 1}), json!({"b": 1, "a": 2})];
        assert_eq!(a, b);
        assert_ne!(input_hash(&a), input_hash(&b));
    }
}
