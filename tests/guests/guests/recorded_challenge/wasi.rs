//! Files without the standard library: every function there is, and streams that are
//! waited for.

use proctor_sdk::wasip2;
use std::fmt::Debug;
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
    filesystem_error_code,
};
use wasip2::http::types::{Fields, OutgoingRequest};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, StreamError};

/// A file of 150,000 bytes, as the test has made it.
const MANY: &str = "many";

fn told<T: Debug>(value: T) -> String {
    format!("{value:?}")
}

/// A stream's error, with all that can be learned of it.
fn stream<T: Debug>(result: Result<T, StreamError>) -> String {
    match result {
        Err(StreamError::LastOperationFailed(error)) => {
            told((filesystem_error_code(&error), error.to_debug_string()))
        }
        other => told(other),
    }
}

fn open(root: &Descriptor, path: &str, flags: OpenFlags) -> Result<Descriptor, ErrorCode> {
    let mode = DescriptorFlags::READ | DescriptorFlags::WRITE;
    root.open_at(PathFlags::empty(), path, flags, mode)
}

/// Calls every function, and tells what came of each.
pub(crate) fn all() -> Vec<String> {
    let mut seen = Vec::new();
    let directories = get_directories();
    seen.push(told(
        directories.iter().map(|(_, name)| name).collect::<Vec<_>>(),
    ));
    let Some((root, _)) = directories.first() else {
        return seen;
    };
    let no = PathFlags::empty();
    for path in ["there", "missing", "../secret"] {
        seen.push(told(root.stat_at(no, path)));
        seen.push(told(root.metadata_hash_at(PathFlags::SYMLINK_FOLLOW, path)));
    }
    seen.push(told(root.stat()));
    seen.push(told(root.get_type()));
    seen.push(told(root.get_flags()));
    seen.push(told(root.read(10, 0)));
    match root.read_directory() {
        Ok(entries) => {
            while let Ok(Some(entry)) = entries.read_directory_entry() {
                seen.push(told(entry));
            }
        }
        Err(code) => seen.push(told(code)),
    }
    seen.push(told(root.create_directory_at("new")));
    seen.push(told(root.create_directory_at("new")));
    let Ok(file) = open(root, "new/file", OpenFlags::CREATE | OpenFlags::EXCLUSIVE) else {
        return seen;
    };
    seen.push(told(file.write(&b"0123456789".repeat(10), 5)));
    seen.push(told(file.read(20, 0)));
    seen.push(told(file.read(20, 200)));
    seen.push(told(file.set_size(50)));
    seen.push(told(file.advise(0, 10, Advice::Random)));
    seen.push(told(
        file.set_times(NewTimestamp::NoChange, NewTimestamp::Now),
    ));
    seen.push(told(root.set_times_at(
        no,
        "new/file",
        NewTimestamp::Timestamp(wasip2::clocks::wall_clock::now()),
        NewTimestamp::NoChange,
    )));
    seen.push(told(file.stat()));
    seen.push(told(file.get_type()));
    seen.push(told(file.get_flags()));
    seen.push(told(file.metadata_hash()));
    seen.push(told(file.sync()));
    seen.push(told(file.sync_data()));
    seen.push(told(file.is_same_object(root)));
    seen.push(told(root.link_at(no, "new/file", root, "new/link")));
    if let Ok(link) = open(root, "new/link", OpenFlags::empty()) {
        seen.push(told(file.is_same_object(&link)));
    }
    seen.push(told(root.symlink_at("file", "new/soft")));
    seen.push(told(root.readlink_at("new/soft")));
    seen.push(told(root.rename_at("new/link", root, "new/moved")));
    seen.extend(streams(&file));
    seen.push(told(root.read_via_stream(0).map(drop)));
    seen.push(told(root.append_via_stream().map(drop)));
    for path in ["new/moved", "new/soft", "new/file", "new/file"] {
        seen.push(told(root.unlink_file_at(path)));
    }
    seen.push(told(root.remove_directory_at("new")));
    seen.push(told(root.remove_directory_at("new")));
    seen
}

