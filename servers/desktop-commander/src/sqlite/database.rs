//! One statement on one database.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use guard::{
    command::check_sql,
    path::{Access, Roots},
};
use kernel::{ErrorKind, ToolError};
use rusqlite::{
    Connection, OpenFlags,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};
use tokio_util::sync::CancellationToken;

use super::rows::{Param, Table};

/// Longest a statement may work.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Longest a statement waits for another writer.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;
/// Bytes of one value.
const VALUE_BYTES_MAX: i32 = 16 << 20;
/// Bytes of one statement.
const SQL_BYTES_MAX: i32 = 1 << 20;

/// Whether a statement may change the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// A statement with its bounds.
pub(crate) struct Ask {
    pub(crate) db: String,
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
    pub(crate) limit: usize,
    pub(crate) mode: Mode,
}

/// Runs one statement. Blocks; give it a thread that may.
pub(crate) fn run(roots: &Roots, ask: &Ask, cancel: &CancellationToken) -> Result<Table, ToolError> {
    check_sql(&ask.sql, &mut |_| false).map_err(|why| refused(why.0))?;
    let path = find(roots, ask)?;
    let mut connection = open(&path, ask.mode).map_err(failed)?;
    guard_connection(&mut connection, ask.mode, cancel.clone()).map_err(failed)?;
    let changes_before = connection.total_changes();
    let mut statement = connection.prepare(&ask.sql).map_err(failed)?;
    if ask.mode == Mode::Read && !statement.readonly() {
        return Err(refused("the statement changes the database".into()).hint("use `sqlite_execute`"));
    }
    let mut table = Table::read(&mut statement, &ask.params, ask.limit).map_err(failed)?;
    drop(statement);
    table.changes = connection.total_changes() - changes_before;
    Ok(table)
}

/// The database's real path. Links were resolved here, and SQLite follows none after that.
fn find(roots: &Roots, ask: &Ask) -> Result<PathBuf, ToolError> {
    let access = if ask.mode == Mode::Read { Access::Read } else { Access::Write };
    let path = roots.check("db", None, &ask.db, access)?;
    if ask.mode == Mode::Read && !path.is_file() {
        return Err(ToolError::new(ErrorKind::NotFound, "there is no such database")
            .field("db")
            .hint("`sqlite_execute` makes a database that does not exist"));
    }
    Ok(path)
}

fn open(path: &PathBuf, mode: Mode) -> rusqlite::Result<Connection> {
    let flags = match mode {
        Mode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Mode::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let always = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    Connection::open_with_flags(path, flags | always)
}

fn guard_connection(
    connection: &mut Connection,
    mode: Mode,
    cancel: CancellationToken,
) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100)?;
    connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 200)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
    connection.busy_timeout(BUSY_MAX)?;
    let end = Instant::now() + TIME_MAX;
    connection.progress_handler(STEPS, Some(move || Instant::now() > end || cancel.is_cancelled()))?;
    connection.authorizer(Some(move |context: AuthContext<'_>| authorise(&context.action, mode)))
}

/// Pragmas that only tell something, even with an argument.
const TELLING: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "database_list",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "page_size",
    "pragma_list",
    "quick_check",
    "schema_version",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Pragmas that a change may set.
const SETTING: &[&str] = &[
    "application_id",
    "auto_vacuum",
    "foreign_keys",
    "incremental_vacuum",
    "journal_mode",
    "optimize",
    "page_size",
    "synchronous",
    "user_version",
    "wal_checkpoint",
];

fn authorise(action: &AuthAction<'_>, mode: Mode) -> Authorization {
    let writes = mode == Mode::Write;
    let allowed = match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => {
            !["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"].contains(function_name)
        }
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_ascii_lowercase();
            let takes_argument = name.ends_with("_info")
                || name.ends_with("_xinfo")
                || name.contains("_list")
                || name.ends_with("_check");
            (TELLING.contains(&name.as_str()) && (takes_argument || pragma_value.is_none()))
                || (writes && SETTING.contains(&name.as_str()))
        }
        // VACUUM attaches a file without a name.
        AuthAction::Attach { filename } => writes && filename.is_empty(),
        AuthAction::Detach { database_name } => writes && *database_name == "vacuum_db",
        AuthAction::CreateVtable { module_name, .. } => {
            writes && ["fts5", "fts4", "rtree"].contains(module_name)
        }
        AuthAction::Unknown { .. } => false,
        _ => writes,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

fn refused(rule: String) -> ToolError {
    ToolError::new(ErrorKind::ValidationFailed, rule)
        .reason("ARG_REFUSED")
        .field("sql")
        .hint("work inside the one database, one statement at a time")
}

fn failed(error: rusqlite::Error) -> ToolError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            refused("the statement does something that is not allowed here".into())
        }
        Some(ErrorCode::OperationInterrupted) => {
            ToolError::new(ErrorKind::Timeout, "the statement took too long and was undone")
                .reason("QUERY_COST")
                .hint("add conditions, an index or LIMIT")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ToolError::new(ErrorKind::Unavailable, "another program is writing to the database")
                .before_send()
                .hint("try again")
        }
        Some(ErrorCode::ReadOnly) => {
            refused("the statement changes the database".into()).hint("use `sqlite_execute`")
        }
        Some(ErrorCode::NotADatabase) => ToolError::invalid("db", "the file is no SQLite database"),
        _ if matches!(error, rusqlite::Error::MultipleStatement) => {
            refused("there is more than one statement".into())
        }
        _ => ToolError::new(ErrorKind::ToolExecutionFailed, format!("sqlite: {error}"))
            .hint("look at the tables with `SELECT name, sql FROM sqlite_schema`"),
    }
}
