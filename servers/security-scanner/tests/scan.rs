//! Scans of real files through the mounted server.

#[path = "scan/baseline.rs"]
mod baseline;
#[path = "scan/bench.rs"]
mod bench;
#[path = "scan/findings.rs"]
mod findings;
#[path = "scan/hostile.rs"]
mod hostile;
