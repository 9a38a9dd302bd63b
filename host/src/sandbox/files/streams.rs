//! Streams of files that do at once what they are asked for.
//!
//! Those of wasmtime-wasi read and write beside the guest, so that what is ready when,
//! and how much comes at a time, depends on how fast that is. These are always ready.
//!
//! So a guest holds a thread of the host for as long as it takes to read or write
//! 64 KiB. That is no longer than the disk takes: whatever may be read or written here
//! is in the volume, where a guest can make files, directories and links, but neither
//! pipes nor devices; and a link that leads out is not followed. All that may take
//! longer, such as opening, listing or syncing, is still done on threads that may block.

use super::answers::{Answer, error_code};
use super::{FileError, Files};
use crate::canonical;
use crate::sandbox::tape::{HostCall, Tape, Unreadable};
use bytes::Bytes;
use futures_util::FutureExt;
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime_wasi::filesystem::{Descriptor, File};
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsResult, InputStream, OutputStream, Pollable, StreamError,
    StreamResult,
};

/// What a stream reads or writes at a time.
const CHUNK: usize = 64 << 10;

/// Places in the table that making a stream takes.
pub(super) const PLACES: usize = 2;

impl Files<'_> {
    /// A stream made by `make` of a descriptor that works on the guest's own thread.
    fn inline<S: Send + 'static>(
        &mut self,
        descriptor: &Resource<Descriptor>,
        make: impl FnOnce(&mut Self, Resource<Descriptor>) -> FsResult<Resource<S>>,
    ) -> FsResult<S> {
        let inline = match self.wasi.table.get(descriptor)? {
            Descriptor::File(file) => {
                // A copy shares everything but the number that the host has for it.
                let copy = file.file.try_clone()?;
                Descriptor::File(File::new(copy, file.perms, file.open_mode, true))
            }
            directory @ Descriptor::Dir(_) => directory.clone(),
        };
        let inline = self.wasi.table.push(inline)?;
        let stream = make(self, Resource::new_borrow(inline.rep()));
        // The last first, as in `want_places`.
        let stream = stream.and_then(|stream| Ok(self.wasi.table.delete(stream)?));
        self.wasi.table.delete(inline)?;
        stream
    }

    pub(super) fn reading(
        &mut self,
        descriptor: &Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<DynInputStream> {
        self.inline(descriptor, |files, inline| {
            files.wasi.read_via_stream(inline, offset)
        })
    }

    /// A stream that writes at `offset`, or at the end.
    pub(super) fn writing(
        &mut self,
        descriptor: &Resource<Descriptor>,
        offset: Option<u64>,
    ) -> FsResult<DynOutputStream> {
        self.inline(descriptor, |files, inline| match offset {
            Some(offset) => files.wasi.write_via_stream(inline, offset),
            None => files.wasi.append_via_stream(inline),
        })
    }

    pub(super) fn add_reading(
        &mut self,
        file: Option<DynInputStream>,
    ) -> Result<Resource<DynInputStream>, ResourceTableError> {
        let stream = Stream::new(self, file);
        self.wasi.table.push(Box::new(stream))
    }

    pub(super) fn add_writing(
        &mut self,
        file: Option<DynOutputStream>,
    ) -> Result<Resource<DynOutputStream>, ResourceTableError> {
        let stream = Stream::new(self, file);
        self.wasi.table.push(Box::new(stream))
    }
}

/// A stream of a file.
struct Stream<S> {
    /// None if it came from the tape.
    file: Option<S>,
    number: u64,
    tape: Option<Tape>,
    is_closed: bool,
}

/// Why there is nothing more.
#[derive(Debug, Clone, Copy)]
enum End {
    Closed,
    Failed(ErrorCode),
}

impl<S> Stream<S> {
    fn new(files: &mut Files<'_>, file: Option<S>) -> Self {
        Stream {
            file,
            number: files.opened.number(),
            tape: files.tape.cloned(),
            is_closed: false,
        }
    }

