//! Other MCP servers behind the same road as the native ones.
//!
//! Reading order: [`UpstreamConfig`] (what an operator can say), `order` (one request on its way), `http` and
//! `stdio` (how it gets there), `dialogue` and `hear` (what comes back meanwhile); `upstream` and `balance` (one
//! server, its replicas), `tool`, `pins` and `findings` (which of its tools are served), `listed`, `relay` and `peer`
//! (what the road sees), `tend` (keeping it mounted), [`Gateway`] (all of them).

mod agree;
mod balance;
mod config;
mod credentials;
mod dialogue;
mod ear;
mod error;
mod findings;
mod gateway;
mod hear;
mod http;
mod link;
mod listed;
mod order;
mod peer;
mod pins;
mod relay;
mod rpc;
mod stdio;
mod tend;
mod tool;
mod upstream;

pub use config::{
    ConfigProblem, Confinement, ConfinementMode, EffectChoice, EraChoice, TransportChoice, TrustLevel,
    UpstreamConfig, name_problem,
};
pub use credentials::{Credentials, Shown};
pub use findings::{Finding, look};
pub use gateway::{CheckReport, Gateway, check};
pub use pins::{Held, HeldTool, Pins};
pub use tend::{Recorder, UpstreamStatus};
pub use upstream::{CredentialsFor, Setting};
