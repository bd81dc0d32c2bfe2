//! MCP over Streamable HTTP and stdio: two doors, five protocol revisions, one dispatcher.
//!
//! Reading order: [`Wire`] answers one message and knows no socket (`wire/`); [`HttpServer`] brings
//! messages over HTTP (`http/`: guards first, then routes, then `post`); [`StdioServer`] over a pipe.
//! What a message may do is decided by the gate behind [`Wire`]; what may reach it is decided here.

mod config;
mod http;
mod stdio;
mod wire;

pub use config::{HttpConfig, TlsConfig, WireConfig};
pub use http::{AllowLists, HttpServer, TlsError, TlsReload, check_tls};
pub use stdio::{StdioConfig, StdioServer};
pub use wire::Wire;
