//! What changed between two configurations, and which of it can be taken up while running.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use crate::config::Node;

/// Keys, or beginnings of keys, that a running server takes up.
const LIVE: [&str; 5] =
    ["tuning.", "server.allowed_hosts", "server.allowed_origins", "server.tls.clients", "auth."];

/// The keys whose values differ, sorted.
pub(super) fn changed_keys(before: &Node, after: &Node) -> Vec<String> {
    let values = |node: &Node| -> BTreeMap<String, Value> {
        node.leaves().into_iter().map(|(key, value, _)| (key, value.clone())).collect()
    };
    let (before, after) = (values(before), values(after));
    let mut keys: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| before.get(key) != after.get(key));
    keys
}

/// Whether a changed key only counts after a restart.
pub(super) fn needs_restart(key: &str) -> bool {
    !LIVE.iter().any(|live| key.starts_with(live))
}

/// How the files look from outside: enough to notice an edit without reading them every second.
pub(super) fn fingerprint<'a>(
    files: impl Iterator<Item = &'a Path>,
) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
    let look = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.map(|path| (path.to_owned(), look(path))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Origin;

    #[test]
    fn only_what_differs_is_named_and_only_tuning_hosts_and_origins_are_live() {
        let tree = |value: Value| Node::from_value(value, &Origin::BuiltIn);
        let before = tree(
            json!({"tuning": {"queue": 1}, "server": {"listen": "a", "allowed_hosts": []}, "log": {"level": "info"}}),
        );
        let after = tree(
            json!({"tuning": {"queue": 2}, "server": {"listen": "b", "allowed_hosts": ["x"]}, "log": {"level": "info"}}),
        );
        let changed = changed_keys(&before, &after);
        assert_eq!(changed, ["server.allowed_hosts", "server.listen", "tuning.queue"]);
        let waiting: Vec<&String> = changed.iter().filter(|it| needs_restart(it)).collect();
        assert_eq!(waiting, ["server.listen"]);
    }

    #[test]
    fn an_edit_a_new_file_and_a_lost_file_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.toml");
        let look = || fingerprint([path.as_path()].into_iter());
        let absent = look();
        fs::write(&path, "a").unwrap();
        let first = look();
        fs::write(&path, "ab").unwrap();
        let second = look();
        assert!(absent != first && first != second);
        fs::remove_file(&path).unwrap();
        assert_eq!(look(), absent);
    }
}
