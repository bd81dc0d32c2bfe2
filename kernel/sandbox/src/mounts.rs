//! The mount half: a view of the file system that is read-only outside the policy.
//!
//! Landlock does not hold modes, owners, times and extended attributes, and root owns most of a machine: without
//! this a confined program could set the set-user-id bit on a program of the system. It needs the right to
//! mount, which root has outside containers; elsewhere Landlock stays the only wall.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, mount_bind_recursive, mount_change, mount_remount},
    thread::UnshareFlags,
};

use crate::SandboxPolicy;

/// Most mounts of one machine that are looked at.
const MOUNTS_MAX: usize = 4096;

/// Gives this process mounts of its own and makes all of them read-only but what is writable by the policy.
pub(crate) fn seal(policy: &SandboxPolicy) -> io::Result<()> {
    let cwd = env::current_dir()?;
    #[expect(deprecated, reason = "its successor is unsafe only for shared file tables, which this is not")]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    // What is unmounted outside goes away here too; nothing done here shows outside.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    let writable = outermost(&policy.writable);
    for path in &writable {
        mount_bind_recursive(path, path)?;
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    if mounts.len() > MOUNTS_MAX {
        return Err(io::Error::other(format!("there are more than {MOUNTS_MAX} mounts")));
    }
    for mount in mounts.iter().filter(|mount| !writable.iter().any(|path| mount.point.starts_with(path))) {
        match mount_remount(&mount.point, mount.flags | MountFlags::BIND | MountFlags::RDONLY, "") {
            // Hidden beneath another mount, or where this user cannot go: no program gets there by name.
            Ok(()) | Err(Errno::INVAL | Errno::NOENT | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The working directory still was the one of the old view.
    env::set_current_dir(cwd)
}

/// Real paths, without those that lie beneath another one.
fn outermost(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut real: Vec<PathBuf> = paths.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    real.sort_unstable();
    // Sorted by components, a folder stands before everything beneath it.
    real.dedup_by(|later, earlier| later.starts_with(&*earlier));
    real
}

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    /// What has to be said again, or a remount would lose it.
    flags: MountFlags,
}

impl Mount {
    /// `36 35 98:0 /root /point rw,nosuid shared:1 - ext4 /dev/vda rw`.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ').skip(4);
        let (point, options) = (fields.next()?, fields.next()?);
        let flags = options.split(',').map(|option| match option {
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            "noatime" => MountFlags::NOATIME,
            "nodiratime" => MountFlags::NODIRATIME,
            "relatime" => MountFlags::RELATIME,
            _ => MountFlags::empty(),
        });
        Some(Self { point: unescape(point), flags: flags.collect() })
    }
}

/// The kernel writes space, tab, line feed and backslash as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    let plain = escapes.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    Path::new(&plain).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_keeps_what_it_was_mounted_with() {
        let mount = Mount::parse("36 35 98:0 / /a\\040b rw,nosuid,relatime shared:1 - ext4 /dev/vda rw");
        let flags = MountFlags::NOSUID | MountFlags::RELATIME;
        assert_eq!(mount, Some(Mount { point: "/a b".into(), flags }));
        assert_eq!(Mount::parse("36 35 98:0 /"), None);
    }

    #[test]
    fn only_the_outermost_folders_are_mounted() {
        let temp = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(temp.path()).unwrap();
        for folder in ["a/b/c", "a-b"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        let paths = ["a/b/c", "a", "a-b", "a/b", "absent"].map(|name| base.join(name));
        assert_eq!(outermost(&paths), [base.join("a"), base.join("a-b")]);
    }
}
