//! What the API shows, page by page.

use super::{CommitRow, CommitState, Store, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

/// Which commits a page is of. What is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct CommitFilter {
    /// Those of this challenge.
    pub challenge: Option<String>,
    /// Those of this miner.
    pub hotkey: Option<String>,
    /// Those of the miner that was last seen at this uid.
    pub uid: Option<u16>,
    /// Those that this day takes in, `YYYY-MM-DD`.
    pub day: Option<String>,
    /// Those that have come this far.
    pub state: Option<CommitState>,
}

/// A commit without its logs, and without its key.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitSummary {
    /// The row's number.
    pub id: i64,
    /// The challenge.
    pub challenge: String,
    /// Who published it.
    pub miner_hotkey: String,
    /// The miner's uid when it was last reported.
    pub miner_uid: u16,
    /// What was published.
    pub encrypted_commit: String,
    /// When, in seconds since the Unix epoch.
    pub committed_at: Option<f64>,
    /// Whether a key is known.
    pub has_key: bool,
    /// How far it has come.
    pub state: CommitState,
    /// Why it is refused or failed: a code, then text for people.
    pub fault: Option<String>,
    /// The artifact's reference, once revealed.
    pub artifact: Option<String>,
    /// The day that takes it in.
    pub batch_day: Option<String>,
    /// The verdict's score.
    pub score: Option<f64>,
    /// The verdict's penalty, 0 to 1.
    pub penalty: Option<f64>,
    /// Whether the verdict accepts it.
    pub accepted: Option<bool>,
    /// When it was judged, in seconds since the Unix epoch.
    pub judged_at: Option<f64>,
    /// The day whose finalization judged it.
    pub finalized_day: Option<String>,
}

/// A finalization without its lists.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalizationSummary {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// The challenge.
    pub challenge: String,
    /// SHA-256 of the plugin that judged and paid.
    pub plugin_digest: String,
    /// SHA-256 of the challenge's settings.
    pub settings_digest: String,
    /// Version and settings of the sandbox, and the limits of its calls.
    pub engine: String,
    /// How `get-weights` ended, a code.
    pub outcome: String,
    /// Commits that were judged, or that the challenge could not judge.
    pub commits: u64,
    /// How many of these are accepted.
    pub accepted: u64,
    /// Miners with a standing.
    pub standings: u64,
    /// The logical time of verdicts and weights, in seconds since the Unix epoch.
    pub scheduled_at: f64,
    /// When it was done, likewise.
    pub finalized_at: f64,
    /// Id of the receipt of the weights, if there is one.
    pub receipt: Option<String>,
    /// The tree of the day's receipts with those that it took in: how many leaves, and
    /// the root's hash.
    pub tree: Option<(u64, String)>,
}

/// The commit behind a standing: (hotkey, SHA-256 of the artifact, time of commit).
pub type StandingKey = (String, String, f64);

/// What validators last published, without the document.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewSummary {
    /// The validator's uid.
    pub validator_uid: u16,
    /// The validator's hotkey.
    pub validator_hotkey: String,
    /// Whether it was taken in.
    pub heard: bool,
    /// By which way it came: `file`, `push` or `storage`.
    pub source: String,
    /// When, in seconds since the Unix epoch.
    pub received_at: f64,
    /// Size of the document, in bytes.
    pub bytes: u64,
    /// Commits that the validator ever told of.
    pub commits: u64,
}

/// What a validator claims of a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedCommit {
    /// The commit.
    pub commit: CommitSummary,
    /// The earliest time that it ever claimed, in seconds since the Unix epoch.
    pub claimed_at: Option<f64>,
    /// When this host first heard of it.
    pub heard_at: f64,
}

/// All that a miner committed to for a challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct MinerHistory {
    /// The challenge.
    pub challenge: String,
    /// The miner.
    pub miner_hotkey: String,
    /// How many versions there are.
    pub versions: u64,
    /// The newest of them, the newest first.
    pub newest: Vec<CommitSummary>,
}

