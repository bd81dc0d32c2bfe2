//! Guards: what every server asks before it touches a path, a URL, a command line or a name.
//!
//! A guard decides on parsed values, never on a string filter, and answers with a typed value that only
//! it can make (an open file beneath a root, a pinned address, a judged pipeline) or with a [`Refusal`]
//! that names the field, the rule and the fix. Each guard has a table of attacks under `tests/` and a
//! fuzz target under `fuzz/`.

pub mod command;
pub mod name;
pub mod path;
mod refusal;
pub mod url;

pub use refusal::Refusal;
