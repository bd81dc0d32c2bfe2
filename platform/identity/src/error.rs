//! Why identity did not do what was asked.

use kernel::{ErrorKind, ToolError};
use store::StoreError;

/// A refused or failed change. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The argument does not fit.
    #[error("{rule}")]
    Invalid {
        /// Which one.
        field: &'static str,
        /// What it must look like.
        rule: String,
    },
    /// Nothing has that name.
    #[error("no {what} is called `{name}`")]
    Unknown {
        /// `principal`, `role` or `token`.
        what: &'static str,
        /// As sent, after its form was checked.
        name: String,
    },
    /// Something has that name already, or had it: names of deleted principals are not given out again,
    /// because audit records and artifacts still carry them.
    #[error("the {what} name `{name}` is taken")]
    Taken {
        /// `principal` or `role`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Nobody could administer the installation afterwards.
    #[error("`{name}` is the last enabled admin")]
    LastAdmin {
        /// Who.
        name: String,
    },
    /// A built-in role stays, and a role that somebody has is not deleted.
    #[error("the role `{name}` cannot be deleted: {reason}")]
    RoleInUse {
        /// The role.
        name: String,
        /// Why.
        reason: String,
    },
    /// Revoked or expired.
    #[error("the token `{id}` is no longer valid")]
    Spent {
        /// Public id.
        id: String,
    },
    /// A bound was reached.
    #[error("there are {max} {what} already")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: u32,
    },
    /// The key file and the database were not made together.
    #[error("keys/token.key does not belong to identity.db: no token could ever match")]
    ForeignKey,
    /// The key file has been cut or overwritten.
    #[error("keys/token.key is damaged: it must hold 32 bytes")]
    DamagedKey,
    /// A file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database refused.
    #[error("identity.db cannot be used")]
    Database(#[from] rusqlite::Error),
    /// No thread for the record of uses.
    #[error("the identity service cannot start")]
    Thread(#[source] std::io::Error),
}

impl From<IdentityError> for ToolError {
    fn from(error: IdentityError) -> Self {
        use IdentityError as E;
        let wrapped = |kind, error| Self::wrap(kind, error);
        match error {
            E::Invalid { field, ref rule } => Self::invalid(field, rule.clone()),
            E::Unknown { what, .. } => wrapped(ErrorKind::NotFound, error)
                .hint(format!("list them with `core-mcp {} list`", command(what))),
            E::Taken { .. } => wrapped(ErrorKind::ValidationFailed, error).hint("choose another name"),
            E::LastAdmin { .. } => wrapped(ErrorKind::ValidationFailed, error)
                .reason("LAST_ADMIN")
                .hint("make another admin first"),
            E::RoleInUse { .. } => wrapped(ErrorKind::ValidationFailed, error)
                .hint("a role of your own can be deleted once `core-mcp role revoke` took it from everybody"),
            E::Spent { .. } => wrapped(ErrorKind::ValidationFailed, error).hint(
                "list the tokens with `core-mcp token list`, or make a new one with `core-mcp token create`",
            ),
            E::Limit { .. } => {
                wrapped(ErrorKind::ValidationFailed, error).hint("delete or revoke what is no longer used")
            }
            E::ForeignKey | E::DamagedKey => wrapped(ErrorKind::Unavailable, error)
                .hint("restore keys/token.key and identity.db from the same backup"),
            E::Store(error) => error.into(),
            E::Database(_) | E::Thread(_) => wrapped(ErrorKind::Unavailable, error)
                .hint("run `core-mcp doctor` on the machine; the log there names the cause"),
        }
    }
}

fn command(what: &str) -> &str {
    if what == "principal" { "user" } else { what }
}
