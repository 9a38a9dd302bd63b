//! Files of a challenge in calls that are scored.
//!
//! `wasi:filesystem` is that of wasmtime-wasi with two changes. Streams of files do at
//! once what they are asked for ([`streams`]), so that nothing a guest sees depends on
//! how fast a disk is. And where the call has a tape, each answer is recorded, or comes
//! from what was recorded: then there is no file at all, and a resource is an entry of
//! the table that holds nothing.
//!
//! What was opened is called by its number on the tape, from 0 on in the order of
//! opening, descriptors and streams together. `docs/receipts.md` has the form of each
//! call.

mod answers;
mod descriptors;
mod streams;

use super::tape::{HostCall, Tape, Unreadable};
use crate::canonical;
use answers::Answer;
use serde_json::Value;
use std::collections::BTreeMap;
use wasmtime::component::{HasData, Resource, ResourceTableError};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, ErrorCode};
use wasmtime_wasi::p2::{FsError, FsResult};

/// What links [`Files`].
pub(super) struct ScoredFiles;

impl HasData for ScoredFiles {
    type Data<'a> = Files<'a>;
}

/// The files of one call.
pub(super) struct Files<'a> {
    pub(super) wasi: WasiFilesystemCtxView<'a>,
    pub(super) opened: &'a mut Opened,
    pub(super) tape: Option<&'a Tape>,
}

/// What the guest has opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// Of the next one.
    number: u64,
    /// Descriptors, and streams of entries of directories, by place in the table. Those
    /// of bytes know their number themselves.
    resources: BTreeMap<u32, Known>,
    /// Whether the tape that is played has a directory; none until it is looked at.
    has_directory: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    number: u64,
    /// It came from the tape.
    is_played: bool,
}

impl Opened {
    fn number(&mut self) -> u64 {
        let number = self.number;
        self.number += 1;
        number
    }
}

/// Stands in the table for what came from the tape.
struct Played;

/// What is to be done for a call.
enum Begun<T> {
    /// It was answered from the tape.
    Answered(FsResult<T>),
    /// It is to be made, and recorded with this request.
    Make(Option<Vec<u8>>),
}

/// Answers a call from the tape, or makes and records it.
///
/// The request has the number of the first resource as `descriptor`, and the arguments.
/// A second resource is only looked at for whether it came from the tape.
macro_rules! taped {
    (
        $files:ident, $name:literal, of $fd:ident $(and $other:ident)?,
        {$($key:literal: $value:expr),* $(,)?}, $call:expr $(,)?
    ) => {{
        let request = $files.tape.map(|_| serde_json::json!({
            "descriptor": $files.number(&$fd),
            $($key: $value,)*
        }));
        let is_played = $files.is_played(&$fd) $(|| $files.is_played(&$other))?;
        match $files.begin($name, request, is_played)? {
            $crate::sandbox::files::Begun::Answered(answer) => answer,
            $crate::sandbox::files::Begun::Make(request) => {
                let result = $call;
                $files.end($name, request, result)
            }
        }
    }};
}
use taped;

