//! What the black-box tests share: the built program, a place for it to live, and clients.
//!
//! Reading order: [`Site`] (a data directory and an open folder), [`Serving`] (the program, serving HTTP),
//! [`Issuer`] (an authorization server), [`Plan`] (what a real client does), [`Raw`] (bytes on a socket, for hostile clients).

mod drive;
mod issuer;
mod places;
mod raw;
mod serving;
mod site;

pub use drive::{Client, Door, Plan, inspector};
pub use issuer::Issuer;
pub use places::{binary, project, python_script};
pub use raw::{Raw, Reply, message, post};
pub use serving::Serving;
pub use site::{Ended, Site};
