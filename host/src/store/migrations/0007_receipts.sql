-- Receipts of all that was computed. Rows are added, and those of solvers' runs go when
-- they were long not stored anew.
CREATE TABLE receipts (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the body.
    id        TEXT NOT NULL UNIQUE,
    kind      TEXT NOT NULL,
    -- None for what belongs to no challenge.
    challenge TEXT,
    -- Canonical JSON.
    body      TEXT NOT NULL,
    -- Both or neither: the receipt of a solver's run is not signed.
    signer    TEXT,
    signature TEXT,
    -- In seconds since the Unix epoch; of a solver's run, when it was last stored.
    made_at   REAL NOT NULL,
    CHECK ((signer IS NULL) = (signature IS NULL))
) STRICT;
CREATE INDEX receipts_solves_by_use ON receipts (made_at) WHERE kind = 'solve';

-- Which receipts depend on a solver's run, both by seq. Noted when the receipt that depends
-- on it is stored, so that little is left to do when its day is finalized.
CREATE TABLE receipt_parents (
    solve  INTEGER NOT NULL REFERENCES receipts (seq) ON DELETE CASCADE,
    -- No reference, which would need an index: such receipts never go.
    parent INTEGER NOT NULL,
    PRIMARY KEY (solve, parent)
) STRICT, WITHOUT ROWID;

-- The receipts of each day's tree, in order. Rows are added, never changed.
CREATE TABLE receipt_leaves (
    -- YYYY-MM-DD, UTC.
    day     TEXT NOT NULL,
    -- From 0.
    leaf    INTEGER NOT NULL,
    receipt TEXT NOT NULL UNIQUE,
    PRIMARY KEY (day, leaf)
) STRICT, WITHOUT ROWID;

-- What was said of each day's tree whenever it grew. Rows are added, never changed.
CREATE TABLE receipt_heads (
    day       TEXT NOT NULL,
    size      INTEGER NOT NULL,
    root      TEXT NOT NULL,
    -- Canonical JSON.
    document  TEXT NOT NULL,
    signer    TEXT NOT NULL,
    signature TEXT NOT NULL,
    made_at   REAL NOT NULL,
    PRIMARY KEY (day, size)
) STRICT;

-- What receipts name by digest. Goes when it was long not used.
CREATE TABLE receipt_blobs (
    digest    TEXT PRIMARY KEY,
    -- Of the content, which is compressed here, in bytes.
    size      INTEGER NOT NULL,
    -- When something that names it was last stored, in seconds since the Unix epoch.
    last_used REAL NOT NULL,
    zstd      BLOB NOT NULL
) STRICT;
CREATE INDEX receipt_blobs_by_use ON receipt_blobs (last_used);

-- What is given to nobody, whether or not it is kept above. Rows are added, never changed.
CREATE TABLE receipt_private (
    digest TEXT PRIMARY KEY
) STRICT;

ALTER TABLE evaluations ADD COLUMN receipt TEXT;
ALTER TABLE comparisons ADD COLUMN receipt TEXT;
ALTER TABLE commits ADD COLUMN receipt TEXT;
ALTER TABLE weight_vectors ADD COLUMN receipt TEXT;
ALTER TABLE published_vectors ADD COLUMN receipt TEXT;
-- Of the weights, and the day's tree with all that was computed for them.
ALTER TABLE finalizations ADD COLUMN receipt TEXT;
ALTER TABLE finalizations ADD COLUMN tree_size INTEGER;
ALTER TABLE finalizations ADD COLUMN tree_root TEXT;
