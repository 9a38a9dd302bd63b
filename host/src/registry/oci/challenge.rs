//! What a registry wants of who asks: the header `WWW-Authenticate`.

/// How to identify oneself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With name and password.
    Basic,
    /// With a token, which someone gives.
    Bearer {
        /// Whom to ask for it, a URL.
        realm: String,
        /// What it is for.
        service: Option<String>,
        /// What it is to allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The first of several headers that is understood; a token is preferred.
    pub(super) fn of<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            } else if scheme.eq_ignore_ascii_case("bearer") {
                let mut parameters = parameters(rest);
                let mut take = |wanted: &str| {
                    let at = parameters.iter().position(|(name, _)| name == wanted)?;
                    Some(parameters.swap_remove(at).1)
                };
                if let Some(realm) = take("realm") {
                    let (service, scope) = (take("service"), take("scope"));
                    return Some(Challenge::Bearer {
                        realm,
                        service,
                        scope,
                    });
                }
            }
        }
        basic
    }
}

/// `name="value"` or `name=value`, divided by commas; in quotes a backslash takes the
/// next character as it is. Names in lower case.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ', '\t']).to_ascii_lowercase();
        let after = after.trim_start();
        let (value, remaining) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                let (value, remaining) = after.split_at(end);
                (value.trim().to_owned(), remaining)
            }
        };
        found.push((name, value));
        rest = remaining;
    }
    found
}

/// What comes before the closing quote, and what comes behind it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn a_challenge_is_read_in_every_form_that_registries_have() {
        let of = |header: &str| Challenge::of([header].into_iter());
        let docker = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let (realm, service) = ("https://auth.docker.io/token", "registry.docker.io");
        let scope = "repository:a/b:pull,push";
        assert_eq!(of(docker), bearer(realm, Some(service), Some(scope)));
        assert_eq!(
            of("bearer realm=https://a/t , Service=x"),
            bearer("https://a/t", Some("x"), None)
        );
        assert_eq!(of(r#"Bearer realm="a\"b""#), bearer("a\"b", None, None));
        assert_eq!(of(r#"BASIC realm="x""#), Some(Challenge::Basic));
        assert_eq!(of("Basic"), Some(Challenge::Basic));
        for nothing in [
            "",
            "Bearer",
            "Bearer service=x",
            "Negotiate",
            "Bearer \"",
            "Bearer =\"\\",
        ] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
        let both = ["Basic realm=x", "Bearer realm=y"].into_iter();
        assert_eq!(Challenge::of(both), bearer("y", None, None));
    }
}
