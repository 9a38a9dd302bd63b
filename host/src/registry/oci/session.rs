//! One conversation with a registry: log in if it wants that, follow where it sends
//! us, and take no more than is allowed.

use super::challenge::Challenge;
use super::layout::MANIFEST;
use super::manifest::{Layer, MANIFESTS, is_sha256};
use super::{OciClient, OciError, Unreachable};
use crate::registry::reference::OciReference;
use crate::sandbox::sha256_hex;
use bytes::Bytes;
use reqwest::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE,
};
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
    client: &'a OciClient,
    /// As it is called in references and in Docker's configuration.
    registry: &'a str,
    base: Url,
    repository: String,
    /// What identified us last.
    identity: Identity,
    /// What a token is to allow.
    actions: &'static str,
}

/// A request, which may have to be sent several times.
#[derive(Clone)]
struct Ask {
    method: Method,
    url: Url,
    accept: &'static str,
    /// What is sent, and its type.
    body: Option<(&'static str, Bytes)>,
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
    pub(super) fn new(
        client: &'a OciClient,
        reference: &'a OciReference,
    ) -> Result<Self, OciError> {
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
        let invalid = |_| OciError::Malformed(format!("{host} is no host"));
        let tls = parse("https").map_err(invalid)?;
        let plain = parse("http").map_err(invalid)?;
        let base = if is_plain(client, &plain) { plain } else { tls };
        Ok(Session {
            client,
            registry: &reference.registry,
            base,
            repository,
            identity: Identity::Nobody,
            actions: "pull",
        })
    }

    /// One that may write as well.
    pub(super) fn writing(
        client: &'a OciClient,
        reference: &'a OciReference,
    ) -> Result<Self, OciError> {
        let session = Session::new(client, reference)?;
        Ok(Session {
            actions: "pull,push",
            ..session
        })
    }

    /// Repository and registry, as payloads of signatures name them.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// What the registry says that a tag points to; none if it does not say.
    pub(super) async fn digest_of_tag(&mut self, tag: &str) -> Result<Option<String>, OciError> {
        let path = format!("{}/manifests/{tag}", self.repository);
        let response = self.ask(Method::HEAD, &path, MANIFESTS).await?;
        Ok(said_digest(response.headers()))
    }

    /// The manifest of a reference, with its digest, which is that of the reference if
    /// it has one.
    pub(super) async fn manifest(
        &mut self,
        reference: &OciReference,
    ) -> Result<(String, Vec<u8>), OciError> {
        let wanted = reference.digest.as_deref();
        let name = wanted.unwrap_or_else(|| reference.tag_or_latest());
        let path = format!("{}/manifests/{name}", self.repository);
        let response = self.ask(Method::GET, &path, MANIFESTS).await?;
        let said = said_digest(response.headers());
        let body = read(response, MAX_MANIFEST).await?;
        let body = body.ok_or(OciError::TooLarge {
            what: "manifest",
            max: MAX_MANIFEST,
        })?;
        let found = format!("sha256:{}", sha256_hex(&body));
        match wanted.map(str::to_owned).or(said) {
            Some(expected) if expected != found => Err(OciError::Digest {
                what: "manifest",
                expected,
                found,
            }),
            _ => Ok((found, body)),
        }
    }

    /// The bytes of a layer, not checked but for their number.
    pub(super) async fn layer(&mut self, layer: &Layer) -> Result<Vec<u8>, OciError> {
        let path = format!("{}/blobs/{}", self.repository, layer.digest);
        let response = self.ask(Method::GET, &path, "*/*").await?;
        match read(response, layer.size).await? {
            Some(bytes) => Ok(bytes),
            None if layer.size >= self.client.max_bytes => Err(self.client.too_large()),
            None => {
                let problem = "the layer has more bytes than the manifest says";
                Err(OciError::Malformed(problem.into()))
            }
        }
    }

    /// Bytes that a blob has, as the registry says; none if it has no such blob. What it
    /// does not say is as much as may be.
    pub(super) async fn blob_size(&mut self, digest: &str) -> Result<Option<u64>, OciError> {
        let path = format!("{}/blobs/{digest}", self.repository);
        match self.ask(Method::HEAD, &path, "*/*").await {
            Ok(response) => {
                let size = response.headers().get(CONTENT_LENGTH);
                let size = size.and_then(|size| size.to_str().ok()?.parse().ok());
                Ok(Some(size.unwrap_or(self.client.max_bytes)))
            }
            Err(OciError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A small blob, which has the digest that it is called by.
    pub(super) async fn small_blob(
        &mut self,
        digest: &str,
        max: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, OciError> {
        let path = format!("{}/blobs/{digest}", self.repository);
        let response = self.ask(Method::GET, &path, "*/*").await?;
        let body = read(response, max).await?;
        let body = body.ok_or(OciError::TooLarge { what, max })?;
        same(what, digest, format!("sha256:{}", sha256_hex(&body)))?;
        Ok(body)
    }

    /// Sends a blob in one piece, unless the registry has it. Tells whether it was sent.
    pub(super) async fn put_blob(&mut self, digest: &str, bytes: Bytes) -> Result<bool, OciError> {
        if self.blob_size(digest).await?.is_some() {
            return Ok(false);
        }
        let path = format!("{}/blobs/uploads/", self.repository);
        let begun = self.write(Method::POST, self.url(&path)?, None).await?;
        // The registry says where to: another path, perhaps on another host.
        let location = begun.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let location = location.and_then(|location| begun.url().join(location).ok());
        let mut location = location.ok_or_else(|| {
            OciError::Malformed("it does not say where a blob is to be sent".into())
        })?;
        location.query_pairs_mut().append_pair("digest", digest);
        let body = Some(("application/octet-stream", bytes));
        let put = self.write(Method::PUT, location, body).await?;
        if let Some(found) = said_digest(put.headers()) {
            same("blob", digest, found)?;
        }
        Ok(true)
    }

    /// Stores a manifest under a tag, and asks what the tag points to then.
    pub(super) async fn put_manifest(&mut self, tag: &str, text: Bytes) -> Result<(), OciError> {
        let digest = format!("sha256:{}", sha256_hex(&text));
        let path = format!("{}/manifests/{tag}", self.repository);
        let body = Some((MANIFEST, text));
        let put = self.write(Method::PUT, self.url(&path)?, body).await?;
        if let Some(found) = said_digest(put.headers()) {
            same("manifest", &digest, found)?;
        }
        match self.digest_of_tag(tag).await? {
            Some(found) => same("manifest", &digest, found),
            None => Ok(()),
        }
    }

    fn url(&self, path: &str) -> Result<Url, OciError> {
        let url = self.base.join(path);
        url.map_err(|error| OciError::Malformed(error.to_string()))
    }

    async fn write(
        &mut self,
        method: Method,
        url: Url,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Response, OciError> {
        let ask = Ask {
            method,
            url,
            accept: "*/*",
            body,
        };
        self.request(ask).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        accept: &'static str,
    ) -> Result<Response, OciError> {
        let ask = Ask {
            method,
            url: self.url(path)?,
            accept,
            body: None,
        };
        self.request(ask).await
    }

    /// Asks, and logs in if the registry wants that, once.
    async fn request(&mut self, ask: Ask) -> Result<Response, OciError> {
        let mut response = self.follow(ask.clone()).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.is_own(response.url()) {
            self.log_in(&response).await?;
            response = self.follow(ask.clone()).await?;
        }
        let host = name_of(response.url());
        // Without the query: it may be a ticket.
        let path = ask.url.path().trim_start_matches("/v2/");
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT
                if !is_read(&ask.method) =>
            {
                Ok(response)
            }
            StatusCode::NOT_FOUND => Err(OciError::NotFound {
                host,
                what: path.to_owned(),
            }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let action = if is_read(&ask.method) {
                    "read"
                } else {
                    "write"
                };
                let reason = match &self.identity {
                    Identity::Basic(login) => format!("{:?} may not {action} {path}", login.user),
                    _ => format!(
                        "the login for it in Docker's configuration, or nobody if there is none, \
                         may not {action} {path}"
                    ),
                };
                Err(OciError::Unauthorized { host, reason })
            }
            status => Err(OciError::Status {
                host,
                status: status.as_u16(),
            }),
        }
    }

    /// Asks where the registry sends us, if that may be asked. Only the registry
    /// itself is told who we are.
    async fn follow(&self, ask: Ask) -> Result<Response, OciError> {
        let mut url = ask.url;
        let http = match ask.body {
            Some(_) => &self.client.uploads,
            None => &self.client.http,
        };
        for _ in 0..=MAX_REDIRECTS {
            let mut request = http.request(ask.method.clone(), url.clone());
            request = request.header(ACCEPT, ask.accept);
            if let Some((media_type, bytes)) = &ask.body {
                request = request
                    .header(CONTENT_TYPE, *media_type)
                    .body(bytes.clone());
            } else if !is_read(&ask.method) {
                request = request.body("");
            }
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
            // The others turn a request into another one.
            let is_same = matches!(
                response.status(),
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            );
            if !is_read(&ask.method) && !is_same {
                let problem = "a redirect that is no place to send anything to";
                return Err(OciError::Malformed(problem.into()));
            }
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            url = next.ok_or_else(|| {
                OciError::Malformed("a redirect without an address to go to".into())
            })?;
        }
        Err(OciError::Malformed("too many redirects".into()))
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, OciError> {
        self.client.reach.check(url)?;
        if url.scheme() != "https" && !is_plain(self.client, url) {
            let host = name_of(url);
            let problem = format!(
                "{host} is not asked without TLS: if it is meant, add it to registry.plain_http \
                 in the configuration"
            );
            return Err(Unreachable::Scheme(problem).into());
        }
        let answer = request.send().await;
        answer.map_err(|error| OciError::unanswered(&name_of(url), error))
    }

    async fn log_in(&mut self, response: &Response) -> Result<(), OciError> {
        let host = name_of(response.url());
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let headers = headers.iter().filter_map(|header| header.to_str().ok());
        let Some(challenge) = Challenge::of(headers) else {
            let reason = "it does not say which login it wants".to_owned();
            return Err(OciError::Unauthorized { host, reason });
        };
        let login = self.client.docker.login(self.registry)?;
        self.identity = match (challenge, login) {
            (Challenge::Basic, Some(login)) => Identity::Basic(login),
            (Challenge::Basic, None) => {
                let reason = format!(
                    "it wants a login, and there is none for {} in Docker's configuration",
                    self.registry
                );
                return Err(OciError::Unauthorized { host, reason });
            }
            (
                Challenge::Bearer {
                    realm,
                    service,
                    scope,
                },
                login,
            ) => {
                // Some ask for less than what is about to be done.
                let enough = scope.filter(|scope| self.actions == "pull" || scope.contains("push"));
                let scope = enough
                    .unwrap_or_else(|| format!("repository:{}:{}", self.repository, self.actions));
                let realm = token_url(&realm, service.as_deref(), &scope)?;
                let mut request = self.client.http.get(realm.clone());
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

fn is_plain(client: &OciClient, url: &Url) -> bool {
    let (host, port) = (url.host_str(), url.port_or_known_default());
    url.scheme() == "http"
        && matches!((host, port), (Some(host), Some(port)) if client.plain.has(host, port))
}

fn token_url(realm: &str, service: Option<&str>, scope: &str) -> Result<Url, OciError> {
    let invalid = |_| OciError::Malformed("the address of who gives tokens is none".into());
    let mut url: Url = realm.parse().map_err(invalid)?;
    let mut query = url.query_pairs_mut();
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    query.append_pair("scope", scope);
    drop(query);
    Ok(url)
}

async fn token(answer: Response) -> Result<String, OciError> {
    let (host, status) = (name_of(answer.url()), answer.status());
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let reason = "it refuses the login, or wants one".to_owned();
            return Err(OciError::Unauthorized { host, reason });
        }
        _ => {
            let status = status.as_u16();
            return Err(OciError::Status { host, status });
        }
    }
    let none = || OciError::Malformed(format!("{host} answered without a token"));
    let body = read(answer, MAX_TOKEN).await?.ok_or_else(none)?;
    let token: Token = serde_json::from_slice(&body).map_err(|_| none())?;
    token.token.or(token.access_token).ok_or_else(none)
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn same(what: &'static str, expected: &str, found: String) -> Result<(), OciError> {
    if found == expected {
        return Ok(());
    }
    let expected = expected.to_owned();
    Err(OciError::Digest {
        what,
        expected,
        found,
    })
}

/// The digest that a registry says its answer has.
fn said_digest(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(DIGEST_HEADER)?.to_str().ok()?;
    is_sha256(said).then(|| said.to_owned())
}

/// All of an answer; none if it has more than `limit` bytes, which are not read.
async fn read(mut response: Response, limit: u64) -> Result<Option<Vec<u8>>, OciError> {
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Ok(None);
    }
    let host = name_of(response.url());
    let mut body = Vec::new();
    let broken = |error| OciError::interrupted(&host, error);
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
