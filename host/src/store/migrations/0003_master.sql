-- A challenge as the operator wants it.
CREATE TABLE registry (
    slug         TEXT PRIMARY KEY,
    status       TEXT NOT NULL CHECK (status IN ('draft', 'active', 'inactive', 'disabled')),
    -- What the operator said, JSON.
    spec         TEXT NOT NULL,
    -- The component that it runs, and what that told of itself.
    digest       TEXT NOT NULL,
    version      TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    -- Who made the record: `admin` or `folder`.
    origin       TEXT NOT NULL,
    -- Number of the last change in the audit log: no two states of any record have
    -- the same.
    revision     INTEGER NOT NULL,
    -- Since when an operator has it active; none if it was from the beginning. It was
    -- finalized on no day between.
    active_since REAL,
    created_at   REAL NOT NULL,
    updated_at   REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Every component that a challenge ever ran.
CREATE TABLE registry_versions (
    slug      TEXT NOT NULL,
    digest    TEXT NOT NULL,
    version   TEXT NOT NULL,
    reference TEXT NOT NULL,
    added_at  REAL NOT NULL,
    -- The change by which the record last began to name it.
    used_by   INTEGER NOT NULL,
    PRIMARY KEY (slug, digest)
) STRICT, WITHOUT ROWID;

-- Who changed what. Rows are added, never changed.
CREATE TABLE registry_audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      REAL NOT NULL,
    actor   TEXT NOT NULL,
    -- A challenge's slug, or `gpu-server:` and its id.
    subject TEXT NOT NULL,
    action  TEXT NOT NULL,
    -- Each field that changed, JSON: {"field": [before, after]}. Never a secret.
    changes TEXT NOT NULL
) STRICT;
CREATE INDEX registry_audit_by_subject ON registry_audit (subject, id);

-- Values that are given to challenges, sealed with a key that is not in here.
CREATE TABLE registry_secrets (
    slug       TEXT NOT NULL,
    name       TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    updated_at REAL NOT NULL,
    PRIMARY KEY (slug, name)
) STRICT, WITHOUT ROWID;

-- What those who run a challenge identify themselves with: keyed hashes.
CREATE TABLE registry_tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    slug       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    hint       TEXT NOT NULL,
    created_at REAL NOT NULL,
    -- When it ends; none if it does not.
    expires_at REAL
) STRICT;
CREATE INDEX registry_tokens_by_slug ON registry_tokens (slug, id);

-- What POST requests with an Idempotency-Key were answered.
CREATE TABLE idempotency_keys (
    actor      TEXT NOT NULL,
    key        TEXT NOT NULL,
    -- SHA-256 over method, path and body.
    request    TEXT NOT NULL,
    status     INTEGER NOT NULL,
    -- Sealed: it may have a token in it.
    answer     BLOB NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Servers with GPUs, for runners.
CREATE TABLE gpu_servers (
    id         TEXT PRIMARY KEY,
    spec       TEXT NOT NULL,
    -- Sealed; none if it has no token.
    token      BLOB,
    token_hint TEXT,
    revision   INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Requests that miners and validators signed, so that none is taken twice.
CREATE TABLE request_nonces (
    -- `miner:<challenge>`, `upload:<challenge>` or `validator`.
    scope   TEXT NOT NULL,
    hotkey  TEXT NOT NULL,
    nonce   TEXT NOT NULL,
    used_at REAL NOT NULL,
    PRIMARY KEY (scope, hotkey, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_nonces_by_age ON request_nonces (used_at);

-- Validators that said that they are there.
CREATE TABLE validator_nodes (
    hotkey        TEXT PRIMARY KEY,
    uid           INTEGER NOT NULL,
    -- What it told of itself, JSON.
    about         TEXT NOT NULL,
    -- Challenges that it works for, JSON; none in it is all.
    subscriptions TEXT NOT NULL,
    registered_at REAL NOT NULL,
    seen_at       REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Evaluations that validators do again. A lease that ends returns it.
CREATE TABLE assignments (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    challenge     TEXT NOT NULL,
    evaluation_id INTEGER NOT NULL,
    state         TEXT NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'leased', 'confirmed', 'contradicted', 'failed')),
    -- What its result must come to: SHA-256.
    expected      TEXT NOT NULL,
    validator     TEXT,
    lease_until   REAL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    progress      REAL,
    -- Of each attempt: who, what and when, JSON.
    results       TEXT NOT NULL DEFAULT '[]',
    created_at    REAL NOT NULL,
    updated_at    REAL NOT NULL,
    UNIQUE (evaluation_id)
) STRICT;
CREATE INDEX assignments_by_state ON assignments (state, challenge, id);

-- Since when a validator has an assignment.
ALTER TABLE assignments ADD COLUMN leased_at REAL;

-- Up to where the finalized commits of a challenge were looked at for evaluations that
-- validators are to do again.
CREATE TABLE assignment_marks (
    challenge TEXT PRIMARY KEY,
    day       TEXT NOT NULL,
    commit_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX commits_by_finalized_day ON commits (challenge, finalized_day, id)
    WHERE finalized_day IS NOT NULL;
