//! Compiled components on disk.
//!
//! A file is called by the component's digest and the engine's compatibility
//! hash, starts with the SHA-256 of what follows, and is put in place by rename.
//! Anything wrong with it (another engine, a torn write, a flipped bit) means
//! that the component is compiled again, never an error.
//!
//! The only place with `unsafe`: wasmtime runs the machine code in a file as it
//! stands. The directory is made with mode 0700, and no file is read that this
//! process' user did not write there.
#![allow(unsafe_code)]

use super::sha256_hex;
use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Where a compiled component came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// From the cache.
    Hit,
    /// It was compiled.
    Miss,
}

#[derive(Debug)]
pub(super) struct CompileCache {
    directory: PathBuf,
    max_bytes: u64,
    compatibility: String,
}

impl CompileCache {
    /// Opens the cache in `directory`, which is made if it is not there.
    pub(super) fn open(directory: &Path, max_bytes: u64, engine: &Engine) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let metadata = fs::metadata(directory)?;
        if metadata.permissions().mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "others may write to the compile cache: chmod 700 it",
            ));
        }
        Ok(CompileCache {
            directory: directory.to_owned(),
            max_bytes,
            compatibility: compatibility(engine),
        })
    }

    /// Compiles a component, or takes it from the cache.
    ///
    /// # Errors
    ///
    /// The component is invalid. A fault of the cache is logged and worked
    /// around.
    pub(super) fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
    ) -> wasmtime::Result<(Component, CacheUse)> {
        let path = self.path(&sha256_hex(bytes));
        if let Some(component) = self.load(engine, &path) {
            return Ok((component, CacheUse::Hit));
        }
        let component = Component::from_binary(engine, bytes)?;
        let stored = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| self.store(&path, &code));
        if let Err(error) = stored {
            tracing::warn!(path = %path.display(), %error, "cannot write to the compile cache");
        }
        Ok((component, CacheUse::Miss))
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory
            .join(format!("{digest}-{}.cwasm", self.compatibility))
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let file = fs::File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        if metadata.uid() != fs::metadata(&self.directory).ok()?.uid() {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (checksum, code) = bytes.split_at_checked(32)?;
        if checksum != Sha256::digest(code).as_slice() {
            tracing::warn!(path = %path.display(), "damaged file in the compile cache");
            return None;
        }
        // The least recently used are dropped first. Where the time cannot be
        // set, the file only goes sooner.
        let _ = file.set_modified(SystemTime::now());
        // SAFETY: the checksum shows that this is what `store` wrote, into a
        // directory that no other user may write to; wasmtime itself refuses
        // code of another version or of other settings.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    fn store(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.persist(path)?;
        self.shrink(path)
    }

    /// Removes the least recently used files until the rest fits.
    fn shrink(&self, keep: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= self.max_bytes {
                break;
            }
            if path != keep {
                fs::remove_file(&path)?;
                total -= size;
            }
        }
        Ok(())
    }
}

/// What must be the same for compiled code to be usable: version and settings of
/// wasmtime, and the processor.
fn compatibility(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let mut hex = hex::encode(hasher.0.finalize());
    hex.truncate(16);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn with_cache(max_bytes: u64, test: impl FnOnce(&CompileCache, &Engine)) {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache =
            CompileCache::open(&directory.path().join("cache"), max_bytes, &engine).unwrap();
        test(&cache, &engine);
    }

    fn files(cache: &CompileCache) -> Vec<PathBuf> {
        let entries = fs::read_dir(&cache.directory).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn the_second_time_is_a_hit() {
        with_cache(1 << 20, |cache, engine| {
            assert_eq!(cache.component(engine, EMPTY).unwrap().1, CacheUse::Miss);
            assert_eq!(cache.component(engine, EMPTY).unwrap().1, CacheUse::Hit);
            assert_eq!(files(cache).len(), 1);
        });
    }

    #[test]
    fn a_damaged_file_is_compiled_again() {
        with_cache(1 << 20, |cache, engine| {
            cache.component(engine, EMPTY).unwrap();
            let path = files(cache).remove(0);
            let good = fs::read(&path).unwrap();
            for damage in [&good[..good.len() - 1], &good[..3], b"", &[0; 100]] {
                fs::write(&path, damage).unwrap();
                assert_eq!(cache.component(engine, EMPTY).unwrap().1, CacheUse::Miss);
                assert_eq!(fs::read(&path).unwrap(), good);
            }
        });
    }

    #[test]
    fn the_directory_does_not_grow_beyond_its_limit() {
        with_cache(1, |cache, engine| {
            cache.component(engine, EMPTY).unwrap();
            let named = b"\0asm\x0d\0\x01\0\0\x02\x01a";
            cache.component(engine, named).unwrap();
            assert_eq!(files(cache), [cache.path(&sha256_hex(named))]);
        });
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = CompileCache::open(directory.path(), 1, &Engine::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
