//! The tables of `state.db`.

/// Numbered scripts; see [`crate::sqlite::open`].
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE contexts (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    created_at INTEGER NOT NULL,             -- Unix seconds, as all times here unless named _us
    expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX contexts_by_expiry ON contexts (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE context_servers (
    context TEXT NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    server  TEXT NOT NULL,
    PRIMARY KEY (context, server)
) STRICT, WITHOUT ROWID;
CREATE TABLE history (
    id          INTEGER PRIMARY KEY,
    context     TEXT NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    call_id     TEXT NOT NULL,
    tool        TEXT NOT NULL,
    code        TEXT NOT NULL,
    at_us       INTEGER NOT NULL,
    duration_us INTEGER NOT NULL
) STRICT;
CREATE INDEX history_by_context ON history (context, id);

-- Counts changes of contexts, so that other processes reload them then and only then.
CREATE TABLE context_revision (n INTEGER NOT NULL) STRICT;
INSERT INTO context_revision VALUES (0);
CREATE TRIGGER context_added AFTER INSERT ON contexts BEGIN UPDATE context_revision SET n = n + 1; END;
CREATE TRIGGER context_removed AFTER DELETE ON contexts BEGIN UPDATE context_revision SET n = n + 1; END;
CREATE TRIGGER server_added AFTER INSERT ON context_servers BEGIN UPDATE context_revision SET n = n + 1; END;
CREATE TRIGGER server_removed AFTER DELETE ON context_servers BEGIN UPDATE context_revision SET n = n + 1; END;

CREATE TABLE approvals (
    id          TEXT PRIMARY KEY,
    principal   TEXT NOT NULL,
    digest      TEXT NOT NULL,
    tool        TEXT NOT NULL,
    question    TEXT NOT NULL,
    reason      TEXT NOT NULL,
    opened_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'granted', 'declined', 'used')),
    decided_by  TEXT,
    decided_via TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_by_call ON approvals (principal, digest, state);
CREATE INDEX approvals_by_expiry ON approvals (expires_at);

CREATE TABLE artifacts (
    n          INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    mime       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX artifacts_by_owner ON artifacts (owner, n);
CREATE INDEX artifacts_by_expiry ON artifacts (expires_at);
"];
