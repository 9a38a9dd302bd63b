//! What a record's artifact is called: a file, a digest, or a place in an OCI
//! registry. Text in, parts out; nothing here asks anybody.

use std::fmt;
use std::str::FromStr;

/// Longest registry and repository together, in bytes: what the distribution
/// specification tells clients to count on.
const MAX_NAME: usize = 255;
/// Longest tag, in bytes.
const MAX_TAG: usize = 128;
/// Longest name of a file in the drop folder, in bytes.
const MAX_FILE: usize = 255;
/// The registry of references that name none.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The tag of references that have neither tag nor digest.
const DEFAULT_TAG: &str = "latest";

/// A text that is no artifact's name, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidReference(&'static str);

/// Where a component comes from. Printed as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ArtifactSource {
    /// `file:NAME.wasm`: a file in the drop folder, by its name alone.
    File(String),
    /// `sha256:<64 hex>`: a component in the host's own store, here the digits alone,
    /// in lower case.
    Store(String),
    /// Anything else: a reference to an OCI registry.
    Oci(OciReference),
}

/// `registry/repository:tag@digest`, read as Docker does: the first part is a registry
/// if it has a dot or a colon in it or is `localhost`, else it belongs to the
/// repository, and the registry is `docker.io`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OciReference {
    /// Host, perhaps with a port.
    pub registry: String,
    /// Path in the registry, without the `library/` that Docker Hub has for names of
    /// one part.
    pub repository: String,
    /// The tag, if it was given.
    pub tag: Option<String>,
    /// The manifest's digest, `sha256:<64 hex>` in lower case, if it was given. This is
    /// not the component's digest, which the manifest tells.
    pub digest: Option<String>,
}

/// A reference in parts, by Docker's rule, whether or not they are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'a> {
    /// Host, perhaps with a port.
    pub registry: &'a str,
    /// Path in the registry.
    pub repository: &'a str,
    /// The tag; `latest` if there is neither tag nor digest, empty if there is only a
    /// digest.
    pub tag: &'a str,
    /// What follows the first `@`, if anything does.
    pub digest: Option<&'a str>,
}

/// Splits a reference by Docker's rule. A colon begins a tag only behind the last
/// slash; before it, it begins a port.
pub fn split(text: &str) -> Split<'_> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest).filter(|digest| !digest.is_empty())),
        None => (text, None),
    };
    let (image, tag) = split_tag(name);
    let default_tag = if text.contains('@') { "" } else { DEFAULT_TAG };
    let tag = tag.filter(|tag| !tag.is_empty()).unwrap_or(default_tag);
    let (registry, repository) = match image.split_once('/') {
        Some((first, rest)) if is_registry(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, image),
    };
    Split {
        registry,
        repository,
        tag,
        digest,
    }
}

fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => (image, Some(tag)),
        _ => (name, None),
    }
}

fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

/// What the peer's policy for production has against a reference, in its words: it
/// wants a tag (a version or `latest`) and a SHA-256 digest. None if nothing.
pub fn production_problem(text: &str) -> Option<&'static str> {
    let (name, digest) = text.split_once('@').unwrap_or((text, ""));
    let (_, Some(tag)) = split_tag(name) else {
        return Some("production image references must include a tag");
    };
    if digest.is_empty() {
        return Some("production image references must include a digest");
    }
    if tag != DEFAULT_TAG && !is_version(tag) {
        return Some("production image tags must be semver or latest");
    }
    if sha256_digits(digest).is_none() {
        return Some("production image digest must be sha256");
    }
    None
}

/// `1.2.3`, perhaps after a `v`, perhaps with one of `-` and `+` and what follows it.
fn is_version(tag: &str) -> bool {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let (numbers, rest) = match tag.find(['-', '+']) {
        Some(at) => tag.split_at(at),
        None => (tag, "-0"),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && rest.len() > 1
        && rest.bytes().skip(1).all(allowed)
}

fn sha256_digits(digest: &str) -> Option<&str> {
    let digits = digest.strip_prefix("sha256:")?;
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

impl ArtifactSource {
    /// What the peer's policy for production has against it, in its words. Files and
    /// what is in the host's own store are no references to registries: nothing.
    pub fn production_problem(&self) -> Option<&'static str> {
        match self {
            ArtifactSource::File(_) | ArtifactSource::Store(_) => None,
            ArtifactSource::Oci(reference) => production_problem(&reference.to_string()),
        }
    }
}

impl OciReference {
    /// The tag, or `latest`.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or(DEFAULT_TAG)
    }

    /// The same repository, pinned to a manifest. The tag stays, for people.
    pub fn pinned(&self, manifest_digest: &str) -> OciReference {
        OciReference {
            digest: Some(manifest_digest.to_owned()),
            ..self.clone()
        }
    }

    /// What to do after a look at the registry, for a record that follows its tag.
    /// `taken` is the manifest that was last taken from this reference, `found` the one
    /// that its tag points to now.
    ///
    /// A reference with a digest is a pin, whatever the tag beside it points to. A tag
    /// that has not moved since it was last looked at changes nothing either, even if
    /// something else runs now: after a rollback the tag has to move before it is
    /// followed again. The reference itself is never written: what the operator wrote
    /// stays, and only the component that runs changes.
    pub fn follow(&self, taken: Option<&str>, found: &str) -> Follow {
        if self.digest.is_some() {
            Follow::Pinned
        } else if taken == Some(found) {
            Follow::Unmoved
        } else {
            Follow::Take
        }
    }
}

