//! What validators publish: kept as it came, and merged commit by commit.

use super::commits::NEXT_REVISION;
use super::meta;
use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction};

/// What a validator published last, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewRow {
    /// The validator's uid.
    pub validator_uid: u16,
    /// The validator's hotkey.
    pub validator_hotkey: String,
    /// The document.
    pub document: Vec<u8>,
    /// When it was received, in seconds since the Unix epoch.
    pub received_at: f64,
    /// Whether it was taken in; a validator with too little stake is not heard.
    pub heard: bool,
    /// By which way it came: `file`, `push` or `storage`.
    pub source: String,
}

/// A commit as one validator reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The challenge.
    pub challenge: String,
    /// The miner's hotkey.
    pub miner_hotkey: String,
    /// The miner's uid.
    pub miner_uid: u16,
    /// What was published.
    pub encrypted_commit: String,
    /// When the validator claims to have seen it, in seconds since the Unix epoch.
    pub claimed_at: Option<f64>,
    /// A key that opens it.
    pub key: Option<String>,
}

/// A document with what is new in it.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The document, which replaces the validator's last one.
    pub view: ViewRow,
    /// Commits that are new, or of which it tells something new. None of a
    /// validator that is not heard.
    pub reports: Vec<Report>,
    /// What did not verify: (miner hotkey, challenge, code).
    pub faults: Vec<(String, String, &'static str)>,
    /// The time of the signed request that brought it, in nanoseconds: a second
    /// one of the same time is refused.
    pub request_ns: Option<u64>,
    /// When the validator last told the same as in its last document, in seconds
    /// since the Unix epoch, if that is known.
    pub last_confirmed_at: Option<f64>,
    /// Times so many seconds before the validator last told what it has seen, of
    /// commits that it did not tell of then, or before what it claimed then, are
    /// counted as backdated.
    pub backdate_tolerance_s: f64,
}

/// A time that a validator claims for a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Who.
    pub validator_hotkey: String,
    /// The earliest time that it ever claimed, in seconds since the Unix epoch.
    pub claimed_at: Option<f64>,
    /// When this host first heard that claim, in seconds since the Unix epoch.
    pub heard_at: f64,
}

/// What taking a document in came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Versions of commits not known before.
    pub new: u64,
    /// Versions of which more is known now.
    pub updated: u64,
    /// Claims of times that the validator must have made up: (miner hotkey,
    /// challenge).
    pub backdated: Vec<(String, String)>,
    /// Commits from before what is kept: (miner hotkey, challenge).
    pub too_old: Vec<(String, String)>,
}

