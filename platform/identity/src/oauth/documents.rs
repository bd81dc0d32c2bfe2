//! Where an issuer's documents are.

use fetch::{FetchError, Fetcher};

use super::settings::IssuerSettings;

/// What a check of an issuer found, for `core-mcp doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerReport {
    /// Its name in the configuration.
    pub alias: String,
    /// Its URL.
    pub url: String,
    /// How many usable keys it has, or why they could not be had.
    pub keys: Result<usize, String>,
}

pub(crate) async fn keys_url(fetcher: &Fetcher, settings: &IssuerSettings) -> Result<String, FetchError> {
    if !settings.jwks_url.is_empty() {
        return Ok(settings.jwks_url.clone());
    }
    fetcher.metadata(&settings.url).await?.jwks_uri.ok_or(FetchError::Missing("jwks_uri"))
}

pub(crate) async fn introspection_url(
    fetcher: &Fetcher,
    settings: &IssuerSettings,
) -> Result<String, FetchError> {
    match &settings.introspection {
        Some(it) if !it.url.is_empty() => Ok(it.url.clone()),
        _ => {
            let found = fetcher.metadata(&settings.url).await?.introspection_endpoint;
            found.ok_or(FetchError::Missing("introspection_endpoint"))
        }
    }
}
