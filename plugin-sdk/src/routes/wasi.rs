//! Routes as an export of `wasi:http/incoming-handler`, which only a component has.

use crate::bindings::controller::proctor::challenge::context;
use crate::context::{Context, RouteHost};
use crate::glue::Plugin;
use crate::routes::{
    BodyWriter, Client, Content, FetchError, IncomingBody, Problem, Request, Response, Routes,
    answer,
};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    self, ErrorCode, Fields, IncomingRequest, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

impl<C: Routes> Guest for Plugin<C> {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let context = Context::new(context::seed(), context::now(), &RouteHost);
        let head = matches!(request.method(), Method::Head);
        let response = match receive(request) {
            Ok(request) => answer::<C>(&context::settings(), &context, request),
            Err(problem) => problem.into_response(),
        };
        send(response, head, context, out);
    }
}

fn receive(request: IncomingRequest) -> Result<Request, Problem> {
    let bad = |what: &str| Problem::new(StatusCode::BAD_REQUEST, "malformed_request", what);
    let method = method(&request.method()).ok_or_else(|| bad("the method cannot be read"))?;
    let uri = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let headers = headers(&request.headers()).ok_or_else(|| bad("a header cannot be read"))?;
    let body = request
        .consume()
        .ok()
        .and_then(body)
        .ok_or_else(|| bad("the body cannot be read"))?;
    let mut received = Request::new(body);
    *received.method_mut() = method;
    *received.uri_mut() = uri.parse().map_err(|_| bad("the path cannot be read"))?;
    *received.headers_mut() = headers;
    Ok(received)
}

fn method(method: &Method) -> Option<http::Method> {
    Some(match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
        Method::Connect => http::Method::CONNECT,
        Method::Options => http::Method::OPTIONS,
        Method::Trace => http::Method::TRACE,
        Method::Patch => http::Method::PATCH,
        Method::Other(name) => name.parse().ok()?,
    })
}

fn headers(fields: &Fields) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.entries() {
        let name: HeaderName = name.parse().ok()?;
        headers.append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(headers)
}

fn fields(headers: &HeaderMap) -> Result<Fields, String> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields
            .append(name.as_str(), value.as_bytes())
            .map_err(|e| format!("header {name}: {e}"))?;
    }
    Ok(fields)
}

/// Sends an answer, or 500 if it cannot be sent as it is.
fn send(response: Response, head_only: bool, context: Context<'_>, out: ResponseOutparam) {
    let asked = head(&response).map(|head| (head, response)).or_else(|why| {
        eprintln!("the answer cannot be sent: {why}");
        let response = Problem::internal(why).into_response();
        head(&response).map(|head| (head, response))
    });
    let Ok(((head, body), response)) = asked else {
        return ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
    };
    ResponseOutparam::set(out, Ok(head));
    let status = response.status();
    let written = match response.into_body().into_content() {
        _ if has_no_body(status) => Ok(()),
        Content::Stream(_) if head_only => Ok(()),
        Content::Bytes(bytes) => with_stream(&body, |mut client| client.write_all(&bytes)),
        Content::Stream(write) => with_stream(&body, |mut client| {
            let mut writer = BodyWriter::new(&mut client, context);
            write(&mut writer)?;
            writer.flush()
        }),
    };
    match written {
        // Fails if the client has gone, which is no news.
        Ok(()) => drop(OutgoingBody::finish(body, None)),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        // A body that is dropped and not finished tells the client that it is not
        // complete.
        Err(error) => eprintln!("the answer is not complete: {error}"),
    }
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

fn head(response: &Response) -> Result<(OutgoingResponse, OutgoingBody), String> {
    let mut headers = response.headers().clone();
    // A length of the author's would have to be right. This one is.
    headers.remove(CONTENT_LENGTH);
    if let Some(length) = response.body().length()
        && !has_no_body(response.status())
    {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    let head = OutgoingResponse::new(fields(&headers)?);
    head.set_status_code(response.status().as_u16())
        .map_err(|()| format!("status {}", response.status()))?;
    let body = head.body().map_err(|()| "it has no body".to_owned())?;
    Ok((head, body))
}

fn with_stream(
    body: &OutgoingBody,
    write: impl FnOnce(Outgoing) -> io::Result<()>,
) -> io::Result<()> {
    let stream = body.write().map_err(|()| ErrorKind::BrokenPipe)?;
    write(Outgoing(stream))
}

/// The client, at the other end of the body.
struct Outgoing(OutputStream);

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            let room = self.0.check_write().map_err(failed)?;
            if room == 0 {
                self.0.subscribe().block();
                continue;
            }
            let length = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (now, _) = bytes.split_at(length);
            self.0.write(now).map_err(failed)?;
            return Ok(length);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.blocking_flush().map_err(failed)
    }
}

