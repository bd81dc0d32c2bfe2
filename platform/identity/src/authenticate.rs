//! From a token to a principal, in a few microseconds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::{ErrorKind, Principal, Secret, ToolError};
use parking_lot::Mutex;
use pipeline::seams::Identity;
use rusqlite::Connection;

use crate::{
    IdentityError, IdentityStore,
    snapshot::{Live, Snapshot, generation},
    text::looks_like_a_token,
};

/// How long a snapshot is trusted without asking the file. Half of what the contract grants.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// When the file was last asked whether anybody changed it.
pub(crate) struct Freshness {
    start: Instant,
    /// Microseconds after `start`.
    checked: AtomicU64,
    version: Mutex<i64>,
}

impl Freshness {
    pub(crate) fn new(start: Instant, version: i64) -> Self {
        Self { start, checked: AtomicU64::new(0), version: Mutex::new(version) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn is_due(&self) -> bool {
        let age = self.now().saturating_sub(self.checked.load(Ordering::Acquire));
        u128::from(age) >= CHECK_EVERY.as_micros()
    }
}

/// SQLite raises it whenever another connection, of any process, has committed.
pub(crate) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

impl Identity for IdentityStore {
    fn authenticate(&self, token: &Secret<String>) -> Result<Arc<Principal>, ToolError> {
        self.stay_fresh()?;
        let live = self.live(token.expose()).ok_or_else(refused)?;
        let id = live.principal.token_id.as_deref().unwrap_or_default();
        self.usage.note(id, self.clock.now_seconds(), &live.used_minute);
        Ok(Arc::clone(&live.principal))
    }

    fn still_valid(&self, principal: &Principal) -> bool {
        if self.stay_fresh().is_err() {
            return false;
        }
        let snapshot = self.snapshot();
        // Equality covers roles and kind: who was granted or lost a role has to come in again.
        match &principal.token_id {
            None => snapshot.principals.get(&principal.id) == Some(principal),
            Some(id) => snapshot.by_token_id.get(id).is_some_and(|live| {
                *live.principal == *principal && self.clock.now_seconds() < live.expires_at
            }),
        }
    }

    fn current(&self, id: &str) -> Result<Arc<Principal>, ToolError> {
        self.stay_fresh()?;
        self.snapshot().principals.get(id).cloned().map(Arc::new).ok_or_else(gone)
    }
}

/// What a run whose principal is gone is told.
fn gone() -> ToolError {
    ToolError::new(ErrorKind::AuthenticationFailed, "the principal is unknown or disabled")
        .hint("`core-mcp user list` shows everybody")
}

/// Unknown, expired, revoked, disabled, mistyped: a caller without a valid token learns nothing more.
fn refused() -> ToolError {
    ToolError::new(ErrorKind::AuthenticationFailed, "the token is not valid")
        .hint("ask an administrator for one (`core-mcp token create`) and pass it as CORE_MCP_TOKEN or as a bearer token")
}

impl IdentityStore {
    /// An enabled principal by name, without a token: somebody else has proven who it is.
    pub(crate) fn by_name(&self, name: &str) -> Result<Principal, ToolError> {
        self.stay_fresh()?;
        let unknown =
            || ToolError::new(ErrorKind::AuthenticationFailed, "the certificate belongs to nobody here");
        self.snapshot().principals.get(name).cloned().ok_or_else(unknown)
    }

    fn live(&self, token: &str) -> Option<Arc<Live>> {
        if !looks_like_a_token(token) {
            return None;
        }
        let (keys, snapshot) = (self.keys(), self.snapshot());
        let hash = keys.current.hash(token);
        let live = match snapshot.by_hash.get(&hash) {
            Some(live) => Arc::clone(live),
            None => {
                let previous = keys.previous(self.clock.now_seconds())?;
                let live = Arc::clone(snapshot.by_hash.get(&previous.hash(token))?);
                self.usage.keep_under(live.principal.token_id.as_deref().unwrap_or_default(), hash);
                live
            }
        };
        (self.clock.now_seconds() < live.expires_at).then_some(live)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read())
    }

    /// Asks the file, if it was not asked for a while, whether somebody changed it. When it cannot be asked,
    /// nobody gets in: a revocation might be in it.
    fn stay_fresh(&self) -> Result<(), ToolError> {
        if !self.freshness.is_due() {
            return Ok(());
        }
        // Whoever holds the lock is asking right now; the others go on with what they have.
        let Some(mut reader) = self.reader.try_lock() else { return Ok(()) };
        self.refresh(&mut reader).map_err(|error| {
            tracing::error!(%error, "identity.db or its key cannot be read, so nobody gets in");
            error.into()
        })
    }

    /// Shows this process its own change at once.
    pub(crate) fn refresh_now(&self) -> Result<(), IdentityError> {
        self.refresh(&mut self.reader.lock())
    }

    fn refresh(&self, reader: &mut Connection) -> Result<(), IdentityError> {
        // Taken before asking: what is committed meanwhile is noticed by the next look.
        let asked = self.freshness.now();
        let version = data_version(reader)?;
        let mut known = self.freshness.version.lock();
        if *known != version {
            let before = self.snapshot();
            if generation(reader)? != before.generation {
                let snapshot = Snapshot::read(reader, &before)?;
                self.reopen_keys()?;
                *self.snapshot.write() = Arc::new(snapshot);
            }
            *known = version;
        }
        self.freshness.checked.store(asked, Ordering::Release);
        Ok(())
    }
}
