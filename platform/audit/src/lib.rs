//! The append-only, hash-chained record of every call.
//!
//! Reading order: `chain` (how records are linked and signed), `writer` (one thread, group commit),
//! [`AuditLog`] (the journal the road writes to), `process` (what a crash leaves open), `checkpoints`
//! (what notices an older copy), [`verify`], [`retain`], and [`AuditReader`] for everybody who only reads.

mod body;
mod chain;
mod checkpoints;
mod error;
mod export;
mod hex;
mod log;
mod mask;
mod ocsf;
mod process;
mod read;
mod retain;
mod schema;
mod sign;
mod verify;
mod writer;

pub use error::AuditError;
pub use export::ExportFormat;
pub use log::{AuditLog, AuditOptions, Durability};
pub use read::{AuditReader, Filter, Page, StoredRecord};
pub use retain::{Keep, Retained, retain};
pub use sign::PublicKey;
pub use verify::{Fault, FaultKind, VerifyReport, VerifySources, verify};
