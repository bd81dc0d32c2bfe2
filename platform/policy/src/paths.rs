//! Where paths lie, as sets a policy can look into: Cedar has no patterns over sets.

use std::collections::BTreeSet;

/// Deepest path a question may name; `ask` refuses deeper ones before they get here.
pub(crate) const DEPTH_MAX: usize = 64;

/// Where a group of paths lies.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Folders (and paths) that at least one lies in. For forbids.
    pub(crate) any: BTreeSet<String>,
    /// Folders (and paths) that all lie in. For permits. Empty as soon as one place is uncertain.
    pub(crate) all: BTreeSet<String>,
}

impl Places {
    pub(crate) fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut places = Self::default();
        for (index, path) in paths.enumerate() {
            let (folders, certain) = folders(path);
            match (certain, index) {
                (false, _) => places.all.clear(),
                (true, 0) => places.all = folders.clone(),
                (true, _) => places.all.retain(|folder| folders.contains(folder)),
            }
            places.any.extend(folders);
        }
        places
    }
}

/// The path and every folder above it, `/` included, and whether that is certain: an absolute path
/// without `.` or `..`. For an uncertain path both readings are told, so that a forbid still bites.
fn folders(path: &str) -> (BTreeSet<String>, bool) {
    let mut found = BTreeSet::new();
    let absolute = path.starts_with('/');
    let parts = || path.split('/').filter(|part| !part.is_empty());
    add_prefixes(absolute, parts(), &mut found);
    let odd = parts().any(|part| matches!(part, "." | ".."));
    if odd {
        let mut resolved = Vec::new();
        for part in parts() {
            match part {
                "." => {}
                ".." => drop(resolved.pop()),
                name => resolved.push(name),
            }
        }
        add_prefixes(absolute, resolved.into_iter(), &mut found);
    }
    (found, absolute && !odd)
}

fn add_prefixes<'a>(absolute: bool, parts: impl Iterator<Item = &'a str>, found: &mut BTreeSet<String>) {
    let mut prefix = String::new();
    if absolute {
        found.insert("/".to_owned());
    }
    for part in parts {
        if absolute || !prefix.is_empty() {
            prefix.push('/');
        }
        prefix.push_str(part);
        found.insert(prefix.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(paths: &[&str]) -> Vec<String> {
        Places::of(paths.iter().copied()).any.into_iter().collect()
    }

    fn all(paths: &[&str]) -> Vec<String> {
        Places::of(paths.iter().copied()).all.into_iter().collect()
    }

    #[test]
    fn a_folder_contains_what_lies_in_it() {
        assert_eq!(any(&["/srv/app"]), ["/", "/srv", "/srv/app"]);
        assert_eq!(all(&["/srv/app/a", "/srv/app/b/c"]), ["/", "/srv", "/srv/app"]);
        assert_eq!(all(&["/srv//app/"]), ["/", "/srv", "/srv/app"]);
        assert_eq!(all(&["/srv/app", "/srv/apple"]), ["/", "/srv"]);
        assert_eq!(all(&["/"]), ["/"]);
        assert!(all(&[]).is_empty());
    }

    #[test]
    fn what_is_uncertain_permits_nothing_and_still_trips_a_forbid() {
        assert!(all(&["/srv/../etc/passwd"]).is_empty());
        assert!(any(&["/srv/../etc/passwd"]).contains(&"/etc".to_owned()));
        assert!(any(&["/srv/./../etc"]).contains(&"/etc".to_owned()));
        assert!(all(&["srv/app"]).is_empty());
        assert!(all(&["/srv/app", "../x"]).is_empty());
        assert!(all(&["../x", "/srv/app"]).is_empty(), "the order does not matter");
        assert_eq!(any(&["/../../etc"]).iter().filter(|it| *it == "/etc").count(), 1);
    }
}
