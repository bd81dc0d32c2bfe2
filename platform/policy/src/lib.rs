//! Cedar policies: who may do what, and why.
//!
//! Tools are resources and there are three actions (`list`, `execute`, `read`). Policies lie as `*.cedar`
//! files in one folder; they are parsed, linted and validated together, and take effect together or not at all.
//!
//! Reading order: [`PolicyEngine`] (open, reload, watch, decide), `folder` and `statement` (bytes to texts),
//! `load` (texts to rules, with every mistake reported at once), `schema` and `lint` (what counts as a
//! mistake), `compiled` with `slice`, `memo` and `ask` (how one question is answered fast), `explain` (why),
//! `cases` (table tests), `defaults` (the roles that ship). `docs/policies.md` is the reader's manual.

mod ask;
mod cases;
mod compiled;
mod defaults;
mod engine;
mod explain;
mod finding;
mod folder;
mod lint;
mod load;
mod manifest;
mod memo;
mod paths;
mod rule;
mod schema;
mod scope;
mod slice;
mod spelling;
mod statement;
mod watch;

pub use cases::{CaseError, CaseFailure, CaseReport, run_cases};
pub use defaults::{BUILT_IN_ROLES, write_defaults};
pub use engine::{PolicyEngine, check};
pub use explain::{Explanation, Missing, NearMiss};
pub use finding::{Finding, PolicyErrors, ReloadReport, Severity};
pub use manifest::Manifest;
pub use rule::PolicyRef;
pub use schema::schema_text;
pub use watch::Watcher;
