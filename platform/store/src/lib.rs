//! The embedded state: SQLite files, contexts, approvals and artifacts.
//!
//! Reading order: [`DataDir`] (where everything lies and who may touch it), [`sqlite`] (how a database
//! is opened), then [`State`] with [`ContextStore`], [`ApprovalStore`] and [`ArtifactStore`], which the
//! road knows as `pipeline::seams::{Contexts, Approvals, Artifacts}`.

mod approvals;
mod artifacts;
mod clock;
mod contexts;
mod data_dir;
mod error;
pub mod private_file;
mod random;
mod schema;
pub mod sqlite;
mod state;

pub use approvals::{ApprovalInfo, ApprovalOptions, ApprovalStore};
pub use artifacts::{ArtifactOptions, ArtifactStore};
pub use clock::Clock;
pub use contexts::{ContextDetails, ContextInfo, ContextOptions, ContextStore};
pub use data_dir::DataDir;
pub use error::StoreError;
pub use state::{State, StateOptions};
