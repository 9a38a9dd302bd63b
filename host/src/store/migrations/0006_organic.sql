-- Organic scoring: a row for each challenge that has anything of it.
CREATE TABLE organic_loops (
    challenge  TEXT PRIMARY KEY,
    -- Whether an operator stopped it.
    stopped    INTEGER NOT NULL DEFAULT 0,
    -- Steps that are counted up and not taken yet.
    steps      INTEGER NOT NULL DEFAULT 0,
    -- What `fold` returned last, JSON; none before the first time.
    state      TEXT,
    -- Grows with every change of this row and of all that follow of its challenge.
    revision   INTEGER NOT NULL DEFAULT 0,
    updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- How many entries a challenge has in each state. The triggers below keep it: a queue of
-- many is not counted each time that one comes in.
CREATE TABLE organic_counts (
    challenge TEXT NOT NULL,
    state     TEXT NOT NULL,
    entries   INTEGER NOT NULL,
    PRIMARY KEY (challenge, state)
) STRICT, WITHOUT ROWID;

-- What callers sent.
CREATE TABLE organic_entries (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    challenge   TEXT NOT NULL,
    -- Whose it is: a hotkey.
    caller      TEXT NOT NULL,
    -- What two of the same content have in common.
    digest      TEXT NOT NULL,
    priority    REAL NOT NULL,
    received_at REAL NOT NULL,
    -- queued, leased, done; from leased to queued again, or to failed; from queued to
    -- dropped. An operator may queue what failed or was dropped.
    state       TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'leased', 'done', 'dropped', 'failed')),
    -- Iterations with it that ended by themselves.
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Iterations with it that the end of the host cut short.
    interrupted INTEGER NOT NULL DEFAULT 0,
    -- When it may be tried again; 0 if at any time.
    not_before  REAL NOT NULL DEFAULT 0,
    -- The last iteration with it.
    iteration   INTEGER,
    ended_at    REAL,
    -- Of what went wrong last.
    code        TEXT,
    message     TEXT,
    -- JSON, both.
    sample      TEXT NOT NULL,
    answer      TEXT
) STRICT;
CREATE INDEX organic_entries_by_challenge ON organic_entries (challenge);
CREATE INDEX organic_entries_by_state ON organic_entries (challenge, state);
CREATE INDEX organic_entries_due ON organic_entries (challenge, not_before)
    WHERE state = 'queued';
CREATE INDEX organic_entries_by_priority ON organic_entries (challenge, priority DESC)
    WHERE state = 'queued';
-- With the state, or each row is looked at after all.
CREATE INDEX organic_entries_of_caller ON organic_entries (challenge, caller, state)
    WHERE state IN ('queued', 'leased');
CREATE INDEX organic_entries_by_digest ON organic_entries (challenge, digest);
CREATE INDEX organic_entries_by_end ON organic_entries (challenge, ended_at)
    WHERE ended_at IS NOT NULL;

CREATE TRIGGER organic_entry_added AFTER INSERT ON organic_entries BEGIN
    INSERT INTO organic_counts VALUES (new.challenge, new.state, 1)
        ON CONFLICT DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER organic_entry_moved AFTER UPDATE OF state ON organic_entries BEGIN
    UPDATE organic_counts SET entries = entries - 1
        WHERE challenge = old.challenge AND state = old.state;
    INSERT INTO organic_counts VALUES (new.challenge, new.state, 1)
        ON CONFLICT DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER organic_entry_removed AFTER DELETE ON organic_entries BEGIN
    UPDATE organic_counts SET entries = entries - 1
        WHERE challenge = old.challenge AND state = old.state;
END;

-- Each time that miners were asked, or were to be.
CREATE TABLE organic_iterations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    challenge  TEXT NOT NULL,
    -- The entry that it is about, or the dataset that its sample is made from.
    entry      TEXT,
    dataset    TEXT,
    started_at REAL NOT NULL,
    ended_at   REAL,
    state      TEXT NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'done', 'failed')),
    -- Of a failed one: why.
    code       TEXT,
    message    TEXT,
    -- Digests of the component and of its settings, and the sandbox.
    plugin     TEXT NOT NULL,
    settings   TEXT NOT NULL,
    engine     TEXT NOT NULL,
    -- Entries that were queued once it had its own.
    queue_size INTEGER NOT NULL,
    -- What anybody may know of what it came to, JSON.
    summary    TEXT NOT NULL DEFAULT '{}',
    -- All that it came to, JSON; last, for it is long, and kept for a shorter time.
    record     TEXT,
    CHECK ((entry IS NULL) <> (dataset IS NULL))
) STRICT;
CREATE INDEX organic_iterations_by_challenge ON organic_iterations (challenge);
CREATE INDEX organic_iterations_running ON organic_iterations (id) WHERE state = 'running';
CREATE INDEX organic_iterations_by_end ON organic_iterations (challenge, ended_at)
    WHERE ended_at IS NOT NULL;
CREATE INDEX organic_iterations_with_record ON organic_iterations (challenge, ended_at)
    WHERE record IS NOT NULL;
-- An entry is in one iteration at a time, and in none after one that it is done by.
CREATE UNIQUE INDEX organic_iterations_of_entry ON organic_iterations (entry)
    WHERE state IN ('running', 'done');

-- What a challenge's miners are paid, as of the last iteration of each day.
CREATE TABLE organic_weights (
    challenge TEXT NOT NULL,
    -- YYYY-MM-DD, UTC.
    day       TEXT NOT NULL,
    at        REAL NOT NULL,
    -- By hotkey, JSON.
    weights   TEXT NOT NULL,
    PRIMARY KEY (challenge, day)
) STRICT, WITHOUT ROWID;
