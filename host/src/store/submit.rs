//! Submissions that miners hand in at a challenge's own routes: commits that nobody
//! sealed and no validator saw.

use super::commits::{self, NEXT_REVISION};
use super::{Store, StoreError};
use rusqlite::{OptionalExtension, Transaction};

/// Submissions of one miner to a challenge that one day takes in, at most: each costs
/// an evaluation, and only the last few are judged.
const PER_DAY: u32 = 50;

/// What a miner hands in.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// The challenge.
    pub challenge: String,
    /// The miner's hotkey.
    pub miner_hotkey: String,
    /// The miner's uid.
    pub miner_uid: u16,
    /// SHA-256 of the artifact, 64 lower-case hexadecimal digits.
    pub artifact_digest: String,
    /// When, in seconds since the Unix epoch.
    pub uploaded_at: f64,
    /// The first day whose scoring hour is not before, `YYYY-MM-DD`.
    pub day: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uploaded {
    /// It is a commit.
    Taken {
        /// The commit's number.
        id: i64,
        /// The day that takes it in.
        day: String,
        /// Whether it was one before.
        known: bool,
    },
    /// The miner has handed in as many as a day takes in. Nothing changed.
    TooMany,
}

impl Upload {
    /// What stands in the place of a ciphertext. It has the hotkey in it, so that no
    /// two miners have the same: what is shown and archived of a commit is found by it.
    pub fn name(&self) -> String {
        upload_name(&self.miner_hotkey, &self.artifact_digest)
    }
}

/// [`Upload::name`] of a miner and an artifact: its SHA-256, 64 lower-case hexadecimal
/// digits.
pub fn upload_name(miner_hotkey: &str, artifact_digest: &str) -> String {
    format!("upload:{miner_hotkey}:sha256:{artifact_digest}")
}

impl Store {
    /// Makes a revealed commit of what a miner hands in, once for each artifact; it
    /// belongs to `day`, or to the first later one that its challenge is not finalized
    /// on.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn submit(&self, upload: Upload) -> Result<Uploaded, StoreError> {
        self.write(move |tx| {
            if let Some(known) = find(tx, &upload)? {
                return Ok(known);
            }
            let day = open_day(tx, &upload)?;
            let sql = "SELECT count(*) FROM commits WHERE challenge = ?1 AND miner_hotkey = ?2
                           AND batch_day = ?3 AND encrypted_commit GLOB 'upload:*'";
            let count: u32 = tx
                .prepare_cached(sql)?
                .query_row((&upload.challenge, &upload.miner_hotkey, &day), |row| {
                    row.get(0)
                })?;
            if count >= PER_DAY {
                return Ok(Uploaded::TooMany);
            }
            // A validator may have told of such a name, without a key, so it is sealed;
            // or newer versions of another day have left it behind.
            let sql = format!(
                "INSERT INTO commits (challenge, miner_hotkey, miner_uid, encrypted_commit,
                     committed_at, state, text, artifact, artifact_digest, batch_day, revision)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'revealed', ?6, ?7, ?8, ?9, {NEXT_REVISION})
                 ON CONFLICT (challenge, miner_hotkey, encrypted_commit) DO UPDATE SET
                     miner_uid = excluded.miner_uid, committed_at = excluded.committed_at,
                     key = NULL, state = excluded.state, fault = NULL, text = excluded.text,
                     artifact = excluded.artifact, artifact_digest = excluded.artifact_digest,
                     batch_day = excluded.batch_day, evaluation_id = NULL,
                     comparisons = NULL, revision = excluded.revision
                 RETURNING id"
            );
            let artifact = format!("sha256:{}", upload.artifact_digest);
            let id = tx.prepare_cached(&sql)?.query_row(
                (
                    &upload.challenge,
                    &upload.miner_hotkey,
                    upload.miner_uid,
                    upload.name(),
                    upload.uploaded_at,
                    format!("{}---{artifact}", upload.challenge),
                    &artifact,
                    &upload.artifact_digest,
                    &day,
                ),
                |row| row.get(0),
            )?;
            let known = false;
            Ok(Uploaded::Taken { id, day, known })
        })
        .await
    }
}

/// The commit that a miner made of this artifact before, unless nothing will come of it.
fn find(tx: &Transaction<'_>, upload: &Upload) -> Result<Option<Uploaded>, StoreError> {
    let sql = "SELECT id, batch_day FROM commits
               WHERE challenge = ?1 AND miner_hotkey = ?2 AND encrypted_commit = ?3
                   AND batch_day IS NOT NULL AND state <> 'refused'";
    let name = (&upload.challenge, &upload.miner_hotkey, upload.name());
    let found = tx.prepare_cached(sql)?.query_row(name, |row| {
        Ok(Uploaded::Taken {
            id: row.get(0)?,
            day: row.get(1)?,
            known: true,
        })
    });
    Ok(found.optional()?)
}

