//! What must hold in every database.

use super::{Store, StoreError, open_to_read};
use rusqlite::Connection;
use std::path::Path;

/// How many rows are named for each problem.
const NAMED: usize = 5;

/// What may not be: a name for it, and the rows that are so.
const ERRORS: &[(&str, &str)] = &[
    (
        "opened commits without artifact or day",
        "SELECT 'commit ' || id FROM commits
         WHERE state IN ('revealed', 'evaluated', 'judged', 'failed')
             AND (text IS NULL OR artifact IS NULL OR artifact_digest IS NULL OR batch_day IS NULL)",
    ),
    (
        "evaluated commits without a result",
        "SELECT 'commit ' || c.id FROM commits c LEFT JOIN evaluations e ON e.id = evaluation_id
         WHERE (c.state = 'evaluated' OR (c.state = 'judged' AND evaluation_id IS NOT NULL))
             AND e.state IS NOT 'done'",
    ),
    (
        "judged commits without a verdict",
        "SELECT 'commit ' || id FROM commits WHERE state = 'judged'
             AND (score IS NULL OR penalty IS NULL OR accepted IS NULL OR judged_at IS NULL
                 OR finalized_day IS NULL)",
    ),
    (
        "verdicts on commits that are not judged",
        "SELECT 'commit ' || id FROM commits WHERE state <> 'judged'
             AND (score IS NOT NULL OR accepted IS NOT NULL OR finalized_day IS NOT NULL)",
    ),
    (
        "commits judged on a day that is not in the ledger",
        "SELECT 'commit ' || id FROM commits WHERE finalized_day IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM finalizations f
             WHERE f.challenge = commits.challenge AND f.day = finalized_day)",
    ),
    (
        "commits judged before their day",
        "SELECT 'commit ' || id FROM commits WHERE finalized_day < batch_day",
    ),
    (
        "commits with a malformed digest",
        "SELECT 'commit ' || id FROM commits
         WHERE length(artifact_digest) <> 64 OR artifact_digest GLOB '*[^0-9a-f]*'",
    ),
    (
        "evaluations with a malformed digest",
        "SELECT 'evaluation ' || id FROM evaluations
         WHERE length(artifact_digest) <> 64 OR artifact_digest GLOB '*[^0-9a-f]*'
             OR length(plugin_digest) <> 64 OR plugin_digest GLOB '*[^0-9a-f]*'
             OR length(settings_digest) <> 64 OR settings_digest GLOB '*[^0-9a-f]*'",
    ),
    (
        "ended evaluations without what came of them",
        "SELECT 'evaluation ' || id FROM evaluations WHERE state IN ('done', 'failed')
             AND (outcome IS NULL OR logs IS NULL OR finished_at IS NULL OR lease IS NOT NULL)",
    ),
    (
        "malformed JSON",
        "SELECT 'commit ' || id FROM commits WHERE NOT json_valid(ifnull(comparisons, '[]'))
         UNION ALL SELECT 'evaluation ' || id FROM evaluations
             WHERE NOT json_valid(ifnull(logs, '[]')) OR NOT json_valid(ifnull(solves, '{}'))
         UNION ALL SELECT 'comparison ' || candidate || '/' || reference FROM comparisons
             WHERE NOT json_valid(logs)
         UNION ALL SELECT challenge || '/' || day FROM finalizations
             WHERE NOT json_valid(standings) OR NOT json_valid(weights) OR NOT json_valid(results)
         UNION ALL SELECT 'vector ' || day FROM weight_vectors
             WHERE NOT json_valid(uids) OR NOT json_valid(\"values\") OR NOT json_valid(derivation)
         UNION ALL SELECT 'organic loop ' || challenge FROM organic_loops
             WHERE NOT json_valid(ifnull(state, 'null'))
         UNION ALL SELECT 'entry ' || id FROM organic_entries
             WHERE NOT json_valid(sample) OR NOT json_valid(ifnull(answer, 'null'))
         UNION ALL SELECT 'iteration ' || id FROM organic_iterations
             WHERE NOT json_valid(summary) OR NOT json_valid(ifnull(record, 'null'))
         UNION ALL SELECT 'organic weights ' || challenge || '/' || day FROM organic_weights
             WHERE NOT json_valid(weights)",
    ),
    (
        "days in the ledger that are none",
        "SELECT challenge || '/' || day FROM finalizations WHERE date(day) IS NOT day
         UNION ALL SELECT 'vector ' || day FROM weight_vectors WHERE date(day) IS NOT day
         UNION ALL SELECT 'organic weights ' || challenge || '/' || day FROM organic_weights
             WHERE date(day) IS NOT day",
    ),
    (
        "days in the ledger out of order",
        "SELECT challenge || '/' || day FROM (
             SELECT challenge, day, scheduled_at, lag(scheduled_at) OVER (
                 PARTITION BY challenge ORDER BY day) AS before FROM finalizations)
         WHERE before >= scheduled_at AND scheduled_at > 0",
    ),
    (
        "days in the ledger before the challenge's first",
        "SELECT challenge || '/' || day FROM finalizations JOIN challenges ON name = challenge
         WHERE day < first_day",
    ),
    (
        "vectors of days that are not in the ledger",
        "SELECT 'vector ' || day FROM weight_vectors
         WHERE day NOT IN (SELECT day FROM finalizations)",
    ),
    (
        "leaves of a day's tree without their receipt",
        "SELECT day || '/' || leaf FROM receipt_leaves
         WHERE receipt NOT IN (SELECT id FROM receipts)",
    ),
    (
        "trees with a leaf missing",
        "SELECT day FROM receipt_leaves GROUP BY day
         HAVING min(leaf) <> 0 OR max(leaf) + 1 <> count(*)",
    ),
    (
        "trees and heads of different sizes",
        "SELECT day FROM receipt_leaves l GROUP BY day
         HAVING count(*) IS NOT (SELECT max(size) FROM receipt_heads h WHERE h.day = l.day)
         UNION ALL SELECT day || '/' || size FROM receipt_heads h WHERE size < 1
             OR size > (SELECT count(*) FROM receipt_leaves l WHERE l.day = h.day)",
    ),
    (
        "notices of an unknown kind",
        "SELECT kind || ' ' || subject FROM outbox
         WHERE kind NOT IN ('score', 'commit', 'state', 'archive')",
    ),
    (
        "entries in an iteration that does not have them",
        "SELECT 'entry ' || e.id FROM organic_entries e
             LEFT JOIN organic_iterations i ON i.id = e.iteration AND i.entry = e.id
         WHERE e.state = 'leased' AND i.state IS NOT 'running'",
    ),
    (
        "running iterations without their entry",
        "SELECT 'iteration ' || i.id FROM organic_iterations i
             LEFT JOIN organic_entries e ON e.id = i.entry AND e.iteration = i.id
         WHERE i.state = 'running' AND i.entry IS NOT NULL AND e.state IS NOT 'leased'",
    ),
    (
        "entries and iterations whose end is not what their state says",
        "SELECT 'entry ' || id FROM organic_entries
         WHERE (state IN ('done', 'dropped', 'failed')) <> (ended_at IS NOT NULL)
             OR (state IN ('dropped', 'failed') AND code IS NULL)
         UNION ALL SELECT 'iteration ' || id FROM organic_iterations
             WHERE (state = 'running') <> (ended_at IS NULL)
                 OR (state = 'failed' AND code IS NULL)",
    ),
    (
        "miscounted entries",
        "SELECT c.challenge || ' ' || c.state FROM organic_counts c
         WHERE entries <> (SELECT count(*) FROM organic_entries e
             WHERE e.challenge = c.challenge AND e.state = c.state)",
    ),
];

