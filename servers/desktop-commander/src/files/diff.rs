//! What a change would do, as a unified diff.

use std::time::Duration;

use similar::TextDiff;

/// Most diff that is shown, in bytes.
const DIFF_BYTES_MAX: usize = 64 * 1024;

/// A unified diff of two texts; cut when it is long.
pub(super) fn unified(path: &str, old: &str, new: &str) -> String {
    let mut config = TextDiff::configure();
    config.timeout(Duration::from_millis(500));
    let diff = config.diff_lines(old, new);
    let mut text = diff.unified_diff().header(path, path).to_string();
    if text.len() > DIFF_BYTES_MAX {
        text.truncate(text.floor_char_boundary(DIFF_BYTES_MAX));
        text.push_str("\n… the rest is left out\n");
    }
    text
}
