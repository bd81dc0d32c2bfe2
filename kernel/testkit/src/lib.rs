//! The contract every server keeps, as tests; and stand-ins for everything a gate needs.
//!
//! Reading order: [`conformance`] (what a server must be, rule by rule of `docs/specs/server.md`), then
//! `sample` (arguments made from a schema), [`EchoServer`] (a server whose tools do what their names say).

mod conformance;
mod echo;
mod sample;

pub use conformance::{Violation, conformance, conformance_with, violations};
pub use echo::EchoServer;
pub use sample::sample_arguments;
