//! Asking a host for what everybody may see of its receipts.

use super::rules::{Claim, Heard};
use crate::clock;
use crate::receipts::SignedHead;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;

/// Time to connect, and between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for an answer that is no bundle.
const ANSWER: Duration = Duration::from_secs(120);
/// Time for a bundle.
const BUNDLE: Duration = Duration::from_secs(4 * 3_600);
/// Bytes of an answer that is no bundle: about 10000 heads.
const MAX_ANSWER: u64 = 8 << 20;
/// Bytes that are read of an answer that is a problem.
const MAX_PROBLEM: u64 = 16 << 10;
/// Characters that are told of it.
const MAX_DETAIL: usize = 300;
/// Heads in a page, the most that a host gives.
const PAGE: usize = 1_000;
/// Pages that are read, at most: heads of more days than there can be.
const MAX_PAGES: usize = 16;
const MAX_REDIRECTS: usize = 5;

/// Why nothing can be said of a host, or of one of its days. Says nothing of whether it
/// is honest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no connection, or it ended before an answer.
    #[error("the host cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the host did not answer in time: {0}")]
    Timeout(String),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Interrupted(String),
    /// It answered with a status that is no success.
    #[error("{route}: {status} {detail}")]
    Status {
        /// What was asked for.
        route: String,
        /// The HTTP status.
        status: u16,
        /// What it says of the reason.
        detail: String,
    },
    /// The answer is larger than is taken.
    #[error("{route}: the answer is larger than {max} bytes")]
    TooLarge {
        /// What was asked for.
        route: String,
        /// The most that is taken, in bytes.
        max: u64,
    },
    /// The answer is not what was asked for, or of a version that is not known here.
    #[error("{route}: the answer is not understood: {why}")]
    Malformed {
        /// What was asked for.
        route: String,
        /// Why not.
        why: String,
    },
    /// A bundle is older than the head that the host told before.
    #[error("the bundle of {0} is older than its head")]
    Stale(String),
    /// A head is of a day that has not come here.
    #[error("{0} has not come yet by the clock of this machine: is it right?")]
    Future(String),
    /// It cannot be verified on this machine.
    #[error("{0}")]
    Verifier(String),
    /// The state cannot be kept.
    #[error("{0}")]
    State(String),
}

impl Failure {
    /// Every [`kind`](Self::kind).
    pub const KINDS: [&str; 10] = [
        "unreachable",
        "timeout",
        "interrupted",
        "status",
        "too_large",
        "malformed",
        "stale",
        "future",
        "verifier",
        "state",
    ];

    /// The stable name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::Unreachable(_) => "unreachable",
            Failure::Timeout(_) => "timeout",
            Failure::Interrupted(_) => "interrupted",
            Failure::Status { .. } => "status",
            Failure::TooLarge { .. } => "too_large",
            Failure::Malformed { .. } => "malformed",
            Failure::Stale(_) => "stale",
            Failure::Future(_) => "future",
            Failure::Verifier(_) => "verifier",
            Failure::State(_) => "state",
        }
    }
}

/// A host that is asked.
#[derive(Debug)]
pub(super) struct Host {
    client: Client,
    base: Url,
}

