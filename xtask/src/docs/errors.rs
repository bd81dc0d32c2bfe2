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

#[cfg(test)]
mod tests {
    #[test]
    fn every_error_code_is_explained() {
        let kinds = include_str!("../../../kernel/kernel/src/error.rs");
        let explained = include_str!("../../../catalog/examples/print_manifest.rs");
        let (_, codes) = kinds.split_once("fn code(self)").expect("the codes");
        let (codes, _) = codes.split_once("\n    }\n").expect("the end of the codes");
        let variants = codes.lines().filter_map(|it| it.trim().strip_prefix("Self::")?.split(' ').next());
        let mut count = 0;
        for variant in variants {
            assert!(explained.contains(&format!("ErrorKind::{variant},")), "{variant} is not explained");
            count += 1;
        }
        assert!(count >= 15, "only {count} codes were found");
    }
}
