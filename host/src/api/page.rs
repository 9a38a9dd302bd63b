//! Pages: how many, from where, and where the next one begins.

use super::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

/// Which page of a list.
#[derive(Debug)]
pub(super) struct Page<K> {
    /// The key of the last item of the page before.
    pub(super) after: Option<K>,
    limit: u32,
}

impl<K: DeserializeOwned + Serialize> Page<K> {
    /// Reads the parameters `cursor` and `limit`.
    pub(super) fn read(cursor: Option<&str>, limit: Option<&str>) -> Result<Self, Problem> {
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(text) => {
                let number = text.parse().ok();
                number
                    .filter(|n| (1..=MAX_LIMIT).contains(n))
                    .ok_or_else(|| {
                        let detail = format!("limit is not a number of 1 to {MAX_LIMIT}");
                        Problem::bad_request("invalid_limit", detail)
                    })?
            }
        };
        let after = cursor
            .map(|text| {
                let detail = "cursor is not one that this route gave";
                decode(text).ok_or_else(|| Problem::bad_request("invalid_cursor", detail))
            })
            .transpose()?;
        Ok(Page { after, limit })
    }

    /// How many items to look for: one more than are shown, to know whether there
    /// is a next page.
    pub(super) fn look_for(&self) -> u32 {
        self.limit + 1
    }

    /// Cuts what was found to the page, and returns where the next one begins.
    pub(super) fn cut<T>(&self, found: &mut Vec<T>, key: impl Fn(&T) -> K) -> Option<String> {
        self.cut_plain(found, key).and_then(|key| encode(&key))
    }

    /// The same where the key of the last item itself tells where the next page begins.
    pub(super) fn cut_plain<T, P>(&self, found: &mut Vec<T>, key: impl Fn(&T) -> P) -> Option<P> {
        let limit = self.limit as usize;
        if found.len() <= limit {
            return None;
        }
        found.truncate(limit);
        found.last().map(key)
    }
}

fn encode(key: &impl Serialize) -> Option<String> {
    let json = serde_json::to_vec(key).ok()?;
    Some(URL_SAFE_NO_PAD.encode(json))
}

fn decode<K: DeserializeOwned>(cursor: &str) -> Option<K> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Key = (String, String);

    fn code<K: DeserializeOwned + Serialize + std::fmt::Debug>(
        cursor: Option<&str>,
        limit: Option<&str>,
    ) -> &'static str {
        Page::<K>::read(cursor, limit).unwrap_err().code
    }

    #[test]
    fn the_next_page_begins_where_this_one_ends() {
        let page = Page::<Key>::read(None, Some("2")).unwrap();
        assert_eq!((page.after.as_ref(), page.look_for()), (None, 3));
        let key = |n: &u32| (n.to_string(), "ä\"".to_owned());
        let mut found = vec![1, 2, 3];
        let next = page.cut(&mut found, key).unwrap();
        assert_eq!(found, [1, 2]);
        assert!(
            next.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "it needs no escapes: {next}"
        );
        let page = Page::<Key>::read(Some(&next), None).unwrap();
        assert_eq!((page.after.clone(), page.limit), (Some(key(&2)), 100));
        assert_eq!(page.cut(&mut found, key), None, "this is the last");
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for limit in ["", "0", "-1", "1001", "x", "1e2", "99999999999999"] {
            assert_eq!(code::<i64>(None, Some(limit)), "invalid_limit", "{limit}");
        }
        for limit in ["1", "1000"] {
            assert!(Page::<i64>::read(None, Some(limit)).is_ok());
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let other = encode(&("a", "b")).unwrap();
        for cursor in ["", "x", "%", "bnVsbA==", &other] {
            assert_eq!(
                code::<i64>(Some(cursor), None),
                "invalid_cursor",
                "{cursor}"
            );
        }
    }
}
