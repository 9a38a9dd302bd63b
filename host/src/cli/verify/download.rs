//! Getting a bundle from a host.

use anyhow::{Context, ensure};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// How long a connection may take, and how long nothing may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a problem that are read.
const MAX_PROBLEM: usize = 16 << 10;

/// Whether this is an address, and not a file.
pub(super) fn is_address(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

/// Code of what a host says that gives artifacts to nobody.
const NOT_SHARED: &str = "artifacts_not_shared";

/// What a host answers instead of a bundle.
#[derive(Debug, thiserror::Error)]
#[error("{status} {code} {detail}")]
struct Refused {
    status: StatusCode,
    code: String,
    detail: String,
}

/// Downloads a bundle to a file: of this address, or of a day at a host. That of a day has
/// artifacts, unless the host gives them to nobody: then false is returned.
pub(super) async fn bundle(
    text: &str,
    day: Option<&str>,
    max_bytes: u64,
    file: &File,
) -> anyhow::Result<bool> {
    let with = address(text, day, true)?;
    let error = match download(&with, max_bytes, file).await {
        Ok(()) => return Ok(true),
        Err(error) => error,
    };
    let refused = error.downcast_ref::<Refused>();
    let is_shared = refused.is_none_or(|refused| refused.code != NOT_SHARED);
    // Another address is taken at its word.
    if is_shared || day.is_none() {
        return Err(error.context(with));
    }
    let without = address(text, day, false)?;
    let got = download(&without, max_bytes, file).await;
    got.context(without).map(|()| false)
}

/// The address of a bundle: that, or of a day at a host.
fn address(text: &str, day: Option<&str>, artifacts: bool) -> anyhow::Result<String> {
    let mut url = Url::parse(text).with_context(|| format!("{text:?} is no address"))?;
    match day {
        Some(day) => {
            let is_day = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            ensure!(is_day, "{day:?} is no day, such as 2026-08-22");
            let base = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{base}/v1/days/{day}/bundle"));
            url.set_query(Some(&format!("artifacts={artifacts}")));
        }
        None => ensure!(
            url.path() != "/",
            "{text} is the address of a host: name a day with --day"
        ),
    }
    Ok(url.into())
}

/// Downloads a bundle to a file.
async fn download(address: &str, max_bytes: u64, file: &File) -> anyhow::Result<()> {
    let client = Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .redirect(Policy::limited(MAX_REDIRECTS))
        .build()?;
    let mut answer = client.get(address).send().await?;
    let status = answer.status();
    let too_large = || format!("it is larger than --max-bytes {max_bytes}");
    if !status.is_success() {
        let mut text = Vec::new();
        while text.len() < MAX_PROBLEM
            && let Some(chunk) = answer.chunk().await?
        {
            text.extend_from_slice(&chunk);
        }
        let problem: Value = serde_json::from_slice(&text).unwrap_or_default();
        let said = |key| problem.get(key).and_then(Value::as_str).unwrap_or_default();
        let (code, detail) = (said("code").to_owned(), said("detail").to_owned());
        let refused = Refused {
            status,
            code,
            detail,
        };
        return Err(refused.into());
    }
    let told = answer.content_length();
    ensure!(told.is_none_or(|told| told <= max_bytes), too_large());
    let (mut out, mut size) = (file, 0_u64);
    while let Some(chunk) = answer.chunk().await? {
        size += chunk.len() as u64;
        ensure!(size <= max_bytes, too_large());
        out.write_all(&chunk).context("cannot keep the bundle")?;
    }
    out.flush().context("cannot keep the bundle")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn a_host_and_a_day_are_the_address_of_a_bundle() {
        let of = |text, day| address(text, day, true).unwrap();
        let expected = "http://h:1/v1/days/2026-08-22/bundle?artifacts=true";
        assert_eq!(of("http://h:1", Some("2026-08-22")), expected);
        let under = "https://h/x/v1/days/2026-08-22/bundle?artifacts=true";
        assert_eq!(of("https://h/x/", Some("2026-08-22")), under);
        assert_eq!(of("https://h/day.tar", None), "https://h/day.tar");
        assert!(address("https://h/", None, true).is_err());
        assert!(address("https://h/", Some("../admin"), true).is_err());
        assert!(is_address("http://h") && !is_address("day.tar") && !is_address("http"));
    }

    /// A host that gives bundles without artifacts, and refuses others with this code.
    fn host(code: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
                let asked = lines.next().unwrap();
                // Whoever closes with something unread takes the answer back.
                lines.find(String::is_empty).unwrap();
                let (status, body) = if asked.contains("?artifacts=false ") {
                    ("200 OK", "a bundle".to_owned())
                } else {
                    let problem = json!({"code": code, "detail": "no"});
                    ("403 Forbidden", problem.to_string())
                };
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_day_is_got_without_artifacts_of_a_host_that_gives_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let host = host(NOT_SHARED);
        let with = bundle(&host, Some("2026-08-22"), 8, file.as_file()).await;
        assert!(!with.unwrap());
        assert_eq!(std::fs::read(file.path()).unwrap(), b"a bundle");
        // Who names the bundle gets that or none.
        let named = format!("{host}/v1/days/2026-08-22/bundle?artifacts=true");
        let error = bundle(&named, None, 8, file.as_file()).await.unwrap_err();
        assert!(format!("{error:#}").ends_with("403 Forbidden artifacts_not_shared no"));
    }

    #[tokio::test]
    async fn another_refusal_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let host = host("forbidden");
        let got = bundle(&host, Some("2026-08-22"), 8, file.as_file()).await;
        let error = format!("{:#}", got.unwrap_err());
        assert!(error.ends_with("403 Forbidden forbidden no"), "{error}");
        assert!(std::fs::read(file.path()).unwrap().is_empty());
    }
}
