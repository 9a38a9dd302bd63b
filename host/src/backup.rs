//! `scoring_results.json`: everything that a host knows, in one file that is replaced
//! as a whole, and that `proctor restore` brings everything back from.
//!
//! It is private: it holds the keys of sealed commits and the seed of the deployment,
//! without which a host cannot go on. It is made readable for nobody but its owner.
//! Artifacts and the metagraph are not in it.

mod draft;
mod read;
mod results;
mod write;

pub(crate) use draft::Draft;
pub use read::{Backup, Header};
pub use write::{Written, write};

use crate::clock;
use crate::scoring::Pipeline;
use crate::store::StoreError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Seconds between looks whether a day was finalized.
const LOOK: f64 = 1.0;

/// Why a backup was not written, or not read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The database cannot be used, or does not take what is in the file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is no backup, or not as it was written.
    #[error("{path} is not a whole backup: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is of a later version.
    #[error("{path} is a backup of version {found}, and this program knows {VERSION}: use a newer one", VERSION = write::VERSION)]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The file is one of the API that Proctor replaces.
    #[error(
        "{path} holds {results} results of the scoring API that Proctor replaces. They do \
         not tell with which version of a challenge, settings, seed and limits they were \
         made, so none of them can be taken as a score. Nothing was restored: the host \
         scores again what validators still tell of"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Results in it.
        results: usize,
    },
}

/// Keeps the backup up to date: it is written at once when a day is finalized, within
/// `backup.interval_s` after any other change, and once more at the stop. What fails is
/// tried again after that time; scoring goes on.
///
/// Stop it after all that changes the database.
pub async fn run(pipeline: Pipeline, stop: CancellationToken) {
    let mut keeper = Keeper::new(pipeline);
    let period = keeper.period;
    let mut changes = keeper.pipeline.results().changes();
    let mut looks = interval(period.min(Duration::from_secs_f64(LOOK)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = Instant::now();
    let mut finalized = keeper.finalized().await;
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            _ = looks.tick() => false,
            Ok(()) = changes.changed() => false,
        };
        let now_finalized = keeper.finalized().await;
        if stopping || now_finalized != finalized || Instant::now() >= due {
            finalized = now_finalized;
            keeper.keep().await;
            due = Instant::now() + period;
        }
        if stopping {
            return;
        }
    }
}

struct Keeper {
    pipeline: Pipeline,
    path: PathBuf,
    period: Duration,
    /// What the database was at when the file was written.
    written: Option<String>,
    /// Whether the file that is there was looked at.
    looked: bool,
}

impl Keeper {
    fn new(pipeline: Pipeline) -> Self {
        let path = pipeline.config.backup_path();
        let period = Duration::from_secs_f64(pipeline.config.backup.interval_s.max(0.01));
        if let Some(at) = written_at(&path) {
            pipeline.metrics.backed_up(at);
        }
        Keeper {
            pipeline,
            path,
            period,
            written: None,
            looked: false,
        }
    }

    async fn finalized(&self) -> Option<i64> {
        self.pipeline.store.ledger_length().await.ok()
    }

    /// Writes the backup if there is anything that it does not tell.
    async fn keep(&mut self) {
        let now = clock::unix_now();
        match self.write(now).await {
            Ok(Some(written)) => {
                let of = |part| written.rows.get(part).copied().unwrap_or_default();
                tracing::info!(
                    path = %self.path.display(),
                    bytes = written.bytes,
                    results = of("results"),
                    commits = of("commits"),
                    "backup written"
                );
                self.pipeline.metrics.backed_up(now);
                self.written = Some(written.mark);
            }
            Ok(None) => {}
            Err(error) => {
                let retry_in_s = self.period.as_secs_f64();
                tracing::error!(%error, retry_in_s, "backup not written");
            }
        }
    }

    async fn write(&mut self, now: f64) -> Result<Option<Written>, BackupError> {
        let store = &self.pipeline.store;
        // An empty database has nothing to tell, and may be one that was lost.
        let Some(mark) = store.mark().await? else {
            return Ok(None);
        };
        if !self.looked {
            let fresh = format!("{:032x}", rand::random::<u128>());
            let database = store.database_id(fresh).await?;
            let known = look(&self.path, &database, now).map_err(|error| BackupError::Io {
                path: self.path.clone(),
                error,
            })?;
            self.written = known;
            self.looked = true;
        }
        if self.written.as_ref() == Some(&mark) {
            return Ok(None);
        }
        let seed = self.pipeline.deployment_seed();
        write(store, seed, &self.path, now).await.map(Some)
    }
}

