//! A server that carries every name the official conformance suite wants. It is for tests and is not shipped.
//!
//! Reading order: [`Everything`] (the server and its listings), `tools` (one file per kind), `peer`
//! (resources, prompts, completion), `skills`. The program `everything` serves it behind a real gate and a real
//! HTTP door; `bearer-proxy` stands in front for clients that cannot send a token.

mod peer;
mod server;
mod skills;
mod tools;

pub use server::{Everything, NAME};