/// The day of an upload, or the first later one that its challenge may still be
/// finalized on.
fn open_day(tx: &Transaction<'_>, upload: &Upload) -> Result<String, StoreError> {
    let sql = format!("SELECT max(?2, {})", commits::open_day("?1"));
    let day = (&upload.challenge, &upload.day);
    Ok(tx.prepare_cached(&sql)?.query_row(day, |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CommitState;

    fn upload(hotkey: &str, digit: char, at: f64) -> Upload {
        Upload {
            challenge: "c".into(),
            miner_hotkey: hotkey.into(),
            miner_uid: 3,
            artifact_digest: digit.to_string().repeat(64),
            uploaded_at: at,
            day: "2026-08-22".into(),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    fn taken(id: i64, day: &str, known: bool) -> Uploaded {
        Uploaded::Taken {
            id,
            day: day.into(),
            known,
        }
    }

    async fn run(store: &Store, sql: &'static str) {
        let ran = store.write(move |tx| Ok(tx.execute_batch(sql)?));
        ran.await.unwrap();
    }

    #[tokio::test]
    async fn an_upload_is_a_revealed_commit_and_counts_once() {
        let (_directory, store) = store();
        let submit = |upload| store.submit(upload);
        let first = submit(upload("m", 'a', 5.0)).await.unwrap();
        assert_eq!(first, taken(1, "2026-08-22", false));
        let again = submit(upload("m", 'a', 9.0)).await.unwrap();
        assert_eq!(again, taken(1, "2026-08-22", true));
        let other = submit(upload("other", 'a', 9.0)).await.unwrap();
        assert_eq!(other, taken(2, "2026-08-22", false), "of another miner");
        let commit = store.commit(1).await.unwrap();
        let digest = "a".repeat(64);
        assert_eq!(commit.state, CommitState::Revealed);
        assert_eq!(commit.committed_at, Some(5.0));
        assert_eq!(commit.encrypted_commit, format!("upload:m:sha256:{digest}"));
        assert_eq!(commit.text, Some(format!("c---sha256:{digest}")));
        assert_eq!(commit.artifact, Some(format!("sha256:{digest}")));
        assert_eq!(commit.artifact_digest, Some(digest));
        assert_eq!(commit.key, None);
    }

    #[tokio::test]
    async fn an_upload_goes_into_the_first_day_that_is_open() {
        let (_directory, store) = store();
        run(&store, "INSERT INTO challenges VALUES ('c', '2026-08-24')").await;
        let first = store.submit(upload("m", 'a', 5.0)).await.unwrap();
        assert_eq!(first, taken(1, "2026-08-24", false));
        run(
            &store,
            "INSERT INTO finalizations (day, challenge, plugin_digest, outcome, standings,
                 weights, finalized_at)
             VALUES ('2026-08-31', 'c', '', 'ok', '[]', '[]', 1)",
        )
        .await;
        let second = store.submit(upload("m", 'b', 5.0)).await.unwrap();
        assert_eq!(second, taken(2, "2026-09-01", false));
    }

    #[tokio::test]
    async fn a_validator_cannot_take_an_uploads_place() {
        let (_directory, store) = store();
        let name = upload("m", 'a', 5.0).name();
        let made_up = store.write(move |tx| {
            tx.execute(
                "INSERT INTO commits (challenge, miner_hotkey, miner_uid, encrypted_commit,
                     committed_at, key, revision) VALUES ('c', 'm', 9, ?1, 1, 'k', 7)",
                [name],
            )?;
            Ok(())
        });
        made_up.await.unwrap();
        let submitted = store.submit(upload("m", 'a', 5.0)).await.unwrap();
        assert_eq!(submitted, taken(1, "2026-08-22", false));
        let commit = store.commit(1).await.unwrap();
        assert_eq!((commit.state, commit.key), (CommitState::Revealed, None));
        assert_eq!((commit.committed_at, commit.miner_uid), (Some(5.0), 3));
        assert_eq!(commit.revision, 8);
    }

    #[tokio::test]
    async fn what_newer_versions_left_behind_can_be_handed_in_another_day() {
        let (_directory, store) = store();
        store.submit(upload("m", 'a', 5.0)).await.unwrap();
        run(
            &store,
            "UPDATE commits SET state = 'refused', fault = 'superseded'",
        )
        .await;
        let again = Upload {
            day: "2026-08-23".into(),
            ..upload("m", 'a', 9.0)
        };
        let submitted = store.submit(again).await.unwrap();
        assert_eq!(submitted, taken(1, "2026-08-23", false));
        let commit = store.commit(1).await.unwrap();
        assert_eq!((commit.state, commit.fault), (CommitState::Revealed, None));
        assert_eq!(commit.committed_at, Some(9.0));
    }

    #[tokio::test]
    async fn a_day_takes_in_so_many_of_a_miner() {
        let (_directory, store) = store();
        for number in 0..PER_DAY {
            let mut upload = upload("m", '0', 5.0);
            upload.artifact_digest = format!("{number:064x}");
            let submitted = store.submit(upload).await.unwrap();
            assert!(matches!(submitted, Uploaded::Taken { known: false, .. }));
        }
        let one_more = || upload("m", 'f', 5.0);
        let refused = store.submit(one_more()).await.unwrap();
        assert_eq!(refused, Uploaded::TooMany);
        let known = store.submit(upload("m", '0', 5.0)).await.unwrap();
        assert!(matches!(known, Uploaded::Taken { known: true, .. }));
        let tomorrow = Upload {
            day: "2026-08-23".into(),
            ..one_more()
        };
        let submitted = store.submit(tomorrow).await.unwrap();
        assert!(matches!(submitted, Uploaded::Taken { known: false, .. }));
    }
}
