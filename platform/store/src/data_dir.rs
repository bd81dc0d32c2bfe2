//! The one directory everything is kept in.

use std::path::{Path, PathBuf};

use crate::{StoreError, private_file::private_dir};

/// The data directory, checked and complete. Everything in it belongs to this user alone.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Makes or checks `root` and its folders.
    ///
    /// # Errors
    /// When it belongs to somebody else, when others may write to it, or when it cannot be made; the
    /// message says what mends it.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        private_dir(root)?;
        let root = root.canonicalize().map_err(StoreError::io(root))?;
        let dir = Self { root };
        for folder in [dir.policies(), dir.artifacts(), dir.servers(), dir.keys(), dir.audit()] {
            private_dir(&folder)?;
        }
        Ok(dir)
    }

    /// The directory itself, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The platform's configuration.
    pub fn config(&self) -> PathBuf {
        self.root.join("core.toml")
    }

    /// Users, roles and tokens.
    pub fn identity_db(&self) -> PathBuf {
        self.root.join("identity.db")
    }

    /// The audit chain.
    pub fn audit_db(&self) -> PathBuf {
        self.root.join("audit.db")
    }

    /// Contexts, approvals and the list of artifacts.
    pub fn state_db(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// Sealed secrets.
    pub fn secrets_db(&self) -> PathBuf {
        self.root.join("secrets.db")
    }

    /// Workflows, their runs and what they wait for.
    pub fn workflows_db(&self) -> PathBuf {
        self.root.join("workflows.db")
    }

    /// Cedar policies.
    pub fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// Large results, one folder per owner.
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Folders of the servers' own state.
    pub fn servers(&self) -> PathBuf {
        self.root.join("servers")
    }

    /// The private folder of one server, made when missing. `name` is a catalogue name.
    ///
    /// # Errors
    /// When `name` is not a plain folder name, or the folder fails the checks of [`DataDir::open`].
    pub fn server(&self, name: &str) -> Result<PathBuf, StoreError> {
        let is_plain = name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
        let folder = self.servers().join(name);
        if name.is_empty() || name.len() > 64 || !is_plain {
            return Err(crate::private_file::refusal(
                &self.servers(),
                "a server's folder is named with 1 to 64 of a-z, 0-9 and `-`",
                "use the catalogue's name",
            ));
        }
        private_dir(&folder)?;
        Ok(folder)
    }

    /// Signing keys.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Checkpoints of the audit chain and locks of its writers.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }
}
