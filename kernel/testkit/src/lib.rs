//! The contract every server keeps, as tests; and stand-ins for everything a gate needs.
//!
//! Reading order: [`conformance`] (what a server must be, rule by rule of `docs/specs/server.md`), then
//! `sample` (arguments made from a schema), [`EchoServer`] (a server whose tools do what their names say),
//! [`Rig`] (a whole gate on stand-ins).

mod conformance;
mod echo;
mod fakes;
mod sample;

pub use conformance::{Violation, conformance, conformance_with, violations};
pub use echo::EchoServer;
pub use fakes::{
    FakeApprovals, FakeArtifacts, FakeContexts, FakeIdentity, FakeJournal, FakePolicy, Rig, gate,
};
pub use sample::sample_arguments;
