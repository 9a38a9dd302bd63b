//! One conversation with a registry: log in if it wants that, follow where it sends
//! us, and take no more than is allowed.

use super::challenge::Challenge;
use super::manifest::{Layer, MANIFESTS, is_sha256};
use super::{PullError, Puller, Unreachable};
use crate::registry::reference::OciReference;
use crate::sandbox::sha256_hex;
use reqwest::header::{ACCEPT, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

/// Largest manifest, in bytes: what registries take.
const MAX_MANIFEST: u64 = 4 << 20;
/// Largest answer of who gives tokens, in bytes.
const MAX_TOKEN: u64 = 64 << 10;
/// Redirects that are followed in a row.
const MAX_REDIRECTS: u32 = 5;
const DIGEST_HEADER: &str = "docker-content-digest";

pub(super) struct Session<'a> {
    puller: &'a Puller,
    /// As it is called in references and in Docker's configuration.
    registry: &'a str,
    base: Url,
    repository: String,
    /// What identified us last.
    identity: Identity,
}

enum Identity {
    Nobody,
    Basic(super::credentials::Login),
    Token(String),
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(puller: &'a Puller, reference: &'a OciReference) -> Result<Self, PullError> {
        // Docker Hub is at another address than it is called, and has names of one
        // part in a namespace of their own.
        let is_hub = reference.registry.eq_ignore_ascii_case("docker.io");
        let host = if is_hub {
            "registry-1.docker.io"
        } else {
            &reference.registry
        };
        let repository = match &reference.repository {
            name if is_hub && !name.contains('/') => format!("library/{name}"),
            name => name.clone(),
        };
        let parse = |scheme: &str| format!("{scheme}://{host}/v2/").parse::<Url>();
        let invalid = |_| PullError::Malformed(format!("{host} is no host"));
        let tls = parse("https").map_err(invalid)?;
        let plain = parse("http").map_err(invalid)?;
        let base = if is_plain(puller, &plain) { plain } else { tls };
        Ok(Session {
            puller,
            registry: &reference.registry,
            base,
            repository,
            identity: Identity::Nobody,
        })
    }

    /// What the registry says that a tag points to; none if it does not say.
    pub(super) async fn digest_of_tag(&mut self, tag: &str) -> Result<Option<String>, PullError> {
        let path = format!("{}/manifests/{tag}", self.repository);
        let response = self.ask(Method::HEAD, &path, MANIFESTS).await?;
        Ok(said_digest(response.headers()))
    }

    /// The manifest of a reference, with its digest, which is that of the reference if
    /// it has one.
    pub(super) async fn manifest(
        &mut self,
        reference: &OciReference,
    ) -> Result<(String, Vec<u8>), PullError> {
        let wanted = reference.digest.as_deref();
        let name = wanted.unwrap_or_else(|| reference.tag_or_latest());
        let path = format!("{}/manifests/{name}", self.repository);
        let response = self.ask(Method::GET, &path, MANIFESTS).await?;
        let said = said_digest(response.headers());
        let body = read(response, MAX_MANIFEST).await?;
        let body = body.ok_or(PullError::TooLarge {
            what: "manifest",
            max: MAX_MANIFEST,
        })?;
        let found = format!("sha256:{}", sha256_hex(&body));
        match wanted.map(str::to_owned).or(said) {
            Some(expected) if expected != found => Err(PullError::Digest {
                what: "manifest",
                expected,
                found,
            }),
            _ => Ok((found, body)),
        }
    }

    /// The bytes of a layer, not checked but for their number.
    pub(super) async fn layer(&mut self, layer: &Layer) -> Result<Vec<u8>, PullError> {
        let path = format!("{}/blobs/{}", self.repository, layer.digest);
        let response = self.ask(Method::GET, &path, "*/*").await?;
        match read(response, layer.size).await? {
            Some(bytes) => Ok(bytes),
            None if layer.size >= self.puller.max_bytes => Err(self.puller.too_large()),
            None => {
                let problem = "the layer has more bytes than the manifest says";
                Err(PullError::Malformed(problem.into()))
            }
        }
    }