/// A job, or its result.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationSummary {
    /// The row's number.
    pub id: i64,
    /// The challenge.
    pub challenge: String,
    /// SHA-256 of the plugin.
    pub plugin_digest: String,
    /// SHA-256 of the challenge's settings.
    pub settings_digest: String,
    /// SHA-256 of the artifact.
    pub artifact_digest: String,
    /// Version and settings of the sandbox, and the limits of its calls.
    pub engine: String,
    /// The seed of the call.
    pub seed: u64,
    /// The logical time of the call, in seconds since the Unix epoch.
    pub logical_time: f64,
    /// `queued`, `leased`, `done` or `failed`.
    pub state: String,
    /// How the last attempt ended, a code.
    pub outcome: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// Attempts so far.
    pub attempts: u32,
    /// Scoring logs.
    pub logs: u64,
    /// Fuel that the challenge used.
    pub fuel: Option<u64>,
    /// When it was queued, in seconds since the Unix epoch.
    pub queued_at: f64,
    /// When it ended.
    pub finished_at: Option<f64>,
}

/// Versions of one miner's commit that a page shows, at most.
const MAX_VERSIONS: u32 = 100;

const SUMMARY: &str = "commits.id, challenge, miner_hotkey, miner_uid, encrypted_commit,
     committed_at, key IS NOT NULL AS has_key, state, fault, artifact, batch_day, score, penalty,
     accepted, judged_at, finalized_day";

fn summary(row: &Row<'_>) -> Result<CommitSummary, StoreError> {
    Ok(CommitSummary {
        id: row.get("id")?,
        challenge: row.get("challenge")?,
        miner_hotkey: row.get("miner_hotkey")?,
        miner_uid: row.get("miner_uid")?,
        encrypted_commit: row.get("encrypted_commit")?,
        committed_at: row.get("committed_at")?,
        has_key: row.get("has_key")?,
        state: CommitState::from_name(row.get_ref("state")?.as_str().unwrap_or_default())?,
        fault: row.get("fault")?,
        artifact: row.get("artifact")?,
        batch_day: row.get("batch_day")?,
        score: row.get("score")?,
        penalty: row.get("penalty")?,
        accepted: row.get("accepted")?,
        judged_at: row.get("judged_at")?,
        finalized_day: row.get("finalized_day")?,
    })
}

/// All rows of a query.
fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

impl Store {
    /// Commits with a number below `before`, the last that came first, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commit_page(
        &self,
        filter: CommitFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<CommitSummary>, StoreError> {
        // Only what is asked for stands in the query, so that an index can serve it.
        let asked: [(&str, Option<Value>); 6] = [
            ("id < ?", before.map(Value::from)),
            ("challenge = ?", filter.challenge.map(Value::from)),
            ("miner_hotkey = ?", filter.hotkey.map(Value::from)),
            (
                "miner_uid = ?",
                filter.uid.map(|uid| Value::from(i64::from(uid))),
            ),
            ("batch_day = ?", filter.day.map(Value::from)),
            (
                "state = ?",
                filter
                    .state
                    .map(|state| Value::from(state.name().to_owned())),
            ),
        ];
        self.read(move |connection| {
            let mut clauses = vec!["1"];
            let mut values = Vec::new();
            for (clause, value) in asked {
                if let Some(value) = value {
                    clauses.push(clause);
                    values.push(value);
                }
            }
            values.push(Value::from(i64::from(limit)));
            let clauses = clauses.join(" AND ");
            let sql =
                format!("SELECT {SUMMARY} FROM commits WHERE {clauses} ORDER BY id DESC LIMIT ?");
            all(connection, &sql, params_from_iter(values), summary)
        })
        .await
    }

