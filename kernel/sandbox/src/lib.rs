//! Confines child processes with Landlock, seccomp, read-only mounts, dropped capabilities and resource limits.
//!
//! There is no fork hook and no unsafe code: the product's own binary is started again as a launcher
//! (`launcher __sandbox ORDER PROGRAM ARG…`), takes away its own rights, runs the program with what is left, and
//! stays with it: when the process that wanted it dies, the program and its children die too.
//! A parser can have a hole; a program that was never given a right cannot use it.
//!
//! Reading order: [`SandboxPolicy`] (what a program may touch), [`Launcher`] and [`Launch`] (how it is started),
//! [`become_launcher_if_asked`] (the first line of `main`), [`Enforcement`] (what this kernel holds),
//! [`kill_group`] (how it ends).

mod capabilities;
mod confine;
mod filesystem;
mod group;
mod inherited;
mod keeper;
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