    /// Asks, and logs in if the registry wants that, once.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        accept: &'static str,
    ) -> Result<Response, PullError> {
        let url = self.base.join(path);
        let url = url.map_err(|error| PullError::Malformed(error.to_string()))?;
        let mut response = self.follow(&method, url.clone(), accept).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.is_own(response.url()) {
            self.log_in(&response).await?;
            response = self.follow(&method, url, accept).await?;
        }
        let host = name_of(response.url());
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => Err(PullError::NotFound {
                host,
                what: path.to_owned(),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let reason = match &self.identity {
                    Identity::Basic(login) => format!("{:?} may not read {path}", login.user),
                    _ => format!("this login, or nobody without one, may read {path}"),
                };
                Err(PullError::Unauthorized { host, reason })
            }
            status => Err(PullError::Status {
                host,
                status: status.as_u16(),
            }),
        }
    }

    /// Asks where the registry sends us, if that may be asked. Only the registry
    /// itself is told who we are.
    async fn follow(
        &self,
        method: &Method,
        mut url: Url,
        accept: &'static str,
    ) -> Result<Response, PullError> {
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.puller.http.request(method.clone(), url.clone());
            request = request.header(ACCEPT, accept);
            if self.is_own(&url) {
                request = match &self.identity {
                    Identity::Nobody => request,
                    Identity::Basic(login) => {
                        request.basic_auth(&login.user, Some(&login.password))
                    }
                    Identity::Token(token) => request.bearer_auth(token),
                };
            }
            let response = self.send(&url, request).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            url = next.ok_or_else(|| {
                PullError::Malformed("a redirect without an address to go to".into())
            })?;
        }
        Err(PullError::Malformed("too many redirects".into()))
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, PullError> {
        self.puller.reach.check(url)?;
        if url.scheme() != "https" && !is_plain(self.puller, url) {
            let host = name_of(url);
            let problem = format!(
                "{host} is not asked without TLS: if it is meant, add it to registry.plain_http \
                 in the configuration"
            );
            return Err(Unreachable::Scheme(problem).into());
        }
        let answer = request.send().await;
        answer.map_err(|error| PullError::unanswered(&name_of(url), error))
    }

    async fn log_in(&mut self, response: &Response) -> Result<(), PullError> {
        let host = name_of(response.url());
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let headers = headers.iter().filter_map(|header| header.to_str().ok());
        let Some(challenge) = Challenge::of(headers) else {
            let reason = "it does not say which login it wants".to_owned();
            return Err(PullError::Unauthorized { host, reason });
        };
        let login = self.puller.docker.login(self.registry)?;
        self.identity = match (challenge, login) {
            (Challenge::Basic, Some(login)) => Identity::Basic(login),
            (Challenge::Basic, None) => {
                let reason = format!(
                    "it wants a login, and there is none for {} in Docker's configuration",
                    self.registry
                );
                return Err(PullError::Unauthorized { host, reason });
            }
            (
                Challenge::Bearer {
                    realm,
                    service,
                    scope,
                },
                login,
            ) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository));
                let realm = token_url(&realm, service.as_deref(), &scope)?;
                let mut request = self.puller.http.get(realm.clone());
                if let Some(login) = &login {
                    request = request.basic_auth(&login.user, Some(&login.password));
                }
                // Not redirected: the login is for nobody else.
                let answer = self.send(&realm, request).await?;
                Identity::Token(token(answer).await?)
            }
        };
        Ok(())
    }

    /// Whether an address is the registry's own.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }
}

fn is_plain(puller: &Puller, url: &Url) -> bool {
    let (host, port) = (url.host_str(), url.port_or_known_default());
    url.scheme() == "http"
        && matches!((host, port), (Some(host), Some(port)) if puller.plain.has(host, port))
}

fn token_url(realm: &str, service: Option<&str>, scope: &str) -> Result<Url, PullError> {
    let invalid = |_| PullError::Malformed("the address of who gives tokens is none".into());
    let mut url: Url = realm.parse().map_err(invalid)?;
    let mut query = url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    query.append_pair("scope", scope);
    drop(query);
    Ok(url)
}

async fn token(answer: Response) -> Result<String, PullError> {
    let (host, status) = (name_of(answer.url()), answer.status());
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let reason = "it refuses the login, or wants one".to_owned();
            return Err(PullError::Unauthorized { host, reason });
        }
        _ => {
            let status = status.as_u16();
            return Err(PullError::Status { host, status });
        }
    }
    let none = || PullError::Malformed(format!("{host} answered without a token"));
    let body = read(answer, MAX_TOKEN).await?.ok_or_else(none)?;
    let token: Token = serde_json::from_slice(&body).map_err(|_| none())?;
    token.token.or(token.access_token).ok_or_else(none)
}

/// The digest that a registry says its answer has.
fn said_digest(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(DIGEST_HEADER)?.to_str().ok()?;
    is_sha256(said).then(|| said.to_owned())
}

/// All of an answer; none if it has more than `limit` bytes, which are not read.
async fn read(mut response: Response, limit: u64) -> Result<Option<Vec<u8>>, PullError> {
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Ok(None);
    }
    let host = name_of(response.url());
    let mut body = Vec::new();
    let broken = |error| PullError::interrupted(&host, error);
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// Host and port, for people.
fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
