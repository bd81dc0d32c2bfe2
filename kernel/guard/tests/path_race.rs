//! Somebody swaps folders for links while paths are resolved: never outside, not even once.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use guard::path::{Access, Existing, Roots};
use rustix::fs::{CWD, RenameFlags, renameat_with};

const ROUNDS: usize = 10_000;

#[test]
fn swapping_a_folder_for_a_link_never_leads_outside() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let root = base.join("root");
    fs::create_dir_all(root.join("a")).unwrap();
    fs::create_dir(base.join("out")).unwrap();
    fs::write(root.join("a/f"), "inside").unwrap();
    fs::write(base.join("out/f"), "outside").unwrap();
    symlink("../out", root.join("b")).unwrap();
    let roots = Roots::open(std::slice::from_ref(&root), &[]).unwrap();

    let done = AtomicBool::new(false);
    let (mut inside, mut refused) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (root.join("a"), root.join("b"));
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for round in 0..ROUNDS {
            let path = if round % 2 == 0 { "a/f" } else { "b/../a/f" };
            match roots.resolve_readable("p", path) {
                Ok(found) => {
                    assert_eq!(found.read(100).unwrap(), b"inside");
                    inside += 1;
                }
                Err(refusal) => {
                    assert!(
                        matches!(refusal.code, "PATH_OUTSIDE_ROOT" | "NOT_FOUND" | "OS_REFUSED"),
                        "{refusal:?}"
                    );
                    refused += 1;
                }
            }
            if let Ok(found) = roots.check("p", None, "a/f", Access::Read) {
                assert!(found.starts_with(&root), "{found:?}");
            }
            if round % 16 == 0
                && let Ok(place) = roots.place("p", "a/new")
            {
                // Losing the race is fine; what counts is where the bytes went.
                drop(place.write(b"new", Existing::Replace));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(inside > 0 && refused > 0, "the race was never on: {inside} inside, {refused} refused");
    let names: Vec<_> = fs::read_dir(base.join("out")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["f"], "something was written outside");
    assert_eq!(fs::read(base.join("out/f")).unwrap(), b"outside");
}
