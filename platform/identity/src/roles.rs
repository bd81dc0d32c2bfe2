//! Role names. What a role may do is written in the policies (`principal in Role::"releaser"`).

use rusqlite::Row;

use crate::{IdentityError, IdentityStore, RoleInfo, name};

/// Roles one installation may have.
const ROLES_MAX: u32 = 500;

const COLUMNS: &str = "SELECT name, description, built_in,
    (SELECT count(*) FROM principal_role r WHERE r.role = name) FROM role";

impl IdentityStore {
    /// Defines a role of the operator's own.
    pub fn create_role(&self, role: &str, description: &str) -> Result<RoleInfo, IdentityError> {
        name::role(role)?;
        name::note("description", description)?;
        self.change(|db, now| {
            let count: u32 = db.query_row("SELECT count(*) FROM role", [], |row| row.get(0))?;
            if count >= ROLES_MAX {
                return Err(IdentityError::Limit { what: "roles", max: ROLES_MAX });
            }
            let made =
                db.execute("INSERT OR IGNORE INTO role VALUES (?1, ?2, 0, ?3)", (role, description, now))?;
            if made == 0 {
                return Err(IdentityError::Taken { what: "role", name: role.to_owned() });
            }
            Ok(db.query_row(&format!("{COLUMNS} WHERE name = ?1"), [role], read)?)
        })
    }

    /// Deletes a role that nobody has and that is not built in.
    pub fn delete_role(&self, role: &str) -> Result<(), IdentityError> {
        name::role(role)?;
        self.change(|db, _| {
            let mut query = db.prepare(&format!("{COLUMNS} WHERE name = ?1"))?;
            let Some(found) = query.query_map([role], read)?.next().transpose()? else {
                return Err(IdentityError::Unknown { what: "role", name: role.to_owned() });
            };
            let in_use = |reason| Err(IdentityError::RoleInUse { name: role.to_owned(), reason });
            match found {
                RoleInfo { built_in: true, .. } => in_use("it is built in".to_owned()),
                RoleInfo { holders: 0, .. } => {
                    db.execute("DELETE FROM role WHERE name = ?1", [role])?;
                    Ok(())
                }
                RoleInfo { holders, .. } => in_use(format!("{holders} principals have it")),
            }
        })
    }

    /// Every role, sorted by name.
    pub fn list_roles(&self) -> Result<Vec<RoleInfo>, IdentityError> {
        self.look(|db, _| {
            let mut query = db.prepare(&format!("{COLUMNS} ORDER BY name"))?;
            let all = query.query_map([], read)?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<RoleInfo> {
    Ok(RoleInfo { name: row.get(0)?, description: row.get(1)?, built_in: row.get(2)?, holders: row.get(3)? })
}
