//! The embedded state: SQLite files, contexts, approvals and artifacts.
