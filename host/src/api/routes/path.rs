//! Which paths below a challenge may be asked for.
//!
//! What is decided is decided on the path as the challenge may come to see it: decoded
//! once, with its dot segments resolved. What could be read in two ways is refused, so
//! that nothing depends on how often a challenge decodes.

/// Paths that belong to whoever runs a challenge, and not to the public: the rule of the
/// platform that Proctor replaces.
const PRIVATE: [&str; 4] = ["/health", "/version", "/internal", "/benchmark-executions"];

/// What is below these is private as well.
const PRIVATE_BELOW: [&str; 2] = ["/internal/", "/benchmark-executions/"];

/// First segments below which [`RUNS`] are private.
const BENCHMARKS: [&str; 2] = ["benchmark", "benchmarks"];

/// Last segments that run something.
const RUNS: [&str; 3] = ["run", "execute", "launch"];

/// A path that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    /// Decoded, with all its segments. Begins with `/`.
    pub(super) decoded: String,
    /// The same without dot segments, empty segments and a slash at its end. Begins
    /// with `/`.
    pub(super) normalized: String,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathFault {
    /// It is private.
    #[error("this path is not for the public")]
    Private,
    /// A `%` without two hex digits after it.
    #[error("the path has a % that begins no escape")]
    Escape,
    /// A separator that is escaped, or a backslash.
    #[error("the path has an escaped slash, or a backslash")]
    Separator,
    /// A control character, escaped or not.
    #[error("the path has a control character")]
    Control,
    /// The bytes are no UTF-8.
    #[error("the path is not UTF-8")]
    Utf8,
    /// Decoded twice it would be another path.
    #[error("the path has escapes within escapes")]
    Hidden,
    /// Dot segments that lead out of the challenge.
    #[error("the path leads out of the challenge")]
    Above,
}

/// Whether a path below a challenge may be asked for: as it came, without the query,
/// with or without its first slash.
pub(super) fn check(path: &str) -> Result<Allowed, PathFault> {
    let decoded = decode(path)?;
    if hides(&decoded) {
        return Err(PathFault::Hidden);
    }
    let decoded = format!("/{}", decoded.strip_prefix('/').unwrap_or(&decoded));
    let (normalized, above) = normalize(&decoded);
    // What the peers refuse as private is so, also by a way that leads out.
    if is_private(&normalized) {
        return Err(PathFault::Private);
    }
    if above {
        return Err(PathFault::Above);
    }
    Ok(Allowed {
        decoded,
        normalized,
    })
}

fn decode(path: &str) -> Result<String, PathFault> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = after.split_at_checked(2).ok_or(PathFault::Escape)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).map_err(|_| PathFault::Escape)?;
        if byte[0] == b'/' {
            return Err(PathFault::Separator);
        }
        bytes.push(byte[0]);
        rest = after;
    }
    // Refuses what is overlong as well.
    let text = String::from_utf8(bytes).map_err(|_| PathFault::Utf8)?;
    if text.contains('\\') {
        return Err(PathFault::Separator);
    }
    if text.chars().any(char::is_control) {
        return Err(PathFault::Control);
    }
    Ok(text)
}

/// Whether a path that was decoded once is another for who decodes it again, also if
/// that one lets pass what is no escape. A lone `%` hides nothing: decoded once,
/// `100%25` is `100%`.
fn hides(decoded: &str) -> bool {
    let is_escape = |three: &[u8]| matches!(three, [b'%', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit));
    decoded.as_bytes().windows(3).any(is_escape)
}

/// The path as Python's `posixpath.normpath` has it, and whether it leads above its
/// root, where it stays at the root.
fn normalize(path: &str) -> (String, bool) {
    let (mut segments, mut above) = (Vec::new(), false);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => above |= segments.pop().is_none(),
            segment => segments.push(segment),
        }
    }
    (format!("/{}", segments.join("/")), above)
}

