//! What `identity.db` looks like.

/// Each script is applied once, in order. Never edit one that was released; add the next.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;

-- One row. Grows with every change that authentication must notice.
CREATE TABLE generation (number INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (0);

CREATE TABLE role (
  name TEXT PRIMARY KEY,
  description TEXT NOT NULL,
  built_in INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
INSERT INTO role VALUES
  ('admin', 'may do everything', 1, unixepoch()),
  ('operator', 'runs the daily work; destructive calls may ask a human', 1, unixepoch()),
  ('security', 'looks everywhere and runs the security servers', 1, unixepoch()),
  ('viewer', 'looks, changes nothing', 1, unixepoch());

-- A deleted principal stays as a row, so that its name is never given to somebody else.
CREATE TABLE principal (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('user', 'agent', 'service')),
  created_at INTEGER NOT NULL,
  disabled_at INTEGER,
  deleted_at INTEGER
) STRICT;

CREATE TABLE principal_role (
  principal TEXT NOT NULL REFERENCES principal (id),
  role TEXT NOT NULL REFERENCES role (name),
  PRIMARY KEY (principal, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
  id TEXT PRIMARY KEY,
  principal TEXT NOT NULL REFERENCES principal (id),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  replaced_by TEXT REFERENCES token (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX token_by_principal ON token (principal);
CREATE INDEX token_by_successor ON token (replaced_by);

-- Apart from the tokens, because writing here must not look like a change of them.
CREATE TABLE token_use (
  token TEXT PRIMARY KEY REFERENCES token (id) ON DELETE CASCADE,
  used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"];