fn streams(file: &Descriptor) -> Vec<String> {
    let mut seen = Vec::new();
    if let Ok(writing) = file.write_via_stream(10) {
        seen.push(stream(writing.check_write()));
        seen.push(stream(writing.write(b"through a stream")));
        seen.push(stream(writing.write_zeroes(3)));
        seen.push(stream(writing.flush()));
        seen.push(stream(writing.blocking_write_and_flush(b"and more")));
    }
    if let Ok(appending) = file.append_via_stream() {
        seen.push(stream(appending.blocking_write_and_flush(b"appended")));
        if let Ok(reading) = file.read_via_stream(0) {
            seen.push(stream(appending.splice(&reading, 7)));
            seen.push(stream(reading.skip(3)));
        }
    }
    // Beyond what a file may have.
    if let Ok(writing) = file.write_via_stream(i64::MAX as u64) {
        seen.push(stream(writing.blocking_write_and_flush(b"far")));
        seen.push(stream(writing.check_write()));
    }
    if let Ok(reading) = file.read_via_stream(0) {
        seen.push(stream(reading.read(0)));
        seen.push(stream(reading.read(1_000)));
        seen.push(stream(reading.read(1_000)));
        seen.push(stream(reading.read(1_000)));
    }
    seen
}

/// Reads a file in three streams at once, each as soon as it is ready, while a timer
/// runs; tells in which order, and how much at a time.
pub(crate) fn poll_many() -> Vec<String> {
    let mut seen = Vec::new();
    let directories = get_directories();
    let Some((root, _)) = directories.first() else {
        return seen;
    };
    let flags = DescriptorFlags::READ;
    let opened = root.open_at(PathFlags::empty(), MANY, OpenFlags::empty(), flags);
    let file = match opened {
        Ok(file) => file,
        Err(code) => return vec![told(code)],
    };
    let streams: Vec<InputStream> = [0, 70_000, 149_000]
        .into_iter()
        .filter_map(|offset| file.read_via_stream(offset).ok())
        .collect();
    let timer = monotonic_clock::subscribe_duration(1_000_000);
    let mut pollables: Vec<_> = streams.iter().map(InputStream::subscribe).collect();
    seen.push(told(
        pollables.iter().map(|p| p.ready()).collect::<Vec<_>>(),
    ));
    pollables.push(timer);
    let mut open = streams.len();
    let mut is_open = vec![true; streams.len()];
    while open > 0 {
        let waited: Vec<_> = pollables.iter().collect();
        for index in poll(&waited) {
            let index = index as usize;
            let (Some(reading), Some(is_open)) = (streams.get(index), is_open.get_mut(index))
            else {
                seen.push("timer".into());
                continue;
            };
            if !*is_open {
                continue;
            }
            match reading.read(1 << 30) {
                Ok(bytes) => seen.push(told((index, bytes.len(), bytes.first()))),
                Err(error) => {
                    seen.push(told((index, stream::<()>(Err(error)))));
                    *is_open = false;
                    open -= 1;
                }
            }
        }
    }
    seen
}

/// Opens streams until there is no place for more.
pub(crate) fn hoard() -> Vec<String> {
    let directories = get_directories();
    let Some((root, _)) = directories.first() else {
        return Vec::new();
    };
    let opened = open(root, MANY, OpenFlags::empty());
    let Ok(file) = opened else {
        return Vec::new();
    };
    let mut streams = Vec::new();
    while let Ok(reading) = file.read_via_stream(0) {
        streams.push(reading);
    }
    vec![streams.len().to_string()]
}

/// Asks again and again whether there is room in the body of a request that is never
/// sent; tells how often there was.
pub(crate) fn ask_body() -> usize {
    let request = OutgoingRequest::new(Fields::new());
    let Ok(body) = request.body() else {
        return 0;
    };
    let Ok(writing) = body.write() else {
        return 0;
    };
    let room = writing.subscribe();
    (0..10_000).filter(|_| room.ready()).count()
}
