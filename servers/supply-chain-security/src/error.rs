//! What can go wrong in this server, and what a caller hears of it.

use kernel::{ErrorKind, ToolError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SupplyError {
    /// The caller gave up or the deadline passed.
    #[error("the scan was cancelled")]
    Cancelled,
    /// The thread that scans died.
    #[error("the scan stopped unexpectedly")]
    Worker(#[source] tokio::task::JoinError),
    /// The target is nothing that can be scanned.
    #[error("the target cannot be scanned: {0}")]
    Target(std::io::Error),
    /// A document is not what it has to be.
    #[error("the document cannot be read: {1}")]
    Document(&'static str, String),
    /// No component has this name.
    #[error("no component is named `{0}`")]
    UnknownPackage(String),
}

impl From<SupplyError> for ToolError {
    fn from(error: SupplyError) -> Self {
        let wrap = |kind| move |error: SupplyError| Self::wrap(kind, error);
        match &error {
            SupplyError::Cancelled => wrap(ErrorKind::Cancelled)(error),
            SupplyError::Worker(_) => wrap(ErrorKind::Internal)(error),
            SupplyError::Target(_) => wrap(ErrorKind::ValidationFailed)(error).field("target").hint(
                "pass a folder, a lock file or manifest by its usual name, an SBOM in JSON, or an archive of `docker save`",
            ),
            SupplyError::Document(field, _) => {
                let field = *field;
                wrap(ErrorKind::ValidationFailed)(error)
                    .field(field)
                    .hint("pass a CycloneDX or SPDX document in JSON")
            }
            SupplyError::UnknownPackage(_) => wrap(ErrorKind::NotFound)(error)
                .field("package")
                .hint("call dependency_tree to see every name"),
        }
    }
}
