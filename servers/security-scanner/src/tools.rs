//! One file per tool.

mod baseline_update;
mod choice;
mod explain_finding;
mod file_security_scan;
mod list_rules;
mod scan_text;

pub(crate) use baseline_update::BaselineUpdate;
pub(crate) use choice::Choice;
pub use choice::{ScanFormat, ScanType};
pub(crate) use explain_finding::ExplainFinding;
pub(crate) use file_security_scan::FileSecurityScan;
pub(crate) use list_rules::ListRules;
pub(crate) use scan_text::ScanText;
