//! One text for each value: canonical JSON, RFC 8785.
//!
//! What is hashed or signed is such a text. It holds strings, booleans, null, arrays,
//! objects, and integers from 0 to 2⁵³ − 1; a float is written as its [bits], because
//! there are many texts for a number, and other languages write others.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The canonical text of a value: no spaces, keys in order of their UTF-16 units.
///
/// # Errors
///
/// The value is none that JSON can hold.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(value)
}

/// The bits of a number, IEEE 754, as 16 lower-case hexadecimal digits, big-endian.
#[must_use]
pub fn bits(number: f64) -> String {
    format!("{:016x}", number.to_bits())
}

/// The number of its [bits]; none if they are not written as that writes them.
#[must_use]
pub fn from_bits(text: &str) -> Option<f64> {
    let is_canonical = text.len() == 16 && text.bytes().all(is_lower_hex);
    let bits = is_canonical.then(|| u64::from_str_radix(text, 16).ok());
    bits.flatten().map(f64::from_bits)
}

/// A number that is written as its [bits].
#[derive(Debug, Clone, Copy)]
pub struct Bits(pub f64);

/// Two numbers are the same if their bits are: −0 is not 0.
impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Bits {}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bits(self.0))
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = from_bits(&text).map(Bits);
        number.ok_or_else(|| D::Error::custom("not the bits of a number in 16 hexadecimal digits"))
    }
}

/// SHA-256, as 64 lower-case hexadecimal digits.
#[must_use]
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Whether a text is a [digest], as that writes it.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_lower_hex)
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_text_has_no_spaces_and_its_keys_in_order() {
        let value = json!({"b": [1, null, true], "a": "é\u{1f}/\"", "_": {"\u{20ac}": "", "z": 0}});
        let expected = "{\"_\":{\"z\":0,\"€\":\"\"},\"a\":\"é\\u001f/\\\"\",\"b\":[1,null,true]}";
        assert_eq!(to_string(&value).unwrap(), expected);
    }

    #[test]
    fn only_the_bits_as_they_are_written_are_a_number() {
        assert_eq!(bits(-0.0), "8000000000000000");
        assert_eq!(from_bits("3fe0000000000000"), Some(0.5));
        for text in [
            "3FE0000000000000",
            "3fe",
            "+fe0000000000000",
            "",
            "3fe0000000000000 ",
        ] {
            assert_eq!(from_bits(text), None, "{text}");
        }
        assert!(is_digest(&digest("")));
        assert!(!is_digest(&digest("").to_uppercase()));
    }

    proptest! {
        #[test]
        fn every_number_comes_back(number in any::<u64>().prop_map(f64::from_bits)) {
            let back = from_bits(&bits(number)).map(f64::to_bits);
            prop_assert_eq!(back, Some(number.to_bits()));
        }
    }
}
