//! The url guard.
