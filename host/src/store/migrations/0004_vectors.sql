-- Every weight vector that was published, in order. Rows are added, never changed.
CREATE TABLE published_vectors (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the document.
    digest   TEXT NOT NULL,
    -- The last day that it takes in, YYYY-MM-DD, UTC.
    day      TEXT NOT NULL,
    made_at  REAL NOT NULL,
    -- What it pays and how it came about, JSON.
    document TEXT NOT NULL
) STRICT;