/// When the file that is there was written, in seconds since the Unix epoch.
fn written_at(path: &Path) -> Option<f64> {
    let at = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

/// What the file that is there was written at. A file that is not of this database is
/// moved aside: it may be all that is left of another.
fn look(path: &Path, database: &str, now: f64) -> io::Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let header = read::header(path)?;
    if let Some(header) = header.filter(|h| h.database.as_deref() == Some(database)) {
        return Ok(Some(header.mark));
    }
    let mut aside = path.to_owned().into_os_string();
    aside.push(format!(".kept-{}", now as u64));
    std::fs::rename(path, &aside)?;
    tracing::warn!(
        path = %path.display(),
        aside = %Path::new(&aside).display(),
        "the backup is not of this database: moved aside"
    );
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use serde_json::{Value, json};
    use std::fs;

    struct Room {
        directory: tempfile::TempDir,
        store: Store,
    }

    impl Room {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::open(&directory.path().join("db")).unwrap();
            Room { directory, store }
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join("scoring_results.json")
        }

        /// With one evaluation, of one commit.
        async fn filled() -> Self {
            let room = Room::new();
            let digest = "0".repeat(64);
            let evaluation = json!({
                "id": 4, "challenge": "c", "plugin_digest": digest, "settings_digest": digest,
                "artifact_digest": digest, "engine": "e", "seed": -7, "now": 0.5,
                "state": "done", "queued_at": 1.0, "not_before": 1.0, "attempts": 2,
                "outcome": "ok", "fuel": 9, "finished_at": 2.0,
                "logs": r#"[{"task":"[1]","solution":"2","score":0.3,"baseline_score":null,"error":null}]"#,
            });
            let commit = json!({
                "id": 3, "challenge": "c", "miner_hotkey": "m", "miner_uid": 1,
                "encrypted_commit": "e", "committed_at": 1.5, "key": "k", "revision": 9,
                "state": "evaluated", "text": "c---a", "artifact": "a", "artifact_digest": digest,
                "batch_day": "2026-08-22", "evaluation_id": 4,
            });
            let row = |value: Value| value.as_object().cloned().unwrap();
            let loaded: Result<(), StoreError> = room
                .store
                .load(move |insert| {
                    insert("header", row(json!({"schema": 2})))?;
                    insert("results", row(evaluation))?;
                    insert("commits", row(commit))
                })
                .await;
            loaded.unwrap();
            room
        }

        async fn dump(&self) -> Vec<String> {
            let lines = self.store.dump(Vec::new(), |lines, part, row| {
                lines.push(format!("{part} {row:?}"));
                Ok(())
            });
            lines.await.unwrap().unwrap()
        }
    }

    #[tokio::test]
    async fn what_is_written_comes_back_to_the_byte() {
        let room = Room::filled().await;
        let written = write(&room.store, 7, &room.file(), 5.0).await.unwrap();
        assert_eq!((written.rows["results"], written.rows["commits"]), (1, 1));
        assert_eq!(written.bytes, fs::metadata(room.file()).unwrap().len());

        let other = Room::new();
        // What a host notes before it has done anything.
        assert_eq!(other.store.seed(None, 1).await.unwrap(), 1);
        let backup = Backup::open(&room.file()).unwrap();
        assert_eq!(
            (backup.header.seed(), backup.header.written_at),
            (Some(7), 5.0)
        );
        let rows = backup.restore(&other.store).await.unwrap();
        assert_eq!((rows["results"], rows["commits"]), (1, 1));
        assert_eq!(other.store.seed(None, 1).await.unwrap(), 7);
        write(&other.store, 7, &other.file(), 5.0).await.unwrap();
        room.store.seed(Some(7), 0).await.unwrap();
        let (before, after) = (room.dump().await, other.dump().await);
        let is_row = |line: &&String| !line.starts_with("header") && !line.starts_with("meta");
        assert_eq!(
            before.iter().filter(is_row).collect::<Vec<_>>(),
            after.iter().filter(is_row).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn the_file_is_one_json_object_with_an_item_for_each_result() {
        let room = Room::filled().await;
        write(&room.store, u64::MAX, &room.file(), 5.0)
            .await
            .unwrap();
        let file: Value = serde_json::from_slice(&fs::read(room.file()).unwrap()).unwrap();
        assert_eq!(file["version"], 1);
        assert_eq!(file["seed"], u64::MAX.to_string());
        let result = &file["results"][0];
        assert_eq!(result["docker_hub_id"], "a");
        assert_eq!(result["scoring_logs"][0]["miner_input"], json!([1]));
        assert_eq!(result["proctor"]["seed"], -7);
        assert_eq!(result["proctor"]["attempts"], 2);
        assert_eq!(file["commits"][0]["key"], "k");
    }

    #[tokio::test]
    async fn any_change_of_the_file_is_seen_and_nothing_is_restored() {
        let room = Room::filled().await;
        write(&room.store, 7, &room.file(), 5.0).await.unwrap();
        let whole = fs::read(room.file()).unwrap();
        let place = whole.windows(3).position(|at| at == b"0.3").unwrap();
        let mut tampered = whole.clone();
        tampered[place + 2] = b'9';
        let cut = |end: usize| whole[..end].to_vec();
        for file in [
            tampered,
            cut(whole.len() - 1),
            cut(whole.len() / 2),
            cut(10),
            Vec::new(),
            b"not JSON".to_vec(),
            [whole.clone(), b" ".to_vec()].concat(),
        ] {
            fs::write(room.file(), file).unwrap();
            let error = Backup::open(&room.file()).unwrap_err();
            assert!(matches!(error, BackupError::Malformed { .. }), "{error}");
        }
    }

    #[test]
    fn a_file_of_the_replaced_api_is_told_from_a_broken_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let item = json!({"challenge_name": "c", "docker_hub_id": "a", "scoring_logs": [{}],
                          "comparison_logs": {}});
        fs::write(&path, format!(" {}", json!([item, item]))).unwrap();
        let error = Backup::open(&path).unwrap_err();
        assert!(
            matches!(error, BackupError::Foreign { results: 2, .. }),
            "{error}"
        );
        fs::write(&path, "[{}]").unwrap();
        let error = Backup::open(&path).unwrap_err();
        assert!(matches!(error, BackupError::Malformed { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_backup_of_another_database_is_not_overwritten() {
        let room = Room::filled().await;
        write(&room.store, 7, &room.file(), 5.0).await.unwrap();
        let mark = room.store.mark().await.unwrap();
        let database = room.store.database_id(String::new()).await.unwrap();
        assert_eq!(look(&room.file(), &database, 9.0).unwrap(), mark);
        let whole = fs::read(room.file()).unwrap();
        assert_eq!(look(&room.file(), "another", 9.0).unwrap(), None);
        assert!(!room.file().exists());
        let aside = room.directory.path().join("scoring_results.json.kept-9");
        assert_eq!(fs::read(aside).unwrap(), whole);
    }
}