    /// Answers from the tape, or does it and records it.
    fn taped<T>(
        &mut self,
        name: &'static str,
        request: impl FnOnce(u64) -> String,
        read: impl FnOnce(&[u8]) -> Option<Result<T, End>>,
        write: impl FnOnce(Result<&T, End>) -> Vec<u8>,
        make: impl FnOnce(&mut S) -> Option<StreamResult<T>>,
    ) -> StreamResult<T> {
        let tape = match &self.tape {
            None => None,
            Some(tape) => {
                let request = request(self.number);
                let answer = tape.replayed(name, request.as_bytes());
                if let Some(answer) = answer.map_err(StreamError::Trap)? {
                    let unreadable = || StreamError::Trap(Unreadable(name).into());
                    let answer = read(&answer).ok_or_else(unreadable)?;
                    return self.ended(answer);
                }
                Some((tape.clone(), request))
            }
        };
        let result = match &mut self.file {
            // There is no file to do it with.
            None => Err(End::Failed(ErrorCode::NotPermitted)),
            Some(file) => match make(file) {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(StreamError::Closed)) => Err(End::Closed),
                Some(Err(StreamError::LastOperationFailed(error))) => {
                    Err(End::Failed(code(&error)))
                }
                Some(Err(trap)) => return Err(trap),
                None => return Err(StreamError::trap("a file keeps its guest waiting")),
            },
        };
        if let Some((tape, request)) = tape {
            tape.push(HostCall {
                name: name.to_owned(),
                request: request.into_bytes(),
                response: write(result.as_ref().map_err(|end| *end)),
                solve: None,
            });
        }
        self.ended(result)
    }

    fn ended<T>(&mut self, result: Result<T, End>) -> StreamResult<T> {
        self.is_closed = result.is_err();
        result.map_err(|end| match end {
            End::Closed => StreamError::Closed,
            End::Failed(code) => StreamError::LastOperationFailed(FileError(code).into()),
        })
    }

    fn open(&self) -> StreamResult<()> {
        match self.is_closed {
            true => Err(StreamError::Closed),
            false => Ok(()),
        }
    }
}

/// What an error of the file is to the guest. Its text would be that of the host.
fn code(error: &wasmtime::Error) -> ErrorCode {
    let error = error.downcast_ref::<std::io::Error>();
    error.map_or(ErrorCode::Io, ErrorCode::from)
}

const CLOSED: &[u8] = br#"{"error":"closed"}"#;

fn write_end(end: End) -> Vec<u8> {
    match end {
        End::Closed => CLOSED.to_vec(),
        End::Failed(code) => format!(r#"{{"error":"{}"}}"#, code.name()).into_bytes(),
    }
}

fn read_end(text: &[u8]) -> Option<End> {
    if text == CLOSED {
        return Some(End::Closed);
    }
    let name = text
        .strip_prefix(br#"{"error":""#)?
        .strip_suffix(br#""}"#)?;
    Some(End::Failed(error_code(str::from_utf8(name).ok()?)?))
}

#[wasmtime_wasi::async_trait]
impl InputStream for Stream<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.open()?;
        if size == 0 {
            return Ok(Bytes::new());
        }
        let length = size.min(CHUNK);
        self.taped(
            "filesystem.stream.read",
            |number| format!(r#"{{"length":{length},"stream":{number}}}"#),
            |answer| match answer.strip_prefix(b"=") {
                Some(bytes) if bytes.len() <= length => Some(Ok(Bytes::copy_from_slice(bytes))),
                Some(_) => None,
                None => read_end(answer).map(Err),
            },
            |result| match result {
                Ok(bytes) => [b"=", &bytes[..]].concat(),
                Err(end) => write_end(end),
            },
            |file| file.blocking_read(length).now_or_never(),
        )
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.read(size)
    }

    fn skip(&mut self, size: usize) -> StreamResult<usize> {
        self.open()?;
        if size == 0 {
            return Ok(0);
        }
        let length = size.min(CHUNK);
        let skipped = self.taped(
            "filesystem.stream.skip",
            |number| format!(r#"{{"length":{length},"stream":{number}}}"#),
            |answer| match <u64>::read(answer) {
                Some(Ok(skipped)) => Some(Ok(skipped)),
                _ => read_end(answer).map(Err),
            },
            |result| match result {
                Ok(skipped) => format!(r#"{{"ok":"{skipped}"}}"#).into_bytes(),
                Err(end) => write_end(end),
            },
            |file| {
                let bytes = file.blocking_read(length).now_or_never()?;
                Some(bytes.map(|bytes| bytes.len() as u64))
            },
        )?;
        Ok(usize::try_from(skipped).unwrap_or(length).min(length))
    }

    async fn blocking_skip(&mut self, size: usize) -> StreamResult<usize> {
        self.skip(size)
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Stream<DynOutputStream> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.open()?;
        if bytes.len() > CHUNK {
            return Err(StreamError::trap(
                "write not permitted: more than check-write allows",
            ));
        }
        self.taped(
            "filesystem.stream.write",
            |number| {
                let (length, digest) = (bytes.len(), canonical::digest(&bytes));
                format!(r#"{{"length":{length},"sha256":"{digest}","stream":{number}}}"#)
            },
            |answer| match <()>::read(answer) {
                Some(Ok(())) => Some(Ok(())),
                _ => read_end(answer).map(Err),
            },
            |result| result.map_or_else(write_end, |()| br#"{"ok":null}"#.to_vec()),
            |file| file.blocking_write_and_flush(bytes.clone()).now_or_never(),
        )
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.open()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.open().map(|()| CHUNK)
    }
}

#[wasmtime_wasi::async_trait]
impl<S: Send + 'static> Pollable for Stream<S> {
    async fn ready(&mut self) {}
}
