//! Both doors from outside: real sockets and pipes, the real gate, small fakes behind it.

mod client;
mod fakes;
mod hostile;
mod legacy;
mod limits;
mod modern;
mod pages;
mod server;
mod stdio;
