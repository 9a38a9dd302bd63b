//! What was done before, by a host that lost its database.

use super::commits::NEXT_REVISION;
use super::receipts::keep;
use super::{
    CommitRow, EvaluationResult, FinalizationRow, JobKey, Store, StoreError, WeightVectorRow,
};
use rusqlite::{OptionalExtension, Transaction, named_params};

/// Rows from elsewhere, to be taken in all or none.
#[derive(Debug)]
pub struct Import {
    store: Store,
    seed: Option<u64>,
    first_days: Vec<(String, String)>,
    finalizations: Vec<FinalizationRow>,
    vector: Option<(WeightVectorRow, f64)>,
    evaluations: Vec<(JobKey, u64, f64, EvaluationResult)>,
    commits: Vec<(CommitRow, Option<JobKey>)>,
}

/// Nothing is known that a commit, an evaluation or a finalization would contradict.
const IS_NEW: &str = "SELECT NOT EXISTS (SELECT 1 FROM commits)
    AND NOT EXISTS (SELECT 1 FROM evaluations) AND NOT EXISTS (SELECT 1 FROM finalizations)";

impl Store {
    /// Whether any evaluation of a challenge has ended.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn has_evaluations(&self, challenge: &str) -> Result<bool, StoreError> {
        let challenge = challenge.to_owned();
        self.read(move |connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM evaluations
                     WHERE challenge = ?1 AND state IN ('done', 'failed'))",
                )?
                .query_row([challenge], |row| row.get(0))?)
        })
        .await
    }

    /// Whether there is no commit, no evaluation and no finalization.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn is_new(&self) -> Result<bool, StoreError> {
        self.read(|connection| Ok(connection.query_row(IS_NEW, [], |row| row.get(0))?))
            .await
    }

    /// Stores an evaluation that was done elsewhere, as if it had been done here at
    /// once, unless there is one with its key, waiting or ended. Judged commits of its
    /// artifact that came without theirs are linked to it. Returns whether it is new.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn import_evaluation(
        &self,
        key: JobKey,
        seed: u64,
        logical_now: f64,
        result: EvaluationResult,
    ) -> Result<bool, StoreError> {
        self.write(move |tx| {
            let added = put_evaluation(tx, &key, seed, logical_now, &result)?;
            if let Some(evaluation) = added.filter(|_| result.done) {
                link(tx, &key, evaluation)?;
            }
            Ok(added.is_some())
        })
        .await
    }

    /// An import of nothing yet.
    pub fn import(&self) -> Import {
        Import {
            store: self.clone(),
            seed: None,
            first_days: Vec::new(),
            finalizations: Vec::new(),
            vector: None,
            evaluations: Vec::new(),
            commits: Vec::new(),
        }
    }
}

impl Import {
    /// Adds the deployment's seed.
    pub fn seed(&mut self, seed: u64) {
        self.seed = Some(seed);
    }

    /// Adds the first day that a challenge may be finalized on.
    pub fn first_day(&mut self, challenge: String, day: String) {
        self.first_days.push((challenge, day));
    }

    /// Adds a day of the ledger.
    pub fn finalization(&mut self, row: FinalizationRow) {
        self.finalizations.push(row);
    }

    /// Adds a vector, made at a time in seconds since the Unix epoch.
    pub fn vector(&mut self, row: WeightVectorRow, finalized_at: f64) {
        self.vector = Some((row, finalized_at));
    }

    /// Adds an evaluation, as [`Store::import_evaluation`].
    pub fn evaluation(
        &mut self,
        key: JobKey,
        seed: u64,
        logical_now: f64,
        result: EvaluationResult,
    ) {
        self.evaluations.push((key, seed, logical_now, result));
    }

    /// Adds a judged commit, with what its evaluation is known by. It is linked to
    /// that one, or else to another of its artifact, if any is added. Its number,
    /// revision and evaluation are not those of `row`.
    pub fn commit(&mut self, row: CommitRow, evaluation: Option<JobKey>) {
        self.commits.push((row, evaluation));
    }