/// What a look at a tag comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// The reference has a digest: nothing is followed.
    Pinned,
    /// The tag points to what was taken last.
    Unmoved,
    /// The tag points to something else: pull that, check it, and let it run.
    Take,
}

impl fmt::Display for ArtifactSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactSource::File(name) => write!(f, "file:{name}"),
            ArtifactSource::Store(digest) => write!(f, "sha256:{digest}"),
            ArtifactSource::Oci(reference) => reference.fmt(f),
        }
    }
}

impl fmt::Display for OciReference {
    /// With the registry always, tag and digest if they were given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ArtifactSource {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if let Some(name) = text.strip_prefix("file:") {
            let plain = !name.contains(['/', '\\', '\0']) && !name.starts_with('.');
            let wasm = name.len() <= MAX_FILE && name.ends_with(".wasm");
            return match plain && wasm && !name.chars().any(char::is_control) {
                true => Ok(ArtifactSource::File(name.to_owned())),
                false => Err(InvalidReference(
                    "after file: comes the name of a file in the drop folder, without a path, \
                     not hidden, that ends in .wasm",
                )),
            };
        }
        if text.starts_with("sha256:") {
            let digits = sha256_digits(text).ok_or(InvalidReference(
                "after sha256: come 64 hexadecimal digits and no more",
            ))?;
            return Ok(ArtifactSource::Store(digits.to_ascii_lowercase()));
        }
        text.parse().map(ArtifactSource::Oci)
    }
}

