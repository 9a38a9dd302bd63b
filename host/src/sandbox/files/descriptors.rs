//! The methods of descriptors, and what is read of directories.

use super::answers::{Answer, new_time, open_flags, path_flags};
use super::streams::PLACES;
use super::{Files, taped};
use crate::canonical;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsResult};

type Fd = Resource<Descriptor>;

/// The same for another function.
fn borrow(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

/// Keeps what a call made, and answers that it did.
fn keep<T>(made: &mut Option<T>, result: FsResult<T>) -> FsResult<()> {
    result.map(|value| *made = Some(value))
}

impl HostDescriptor for Files<'_> {
    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        self.want_places(PLACES)?;
        let mut made = None;
        taped!(self, "filesystem.read-via-stream", of fd, {"offset": offset.to_json()},
            keep(&mut made, self.reading(&fd, offset)))?;
        Ok(self.add_reading(made)?)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        self.want_places(PLACES)?;
        let mut made = None;
        taped!(self, "filesystem.write-via-stream", of fd, {"offset": offset.to_json()},
            keep(&mut made, self.writing(&fd, Some(offset))))?;
        Ok(self.add_writing(made)?)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.want_places(PLACES)?;
        let mut made = None;
        taped!(self, "filesystem.append-via-stream", of fd, {},
            keep(&mut made, self.writing(&fd, None)))?;
        Ok(self.add_writing(made)?)
    }

    async fn advise(&mut self, fd: Fd, offset: u64, len: u64, advice: Advice) -> FsResult<()> {
        let name = match advice {
            Advice::Normal => "normal",
            Advice::Sequential => "sequential",
            Advice::Random => "random",
            Advice::WillNeed => "will-need",
            Advice::DontNeed => "dont-need",
            Advice::NoReuse => "no-reuse",
        };
        taped!(self, "filesystem.advise", of fd,
            {"advice": name, "length": len.to_json(), "offset": offset.to_json()},
            self.wasi.advise(borrow(&fd), offset, len, advice).await)
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        taped!(self, "filesystem.sync-data", of fd, {},
            self.wasi.sync_data(borrow(&fd)).await)
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        taped!(self, "filesystem.get-flags", of fd, {},
            self.wasi.get_flags(borrow(&fd)).await)
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        taped!(self, "filesystem.get-type", of fd, {},
            self.wasi.get_type(borrow(&fd)).await)
    }

    async fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        taped!(self, "filesystem.set-size", of fd, {"size": size.to_json()},
            self.wasi.set_size(borrow(&fd), size).await)
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        taped!(self, "filesystem.set-times", of fd,
            {"accessed": new_time(accessed), "modified": new_time(modified)},
            self.wasi.set_times(borrow(&fd), accessed, modified).await)
    }

    async fn read(&mut self, fd: Fd, len: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        taped!(self, "filesystem.read", of fd,
            {"length": len.to_json(), "offset": offset.to_json()},
            self.wasi.read(borrow(&fd), len, offset).await)
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        taped!(self, "filesystem.write", of fd,
            {
                "length": bytes.len(),
                "offset": offset.to_json(),
                "sha256": canonical::digest(&bytes),
            },
            self.wasi.write(borrow(&fd), bytes, offset).await)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        self.want_places(1)?;
        let mut made = None;
        taped!(self, "filesystem.read-directory", of fd, {},
            keep(&mut made, self.wasi.read_directory(borrow(&fd)).await))?;
        Ok(self.open(made)?)
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        taped!(self, "filesystem.sync", of fd, {},
            self.wasi.sync(borrow(&fd)).await)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        taped!(self, "filesystem.create-directory-at", of fd, {"path": path},
            self.wasi.create_directory_at(borrow(&fd), path).await)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        taped!(self, "filesystem.stat", of fd, {},
            self.wasi.stat(borrow(&fd)).await)
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        taped!(self, "filesystem.stat-at", of fd,
            {"path": path, "path-flags": path_flags(flags)},
            self.wasi.stat_at(borrow(&fd), flags, path).await)
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        taped!(self, "filesystem.set-times-at", of fd,
            {
                "accessed": new_time(accessed),
                "modified": new_time(modified),
                "path": path,
                "path-flags": path_flags(flags),
            },
            self.wasi.set_times_at(borrow(&fd), flags, path, accessed, modified).await)
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        to: Fd,
        new_path: String,
    ) -> FsResult<()> {
        taped!(self, "filesystem.link-at", of fd and to,
            {
                "new-descriptor": self.number(&to),
                "new-path": new_path,
                "path": path,
                "path-flags": path_flags(flags),
            },
            self.wasi.link_at(borrow(&fd), flags, path, borrow(&to), new_path).await)
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        open: OpenFlags,
        mode: DescriptorFlags,
    ) -> FsResult<Fd> {
        self.want_places(1)?;
        let mut made = None;
        taped!(self, "filesystem.open-at", of fd,
            {
                "flags": mode.to_json(),
                "open-flags": open_flags(open),
                "path": path,
                "path-flags": path_flags(flags),
            },
            keep(&mut made, self.wasi.open_at(borrow(&fd), flags, path, open, mode).await))?;
        Ok(self.open(made)?)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        taped!(self, "filesystem.readlink-at", of fd, {"path": path},
            self.wasi.readlink_at(borrow(&fd), path).await)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        taped!(self, "filesystem.remove-directory-at", of fd, {"path": path},
            self.wasi.remove_directory_at(borrow(&fd), path).await)
    }

    async fn rename_at(&mut self, fd: Fd, path: String, to: Fd, new_path: String) -> FsResult<()> {
        taped!(self, "filesystem.rename-at", of fd and to,
            {"new-descriptor": self.number(&to), "new-path": new_path, "path": path},
            self.wasi.rename_at(borrow(&fd), path, borrow(&to), new_path).await)
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        taped!(self, "filesystem.symlink-at", of fd, {"path": path, "target": target},
            self.wasi.symlink_at(borrow(&fd), target, path).await)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        taped!(self, "filesystem.unlink-file-at", of fd, {"path": path},
            self.wasi.unlink_file_at(borrow(&fd), path).await)
    }

    async fn is_same_object(&mut self, fd: Fd, other: Fd) -> wasmtime::Result<bool> {
        let same: FsResult<bool> = async {
            taped!(self, "filesystem.is-same-object", of fd and other,
                {"other": self.number(&other)},
                // What cannot be looked at is not known to be the same: a trap would
                // be the guest's fault.
                Ok(self.wasi.is_same_object(borrow(&fd), borrow(&other)).await.unwrap_or(false)))
        }
        .await;
        match same {
            Ok(same) => Ok(same),
            Err(error) => error.downcast().map(|_| false),
        }
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        taped!(self, "filesystem.metadata-hash", of fd, {},
            self.wasi.metadata_hash(borrow(&fd)).await)
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        taped!(self, "filesystem.metadata-hash-at", of fd,
            {"path": path, "path-flags": path_flags(flags)},
            self.wasi.metadata_hash_at(borrow(&fd), flags, path).await)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        Ok(self.close(fd)?)
    }
}

impl HostDirectoryEntryStream for Files<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        taped!(self, "filesystem.directory.read", of stream, {},
            self.wasi.read_directory_entry(stream).await)
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        Ok(self.close(stream)?)
    }
}
