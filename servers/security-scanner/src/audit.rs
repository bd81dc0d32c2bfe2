//! Known vulnerabilities in the packages that a manifest or lock file names, from data that lies on this machine.
//!
//! Reading order: `package` (what is asked about), `npm`, `python`, `cargo` (files to packages), `advisory` (one record, and
//! whether it covers a version), `data` (folders of records), `verdict` (what a caller gets).

mod advisory;
mod cargo;
mod cvss;
mod data;
mod npm;
mod package;
mod python;
mod rustsec;
mod verdict;

pub(crate) use cargo::cargo_lock;
pub(crate) use data::Data;
pub(crate) use npm::{package_json, package_lock};
pub(crate) use package::{Ecosystem, Inventory};
pub(crate) use python::{lock_file, requirements};
pub(crate) use verdict::{Audit, AuditVerdict, Level};
