//! Stand-ins for what a gate needs from the platform. They keep everything in memory and count what
//! they are asked; none of them waits, writes or connects.

mod approvals;
mod artifacts;
mod contexts;
mod identity;
mod journal;
mod policy;
mod rig;

pub use approvals::FakeApprovals;
pub use artifacts::FakeArtifacts;
pub use contexts::FakeContexts;
pub use identity::FakeIdentity;
pub use journal::FakeJournal;
pub use policy::FakePolicy;
pub use rig::{Rig, gate};
