//! The scanner itself, free of anything that knows about tools.
//!
//! Reading order: `rule` (what a rule is), `rule_file` (TOML to rules), `ruleset` (all rules and the keyword
//! automaton), `file_scan` (hits in one text), `assign`/`names`/`judge` (credentials that no provider's format
//! gives away), `scan` (trees, workers, findings).

pub(crate) mod assign;
pub(crate) mod checksum;
pub(crate) mod clues;
pub(crate) mod coverage;
pub(crate) mod decode;
pub(crate) mod detect;
pub(crate) mod file_scan;
pub(crate) mod finding;
pub(crate) mod fingerprint;
pub(crate) mod judge;
pub(crate) mod language;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod placeholder;
pub(crate) mod rarity;
pub(crate) mod rule;
pub(crate) mod rule_file;
pub(crate) mod ruleset;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod suppress;
pub(crate) mod template;
pub(crate) mod walk;
