//! Which headers pass between a client and a challenge.
//!
//! Left out of a request: what is of one connection only, also what `Connection` names;
//! credentials, which are for the host; and every name that the host vouches for, which
//! is then set once. Left out of an answer: the same, and what would have an effect on
//! all of the origin, which the challenges share: cookies first of all.
//!
//! `Content-Encoding` and the body pass as they are.

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is of one connection only (RFC 9110, 7.6.1), and what asks for another one.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Credentials, by the list of the platform that Proctor replaces.
const SENSITIVE: [&str; 6] = [
    "authorization",
    "x-admin-token",
    "x-hotkey",
    "x-signature",
    "x-nonce",
    "x-timestamp",
];

/// What the host vouches for, and what the peer's master did.
const VOUCHED: [&str; 2] = ["x-proctor-", "x-base-"];

/// What a browser would apply to all of the origin.
const OF_THE_ORIGIN: [&str; 10] = [
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "public-key-pins",
    "clear-site-data",
    "alt-svc",
    "service-worker-allowed",
    "origin-agent-cluster",
    "nel",
    "report-to",
];

/// For a page that says nothing of what it needs: style and pictures in itself, nothing
/// that runs, and an origin of its own.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

/// For a page that says it: whatever that is, the page has an origin of its own, and so
/// cannot act as one of the host's or of another challenge.
const ORIGIN_POLICY: &str = "sandbox allow-scripts allow-forms allow-popups allow-downloads";

/// A miner whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) hotkey: String,
    pub(super) uid: u16,
    pub(super) nonce: String,
    /// SHA-256 of the body, 64 lower-case hexadecimal digits.
    pub(super) body: String,
    /// The size of the artifact that the body was, in bytes, if it was one. Its digest
    /// is that of the body.
    pub(super) artifact: Option<u64>,
}

/// What the host vouches for towards a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vouched<'a> {
    pub(super) challenge: &'a str,
    /// The address that the request came from. What forwarders in front of the host say
    /// of others passes, and nobody vouches for it.
    pub(super) client: IpAddr,
    pub(super) verified: Option<&'a Verified>,
}

/// An answer of a challenge that cannot be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the challenge answered with several lengths, or one that is none")]
pub(super) struct InvalidLength;

/// The headers that a challenge gets.
pub(super) fn request(from_client: &HeaderMap, vouched: &Vouched<'_>) -> HeaderMap {
    let nominated = nominated(from_client);
    let mut headers = HeaderMap::new();
    for (name, value) in from_client {
        let dropped = is_dropped(name, &nominated) || name == header::EXPECT;
        if !dropped {
            headers.append(name, value.clone());
        }
    }
    let mut set = |name: &'static str, value: &str| {
        // All are visible ASCII: names, addresses, digits.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-proctor-challenge", vouched.challenge);
    set("x-proctor-client", &vouched.client.to_string());
    if let Some(verified) = vouched.verified {
        set("x-proctor-verified-hotkey", &verified.hotkey);
        set("x-proctor-verified-uid", &verified.uid.to_string());
        set("x-proctor-verified-nonce", &verified.nonce);
        set("x-proctor-request-hash", &verified.body);
        if let Some(size) = verified.artifact {
            set("x-proctor-artifact", &format!("sha256:{}", verified.body));
            set("x-proctor-artifact-size", &size.to_string());
            // The artifact is in the store, and not in the body any more.
            set("content-length", "0");
            headers.remove(header::CONTENT_ENCODING);
        }
    }
    headers
}

