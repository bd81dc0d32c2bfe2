//! Finds secrets and dangerous patterns in files and trees.
//!
//! Reading order: `server` (what is offered), `tools` (one file per tool), `report` (what a caller gets),
//! `engine` (how it is found), `audit` (known
//! vulnerabilities of packages). Rules are data: see `rules/` and docs/rules.md.

mod audit;
mod baseline;
mod config;
mod direct;
mod engine;
mod error;
mod manifests;
mod report;
mod sarif;
mod server;
mod target;
mod tools;

pub use config::ScannerConfig;
pub use direct::{BUCKETS, Candidate, Direct, Questions, scan_path};
pub use engine::{
    coverage::{Coverage, Skipped},
    finding::{Finding, Location, Status},
    rule::{Family, Severity},
    rule_file::RuleError,
    source::SkipReason,
    template::{Dice, fill},
};
pub use report::{EngineFacts, Report, Verdict};
pub use server::{SecurityScanner, entry};
pub use tools::{ScanFormat, ScanType};
