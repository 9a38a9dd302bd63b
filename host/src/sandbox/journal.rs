//! What the guests of one challenge write, and how their calls end: the last of
//! it, in memory, for the operator to look at and to follow.

use super::call::Called;
use super::outcome::Outcome;
use crate::clock::unix_now;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Who wrote an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalStream {
    /// The guest, to stdout.
    Stdout,
    /// The guest, to stderr.
    Stderr,
    /// The host.
    Host,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct JournalEntry {
    /// Its number, from 1, without gaps.
    pub id: u64,
    /// When it was written, in seconds since the Unix epoch.
    pub at: f64,
    /// Who wrote it.
    pub stream: JournalStream,
    /// The call that it belongs to, from 1; 0 for none.
    pub call: u64,
    /// The line, without its end.
    pub text: String,
}

/// The last entries of one challenge. Gone with the process.
pub struct Journal {
    max_entries: usize,
    max_bytes: usize,
    kept: Mutex<Kept>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<JournalEntry>,
    bytes: usize,
    calls: u64,
}

/// Bytes of a line that are kept. What is longer becomes several entries.
const LINE: usize = 4 << 10;
/// What an entry takes beside its text.
const ENTRY: usize = size_of::<JournalEntry>();

impl Default for Journal {
    /// 2 000 entries, 1 MiB.
    fn default() -> Self {
        Journal::new(2_000, 1 << 20)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("last", &*self.last.borrow())
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Keeps so many entries, of so many bytes together, and always the last one.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        Journal {
            max_entries,
            max_bytes,
            kept: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }

    /// Entries with a higher number than `after`, the oldest first, at most
    /// `limit`.
    pub fn entries(&self, after: u64, limit: usize) -> Vec<JournalEntry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = kept.entries.partition_point(|entry| entry.id <= after);
        kept.entries.range(from..).take(limit).cloned().collect()
    }

    /// The last `limit` entries, the oldest first.
    pub fn latest(&self, limit: usize) -> Vec<JournalEntry> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = kept.entries.len().saturating_sub(limit);
        kept.entries.range(from..).cloned().collect()
    }

    /// The number of the last entry, 0 before the first, to wait for more.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Adds a word of the host that belongs to no call.
    pub fn note(&self, text: &str) {
        self.push(JournalStream::Host, 0, text);
    }

    fn push(&self, stream: JournalStream, call: u64, text: &str) {
        let at = unix_now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let id = *self.last.borrow() + 1;
        let text: String = text.chars().map(harmless).collect();
        kept.bytes += text.len() + ENTRY;
        kept.entries.push_back(JournalEntry {
            id,
            at,
            stream,
            call,
            text,
        });
        while kept.entries.len() > 1
            && (kept.entries.len() > self.max_entries || kept.bytes > self.max_bytes)
        {
            if let Some(dropped) = kept.entries.pop_front() {
                kept.bytes -= dropped.text.len() + ENTRY;
            }
        }
        self.last.send_replace(id);
    }

    fn next_call(&self) -> u64 {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.calls += 1;
        kept.calls
    }
}

/// The part of a journal that one call writes.
#[derive(Debug, Clone)]
pub(super) struct CallJournal {
    journal: Arc<Journal>,
    call: u64,
    export: &'static str,
}

impl CallJournal {
    pub(super) fn new(journal: Arc<Journal>, export: &'static str) -> Self {
        let call = journal.next_call();
        CallJournal {
            journal,
            call,
            export,
        }
    }

    /// A writer of lines.
    pub(super) fn lines(&self, stream: JournalStream) -> Lines {
        Lines {
            journal: self.clone(),
            stream,
            begun: Vec::new(),
        }
    }

    /// Adds a word of the host on the call.
    pub(super) fn note(&self, text: &str) {
        self.journal.push(JournalStream::Host, self.call, cut(text));
    }

