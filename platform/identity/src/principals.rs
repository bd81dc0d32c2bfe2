//! Users, agents and service accounts.

use kernel::PrincipalKind;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    IdentityError, IdentityStore, PrincipalInfo,
    name::{self, ADMIN_ROLE},
    snapshot::kind_of,
};

/// Principals one installation may have, deleted ones included.
const PRINCIPALS_MAX: u32 = 10_000;

const COLUMNS: &str = "SELECT p.id, p.kind, p.disabled_at IS NULL, p.created_at,
    (SELECT group_concat(role, ' ' ORDER BY role) FROM principal_role r WHERE r.principal = p.id)
    FROM principal p WHERE p.deleted_at IS NULL";

impl IdentityStore {
    /// Makes a principal with no roles and no tokens.
    pub fn create_principal(&self, id: &str, kind: PrincipalKind) -> Result<PrincipalInfo, IdentityError> {
        name::principal(id)?;
        self.change(|db, now| {
            let count: u32 = db.query_row("SELECT count(*) FROM principal", [], |row| row.get(0))?;
            if count >= PRINCIPALS_MAX {
                return Err(IdentityError::Limit { what: "principals", max: PRINCIPALS_MAX });
            }
            let made = db.execute(
                "INSERT OR IGNORE INTO principal (id, kind, created_at) VALUES (?1, ?2, ?3)",
                (id, kind.as_str(), now),
            )?;
            if made == 0 {
                return Err(IdentityError::Taken { what: "principal", name: id.to_owned() });
            }
            find(db, id)
        })
    }

    /// Everybody, sorted by name.
    pub fn list_principals(&self) -> Result<Vec<PrincipalInfo>, IdentityError> {
        self.look(|db, _| {
            let mut query = db.prepare(&format!("{COLUMNS} ORDER BY p.id"))?;
            let all = query.query_map([], read)?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }

    /// One of them.
    pub fn principal(&self, id: &str) -> Result<PrincipalInfo, IdentityError> {
        self.look(|db, _| find(db, id))
    }

    /// From now on none of its tokens works. Refuses to disable the last enabled admin.
    pub fn disable_principal(&self, id: &str) -> Result<PrincipalInfo, IdentityError> {
        self.change(|db, now| {
            find(db, id)?;
            keeping_an_admin(db, id, || {
                db.execute(
                    "UPDATE principal SET disabled_at = coalesce(disabled_at, ?2) WHERE id = ?1",
                    (id, now),
                )
                .map(drop)
            })?;
            find(db, id)
        })
    }

    /// Its tokens, those that are neither expired nor revoked, work again.
    pub fn enable_principal(&self, id: &str) -> Result<PrincipalInfo, IdentityError> {
        self.change(|db, _| {
            find(db, id)?;
            db.execute("UPDATE principal SET disabled_at = NULL WHERE id = ?1", [id])?;
            find(db, id)
        })
    }

    /// Ends it for good: tokens are revoked, roles are taken, the name stays taken. Refuses to delete the last
    /// enabled admin.
    pub fn delete_principal(&self, id: &str) -> Result<(), IdentityError> {
        self.change(|db, now| {
            find(db, id)?;
            keeping_an_admin(db, id, || {
                db.execute("UPDATE principal SET deleted_at = ?2 WHERE id = ?1", (id, now))?;
                db.execute(
                    "UPDATE token SET revoked_at = coalesce(revoked_at, ?2) WHERE principal = ?1",
                    (id, now),
                )?;
                db.execute("DELETE FROM principal_role WHERE principal = ?1", [id]).map(drop)
            })
        })
    }

    /// Gives a role. Giving it twice changes nothing.
    pub fn grant_role(&self, id: &str, role: &str) -> Result<PrincipalInfo, IdentityError> {
        name::role(role)?;
        self.change(|db, _| {
            find(db, id)?;
            let exists: bool =
                db.query_row("SELECT EXISTS (SELECT 1 FROM role WHERE name = ?1)", [role], |row| row.get(0))?;
            if !exists {
                return Err(IdentityError::Unknown { what: "role", name: role.to_owned() });
            }
            db.execute("INSERT OR IGNORE INTO principal_role VALUES (?1, ?2)", (id, role))?;
            find(db, id)
        })
    }

    /// Takes a role. Taking what is not there changes nothing; the last enabled admin stays one.
    pub fn revoke_role(&self, id: &str, role: &str) -> Result<PrincipalInfo, IdentityError> {
        name::role(role)?;
        self.change(|db, _| {
            find(db, id)?;
            keeping_an_admin(db, id, || {
                db.execute("DELETE FROM principal_role WHERE principal = ?1 AND role = ?2", (id, role))
                    .map(drop)
            })?;
            find(db, id)
        })
    }
}

pub(crate) fn find(db: &Connection, id: &str) -> Result<PrincipalInfo, IdentityError> {
    name::principal(id)?;
    let found = db.query_row(&format!("{COLUMNS} AND p.id = ?1"), [id], read).optional()?;
    found.ok_or_else(|| IdentityError::Unknown { what: "principal", name: id.to_owned() })
}

/// Makes a change, and fails it (which undoes it) when it took the last enabled admin away. An installation
/// that has none yet, because it is just being set up, may change freely.
fn keeping_an_admin(
    db: &Connection,
    changed: &str,
    change: impl FnOnce() -> rusqlite::Result<()>,
) -> Result<(), IdentityError> {
    let before = admins(db)?;
    change()?;
    if before > 0 && admins(db)? == 0 {
        return Err(IdentityError::LastAdmin { name: changed.to_owned() });
    }
    Ok(())
}

fn admins(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row(
        "SELECT count(*) FROM principal p JOIN principal_role r ON r.principal = p.id
         WHERE r.role = ?1 AND p.disabled_at IS NULL AND p.deleted_at IS NULL",
        [ADMIN_ROLE],
        |row| row.get(0),
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<PrincipalInfo> {
    let roles: Option<String> = row.get(4)?;
    Ok(PrincipalInfo {
        id: row.get(0)?,
        kind: kind_of(&row.get::<_, String>(1)?),
        roles: roles.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        enabled: row.get(2)?,
        created_at: row.get(3)?,
    })
}
