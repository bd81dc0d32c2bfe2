//! Small documents of other servers, fetched through the URL guard: to the addresses it vetted, without redirects,
//! bounded in size and time.
//!
//! Reading order: [`Fetcher`], `metadata` (where an authorization server says what it is), [`FetchError`].

mod error;
mod fetcher;
mod metadata;

pub use error::FetchError;
pub use fetcher::Fetcher;
pub use metadata::Metadata;
