//! The headers of one request.

use kernel::Secret;

/// Which of two good versions of a credential was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Current,
    Previous,
}

/// Headers to send, and what they were made from. Prints no value.
#[derive(Clone, Debug)]
pub struct Shown {
    pub(crate) headers: Vec<(String, Secret<String>)>,
    /// Whose they are; empty: everybody's.
    pub(crate) key: String,
    pub(crate) generation: u64,
    pub(crate) version: Version,
}

impl Shown {
    /// Names and values. Set each of them, replacing what is there.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &Secret<String>)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value))
    }
}