/// The headers that a client gets.
///
/// # Errors
///
/// [`InvalidLength`]: nobody could tell where the body ends.
pub(super) fn response(
    from_challenge: &HeaderMap,
    challenge: &str,
) -> Result<HeaderMap, InvalidLength> {
    let nominated = nominated(from_challenge);
    let mut headers = HeaderMap::new();
    for (name, value) in from_challenge {
        if is_dropped(name, &nominated) || OF_THE_ORIGIN.contains(&name.as_str()) {
            continue;
        }
        match *name {
            header::CONTENT_LENGTH => {
                let digits = value.as_bytes();
                let is_length = matches!(digits.len(), 1..=19)
                    && digits.iter().all(u8::is_ascii_digit)
                    && headers.get(name).is_none_or(|known| known == value);
                if !is_length {
                    return Err(InvalidLength);
                }
                headers.insert(name, value.clone());
            }
            header::LOCATION | header::CONTENT_LOCATION => {
                headers.append(name, below(challenge, value));
            }
            _ => {
                headers.append(name, value.clone());
            }
        }
    }
    headers
        .entry(header::X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    if may_run(&headers) {
        let policy = match headers.contains_key(header::CONTENT_SECURITY_POLICY) {
            true => ORIGIN_POLICY,
            false => PAGE_POLICY,
        };
        let policy = HeaderValue::from_static(policy);
        // Of several, each holds.
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(headers)
}

/// The names in `Connection`, in lower case.
fn nominated(headers: &HeaderMap) -> BTreeSet<String> {
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_lowercase())
        .collect()
}

fn is_dropped(name: &HeaderName, nominated: &BTreeSet<String>) -> bool {
    // Where a challenge's own server takes headers as variables, both are one name.
    let alike = name.as_str().replace('_', "-");
    HOP_BY_HOP.contains(&alike.as_str())
        || SENSITIVE.contains(&alike.as_str())
        || VOUCHED.iter().any(|start| alike.starts_with(start))
        || nominated.contains(name.as_str())
}

/// A place within the challenge as the client may ask for it: a challenge knows itself
/// from its own root on. What names a scheme or is relative stays.
fn below(challenge: &str, location: &HeaderValue) -> HeaderValue {
    let root = format!("/challenges/{challenge}");
    let bytes = location.as_bytes();
    if !bytes.starts_with(b"/") {
        return location.clone();
    }
    let rest = bytes.strip_prefix(root.as_bytes());
    if rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b'?' | b'#'))) {
        return location.clone();
    }
    HeaderValue::from_bytes(&[root.as_bytes(), bytes].concat()).unwrap_or_else(|_| location.clone())
}