impl FromStr for OciReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let parts = split(text);
        if !is_host(parts.registry) {
            return Err(InvalidReference(
                "the registry must be a host, perhaps with a port",
            ));
        }
        if !parts.repository.split('/').all(is_component) {
            return Err(InvalidReference(
                "the repository must be of a-z and 0-9, with ., _, __ or - between them, in \
                 parts divided by /",
            ));
        }
        if parts.registry.len() + 1 + parts.repository.len() > MAX_NAME {
            return Err(InvalidReference(
                "registry and repository must have at most 255 characters",
            ));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (_, tag) = split_tag(name);
        if !tag.is_none_or(is_tag) {
            return Err(InvalidReference(
                "the tag must have 1 to 128 of A-Z, a-z, 0-9, ., _ and -, and not begin with . \
                 or -",
            ));
        }
        let digest = match digest.map(sha256_digits) {
            None => None,
            Some(Some(digits)) => Some(format!("sha256:{}", digits.to_ascii_lowercase())),
            Some(None) => {
                return Err(InvalidReference(
                    "the digest must be sha256: and 64 hexadecimal digits",
                ));
            }
        };
        Ok(OciReference {
            registry: parts.registry.to_owned(),
            repository: parts.repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// `host`, `host:port`, `127.0.0.1:5000`, `[::1]:5000`.
fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, rest))) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (
                "v6",
                rest.strip_prefix(':').or((!rest.is_empty()).then_some("")),
            )
        }
        Some(None) => return false,
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    let is_label = |label: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(is_word) && part.bytes().last().is_some_and(is_word);
    let mut between = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && between
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    matches!(tag.len(), 1..=MAX_TAG)
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn parse(text: &str) -> Result<ArtifactSource, InvalidReference> {
        text.parse()
    }

    fn oci(text: &str) -> OciReference {
        text.parse().unwrap()
    }

    #[test]
    fn references_are_split_and_judged_as_the_peer_does() {
        let golden = include_str!("../../../tests/golden/platform_image_reference.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        let cases = golden["image_reference"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let image = case["image"].as_str().unwrap();
            let parts = split(image);
            let split =
                serde_json::json!([parts.registry, parts.repository, parts.tag, parts.digest]);
            assert_eq!(split, case["split"], "{image}");
            let problem = serde_json::json!(production_problem(image));
            assert_eq!(problem, case["production_error"], "{image}");
            let source = parse(image).unwrap();
            assert_eq!(source.production_problem(), production_problem(image));
        }
    }

    #[test]
    fn a_colon_is_a_port_before_the_last_slash_and_a_tag_behind_it() {
        let split = |text| {
            let Split {
                registry,
                repository,
                tag,
                digest,
            } = split(text);
            (registry, repository, tag, digest)
        };
        assert_eq!(split("demo"), ("docker.io", "demo", "latest", None));
        assert_eq!(
            split("localhost/demo"),
            ("localhost", "demo", "latest", None)
        );
        assert_eq!(
            split("local/demo:1"),
            ("docker.io", "local/demo", "1", None)
        );
        assert_eq!(split("r:5000/a/b"), ("r:5000", "a/b", "latest", None));
        assert_eq!(split("r:5000/a/b:2"), ("r:5000", "a/b", "2", None));
        assert_eq!(
            split("r.io/a@sha256:x"),
            ("r.io", "a", "", Some("sha256:x"))
        );
        assert_eq!(split("a:1@"), ("docker.io", "a", "1", None));
        assert_eq!(
            split("localhost:5000"),
            ("docker.io", "localhost", "5000", None)
        );
        assert_eq!(split("[::1]:5000/a:1"), ("[::1]:5000", "a", "1", None));
    }

    #[test]
    fn a_production_reference_has_a_version_and_a_sha256() {
        let hex = "aB".repeat(32);
        let problem =
            |tag: &str, digest: &str| production_problem(&format!("r.io/a:{tag}@{digest}"));
        let digest = format!("sha256:{hex}");
        for tag in [
            "latest",
            "1.2.3",
            "v1.2.3",
            "1.2.3-rc.1",
            "1.2.3+build-7",
            "01.2.3",
        ] {
            assert_eq!(problem(tag, &digest), None, "{tag}");
        }
        for tag in [
            "1.2",
            "1.2.3.4",
            "1.2.3-",
            "1.2.3_4",
            "vv1.2.3",
            "1..3",
            "main",
            "1.2.3-a+b",
            "",
        ] {
            let expected = "production image tags must be semver or latest";
            assert_eq!(problem(tag, &digest), Some(expected), "{tag}");
        }
        for digest in ["sha512:00", "sha256:00", "md5", "sha256"] {
            let expected = "production image digest must be sha256";
            assert_eq!(problem("1.2.3", digest), Some(expected), "{digest}");
        }
        // Whatever else is wrong, a missing tag is told first.
        let untagged = production_problem(&format!("r.io:5000/a@{digest}"));
        assert_eq!(
            untagged,
            Some("production image references must include a tag")
        );
    }

    #[test]
    fn every_source_is_printed_as_it_is_read() {
        let hex = "0a".repeat(32);
        for text in [
            "file:digits.wasm".to_owned(),
            format!("sha256:{hex}"),
            "ghcr.io/org/demo".to_owned(),
            "docker.io/org/demo:1.0.0".to_owned(),
            format!("localhost:5000/a/b__c/d-e.f:t@sha256:{hex}"),
            format!("[::1]:5000/a@sha256:{hex}"),
        ] {
            assert_eq!(parse(&text).unwrap().to_string(), text);
        }
        let upper = parse(&format!("sha256:{}", hex.to_uppercase())).unwrap();
        assert_eq!(upper, ArtifactSource::Store(hex));
        assert_eq!(oci("demo").to_string(), "docker.io/demo");
        assert_eq!(oci("demo").tag_or_latest(), "latest");
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        let hex = "0a".repeat(32);
        let long = "a".repeat(250);
        for text in [
            "",
            "file:",
            "file:.hidden.wasm",
            "file:../x.wasm",
            "file:a/b.wasm",
            "file:a\\b.wasm",
            "file:a.txt",
            "file:a\n.wasm",
            "sha256:",
            &format!("sha256:{hex}0"),
            &format!("sha256:{hex}@x"),
            "https://ghcr.io/a",
            "ghcr.io/A",
            "ghcr.io/a//b",
            "ghcr.io/a/../b",
            "ghcr.io/a?b",
            "ghcr.io/a b",
            "ghcr.io/a%2fb",
            "ghcr.io/a-",
            "ghcr.io/a___b",
            "ghcr.io/a..b",
            "ghcr.io/a:",
            "ghcr.io/a:.t",
            "ghcr.io/a:t:u",
            "ghcr.io:0/a",
            "ghcr.io:70000/a",
            "ghcr.io:/a",
            "user@ghcr.io/a",
            "-x.io/a",
            "[::1/a",
            "[::1]5000/a",
            "[zz]:5000/a",
            "ghcr.io/a@",
            &format!("ghcr.io/a@sha512:{hex}"),
            &format!("ghcr.io/a@sha256:{hex}@sha256:{hex}"),
            &format!("ghcr.io/{long}"),
            &format!("ghcr.io/a:{}", "t".repeat(129)),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a6_08_a_pin_is_never_rewritten() {
        let (old, new) = (
            format!("sha256:{}", "a".repeat(64)),
            format!("sha256:{}", "b".repeat(64)),
        );
        let pin = oci(&format!("ghcr.io/org/demo:1.2.3@{old}"));
        // Not even if nothing was taken, or the tag beside the pin moves.
        for taken in [None, Some(old.as_str()), Some(new.as_str())] {
            for found in [&old, &new] {
                assert_eq!(pin.follow(taken, found), Follow::Pinned);
            }
        }
        let tag = oci("ghcr.io/org/demo:1.2.3");
        assert_eq!(tag.follow(None, &old), Follow::Take);
        assert_eq!(tag.follow(Some(&old), &old), Follow::Unmoved);
        assert_eq!(tag.follow(Some(&old), &new), Follow::Take);
        // A pin keeps the tag that it was made from.
        assert_eq!(tag.pinned(&old), pin);
        assert_eq!(pin.follow(Some(&old), &new), Follow::Pinned);
    }
}
