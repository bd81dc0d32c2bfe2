//! Why a document could not be had.

use serde::Deserialize;

/// A failed fetch. Its words hold no address and no secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL guard said no.
    #[error("{0}")]
    Refused(#[from] guard::Refusal),
    /// No connection, no TLS, or no answer in time.
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// Another status than 200.
    #[error("it answered with status {status}{}", oauth_code(body))]
    Status {
        /// The status.
        status: u16,
        /// What came with it.
        body: Vec<u8>,
    },
    /// More than is read.
    #[error("its answer is larger than {} bytes", crate::fetcher::DOCUMENT_BYTES_MAX)]
    TooLarge,
    /// Something else than was expected.
    #[error("its answer is not the expected JSON")]
    Unreadable,
    /// RFC 8414: metadata must name the issuer it was asked for.
    #[error("its metadata names another issuer than the configured one")]
    OtherIssuer,
    /// A document lacks something.
    #[error("its metadata names no {0}")]
    Missing(&'static str),
    /// The CA file, or the rules, cannot be used.
    #[error("the file of ca_file cannot be used: {0}")]
    CaFile(String),
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
}

impl FetchError {
    /// The error code of an OAuth answer (RFC 6749), when the answer is one.
    pub fn oauth_code(&self) -> Option<String> {
        let Self::Status { body, .. } = self else { return None };
        let code = serde_json::from_slice::<OAuthError>(body).ok()?.error;
        let is_code = code.len() <= 64 && code.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        is_code.then_some(code)
    }
}

fn oauth_code(body: &[u8]) -> String {
    let status = FetchError::Status { status: 0, body: body.to_vec() };
    status.oauth_code().map_or_else(String::new, |code| format!(" ({code})"))
}
