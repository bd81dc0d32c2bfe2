//! The refusals of the command guard, so that each code is spelled once.

use crate::Refusal;

/// The argument that commands come in.
pub(super) const FIELD: &str = "command";

pub(super) fn syntax(rule: impl Into<String>) -> Refusal {
    Refusal::new(
        "SHELL_SYNTAX",
        FIELD,
        rule,
        "no shell runs here: use programs, arguments, quotes, `|`, `&&`, `||`, `;`, `<`, `>`; put literal text in single quotes",
    )
}

pub(super) fn too_large(rule: impl Into<String>) -> Refusal {
    Refusal::new("TOO_LARGE", FIELD, rule, "split the work into several commands")
}

pub(super) fn argument(rule: impl Into<String>, fix: impl Into<String>) -> Refusal {
    Refusal::new("ARG_REFUSED", FIELD, rule, fix)
}

pub(super) fn program(name: &str, fix: impl Into<String>) -> Refusal {
    Refusal::new("PROGRAM_NOT_ALLOWED", FIELD, format!("the program `{}` is not allowed", shown(name)), fix)
}

/// Allowed, but there is no such file where programs are looked for.
pub(super) fn not_found(name: &str, search_path: &str) -> Refusal {
    Refusal::new(
        "PROGRAM_NOT_FOUND",
        FIELD,
        format!(
            "the program `{}` is allowed but not installed in {}",
            shown(name),
            search_path.replace(':', ", ")
        ),
        "install it there; or the operator names its folder in `servers.desktop-commander.exec.search_path` and, when it \
         needs more than that folder, in `exec.read_dirs`",
    )
}

pub(super) fn environment(name: &str) -> Refusal {
    Refusal::new(
        "ENV_REFUSED",
        FIELD,
        format!("the variable `{}` cannot be set for a command", shown(name)),
        "leave it out; locale, time zone, colour and build-mode variables can be set",
    )
}

/// Text as sent, cut and without control characters, fit for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
