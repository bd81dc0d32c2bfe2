//! Everything authentication needs, in memory.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicI64},
};

use kernel::{Principal, PrincipalKind};
use rusqlite::Connection;

use crate::key::TokenHash;

/// One token that works until it expires.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) principal: Arc<Principal>,
    /// Unix seconds.
    pub(crate) expires_at: i64,
    /// The minute of the last recorded use; shared with the snapshots before and after.
    pub(crate) used_minute: Arc<AtomicI64>,
}

/// The tokens of enabled principals, and those principals, at one generation.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) generation: i64,
    pub(crate) by_hash: HashMap<TokenHash, Arc<Live>>,
    pub(crate) by_token_id: HashMap<String, Arc<Live>>,
    /// Without a token id.
    pub(crate) principals: HashMap<String, Principal>,
}

/// The number that every relevant change raises.
pub(crate) fn generation(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT number FROM generation")?.query_row([], |row| row.get(0))
}

impl Snapshot {
    /// Reads everything in one transaction, so that it is of one moment.
    pub(crate) fn read(connection: &mut Connection, before: &Self) -> rusqlite::Result<Self> {
        let moment = connection.transaction()?;
        let principals = principals(&moment)?;
        let mut snapshot = Self { generation: generation(&moment)?, ..Self::default() };
        let mut query =
            moment.prepare("SELECT id, principal, hash, expires_at FROM token WHERE revoked_at IS NULL")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (id, holder): (String, String) = (row.get(0)?, row.get(1)?);
            let Some(principal) = principals.get(&holder) else { continue };
            let known = before.by_token_id.get(&id).map(|live| Arc::clone(&live.used_minute));
            let live = Arc::new(Live {
                principal: Arc::new(Principal { token_id: Some(id.clone()), ..principal.clone() }),
                expires_at: row.get(3)?,
                used_minute: known.unwrap_or_default(),
            });
            snapshot.by_hash.insert(row.get(2)?, Arc::clone(&live));
            snapshot.by_token_id.insert(id, live);
        }
        snapshot.principals = principals;
        Ok(snapshot)
    }
}

fn principals(connection: &Connection) -> rusqlite::Result<HashMap<String, Principal>> {
    let mut found = HashMap::new();
    let mut query = connection
        .prepare("SELECT id, kind FROM principal WHERE disabled_at IS NULL AND deleted_at IS NULL")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (id, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let principal = Principal { id: id.clone(), kind: kind_of(&kind), roles: Vec::new(), token_id: None };
        found.insert(id, principal);
    }
    let mut query =
        connection.prepare("SELECT principal, role FROM principal_role ORDER BY principal, role")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(principal) = found.get_mut(&row.get::<_, String>(0)?) {
            principal.roles.push(row.get(1)?);
        }
    }
    Ok(found)
}

/// The schema allows three words.
pub(crate) fn kind_of(word: &str) -> PrincipalKind {
    match word {
        "user" => PrincipalKind::User,
        "service" => PrincipalKind::Service,
        _ => PrincipalKind::Agent,
    }
}
