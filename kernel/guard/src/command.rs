//! The command guard.