impl Store {
    /// What a validator published last.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn view(&self, validator_uid: u16) -> Result<Option<ViewRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT validator_uid, validator_hotkey, document, received_at, heard, source
                       FROM validator_views WHERE validator_uid = ?1";
            Ok(connection
                .prepare_cached(sql)?
                .query_row([validator_uid], view)
                .optional()?)
        })
        .await
    }

    /// What every validator published last, by uid.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn views(&self) -> Result<Vec<ViewRow>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT validator_uid, validator_hotkey, document, received_at, heard, source
                 FROM validator_views ORDER BY 1",
            )?;
            let views = statement.query_map([], view)?;
            Ok(views.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Takes a document in. What is known stays: the first key is kept, each
    /// claim is added, and while a commit is sealed its time is what `time` makes
    /// of all claims. Returns nothing if the request was taken before.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn take_in(
        &self,
        intake: Intake,
        time: impl Fn(&[Claim]) -> Option<f64> + Send + 'static,
    ) -> Result<Option<Ingested>, StoreError> {
        self.write(move |tx| {
            let view = &intake.view;
            if let Some(at) = intake.request_ns
                && !is_first(tx, &view.validator_hotkey, at)?
            {
                return Ok(None);
            }
            let last_heard: Option<f64> = tx
                .prepare_cached(
                    "SELECT received_at FROM validator_views
                     WHERE validator_uid = ?1 AND validator_hotkey = ?2 AND heard",
                )?
                .query_row((view.validator_uid, &view.validator_hotkey), |row| {
                    row.get(0)
                })
                .optional()?;
            tx.execute(
                "INSERT OR REPLACE INTO validator_views
                     (validator_uid, validator_hotkey, document, received_at, heard, source)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (
                    view.validator_uid,
                    &view.validator_hotkey,
                    &view.document,
                    view.received_at,
                    view.heard,
                    &view.source,
                ),
            )?;
            let told = [last_heard, intake.last_confirmed_at].into_iter().flatten();
            let last_told = told.reduce(f64::max);
            let bounds = (last_told, intake.backdate_tolerance_s);
            let kept_from = meta::kept_from(tx)?;
            let mut ingested = Ingested::default();
            for report in &intake.reports {
                if report.claimed_at.is_some_and(|at| at < kept_from) && !is_known(tx, report)? {
                    ingested.too_old.push(place(report));
                    continue;
                }
                put_report(tx, view, report, bounds, &time, &mut ingested)?;
            }
            let found = intake.faults.iter().cloned();
            let backdated = ingested.backdated.iter().cloned();
            let too_old = ingested.too_old.iter().cloned();
            let faults = found
                .chain(backdated.map(|(hotkey, challenge)| (hotkey, challenge, "backdated")))
                .chain(too_old.map(|(hotkey, challenge)| (hotkey, challenge, "too_old")));
            let mut count = tx.prepare_cached(
                "INSERT INTO commit_faults VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT DO UPDATE SET count = count + 1",
            )?;
            for (hotkey, challenge, code) in faults {
                count.execute((view.validator_uid, hotkey, challenge, code))?;
            }
            Ok(Some(ingested))
        })
        .await
    }

    /// How many faults each validator was counted for, by (uid, code).
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn faults(&self) -> Result<Vec<(u16, String, u64)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT validator_uid, code, sum(count) FROM commit_faults GROUP BY 1, 2 ORDER BY 1, 2",
            )?;
            let faults =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(faults.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Who claims to have seen a commit when, the earliest first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn claims(&self, commit: i64) -> Result<Vec<Claim>, StoreError> {
        self.read(move |connection| claims(connection, commit))
            .await
    }

    /// The commits that a validator ever told of, as (number of the commit, its
    /// claim), by number, after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn claims_of(
        &self,
        validator_hotkey: String,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Claim)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT commit_id, validator_hotkey, min(nullif(claimed_at, 0)), heard_at
                 FROM sightings WHERE validator_hotkey = ?1 AND commit_id > ?2
                 GROUP BY commit_id ORDER BY commit_id LIMIT ?3",
            )?;
            let claims = statement.query_map((validator_hotkey, after, limit), |row| {
                let claim = Claim {
                    validator_hotkey: row.get(1)?,
                    claimed_at: row.get(2)?,
                    heard_at: row.get(3)?,
                };
                Ok((row.get(0)?, claim))
            })?;
            Ok(claims.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The digest of what documents were last read with: the metagraph and the rules.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn heard_with(&self) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT value FROM meta WHERE key = 'heard_with'")?
                .query_row([], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    /// Notes what all documents were read with.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn note_heard_with(&self, digest: String) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO meta VALUES ('heard_with', ?1)",
                [digest],
            )?;
            Ok(())
        })
        .await
    }

    /// Forgets signed requests from before a time, in nanoseconds: older ones are
    /// refused by their age.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn forget_requests(&self, before_ns: u64) -> Result<usize, StoreError> {
        self.write(move |tx| {
            Ok(tx.execute(
                "DELETE FROM signed_requests WHERE timestamp_ns < ?1",
                [i64::try_from(before_ns).unwrap_or(i64::MAX)],
            )?)
        })
        .await
    }
}

fn view(row: &rusqlite::Row<'_>) -> rusqlite::Result<ViewRow> {
    Ok(ViewRow {
        validator_uid: row.get(0)?,
        validator_hotkey: row.get(1)?,
        document: row.get(2)?,
        received_at: row.get(3)?,
        heard: row.get(4)?,
        source: row.get(5)?,
    })
}

fn is_first(tx: &Transaction<'_>, hotkey: &str, at: u64) -> Result<bool, StoreError> {
    let added = tx.execute(
        "INSERT OR IGNORE INTO signed_requests VALUES (?1, ?2)",
        (hotkey, i64::try_from(at).unwrap_or(i64::MAX)),
    )?;
    Ok(added == 1)
}