    /// Stores all of it in one piece, in place of the seed and the first days that are
    /// there. Returns how many commits have no evaluation; none, and nothing is
    /// stored, if the database [is not new](Store::is_new) any more.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn run(self) -> Result<Option<usize>, StoreError> {
        let store = self.store.clone();
        store.write(move |tx| self.put(tx)).await
    }

    fn put(&self, tx: &Transaction<'_>) -> Result<Option<usize>, StoreError> {
        if !tx.query_row(IS_NEW, [], |row| row.get(0))? {
            return Ok(None);
        }
        if let Some(seed) = self.seed {
            let sql = "INSERT OR REPLACE INTO meta VALUES ('seed', ?1)";
            tx.execute(sql, [seed.to_string()])?;
        }
        for row in &self.first_days {
            tx.execute(
                "INSERT OR REPLACE INTO challenges VALUES (?1, ?2)",
                (&row.0, &row.1),
            )?;
        }
        for row in &self.finalizations {
            put_finalization(tx, row)?;
        }
        if let Some((row, finalized_at)) = &self.vector {
            tx.execute(
                "INSERT INTO weight_vectors (day, uids, \"values\", derivation, finalized_at, receipt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (
                    &row.day,
                    &row.uids,
                    &row.values,
                    &row.derivation,
                    finalized_at,
                    &row.receipt,
                ),
            )?;
        }
        for (key, seed, logical_now, result) in &self.evaluations {
            put_evaluation(tx, key, *seed, *logical_now, result)?;
        }
        let mut unlinked = 0;
        for (row, key) in &self.commits {
            let evaluation = evaluation_of(tx, row, key.as_ref())?;
            unlinked += usize::from(evaluation.is_none());
            put_commit(tx, row, evaluation)?;
        }
        Ok(Some(unlinked))
    }
}

fn put_finalization(tx: &Transaction<'_>, row: &FinalizationRow) -> Result<(), StoreError> {
    let of = &row.finalization;
    tx.prepare_cached(
        "INSERT INTO finalizations (day, challenge, plugin_digest, settings_digest, engine,
             outcome, message, standings, weights, results, scheduled_at, finalized_at, receipt,
             tree_size, tree_root)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute((
        &of.day,
        &of.challenge,
        &of.plugin_digest,
        &of.settings_digest,
        &of.engine,
        &of.outcome,
        &of.message,
        &of.standings,
        &of.weights,
        &of.results,
        of.scheduled_at,
        row.finalized_at,
        &row.receipt,
        row.tree.as_ref().map(|tree| tree.0),
        row.tree.as_ref().map(|tree| &tree.1),
    ))?;
    Ok(())
}

/// Returns its number, if it is new.
fn put_evaluation(
    tx: &Transaction<'_>,
    key: &JobKey,
    seed: u64,
    logical_now: f64,
    result: &EvaluationResult,
) -> Result<Option<i64>, StoreError> {
    let added = tx
        .prepare_cached(
            "INSERT OR IGNORE INTO evaluations (challenge, plugin_digest, settings_digest,
                 artifact_digest, engine, seed, now, state, attempts, queued_at,
                 not_before, outcome, message, solves, logs, fuel, finished_at, receipt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?9, ?10, ?11, ?12, ?13, ?14, ?9,
                 ?15)",
        )?
        .execute((
            &key.challenge,
            &key.plugin_digest,
            &key.settings_digest,
            &key.artifact_digest,
            &key.engine,
            seed.cast_signed(),
            logical_now,
            if result.done { "done" } else { "failed" },
            result.finished_at,
            result.outcome,
            &result.message,
            &result.solves,
            &result.logs,
            result.fuel.cast_signed(),
            &result.receipt,
        ))?;
    if added == 0 {
        return Ok(None);
    }
    let id = tx.last_insert_rowid();
    keep(tx, &result.kept)?;
    Ok(Some(id))
}

/// The evaluation of a commit; one of its artifact if that is not there.
fn evaluation_of(
    tx: &Transaction<'_>,
    row: &CommitRow,
    key: Option<&JobKey>,
) -> Result<Option<i64>, StoreError> {
    Ok(tx
        .prepare_cached(
            "SELECT id FROM evaluations
             WHERE challenge = ?1 AND artifact_digest = ?2 AND state = 'done'
             ORDER BY plugin_digest IS ?3 AND settings_digest IS ?4 AND engine IS ?5 DESC, id
             LIMIT 1",
        )?
        .query_row(
            (
                &row.challenge,
                &row.artifact_digest,
                key.map(|key| &key.plugin_digest),
                key.map(|key| &key.settings_digest),
                key.map(|key| &key.engine),
            ),
            |row| row.get(0),
        )
        .optional()?)
}