/// What is odd, and does no harm.
const WARNINGS: &[(&str, &str)] = &[
    (
        "notices of what is not there",
        "SELECT kind || ' ' || subject FROM outbox
         WHERE (kind = 'commit' AND subject NOT IN (SELECT CAST(id AS TEXT) FROM commits))
             OR (kind = 'score' AND subject NOT IN (SELECT CAST(id AS TEXT) FROM evaluations))
             OR (kind = 'archive' AND subject NOT IN (
                 SELECT challenge || '/' || day FROM finalizations))",
    ),
    (
        "results with a receipt that is not there",
        "WITH named (what, receipt) AS (
             SELECT 'evaluation ' || id, receipt FROM evaluations
             UNION ALL SELECT 'comparison ' || candidate || '/' || reference, receipt
                 FROM comparisons
             UNION ALL SELECT 'commit ' || id, receipt FROM commits
             UNION ALL SELECT challenge || '/' || day, receipt FROM finalizations
             UNION ALL SELECT 'vector ' || day, receipt FROM weight_vectors
             UNION ALL SELECT 'published vector ' || id, receipt FROM published_vectors)
         SELECT what FROM named
         WHERE receipt IS NOT NULL AND receipt NOT IN (SELECT id FROM receipts)",
    ),
    (
        "ledger days with a tree that is not there",
        "SELECT challenge || '/' || day FROM finalizations f
         WHERE tree_size IS NOT NULL AND NOT EXISTS (SELECT 1 FROM receipt_heads h
             WHERE h.day = f.day AND h.size = tree_size AND h.root = tree_root)",
    ),
    (
        "ledger days written before the day that precedes them: the clock moved back",
        "SELECT challenge || '/' || day FROM (
             SELECT challenge, day, finalized_at, lag(finalized_at) OVER (
                 PARTITION BY challenge ORDER BY day) AS before FROM finalizations)
         WHERE before > finalized_at",
    ),
];

