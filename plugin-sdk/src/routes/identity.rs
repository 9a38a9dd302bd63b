//! Who asks, and what was uploaded: headers that only the host sets. It removes
//! every `x-proctor-…` that a client sends.

use crate::routes::Request;

/// The registered miner who signed a request, verified by the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The hotkey, in SS58 form.
    pub hotkey: String,
    /// Its slot on the subnet.
    pub uid: u16,
}

/// What was uploaded with a request. It is in the host's store, and the request's
/// body is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// `sha256:` and 64 hexadecimal digits, for
    /// [`Context::submit`](crate::Context::submit).
    pub reference: String,
    /// Bytes.
    pub size: u64,
}

/// Who signed the request; none if the operator's record of the challenge asks for
/// no signature on this route.
pub fn verified(request: &Request) -> Option<Signer> {
    Some(Signer {
        hotkey: header(request, "x-proctor-verified-hotkey")?.to_owned(),
        uid: header(request, "x-proctor-verified-uid")?.parse().ok()?,
    })
}

/// What was uploaded; none if the operator's record of the challenge takes no
/// uploads on this route.
pub fn upload(request: &Request) -> Option<Artifact> {
    Some(Artifact {
        reference: header(request, "x-proctor-artifact")?.to_owned(),
        size: header(request, "x-proctor-artifact-size")?.parse().ok()?,
    })
}

/// A header that is there once. Twice would mean that one is not the host's.
fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