impl Files<'_> {
    /// Looks on the tape.
    fn begin<T: Answer>(
        &self,
        name: &'static str,
        request: Option<Value>,
        is_played: bool,
    ) -> FsResult<Begun<T>> {
        let Some((tape, request)) = self.tape.zip(request) else {
            return Ok(Begun::Make(None));
        };
        let request = canonical::to_string(&request).map_err(FsError::trap)?;
        let answer = tape.replayed(name, request.as_bytes());
        match answer.map_err(FsError::trap)? {
            Some(answer) => {
                let answer = T::read(&answer).ok_or_else(|| FsError::trap(Unreadable(name)))?;
                Ok(Begun::Answered(answer.map_err(FsError::from)))
            }
            // There is no file to do it with.
            None if is_played => Ok(Begun::Answered(Err(ErrorCode::NotPermitted.into()))),
            None => Ok(Begun::Make(Some(request.into_bytes()))),
        }
    }

    /// Records what came of a call. What ends the guest is no answer.
    fn end<T: Answer>(
        &self,
        name: &'static str,
        request: Option<Vec<u8>>,
        result: FsResult<T>,
    ) -> FsResult<T> {
        let Some((tape, request)) = self.tape.zip(request) else {
            return result;
        };
        let answer = match &result {
            Ok(answer) => Ok(answer),
            Err(error) => match error.downcast_ref() {
                Some(code) => Err(*code),
                None => return result,
            },
        };
        tape.push(HostCall {
            name: name.to_owned(),
            request,
            response: T::write(answer).map_err(FsError::trap)?,
            solve: None,
        });
        result
    }

    /// What a resource is called on the tape.
    fn number<T: 'static>(&self, resource: &Resource<T>) -> Option<u64> {
        let known = self.opened.resources.get(&resource.rep())?;
        Some(known.number)
    }

    fn is_played<T: 'static>(&self, resource: &Resource<T>) -> bool {
        let known = self.opened.resources.get(&resource.rep());
        known.is_some_and(|known| known.is_played)
    }

    /// Ends the call if the table has no place for so many more resources: before the
    /// tape is looked at, so that it ends in the same place whether there are files or
    /// not.
    fn want_places(&mut self, count: usize) -> Result<(), ResourceTableError> {
        let places: Vec<_> = (0..count)
            .map(|_| self.wasi.table.push(()))
            .collect::<Result<_, _>>()?;
        // The last first: which place is the next depends on it, and the order in which
        // a guest finds things ready on the places.
        for place in places.into_iter().rev() {
            self.wasi.table.delete(place)?;
        }
        Ok(())
    }

    /// Notes what was opened; none if it came from the tape.
    fn open<T: 'static>(
        &mut self,
        made: Option<Resource<T>>,
    ) -> Result<Resource<T>, ResourceTableError> {
        let is_played = made.is_none();
        let resource = match made {
            Some(resource) => resource,
            None => Resource::new_own(self.wasi.table.push(Played)?.rep()),
        };
        let number = self.opened.number();
        let known = Known { number, is_played };
        self.opened.resources.insert(resource.rep(), known);
        Ok(resource)
    }

    fn close<T: Send + 'static>(
        &mut self,
        resource: Resource<T>,
    ) -> Result<(), ResourceTableError> {
        let known = self.opened.resources.remove(&resource.rep());
        if known.is_some_and(|known| known.is_played) {
            let played = Resource::<Played>::new_own(resource.rep());
            self.wasi.table.delete(played)?;
        } else {
            self.wasi.table.delete(resource)?;
        }
        Ok(())
    }

    /// The directories on the tape; none if it does not tell.
    ///
    /// A call without a directory records nothing, so that most transcripts are empty.
    /// Whether there is one is the same in all of a call.
    fn played_directories(&mut self) -> wasmtime::Result<Option<Vec<String>>> {
        let Some(tape) = self.tape else {
            return Ok(None);
        };
        let has_directory = &mut self.opened.has_directory;
        if !*has_directory.get_or_insert_with(|| tape.has(DIRECTORIES)) {
            return Ok(tape.is_replay().then(Vec::new));
        }
        let Some(answer) = tape.replayed(DIRECTORIES, b"{}")? else {
            return Ok(None);
        };
        let names = <Vec<String>>::read(&answer).and_then(Result::ok);
        Ok(Some(names.ok_or(Unreadable(DIRECTORIES))?))
    }
}

const DIRECTORIES: &str = "filesystem.get-directories";

impl preopens::Host for Files<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        if let Some(names) = self.played_directories()? {
            let open = |name| Ok((self.open(None)?, name));
            return names.into_iter().map(open).collect();
        }
        let found = preopens::Host::get_directories(&mut self.wasi)?;
        let mut names = Vec::new();
        for (descriptor, name) in &found {
            self.open(Some(Resource::<Descriptor>::new_own(descriptor.rep())))?;
            names.push(name.clone());
        }
        if let Some(tape) = self.tape
            && !names.is_empty()
        {
            tape.push(HostCall {
                name: DIRECTORIES.to_owned(),
                request: b"{}".to_vec(),
                response: Answer::write(Ok(&names))?,
                solve: None,
            });
        }
        Ok(found)
    }
}

/// Why a stream of a file has failed.
#[derive(Debug, thiserror::Error)]
#[error("the file cannot be read or written: {}", .0.name())]
pub(super) struct FileError(ErrorCode);

impl types::Host for Files<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        match self.wasi.table.get(&error)?.downcast_ref() {
            Some(FileError(code)) => Ok(Some(*code)),
            None => types::Host::filesystem_error_code(&mut self.wasi, error),
        }
    }
}
