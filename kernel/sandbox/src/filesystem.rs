//! The Landlock half: which files a program can reach.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::SandboxPolicy;

/// The newest interface this code was written against; older kernels hold what they can.
const KNOWN: ABI = ABI::V9;

/// Programs, libraries and their data.
const SYSTEM_PROGRAMS: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];

/// Facts a program may read. `/etc` as a whole stays closed: it holds secrets.
const SYSTEM_FACTS: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/dev/random",
    "/dev/urandom",
];

/// Devices that swallow or make bytes.
const SYSTEM_SINKS: &[&str] = &["/dev/full", "/dev/null", "/dev/zero"];

/// Children of one folder above a protected path that are opened one by one.
const CHILDREN_MAX: usize = 4096;

/// What Landlock took away.
pub(crate) struct Held {
    pub(crate) abi: i32,
}

impl Held {
    /// Files cannot be opened, renamed or cut (`truncate` came with version 3).
    pub(crate) fn filesystem(&self) -> bool {
        self.abi >= 3
    }

    /// Processes outside cannot be signalled.
    pub(crate) fn signals(&self) -> bool {
        self.abi >= 6
    }
}

/// Restricts this thread, and whatever it becomes, to the policy.
pub(crate) fn apply(policy: &SandboxPolicy) -> Result<Held, RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?;
    if !policy.network {
        ruleset = ruleset.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let ruleset = ruleset.scope(Scope::from_all(KNOWN))?.create()?;
    let ruleset = add_system(ruleset)?;
    let ruleset = add_policy(ruleset, policy)?;
    let RestrictionStatus { ruleset, landlock, .. } = ruleset.restrict_self()?;
    let abi = match (ruleset, landlock) {
        (RulesetStatus::NotEnforced, _) => 0,
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi as i32,
        (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => 0,
    };
    Ok(Held { abi })
}

fn run_access() -> BitFlags<AccessFs> {
    AccessFs::from_read(KNOWN)
}

fn read_access() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

fn write_access() -> BitFlags<AccessFs> {
    // Device nodes are never made, and devices beneath a root are never driven.
    AccessFs::from_all(KNOWN) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev)
}

fn add_system(ruleset: RulesetCreated) -> Result<RulesetCreated, RulesetError> {
    ruleset
        .add_rules(path_beneath_rules(SYSTEM_PROGRAMS, run_access()))?
        .add_rules(path_beneath_rules(SYSTEM_FACTS, read_access()))?
        .add_rules(path_beneath_rules(SYSTEM_SINKS, AccessFs::ReadFile | AccessFs::WriteFile))
}

fn add_policy(ruleset: RulesetCreated, policy: &SandboxPolicy) -> Result<RulesetCreated, RulesetError> {
    let protected: Vec<PathBuf> =
        policy.protected.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut ruleset = ruleset;
    for (paths, access) in [(&policy.writable, write_access()), (&policy.readable, run_access())] {
        for path in paths {
            let opened = Opened::around(path, &protected);
            ruleset = ruleset
                .add_rules(path_beneath_rules(&opened.listed, AccessFs::ReadDir))?
                .add_rules(path_beneath_rules(&opened.whole, access))?;
        }
    }
    Ok(ruleset)
}

/// One allowed path, cut up so that protected paths beneath it stay closed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Opened {
    /// Opened with all they contain.
    whole: BTreeSet<PathBuf>,
    /// Can only be listed.
    listed: BTreeSet<PathBuf>,
}

impl Opened {
    fn around(path: &Path, protected: &[PathBuf]) -> Self {
        let mut opened = Self::default();
        // A path that is not there gives no right to anything.
        if let Ok(path) = fs::canonicalize(path) {
            opened.add(path, protected);
        }
        opened
    }

    fn add(&mut self, path: PathBuf, protected: &[PathBuf]) {
        if protected.iter().any(|closed| path.starts_with(closed)) {
            return;
        }
        if !protected.iter().any(|closed| closed.starts_with(&path)) {
            self.whole.insert(path);
            return;
        }
        // A folder that cannot be read stays closed: fewer rights, never more.
        for child in children(&path).unwrap_or_default() {
            self.add(child, protected);
        }
        self.listed.insert(path);
    }
}

/// The entries of a folder that are no links: a link could lead into what is protected.
fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .take(CHILDREN_MAX)
        .filter(|entry| entry.as_ref().is_ok_and(|it| it.file_type().is_ok_and(|kind| !kind.is_symlink())))
        .map(|entry| entry.map(|it| it.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_above_a_protected_path_is_opened_child_by_child() {
        let temp = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(temp.path()).unwrap();
        for folder in ["data/keys", "data/pub", "src"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("data/keys"), root.join("way-in")).unwrap();
        let opened = Opened::around(&root, &[root.join("data/keys")]);
        let whole: Vec<_> = opened.whole.iter().map(|it| it.strip_prefix(&root).unwrap()).collect();
        assert_eq!(whole, [Path::new("data/pub"), Path::new("src")]);
        assert_eq!(opened.listed, BTreeSet::from([root.clone(), root.join("data")]));
        assert_eq!(Opened::around(&root.join("data/keys"), &[root.join("data")]), Opened::default());
    }
}