#[derive(Deserialize)]
struct Days {
    days: Vec<SignedHead>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Consistency {
    proof: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

impl Host {
    /// A host at an address, `http` or `https`. Connects to nobody yet.
    ///
    /// # Errors
    ///
    /// What is wrong with the address, or why there is no client.
    pub(super) fn new(address: &str) -> Result<Self, String> {
        let url = Url::parse(address).map_err(|error| format!("{address:?}: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("{address:?} is not an http or https address"));
        }
        let client = Client::builder()
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .redirect(Policy::limited(MAX_REDIRECTS))
            .build()
            .map_err(|error| causes(&error))?;
        Ok(Host { client, base: url })
    }

    /// The address as it is known by: without a password, and without what ends it.
    pub(super) fn name(&self) -> String {
        let mut url = self.base.clone();
        // An address with a host can have both.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// The last heads of days, the newest first: down to `oldest`, without one of the
    /// last `days` days that have one.
    pub(super) async fn heads(&self, oldest: Option<&str>, days: usize) -> Result<Heard, Failure> {
        let route = "/v1/days";
        let mut heard = Heard::default();
        let mut before: Option<String> = None;
        let limit = match oldest {
            // One page is one state of the host, or a head might be newer than one that
            // names it.
            Some(_) => PAGE,
            None => days.min(PAGE),
        };
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(before.take().map(|before| ("before", before)));
            let page: Days = self.json(route, &query).await?;
            heard.heads.extend(page.days);
            let days_of = || heard.heads.iter().map(|head| head.head.day.as_str());
            let malformed = |why: &str| Failure::Malformed {
                route: route.to_owned(),
                why: why.to_owned(),
            };
            let is_day =
                |day: &str| clock::start_of_day(day).is_some_and(|start| clock::day(start) == day);
            if !days_of().all(is_day) {
                return Err(malformed("a head is of no day"));
            }
            if !days_of().is_sorted_by(|a, b| a > b) {
                return Err(malformed("the days are not in order"));
            }
            let last = days_of().next_back().map(str::to_owned);
            let Some(last) = last.filter(|_| page.next.is_some()) else {
                heard.is_all = true;
                return Ok(heard);
            };
            let is_enough = match oldest {
                Some(oldest) => last.as_str() <= oldest,
                None => heard.heads.len() >= days,
            };
            if is_enough {
                return Ok(heard);
            }
            before = Some(last);
        }
        Err(Failure::Malformed {
            route: route.to_owned(),
            why: "there is no end of days".to_owned(),
        })
    }

    /// The proof of a claim.
    pub(super) async fn proof(&self, claim: &Claim) -> Result<Vec<String>, Failure> {
        let route = format!("/v1/days/{}/consistency", claim.day);
        let (from, to) = (claim.from.size.to_string(), claim.to.size.to_string());
        let answer: Consistency = self.json(&route, &[("from", from), ("to", to)]).await?;
        Ok(answer.proof)
    }

    /// The bundle of a day, in a file in `directory`: with submissions, if the host gives
    /// them. At most `max` bytes.
    pub(super) async fn bundle(
        &self,
        day: &str,
        directory: &Path,
        max: u64,
    ) -> Result<NamedTempFile, Failure> {
        let route = format!("/v1/days/{day}/bundle");
        let ask = async |artifacts: bool| {
            let query = [("artifacts", artifacts.to_string())];
            self.ask(&route, &query, BUNDLE).await
        };
        let mut answer = match ask(true).await {
            Err(Failure::Status { status: 403, .. }) => {
                tracing::info!(
                    day,
                    "the host does not give submissions: solves are not checkable"
                );
                ask(false).await?
            }
            answer => answer?,
        };
        let failed = |error| Failure::Verifier(format!("a bundle cannot be kept: {error}"));
        let mut file = NamedTempFile::new_in(directory).map_err(failed)?;
        let mut size = 0;
        while let Some(piece) = answer.chunk().await.map_err(|error| broke_off(&error))? {
            size += piece.len() as u64;
            if size > max {
                return Err(Failure::TooLarge { route, max });
            }
            file.write_all(&piece).map_err(failed)?;
        }
        Ok(file)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        route: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let answer = self.ask(route, query, ANSWER).await?;
        let body = read(route, answer, MAX_ANSWER).await?;
        serde_json::from_slice(&body).map_err(|error| Failure::Malformed {
            route: route.to_owned(),
            why: error.to_string(),
        })
    }

    async fn ask(
        &self,
        route: &str,
        query: &[(&str, String)],
        timeout: Duration,
    ) -> Result<Response, Failure> {
        let mut url = self.base.clone();
        let path = format!("{}{route}", self.base.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut().clear().extend_pairs(query);
        let request = self.client.get(url).timeout(timeout);
        let answer = request.send().await.map_err(|error| unanswered(&error))?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let body = read(route, answer, MAX_PROBLEM).await.unwrap_or_default();
        let said: Problem = serde_json::from_slice(&body).unwrap_or_default();
        let said = format!("{}: {}", said.code, said.detail);
        let printed = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        Err(Failure::Status {
            route: route.to_owned(),
            status,
            detail: printed.take(MAX_DETAIL).collect(),
        })
    }
}

async fn read(route: &str, mut answer: Response, max: u64) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| broke_off(&error))? {
        if (body.len() + piece.len()) as u64 > max {
            let route = route.to_owned();
            return Err(Failure::TooLarge { route, max });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn unanswered(error: &reqwest::Error) -> Failure {
    match error.is_timeout() {
        true => Failure::Timeout(causes(error)),
        false => Failure::Unreachable(causes(error)),
    }
}

fn broke_off(error: &reqwest::Error) -> Failure {
    match error.is_timeout() {
        true => Failure::Timeout(causes(error)),
        false => Failure::Interrupted(causes(error)),
    }
}

/// What the error came from: of reqwest's own only the last tells, and the first has the
/// address in it.
fn causes(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = Vec::new();
    while let Some(error) = cause {
        text.push(error.to_string());
        cause = error.source();
    }
    match text.is_empty() {
        true => "no reason is known".to_owned(),
        false => text.join(": "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_by_its_address_without_secrets() {
        let name = |address: &str| Host::new(address).map(|host| host.name());
        for address in ["http://h:1", "http://h:1/", "http://me:secret@h:1/?q#f"] {
            assert_eq!(name(address).as_deref(), Ok("http://h:1"), "{address}");
        }
        assert_eq!(name("https://h/behind/").as_deref(), Ok("https://h/behind"));
        for bad in ["", "h:1", "ftp://h", "/v1", "http://"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
