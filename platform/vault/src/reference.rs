//! `secret:NAME`, and names.

use kernel::Secret;

use crate::VaultError;

/// What a reference in a configuration file begins with.
pub const REFERENCE_PREFIX: &str = "secret:";

/// Longest name in bytes.
const NAME_MAX: usize = 64;

/// The name in a reference; `None` when the text is none.
pub fn name_in(text: &str) -> Option<&str> {
    text.strip_prefix(REFERENCE_PREFIX)
}

/// Every name a text refers to, for values such as `Bearer ${secret:NAME}`.
pub fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("${secret:").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

pub(crate) fn check_name(name: &str) -> Result<(), VaultError> {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let fits = (1..=NAME_MAX).contains(&name.len())
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|it| plain(it) || matches!(it, b'.' | b'_' | b'-'));
    if fits { Ok(()) } else { Err(VaultError::Name) }
}

/// Replaces every `${secret:NAME}` of a text.
pub(crate) fn fill(
    text: &str,
    mut look_up: impl FnMut(&str) -> Result<Secret<String>, VaultError>,
) -> Result<Secret<String>, VaultError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${secret:") {
        let (name, after) = after.split_once('}').ok_or(VaultError::Name)?;
        filled.push_str(before);
        filled.push_str(look_up(name)?.expose());
        rest = after;
    }
    filled.push_str(rest);
    Ok(Secret::new(filled))
}
