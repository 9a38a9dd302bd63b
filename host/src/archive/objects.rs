//! The archive as a directory or a bucket.

use super::access::Secrets;
use super::{ArchiveAccess, ArchiveError, answer, s3};
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Files that are written at the same time.
const AT_ONCE: usize = 8;

pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    /// `None` for a directory.
    secrets: Option<Secrets>,
}

/// The store itself may print what it was built with.
impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("store", &self.store.to_string())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Objects {
    pub(super) fn directory(path: &Path) -> Result<Self, ArchiveError> {
        let problem = |error| ArchiveError::Write(format!("{}: {error}", path.display()));
        make_directory(path).map_err(problem)?;
        let store = LocalFileSystem::new_with_prefix(path)
            .map_err(|error| ArchiveError::Write(answer::with_causes(&error)))?;
        Ok(Self {
            // A file has another name until it is whole.
            store: Arc::new(store.with_fsync(true)),
            prefix: ObjectPath::default(),
            secrets: None,
        })
    }

    pub(super) fn s3(
        bucket: &str,
        prefix: &str,
        access: &ArchiveAccess,
        timeout: Duration,
    ) -> Result<Self, ArchiveError> {
        let secrets = access.secrets();
        let problem = |error: &dyn Error| {
            let problem = answer::with_causes(error);
            ArchiveError::Access(secrets.excerpt(&problem))
        };
        let prefix = ObjectPath::parse(prefix).map_err(|error| problem(&error))?;
        let store = s3::open(bucket, access, timeout).map_err(|error| problem(&error))?;
        Ok(Self {
            store: Arc::new(store),
            prefix,
            secrets: Some(secrets),
        })
    }

    pub(super) async fn put(&self, files: BTreeMap<String, Bytes>) -> Result<(), ArchiveError> {
        let mut writing = JoinSet::new();
        for (path, content) in files {
            if writing.len() >= AT_ONCE {
                self.next_written(&mut writing).await?;
            }
            let store = Arc::clone(&self.store);
            let object = path.split('/').fold(self.prefix.clone(), ObjectPath::join);
            writing.spawn(async move {
                let put = store.put(&object, content.into()).await;
                put.map(drop).map_err(|error| (path, error))
            });
        }
        while !writing.is_empty() {
            self.next_written(&mut writing).await?;
        }
        Ok(())
    }

    async fn next_written(
        &self,
        writing: &mut JoinSet<Result<(), (String, object_store::Error)>>,
    ) -> Result<(), ArchiveError> {
        match writing.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err((path, error)))) => Err(self.problem(&path, &error)),
            Some(Err(error)) => Err(ArchiveError::Write(error.to_string())),
        }
    }

    fn problem(&self, path: &str, error: &object_store::Error) -> ArchiveError {
        let Some(secrets) = &self.secrets else {
            return ArchiveError::Write(format!("{path}: {}", answer::with_causes(error)));
        };
        let request = format!("a PUT of {path}");
        match s3::failure(error) {
            s3::Failure::Refused(refused) => ArchiveError::Refused {
                request,
                status: refused.status,
                answer: secrets.excerpt(&refused.answer),
            },
            s3::Failure::Other(problem) => ArchiveError::Unreachable {
                request,
                problem: secrets.excerpt(&problem),
            },
        }
    }
}

/// Makes a directory so that it is there after a power cut too, as what is put into
/// it later.
fn make_directory(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let missing = path.ancestors().take_while(|path| !path.exists());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(&path)?;
    for parent in missing.into_iter().filter_map(Path::parent) {
        fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}
