//! Upstreams over HTTP.
//!
//! Reading order: `endpoint` (where, and with which rights), `pool` (open connections), `exchange` (one POST and
//! what comes back), `sse` (event streams), `session` (the handshake of the old era), `link` (all of it
//! together), `courtesy` (what is said besides requests), `listen` (what an upstream says by itself), `legacy` (HTTP+SSE of 2024-11-05).

mod courtesy;
mod endpoint;
mod exchange;
mod legacy;
mod link;
mod listen;
mod pool;
mod session;
mod sse;

pub(crate) use endpoint::Endpoint;
pub(crate) use legacy::SseLink;
pub(crate) use link::{HttpLink, header_value};
