//! How a bucket is reached.

use super::{ArchiveAccess, answer};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};
use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

pub(super) fn open(
    bucket: &str,
    access: &ArchiveAccess,
    timeout: Duration,
) -> object_store::Result<AmazonS3> {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in &access.aws {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let endpoint = endpoint
        .iter()
        .find_map(|key| builder.get_config_value(key));
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        builder = builder.with_allow_http(true);
    }
    let timeout = format!("{}ms", timeout.as_millis());
    let options = [
        (ClientConfigKey::Timeout, timeout.as_str()),
        (ClientConfigKey::ConnectTimeout, timeout.as_str()),
        (ClientConfigKey::DefaultContentType, "application/json"),
    ];
    for (key, value) in options {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    builder
        .with_bucket_name(bucket)
        // The caller tries again, and knows when.
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        .with_http_connector(Connector)
        .build()
}

/// Why a bucket does not have a file.
pub(super) enum Failure<'a> {
    /// Somebody answered, and not with success.
    Refused(&'a Refused),
    /// Anything else.
    Other(String),
}

pub(super) fn failure(error: &object_store::Error) -> Failure<'_> {
    let mut problem: &(dyn Error + 'static) = error;
    let mut transport = None;
    loop {
        if let Some(refused) = problem.downcast_ref::<Refused>() {
            return Failure::Refused(refused);
        }
        if problem.is::<HttpError>() {
            transport = Some(problem);
        }
        match problem.source() {
            Some(source) => problem = source,
            None => break,
        }
    }
    // The errors around that of the transport name the whole address.
    Failure::Other(answer::with_causes(transport.unwrap_or(error)))
}

/// What was answered instead of success: the library's own error keeps its status
/// to itself.
#[derive(Debug, thiserror::Error)]
#[error("status {status}")]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) answer: String,
}

/// Connects as the library does, but reads answers within bounds.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

type Called<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Service {
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Called<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let (parts, body) = self.0.execute(request).await?.into_parts();
            let body = HttpResponse::new(body).map(reqwest::Body::wrap);
            let answer = answer::read(body.into()).await;
            if parts.status.is_success() {
                return Ok(HttpResponse::from_parts(parts, answer.into()));
            }
            let status = parts.status.as_u16();
            let refused = Refused {
                status,
                answer: essence(&answer),
            };
            Err(HttpError::new(HttpErrorKind::Unknown, refused))
        })
    }
}

/// Of an answer of S3 the code and the message: what is beside them repeats parts of
/// the request, a token that was refused among them.
fn essence(answer: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => answer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_answer_of_s3_only_code_and_message_are_kept() {
        let answer = "<?xml version=\"1.0\"?><Error><Code>InvalidToken</Code>\
            <Message>The token is malformed.</Message><Token-0>abc</Token-0></Error>";
        assert_eq!(essence(answer), "InvalidToken: The token is malformed.");
        assert_eq!(essence("bad gateway"), "bad gateway");
    }
}
