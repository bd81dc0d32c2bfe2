//! Parameters in, rows out.

use base64::{Engine, engine::general_purpose::STANDARD};
use rusqlite::{
    Statement, ToSql, params_from_iter,
    types::{ToSqlOutput, Value as Stored, ValueRef},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tools::brief::brief;

/// Bytes of all rows of an answer.
const BYTES_MAX: usize = 256 * 1024;

/// A value for a `?`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Param {
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
}

impl JsonSchema for Param {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Param".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number", "boolean"]})
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match self {
            Self::Bool(value) => Stored::Integer(i64::from(*value)),
            Self::Integer(value) => Stored::Integer(*value),
            Self::Real(value) => Stored::Real(*value),
            Self::Text(text) => Stored::Text(text.clone()),
        }))
    }
}

/// What a statement gave.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    /// Rows changed.
    pub(super) changes: u64,
    truncated: bool,
}

impl JsonSchema for Table {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Table".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = brief(&[
            ("columns", "string[]"),
            ("rows", "array"),
            ("changes", "integer"),
            ("truncated", "boolean"),
        ]);
        let cell = json!({"type": ["string", "number", "null"]});
        schema.insert("properties".into(), {
            let mut properties = schema.get("properties").cloned().unwrap_or_default();
            properties["rows"] = json!({"type": "array", "items": {"type": "array", "items": cell}});
            properties
        });
        schema
    }
}

impl Table {
    /// Runs the statement and keeps at most `limit` rows and 256 KiB.
    pub(super) fn read(
        statement: &mut Statement<'_>,
        params: &[Param],
        limit: usize,
    ) -> rusqlite::Result<Self> {
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let mut table = Self { columns, rows: Vec::new(), changes: 0, truncated: false };
        let mut bytes = 0;
        let mut rows = statement.query(params_from_iter(params))?;
        // Every row is stepped, so that a change with RETURNING is complete.
        while let Some(row) = rows.next()? {
            if table.rows.len() == limit || bytes > BYTES_MAX {
                table.truncated = true;
                if rows.as_ref().is_some_and(|statement| statement.readonly()) {
                    break;
                }
                continue;
            }
            let cells =
                (0..width).map(|index| row.get_ref(index).map(cell)).collect::<rusqlite::Result<Vec<_>>>()?;
            bytes += cells.iter().map(|cell| cell.as_str().map_or(8, str::len)).sum::<usize>();
            table.rows.push(cells);
        }
        Ok(table)
    }
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => shortened(&String::from_utf8_lossy(text)).into(),
        ValueRef::Blob(bytes) => {
            format!("base64:{}", STANDARD.encode(&bytes[..bytes.len().min(BYTES_MAX / 8)])).into()
        }
    }
}

/// One value may not be the whole answer.
fn shortened(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= BYTES_MAX / 4).unwrap_or(text.len());
    text[..end].to_owned()
}
