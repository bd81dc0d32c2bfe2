//! Confines child processes with Landlock, seccomp and resource limits.
