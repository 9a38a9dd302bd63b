//! The ledger: what each challenge came to on each day, and each day's vector.

use super::commits::{Judged, NEXT_REVISION};
use super::events::{self, NewEvent};
use super::outbox::{self, Notice};
use super::receipts::{Kept, Leaves, append, keep, last_head};
use super::{Store, StoreError};
use rusqlite::{OptionalExtension, Row, Transaction};

/// What a challenge came to on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Finalization {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Name of the challenge.
    pub challenge: String,
    /// SHA-256 of the plugin that judged and paid.
    pub plugin_digest: String,
    /// SHA-256 of the challenge's settings.
    pub settings_digest: String,
    /// Version and settings of the sandbox, and the limits of its calls.
    pub engine: String,
    /// How `get-weights` ended, a code.
    pub outcome: String,
    /// Why there are no weights, for people.
    pub message: Option<String>,
    /// The standings that were paid, JSON.
    pub standings: String,
    /// What each hotkey got, JSON.
    pub weights: String,
    /// The commits that were judged and what each came to, JSON.
    pub results: String,
    /// The logical time of verdicts and weights, in seconds since the Unix epoch.
    pub scheduled_at: f64,
}

/// A finalization as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalizationRow {
    /// What it came to.
    pub finalization: Finalization,
    /// When it was done, in seconds since the Unix epoch.
    pub finalized_at: f64,
    /// Id of the receipt of the weights, if there is one.
    pub receipt: Option<String>,
    /// The tree of the day's receipts with those that it took in: how many leaves, and
    /// the root's hash.
    pub tree: Option<(u64, String)>,
}

/// A finalization with all that changes with it.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The row of the ledger.
    pub finalization: Finalization,
    /// The verdicts.
    pub judged: Vec<Judged>,
    /// Commits that the challenge cannot judge, with the reason.
    pub failed: Vec<(i64, String)>,
    /// Versions that do not count, as the miner has newer ones of the day.
    pub superseded: Vec<i64>,
    /// What happened.
    pub event: NewEvent,
    /// Who is to be told.
    pub notices: Vec<Notice>,
    /// Id of the receipt of the weights, if there is one.
    pub receipt: Option<String>,
    /// What is stored with it.
    pub kept: Kept,
    /// What becomes public with it, on its day.
    pub leaves: Option<Leaves>,
}

/// A day's vector, as the chain wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightVectorRow {
    /// The day, `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Uids, JSON.
    pub uids: String,
    /// Weights 0 to 65535 in the order of the uids, JSON.
    pub values: String,
    /// How it came about, JSON.
    pub derivation: String,
    /// Id of its receipt, if there is one.
    pub receipt: Option<String>,
}

pub(super) const COLUMNS: &str =
    "day, challenge, plugin_digest, settings_digest, engine, outcome, message,
     standings, weights, results, scheduled_at, finalized_at, receipt, tree_size, tree_root";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<FinalizationRow> {
    let size: Option<u64> = row.get("tree_size")?;
    let root: Option<String> = row.get("tree_root")?;
    Ok(FinalizationRow {
        finalization: Finalization {
            day: row.get("day")?,
            challenge: row.get("challenge")?,
            plugin_digest: row.get("plugin_digest")?,
            settings_digest: row.get("settings_digest")?,
            engine: row.get("engine")?,
            outcome: row.get("outcome")?,
            message: row.get("message")?,
            standings: row.get("standings")?,
            weights: row.get("weights")?,
            results: row.get("results")?,
            scheduled_at: row.get("scheduled_at")?,
        },
        finalized_at: row.get("finalized_at")?,
        receipt: row.get("receipt")?,
        tree: size.zip(root),
    })
}

