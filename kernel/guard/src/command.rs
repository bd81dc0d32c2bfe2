//! The command guard: a command line is parsed by our own grammar, judged program by program, and becomes
//! a plan that is run without any shell.
//!
//! - [`parse`] gives a [`CommandLine`] or says which shell feature it refuses.
//! - [`Judge::judge`] resolves every program against the [`Catalog`], applies the rules of its family (`rules`,
//!   one readable file each), checks the paths it names against the roots, and gives a [`Plan`].
//!   Nothing else can make a plan.
//!
//! The judgement is the first of two walls. The plan runs in a sandbox that holds the same roots and the same
//! network decision, so an argument that a rule did not understand still cannot reach outside.

mod call;
mod catalog;
mod cli;
mod glob;
mod judge;
mod parse;
mod plan;
mod refuse;
mod rules;
mod scan;
mod sql;
mod syntax;

pub use call::SAFE_VARIABLES;
pub use catalog::{Catalog, ProgramInfo};
pub use judge::Judge;
pub use parse::parse;
pub use plan::{Plan, Sink, Stage, Step};
pub use sql::{SqlRefusal, check_sql};
pub use syntax::{Command, CommandLine, Connector, Part, Pipeline, Redirect, Streams, Word, quote};
