//! Knows what software is made of: SBOMs, licences, known vulnerabilities, doubtful packages.
//!
//! Reading order: `server` (what is offered), `tools` (one file per tool), `summary` (what every result shares),
//! `engine` (how it is found out). Everything works offline.

mod config;
mod direct;
mod engine;
mod error;
mod server;
mod summary;
mod target;
mod tools;

pub use config::SupplyChainSecurityConfig;
pub use direct::sbom_of_path;
pub use engine::{
    bom::BomFormat,
    coverage::{Coverage, Problem, SkipReason, Skipped},
    severity::Severity,
    vex::{Justification, VexStatus},
};
pub use server::{SupplyChainSecurity, entry};