    /// The commits of a challenge with this ciphertext, the first to be committed
    /// first: the others copied it.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn commits_by_ciphertext(
        &self,
        challenge: String,
        encrypted_commit: String,
    ) -> Result<Vec<CommitRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM commits WHERE encrypted_commit = ?1 AND challenge = ?2
                       ORDER BY committed_at IS NULL, committed_at, miner_hotkey, id";
            all(
                connection,
                sql,
                (encrypted_commit, challenge),
                CommitRow::read,
            )
        })
        .await
    }

    /// The ciphertext of the commit with this number, if there is one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn ciphertext(&self, commit: i64) -> Result<Option<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT encrypted_commit FROM commits WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([commit], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Ciphertexts of commits that changed after a revision, in order of change, as
    /// (revision, number of the commit, ciphertext), at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn ciphertexts_since(
        &self,
        revision: i64,
        limit: u32,
    ) -> Result<Vec<(i64, i64, String)>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT revision, id, encrypted_commit FROM commits
                       WHERE revision > ?1 ORDER BY revision LIMIT ?2";
            all(connection, sql, (revision, limit), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
        })
        .await
    }

    /// The ledger without its lists, the latest day first, then by challenge: what
    /// comes after `after`, a (day, challenge), at most `limit` rows; of one
    /// challenge if it is given.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalization_page(
        &self,
        challenge: Option<String>,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<FinalizationSummary>, StoreError> {
        let (day, name) = after.unwrap_or_else(|| ("9999-99-99".into(), String::new()));
        self.read(move |connection| {
            let sql = "SELECT day, challenge, plugin_digest, settings_digest, engine, outcome,
                     json_array_length(results) AS commits,
                     (SELECT count(*) FROM json_each(results) r
                      WHERE json_extract(r.value, '$.accepted') = 1) AS accepted,
                     json_array_length(standings) AS standings, scheduled_at, finalized_at,
                     receipt, tree_size, tree_root
                 FROM finalizations
                 WHERE (?1 IS NULL OR challenge = ?1)
                     AND (day < ?2 OR (day = ?2 AND challenge > ?3))
                 ORDER BY day DESC, challenge LIMIT ?4";
            all(connection, sql, (challenge, day, name, limit), |row| {
                let size: Option<u64> = row.get("tree_size")?;
                let root: Option<String> = row.get("tree_root")?;
                Ok(FinalizationSummary {
                    day: row.get("day")?,
                    challenge: row.get("challenge")?,
                    plugin_digest: row.get("plugin_digest")?,
                    settings_digest: row.get("settings_digest")?,
                    engine: row.get("engine")?,
                    outcome: row.get("outcome")?,
                    commits: row.get("commits")?,
                    accepted: row.get("accepted")?,
                    standings: row.get("standings")?,
                    scheduled_at: row.get("scheduled_at")?,
                    finalized_at: row.get("finalized_at")?,
                    receipt: row.get("receipt")?,
                    tree: size.zip(root),
                })
            })
        })
        .await
    }

    /// The judged commits behind standings, in their order; none where it is kept
    /// no more.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn standing_commits(
        &self,
        challenge: String,
        standings: Vec<StandingKey>,
    ) -> Result<Vec<Option<CommitSummary>>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {SUMMARY} FROM commits
                 WHERE challenge = ?1 AND miner_hotkey = ?2 AND artifact_digest = ?3
                     AND committed_at = ?4 AND accepted = 1
                 ORDER BY id LIMIT 1"
            );
            let mut commits = Vec::new();
            for (hotkey, digest, committed_at) in standings {
                let key = (&challenge, hotkey, digest, committed_at);
                commits.push(all(connection, &sql, key, summary)?.pop());
            }
            Ok(commits)
        })
        .await
    }

    /// The numbers of the first event that is kept and of the last that ever
    /// happened. If none is kept, the first is the one that comes next.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn event_bounds(&self) -> Result<(i64, i64), StoreError> {
        self.read(|connection| {
            let sql = "SELECT (SELECT min(id) FROM events),
                 ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)";
            let bounds = connection.query_row(sql, [], |row| {
                let last: i64 = row.get(1)?;
                Ok((row.get::<_, Option<i64>>(0)?.unwrap_or(last + 1), last))
            })?;
            Ok(bounds)
        })
        .await
    }

    /// What each validator last published, by uid.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn view_summaries(&self) -> Result<Vec<ViewSummary>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT validator_uid, validator_hotkey, heard, source, received_at,
                     length(document) AS bytes,
                     (SELECT count(DISTINCT commit_id) FROM sightings s
                      WHERE s.validator_hotkey = v.validator_hotkey) AS commits
                 FROM validator_views v ORDER BY validator_uid";
            all(connection, sql, [], |row| {
                Ok(ViewSummary {
                    validator_uid: row.get("validator_uid")?,
                    validator_hotkey: row.get("validator_hotkey")?,
                    heard: row.get("heard")?,
                    source: row.get("source")?,
                    received_at: row.get("received_at")?,
                    bytes: row.get("bytes")?,
                    commits: row.get("commits")?,
                })
            })
        })
        .await
    }

    /// The commits that a validator ever told of, by number, after `after`, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn claimed_commits(
        &self,
        validator_hotkey: String,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ClaimedCommit>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {SUMMARY}, claimed, heard FROM commits JOIN
                     (SELECT commit_id, min(nullif(claimed_at, 0)) AS claimed,
                          min(heard_at) AS heard
                      FROM sightings WHERE validator_hotkey = ?1 AND commit_id > ?2
                      GROUP BY commit_id ORDER BY commit_id LIMIT ?3)
                     ON commits.id = commit_id
                 ORDER BY commits.id"
            );
            all(connection, &sql, (validator_hotkey, after, limit), |row| {
                Ok(ClaimedCommit {
                    commit: summary(row)?,
                    claimed_at: row.get("claimed")?,
                    heard_at: row.get("heard")?,
                })
            })
        })
        .await
    }

    /// What each miner committed to for each challenge, by (challenge, hotkey),
    /// after `after`, at most `limit` of them with up to 100 versions each.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn histories(
        &self,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<MinerHistory>, StoreError> {
        let after = after.unwrap_or_default();
        self.read(move |connection| {
            let groups = "SELECT challenge, miner_hotkey, count(*) FROM commits
                 WHERE (challenge, miner_hotkey) > (?1, ?2)
                 GROUP BY challenge, miner_hotkey ORDER BY challenge, miner_hotkey LIMIT ?3";
            let mut histories = all(connection, groups, (after.0, after.1, limit), |row| {
                Ok(MinerHistory {
                    challenge: row.get(0)?,
                    miner_hotkey: row.get(1)?,
                    versions: row.get(2)?,
                    newest: Vec::new(),
                })
            })?;
            let versions = format!(
                "SELECT {SUMMARY} FROM commits WHERE challenge = ?1 AND miner_hotkey = ?2
                 ORDER BY committed_at DESC, commits.id DESC LIMIT {MAX_VERSIONS}"
            );
            for history in &mut histories {
                let of = (&history.challenge, &history.miner_hotkey);
                history.newest = all(connection, &versions, of, summary)?;
            }
            Ok(histories)
        })
        .await
    }

    /// Jobs and their results with a number below `before`, the last first, at most
    /// `limit`; of one challenge if it is given.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn evaluation_page(
        &self,
        challenge: Option<String>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<EvaluationSummary>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        self.read(move |connection| {
            let of = if challenge.is_some() {
                "challenge = ?1"
            } else {
                "?1 IS NULL"
            };
            let sql = format!(
                "SELECT id, challenge, plugin_digest, settings_digest, artifact_digest, engine,
                     seed, now, state, outcome, message, attempts,
                     ifnull(json_array_length(logs), 0) AS logs, fuel, queued_at, finished_at
                 FROM evaluations WHERE {of} AND id < ?2 ORDER BY id DESC LIMIT ?3"
            );
            all(connection, &sql, (challenge, before, limit), |row| {
                Ok(EvaluationSummary {
                    id: row.get("id")?,
                    challenge: row.get("challenge")?,
                    plugin_digest: row.get("plugin_digest")?,
                    settings_digest: row.get("settings_digest")?,
                    artifact_digest: row.get("artifact_digest")?,
                    engine: row.get("engine")?,
                    seed: row.get::<_, i64>("seed")?.cast_unsigned(),
                    logical_time: row.get("now")?,
                    state: row.get("state")?,
                    outcome: row.get("outcome")?,
                    message: row.get("message")?,
                    attempts: row.get("attempts")?,
                    logs: row.get("logs")?,
                    fuel: row.get::<_, Option<i64>>("fuel")?.map(i64::cast_unsigned),
                    queued_at: row.get("queued_at")?,
                    finished_at: row.get("finished_at")?,
                })
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store_with(commits: usize) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        add(&store, 0..commits).await;
        (directory, store)
    }

    /// Commits of two challenges and three miners.
    async fn add(store: &Store, numbers: std::ops::Range<usize>) {
        store
            .write(move |tx| {
                for n in numbers {
                    tx.execute(
                        "INSERT INTO commits (challenge, miner_hotkey, miner_uid,
                             encrypted_commit, committed_at, revision)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        (
                            format!("c{}", n % 2),
                            format!("m{}", n % 3),
                            n % 3,
                            format!("token {n}"),
                            n as f64,
                            n,
                        ),
                    )?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn pages_show_each_commit_once_whatever_comes_meanwhile() {
        let (_directory, store) = store_with(10).await;
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.commit_page(CommitFilter::default(), before, 3);
            let page = page.await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            seen.extend(page.iter().map(|commit| commit.encrypted_commit.clone()));
            let next = 10 + seen.len();
            add(&store, next..next + 1).await;
        }
        let all: Vec<String> = (0..10).rev().map(|n| format!("token {n}")).collect();
        assert_eq!(seen, all);
    }

    #[tokio::test]
    async fn a_page_has_what_was_asked_for_only() {
        let (_directory, store) = store_with(12).await;
        let filter = CommitFilter {
            challenge: Some("c1".into()),
            hotkey: Some("m0".into()),
            uid: Some(0),
            day: None,
            state: Some(CommitState::Sealed),
        };
        let page = store.commit_page(filter.clone(), None, 10).await.unwrap();
        let tokens: Vec<_> = page.iter().map(|c| c.encrypted_commit.as_str()).collect();
        assert_eq!(tokens, ["token 9", "token 3"]);
        let judged = CommitFilter {
            state: Some(CommitState::Judged),
            ..filter
        };
        assert_eq!(store.commit_page(judged, None, 10).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_history_has_every_version_the_newest_first() {
        let (_directory, store) = store_with(12).await;
        let first = store.histories(None, 4).await.unwrap();
        let last = first.last().unwrap();
        let after = (last.challenge.clone(), last.miner_hotkey.clone());
        let rest = store.histories(Some(after), 4).await.unwrap();
        let groups: Vec<_> = first
            .iter()
            .chain(&rest)
            .map(|h| format!("{} {}", h.challenge, h.miner_hotkey))
            .collect();
        assert_eq!(
            groups,
            ["c0 m0", "c0 m1", "c0 m2", "c1 m0", "c1 m1", "c1 m2"]
        );
        let versions: Vec<_> = first[0].newest.iter().map(|c| c.id).collect();
        assert_eq!((first[0].versions, versions), (2, vec![7, 1]));
    }

    #[tokio::test]
    async fn bounds_of_events_outlive_the_events() {
        let (_directory, store) = store_with(0).await;
        assert_eq!(store.event_bounds().await.unwrap(), (1, 0));
        let put = "INSERT INTO events (at, kind, challenge, data) VALUES (0, '', '', '{}')";
        let put = move |tx: &rusqlite::Transaction<'_>| Ok(tx.execute(put, [])?);
        store.write(put).await.unwrap();
        store.write(put).await.unwrap();
        assert_eq!(store.event_bounds().await.unwrap(), (1, 2));
        store.forget_events(1).await.unwrap();
        assert_eq!(store.event_bounds().await.unwrap(), (2, 2));
        store.forget_events(0).await.unwrap();
        assert_eq!(store.event_bounds().await.unwrap(), (3, 2));
    }
}