fn is_private(normalized: &str) -> bool {
    let mut segments = normalized.trim_start_matches('/').split('/');
    let first = segments.next().unwrap_or_default();
    let last = segments.next_back().unwrap_or_default();
    PRIVATE.contains(&normalized)
        || PRIVATE_BELOW
            .iter()
            .any(|start| normalized.starts_with(start))
        || (BENCHMARKS.contains(&first) && RUNS.contains(&last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const GOLDEN: &str = include_str!("../../../../tests/golden/platform_blocked_proxy_path.json");

    /// Where the golden cases let through what the peers decide without decoding, and
    /// what is decided here.
    const STRICTER: [(&str, PathFault, &str); 2] = [
        (
            "a/%2e%2e/internal",
            PathFault::Private,
            "decoded it is /internal",
        ),
        (
            "internal%2Fx",
            PathFault::Separator,
            "decoded it is below /internal",
        ),
    ];

    #[test]
    fn the_peers_private_paths_are_refused_and_their_public_ones_are_not() {
        let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let path = case["path"].as_str().unwrap();
            let blocked = case["blocked"].as_bool().unwrap();
            let checked = check(path);
            if let Some((_, fault, why)) = STRICTER.iter().find(|(of, ..)| *of == path) {
                assert!(!blocked, "{path}");
                assert_eq!(checked.unwrap_err(), *fault, "{path}: {why}");
            } else if blocked {
                assert_eq!(checked.unwrap_err(), PathFault::Private, "{path}");
            } else {
                assert!(checked.is_ok(), "{path}: {checked:?}");
            }
        }
    }

    #[test]
    fn what_is_private_is_so_however_it_is_written() {
        for path in [
            "/health",
            "//health//",
            "/./version/.",
            "/%69nternal/v1/get_weights",
            "/a/..//internal",
            "/internal/%2e%2e/internal/x",
            "/../internal",
            "/benchmark-executions/7",
            "/benchmark/a/b/run",
            "/benchmarks/launch/",
            "/benchmarks/x/%65xecute",
        ] {
            assert_eq!(check(path), Err(PathFault::Private), "{path}");
        }
        for path in [
            "/",
            "/healthz",
            "/x/health",
            "/internals",
            "/benchmark-executionsx",
            "/benchmarks/run/x",
            "/benchmark/Run",
            "/run",
            "/VERSION",
            "/internal;x",
        ] {
            assert!(check(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (path, fault) in [
            ("/a%2fb", PathFault::Separator),
            ("/a%5Cb", PathFault::Separator),
            ("/a\\b", PathFault::Separator),
            ("/a%00", PathFault::Control),
            ("/a%0d%0aX:%20y", PathFault::Control),
            ("/a\u{7f}", PathFault::Control),
            ("/a%c2%85", PathFault::Control),
            ("/%c0%af", PathFault::Utf8),
            ("/%e0%80%af", PathFault::Utf8),
            ("/%ff", PathFault::Utf8),
            ("/%ed%a0%80", PathFault::Utf8),
            ("/%", PathFault::Escape),
            ("/%4", PathFault::Escape),
            ("/%zz", PathFault::Escape),
            ("/%u002e", PathFault::Escape),
            ("/a/%252e%252e/internal", PathFault::Hidden),
            ("/%25252e%25252E/x", PathFault::Hidden),
            ("/a%252fb", PathFault::Hidden),
            ("/a%255cb", PathFault::Hidden),
            ("/a%2500", PathFault::Hidden),
            ("/%25c0%25af", PathFault::Hidden),
            ("/%2569nternal/x", PathFault::Hidden),
            // One that is no escape says nothing of the others.
            ("/%25zz/%252e%252e/internal/x", PathFault::Hidden),
            ("/%25zz%252f", PathFault::Hidden),
            ("/%25/%2573igned", PathFault::Hidden),
            ("/%2525/%25%36%39nternal", PathFault::Hidden),
            ("/a%2541", PathFault::Hidden),
            ("/..", PathFault::Above),
            ("/a/../../b", PathFault::Above),
            ("/%2e%2e/v1/results", PathFault::Above),
            ("/a/.%2E/%2e./b", PathFault::Above),
        ] {
            assert_eq!(check(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn a_path_is_decoded_once_and_resolved() {
        for (path, decoded, normalized) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("/submissions/", "/submissions/", "/submissions"),
            ("/submission%73", "/submissions", "/submissions"),
            ("/a/./b/../c", "/a/./b/../c", "/a/c"),
            ("//a", "//a", "/a"),
            ("/100%25", "/100%", "/100%"),
            ("/100%25%20", "/100% ", "/100% "),
            ("/%C3%A9t%C3%A9", "/été", "/été"),
            ("/%25zz/50%25/%25%254", "/%zz/50%/%%4", "/%zz/50%/%%4"),
            ("/...", "/...", "/..."),
        ] {
            let allowed = Allowed {
                decoded: decoded.into(),
                normalized: normalized.into(),
            };
            assert_eq!(check(path), Ok(allowed), "{path}");
        }
    }

    /// As many decoders do: what is no escape stays.
    fn decode_leniently(text: &str) -> String {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((&first, after)) = rest.split_first() {
            let mut byte = [first];
            let is_escape = first == b'%'
                && after.len() >= 2
                && hex::decode_to_slice(&after[..2], &mut byte).is_ok();
            bytes.push(byte[0]);
            rest = if is_escape { &after[2..] } else { after };
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    proptest! {
        #[test]
        fn no_way_of_writing_leads_to_what_is_private(
            private in "(internal|internal/x|health|version|benchmarks/a/run)",
            escaped: [bool; 24],
            before in "(|/|\\./|a/\\.\\./|x/y/\\.\\./\\.\\./)",
        ) {
            let letters = private.bytes().zip(escaped);
            let path: String = letters
                .map(|(byte, escape)| match byte {
                    b'/' => "/".into(),
                    byte if escape => format!("%{byte:02x}"),
                    byte => char::from(byte).to_string(),
                })
                .collect();
            // Letters beyond those that are escaped at random are as they are.
            let rest = private.get(24..).unwrap_or_default();
            prop_assert_eq!(check(&format!("/{before}{path}{rest}")), Err(PathFault::Private));
        }

        #[test]
        fn what_is_allowed_has_no_dots_left(path in "[/a.%2eE5Cf]{0,24}") {
            if let Ok(allowed) = check(&path) {
                let mut segments = allowed.normalized.split('/').skip(1);
                prop_assert!(!segments.any(|s| matches!(s, "." | "..")));
                prop_assert!(!is_private(&allowed.normalized));
                prop_assert_eq!(decode_leniently(&allowed.decoded), allowed.decoded);
            }
        }
    }
}
