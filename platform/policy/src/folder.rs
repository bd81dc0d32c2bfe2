//! Reads a policy folder, within bounds.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use kernel::digest_hex;

use crate::{Finding, PolicyErrors};

/// Files one folder may hold.
const FILES_MAX: usize = 256;
/// Entries looked at before giving up, whatever their names.
const ENTRIES_MAX: usize = 4096;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Bytes of all files together.
const FOLDER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One file, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Name within the folder.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Reads every `*<suffix>` file of `dir` in the order of names. Hidden files are left alone.
///
/// A link is followed only when it ends at a regular file inside the folder, which is how mounted
/// configuration looks; a link that leads out is an error, not a hole.
pub(crate) fn read(dir: &Path, suffix: &str) -> Result<Vec<SourceFile>, PolicyErrors> {
    let label = dir.display().to_string();
    let whole = |message: String| PolicyErrors::one(Finding::file(&label, message));
    let home =
        dir.canonicalize().map_err(|error| whole(format!("the policy folder cannot be read: {error}")))?;
    let names = names(&home, suffix).map_err(whole)?;
    let (mut sources, mut findings, mut total) = (Vec::with_capacity(names.len()), Vec::new(), 0);
    for name in names {
        match read_one(&home, &name) {
            Ok(text) => {
                total += text.len();
                sources.push(SourceFile { name, text });
            }
            Err(message) => findings.push(Finding::file(&name, message)),
        }
        if total > FOLDER_BYTES_MAX {
            return Err(whole(format!("the policies are larger than {FOLDER_BYTES_MAX} bytes together")));
        }
    }
    if findings.is_empty() { Ok(sources) } else { Err(PolicyErrors::new(findings)) }
}

/// One digest over names and contents: it changes when anything does.
pub(crate) fn digest(sources: &[SourceFile]) -> String {
    let mut bytes = Vec::new();
    for source in sources {
        for part in [&source.name, &source.text] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    digest_hex(&bytes)
}

fn names(home: &Path, suffix: &str) -> Result<Vec<String>, String> {
    let unreadable = |error| format!("the policy folder cannot be listed: {error}");
    let mut names = Vec::new();
    for (index, entry) in fs::read_dir(home).map_err(unreadable)?.enumerate() {
        if index >= ENTRIES_MAX {
            return Err(format!("the policy folder holds more than {ENTRIES_MAX} entries"));
        }
        let raw = entry.map_err(unreadable)?.file_name();
        let Some(name) = raw.to_str() else { continue };
        if !name.starts_with('.') && name.ends_with(suffix) {
            names.push(name.to_owned());
        }
    }
    if names.len() > FILES_MAX {
        return Err(format!("the policy folder holds more than {FILES_MAX} policy files"));
    }
    names.sort_unstable();
    Ok(names)
}

fn read_one(home: &Path, name: &str) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
    let real = home.join(name).canonicalize().map_err(unreadable)?;
    if !real.starts_with(home) {
        return Err("the link leads out of the policy folder".to_owned());
    }
    // Asked before opening, because opening a pipe would wait for its writer.
    if !fs::metadata(&real).map_err(unreadable)?.is_file() {
        return Err("this is not a regular file".to_owned());
    }
    let mut text = String::new();
    let file = File::open(&real).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("the file is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}
