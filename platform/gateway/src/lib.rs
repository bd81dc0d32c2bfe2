//! Other MCP servers behind the same road as the native ones.
//!
//! Reading order: [`UpstreamConfig`] (what an operator can say), `order` (one request on its way), `http` and
//! `stdio` (how it gets there), `dialogue` and `hear` (what comes back meanwhile).

mod agree;
mod config;
mod dialogue;
mod error;
mod findings;
mod hear;
mod http;
mod order;
mod pins;
mod rpc;
mod search;
mod stdio;
mod tool;

pub use config::{
    ConfigProblem, Confinement, ConfinementMode, EffectChoice, EraChoice, TransportChoice, TrustLevel,
    UpstreamConfig, name_problem,
};
pub use findings::{Finding, look};
pub use pins::{Held, HeldTool, Pins};
pub use search::Index;