/// Whether a validator told of any other commit of a challenge: what it says of one
/// that it is asked about for the first time may be old.
fn told_of(
    tx: &Transaction<'_>,
    validator_hotkey: &str,
    challenge: &str,
    but: i64,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sightings JOIN commits ON id = commit_id
        WHERE validator_hotkey = ?1 AND challenge = ?2 AND commit_id <> ?3)";
    let told = (validator_hotkey, challenge, but);
    Ok(tx.prepare_cached(sql)?.query_row(told, |row| row.get(0))?)
}

/// Whether a commit is stored: its key may come at any time.
fn is_known(tx: &Transaction<'_>, report: &Report) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM commits
        WHERE challenge = ?1 AND miner_hotkey = ?2 AND encrypted_commit = ?3)";
    let place = (
        &report.challenge,
        &report.miner_hotkey,
        &report.encrypted_commit,
    );
    Ok(tx.prepare_cached(sql)?.query_row(place, |row| row.get(0))?)
}

fn place(report: &Report) -> (String, String) {
    (report.miner_hotkey.clone(), report.challenge.clone())
}

fn claims(connection: &Connection, commit: i64) -> Result<Vec<Claim>, StoreError> {
    let mut statement = connection.prepare_cached(
        // `heard_at` is that of the row with the earliest claim.
        "SELECT validator_hotkey, min(nullif(claimed_at, 0)) AS claimed, heard_at
         FROM sightings WHERE commit_id = ?1 GROUP BY validator_hotkey
         ORDER BY claimed IS NULL, claimed, validator_hotkey",
    )?;
    let claims = statement.query_map([commit], |row| {
        Ok(Claim {
            validator_hotkey: row.get(0)?,
            claimed_at: row.get(1)?,
            heard_at: row.get(2)?,
        })
    })?;
    Ok(claims.collect::<Result<_, _>>()?)
}

