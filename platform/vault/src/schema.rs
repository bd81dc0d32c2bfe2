//! What `secrets.db` looks like.

/// Each script is applied once, in order. Never edit one that was released; add the next.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;

-- One row per version. Everything but `sealed` is part of what the seal protects.
CREATE TABLE secret_version (
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ends_at INTEGER,
  salt BLOB NOT NULL CHECK (length(salt) = 32),
  sealed BLOB NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
"];
