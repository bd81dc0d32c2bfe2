//! Which `core-mcp serve` has this data directory, so that there is one and others can find it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use store::DataDir;

use crate::failure::Failure;

const FILE_NAME: &str = "serve.json";
/// Far more than the file ever holds.
const BYTES_MAX: u64 = 64 << 10;

/// The server that is running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// The address it is bound to.
    pub(crate) listen: String,
    /// Config keys that were changed since it started and need a restart.
    #[serde(default)]
    pub(crate) needs_restart: Vec<String>,
}

/// The lock of a running server. The system lets go of it however the process ends.
pub(crate) struct RunningLock {
    file: File,
    told: Running,
}

impl Running {
    /// The server that holds the lock now, if any.
    pub(crate) fn read(data: &DataDir) -> Option<Self> {
        let file = File::open(path(data)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            Ok(()) | Err(TryLockError::Error(_)) => return None,
        }
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl RunningLock {
    /// Takes the data directory for one serving process.
    pub(crate) fn take(data: &DataDir) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::local("the data directory cannot be locked", error);
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path(data))
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, told: Running { pid: std::process::id(), ..Running::default() } }),
            Err(TryLockError::WouldBlock) => {
                let who = Running::read(data)
                    .map_or_else(String::new, |it| format!(" on {} (process {})", it.listen, it.pid));
                Err(Failure::local("this data directory is already being served", format!("core-mcp runs{who}"))
                    .hint("stop that one first, or serve another --data-dir; `core-mcp call --url` uses the running one"))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Says where the server listens.
    pub(crate) fn listens(&mut self, address: std::net::SocketAddr) -> Result<(), Failure> {
        self.told.listen = address.to_string();
        self.write()
    }

    /// Says which changed keys wait for a restart.
    pub(crate) fn needs_restart(&mut self, keys: Vec<String>) -> Result<(), Failure> {
        if self.told.needs_restart == keys {
            return Ok(());
        }
        self.told.needs_restart = keys;
        self.write()
    }

    fn write(&mut self) -> Result<(), Failure> {
        let text = serde_json::to_vec(&self.told).map_err(|error| Failure::local("serve.json", error))?;
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.set_len(0))
            .and_then(|()| self.file.write_all(&text))
            .map_err(|error| Failure::local("serve.json cannot be written", error))
    }
}

fn path(data: &DataDir) -> PathBuf {
    data.root().join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_at_a_time_and_others_can_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        assert_eq!(Running::read(&data), None);
        let mut lock = RunningLock::take(&data).unwrap();
        lock.listens("127.0.0.1:7332".parse().unwrap()).unwrap();
        lock.needs_restart(vec!["server.listen".into()]).unwrap();
        let seen = Running::read(&data).unwrap();
        assert_eq!((seen.listen.as_str(), seen.needs_restart.len()), ("127.0.0.1:7332", 1));
        assert!(RunningLock::take(&data).is_err_and(|it| it.message.contains("127.0.0.1:7332")));
        drop(lock);
        assert_eq!(Running::read(&data), None);
        assert!(RunningLock::take(&data).is_ok());
    }
}