fn put_report(
    tx: &Transaction<'_>,
    view: &ViewRow,
    report: &Report,
    (last_told, backdate_tolerance_s): (Option<f64>, f64),
    time: impl Fn(&[Claim]) -> Option<f64>,
    ingested: &mut Ingested,
) -> Result<(), StoreError> {
    let insert = format!(
        "INSERT OR IGNORE INTO commits
             (challenge, miner_hotkey, miner_uid, encrypted_commit, key, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, {NEXT_REVISION})"
    );
    let is_new = tx.prepare_cached(&insert)?.execute((
        &report.challenge,
        &report.miner_hotkey,
        report.miner_uid,
        &report.encrypted_commit,
        &report.key,
    ))? == 1;
    let (commit, sealed, committed_at): (i64, bool, Option<f64>) = tx
        .prepare_cached(
            "SELECT id, state = 'sealed', committed_at FROM commits
             WHERE challenge = ?1 AND miner_hotkey = ?2 AND encrypted_commit = ?3",
        )?
        .query_row(
            (
                &report.challenge,
                &report.miner_hotkey,
                &report.encrypted_commit,
            ),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
    let told_before: Option<f64> = tx
        .prepare_cached(
            "SELECT min(nullif(claimed_at, 0)) FROM sightings
             WHERE commit_id = ?1 AND validator_hotkey = ?2",
        )?
        .query_row((commit, &view.validator_hotkey), |row| row.get(0))?;
    let claims_anew = tx
        .prepare_cached("INSERT OR IGNORE INTO sightings VALUES (?1, ?2, ?3, ?4)")?
        .execute((
            commit,
            &view.validator_hotkey,
            report.claimed_at.unwrap_or(0.0),
            view.received_at,
        ))?
        == 1;
    let not_before = match told_before {
        Some(told) => Some(told - backdate_tolerance_s),
        None => last_told.map(|at| at - backdate_tolerance_s),
    };
    let earlier = report.claimed_at.zip(not_before);
    if claims_anew
        && earlier.is_some_and(|(claimed, bound)| claimed < bound)
        && (told_before.is_some()
            || told_of(tx, &view.validator_hotkey, &report.challenge, commit)?)
    {
        ingested.backdated.push(place(report));
    }
    let resolved = if sealed {
        time(&claims(tx, commit)?)
    } else {
        committed_at
    };
    let update = format!(
        "UPDATE commits SET miner_uid = ?2, committed_at = ?3, key = ifnull(key, ?4),
             revision = {NEXT_REVISION}
         WHERE id = ?1 AND (miner_uid IS NOT ?2 OR committed_at IS NOT ?3
             OR (key IS NULL AND ?4 IS NOT NULL))"
    );
    let changed =
        tx.prepare_cached(&update)?
            .execute((commit, report.miner_uid, resolved, &report.key))?
            == 1;
    if is_new {
        ingested.new += 1;
    } else if changed {
        ingested.updated += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intake(claimed_at: f64, key: Option<&str>, request_ns: Option<u64>) -> Intake {
        Intake {
            view: ViewRow {
                validator_uid: 0,
                validator_hotkey: "v".into(),
                document: Vec::new(),
                received_at: 1_000.0,
                heard: true,
                source: "push".into(),
            },
            reports: vec![Report {
                challenge: "c".into(),
                miner_hotkey: claimed_at.to_string(),
                miner_uid: 1,
                encrypted_commit: "e".into(),
                claimed_at: Some(claimed_at),
                key: key.map(str::to_owned),
            }],
            faults: Vec::new(),
            request_ns,
            last_confirmed_at: None,
            backdate_tolerance_s: 10.0,
        }
    }

    async fn take(store: &Store, intake: Intake) -> Option<Ingested> {
        let earliest = |claims: &[Claim]| claims.first().and_then(|claim| claim.claimed_at);
        store.take_in(intake, earliest).await.unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn a_request_is_taken_once() {
        let (_directory, store) = store();
        assert!(take(&store, intake(999.0, None, Some(7))).await.is_some());
        assert_eq!(take(&store, intake(998.0, None, Some(7))).await, None);
        assert_eq!(store.commits_of("c").await.unwrap().len(), 1);
        assert_eq!(store.forget_requests(8).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_time_from_before_the_last_document_is_counted_and_kept() {
        let (_directory, store) = store();
        take(&store, intake(999.0, None, None)).await;
        let late = take(&store, intake(995.0, None, None)).await.unwrap();
        assert_eq!(late.backdated, [], "within the tolerance");
        let mut again = intake(700.0, None, None);
        again.reports[0].miner_hotkey = "999".into();
        let rewritten = take(&store, again).await.unwrap();
        assert_eq!(rewritten.backdated, [("999".to_owned(), "c".to_owned())]);
        let made_up = take(&store, intake(900.0, None, None)).await.unwrap();
        assert_eq!(made_up.backdated, [("900".to_owned(), "c".to_owned())]);
        assert_eq!(
            store.faults().await.unwrap(),
            [(0, "backdated".to_owned(), 2)]
        );
        let mut confirmed = intake(1_995.0, None, None);
        confirmed.view.received_at = 3_000.0;
        confirmed.last_confirmed_at = Some(2_999.0);
        let late = take(&store, confirmed).await.unwrap();
        assert_eq!(
            late.backdated.len(),
            1,
            "it told of nothing like it at 2999"
        );
        let commits = store.commits_of("c").await.unwrap();
        let commit = commits.iter().find(|c| c.miner_hotkey == "999").unwrap();
        assert_eq!(commit.committed_at, Some(700.0));
        assert_eq!(store.claims(commit.id).await.unwrap()[0].heard_at, 1_000.0);
    }

    #[tokio::test]
    async fn the_key_of_a_known_old_commit_is_taken_and_no_new_old_commit() {
        let (_directory, store) = store();
        take(&store, intake(500.0, None, None)).await;
        let sql = "INSERT INTO meta VALUES ('kept_from', '800')";
        store.write(|tx| Ok(tx.execute(sql, [])?)).await.unwrap();
        take(&store, intake(500.0, Some("k"), None)).await;
        let too_old = take(&store, intake(600.0, None, None)).await.unwrap();
        assert_eq!(too_old.too_old, [("600".to_owned(), "c".to_owned())]);
        let commits = store.commits_of("c").await.unwrap();
        assert_eq!(commits.len(), 1);
        assert_eq!(commits[0].key.as_deref(), Some("k"));
    }
}