impl Client for Outgoing {
    fn sleep(&mut self, time: Duration) -> io::Result<()> {
        std::thread::sleep(time);
        self.0.check_write().map(drop).map_err(failed)
    }
}

fn failed(error: StreamError) -> io::Error {
    match error {
        StreamError::Closed => ErrorKind::BrokenPipe.into(),
        StreamError::LastOperationFailed(error) => io::Error::other(error.to_debug_string()),
    }
}

fn body(body: types::IncomingBody) -> Option<IncomingBody> {
    let stream = body.stream().ok()?;
    Some(IncomingBody::new(Incoming {
        stream,
        _body: body,
    }))
}

/// A body that comes in. The stream is a child of the body, and goes first.
struct Incoming {
    stream: InputStream,
    _body: types::IncomingBody,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let bytes = match self.stream.blocking_read(buffer.len() as u64) {
                Ok(bytes) => bytes,
                Err(StreamError::Closed) => return Ok(0),
                Err(error) => return Err(failed(error)),
            };
            // None yet is not the end.
            if let Some(start) = buffer.get_mut(..bytes.len()).filter(|s| !s.is_empty()) {
                start.copy_from_slice(&bytes);
                return Ok(bytes.len());
            }
        }
    }
}

/// Sends a request of the challenge's own.
pub(super) fn fetch(
    request: &http::Request<Vec<u8>>,
) -> Result<http::Response<IncomingBody>, FetchError> {
    let invalid = |what: &str| FetchError::Invalid(what.to_owned());
    let mut headers = request.headers().clone();
    headers.insert(CONTENT_LENGTH, request.body().len().into());
    let outgoing = OutgoingRequest::new(fields(&headers).map_err(FetchError::Invalid)?);
    let uri = request.uri();
    let scheme = match uri.scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        _ => return Err(invalid("its scheme is not http or https")),
    };
    let path = uri.path_and_query().map(|path| path.as_str());
    let set = outgoing
        .set_method(&outgoing_method(request.method()))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(uri.authority().map(|a| a.as_str())))
        .and_then(|()| outgoing.set_path_with_query(path));
    set.map_err(|()| invalid("its method or address is not valid"))?;
    let body = outgoing.body().map_err(|()| invalid("it has no body"))?;
    let answer = outgoing_handler::handle(outgoing, None).map_err(refused)?;
    // What goes wrong here is told by the answer.
    let _ = with_stream(&body, |mut server| server.write_all(request.body()));
    let _ = OutgoingBody::finish(body, None);
    answer.subscribe().block();
    let incoming = answer.get().and_then(Result::ok);
    let incoming = incoming.ok_or_else(|| FetchError::Failed("no answer".to_owned()))?;
    received(&incoming.map_err(refused)?)
        .ok_or_else(|| FetchError::Failed("its answer cannot be read".to_owned()))
}

fn received(incoming: &IncomingResponse) -> Option<http::Response<IncomingBody>> {
    let mut response = http::Response::new(body(incoming.consume().ok()?)?);
    *response.status_mut() = StatusCode::from_u16(incoming.status()).ok()?;
    *response.headers_mut() = headers(&incoming.headers())?;
    Some(response)
}

fn outgoing_method(method: &http::Method) -> Method {
    match *method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        http::Method::POST => Method::Post,
        http::Method::PUT => Method::Put,
        http::Method::DELETE => Method::Delete,
        http::Method::CONNECT => Method::Connect,
        http::Method::OPTIONS => Method::Options,
        http::Method::TRACE => Method::Trace,
        http::Method::PATCH => Method::Patch,
        _ => Method::Other(method.as_str().to_owned()),
    }
}

fn refused(error: ErrorCode) -> FetchError {
    match error {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => FetchError::Denied,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::DnsTimeout
        | ErrorCode::HttpResponseTimeout => FetchError::Timeout,
        ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong => FetchError::Invalid(error.to_string()),
        other => FetchError::Failed(other.to_string()),
    }
}
