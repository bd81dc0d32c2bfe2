//! One file per tool.

mod baseline_update;
mod choice;
mod deep_security_scan;
mod explain_finding;
mod file_security_scan;
mod list_rules;
mod npm_audit;
mod python_safety_check;
mod scan_text;

pub(crate) use baseline_update::BaselineUpdate;
pub(crate) use choice::Choice;
pub use choice::{ScanFormat, ScanType};
pub(crate) use deep_security_scan::DeepSecurityScan;
pub(crate) use explain_finding::ExplainFinding;
pub(crate) use file_security_scan::FileSecurityScan;
pub(crate) use list_rules::ListRules;
pub(crate) use npm_audit::NpmAudit;
pub(crate) use python_safety_check::PythonSafetyCheck;
pub(crate) use scan_text::ScanText;
