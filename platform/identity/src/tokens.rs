//! Making, ending and replacing tokens.

use std::time::Duration;

use kernel::{Secret, ToolError};
use pipeline::seams::Identity;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use crate::{
    IdentityError, IdentityStore, NewToken, TokenInfo, TokenState, Whoami, name,
    principals::find as find_principal, text::fresh,
};

/// Working tokens one principal may have.
const TOKENS_MAX: u32 = 50;
/// Ended tokens of one principal that are still shown; older ones are forgotten. The audit journal has them.
const ENDED_MAX: u32 = 200;
/// Tokens shown at once.
const LISTED_MAX: u32 = 1000;
/// What a token gets that nobody said anything about.
const DAYS_STANDARD: u32 = 90;
/// What may be asked for in passing.
const DAYS_MAX: u32 = 365;
/// What may be asked for at all.
const DAYS_LONG_MAX: u32 = 3650;
/// The longest time two tokens may work side by side.
const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
const DAY_SECONDS: i64 = 24 * 3600;

const COLUMNS: &str = "SELECT id, principal, label, created_at, expires_at, used_at, replaced_by, revoked_at
    FROM token LEFT JOIN token_use ON token_use.token = token.id";

/// How long a token works. There is no token that works for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// 90 days.
    #[default]
    Standard,
    /// Up to a year.
    Days(u32),
    /// Up to ten years. An operator has to ask for it by name.
    LongDays(u32),
}

impl Lifetime {
    fn seconds(self) -> Result<i64, IdentityError> {
        let (days, max) = match self {
            Self::Standard => (DAYS_STANDARD, DAYS_MAX),
            Self::Days(days) => (days, DAYS_MAX),
            Self::LongDays(days) => (days, DAYS_LONG_MAX),
        };
        if days == 0 || days > max {
            return Err(IdentityError::Invalid { field: "days", rule: format!("between 1 and {max} days") });
        }
        Ok(i64::from(days) * DAY_SECONDS)
    }
}

/// What can be said about a new token.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    /// For people; may be empty.
    pub label: String,
    /// How long it works.
    pub lifetime: Lifetime,
}

impl IdentityStore {
    /// Makes a token. What it returns is the only copy there will ever be.
    pub fn create_token(&self, principal: &str, options: &TokenOptions) -> Result<NewToken, IdentityError> {
        name::note("label", &options.label)?;
        let lifetime = options.lifetime.seconds()?;
        self.change(|db, now| {
            find_principal(db, principal)?;
            self.insert(db, principal, &options.label, now, now + lifetime)
        })
    }

    /// The 1000 newest tokens of one principal, or of all, newest first. Shows ended ones too.
    pub fn list_tokens(&self, principal: Option<&str>) -> Result<Vec<TokenInfo>, IdentityError> {
        self.look(|db, now| {
            if let Some(id) = principal {
                find_principal(db, id)?;
            }
            let sql =
                format!("{COLUMNS} WHERE ?1 IS NULL OR principal = ?1 ORDER BY created_at DESC, id LIMIT ?2");
            let mut query = db.prepare(&sql)?;
            let all =
                query.query_map((principal, LISTED_MAX), |row| read(row, now))?.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }

    /// Ends a token now, in every process within 100 ms. Ending it twice changes nothing.
    pub fn revoke_token(&self, id: &str) -> Result<TokenInfo, IdentityError> {
        self.change(|db, now| {
            find(db, id, now)?;
            db.execute("UPDATE token SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1", (id, now))?;
            find(db, id, now)
        })
    }

    /// Makes a successor with the same label and lifetime; the old token works for `overlap` longer, at most
    /// seven days and never longer than it would have.
    pub fn rotate_token(&self, id: &str, overlap: Duration) -> Result<NewToken, IdentityError> {
        if overlap > OVERLAP_MAX {
            let rule = "two tokens work side by side for seven days at most".to_owned();
            return Err(IdentityError::Invalid { field: "overlap", rule });
        }
        let overlap = i64::try_from(overlap.as_secs()).expect("seven days fit");
        self.change(|db, now| {
            let old = find(db, id, now)?;
            if old.state != TokenState::Active || old.replaced_by.is_some() {
                return Err(IdentityError::Spent { id: id.to_owned() });
            }
            let new =
                self.insert(db, &old.principal, &old.label, now, now + (old.expires_at - old.created_at))?;
            db.execute(
                "UPDATE token SET expires_at = min(expires_at, ?2), replaced_by = ?3 WHERE id = ?1",
                (id, now + overlap, &new.info.id),
            )?;
            Ok(new)
        })
    }

    /// Who holds this token, and what is known of it.
    pub fn whoami(&self, token: &Secret<String>) -> Result<Whoami, ToolError> {
        let principal = self.authenticate(token)?;
        let id = principal.token_id.clone().unwrap_or_default();
        Ok(Whoami { token: self.look(|db, now| find(db, &id, now))?, principal })
    }

    fn insert(
        &self,
        db: &Transaction<'_>,
        principal: &str,
        label: &str,
        now: i64,
        expires_at: i64,
    ) -> Result<NewToken, IdentityError> {
        let working: u32 = db.query_row(
            "SELECT count(*) FROM token WHERE principal = ?1 AND revoked_at IS NULL AND expires_at > ?2",
            (principal, now),
            |row| row.get(0),
        )?;
        if working >= TOKENS_MAX {
            return Err(IdentityError::Limit { what: "working tokens of this principal", max: TOKENS_MAX });
        }
        forget_ended(db, principal, now)?;
        // The public id has 32 bits, so one that is taken already will turn up some day.
        let (secret, id) = loop {
            let (secret, id) = fresh();
            let taken: bool =
                db.query_row("SELECT EXISTS (SELECT 1 FROM token WHERE id = ?1)", [&id], |row| row.get(0))?;
            if !taken {
                break (secret, id);
            }
        };
        db.execute(
            "INSERT INTO token (id, principal, hash, label, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (&id, principal, self.keys().current.hash(secret.expose()), label, now, expires_at),
        )?;
        Ok(NewToken { secret, info: find(db, &id, now)? })
    }
}

fn forget_ended(db: &Transaction<'_>, principal: &str, now: i64) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM token WHERE id IN (
           SELECT id FROM token WHERE principal = ?1 AND (revoked_at IS NOT NULL OR expires_at <= ?2)
           ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?3)",
        (principal, now, ENDED_MAX),
    )
    .map(drop)
}

fn find(db: &Connection, id: &str, now: i64) -> Result<TokenInfo, IdentityError> {
    name::token_id(id)?;
    let found = db.query_row(&format!("{COLUMNS} WHERE id = ?1"), [id], |row| read(row, now)).optional()?;
    found.ok_or_else(|| IdentityError::Unknown { what: "token", name: id.to_owned() })
}

fn read(row: &Row<'_>, now: i64) -> rusqlite::Result<TokenInfo> {
    let (expires_at, revoked_at): (i64, Option<i64>) = (row.get(4)?, row.get(7)?);
    let state = match revoked_at {
        Some(_) => TokenState::Revoked,
        None if expires_at <= now => TokenState::Expired,
        None => TokenState::Active,
    };
    Ok(TokenInfo {
        id: row.get(0)?,
        principal: row.get(1)?,
        label: row.get(2)?,
        created_at: row.get(3)?,
        expires_at,
        last_used_at: row.get(5)?,
        replaced_by: row.get(6)?,
        state,
    })
}
