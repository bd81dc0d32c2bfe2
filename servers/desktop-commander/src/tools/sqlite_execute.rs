//! Changes an SQLite database.

use std::time::Duration;

use kernel::{Caching, CallContext, Effect, ErrorKind, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    DesktopCommander,
    sqlite::{Ask, Mode, Param, Table, run},
};

/// Runs one changing SQL statement; makes a missing database.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqliteExecute {
    /// Its file.
    db: String,
    /// With `?` for parameters.
    #[schemars(length(max = 100_000))]
    sql: String,
    /// Values for the `?`, in order.
    #[serde(default)]
    #[schemars(length(max = 999))]
    params: Vec<Param>,
}

/// Rows that a `RETURNING` clause may give back.
const ROWS_MAX: usize = 1000;

impl Tool for SqliteExecute {
    type Server = DesktopCommander;
    type Output = Table;

    const META: Meta = Meta {
        name: "sqlite_execute",
        title: "Change a database",
        effect: Effect::Destroy { idempotent: false },
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.db)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(Duration::from_secs(30))
    }

    async fn call(self, server: &DesktopCommander, cx: &CallContext) -> Result<Table, ToolError> {
        let ask = Ask { db: self.db, sql: self.sql, params: self.params, limit: ROWS_MAX, mode: Mode::Write };
        let (roots, cancel) = (server.commands.judge().roots().clone(), cx.cancel.clone());
        let done = tokio::task::spawn_blocking(move || run(&roots, &ask, &cancel)).await;
        done.map_err(|error| ToolError::wrap(ErrorKind::Internal, error))?
    }
}
