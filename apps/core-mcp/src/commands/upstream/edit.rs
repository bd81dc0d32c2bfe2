//! Changing `[upstreams]` in a file without touching the rest of it.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use kernel::{ErrorKind, ToolError};
use serde_json::Value;
use toml_edit::{DocumentMut, InlineTable, Item, Table};

use crate::failure::Failure;

const SECTION: &str = "upstreams";

fn read(file: &Path) -> Result<DocumentMut, Failure> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::local(format!("{} cannot be read", file.display()), error)),
    };
    text.parse().map_err(|error| Failure::local(format!("{} is not TOML", file.display()), error))
}

/// The file with one more section. Refuses a name that is taken.
pub(super) fn with(file: &Path, sections: &[(String, Value)]) -> Result<String, Failure> {
    let mut document = read(file)?;
    let upstreams = document.entry(SECTION).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let not_a_table = || Failure::usage("`upstreams` in the configuration is not a table");
    let upstreams = upstreams.as_table_mut().ok_or_else(not_a_table)?;
    for (name, section) in sections {
        if upstreams.contains_key(name) {
            return Err(Failure::usage(format!("there is an upstream `{name}` already"))
                .hint("choose another name, or remove it first"));
        }
        upstreams.insert(name, Item::Table(table(section)));
    }
    Ok(document.to_string())
}

/// The file without a section. It must stand in this file and no other layer.
pub(super) fn without(file: &Path, name: &str) -> Result<String, Failure> {
    let mut document = read(file)?;
    let gone = document.get_mut(SECTION).and_then(Item::as_table_mut).and_then(|it| it.remove(name));
    if gone.is_none() {
        let words = format!("`{name}` does not stand in {}", file.display());
        return Err(Failure::new(ErrorKind::NotFound, words)
            .hint(format!("`core-mcp config explain upstreams.{name}` says where it comes from")));
    }
    Ok(document.to_string())
}

fn table(section: &Value) -> Table {
    let mut table = Table::new();
    for (key, value) in section.as_object().into_iter().flatten() {
        if let Some(value) = toml(value) {
            table.insert(key, Item::Value(value));
        }
    }
    table
}

fn toml(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(it) => (*it).into(),
        Value::Number(it) => it.as_i64().map_or_else(|| it.as_f64().unwrap_or_default().into(), Into::into),
        Value::String(it) => it.as_str().into(),
        Value::Array(items) => items.iter().filter_map(toml).collect::<toml_edit::Array>().into(),
        Value::Object(map) => {
            let mut table = InlineTable::new();
            for (key, item) in map {
                if let Some(item) = toml(item) {
                    table.insert(key, item);
                }
            }
            table.into()
        }
    })
}

/// Written beside and renamed; nobody else may read it, because it may hold secrets.
pub(super) fn write(file: &Path, text: &str) -> Result<(), ToolError> {
    let failed = |error: io::Error| {
        ToolError::new(
            ErrorKind::ToolExecutionFailed,
            format!("{} cannot be written: {error}", file.display()),
        )
    };
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::File::options();
    let mut to = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
    // A file that others may read keeps being readable: the operator decided that.
    if let Ok(found) = fs::metadata(file) {
        let mode = found.permissions().mode() & 0o777;
        to.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    to.write_all(text.as_bytes()).and_then(|()| to.sync_all()).map_err(failed)?;
    fs::rename(&fresh, file).map_err(failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rest_of_the_file_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("core.toml");
        let before =
            "# mine\n[server]\nlisten = \"127.0.0.1:1\" # here\n\n[upstreams.old]\nurl = \"https://x\"\n";
        fs::write(&file, before).unwrap();
        let section = json!({"command": "npx", "args": ["-y", "a b"], "env": {"A.B": "x\"y"}, "cwd": null});
        let text = with(&file, &[("new".into(), section)]).unwrap();
        assert!(text.starts_with(before), "{text}");
        assert!(text.contains("[upstreams.new]\ncommand = \"npx\"\nargs = [\"-y\", \"a b\"]\n"), "{text}");
        write(&file, &text).unwrap();
        assert!(with(&file, &[("old".into(), json!({}))]).is_err(), "taken");
        assert_eq!(without(&file, "new").unwrap(), before);
        assert!(without(&file, "other").is_err());
        fs::write(&file, "not toml [").unwrap();
        assert!(with(&file, &[]).is_err() && without(&file, "old").is_err());
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("core.toml");
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        write(&file, "a = 1").unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        write(&file, "a = 2").unwrap();
        assert_eq!((mode(), fs::read_to_string(&file).unwrap().as_str()), (0o640, "a = 2"));
    }
}
