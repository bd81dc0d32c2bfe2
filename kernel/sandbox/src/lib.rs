//! Confines child processes with Landlock, seccomp, read-only mounts, dropped capabilities and resource limits.
//!
//! There is no fork hook and no unsafe code: the product's own binary is started again as a launcher
//! (`launcher __sandbox POLICY PROGRAM ARG…`), takes away its own rights, and then becomes the program.
//! A parser can have a hole; a program that was never given a right cannot use it.
//!
//! Reading order: [`SandboxPolicy`] (what a program may touch), [`Launcher`] and [`Launch`] (how it is started),
//! [`become_launcher_if_asked`] (the first line of `main`), [`Enforcement`] (what this kernel holds),
//! [`kill_group`] (how it ends).

mod capabilities;
mod confine;
mod filesystem;
mod group;
mod launcher;
mod limits;
mod mounts;
mod policy;
mod status;
mod syscalls;

pub use group::{Signal, group_size, kill_group};
pub use launcher::{Launch, Launcher, OutputFile, StreamFiles, become_launcher_if_asked};
pub use policy::{ProcessLimits, SandboxPolicy};
pub use status::Enforcement;
