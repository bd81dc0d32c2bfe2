//! What was changed, by whom, and what was there before. Bounded: the oldest entries go first.
//!
//! Earlier versions of files lie in the database, each content once. Deleted things lie in the trash
//! folder beside it, one folder per change.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use guard::path::{Place, Roots};
use kernel::digest_hex;
use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FileLimits, error::FileError};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS blob (sha TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        owner TEXT NOT NULL,
        tool TEXT NOT NULL,
        path TEXT NOT NULL,
        action TEXT NOT NULL,
        before TEXT,
        bytes INTEGER NOT NULL,
        undone INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS change_before ON change (before);
";

/// What a change did, as far as undoing needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// A file has the content `after`; without an earlier version it is new. Folders were `made` for it.
    Write { after: String, made: Vec<String> },
    /// Folders were made, the outermost first.
    MakeFolder { made: Vec<String> },
    /// It came here from `from`; what was here before may lie in the trash.
    Move { from: String, replaced: bool },
    /// It lies in the trash.
    Delete,
    /// It came back from the trash.
    Restore,
}

/// Who asks, and whether they see what others changed.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(super) id: String,
    pub(super) sees_all: bool,
}

impl Who {
    /// The caller; administrators see everybody's changes, all others their own.
    pub(crate) fn of(principal: &kernel::Principal) -> Self {
        let sees_all = principal.roles.iter().any(|role| role == "admin");
        Self { id: principal.id.clone(), sees_all }
    }
}

/// A change about to happen.
pub(super) struct Draft<'a> {
    pub(super) who: &'a Who,
    pub(super) tool: &'static str,
    pub(super) path: &'a str,
    pub(super) action: &'a Action,
    pub(super) before: Option<&'a [u8]>,
    /// Bytes the journal keeps for it.
    pub(super) bytes: u64,
}

/// A change that happened.
pub(super) struct Change {
    pub(super) path: String,
    pub(super) action: Action,
    pub(super) before: Option<Vec<u8>>,
    pub(super) undone: bool,
}

/// A change in a listing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct ChangeRecord {
    pub(crate) change_id: i64,
    /// Unix seconds.
    #[schemars(skip)]
    pub(crate) at: i64,
    #[schemars(skip)]
    pub(crate) by: String,
    #[schemars(skip)]
    pub(crate) tool: String,
    pub(crate) path: String,
    #[schemars(skip)]
    pub(crate) undone: bool,
}

pub(super) struct Journal {
    db: Mutex<Connection>,
    trash: Roots,
    changes_max: u32,
    bytes_max: u64,
}

