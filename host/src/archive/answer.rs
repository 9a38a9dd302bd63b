//! Answers of services, read as far as they are needed.

use reqwest::Response;
use std::error::Error;
use std::fmt::Write;

/// More than any answer has of which something is wanted.
const MAX_BYTES: usize = 64 * 1024;

/// How the answer begins. What breaks off or comes too late ends it: the status is
/// known already, and says more.
pub(super) async fn read(mut response: Response) -> String {
    let mut read = Vec::new();
    while read.len() < MAX_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        let room = MAX_BYTES - read.len();
        read.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// What went wrong, and what it came from: of reqwest's errors only the last tells.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}
