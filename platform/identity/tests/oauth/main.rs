//! Tokens of foreign authorization servers: what is accepted, and a table of attacks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod attacks;
mod issuer;
mod life;
