-- Each try to put weights on chain. A row is here before its bytes are sent to anybody.
CREATE TABLE submissions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The chain: hash of its first block, hex. What another chain has is never looked
    -- for on this one.
    genesis      TEXT NOT NULL,
    netuid       INTEGER NOT NULL,
    mechanism    INTEGER NOT NULL,
    -- Whose: an address.
    hotkey       TEXT NOT NULL,
    uid          INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('set', 'commit', 'reveal', 'timelocked')),
    -- Of a reveal: what it reveals.
    commit_id    INTEGER REFERENCES submissions (id),
    -- Who asked for it: `schedule` or `operator`.
    asked_by     TEXT NOT NULL CHECK (asked_by IN ('schedule', 'operator')),
    -- Digest of the vector.
    vector       TEXT NOT NULL,
    uids         TEXT NOT NULL,
    "values"     TEXT NOT NULL,
    -- Decimal: it may be more than a signed integer holds.
    version_key  TEXT NOT NULL,
    -- Of a commit: its salt, JSON, secret until the reveal, and its hash, hex.
    salt         TEXT,
    commit_hash  TEXT,
    -- Of a timelocked commit: the round of drand.
    reveal_round INTEGER,
    -- Of both: the epoch that the chain counts it in, known once it is final, the one
    -- that it is revealed in, and the block in which that is foretold to begin.
    commit_epoch INTEGER,
    reveal_epoch INTEGER,
    reveal_block INTEGER,
    -- The transaction: its call, its bytes, and their hash, hex.
    call         TEXT NOT NULL,
    spec_version INTEGER NOT NULL,
    extrinsic    BLOB NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    nonce        INTEGER NOT NULL,
    -- Blocks after `born` and before `dies` may have it, and no other.
    born         INTEGER NOT NULL,
    dies         INTEGER NOT NULL,
    -- It moves forward only: prepared, sent, included, finalized, confirmed, or to one of
    -- the ends.
    state        TEXT NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'sent',
        'included', 'finalized', 'confirmed', 'unconfirmed', 'rejected', 'failed', 'expired')),
    -- How often its bytes may have been given to a node.
    sends        INTEGER NOT NULL DEFAULT 0,
    -- The last finalized block that was looked at for it.
    looked_at    INTEGER NOT NULL DEFAULT 0,
    -- The finalized block that has it.
    block        INTEGER,
    block_hash   TEXT,
    -- What came of it: the chain's name of an error, else a code; and for people.
    outcome      TEXT,
    message      TEXT,
    created_at   REAL NOT NULL,
    updated_at   REAL NOT NULL
) STRICT;
CREATE INDEX submissions_of_key ON submissions (genesis, netuid, mechanism, hotkey, id);
-- While it is not known what became of one, there is no other.
CREATE UNIQUE INDEX submissions_open ON submissions (genesis, netuid, mechanism, hotkey)
    WHERE state IN ('prepared', 'sent', 'included');
-- A commit is revealed once.
CREATE UNIQUE INDEX submissions_reveals ON submissions (commit_id)
    WHERE state NOT IN ('rejected', 'failed', 'expired');
