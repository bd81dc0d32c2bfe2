//! Paths made of the parts that attacks are made of: what opens is beneath the root, and nothing outside
//! changes. The fuzz target `path` does the same with coverage.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use guard::path::{Access, Existing, Roots};
use proptest::prelude::*;

struct Scene {
    _dir: tempfile::TempDir,
    root: PathBuf,
    out: PathBuf,
    roots: Roots,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let base = dir.path().canonicalize().unwrap();
    for folder in ["r/a/b", "r/.git/hooks", "r/p", "o"] {
        fs::create_dir_all(base.join(folder)).unwrap();
    }
    for file in ["r/f", "r/a/g", "r/p/key", "o/f"] {
        fs::write(base.join(file), file).unwrap();
    }
    let links =
        [("l", "../o"), ("a/u", ".."), ("d", "../o/new"), ("x", "/"), ("h", ".git/hooks"), ("q", "p")];
    for (link, target) in links {
        symlink(target, base.join("r").join(link)).unwrap();
    }
    let root = base.join("r");
    let roots = Roots::open(std::slice::from_ref(&root), &[root.join("p")]).unwrap();
    Scene { _dir: dir, root, out: base.join("o"), roots }
}

/// Parts that exist, climb, lead away, or are somebody's idea of a separator.
const PARTS: &[&str] = &[
    "a",
    "b",
    "f",
    "g",
    "o",
    "r",
    "l",
    "u",
    "d",
    "x",
    "h",
    "q",
    "p",
    "key",
    "new",
    "..",
    ".",
    "",
    ".git",
    ".GIT",
    "hooks",
    "%2e%2e",
    "..\\",
    "\u{ff0e}\u{ff0e}",
    "\u{2024}.",
    "proc",
    "self",
    "root",
    "~",
    "\0",
    "\n",
    "\u{202e}",
];

fn a_path() -> impl Strategy<Value = (bool, String)> {
    let parts = prop::collection::vec(prop::sample::select(PARTS), 0..9);
    (any::<bool>(), parts).prop_map(|(is_absolute, parts)| (is_absolute, parts.join("/")))
}

#[test]
fn nothing_made_of_hostile_parts_leads_outside() {
    let scene = scene();
    let protected = scene.root.join("p");
    let mut opened = 0;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(4000));
    let outcome = runner.run(&a_path(), |(is_absolute, path)| {
        let path = if is_absolute { format!("{}/{path}", scene.root.display()) } else { path };
        if let Ok(found) = scene.roots.resolve_readable("p", &path) {
            prop_assert!(
                found.absolute().starts_with(&scene.root) && !found.absolute().starts_with(&protected)
            );
            prop_assert!(found.absolute().canonicalize().unwrap() == found.absolute());
        }
        for access in [Access::Read, Access::Write] {
            if let Ok(found) = scene.roots.check("p", Some(&scene.root.join("a")), &path, access) {
                prop_assert!(found.starts_with(&scene.root) && !found.starts_with(&protected));
                prop_assert!(access == Access::Read || !found.starts_with(scene.root.join(".git")));
            }
        }
        if let Ok(place) = scene.roots.place("p", &path) {
            prop_assert!(place.absolute().starts_with(&scene.root));
            prop_assert!(!place.absolute().starts_with(scene.root.join(".git")));
            if !place.lacks_parents()
                && place.existing().is_none()
                && place.write(b"", Existing::Keep).is_ok()
            {
                place.remove().unwrap();
            }
        }
        prop_assert_eq!(fs::read_dir(&scene.out).unwrap().count(), 1);
        Ok(())
    });
    outcome.unwrap();
    for path in ["f", "a/g", "a/u/f"] {
        opened += usize::from(scene.roots.resolve_readable("p", path).is_ok());
    }
    assert_eq!(opened, 3, "the scene is not as hostile as to refuse everything");
}
