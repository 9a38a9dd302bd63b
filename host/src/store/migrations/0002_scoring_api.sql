-- Whether what a validator published was taken in, and by which way it came.
ALTER TABLE validator_views ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE validator_views ADD COLUMN source TEXT NOT NULL DEFAULT 'file';

-- Who claims to have seen which commit when. Claims are added, never changed.
CREATE TABLE sightings (
    commit_id        INTEGER NOT NULL REFERENCES commits (id) ON DELETE CASCADE,
    validator_hotkey TEXT NOT NULL,
    -- 0 where the validator tells no time.
    claimed_at       REAL NOT NULL,
    -- When this host first heard of it.
    heard_at         REAL NOT NULL,
    PRIMARY KEY (commit_id, validator_hotkey, claimed_at)
) STRICT, WITHOUT ROWID;

-- Signed requests, so that none is taken twice; kept while they are fresh.
CREATE TABLE signed_requests (
    hotkey       TEXT NOT NULL,
    timestamp_ns INTEGER NOT NULL,
    PRIMARY KEY (hotkey, timestamp_ns)
) STRICT, WITHOUT ROWID;

-- The day whose finalization judged a commit.
ALTER TABLE commits ADD COLUMN finalized_day TEXT;
CREATE INDEX commits_ripe ON commits (committed_at) WHERE state = 'sealed' AND key IS NOT NULL;
CREATE INDEX commits_by_miner ON commits (miner_hotkey, id);
CREATE INDEX commits_by_ciphertext ON commits (encrypted_commit);
CREATE INDEX commits_by_evaluation ON commits (evaluation_id) WHERE evaluation_id IS NOT NULL;

-- The first day that a challenge may be finalized on.
CREATE TABLE challenges (
    name      TEXT PRIMARY KEY,
    first_day TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE finalizations ADD COLUMN settings_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE finalizations ADD COLUMN engine TEXT NOT NULL DEFAULT '';
-- The commits that were judged and what each came to, JSON.
ALTER TABLE finalizations ADD COLUMN results TEXT NOT NULL DEFAULT '[]';
-- The logical time of verdicts and weights: the scoring hour of the day.
ALTER TABLE finalizations ADD COLUMN scheduled_at REAL NOT NULL DEFAULT 0;

-- What happened, for whoever follows it.
CREATE TABLE events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        REAL NOT NULL,
    kind      TEXT NOT NULL,
    challenge TEXT NOT NULL,
    data      TEXT NOT NULL
) STRICT;

-- What others are still to be told: that something changed, not what it is now.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    queued_at  REAL NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    error      TEXT,
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX outbox_by_kind ON outbox (kind, not_before, id);

-- What they were told last, so that they are told only what changed.
CREATE TABLE outbox_sent (
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    digest  TEXT NOT NULL,
    sent_at REAL NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX finalizations_by_challenge ON finalizations (challenge, day);

-- Pages of the API, by what they are asked for.
CREATE INDEX commits_by_challenge ON commits (challenge, id);
CREATE INDEX commits_by_uid ON commits (miner_uid, id);
CREATE INDEX commits_by_day ON commits (batch_day, id) WHERE batch_day IS NOT NULL;
CREATE INDEX evaluations_by_challenge ON evaluations (challenge, id);
CREATE INDEX sightings_by_validator ON sightings (validator_hotkey, commit_id);
-- What is kept no more is found by what it belongs to.
CREATE INDEX comparisons_by_candidate ON comparisons (candidate);
CREATE INDEX comparisons_by_reference ON comparisons (reference);
CREATE INDEX commits_by_artifact ON commits (challenge, artifact_digest)
    WHERE artifact_digest IS NOT NULL;

-- Times that the host ended while it ran: no attempts in vain.
ALTER TABLE evaluations ADD COLUMN cut_short INTEGER NOT NULL DEFAULT 0;
CREATE INDEX evaluations_running ON evaluations (challenge) WHERE state = 'leased';
