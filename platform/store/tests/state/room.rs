//! A data directory for one test, with a clock that can be turned.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use kernel::{Principal, PrincipalKind, ToolError};
use store::{Clock, DataDir};
use tempfile::TempDir;

pub(crate) struct Room {
    pub(crate) data: DataDir,
    _folder: TempDir,
    now_us: Arc<AtomicI64>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        Self { data, _folder: folder, now_us: Arc::new(AtomicI64::new(1_700_000_000_000_000)) }
    }

    pub(crate) fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now_us);
        Clock::from_fn(move || now.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.now_us.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

pub(crate) fn user(id: &str, roles: &[&str]) -> Principal {
    principal(id, PrincipalKind::User, roles)
}

pub(crate) fn principal(id: &str, kind: PrincipalKind, roles: &[&str]) -> Principal {
    Principal {
        id: id.into(),
        kind,
        roles: roles.iter().map(|it| (*it).to_owned()).collect(),
        token_id: None,
    }
}

/// The code of a refusal, for tables.
pub(crate) fn code<T>(result: Result<T, ToolError>) -> &'static str {
    result.map_or_else(|error| error.kind.code(), |_| "ok")
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
