//! The embedded state: SQLite files, contexts, approvals and artifacts.
//!
//! Reading order: [`DataDir`] (where everything lies and who may touch it), [`sqlite`] (how a database
//! is opened).

mod clock;
mod data_dir;
mod error;
pub mod private_file;
mod random;
pub mod sqlite;

pub use clock::Clock;
pub use data_dir::DataDir;
pub use error::StoreError;
