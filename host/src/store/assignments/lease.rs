//! Who gets which assignment.

use super::{AssignmentRow, AssignmentSubject, WITH_SUBJECT, row, subject};
use crate::store::{JobKey, Store, StoreError};
use rusqlite::{Connection, Transaction};
use std::collections::VecDeque;

/// What a validator asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its hotkey.
    pub validator: String,
    /// The versions of challenges that it may be given; the artifact is not looked at.
    pub versions: Vec<JobKey>,
    /// How many it wants to have, those included that it has.
    pub most: u32,
    /// Since when validators must have been heard to count as online, in seconds since
    /// the Unix epoch.
    pub online_since: f64,
    /// What time it is, in seconds since the Unix epoch.
    pub now: f64,
    /// Until when it has what it gets, in seconds since the Unix epoch.
    pub lease_until: f64,
}

/// Open assignments of a version, the oldest first. Who tried one before gets it again
/// only if everybody who is online and works for the challenge did too.
const OPEN: &str = "SELECT a.id FROM assignments a JOIN evaluations e ON e.id = a.evaluation_id
    WHERE a.state = 'open' AND a.challenge = ?1
        AND e.plugin_digest = ?2 AND e.settings_digest = ?3 AND e.engine = ?4
        AND (a.attempts = 0
            OR NOT EXISTS (SELECT 1 FROM json_each(a.results) r
                WHERE r.value ->> 'validator' = ?5)
            OR NOT EXISTS (SELECT 1 FROM validator_nodes n
                WHERE n.seen_at >= ?6
                    AND (n.subscriptions = '[]' OR EXISTS (
                        SELECT 1 FROM json_each(n.subscriptions) s WHERE s.value = ?1))
                    AND NOT EXISTS (SELECT 1 FROM json_each(a.results) r
                        WHERE r.value ->> 'validator' = n.hotkey)))
    ORDER BY a.id LIMIT ?7";

impl Store {
    /// Leases assignments until a validator has as many as it wants, or there are no
    /// more: of the challenge with the fewest leased, and of these the oldest. Returns
    /// all that it has then, by number, with what each is about.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn lease_assignments(
        &self,
        wanted: Wanted,
    ) -> Result<Vec<(AssignmentRow, AssignmentSubject)>, StoreError> {
        self.write(move |tx| {
            let held = held(tx, &wanted)?.len();
            let most = (wanted.most as usize).saturating_sub(held);
            if most > 0 {
                let waiting = waiting(tx, &wanted, most)?;
                for id in share_out(waiting, most) {
                    lease(tx, id, &wanted)?;
                }
            }
            self::held(tx, &wanted)
        })
        .await
    }
}

/// What a validator has.
fn held(
    connection: &Connection,
    wanted: &Wanted,
) -> Result<Vec<(AssignmentRow, AssignmentSubject)>, StoreError> {
    let sql = format!(
        "{WITH_SUBJECT} WHERE a.state = 'leased' AND a.validator = ?1 AND a.lease_until > ?2
         ORDER BY a.id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((&wanted.validator, wanted.now))?;
    let mut held = Vec::new();
    while let Some(next) = rows.next()? {
        held.push((row(next)?, subject(next)?));
    }
    Ok(held)
}

/// Of each version how many of its challenge are leased, and what may be.
fn waiting(
    tx: &Transaction<'_>,
    wanted: &Wanted,
    most: usize,
) -> Result<Vec<(u64, VecDeque<i64>)>, StoreError> {
    let running = "SELECT count(*) FROM assignments WHERE state = 'leased' AND challenge = ?1";
    let mut waiting = Vec::new();
    for version in &wanted.versions {
        let running = tx
            .prepare_cached(running)?
            .query_row([&version.challenge], |row| row.get(0))?;
        let mut statement = tx.prepare_cached(OPEN)?;
        let open = statement.query_map(
            (
                &version.challenge,
                &version.plugin_digest,
                &version.settings_digest,
                &version.engine,
                &wanted.validator,
                wanted.online_since,
                most,
            ),
            |row| row.get(0),
        )?;
        waiting.push((running, open.collect::<Result<_, _>>()?));
    }
    Ok(waiting)
}

/// One after the other from where the fewest run; of as many, the oldest.
fn share_out(mut waiting: Vec<(u64, VecDeque<i64>)>, most: usize) -> Vec<i64> {
    let mut chosen = Vec::new();
    while chosen.len() < most {
        let some = waiting.iter_mut().filter(|(_, open)| !open.is_empty());
        let next = some.min_by_key(|(running, open)| (*running, open.front().copied()));
        let Some((running, open)) = next else { break };
        *running += 1;
        chosen.extend(open.pop_front());
    }
    chosen
}

fn lease(tx: &Transaction<'_>, id: i64, wanted: &Wanted) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE assignments SET state = 'leased', validator = ?2, leased_at = ?3,
             lease_until = ?4, attempts = attempts + 1, progress = NULL, updated_at = ?3
         WHERE id = ?1 AND state = 'open'",
    )?
    .execute((id, &wanted.validator, wanted.now, wanted.lease_until))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_with_the_fewest_running_comes_first() {
        let waiting = vec![
            (2, VecDeque::from([1, 2, 3])),
            (0, VecDeque::from([7, 8])),
            (1, VecDeque::from([4, 5, 6])),
        ];
        assert_eq!(share_out(waiting.clone(), 4), [7, 4, 8, 1]);
        assert_eq!(share_out(waiting.clone(), 100).len(), 8);
        assert_eq!(share_out(waiting, 0), [0; 0]);
        assert_eq!(share_out(Vec::new(), 1), [0; 0]);
    }
}