/// What is odd while no host runs.
const LEFT: &[(&str, &str)] = &[
    (
        "evaluations leased while no host runs, to be taken up at the next start",
        "SELECT 'evaluation ' || id FROM evaluations WHERE state = 'leased'",
    ),
    (
        "iterations that run while no host does, to be ended at the next start",
        "SELECT 'iteration ' || id FROM organic_iterations WHERE state = 'running'",
    ),
];

impl Store {
    /// Looks for what is wrong with the database at `path`; another process may have
    /// it. Reads all of it. Returns (whether it is an error, what it is), errors
    /// first; `host_runs` is whether a host has the data directory.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]: a database that cannot even be read.
    pub fn problems(path: &Path, host_runs: bool) -> Result<Vec<(bool, String)>, StoreError> {
        let connection = open_to_read(path)?;
        let transaction = connection.unchecked_transaction()?;
        let mut problems: Vec<(bool, String)> = damage(&transaction)?
            .into_iter()
            .chain(errors(&transaction)?)
            .map(|problem| (true, problem))
            .collect();
        let left = if host_runs { &[] } else { LEFT };
        for rule in WARNINGS.iter().chain(left) {
            problems.extend(broken(&transaction, rule)?.map(|problem| (false, problem)));
        }
        Ok(problems)
    }
}

fn damage(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let found = statement.query_map([], |row| row.get(0))?;
    let found: Vec<String> = found.collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

/// What contradicts itself, one line each.
pub(super) fn errors(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there'
         FROM pragma_foreign_key_check GROUP BY 1",
    )?;
    let dangling = statement.query_map([], |row| row.get(0))?;
    let mut errors: Vec<String> = dangling.collect::<Result<_, _>>()?;
    for rule in ERRORS {
        errors.extend(broken(connection, rule)?);
    }
    Ok(errors)
}

