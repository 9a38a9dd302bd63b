//! The admin API, asked over HTTP.

pub(super) mod fields;
pub(super) mod show;

use super::ConfigArgs;
use crate::config::Config;
use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use reqwest::header::{ETAG, IF_MATCH, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The environment variable with the token.
const TOKEN: &str = "PROCTOR_ADMIN_TOKEN";

/// How long nothing may come. A component may have to be fetched and compiled.
const SILENCE: Duration = Duration::from_secs(600);

/// Where the admin API is, and who asks.
#[derive(Debug, Args)]
pub(super) struct Connection {
    /// Address of the admin API. Default: `admin.listen` of the configuration, on
    /// this machine.
    #[arg(long, global = true, env = "PROCTOR_ADMIN_URL", value_name = "URL")]
    url: Option<String>,
    /// The file with the token; of several, the first one counts. Default: the
    /// variable PROCTOR_ADMIN_TOKEN, else the configuration's `admin.token_file`.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates to trust, a PEM file, instead of the system's. Default: that of
    /// the configuration as well.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The host's configuration, a TOML file.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The host's data directory.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Connection {
    /// What is needed to ask.
    pub(super) fn open(&self) -> anyhow::Result<Api> {
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let has_token = self.token_file.is_some() || token.is_some();
        // What is told needs no configuration, which may be on another machine.
        let config = match self.url.is_some() && has_token {
            true => None,
            false => Some(self.load_config()?),
        };
        let token = match (&self.token_file, token, &config) {
            (Some(file), ..) => read_token(file)?,
            (None, Some(token), _) => token,
            (None, None, Some(config)) => read_token(&config.admin_tokens_path())?,
            (None, None, None) => bail!("there is no token: give --token-file, or set {TOKEN}"),
        };
        let own_certificate = config.as_ref().and_then(|c| c.admin.tls_cert.as_ref());
        let (url, certificates) = match (&self.url, &config) {
            (Some(url), _) => (url.clone(), None),
            (None, Some(config)) => (address(config)?, own_certificate),
            (None, None) => bail!("there is no address: give --url"),
        };
        let mut client = Client::builder()
            // The token goes where it was told to go.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(SILENCE);
        client = match (&self.ca, certificates) {
            (Some(file), _) => client.tls_certs_only(read_certificates(file)?),
            (None, Some(file)) => client.tls_certs_merge(read_certificates(file)?),
            (None, None) => client,
        };
        Ok(Api {
            client: client.build()?,
            base: base(&url)?,
            token,
        })
    }

    pub(super) fn load_config(&self) -> anyhow::Result<Config> {
        let source = ConfigArgs {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            overrides: Vec::new(),
        };
        Ok(source.load()?)
    }

    /// The end of a command. With `--json` a refusal is told as JSON as well.
    pub(super) fn end(&self, result: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
        end(self.json, result)
    }
}

/// The end of a command that asked a host. As JSON a refusal is told as JSON as well.
pub(super) fn end(json: bool, result: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    match result {
        Err(error) if json => match error.downcast_ref::<Refused>() {
            Some(Refused { problem, .. }) => {
                eprintln!("{}", serde_json::to_string_pretty(problem)?);
                Ok(ExitCode::FAILURE)
            }
            None => Err(error),
        },
        result => result,
    }
}

/// Where a host listens, as seen from its own machine.
fn address(config: &Config) -> anyhow::Result<String> {
    let admin = &config.admin;
    let mut listen = admin.listen;
    if listen.port() == 0 {
        bail!("admin.listen has no port: tell the host's address with --url");
    }
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if admin.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    Ok(format!("{scheme}://{listen}"))
}

/// An address to put paths after.
pub(super) fn base(url: &str) -> anyhow::Result<Url> {
    let parsed = url.parse::<Url>().ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut parsed = parsed
        .with_context(|| format!("{url} is no address that begins with http:// or https://"))?;
    parsed.set_query(None);
    parsed.set_fragment(None);
    Ok(parsed)
}

fn read_certificates(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let named = || path.display().to_string();
    let pem = std::fs::read(path).with_context(named)?;
    let certificates = Certificate::from_pem_bundle(&pem).with_context(named)?;
    if certificates.is_empty() {
        bail!("{}: there is no certificate in it", named());
    }
    Ok(certificates)
}

/// The first token of a file of lines `name token`, or `token`.
fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read the token, {}: give --token-file or --data-dir, or set {TOKEN}",
            path.display()
        )
    })?;
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let token = lines.next().and_then(|line| line.split_whitespace().last());
    let token = token.with_context(|| format!("{}: there is no token in it", path.display()))?;
    Ok(token.to_owned())
}

/// The API of a host.
pub(super) struct Api {
    client: Client,
    base: Url,
    token: String,
}

/// What a host answered, with success.
#[derive(Debug)]
pub(super) struct Answer {
    /// The `ETag`, if there is one.
    pub(super) etag: Option<String>,
    /// Null if it has none.
    pub(super) body: Value,
}

/// A host refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its problem details.
    problem: Value,
    /// Seconds until it is to be asked again, if it says so.
    retry_after: Option<String>,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |pointer| show::text(&self.problem, pointer);
        let (code, detail) = (told("/code"), told("/detail"));
        write!(f, "{code}: {detail}")?;
        for error in show::each(&self.problem, "/errors") {
            let (field, message) = (show::text(error, "/field"), show::text(error, "/message"));
            write!(f, "\n  {field}: {message}")?;
        }
        if let Some(seconds) = &self.retry_after {
            write!(f, "\nTry again in {seconds} s.")?;
        }
        if code == "precondition_failed" {
            write!(
                f,
                "\nSomebody else changed it meanwhile: look at it, and try again."
            )?;
        }
        Ok(())
    }
}

