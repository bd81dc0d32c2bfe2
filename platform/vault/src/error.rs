//! Why the vault did not do what was asked.

use kernel::{ErrorKind, ToolError};
use store::StoreError;

/// A refused or failed operation. Holds no value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The name does not fit.
    #[error("a secret's name is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit")]
    Name,
    /// The value does not fit.
    #[error("a secret's value is {rule}")]
    Value {
        /// What it must be.
        rule: &'static str,
    },
    /// Nothing has that name.
    #[error("no secret is called `{0}`")]
    Unknown(String),
    /// Something has that name.
    #[error("a secret called `{0}` is there already")]
    Taken(String),
    /// There are too many.
    #[error("there are {0} secrets already")]
    Limit(u32),
    /// The overlap is too long.
    #[error("two versions may overlap for 30 days at most")]
    Overlap,
    /// Somebody changed the database, or it belongs to another key.
    #[error(
        "the secret `{0}` cannot be opened: it was changed, or keys/vault.key is not the key it was sealed with"
    )]
    Damaged(String),
    /// The key file does not hold a key.
    #[error("keys/vault.key is damaged")]
    DamagedKey,
    /// The key file belongs to another database.
    #[error("keys/vault.key does not belong to secrets.db")]
    ForeignKey,
    /// A file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("secrets.db cannot be used")]
    Database(#[from] rusqlite::Error),
}

impl From<VaultError> for ToolError {
    fn from(error: VaultError) -> Self {
        use VaultError as E;
        let wrapped = |kind, error| Self::wrap(kind, error);
        match error {
            E::Name => Self::invalid("name", E::Name.to_string()),
            E::Value { rule } => Self::invalid("value", E::Value { rule }.to_string()),
            E::Overlap => Self::invalid("overlap", E::Overlap.to_string()),
            E::Unknown(_) => {
                wrapped(ErrorKind::NotFound, error).hint("`core-mcp secret list` shows the names")
            }
            E::Taken(_) => wrapped(ErrorKind::ValidationFailed, error)
                .hint("give it a new value with `core-mcp secret rotate`"),
            E::Limit(_) => wrapped(ErrorKind::ValidationFailed, error).hint("remove what is no longer used"),
            E::Damaged(_) | E::DamagedKey | E::ForeignKey => wrapped(ErrorKind::Unavailable, error)
                .hint("restore keys/vault.key and secrets.db from the same backup"),
            E::Store(error) => error.into(),
            E::Database(_) => wrapped(ErrorKind::Unavailable, error)
                .hint("run `core-mcp doctor` on the machine; the log there names the cause"),
        }
    }
}
