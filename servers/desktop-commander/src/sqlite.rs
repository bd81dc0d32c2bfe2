//! SQLite databases beneath the roots, in-process: bounded, and unable to open anything else.

mod database;
mod rows;

pub(crate) use database::{Ask, Mode, run};
pub(crate) use rows::{Param, Table};