impl Journal {
    pub(super) fn open(state_dir: &Path, limits: &FileLimits) -> Result<Self, Box<dyn std::error::Error>> {
        let trash = state_dir.join("trash");
        std::fs::create_dir_all(&trash)?;
        let private = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode));
        private(&trash, 0o700)?;
        let file = state_dir.join("changes.db");
        let db = Connection::open(&file)?;
        private(&file, 0o600)?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.execute_batch(SCHEMA)?;
        Ok(Self {
            db: Mutex::new(db),
            trash: Roots::open(&[trash.canonicalize()?], &[])?,
            changes_max: limits.journal_changes_max,
            bytes_max: limits.journal_bytes_max,
        })
    }

    /// Keeps what is needed to undo a change, before it happens.
    pub(super) fn record(&self, draft: &Draft<'_>) -> Result<i64, FileError> {
        if draft.bytes > self.bytes_max {
            return Err(guard::Refusal::new(
                "TOO_LARGE",
                "path",
                format!("keeping the earlier state would take more than {} bytes", self.bytes_max),
                "change smaller parts, or ask the operator to raise `files.journal_bytes_max`",
            )
            .into());
        }
        let sha = draft.before.map(digest_hex);
        let action = serde_json::to_string(draft.action).expect("an action is plain data");
        let mut db = self.db();
        let tx = db.transaction()?;
        if let (Some(sha), Some(bytes)) = (&sha, draft.before) {
            tx.execute("INSERT OR IGNORE INTO blob (sha, bytes) VALUES (?1, ?2)", params![sha, bytes])?;
        }
        tx.execute(
            "INSERT INTO change (at, owner, tool, path, action, before, bytes) VALUES (?1,?2,?3,?4,?5,?6,?7)",
            params![
                chrono::Utc::now().timestamp(),
                draft.who.id,
                draft.tool,
                draft.path,
                action,
                sha,
                i64::try_from(draft.bytes).unwrap_or(i64::MAX),
            ],
        )?;
        let id = tx.last_insert_rowid();
        tx.commit()?;
        drop(db);
        // What cannot be dropped now is tried again with the next change; work goes on meanwhile.
        if let Err(error) = self.prune(id) {
            tracing::warn!(%error, "old changes could not be dropped from the journal");
        }
        Ok(id)
    }

    /// Removes a change that did not happen, or that is too old to keep.
    pub(super) fn forget(&self, id: i64) -> Result<(), FileError> {
        let kept = self.trash.place("path", &id.to_string())?;
        if kept.existing().is_some() {
            kept.remove()?;
        }
        let mut db = self.db();
        let tx = db.transaction()?;
        tx.execute("DELETE FROM change WHERE id = ?1", [id])?;
        tx.execute(
            "DELETE FROM blob WHERE sha NOT IN (SELECT before FROM change WHERE before IS NOT NULL)",
            [],
        )?;
        tx.commit()?;
        Ok(())
    }

    /// A change that `who` may undo; somebody else's is unknown.
    pub(super) fn find(&self, id: i64, who: &Who) -> Result<Change, FileError> {
        let row = self
            .db()
            .query_row(
                "SELECT path, action, undone, before, blob.bytes FROM change
                 LEFT JOIN blob ON blob.sha = change.before
                 WHERE id = ?1 AND (owner = ?2 OR ?3)",
                params![id, who.id, who.sees_all],
                |row| {
                    let action: String = row.get(1)?;
                    let (sha, before): (Option<String>, Option<Vec<u8>>) = (row.get(3)?, row.get(4)?);
                    Ok((row.get(0)?, action, row.get::<_, i64>(2)? != 0, sha, before))
                },
            )
            .optional()?;
        let (path, action, undone, sha, before) = row.ok_or(FileError::UnknownChange)?;
        // An earlier version that is lost or damaged must not read as "the file was new".
        if sha != before.as_deref().map(digest_hex) {
            return Err(FileError::UnknownChange);
        }
        let action = serde_json::from_str(&action).map_err(|_| FileError::UnknownChange)?;
        Ok(Change { path, action, before, undone })
    }

    pub(super) fn mark_undone(&self, id: i64, by: i64) -> Result<(), FileError> {
        self.db().execute("UPDATE change SET undone = ?2 WHERE id = ?1", [id, by])?;
        Ok(())
    }

    /// The newest changes that `who` may undo.
    pub(super) fn list(&self, who: &Who, limit: u32) -> Result<Vec<ChangeRecord>, FileError> {
        let db = self.db();
        let mut rows = db.prepare_cached(
            "SELECT id, at, owner, tool, path, undone FROM change
             WHERE owner = ?1 OR ?2 ORDER BY id DESC LIMIT ?3",
        )?;
        let records = rows.query_map(params![who.id, who.sees_all, limit], |row| {
            Ok(ChangeRecord {
                change_id: row.get(0)?,
                at: row.get(1)?,
                by: row.get(2)?,
                tool: row.get(3)?,
                path: row.get(4)?,
                undone: row.get::<_, i64>(5)? != 0,
            })
        })?;
        Ok(records.collect::<Result<_, _>>()?)
    }

    /// Where the thing that a change deleted lies, or will lie.
    pub(super) fn kept(&self, id: i64) -> Result<Place, FileError> {
        let mut place = self.trash.place("change_id", &format!("{id}/kept"))?;
        place.make_parents()?;
        Ok(place)
    }

    /// Drops the oldest changes until the rest fits; never `newest`.
    fn prune(&self, newest: i64) -> Result<(), FileError> {
        loop {
            let (count, bytes, oldest): (u32, i64, i64) = self.db().query_row(
                "SELECT count(*), coalesce(sum(bytes), 0), coalesce(min(id), ?1) FROM change",
                [newest],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?;
            let fits = count <= self.changes_max && u64::try_from(bytes).unwrap_or(0) <= self.bytes_max;
            if fits || oldest >= newest {
                return Ok(());
            }
            self.forget(oldest)?;
        }
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupted was rolled back; the connection is good.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
