//! What is known by its SHA-256.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::python_json::python_json;
use super::python_text::python_json_text;

/// The hash of a task's input: SHA-256 of its [`python_json`] text, 64 lower-case
/// hex digits.
///
/// `None` for what Python takes for false: null, false, 0, and an empty text, list or
/// object. Where the text of the input is at hand, use [`input_hash_of_text`].
#[must_use]
pub fn input_hash(input: &Value) -> Option<String> {
    hash_of(&python_json(input))
}

/// The [`input_hash`] of a task's input from its JSON text, exact also for inputs that
/// a [`Value`] cannot hold; see [`python_json_text`].
///
/// `None` also if the text is not JSON, or such that Python does not read it.
#[must_use]
pub fn input_hash_of_text(json: &str) -> Option<String> {
    hash_of(&python_json_text(json).ok()?)
}

fn hash_of(python_text: &str) -> Option<String> {
    const FALSE: [&str; 8] = ["null", "false", "0", "0.0", "-0.0", "\"\"", "[]", "{}"];
    (!FALSE.contains(&python_text)).then(|| sha256_hex(python_text))
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
            assert_eq!(input_hash_of_text(&input.to_string()), None, "{input}");
        }
        for input in [
            json!({"a": null}),
            json!([0]),
            json!(" "),
            json!(0.1),
            json!(true),
        ] {
            assert!(input_hash(&input).is_some(), "{input}");
            let of_text = input_hash_of_text(&input.to_string());
            assert_eq!(of_text, input_hash(&input), "{input}");
        }
        for text in ["-0", "-0e9", " { } ", "", "{", "NaN"] {
            assert_eq!(input_hash_of_text(text), None, "{text}");
        }
    }

    #[test]
    fn the_order_of_fields_matters() {
        let [a, b] = [json!({"a": 2, "b": 1}), json!({"b": 1, "a": 2})];
        assert_eq!(a, b);
        assert_ne!(input_hash(&a), input_hash(&b));
    }
}