fn put_commit(
    tx: &Transaction<'_>,
    row: &CommitRow,
    evaluation: Option<i64>,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO commits (challenge, miner_hotkey, miner_uid, encrypted_commit, committed_at,
             key, state, text, artifact, artifact_digest, batch_day, evaluation_id, comparisons,
             score, penalty, accepted, reason, judged_at, finalized_day, receipt, revision)
         VALUES (:challenge, :miner_hotkey, :miner_uid, :encrypted_commit, :committed_at, :key,
             'judged', :text, :artifact, :artifact_digest, :batch_day, :evaluation_id,
             :comparisons, :score, :penalty, :accepted, :reason, :judged_at, :finalized_day,
             :receipt, {NEXT_REVISION})"
    );
    tx.prepare_cached(&sql)?.execute(named_params! {
        ":challenge": row.challenge,
        ":miner_hotkey": row.miner_hotkey,
        ":miner_uid": row.miner_uid,
        ":encrypted_commit": row.encrypted_commit,
        ":committed_at": row.committed_at,
        ":key": row.key,
        ":text": row.text,
        ":artifact": row.artifact,
        ":artifact_digest": row.artifact_digest,
        ":batch_day": row.batch_day,
        ":evaluation_id": evaluation,
        ":comparisons": row.comparisons,
        ":score": row.score,
        ":penalty": row.penalty,
        ":accepted": row.accepted,
        ":reason": row.reason,
        ":judged_at": row.judged_at,
        ":finalized_day": row.finalized_day,
        ":receipt": row.receipt,
    })?;
    Ok(())
}

/// Links judged commits that came without their evaluation.
fn link(tx: &Transaction<'_>, key: &JobKey, evaluation: i64) -> Result<(), StoreError> {
    let unlinked: Vec<i64> = tx
        .prepare_cached(
            "SELECT id FROM commits WHERE challenge = ?1 AND artifact_digest = ?2
                 AND state = 'judged' AND evaluation_id IS NULL",
        )?
        .query_map((&key.challenge, &key.artifact_digest), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let sql =
        format!("UPDATE commits SET evaluation_id = ?2, revision = {NEXT_REVISION} WHERE id = ?1");
    for commit in unlinked {
        tx.prepare_cached(&sql)?.execute((commit, evaluation))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kept;

    #[tokio::test]
    async fn an_evaluation_that_is_known_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("db")).unwrap();
        let key = |artifact: &str| JobKey {
            challenge: "c".into(),
            plugin_digest: "p".into(),
            settings_digest: "s".into(),
            artifact_digest: artifact.into(),
            engine: "e".into(),
        };
        let result = |fuel| EvaluationResult {
            outcome: "ok",
            done: true,
            message: None,
            solves: "{}".into(),
            logs: "[]".into(),
            fuel,
            finished_at: 1.0,
            receipt: None,
            kept: Kept::default(),
        };
        store.enqueue(key("waits"), 1, 0.0, 0.0).await.unwrap();
        assert!(!store.has_evaluations("c").await.unwrap());
        for (artifact, new) in [("a", true), ("a", false), ("waits", false)] {
            let imported = store.import_evaluation(key(artifact), u64::MAX, 2.0, result(3));
            assert_eq!(imported.await.unwrap(), new, "{artifact}");
        }
        assert!(store.has_evaluations("c").await.unwrap());
        assert!(!store.has_evaluations("d").await.unwrap());
        let found = store.evaluation(key("a")).await.unwrap().unwrap();
        assert_eq!((found.seed, found.now, found.done), (u64::MAX, 2.0, true));
        assert_eq!(store.fuel_of(found.id).await.unwrap(), Some(3));
        assert!(store.evaluation(key("waits")).await.unwrap().is_none());
    }
}
