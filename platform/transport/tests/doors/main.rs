//! Both doors from outside: real sockets and pipes, the real gate, small fakes behind it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod client;
mod fakes;
mod hostile;
mod legacy;
mod limits;
mod modern;
mod pages;
mod server;
mod stdio;
mod tls;
