//! Scans of real files through the mounted server.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its files has failed")]

#[path = "scan/audits.rs"]
mod audits;
#[path = "scan/baseline.rs"]
mod baseline;
#[path = "scan/bench.rs"]
mod bench;
#[path = "scan/findings.rs"]
mod findings;
#[path = "scan/hostile.rs"]
mod hostile;
