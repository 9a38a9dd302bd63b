//! Stdout and stderr of a guest: kept up to a limit, then dropped.

use super::journal::{CallJournal, JournalStream, Lines};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

/// What a guest wrote. Clones share one buffer.
#[derive(Debug, Clone)]
pub(super) struct GuestLog {
    limit: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    dropped: u64,
    /// Of stdout and of stderr; none if the call has no journal.
    lines: Option<(Lines, Lines)>,
}

impl GuestLog {
    pub(super) fn new(limit: usize, journal: Option<&CallJournal>) -> Self {
        let lines = journal.map(|journal| {
            (
                journal.lines(JournalStream::Stdout),
                journal.lines(JournalStream::Stderr),
            )
        });
        let kept = Kept {
            lines,
            ..Kept::default()
        };
        GuestLog {
            limit,
            kept: Arc::new(Mutex::new(kept)),
        }
    }

    pub(super) fn stdout(&self) -> GuestStream {
        GuestStream {
            log: self.clone(),
            is_stderr: false,
        }
    }

    pub(super) fn stderr(&self) -> GuestStream {
        GuestStream {
            log: self.clone(),
            is_stderr: true,
        }
    }

    fn append(&self, is_stderr: bool, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.limit.saturating_sub(kept.bytes.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(room);
        kept.bytes.extend_from_slice(taken);
        kept.dropped += rest.len() as u64;
        if let Some((stdout, stderr)) = &mut kept.lines {
            if is_stderr { stderr } else { stdout }.write(taken);
        }
    }

    /// The text, with a last line that says how much was dropped. Lines that were
    /// begun go into the journal.
    pub(super) fn finish(&self) -> String {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stdout, stderr)) = &mut kept.lines {
            stdout.end_line();
            stderr.end_line();
        }
        drop(kept);
        self.text()
    }

    /// As [`finish`](Self::finish), but the guest may write on.
    pub(super) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from_utf8_lossy(&kept.bytes).into_owned();
        if kept.dropped > 0 {
            text.push_str(&format!("\n[{} bytes dropped]", kept.dropped));
        }
        text
    }
}

/// Stdout or stderr.
#[derive(Debug, Clone)]
pub(super) struct GuestStream {
    log: GuestLog,
    is_stderr: bool,
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.log.append(self.is_stderr, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 << 10)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::super::journal::Journal;
    use super::*;

    #[test]
    fn what_is_above_the_limit_is_dropped_and_counted() {
        let journal = Arc::new(Journal::default());
        let call = CallJournal::new(Arc::clone(&journal), "evaluate");
        let log = GuestLog::new(5, Some(&call));
        log.append(false, b"abc");
        assert_eq!(log.text(), "abc");
        log.append(true, b"defg");
        assert_eq!(log.finish(), "abcde\n[2 bytes dropped]");
        let entries = journal.entries(0, 10);
        let lines: Vec<_> = entries.iter().map(|e| (e.stream, &*e.text)).collect();
        assert_eq!(
            lines,
            [
                (JournalStream::Stdout, "abc"),
                (JournalStream::Stderr, "de")
            ]
        );
    }
}