impl Store {
    /// The first day that a challenge may be finalized on: `wanted`, unless one
    /// was noted before.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn first_day(&self, challenge: &str, wanted: String) -> Result<String, StoreError> {
        let challenge = challenge.to_owned();
        self.write(move |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO challenges VALUES (?1, ?2)",
                (&challenge, wanted),
            )?;
            let sql = "SELECT first_day FROM challenges WHERE name = ?1";
            Ok(tx.query_row(sql, [challenge], |row| row.get(0))?)
        })
        .await
    }

    /// The last day that each challenge was finalized on, by challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn last_days(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT challenge, max(day) FROM finalizations GROUP BY 1 ORDER BY 1",
            )?;
            let days = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(days.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Stores what a challenge came to on a day, with the verdicts, in one piece
    /// and once: if the challenge was finalized on that day or on a later one,
    /// nothing changes, and nothing is kept. Returns whether it was stored.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn settle(&self, settled: Settled) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let row = &settled.finalization;
            let later: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM finalizations WHERE challenge = ?1 AND day >= ?2)",
                (&row.challenge, &row.day),
                |row| row.get(0),
            )?;
            if later {
                return Ok(false);
            }
            let at = settled.event.at;
            keep(tx, &settled.kept)?;
            if let Some(leaves) = &settled.leaves {
                append(tx, leaves, at)?;
            }
            insert(tx, row, at, settled.receipt.as_ref())?;
            for judged in &settled.judged {
                judge(tx, judged, row)?;
            }
            let fail = format!(
                "UPDATE commits SET state = 'failed', fault = ?2, revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state = 'evaluated'"
            );
            for (commit, fault) in &settled.failed {
                tx.execute(&fail, (commit, fault))?;
            }
            let supersede = format!(
                "UPDATE commits SET state = 'refused', fault = 'superseded',
                     revision = {NEXT_REVISION}
                 WHERE id = ?1 AND state IN ('revealed', 'evaluated')"
            );
            for commit in &settled.superseded {
                tx.execute(&supersede, [commit])?;
            }
            events::put(tx, &settled.event)?;
            let mut notices = settled.notices.iter();
            notices.try_for_each(|notice| outbox::put(tx, notice, at))?;
            Ok(true)
        })
        .await
    }

    /// What a challenge came to on a day.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalization(
        &self,
        challenge: String,
        day: String,
    ) -> Result<Option<FinalizationRow>, StoreError> {
        self.read(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM finalizations WHERE challenge = ?1 AND day = ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row((challenge, day), read).optional()?)
        })
        .await
    }

    /// The ledger, the latest day first, then by challenge: what comes after
    /// `after`, a (day, challenge), at most `limit` rows; of one challenge if it is
    /// given.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalizations(
        &self,
        challenge: Option<String>,
        after: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<FinalizationRow>, StoreError> {
        let (day, name) = after.unwrap_or_else(|| ("9999-99-99".into(), String::new()));
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM finalizations
                 WHERE (?1 IS NULL OR challenge = ?1)
                     AND (day < ?2 OR (day = ?2 AND challenge > ?3))
                 ORDER BY day DESC, challenge LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((challenge, day, name, limit), read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What all challenges came to on a day, by challenge.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn finalizations_of(&self, day: String) -> Result<Vec<FinalizationRow>, StoreError> {
        self.read(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM finalizations WHERE day = ?1 ORDER BY challenge");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([day], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Days on which something was finalized and that have no vector, in order.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn days_without_vector(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT day FROM finalizations
                 WHERE day > (SELECT ifnull(max(day), '') FROM weight_vectors) ORDER BY day",
            )?;
            let days = statement.query_map([], |row| row.get(0))?;
            Ok(days.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Stores a day's vector, once, with the notices of whom to tell, what is kept with
    /// it, and what becomes public with it. Returns whether this was the first; if not,
    /// nothing is kept.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn put_vector(
        &self,
        vector: WeightVectorRow,
        notices: Vec<Notice>,
        finalized_at: f64,
        kept: Kept,
        leaves: Option<Leaves>,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let added = tx.execute(
                "INSERT OR IGNORE INTO weight_vectors
                     (day, uids, \"values\", derivation, finalized_at, receipt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (
                    &vector.day,
                    vector.uids,
                    vector.values,
                    vector.derivation,
                    finalized_at,
                    vector.receipt,
                ),
            )?;
            if added == 1 {
                keep(tx, &kept)?;
                if let Some(leaves) = &leaves {
                    append(tx, leaves, finalized_at)?;
                }
                let mut notices = notices.iter();
                notices.try_for_each(|notice| outbox::put(tx, notice, finalized_at))?;
            }
            Ok(added == 1)
        })
        .await
    }

    /// The vector of a day.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn weight_vector(&self, day: String) -> Result<Option<WeightVectorRow>, StoreError> {
        self.read(move |connection| {
            let row = connection
                .prepare_cached(
                    "SELECT day, uids, \"values\", derivation, receipt FROM weight_vectors
                     WHERE day = ?1",
                )?
                .query_row([day], |row| {
                    Ok(WeightVectorRow {
                        day: row.get(0)?,
                        uids: row.get(1)?,
                        values: row.get(2)?,
                        derivation: row.get(3)?,
                        receipt: row.get(4)?,
                    })
                })
                .optional()?;
            Ok(row)
        })
        .await
    }
}

