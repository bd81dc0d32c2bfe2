//! The refusals of this guard, each worded once.

use rustix::io::Errno;

use crate::Refusal;

pub(super) fn outside(field: &str) -> Refusal {
    Refusal::new(
        "PATH_OUTSIDE_ROOT",
        field,
        "the path leads outside the folders that are open to tools",
        "name a path beneath an open root; links and `..` may not lead out of it",
    )
}

pub(super) fn no_roots(field: &str) -> Refusal {
    Refusal::new(
        "PATH_OUTSIDE_ROOT",
        field,
        "no folder is open to tools",
        "ask the operator to add a folder to `roots`",
    )
}

pub(super) fn link(field: &str) -> Refusal {
    Refusal::new(
        "LINK_REFUSED",
        field,
        "the path ends in a link that may not be followed",
        "name the file the link points to, if it is beneath a root",
    )
}

pub(super) fn hard_link(field: &str) -> Refusal {
    Refusal::new(
        "LINK_REFUSED",
        field,
        "the file has several names (hard links), one of which may be outside the roots",
        "copy it to a new file, or ask the operator to set `files.change_hard_links`",
    )
}

pub(super) fn critical(field: &str, what: &str) -> Refusal {
    Refusal::new(
        "CRITICAL_PATH",
        field,
        format!("{what} is read-only for tools"),
        "show the change to a person, who can make it",
    )
}

pub(super) fn protected(field: &str) -> Refusal {
    Refusal::new(
        "CRITICAL_PATH",
        field,
        "the path holds this service's own configuration or data",
        "use the administration commands instead",
    )
}

pub(super) fn root_itself(field: &str) -> Refusal {
    Refusal::new(
        "CRITICAL_PATH",
        field,
        "an open root, or a folder that holds one, cannot be changed itself",
        "name something beneath the root",
    )
}

pub(super) fn name(field: &str, rule: &str) -> Refusal {
    Refusal::new("NAME_INVALID", field, rule, "give a plain path")
}

pub(super) fn not_a_file(field: &str) -> Refusal {
    Refusal::new("NOT_A_FILE", field, "the path is not a regular file", "name a regular file")
}

pub(super) fn not_a_folder(field: &str) -> Refusal {
    Refusal::new("NOT_A_FILE", field, "the path, or a parent of it, is not a folder", "name a folder")
}

pub(super) fn special(field: &str) -> Refusal {
    Refusal::new(
        "NOT_A_FILE",
        field,
        "the path is a device, pipe, socket or kernel file",
        "name a regular file or a folder",
    )
}

pub(super) fn too_large(field: &str, what: &str, max: u64) -> Refusal {
    Refusal::new("TOO_LARGE", field, format!("{what} is over the limit of {max}"), "work on a smaller part")
}

pub(super) fn not_found(field: &str) -> Refusal {
    Refusal::new("NOT_FOUND", field, "there is nothing at this path", "list the folder to see what is there")
}

pub(super) fn exists(field: &str) -> Refusal {
    Refusal::new("ALREADY_EXISTS", field, "there is already something at this path", "choose another name")
}

/// What an error of the operating system means for a path that was asked for.
pub(super) fn os(field: &str, error: Errno) -> Refusal {
    match error {
        Errno::XDEV => outside(field),
        Errno::LOOP => link(field),
        Errno::NOENT => not_found(field),
        Errno::EXIST | Errno::NOTEMPTY => exists(field),
        Errno::NOTDIR | Errno::ISDIR => not_a_folder(field),
        Errno::NAMETOOLONG | Errno::ILSEQ => name(field, "a name in the path is too long or malformed"),
        Errno::NXIO | Errno::NODEV => special(field),
        other => Refusal::new(
            "OS_REFUSED",
            field,
            format!("the operating system refused: {}", describe(other)),
            "check permissions, free space and the path",
        ),
    }
}

fn describe(error: Errno) -> String {
    std::io::Error::from(error).kind().to_string()
}
