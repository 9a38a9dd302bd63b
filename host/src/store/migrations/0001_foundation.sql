-- Values that belong to the database as a whole, such as the deployment's seed.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What each validator published last, as it came.
CREATE TABLE validator_views (
    validator_uid    INTEGER PRIMARY KEY,
    validator_hotkey TEXT NOT NULL,
    document         BLOB NOT NULL,
    received_at      REAL NOT NULL
) STRICT;

-- Keys and plain commits that did not verify.
CREATE TABLE commit_faults (
    validator_uid INTEGER NOT NULL,
    miner_hotkey  TEXT NOT NULL,
    challenge     TEXT NOT NULL,
    code          TEXT NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (validator_uid, miner_hotkey, challenge, code)
) STRICT, WITHOUT ROWID;

-- Every version of every miner's commit. The state only moves forward.
CREATE TABLE commits (
    id               INTEGER PRIMARY KEY,
    challenge        TEXT NOT NULL,
    miner_hotkey     TEXT NOT NULL,
    miner_uid        INTEGER NOT NULL,
    encrypted_commit TEXT NOT NULL,
    committed_at     REAL,
    key              TEXT,
    state            TEXT NOT NULL DEFAULT 'sealed'
        CHECK (state IN ('sealed', 'refused', 'revealed', 'evaluated', 'judged', 'failed')),
    -- Why it is refused or failed: a code, then text for people.
    fault            TEXT,
    text             TEXT,
    artifact         TEXT,
    artifact_digest  TEXT,
    batch_day        TEXT,
    evaluation_id    INTEGER REFERENCES evaluations (id),
    -- Attempts to judge it that came to nothing, and when to make the next.
    judge_attempts   INTEGER NOT NULL DEFAULT 0,
    judge_not_before REAL NOT NULL DEFAULT 0,
    comparisons      TEXT,
    score            REAL,
    penalty          REAL,
    accepted         INTEGER,
    reason           TEXT,
    judged_at        REAL,
    -- Grows with every change of any commit.
    revision         INTEGER NOT NULL,
    UNIQUE (challenge, miner_hotkey, encrypted_commit)
) STRICT;
CREATE UNIQUE INDEX commits_by_revision ON commits (revision);
CREATE INDEX commits_by_state ON commits (state, challenge, committed_at, miner_hotkey);

-- Jobs and their results. A job names all that it needs by digest.
CREATE TABLE evaluations (
    id              INTEGER PRIMARY KEY,
    challenge       TEXT NOT NULL,
    plugin_digest   TEXT NOT NULL,
    settings_digest TEXT NOT NULL,
    artifact_digest TEXT NOT NULL,
    -- Version and settings of the sandbox, and the limits of its calls.
    engine          TEXT NOT NULL,
    seed            INTEGER NOT NULL,
    now             REAL NOT NULL,
    state           TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'leased', 'done', 'failed')),
    lease           TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    queued_at       REAL NOT NULL,
    not_before      REAL NOT NULL,
    outcome         TEXT,
    message         TEXT,
    -- The submission's own outcomes and how often, JSON.
    solves          TEXT,
    logs            TEXT,
    fuel            INTEGER,
    finished_at     REAL,
    UNIQUE (challenge, plugin_digest, settings_digest, artifact_digest, engine)
) STRICT;
CREATE INDEX evaluations_by_state ON evaluations (state, not_before);

-- Similarity of two artifacts, under one version of a plugin.
CREATE TABLE comparisons (
    challenge       TEXT NOT NULL,
    plugin_digest   TEXT NOT NULL,
    settings_digest TEXT NOT NULL,
    candidate       INTEGER NOT NULL REFERENCES evaluations (id),
    reference       INTEGER NOT NULL REFERENCES evaluations (id),
    logs            TEXT NOT NULL,
    PRIMARY KEY (challenge, plugin_digest, settings_digest, candidate, reference)
) STRICT, WITHOUT ROWID;

-- What a day came to, once per day and challenge.
CREATE TABLE finalizations (
    day           TEXT NOT NULL,
    challenge     TEXT NOT NULL,
    plugin_digest TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    message       TEXT,
    standings     TEXT NOT NULL,
    weights       TEXT NOT NULL,
    finalized_at  REAL NOT NULL,
    PRIMARY KEY (day, challenge)
) STRICT, WITHOUT ROWID;

CREATE TABLE weight_vectors (
    day          TEXT PRIMARY KEY,
    uids         TEXT NOT NULL,
    "values"     TEXT NOT NULL,
    derivation   TEXT NOT NULL,
    finalized_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
