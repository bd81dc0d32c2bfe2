//! Everything a server may offer, over a real door: both eras, and clients that do not play by the rules.

mod bridge;
mod client;
mod hostile;
mod routes;
