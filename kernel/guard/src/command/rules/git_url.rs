//! Where a git remote leads.

use std::path::{Path, PathBuf};

use crate::{Refusal, command::call::Call};

/// What a repository argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    /// Another machine.
    Far,
    /// A folder beneath a root.
    Here,
}

/// Transports that a caller may choose. `ext::` and its kin start programs; `file` is checked as a path.
const SCHEMES: &[&str] = &["https", "http", "ssh", "git+ssh", "git"];

/// Judges an address or path as git would read it. A bare name is a configured remote.
pub(super) fn judge(call: &mut Call<'_>, text: &str) -> Result<Remote, Refusal> {
    const FIX: &str = "use https://host/path, ssh://host/path, user@host:path or a folder beneath a root";
    if text.starts_with('-') {
        return Err(call.refuse(text, "an address cannot begin with `-`", FIX));
    }
    if text.contains("::")
        && text
            .split("::")
            .next()
            .is_some_and(|it| it.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b)))
    {
        return Err(call.refuse(text, "remote helpers can start programs", FIX));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" {
            call.read(rest)?;
            return Ok(Remote::Here);
        }
        if !SCHEMES.contains(&scheme.as_str()) {
            return Err(call.refuse(text, "this transport is not allowed", FIX));
        }
        check_host(call, text, rest.split(['/', '?', '#']).next().unwrap_or_default(), FIX)?;
        return Ok(Remote::Far);
    }
    match text.split_once(':') {
        Some((host, _)) if !host.contains('/') => {
            check_host(call, text, host, FIX)?;
            Ok(Remote::Far)
        }
        _ => {
            let is_name = !text.contains('/') && text != "." && text != ".." && !call.cwd.join(text).exists();
            if is_name {
                return Ok(configured(call, text));
            }
            call.read(text)?;
            Ok(Remote::Here)
        }
    }
}

/// `user@host:port`, where neither part may look like an option of ssh.
fn check_host(call: &Call<'_>, text: &str, authority: &str, fix: &str) -> Result<(), Refusal> {
    let host = authority.rsplit('@').next().unwrap_or_default();
    if authority.is_empty()
        || authority.starts_with('-')
        || host.starts_with('-')
        || authority.contains("%2d")
        || authority.contains("%2D")
    {
        return Err(call.refuse(text, "a host cannot begin with `-`", fix));
    }
    Ok(())
}

/// Whether every address of a configured remote is a folder. Unknown remotes count as far.
pub(super) fn configured(call: &Call<'_>, name: &str) -> Remote {
    let Some(config) = find_config(call) else { return Remote::Far };
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let wanted = format!("[remote \"{name}\"]");
    let mut inside = false;
    let mut addresses = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == wanted;
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && matches!(key.trim(), "url" | "pushurl")
        {
            addresses.push(value.trim().to_owned());
        }
    }
    let is_folder = |address: &String| {
        address.starts_with('/')
            || address.starts_with("file://")
            || address.starts_with("./")
            || address.starts_with("../")
    };
    let rewritten = text.contains("insteadOf") || text.contains("insteadof");
    if !addresses.is_empty() && !rewritten && addresses.iter().all(is_folder) {
        Remote::Here
    } else {
        Remote::Far
    }
}

/// The config of the repository around the working directory, not above its root.
fn find_config(call: &Call<'_>) -> Option<PathBuf> {
    let root = call.roots.iter().map(guard_root).find(|root| call.cwd.starts_with(root))?;
    call.cwd
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .map(|folder| folder.join(".git/config"))
        .find(|it| it.is_file())
}

fn guard_root(root: &crate::path::Root) -> &Path {
    root.path()
}
