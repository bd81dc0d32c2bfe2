//! The file tools, through the same door as every call.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "files/attack.rs"]
mod attack;
#[path = "files/change.rs"]
mod change;
#[path = "files/desk.rs"]
mod desk;
#[path = "files/search.rs"]
mod search;
