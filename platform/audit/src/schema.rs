//! The tables of `audit.db`.

/// Numbered scripts; see [`store::sqlite::open`].
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE records (
    seq  INTEGER PRIMARY KEY,
    body TEXT NOT NULL,          -- canonical JSON
    hash BLOB NOT NULL           -- SHA-256(previous hash, seq, body)
) STRICT;
CREATE TABLE head (              -- the signed end of the chain
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE anchor (            -- the last record that retention removed
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (       -- mirrored in audit/checkpoints.jsonl
    seq       INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE processes (         -- writers; each one holds a lock file while it lives
    id    INTEGER PRIMARY KEY,
    nonce TEXT NOT NULL UNIQUE,
    pid   INTEGER NOT NULL
) STRICT;
CREATE TABLE open_calls (        -- intents without an outcome
    seq     INTEGER PRIMARY KEY,
    process INTEGER NOT NULL REFERENCES processes (id)
) STRICT;
"];
