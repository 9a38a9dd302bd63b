//! Changes of what the client saw: a record's `ETag` is its revision.

use super::super::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The `ETag` of a record's revision, `"12"`.
pub(in crate::api) fn etag(revision: i64) -> (HeaderName, HeaderValue) {
    // Digits and quotes are always a header's value.
    let tag = HeaderValue::from_str(&format!("\"{revision}\""));
    (header::ETAG, tag.unwrap_or(HeaderValue::from_static("")))
}

/// What a request says of the record that it changes. An argument of handlers;
/// answers 400 `invalid_if_match` to what is no list of tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum IfMatch {
    /// There is no such header: any state will do, and so will none.
    Absent,
    /// `*`: any state.
    Any,
    /// One of these revisions. Tags that are none of a record, and weak ones, which
    /// never match in here, are left out.
    Revisions(Vec<i64>),
}

impl IfMatch {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let malformed = || {
            let detail = "If-Match is a list of tags as they are in ETag, in quotes, or *";
            Problem::bad_request("invalid_if_match", detail)
        };
        let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
        if values.peek().is_none() {
            return Ok(IfMatch::Absent);
        }
        let mut revisions = Vec::new();
        let (mut any, mut tags) = (false, 0);
        for value in values {
            let mut rest = value.to_str().map_err(|_| malformed())?.trim();
            if rest == "*" {
                any = true;
                continue;
            }
            // As in every list of HTTP, elements may be empty.
            while !rest.is_empty() {
                if let Some(after) = rest.strip_prefix(',') {
                    rest = after.trim_start();
                    continue;
                }
                let (tag, weak) = match rest.strip_prefix("W/") {
                    Some(tag) => (tag, true),
                    None => (rest, false),
                };
                let quoted = tag.strip_prefix('"').and_then(|tag| tag.split_once('"'));
                let (tag, after) = quoted.ok_or_else(malformed)?;
                rest = after.trim_start();
                if !(rest.is_empty() || rest.starts_with(',')) {
                    return Err(malformed());
                }
                tags += 1;
                // `"+1"` and `"01"` are not how a revision is written.
                let revision = tag.parse::<i64>().ok();
                let revision = revision.filter(|revision| revision.to_string() == tag);
                revisions.extend(revision.filter(|_| !weak));
            }
        }
        match (any, tags) {
            (true, 0) => Ok(IfMatch::Any),
            (false, 1..) => Ok(IfMatch::Revisions(revisions)),
            _ => Err(malformed()),
        }
    }

    /// That a record may be changed that is at this revision now.
    ///
    /// # Errors
    ///
    /// 412 `precondition_failed`, with the record's `ETag`.
    pub(in crate::api) fn check(&self, current: i64) -> Result<(), Problem> {
        match self {
            IfMatch::Absent | IfMatch::Any => Ok(()),
            IfMatch::Revisions(revisions) if revisions.contains(&current) => Ok(()),
            IfMatch::Revisions(_) => Err(changed(Some(current))),
        }
    }
}

/// 412 `precondition_failed`: the record is at another revision now, or gone.
pub(in crate::api) fn changed(current: Option<i64>) -> Problem {
    let failed = |detail: String| {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            detail,
        )
    };
    match current {
        Some(current) => {
            let (name, tag) = etag(current);
            failed(format!("the record is at revision {current} now")).with_header(name, tag)
        }
        None => failed("the record is not there any more".to_owned()),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        IfMatch::read(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    fn read(values: &[&str]) -> Result<IfMatch, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                "if-match",
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        IfMatch::read(&headers)
    }

    #[test]
    fn only_the_strong_tag_of_the_present_revision_matches() {
        for values in [
            &[][..],
            &["*"],
            &["\"7\""],
            &["\"1\", \"7\""],
            &["\"1\",W/\"7\",,\"7\" "],
            &["\"1\"", "\"7\""],
            &["\"a,b\", \"7\""],
        ] {
            read(values).unwrap().check(7).unwrap();
        }
        for values in [
            &["\"8\""][..],
            &["W/\"7\""],
            &["\"07\""],
            &["\"+7\""],
            &["\"7 \""],
            &["\"\""],
            &["\"seven\""],
            &["\"7,7\""],
            &["\"99999999999999999999\""],
        ] {
            let problem = read(values).unwrap().check(7).unwrap_err();
            assert_eq!(problem.code, "precondition_failed", "{values:?}");
            assert_eq!(problem.into_response().headers()["etag"], etag(7).1);
            assert_eq!(etag(7).1, "\"7\"");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for values in [
            &[""][..],
            &["7"],
            &["\"7"],
            &["7\""],
            &["\"7\"\"8\""],
            &["\"7\" \"8\""],
            &["w/\"7\""],
            &["*, \"7\""],
            &["*", "\"7\""],
            &[","],
            &["\"\u{e9}\""],
        ] {
            let problem = read(values).unwrap_err();
            assert_eq!(problem.code, "invalid_if_match", "{values:?}");
        }
    }
}
