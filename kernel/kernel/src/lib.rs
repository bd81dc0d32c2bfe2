//! What a server author sees.
//!
//! Reading order: [`Tool`] (one operation), [`Server`] (one backend and its tools), [`CallContext`]
//! (who calls, how long they wait, how to report progress), [`ToolError`] (what a failed call says).
//! `erased` holds the boxed twins that the pipeline drives; server authors never need it. A server that
//! speaks the protocol's own JSON (a relayed one) is a [`Peer`]; [`Raw`] is its currency.

mod call;
mod canonical;
mod client;
mod erased;
mod error;
mod facts;
mod peer;
mod principal;
mod raw;
mod schema;
mod secret;
mod server;
mod spec;
mod tool;

pub use call::{CallContext, CallId, Progress, ProgressUpdate};
pub use canonical::{canonical_json, digest_hex};
pub use client::{Client, ClientChannel};
pub use erased::{BoxFuture, Mounted, Output, Prepared, ServerEntry, Traits};
pub use error::{ApprovalTicket, ErrorKind, RelayedFault, ToolError};
pub use facts::Facts;
pub use peer::{Listing, Notice, Notices, Offers, Peer};
pub use principal::{Principal, PrincipalKind};
pub use raw::Raw;
pub use secret::Secret;
pub use server::{Health, Server, ServerFacts, StartContext, StartError, Toolbox};
pub use spec::ToolSpec;
pub use tool::{Caching, Effect, Meta, Resource, Tool, Trust};
