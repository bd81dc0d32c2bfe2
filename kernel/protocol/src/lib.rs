//! MCP messages of every protocol revision; the only crate that knows the wire.
