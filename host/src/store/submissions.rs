//! Weights on their way to the chain: each try, before it is sent and after.

mod steps;

pub use steps::Step;

use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

/// Whose weights, where: of these there is one submission at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionKey {
    /// The chain: hash of its first block, 64 hexadecimal digits.
    pub genesis: String,
    /// The subnet.
    pub netuid: u16,
    /// The mechanism.
    pub mechanism: u8,
    /// The address that signs.
    pub hotkey: String,
}

/// What a submission does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionKind {
    /// It sets weights.
    Set,
    /// It commits to the hash of weights.
    Commit,
    /// It reveals weights that were committed to.
    Reveal,
    /// It commits to weights that the chain reveals by itself.
    Timelocked,
}

impl SubmissionKind {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SubmissionKind::Set => "set",
            SubmissionKind::Commit => "commit",
            SubmissionKind::Reveal => "reveal",
            SubmissionKind::Timelocked => "timelocked",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Set, Self::Commit, Self::Reveal, Self::Timelocked]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// How far a submission has come. It moves forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionState {
    /// It is signed and stored. Whether a node has it is not known.
    Prepared,
    /// A node took it.
    Sent,
    /// A block has it that is not final.
    Included,
    /// A finalized block has it, and the call succeeded.
    Finalized,
    /// The weights were seen on chain.
    Confirmed,
    /// The call succeeded, and the weights were not seen on chain.
    Unconfirmed,
    /// No node took it.
    Rejected,
    /// A finalized block has it, and the call failed.
    Failed,
    /// No finalized block has it, and none can any more.
    Expired,
}

impl SubmissionState {
    /// Every state.
    pub const ALL: [SubmissionState; 9] = [
        SubmissionState::Prepared,
        SubmissionState::Sent,
        SubmissionState::Included,
        SubmissionState::Finalized,
        SubmissionState::Confirmed,
        SubmissionState::Unconfirmed,
        SubmissionState::Rejected,
        SubmissionState::Failed,
        SubmissionState::Expired,
    ];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SubmissionState::Prepared => "prepared",
            SubmissionState::Sent => "sent",
            SubmissionState::Included => "included",
            SubmissionState::Finalized => "finalized",
            SubmissionState::Confirmed => "confirmed",
            SubmissionState::Unconfirmed => "unconfirmed",
            SubmissionState::Rejected => "rejected",
            SubmissionState::Failed => "failed",
            SubmissionState::Expired => "expired",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it is not known yet what became of it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Prepared | Self::Sent | Self::Included)
    }

    /// Whether nothing more is to come.
    #[must_use]
    pub fn is_end(self) -> bool {
        !self.is_open() && self != Self::Finalized
    }

    /// Whether a finalized block has it, and the call succeeded.
    #[must_use]
    pub fn is_on_chain(self) -> bool {
        matches!(self, Self::Finalized | Self::Confirmed | Self::Unconfirmed)
    }
}

/// Who asked for a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    /// The schedule.
    Schedule,
    /// An operator.
    Operator,
}

impl AskedBy {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AskedBy::Schedule => "schedule",
            AskedBy::Operator => "operator",
        }
    }
}

/// A submission that is signed, and not sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSubmission {
    /// Whose, and where.
    pub key: SubmissionKey,
    /// The uid of the hotkey.
    pub uid: u16,
    /// What it does.
    pub kind: SubmissionKind,
    /// Of a reveal: the number of the commit that it reveals.
    pub commit_id: Option<i64>,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// Digest of the vector that the weights are of.
    pub vector: String,
    /// Whom it gives weight.
    pub uids: Vec<u16>,
    /// How much, as many.
    pub values: Vec<u16>,
    /// The version key.
    pub version_key: u64,
    /// Of a commit to a hash: its salt, which is secret until it is revealed.
    pub salt: Option<Vec<u16>>,
    /// Of a commit to a hash: the hash, 64 hexadecimal digits.
    pub commit_hash: Option<String>,
    /// Of a timelocked commit: the round of drand.
    pub reveal_round: Option<u64>,
    /// Of a commit: the epoch that it is foretold to be revealed in.
    pub reveal_epoch: Option<u64>,
    /// Of a commit: the block that it is foretold to begin with.
    pub reveal_block: Option<u64>,
    /// The call, `pallet.name`.
    pub call: String,
    /// The version of the runtime that it is signed for.
    pub spec_version: u32,
    /// The signed bytes.
    pub extrinsic: Vec<u8>,
    /// Their hash, 64 hexadecimal digits.
    pub hash: String,
    /// The account's nonce.
    pub nonce: u64,
    /// The block before the first that may have it.
    pub born: u64,
    /// The first block that may not have it any more.
    pub dies: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
}

/// A submission.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmissionRow {
    /// Its number; a later one has a greater one.
    pub id: i64,
    /// What is to be on chain.
    pub new: NewSubmission,
    /// How far it has come.
    pub state: SubmissionState,
    /// How often its bytes may have been given to a node.
    pub sends: u32,
    /// The last finalized block that was looked at for it.
    pub looked_at: u64,
    /// The finalized block that has it.
    pub block: Option<u64>,
    /// That block's hash, 64 hexadecimal digits.
    pub block_hash: Option<String>,
    /// Of a commit: the epoch that the chain counts it in.
    pub commit_epoch: Option<u64>,
    /// What came of it: the chain's name of an error, else a code.
    pub outcome: Option<String>,
    /// What came of it, for people.
    pub message: Option<String>,
    /// When it changed last, in seconds since the Unix epoch.
    pub updated_at: f64,
}