fn broken(
    connection: &Connection,
    (what, sql): &(&str, &str),
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut named, mut count) = (Vec::new(), 0_u64);
    while let Some(row) = rows.next()? {
        count += 1;
        if named.len() < NAMED {
            named.push(row.get::<_, String>(0)?);
        }
    }
    if count > NAMED as u64 {
        named.push("…".to_owned());
    }
    Ok((count > 0).then(|| format!("{count} {what}: {}", named.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a database with one finalized day, changed by `sql`, that a host has.
    fn problems(sql: &str) -> Vec<(bool, String)> {
        problems_while(true, sql)
    }

    fn problems_while(host_runs: bool, sql: &str) -> Vec<(bool, String)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        drop(Store::open(&path).unwrap());
        let digest = "0".repeat(64);
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(&format!(
                "INSERT INTO challenges VALUES ('c', '2026-08-20');
                 INSERT INTO evaluations (id, challenge, plugin_digest, settings_digest,
                     artifact_digest, engine, seed, now, state, queued_at, not_before, outcome,
                     logs, finished_at)
                 VALUES (1, 'c', '{digest}', '{digest}', '{digest}', 'e', 1, 0, 'done', 0, 0,
                     'ok', '[]', 1);
                 INSERT INTO commits (id, challenge, miner_hotkey, miner_uid, encrypted_commit,
                     state, text, artifact, artifact_digest, batch_day, evaluation_id, score,
                     penalty, accepted, judged_at, finalized_day, revision)
                 VALUES (1, 'c', 'm', 1, 'e', 'judged', 't', 'a', '{digest}', '2026-08-22', 1, 0.5,
                     0, 1, 1, '2026-08-22', 1);
                 INSERT INTO finalizations (day, challenge, plugin_digest, outcome, standings,
                     weights, finalized_at, scheduled_at)
                 VALUES ('2026-08-21', 'c', '', 'ok', '[]', '[]', 1, 1),
                     ('2026-08-22', 'c', '', 'ok', '[]', '[]', 2, 2);
                 INSERT INTO organic_entries (id, challenge, caller, digest, priority,
                     received_at, sample, state, iteration)
                 VALUES ('e', 'c', 'v', 'd', 0, 1, '{{}}', 'leased', 1);
                 INSERT INTO organic_iterations (challenge, entry, started_at, plugin, settings,
                     engine, queue_size) VALUES ('c', 'e', 1, '', '', '', 0);
                 {sql}"
            ))
            .unwrap();
        drop(connection);
        Store::problems(&path, host_runs).unwrap()
    }

    #[test]
    fn a_good_database_has_no_problem() {
        assert_eq!(problems(""), []);
    }

    #[test]
    fn what_may_not_be_is_found() {
        for (sql, found) in [
            ("UPDATE commits SET score = NULL", "without a verdict"),
            ("UPDATE commits SET text = NULL", "without artifact or day"),
            (
                "UPDATE commits SET state = 'evaluated', evaluation_id = NULL, score = NULL,
                     penalty = NULL, accepted = NULL, judged_at = NULL, finalized_day = NULL",
                "without a result",
            ),
            ("UPDATE commits SET state = 'failed'", "not judged"),
            (
                "DELETE FROM finalizations WHERE day = '2026-08-22'",
                "not in the ledger",
            ),
            (
                "UPDATE commits SET batch_day = '2026-08-23'",
                "before their day",
            ),
            (
                "UPDATE commits SET artifact_digest = upper(hex(zeroblob(31))) || 'AF'",
                "malformed digest",
            ),
            (
                "UPDATE evaluations SET plugin_digest = 'x'",
                "malformed digest",
            ),
            ("UPDATE evaluations SET logs = '['", "malformed JSON"),
            (
                "UPDATE finalizations SET scheduled_at = 5 WHERE day = '2026-08-21'",
                "out of order",
            ),
            (
                "UPDATE finalizations SET day = 'today' WHERE day = '2026-08-21'",
                "that are none",
            ),
            (
                "UPDATE challenges SET first_day = '2026-08-22'",
                "challenge's first",
            ),
            (
                "INSERT INTO weight_vectors VALUES ('2026-08-23', '[]', '[]', '{}', 1, NULL)",
                "vectors of days",
            ),
            (
                "INSERT INTO outbox (kind, subject, queued_at) VALUES ('x', '', 0)",
                "unknown kind",
            ),
            (
                "PRAGMA foreign_keys = 0; DELETE FROM evaluations",
                "not there",
            ),
            (
                "UPDATE organic_iterations SET state = 'failed', ended_at = 1, code = 'x'",
                "that does not have them",
            ),
            ("DELETE FROM organic_entries", "without their entry"),
            (
                "UPDATE organic_entries SET ended_at = 1",
                "their state says",
            ),
            (
                "UPDATE organic_iterations SET ended_at = 1",
                "their state says",
            ),
            ("UPDATE organic_counts SET entries = 2", "miscounted"),
            ("UPDATE organic_entries SET sample = '['", "malformed JSON"),
            (
                "UPDATE organic_iterations SET summary = '['",
                "malformed JSON",
            ),
            (
                "INSERT INTO organic_weights VALUES ('c', 'today', 1, '{}')",
                "that are none",
            ),
            (
                "INSERT INTO receipt_leaves VALUES ('2026-08-22', 0, 'r');
                 INSERT INTO receipt_heads VALUES ('2026-08-22', 1, '', '{}', '', '', 1)",
                "without their receipt",
            ),
            (
                "INSERT INTO receipt_leaves VALUES ('2026-08-22', 1, 'r')",
                "a leaf missing",
            ),
            (
                "INSERT INTO receipt_leaves VALUES ('2026-08-22', 0, 'r')",
                "different sizes",
            ),
            (
                "INSERT INTO receipt_heads VALUES ('2026-08-22', 1, '', '{}', '', '', 1)",
                "different sizes",
            ),
        ] {
            let problems = problems(sql);
            let is_found = |(error, what): &(bool, String)| *error && what.contains(found);
            assert!(problems.iter().any(is_found), "{sql}: {problems:?}");
        }
    }

    #[test]
    fn what_a_host_left_behind_is_odd_once_it_is_gone() {
        let found = problems_while(false, "UPDATE evaluations SET state = 'leased'");
        let odd = |what: &str| {
            found
                .iter()
                .any(|(error, text)| !error && text.contains(what))
        };
        assert!(
            odd("evaluations leased") && odd("iterations that run"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_only_odd_is_no_error() {
        for (sql, found) in [
            (
                "UPDATE finalizations SET finalized_at = 0 WHERE day = '2026-08-22'",
                "moved back",
            ),
            (
                "UPDATE evaluations SET receipt = 'r'",
                "a receipt that is not there",
            ),
            (
                "UPDATE finalizations SET tree_size = 1, tree_root = 'r' WHERE day = '2026-08-22'",
                "a tree that is not there",
            ),
            (
                "INSERT INTO outbox (kind, subject, queued_at) VALUES ('commit', '7', 0)",
                "not there",
            ),
        ] {
            let problems = problems(sql);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(
                !problems[0].0 && problems[0].1.contains(found),
                "{problems:?}"
            );
        }
    }
}
