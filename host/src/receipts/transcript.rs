//! What the host answered during a call, as it is kept: one document that names the long
//! texts by digest.

use super::documents::Document;
use crate::canonical::digest;
use crate::sandbox::HostCall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// In the order of the call.
    pub calls: Vec<TranscriptCall>,
    /// `proctor-transcript-1`.
    pub version: String,
}

/// One call of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptCall {
    /// What was called, such as `database.query`.
    pub name: String,
    /// What the guest passed.
    pub request: Held,
    /// What it got.
    pub response: Held,
    /// Of `runner.solve`: the receipt of the submission's own run; none if that cannot be
    /// done again.
    pub solve: Option<String>,
}

/// Bytes, in place or by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Held {
    /// A short text.
    Text(String),
    /// The digest of anything else.
    Sha256(String),
}

impl Document for Transcript {
    const VERSION: &'static str = "proctor-transcript-1";

    fn version(&self) -> &str {
        &self.version
    }
}

/// Bytes of a text up to which it stands in the transcript itself.
const SHORT: usize = 256;

impl Held {
    /// Holds bytes: what is long goes to `blobs`.
    fn new(bytes: &[u8], blobs: &mut BTreeMap<String, Vec<u8>>) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= SHORT => Held::Text(text.to_owned()),
            _ => {
                let digest = digest(bytes);
                blobs.entry(digest.clone()).or_insert_with(|| bytes.into());
                Held::Sha256(digest)
            }
        }
    }

    /// The digest that stands for the bytes, if one does.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Held::Text(_) => None,
            Held::Sha256(digest) => Some(digest),
        }
    }

    /// The bytes, with those that `blob` finds by digest.
    ///
    /// # Errors
    ///
    /// Those of `blob`.
    pub fn bytes<E>(&self, blob: impl FnOnce(&str) -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
        match self {
            Held::Text(text) => Ok(text.clone().into_bytes()),
            Held::Sha256(digest) => blob(digest),
        }
    }
}

impl Transcript {
    /// The transcript of these calls. `solve` tells the receipt of the submission's run
    /// in a call, if there is one. What is long goes to `blobs`, by digest.
    pub fn new(
        calls: &[HostCall],
        mut solve: impl FnMut(&HostCall) -> Option<String>,
        blobs: &mut BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let calls = calls.iter().map(|call| TranscriptCall {
            name: call.name.clone(),
            request: Held::new(&call.request, blobs),
            response: Held::new(&call.response, blobs),
            solve: solve(call),
        });
        Transcript {
            calls: calls.collect(),
            version: Self::VERSION.to_owned(),
        }
    }

    /// The digests of what it does not hold itself.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        let held = self.calls.iter().flat_map(|c| [&c.request, &c.response]);
        held.filter_map(Held::digest)
    }

    /// The calls, to be answered again.
    ///
    /// # Errors
    ///
    /// Those of `blob`, which finds bytes by digest.
    pub fn host_calls<E>(
        &self,
        mut blob: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<HostCall>, E> {
        let calls = self.calls.iter().map(|call| {
            Ok(HostCall {
                name: call.name.clone(),
                request: call.request.bytes(&mut blob)?,
                response: call.response.bytes(&mut blob)?,
                solve: None,
            })
        });
        calls.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn what_is_long_is_named_by_digest_and_comes_back() {
        let call = |request: &[u8], response: &[u8]| HostCall {
            name: "database.query".into(),
            request: request.into(),
            response: response.into(),
            solve: None,
        };
        let long = [b'x'; SHORT + 1];
        let calls = [call(b"short", &long), call(b"\xff", &long[1..])];
        let mut blobs = BTreeMap::new();
        let transcript = Transcript::new(&calls, |_| None, &mut blobs);
        assert_eq!(blobs.len(), 2, "the long one, and what is no text");
        assert_eq!(transcript.digests().count(), 2);
        let text = transcript.text().unwrap();
        let read = Transcript::parse(&text).unwrap();
        let back = read.host_calls(|digest| Ok::<_, Infallible>(blobs[digest].clone()));
        assert_eq!(back.unwrap(), calls);
    }
}
