//! The road every call takes, whoever serves it and whichever door it came through.
//!
//! Read [`Pipeline::standard`] first: the order is security policy and each line says why it stands there.
//! Then one file per stage under `stages/`. [`seams`] declares what the road needs from the platform
//! (identity, policy, journal, contexts, approvals, artifacts); `platform/*` implements it and the
//! binary joins the two. Doors (HTTP, stdio, the command line) talk to [`Gate`] and to nothing else.

mod call;
mod clean;
mod gate;
mod metrics;
mod peer_call;
mod per_server;
mod redact;
mod registry;
mod relayed;
pub mod seams;
mod stages;
mod standard;
mod tuning;

pub use call::{
    Answer, ApprovalReply, Asker, Call, Door, Method, Operation, Outcome, Question, Record, Request, Verified,
};
pub use gate::{Gate, GateParts, Listed, PeerView, Scope, ServerView, ToolView};
pub use metrics::Metrics;
pub use redact::{mask_arguments, mask_secrets};
pub use registry::{Catalog, Mount, Registry};
pub use relayed::mask_raw;
pub use standard::{Next, Permit, Pipeline, Stage};
pub use tuning::{LimitOverrides, Limits, Tuning};
