//! What a server author sees.
//!
//! Reading order: [`Tool`] (one operation), [`Server`] (one backend and its tools), [`CallContext`]
//! (who calls, how long they wait, how to report progress), [`ToolError`] (what a failed call says).
//! `erased` holds the boxed twins that the pipeline drives; server authors never need it.

mod call;
mod canonical;
mod erased;
mod error;
mod principal;
mod schema;
mod secret;
mod server;
mod spec;
mod tool;

pub use call::{CallContext, CallId, Progress, ProgressUpdate};
pub use canonical::{canonical_json, digest_hex};
pub use erased::{BoxFuture, Mounted, Prepared, ServerEntry};
pub use error::{ApprovalTicket, ErrorKind, ToolError};
pub use principal::{Principal, PrincipalKind};
pub use secret::Secret;
pub use server::{Health, Server, ServerFacts, StartContext, StartError, Toolbox};
pub use spec::ToolSpec;
pub use tool::{Caching, Effect, Meta, Resource, Tool, Trust};