const OF_KEY: &str = "genesis = ?1 AND netuid = ?2 AND mechanism = ?3 AND hotkey = ?4";

impl Store {
    /// A submission.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn submission(&self, id: i64) -> Result<Option<SubmissionRow>, StoreError> {
        self.read(move |connection| find(connection, "id = ?1", [id]))
            .await
    }

    /// The submission of which it is not known what became of it, if there is one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn open_submission(
        &self,
        key: SubmissionKey,
    ) -> Result<Option<SubmissionRow>, StoreError> {
        self.read(move |connection| {
            let which = format!("{OF_KEY} AND state IN ('prepared', 'sent', 'included')");
            find(connection, &which, of(&key))
        })
        .await
    }

    /// Submissions whose call succeeded and whose weights were not seen on chain yet,
    /// the oldest first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn unseen_submissions(
        &self,
        key: SubmissionKey,
    ) -> Result<Vec<SubmissionRow>, StoreError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT * FROM submissions WHERE {OF_KEY} AND state = 'finalized' ORDER BY id"
            );
            all(connection, &sql, of(&key))
        })
        .await
    }

    /// The last submissions, the last first, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn last_submissions(
        &self,
        key: SubmissionKey,
        limit: u32,
    ) -> Result<Vec<SubmissionRow>, StoreError> {
        self.read(move |connection| {
            let sql =
                format!("SELECT * FROM submissions WHERE {OF_KEY} ORDER BY id DESC LIMIT {limit}");
            all(connection, &sql, of(&key))
        })
        .await
    }

    /// Submissions of every key with a number below `before`, the last first, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn submission_page(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<SubmissionRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT * FROM submissions WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
            all(connection, sql, (before.unwrap_or(i64::MAX), limit))
        })
        .await
    }

    /// The last try to reveal a commit, if there is one.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn reveal_of(&self, commit: i64) -> Result<Option<SubmissionRow>, StoreError> {
        self.read(move |connection| {
            find(
                connection,
                "commit_id = ?1 ORDER BY id DESC LIMIT 1",
                [commit],
            )
        })
        .await
    }
}

fn of(key: &SubmissionKey) -> (&str, u16, u8, &str) {
    (&key.genesis, key.netuid, key.mechanism, &key.hotkey)
}

fn find(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<SubmissionRow>, StoreError> {
    let sql = format!("SELECT * FROM submissions WHERE {which}");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_row(parameters, |found| Ok(row(found)))
        .optional()?;
    found.transpose()
}

fn all(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<SubmissionRow>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(next) = rows.next()? {
        found.push(row(next)?);
    }
    Ok(found)
}

fn row(row: &Row<'_>) -> Result<SubmissionRow, StoreError> {
    let text = |column: &str| row.get::<_, String>(column);
    let corrupt = |what: &str| StoreError::Corrupt(format!("a submission is {what:?}"));
    let salt: Option<String> = row.get("salt")?;
    let kind = text("kind")?;
    let state = text("state")?;
    let version_key = text("version_key")?;
    let asked_by = match text("asked_by")?.as_str() {
        "operator" => AskedBy::Operator,
        _ => AskedBy::Schedule,
    };
    let new = NewSubmission {
        key: SubmissionKey {
            genesis: row.get("genesis")?,
            netuid: row.get("netuid")?,
            mechanism: row.get("mechanism")?,
            hotkey: row.get("hotkey")?,
        },
        uid: row.get("uid")?,
        kind: SubmissionKind::from_name(&kind).ok_or_else(|| corrupt(&kind))?,
        commit_id: row.get("commit_id")?,
        asked_by,
        vector: row.get("vector")?,
        uids: serde_json::from_str(&text("uids")?)?,
        values: serde_json::from_str(&text("values")?)?,
        version_key: version_key.parse().map_err(|_| corrupt(&version_key))?,
        salt: salt.map(|salt| serde_json::from_str(&salt)).transpose()?,
        commit_hash: row.get("commit_hash")?,
        reveal_round: row.get("reveal_round")?,
        reveal_epoch: row.get("reveal_epoch")?,
        reveal_block: row.get("reveal_block")?,
        call: row.get("call")?,
        spec_version: row.get("spec_version")?,
        extrinsic: row.get("extrinsic")?,
        hash: row.get("hash")?,
        nonce: row.get("nonce")?,
        born: row.get("born")?,
        dies: row.get("dies")?,
        created_at: row.get("created_at")?,
    };
    Ok(SubmissionRow {
        id: row.get("id")?,
        new,
        state: SubmissionState::from_name(&state).ok_or_else(|| corrupt(&state))?,
        sends: row.get("sends")?,
        looked_at: row.get("looked_at")?,
        block: row.get("block")?,
        block_hash: row.get("block_hash")?,
        commit_epoch: row.get("commit_epoch")?,
        outcome: row.get("outcome")?,
        message: row.get("message")?,
        updated_at: row.get("updated_at")?,
    })
}

#[cfg(test)]
mod tests;