/// Whether a browser may run what is in an answer as a page.
fn may_run(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().peekable();
    if types.peek().is_none() {
        return true;
    }
    let mut types = types.map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).to_lowercase();
        text.split(';').next().unwrap_or_default().trim().to_owned()
    });
    types.any(|kind| {
        kind.contains(',') || kind.contains("html") || kind.ends_with("xml") || !kind.contains('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        map
    }

    fn lines(map: &HeaderMap) -> Vec<String> {
        let lines = map
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        lines
    }

    fn forwarded(headers: &[(&str, &str)]) -> Vec<String> {
        let vouched = Vouched {
            challenge: "digits",
            client: Ipv4Addr::LOCALHOST.into(),
            verified: None,
        };
        let own = ["x-proctor-challenge: digits", "x-proctor-client: 127.0.0.1"];
        let lines = lines(&request(&map(headers), &vouched));
        let mut rest = lines.clone();
        rest.retain(|line| !own.contains(&line.as_str()));
        assert_eq!(lines.len() - rest.len(), own.len(), "{lines:?}");
        rest
    }

    fn answered(headers: &[(&str, &str)]) -> Vec<String> {
        let mut lines = lines(&response(&map(headers), "digits").unwrap());
        lines.retain(|line| line != "x-content-type-options: nosniff");
        lines
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn a6_03_what_the_host_vouches_for_comes_from_nobody_else() {
        for name in [
            "X-Proctor-Challenge",
            "x-proctor-verified-hotkey",
            "x-proctor-anything",
            "X_Proctor_Verified_Uid",
            "x-proctor_client",
            "X-Base-Challenge-Slug",
            "X-Base-Proxy",
            "x-base-verified-hotkey",
            "X-Base-Admin-Token",
            "x_hotkey",
        ] {
            assert_eq!(
                forwarded(&[(name, "evil"), (name, "twice")]),
                [""; 0],
                "{name}"
            );
            assert_eq!(
                answered(&[(name, "evil"), JSON]),
                ["content-type: application/json"]
            );
        }
    }

    #[test]
    fn a6_03_what_connection_names_is_of_that_connection_only() {
        let headers = [
            ("connection", "close, X-Mine ,x-other"),
            ("connection", "X-Third"),
            ("x-mine", "1"),
            ("x-other", "1"),
            ("x-third", "1"),
            ("x-fourth", "1"),
            JSON,
        ];
        let expected = ["content-type: application/json", "x-fourth: 1"];
        assert_eq!(forwarded(&headers), expected);
        assert_eq!(answered(&headers), expected);
    }

    #[test]
    fn what_is_of_one_connection_and_credentials_do_not_pass() {
        for name in HOP_BY_HOP.iter().chain(&SENSITIVE) {
            assert_eq!(forwarded(&[(name, "x")]), [""; 0], "{name}");
            let left = answered(&[(name, "x"), JSON]);
            assert_eq!(left, ["content-type: application/json"], "{name}");
        }
        assert_eq!(forwarded(&[("expect", "100-continue")]), [""; 0]);
    }

    #[test]
    fn everything_else_passes_as_it_came() {
        let headers = [
            ("accept", "a"),
            ("accept", "b"),
            ("content-encoding", "gzip"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-gateway-token", "t"),
        ];
        let passed = forwarded(&headers);
        assert_eq!(passed.len(), headers.len(), "{passed:?}");
        let answer = [
            ("content-encoding", "gzip"),
            ("content-type", "image/png"),
            ("etag", "\"1\""),
            ("x-own", "1"),
        ];
        let passed = answered(&answer);
        assert_eq!(passed.len(), answer.len(), "{passed:?}");
    }

    #[test]
    fn a_verified_miner_is_told_and_an_upload_is_not_in_the_body() {
        let verified = Verified {
            hotkey: "5F".into(),
            uid: 7,
            nonce: "n".into(),
            body: "ab".into(),
            artifact: Some(12),
        };
        let vouched = Vouched {
            challenge: "digits",
            client: Ipv4Addr::LOCALHOST.into(),
            verified: Some(&verified),
        };
        let sent = [
            ("x-proctor-verified-uid", "0"),
            ("content-length", "12"),
            ("content-encoding", "gzip"),
        ];
        let expected = [
            "content-length: 0",
            "x-proctor-artifact-size: 12",
            "x-proctor-artifact: sha256:ab",
            "x-proctor-challenge: digits",
            "x-proctor-client: 127.0.0.1",
            "x-proctor-request-hash: ab",
            "x-proctor-verified-hotkey: 5F",
            "x-proctor-verified-nonce: n",
            "x-proctor-verified-uid: 7",
        ];
        assert_eq!(lines(&request(&map(&sent), &vouched)), expected);
    }

    #[test]
    fn a6_05_what_would_act_on_the_origin_does_not_pass() {
        for name in OF_THE_ORIGIN {
            assert_eq!(
                answered(&[(name, "x"), JSON]),
                ["content-type: application/json"]
            );
        }
    }

    #[test]
    fn a6_05_a_location_stays_within_the_challenge() {
        for (given, passed) in [
            ("/x?y", "/challenges/digits/x?y"),
            ("//evil.example/x", "/challenges/digits//evil.example/x"),
            ("/challenges/digits/x", "/challenges/digits/x"),
            ("/challenges/digits", "/challenges/digits"),
            (
                "/challenges/digits2",
                "/challenges/digits/challenges/digits2",
            ),
            ("next", "next"),
            ("https://example.com/", "https://example.com/"),
        ] {
            let passed = [JSON.0, "location"].map(|name| match name {
                "location" => format!("location: {passed}"),
                name => format!("{name}: {}", JSON.1),
            });
            assert_eq!(answered(&[("location", given), JSON]), passed, "{given}");
        }
    }

    #[test]
    fn a_page_has_an_origin_of_its_own() {
        let policies = |headers: &[(&str, &str)]| {
            let mut lines = answered(headers);
            lines.retain(|line| line.starts_with("content-security-policy"));
            lines.join(" | ")
        };
        let default = format!("content-security-policy: {PAGE_POLICY}");
        for kind in [
            "text/html; charset=utf-8",
            "Text/HTML",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "text/plain, text/html",
            "nonsense",
        ] {
            assert_eq!(policies(&[("content-type", kind)]), default, "{kind}");
        }
        assert_eq!(policies(&[]), default);
        for kind in [
            "application/json",
            "text/plain",
            "image/png",
            "text/event-stream",
        ] {
            assert_eq!(policies(&[("content-type", kind)]), "", "{kind}");
        }
        let own = policies(&[
            ("content-type", "text/html"),
            ("content-security-policy", "script-src 'self'"),
        ]);
        assert!(
            own.contains("script-src 'self'") && own.contains(ORIGIN_POLICY),
            "{own}"
        );
        assert!(!ORIGIN_POLICY.contains("same-origin"));
    }

    #[test]
    fn an_answer_has_one_length() {
        let length = |values: &[&str]| {
            let headers: Vec<_> = values
                .iter()
                .map(|value| ("content-length", *value))
                .collect();
            let passed = response(&map(&headers), "digits")?;
            Ok(passed.get_all("content-length").iter().count())
        };
        assert_eq!(length(&["5"]), Ok(1));
        assert_eq!(length(&["5", "5"]), Ok(1));
        for bad in [
            &["5", "6"][..],
            &["+5"],
            &["5, 5"],
            &[""],
            &["0x5"],
            &["-1"],
        ] {
            assert_eq!(length(bad), Err(InvalidLength), "{bad:?}");
        }
    }
}
