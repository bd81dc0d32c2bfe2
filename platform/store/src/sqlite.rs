//! How every database of ours is opened.

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig, limits::Limit};

use crate::{
    StoreError,
    private_file::{check_owner, parent, refusal},
};

/// Longest value read or written, in bytes: a crafted row must not fill the memory.
const VALUE_BYTES_MAX: i32 = 16 << 20;

/// How long a statement waits for another process before it fails.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens or makes a database: mode 0600, write-ahead log, `synchronous=FULL`, foreign keys, and the
/// schema brought up to the last of `migrations` (each one a script; its number is its position from 1).
///
/// Several processes may open the same file at once; one of them migrates.
///
/// # Errors
/// [`StoreError::Newer`] when the file's schema is ahead of `migrations`.
pub fn open(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    let path = without_links(path)?;
    let folder = parent(&path)?;
    // Held while opening only: two processes may not switch to the write-ahead log at the same moment.
    let opening = File::open(folder).and_then(|it| it.lock().map(|()| it)).map_err(StoreError::io(folder))?;
    create_private(&path)?;
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    configure(&connection, &path)?;
    migrate(&mut connection, &path, migrations)?;
    drop(opening);
    Ok(connection)
}

/// Opens an existing database for reading; it need not be closed elsewhere.
pub fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    connect(&without_links(path)?, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Lets SQLite check the whole file; takes time in proportion to its size.
///
/// # Errors
/// [`StoreError::Damaged`] with the first complaint.
pub fn integrity(connection: &Connection) -> Result<(), StoreError> {
    let path = PathBuf::from(connection.path().unwrap_or_default());
    let verdict: rusqlite::Result<String> =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(detail) => Err(StoreError::Damaged { path, detail }),
        Err(error) => Err(StoreError::Damaged { path, detail: error.to_string() }),
    }
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(StoreError::sqlite(path))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(StoreError::sqlite(path))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX).map_err(StoreError::sqlite(path))?;
    // A crafted file must not run code of its choice, nor a bug of ours rewrite the schema.
    for (setting, value) in
        [(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true), (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)]
    {
        connection.set_db_config(setting, value).map_err(StoreError::sqlite(path))?;
    }
    Ok(connection)
}

fn configure(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(StoreError::sqlite(path))?;
    if mode != "wal" {
        return Err(refusal(
            path,
            format!("its file system does not take a write-ahead log (mode stays `{mode}`)"),
            "put the data directory on a local disk",
        ));
    }
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;")
        .map_err(StoreError::sqlite(path))
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = i64::try_from(migrations.len()).expect("migrations are counted by hand");
    let failed = StoreError::sqlite;
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(path))?;
    work.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations
           (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT",
    )
    .map_err(failed(path))?;
    let found: i64 = work
        .query_row("SELECT coalesce(max(version), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(failed(path))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (version, script) in (1_i64..).zip(migrations).filter(|(version, _)| *version > found) {
        work.execute_batch(script).map_err(failed(path))?;
        work.execute("INSERT INTO schema_migrations VALUES (?1, unixepoch())", [version])
            .map_err(failed(path))?;
    }
    work.commit().map_err(failed(path))
}

/// SQLite refuses links anywhere in a path it is told not to follow, so the folder is resolved first.
fn without_links(path: &Path) -> Result<PathBuf, StoreError> {
    let folder = parent(path)?.canonicalize().map_err(StoreError::io(path))?;
    let name = path.file_name().ok_or_else(|| refusal(path, "it names no file", "name a database file"))?;
    Ok(folder.join(name))
}

fn create_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io(path)(error)),
    }
    // By name only: opening and closing the file here would drop the locks that other connections
    // of this process hold on it.
    let facts = fs::symlink_metadata(path).map_err(StoreError::io(path))?;
    if !facts.is_file() {
        return Err(refusal(path, "it is not a plain file", "remove it or choose another data directory"));
    }
    check_owner(path, facts.uid())?;
    if facts.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(StoreError::io(path))?;
    }
    Ok(())
}