impl Api {
    /// The address of a path, each part of it as it is.
    pub(super) fn url(&self, parts: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "admin"]).extend(parts);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub(super) async fn get(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, self.url(parts, query)))
            .await
    }

    /// A `POST` of whatever may be done twice.
    pub(super) async fn post(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let request = self.request(Method::POST, self.url(parts, query));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.send(request).await
    }

    /// A `POST` that is done once: if its answer is lost it is sent again, with the
    /// same key.
    pub(super) async fn post_once(
        &self,
        parts: &[&str],
        query: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let key: [u8; 16] = rand::random();
        let request = self
            .request(Method::POST, self.url(parts, query))
            .header("idempotency-key", URL_SAFE_NO_PAD.encode(key))
            .json(body);
        let again = request.try_clone();
        let answer = match (request.send().await, again) {
            (Err(error), Some(again)) if !error.is_connect() => {
                tracing::warn!(%error, "no answer: asking again");
                again.send().await
            }
            (answer, _) => answer,
        };
        self.read(answer).await
    }

    /// A change of what has this tag.
    pub(super) async fn change(
        &self,
        method: Method,
        url: Url,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.request(method, url);
        if let Some(etag) = etag {
            request = request.header(IF_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        self.read(request.send().await).await
    }

    async fn read(&self, answer: reqwest::Result<Response>) -> anyhow::Result<Answer> {
        let answer = self.accept(answer).await?;
        let etag = answer.headers().get(ETAG);
        let etag = etag.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let text = answer.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .with_context(|| format!("{} answered what is no JSON", self.base))?,
        };
        Ok(Answer { etag, body })
    }

    /// An answer that is a success.
    pub(super) async fn accept(
        &self,
        answer: reqwest::Result<Response>,
    ) -> anyhow::Result<Response> {
        accept(&self.base, answer, "--url").await
    }
}

/// An answer that is a success, of whom `flag` tells the address.
pub(super) async fn accept(
    base: &Url,
    answer: reqwest::Result<Response>,
    flag: &str,
) -> anyhow::Result<Response> {
    let answer = answer.map_err(|error| {
        let reached = !error.is_connect();
        let error = anyhow::Error::new(error.without_url());
        if reached {
            return error.context(format!("{base} gave no answer"));
        }
        error.context(format!(
            "cannot reach {base}: is the host running (proctor serve)? Another address is told \
             with {flag}"
        ))
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = answer.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok());
    let retry_after = retry_after.map(show::visible);
    let text = answer.text().await.unwrap_or_default();
    match serde_json::from_str::<Value>(&text) {
        Ok(problem) if problem.get("code").is_some() => Err(Refused {
            problem,
            retry_after,
        }
        .into()),
        _ => {
            let text: String = text.chars().take(300).collect();
            let text = show::text(&json!({ "text": text }), "/text");
            bail!("{base} answered {status}, which is not the API's: {text}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(base: &str) -> Api {
        Api {
            client: Client::new(),
            base: super::base(base).unwrap(),
            token: String::new(),
        }
    }

    #[test]
    fn a_path_has_each_part_as_it_is() {
        let url = |base, parts: &[&str]| api(base).url(parts, &[]).to_string();
        let plain = "http://127.0.0.1:1/v1/admin/challenges/a%2Fb";
        assert_eq!(url("http://127.0.0.1:1", &["challenges", "a/b"]), plain);
        let below = url("https://example.org/proctor/?x#y", &["gpu-servers"]);
        assert_eq!(below, "https://example.org/proctor/v1/admin/gpu-servers");
        for bad in ["", "127.0.0.1:1", "ftp://x", "http://"] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_token_of_a_file_counts() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens");
        for (text, token) in [
            (
                "# of the operator\n\noperator first\nother second\n",
                Some("first"),
            ),
            ("bare\n", Some("bare")),
            ("\n# none\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read_token(&file).ok().as_deref(), token, "{text}");
        }
        let error = read_token(&directory.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().contains("--token-file"), "{error}");
    }

    #[test]
    fn the_address_is_that_of_this_machine() {
        let mut config = Config::default();
        assert_eq!(address(&config).unwrap(), "http://127.0.0.1:47921");
        config.admin.listen = "[::]:7".parse().unwrap();
        config.admin.tls_cert = Some("cert.pem".into());
        assert_eq!(address(&config).unwrap(), "https://[::1]:7");
        config.admin.listen = "127.0.0.1:0".parse().unwrap();
        assert!(address(&config).is_err());
    }

    #[test]
    fn a_refusal_tells_the_code_the_detail_and_each_field() {
        let problem = json!({
            "code": "invalid_fields", "detail": "2 fields are not valid",
            "errors": [{"field": "name", "message": "may not be null"},
                {"field": "limits.fuel", "message": "is \u{1b}[31mno number"}],
        });
        let expected = "invalid_fields: 2 fields are not valid\n  name: may not be null\n  \
                        limits.fuel: is \\u{1b}[31mno number";
        let refused = |problem, retry_after| Refused {
            problem,
            retry_after,
        };
        assert_eq!(refused(problem, None).to_string(), expected);
        let busy = json!({"code": "locked_out", "detail": "too many"});
        let expected = "locked_out: too many\nTry again in 9 s.";
        assert_eq!(refused(busy, Some("9".into())).to_string(), expected);
    }
}
