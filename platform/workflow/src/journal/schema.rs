//! The tables of `workflows.db`.

/// Numbered scripts; see [`store::sqlite::open`].
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE definitions (
    hash   TEXT PRIMARY KEY,
    name   TEXT NOT NULL,
    bundle TEXT NOT NULL                     -- JSON: the definition and the ones inside it
) STRICT, WITHOUT ROWID;
CREATE TABLE aliases (
    name         TEXT NOT NULL,
    alias        TEXT NOT NULL CHECK (alias IN ('stable', 'canary')),
    hash         TEXT NOT NULL REFERENCES definitions (hash),
    weight       INTEGER NOT NULL DEFAULT 0,
    previous     TEXT,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (name, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    n          INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    workflow   TEXT NOT NULL,
    reference  TEXT NOT NULL,
    hash       TEXT NOT NULL REFERENCES definitions (hash),
    principal  TEXT NOT NULL,
    context    TEXT,
    status     TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    events     INTEGER NOT NULL DEFAULT 0,
    state      TEXT NOT NULL                 -- JSON, after the last event
) STRICT;
CREATE INDEX runs_by_status ON runs (status, n);
CREATE INDEX runs_by_end ON runs (ended_ms) WHERE ended_ms IS NOT NULL;

CREATE TABLE events (
    run   INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    seq   INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- What a run waits for: calls to make, timers to fire, events to bring.
CREATE TABLE owed (
    run     INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    ticket  INTEGER NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('call', 'timer', 'listen')),
    due_ms  INTEGER NOT NULL DEFAULT 0,
    body    TEXT NOT NULL DEFAULT '',
    call_id TEXT,
    begun   INTEGER NOT NULL DEFAULT 0,      -- Unix milliseconds; set before a call that cannot be repeated
    PRIMARY KEY (run, ticket)
) STRICT, WITHOUT ROWID;
CREATE INDEX owed_by_kind ON owed (kind, due_ms);

CREATE TABLE attempts (
    run        INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    ticket     INTEGER NOT NULL,
    step       TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    tool       TEXT NOT NULL,
    is_undo    INTEGER NOT NULL,
    call_id    TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER NOT NULL,
    code       TEXT NOT NULL,
    message    TEXT,
    PRIMARY KEY (run, ticket)
) STRICT, WITHOUT ROWID;

-- Asked by processes that do not own the runs.
CREATE TABLE inbox (
    n   INTEGER PRIMARY KEY,
    ask TEXT NOT NULL
) STRICT;
"];
