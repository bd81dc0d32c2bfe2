//! Runs of the pure interpreter: golden histories, and thousands of random ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod checking;
mod golden;
mod shipped;
mod simulation;
mod world;
