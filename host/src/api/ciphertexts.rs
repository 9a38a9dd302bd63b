//! Ciphertexts by their SHA-256: they are too long and too ugly for a path.

use crate::store::{Store, StoreError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tokio::sync::Mutex;

/// Ciphertexts that are read at a time.
const BATCH: u32 = 5_000;

/// Numbers of commits by the SHA-256 of their ciphertext; some 50 bytes each. Made
/// when it is first asked, and brought up to date when it is asked in vain.
#[derive(Debug, Default)]
pub(super) struct Ciphertexts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    revision: i64,
    commits: HashMap<[u8; 32], i64>,
}

/// The SHA-256 of a ciphertext, in hex.
pub(super) fn digest(encrypted_commit: &str) -> String {
    hex::encode(Sha256::digest(encrypted_commit))
}

impl Ciphertexts {
    /// The ciphertext with this SHA-256, in lower-case hex, of any challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub(super) async fn find(
        &self,
        store: &Store,
        wanted: &str,
    ) -> Result<Option<String>, StoreError> {
        let mut key = [0; 32];
        if hex::decode_to_slice(wanted, &mut key).is_err() {
            return Ok(None);
        }
        let mut known = self.0.lock().await;
        for again in [false, true] {
            if again {
                known.refresh(store).await?;
            }
            let Some(commit) = known.commits.get(&key) else {
                continue;
            };
            // The row may be gone, and its number another's.
            let found = store.ciphertext(*commit).await?;
            if let Some(found) = found.filter(|found| digest(found) == wanted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl Known {
    async fn refresh(&mut self, store: &Store) -> Result<(), StoreError> {
        loop {
            let changed = store.ciphertexts_since(self.revision, BATCH).await?;
            if changed.is_empty() {
                return Ok(());
            }
            for (revision, commit, encrypted) in changed {
                self.revision = self.revision.max(revision);
                let digest = Sha256::digest(&encrypted).into();
                self.commits.insert(digest, commit);
            }
        }
    }
}