fn insert(
    tx: &Transaction<'_>,
    row: &Finalization,
    at: f64,
    receipt: Option<&String>,
) -> Result<(), StoreError> {
    let (size, root) = last_head(tx, &row.day)?
        .map(|head| (head.size, head.root))
        .unzip();
    tx.execute(
        "INSERT INTO finalizations (day, challenge, plugin_digest, settings_digest, engine,
             outcome, message, standings, weights, results, scheduled_at, finalized_at, receipt,
             tree_size, tree_root)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        (
            &row.day,
            &row.challenge,
            &row.plugin_digest,
            &row.settings_digest,
            &row.engine,
            &row.outcome,
            &row.message,
            &row.standings,
            &row.weights,
            &row.results,
            row.scheduled_at,
            at,
            receipt,
            size,
            root,
        ),
    )?;
    Ok(())
}

fn judge(tx: &Transaction<'_>, judged: &Judged, row: &Finalization) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE commits SET state = 'judged', score = ?2, penalty = ?3, accepted = ?4,
             reason = ?5, comparisons = ?6, judged_at = ?7, finalized_day = ?8,
             receipt = ?9,             revision = {NEXT_REVISION}
         WHERE id = ?1 AND state = 'evaluated'"
    );
    let changed = tx.prepare_cached(&sql)?.execute((
        judged.commit,
        judged.score,
        judged.penalty,
        judged.accepted,
        &judged.reason,
        &judged.comparisons,
        row.scheduled_at,
        &row.day,
        &judged.receipt,
    ))?;
    if changed == 1 {
        Ok(())
    } else {
        let commit = judged.commit;
        Err(StoreError::Corrupt(format!(
            "commit {commit} waits for no verdict"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(day: &str, judged: Vec<Judged>) -> Settled {
        Settled {
            finalization: Finalization {
                day: day.into(),
                challenge: "c".into(),
                plugin_digest: "p".into(),
                settings_digest: "s".into(),
                engine: "e".into(),
                outcome: "ok".into(),
                message: None,
                standings: "[]".into(),
                weights: "[]".into(),
                results: "[]".into(),
                scheduled_at: 1.0,
            },
            judged,
            failed: Vec::new(),
            superseded: Vec::new(),
            event: NewEvent {
                at: 2.0,
                kind: "finalized",
                challenge: "c".into(),
                data: serde_json::json!({}),
            },
            notices: Vec::new(),
            receipt: None,
            kept: Kept::default(),
            leaves: None,
        }
    }

    #[tokio::test]
    async fn a_day_is_finalized_once_and_none_before_it_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let settle = |day: &str| store.settle(settled(day, Vec::new()));
        assert!(settle("2026-08-22").await.unwrap());
        assert!(!settle("2026-08-22").await.unwrap());
        assert!(!settle("2026-08-21").await.unwrap(), "the clock moved back");
        assert!(settle("2026-08-23").await.unwrap());
        assert_eq!(store.event_range().await.unwrap(), (1, 2));
        let days = store.finalizations(None, None, 10).await.unwrap();
        let days: Vec<_> = days.into_iter().map(|row| row.finalization.day).collect();
        assert_eq!(days, ["2026-08-23", "2026-08-22"]);
    }

    #[tokio::test]
    async fn a_verdict_that_cannot_be_stored_leaves_no_half_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let judged = Judged {
            commit: 7,
            score: 1.0,
            penalty: 0.0,
            accepted: true,
            reason: None,
            comparisons: "[]".into(),
            receipt: None,
        };
        assert!(
            store
                .settle(settled("2026-08-22", vec![judged]))
                .await
                .is_err()
        );
        assert_eq!(store.last_days().await.unwrap(), []);
        assert_eq!(store.event_range().await.unwrap(), (0, 0));
    }
}
