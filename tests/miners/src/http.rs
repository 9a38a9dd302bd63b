//! As much of HTTP/1.1 as a miner needs, and its bytes are in its own hand.

use std::collections::BTreeMap;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Largest body of a request, in bytes.
const MAX_BODY: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As it is in the request, with its first `/`.
    pub(crate) path: String,
    /// By name, in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The next request of a connection; none if it has ended.
pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut left = MAX_HEAD;
    let Some(first) = line(stream, &mut left).await? else {
        return Ok(None);
    };
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(invalid("the first line is no request"));
    };
    let mut headers = BTreeMap::new();
    loop {
        let line = line(stream, &mut left).await?;
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(invalid("a header without a colon"));
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or("0", String::as_str);
    let length: usize = length.parse().map_err(|_| invalid("content-length"))?;
    if length > MAX_BODY || headers.contains_key("transfer-encoding") {
        return Err(invalid("a body that is too large, or of no length"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
    }))
}

/// A line without its end; none at the end of the stream.
async fn line(stream: &mut BufReader<TcpStream>, left: &mut usize) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let most = u64::try_from(*left).unwrap_or(u64::MAX);
    let read = (&mut *stream)
        .take(most)
        .read_until(b'\n', &mut line)
        .await?;
    if read == 0 && *left > 0 {
        return Ok(None);
    }
    *left -= read;
    let text = String::from_utf8(line).map_err(|_| invalid("a head that is no text"))?;
    match text.strip_suffix("\r\n") {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(invalid("a line that is too long, or does not end")),
    }
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// A whole answer.
pub(crate) fn answer(status: u16, kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = head(
        status,
        &format!(
            "content-type: {kind}\r\ncontent-length: {}\r\n{more}",
            body.len()
        ),
    );
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer, with headers of which each ends its line.
pub(crate) fn head(status: u16, headers: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        300..400 => "Redirect",
        _ => "Error",
    };
    format!("HTTP/1.1 {status} {reason}\r\n{headers}\r\n").into_bytes()
}
