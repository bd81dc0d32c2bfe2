//! The path guard.
