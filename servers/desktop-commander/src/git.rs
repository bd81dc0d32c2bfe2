//! git through its own program: judged, confined, with settings that start nothing, and its words as rows.

mod rows;
mod run;

pub(crate) use rows::{BRANCH_FORMAT, LOG_FORMAT, Row, blame_rows, branch_rows, log_rows, status_rows};
pub(crate) use run::{check_name, check_revision, git};
