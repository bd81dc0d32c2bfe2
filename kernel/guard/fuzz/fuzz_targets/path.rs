//! Whatever is asked for: what opens is beneath the root, and nothing outside changes.
#![no_main]

use std::{fs, os::unix::fs::symlink, path::PathBuf, sync::LazyLock};

use guard::path::{Access, Existing, Roots};
use libfuzzer_sys::fuzz_target;

struct Scene {
    _dir: tempfile::TempDir,
    root: PathBuf,
    out: PathBuf,
    roots: Roots,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let base = dir.path().canonicalize().expect("it exists");
    let (root, out) = (base.join("r"), base.join("o"));
    for folder in ["r/a/b", "r/.git", "r/p", "o"] {
        fs::create_dir_all(base.join(folder)).expect("a folder");
    }
    for file in ["r/f", "r/a/g", "r/p/key", "o/f"] {
        fs::write(base.join(file), file).expect("a file");
    }
    for (link, target) in
        [("r/l", "../o"), ("r/a/u", ".."), ("r/d", "../o/new"), ("r/x", "/"), ("r/g", ".git")]
    {
        symlink(target, base.join(link)).expect("a link");
    }
    let roots = Roots::open(std::slice::from_ref(&root), &[root.join("p")]).expect("roots");
    Scene { _dir: dir, root, out, roots }
});

fuzz_target!(|input: (bool, &str)| {
    let (is_absolute, path) = input;
    let scene = &*SCENE;
    let path = if is_absolute { format!("{}/{path}", scene.root.display()) } else { path.to_owned() };
    if let Ok(found) = scene.roots.resolve_readable("p", &path) {
        assert!(found.absolute().starts_with(&scene.root), "{path:?} opened {found:?}");
        assert!(!found.absolute().starts_with(scene.root.join("p")), "{path:?} opened what is protected");
    }
    for access in [Access::Read, Access::Write] {
        if let Ok(found) = scene.roots.check("p", Some(&scene.root.join("a")), &path, access) {
            assert!(found.starts_with(&scene.root), "{path:?} leads to {found:?}");
        }
    }
    if let Ok(place) = scene.roots.place("p", &path) {
        assert!(place.absolute().starts_with(&scene.root), "{path:?} is a place at {place:?}");
        assert!(!place.absolute().starts_with(scene.root.join(".git")), "{path:?} changes git");
        // Only where the folder exists, so that the scene stays as small as it is.
        if !place.lacks_parents() && place.existing().is_none() && place.write(b"", Existing::Keep).is_ok() {
            place.remove().expect("what was just made");
        }
    }
    let outside: Vec<_> = fs::read_dir(&scene.out).expect("it exists").collect();
    assert_eq!(outside.len(), 1, "{path:?} made something outside");
});
