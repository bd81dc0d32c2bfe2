//! Where a git remote leads.

use std::path::{Path, PathBuf};

use super::git_config_file::{Entry, entries};
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
    let settings = settings(call);
    let addresses: Vec<&Entry> = settings
        .iter()
        .filter(|entry| is_address(entry) && entry.subsection.as_deref() == Some(name))
        .collect();
    let is_rewritten = settings.iter().any(|entry| entry.section == "url");
    if !addresses.is_empty() && !is_rewritten && addresses.iter().all(|entry| is_folder(&entry.value)) {
        Remote::Here
    } else {
        Remote::Far
    }
}

/// The folders that this repository's remotes and `address` may stand for, on this machine.
pub(super) fn local_folders(call: &Call<'_>, address: Option<&str>) -> Vec<PathBuf> {
    let settings = settings(call);
    let configured = settings.iter().filter(|entry| is_address(entry)).map(|entry| entry.value.as_str());
    let found = configured.chain(address).map(|text| text.strip_prefix("file://").unwrap_or(text));
    // git takes a relative address from the folder it starts in or from the top of the work tree.
    let from: Vec<&Path> = call.cwd.ancestors().take_while(|folder| is_beneath_root(call, folder)).collect();
    found.flat_map(|text| from.iter().map(|folder| folder.join(text)).collect::<Vec<_>>()).collect()
}

fn is_address(entry: &Entry) -> bool {
    entry.section == "remote" && matches!(entry.key.as_str(), "url" | "pushurl")
}

fn is_folder(address: &str) -> bool {
    ["/", "file://", "./", "../"].iter().any(|start| address.starts_with(start))
}

fn settings(call: &Call<'_>) -> Vec<Entry> {
    let text = find_config(call).and_then(|config| std::fs::read_to_string(config).ok());
    text.and_then(|text| entries(&text)).unwrap_or_default()
}

/// The config of the repository around the working directory, not above its root.
fn find_config(call: &Call<'_>) -> Option<PathBuf> {
    call.cwd
        .ancestors()
        .take_while(|folder| is_beneath_root(call, folder))
        .map(|folder| folder.join(".git/config"))
        .find(|it| it.is_file())
}

fn is_beneath_root(call: &Call<'_>, folder: &Path) -> bool {
    call.roots.iter().any(|root| folder.starts_with(root.path()))
}
