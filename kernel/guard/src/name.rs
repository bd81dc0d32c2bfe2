//! The name guard.
