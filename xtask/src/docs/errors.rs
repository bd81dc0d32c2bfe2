//! The page that lists every error code.

use serde::Deserialize;

/// One class of errors.
#[derive(Deserialize)]
pub(super) struct Kind {
    code: String,
    exit_code: u8,
    meaning: String,
    next: String,
}

pub(super) fn page(kinds: &[Kind]) -> String {
    let mut page = String::from(
        "<!-- Written by `cargo xtask docs` from the code. Do not edit. -->\n# Errors\n\n\
         A failed call says a code, one sentence, and usually a hint with the next step. The code is stable; the sentence is \
         not. On the wire the code stands in `_meta[\"core-mcp/error\"].code` of a result with `isError`; on the command line \
         in `error.code`, and the exit code tells the class.\n\n\
         | code | exit | what it means | what to do |\n|---|---|---|---|\n",
    );
    for kind in kinds {
        let Kind { code, exit_code, meaning, next } = kind;
        page.push_str(&format!("| `{code}` | {exit_code} | {meaning} | {next} |\n"));
    }
    page
}