    /// How the call ended, with `more` to say of it.
    pub(super) fn ended<T>(&self, called: &Called<T>, more: Option<&str>) {
        let report = &called.report;
        let mut text = format!(
            "{}: {}; fuel {}, {} ms, {} KiB, {} host calls",
            self.export,
            called.outcome(),
            report.fuel,
            report.elapsed.as_millis(),
            report.memory_bytes >> 10,
            report.host_calls,
        );
        let message = called.result.as_ref().err().map(|error| &*error.message);
        for part in [message, more].into_iter().flatten() {
            text.push_str(": ");
            text.push_str(part);
        }
        if called.outcome() == Outcome::Ok && report.log.ends_with(" bytes dropped]") {
            text.push_str("; its log was cut");
        }
        self.note(&text);
    }
}

/// Cuts what a guest writes into lines.
#[derive(Debug)]
pub(super) struct Lines {
    journal: CallJournal,
    stream: JournalStream,
    begun: Vec<u8>,
}

impl Lines {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in part.chunks(LINE) {
                if self.begun.len() + part.len() > LINE {
                    self.end_line();
                }
                self.begun.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Adds what has been written of a line.
    pub(super) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.is_empty() {
            let CallJournal { journal, call, .. } = &self.journal;
            journal.push(self.stream, *call, text);
        }
    }
}

/// What is shown in a terminal must not have a say in it.
fn harmless(character: char) -> char {
    match character {
        '\t' => '\t',
        '\n' | '\r' => ' ',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

fn cut(text: &str) -> &str {
    text.split_at_checked(text.floor_char_boundary(LINE))
        .map_or(text, |(start, _)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(journal: &Journal) -> Vec<(u64, String)> {
        let entries = journal.entries(0, usize::MAX).into_iter();
        entries.map(|entry| (entry.id, entry.text)).collect()
    }

    #[test]
    fn the_oldest_entries_go_first() {
        let journal = Journal::new(2, 1 << 20);
        for text in ["a", "b", "c"] {
            journal.note(text);
        }
        assert_eq!(texts(&journal), [(2, "b".into()), (3, "c".into())]);
        assert_eq!(journal.entries(2, 10).len(), 1);
        assert_eq!(journal.entries(0, 1)[0].id, 2);
        assert_eq!(journal.latest(1)[0].id, 3);
        assert_eq!(*journal.changes().borrow(), 3);
    }

    #[test]
    fn entries_are_bounded_in_bytes_as_well() {
        let journal = Journal::new(1_000, 10 * (ENTRY + 100));
        for _ in 0..50 {
            journal.note(&"x".repeat(100));
        }
        assert_eq!(texts(&journal).len(), 10);
        journal.note(&"y".repeat(100_000));
        assert_eq!(texts(&journal).len(), 1, "the last one is always kept");
    }

    #[test]
    fn what_a_guest_writes_is_cut_into_lines() {
        let journal = Arc::new(Journal::default());
        let call = CallJournal::new(Arc::clone(&journal), "handle");
        let mut lines = call.lines(JournalStream::Stdout);
        for part in ["one\r\n\ntw", "o", "\nthr"] {
            lines.write(part.as_bytes());
        }
        assert_eq!(texts(&journal), [(1, "one".into()), (2, "two".into())]);
        lines.write(b"ee");
        lines.end_line();
        lines.end_line();
        assert_eq!(texts(&journal)[2..], [(3, "three".into())]);
        lines.write("z".repeat(2 * LINE + 1).as_bytes());
        lines.end_line();
        let lengths: Vec<usize> = texts(&journal)[3..].iter().map(|(_, t)| t.len()).collect();
        assert_eq!(lengths, [LINE, LINE, 1]);
    }

    #[test]
    fn an_entry_is_one_line_without_control_characters() {
        let journal = Journal::default();
        journal.note("a\nb\tc\u{1b}[31md");
        assert_eq!(texts(&journal), [(1, "a b\tc\u{fffd}[31md".into())]);
    }

    #[tokio::test]
    async fn whoever_follows_is_told_of_each_entry() {
        let journal = Journal::default();
        let mut changes = journal.changes();
        journal.note("a");
        changes.changed().await.unwrap();
        assert_eq!(*changes.borrow_and_update(), 1);
    }
}
