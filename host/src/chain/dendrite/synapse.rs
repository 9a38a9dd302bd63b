//! A request as the SDK's `Synapse` has it: its body, its headers, and the hash of its
//! fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha3::{Digest, Sha3_256};

use super::python_str::python_str;
use super::{Axon, BODY_HASH, HOTKEY, NONCE, RECEIVER, SIGNATURE, TIMEOUT, UUID, VERSION};
use crate::compat::python_json;

/// Longest value of a field that a header has, as JSON; longer ones are empty there.
const MAX_VALUE: usize = 256;
/// Most bytes of all such headers; servers take 64 KiB of headers.
const MAX_VALUES: usize = 16_384;

/// What is asked.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    pub(super) timeout_s: f64,
    pub(super) fields: &'a Map<String, Value>,
}

/// Who asks, with the signature.
pub(super) struct Dendrite<'a> {
    pub(super) nonce_ns: u64,
    pub(super) uuid: &'a str,
    pub(super) hotkey: &'a str,
    pub(super) signature: &'a str,
}

/// The hash of the fields of a body, in lower-case hex: SHA3-256 over the hashes of
/// Python's `str` of each, joined. A field that is not there is `None`, as one whose
/// default that is.
#[must_use]
pub fn body_hash(body: &Map<String, Value>, hash_fields: &[String]) -> String {
    let hash = |text: &str| hex::encode(Sha3_256::digest(text));
    let hashes = hash_fields
        .iter()
        .map(|field| hash(&python_str(body.get(field).unwrap_or(&Value::Null))));
    hash(&hashes.collect::<String>())
}

impl Request<'_> {
    pub(super) fn body_hash(&self, hash_fields: &[String]) -> String {
        body_hash(&self.merged(Map::new()), hash_fields)
    }

    /// All of it, as `model_dump` gives it: the axon makes an object of the class of it.
    pub(super) fn dump(&self, axon: &Axon, dendrite: &Dendrite<'_>) -> Value {
        let terminals = [
            (
                "dendrite",
                json!({
                    "status_code": null, "status_message": null, "process_time": null,
                    "ip": null, "port": null, "version": VERSION,
                    "nonce": dendrite.nonce_ns, "uuid": dendrite.uuid,
                    "hotkey": dendrite.hotkey, "signature": dendrite.signature,
                }),
            ),
            (
                "axon",
                json!({
                    "status_code": null, "status_message": null, "process_time": null,
                    "ip": axon.ip.to_string(), "port": axon.port, "version": null,
                    "nonce": null, "uuid": null, "hotkey": axon.hotkey, "signature": null,
                }),
            ),
        ];
        let terminals = terminals.map(|(name, value)| (name.to_owned(), value));
        Value::Object(self.merged(terminals.into_iter().collect()))
    }

    /// The fields that every class has, and those of this one.
    fn merged(&self, terminals: Map<String, Value>) -> Map<String, Value> {
        let mut all = Map::new();
        all.insert("name".to_owned(), self.name.into());
        all.insert("timeout".to_owned(), self.timeout_s.into());
        all.insert("total_size".to_owned(), 0.into());
        all.insert("header_size".to_owned(), 0.into());
        all.extend(terminals);
        all.insert(BODY_HASH.to_owned(), "".into());
        for (name, value) in self.fields {
            if !all.contains_key(name) {
                all.insert(name.clone(), value.clone());
            }
        }
        all
    }

    pub(super) fn headers(
        &self,
        axon: &Axon,
        dendrite: &Dendrite<'_>,
        body_hash: &str,
        total_size: usize,
    ) -> Vec<(String, String)> {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let mut headers = vec![
            header("name", self.name.to_owned()),
            header(TIMEOUT, python_json(&self.timeout_s.into())),
            header("bt_header_axon_ip", axon.ip.to_string()),
            header("bt_header_axon_port", axon.port.to_string()),
            header(RECEIVER, axon.hotkey.clone()),
            header("bt_header_dendrite_version", VERSION.to_string()),
            header(NONCE, dendrite.nonce_ns.to_string()),
            header(UUID, dendrite.uuid.to_owned()),
            header(HOTKEY, dendrite.hotkey.to_owned()),
            header(SIGNATURE, dendrite.signature.to_owned()),
        ];
        headers.extend(self.values());
        let header_size: usize = headers.iter().map(|(k, v)| k.len() + v.len()).sum();
        headers.push(header("header_size", header_size.to_string()));
        headers.push(header("total_size", total_size.to_string()));
        headers.push(header(BODY_HASH, body_hash.to_owned()));
        headers
    }

    /// Values of fields. An axon makes an object of the headers before it reads the
    /// body, so whatever its class requires must be in them, if only in form.
    fn values(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut left = MAX_VALUES;
        let of_class = self.fields.iter().filter(|(name, value)| {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !value.is_null() && !name.is_empty() && name.chars().all(is_word)
        });
        for (name, value) in of_class {
            // The value itself where it is short, as an empty one may be refused.
            let text = Some(python_json(value)).filter(|text| text.len() <= MAX_VALUE);
            let text = text.unwrap_or_else(|| python_json(&empty(value)));
            let name = format!("bt_header_input_obj_{}", name.to_ascii_lowercase());
            let value = STANDARD.encode(text);
            match left.checked_sub(name.len() + value.len()) {
                Some(rest) => left = rest,
                None => break,
            }
            headers.push((name, value));
        }
        headers
    }
}

/// What Python makes of the type of a value without an argument.
fn empty(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => false.into(),
        Value::Number(number) if number.is_f64() => 0.0.into(),
        Value::Number(_) => 0.into(),
        Value::String(_) => "".into(),
        Value::Array(_) => json!([]),
        Value::Object(_) => json!({}),
    }
}
