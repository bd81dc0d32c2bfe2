//! Attacks on the path guard: what must be refused, and with which code.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use guard::path::{Access, Existing, Roots, RootsError, TreeLimits};

const LIMITS: TreeLimits = TreeLimits { entries: 1000, bytes: 1 << 20 };

/// A root with a few honest files, a sibling that shares its name as a prefix, and a folder outside.
struct Scene {
    _dir: tempfile::TempDir,
    base: PathBuf,
    root: PathBuf,
    roots: Roots,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let root = base.join("root");
    for folder in ["root/sub", "root/.git/hooks", "root/.github/workflows", "root/state", "root-old", "out"] {
        fs::create_dir_all(base.join(folder)).unwrap();
    }
    for file in ["root/f", "root/sub/g", "root/.git/config", "root/state/key", "root-old/f", "out/f"] {
        fs::write(base.join(file), file).unwrap();
    }
    let roots = Roots::open(std::slice::from_ref(&root), &[root.join("state")]).unwrap();
    Scene { _dir: dir, base, root, roots }
}

impl Scene {
    fn absolute(&self, path: &str) -> String {
        path.replace("ROOT", self.root.to_str().unwrap()).replace("BASE", self.base.to_str().unwrap())
    }

    fn read(&self, path: &str) -> String {
        match self.roots.resolve_readable("file_path", &self.absolute(path)) {
            Ok(found) if found.facts().kind == guard::path::Kind::Folder => "folder".into(),
            Ok(found) => String::from_utf8(found.read(1000).unwrap()).unwrap(),
            Err(refusal) => refusal.code.into(),
        }
    }

    fn write(&self, path: &str) -> String {
        let written = self.roots.place("file_path", &self.absolute(path)).and_then(|mut place| {
            place.make_parents()?;
            place.write(b"evil", Existing::Replace)
        });
        written.map_or_else(|refusal| refusal.code.into(), |()| "written".into())
    }

    fn delete(&self, path: &str) -> String {
        let removed = self.roots.place("path", &self.absolute(path)).and_then(|place| place.remove());
        removed.map_or_else(|refusal| refusal.code.into(), |()| "removed".into())
    }

    fn check(&self, cwd: Option<&str>, path: &str, access: Access) -> String {
        let cwd = cwd.map(|it| PathBuf::from(self.absolute(it)));
        match self.roots.check("command", cwd.as_deref(), &self.absolute(path), access) {
            Ok(found) => found.to_str().unwrap().replace(self.root.to_str().unwrap(), "ROOT"),
            Err(refusal) => refusal.code.into(),
        }
    }

    fn assert_outside_is_untouched(&self) {
        assert_eq!(fs::read_to_string(self.base.join("out/f")).unwrap(), "out/f");
        assert_eq!(fs::read_dir(self.base.join("out")).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(self.base.join("root-old/f")).unwrap(), "root-old/f");
        assert_eq!(fs::read_dir(self.base.join("root-old")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&self.base).unwrap().count(), 3);
    }
}

#[test]
fn reads_beneath_the_root_and_nowhere_else() {
    let scene = scene();
    symlink("../f", scene.root.join("sub/up")).unwrap();
    symlink("../../out", scene.root.join("sub/away")).unwrap();
    symlink(scene.base.join("out/f"), scene.root.join("absolute")).unwrap();
    symlink("/proc/self/root", scene.root.join("magic")).unwrap();
    symlink("loop", scene.root.join("loop")).unwrap();
    symlink("nowhere", scene.root.join("dangling")).unwrap();
    let long = format!("ROOT/{}", "a/".repeat(2100));
    let name = format!("ROOT/{}", "n".repeat(300));
    let table: &[(&str, &str)] = &[
        ("f", "root/f"),
        ("ROOT/f", "root/f"),
        ("./sub//./g", "root/sub/g"),
        ("sub/../f", "root/f"),
        ("sub/up", "root/f"),
        (".git/config", "root/.git/config"),
        (".", "folder"),
        ("ROOT", "folder"),
        ("ROOT/", "folder"),
        ("..", "PATH_OUTSIDE_ROOT"),
        ("../out/f", "PATH_OUTSIDE_ROOT"),
        ("ROOT/../out/f", "PATH_OUTSIDE_ROOT"),
        ("ROOT/./../out/f", "PATH_OUTSIDE_ROOT"),
        ("ROOT/sub/../../out/f", "PATH_OUTSIDE_ROOT"),
        ("BASE/root-old/f", "PATH_OUTSIDE_ROOT"),
        ("BASE/out/f", "PATH_OUTSIDE_ROOT"),
        ("BASE/out/../root/f", "PATH_OUTSIDE_ROOT"),
        ("/etc/passwd", "PATH_OUTSIDE_ROOT"),
        ("//server/share/f", "PATH_OUTSIDE_ROOT"),
        ("/proc/self/environ", "PATH_OUTSIDE_ROOT"),
        ("/proc/self/root/etc/passwd", "PATH_OUTSIDE_ROOT"),
        ("/dev/tty", "PATH_OUTSIDE_ROOT"),
        ("sub/away/f", "PATH_OUTSIDE_ROOT"),
        ("absolute", "PATH_OUTSIDE_ROOT"),
        ("magic/etc/passwd", "PATH_OUTSIDE_ROOT"),
        ("loop", "LINK_REFUSED"),
        ("dangling", "LINK_REFUSED"),
        ("state/key", "CRITICAL_PATH"),
        ("sub/../state/key", "CRITICAL_PATH"),
        ("state", "CRITICAL_PATH"),
        // Another system's spellings are plain names here.
        ("%2e%2e/out/f", "NOT_FOUND"),
        ("..\\out\\f", "NOT_FOUND"),
        ("\\\\?\\C:\\f", "NOT_FOUND"),
        ("C:\\f", "NOT_FOUND"),
        ("f.", "NOT_FOUND"),
        ("f ", "NOT_FOUND"),
        ("f::$DATA", "NOT_FOUND"),
        ("F", "NOT_FOUND"),
        ("f/", "NOT_A_FILE"),
        ("f/x", "NOT_A_FILE"),
        ("", "NAME_INVALID"),
        ("~/f", "NAME_INVALID"),
        ("f\0", "NAME_INVALID"),
        ("f\n", "NAME_INVALID"),
        ("\u{1b}[2Jf", "NAME_INVALID"),
        ("f\u{85}", "NAME_INVALID"),
        (&long, "NAME_INVALID"),
        (&name, "NAME_INVALID"),
    ];
    for (path, expected) in table {
        assert_eq!(scene.read(path), *expected, "reading {path:?}");
    }
}

#[test]
fn changes_nothing_outside_and_nothing_critical() {
    let scene = scene();
    symlink("../out/new", scene.root.join("dangling")).unwrap();
    symlink("nowhere", scene.root.join("lost")).unwrap();
    symlink("../out/f", scene.root.join("direct")).unwrap();
    symlink("../out", scene.root.join("folder")).unwrap();
    symlink("f", scene.root.join("inner")).unwrap();
    symlink(".git/hooks", scene.root.join("hooks")).unwrap();
    symlink("sub", scene.root.join("inner_folder")).unwrap();
    fs::hard_link(scene.base.join("out/f"), scene.root.join("hard")).unwrap();
    let table: &[(&str, &str)] = &[
        ("new", "written"),
        ("a/b/c/new", "written"),
        ("inner_folder/new", "written"),
        ("notes.git", "written"),
        ("dangling", "LINK_REFUSED"),
        ("dangling/deeper", "PATH_OUTSIDE_ROOT"),
        ("lost/deeper", "LINK_REFUSED"),
        ("direct", "LINK_REFUSED"),
        ("inner", "LINK_REFUSED"),
        ("hard", "LINK_REFUSED"),
        ("folder/new", "PATH_OUTSIDE_ROOT"),
        ("../out/new", "PATH_OUTSIDE_ROOT"),
        ("BASE/root-old/new", "PATH_OUTSIDE_ROOT"),
        ("..", "PATH_OUTSIDE_ROOT"),
        ("ROOT", "CRITICAL_PATH"),
        (".", "CRITICAL_PATH"),
        ("sub", "NOT_A_FILE"),
        ("f/under_a_file", "NOT_A_FILE"),
        ("state/key", "CRITICAL_PATH"),
        ("state/new", "CRITICAL_PATH"),
        ("state", "CRITICAL_PATH"),
        (".git", "CRITICAL_PATH"),
        (".git/config", "CRITICAL_PATH"),
        (".git/hooks/pre-commit", "CRITICAL_PATH"),
        ("hooks/pre-commit", "CRITICAL_PATH"),
        ("sub/.git", "CRITICAL_PATH"),
        (".GIT/config", "CRITICAL_PATH"),
        (".g\u{200c}it/config", "CRITICAL_PATH"),
        ("\u{ff0e}git/config", "CRITICAL_PATH"),
        (".\u{ff27}\u{ff29}\u{ff34}/config", "CRITICAL_PATH"),
        (".git./config", "CRITICAL_PATH"),
        (".git /config", "CRITICAL_PATH"),
        (".git::$INDEX_ALLOCATION/config", "CRITICAL_PATH"),
        ("GIT~1/config", "CRITICAL_PATH"),
        (".ssh/authorized_keys", "CRITICAL_PATH"),
        (".\u{17f}\u{17f}h/authorized_keys", "CRITICAL_PATH"),
        (".bashrc", "CRITICAL_PATH"),
        ("sub/.Profile", "CRITICAL_PATH"),
        (".zshrc ", "CRITICAL_PATH"),
        (".mcp.json", "CRITICAL_PATH"),
        (".MCP.JSON", "CRITICAL_PATH"),
        (".vscode/mcp.json", "CRITICAL_PATH"),
        (".cursor/mcp.json", "CRITICAL_PATH"),
        (".claude/settings.local.json", "CRITICAL_PATH"),
        (".github/workflows/ci.yml", "CRITICAL_PATH"),
        ("sub/.GitHub/Workflows/ci.yml", "CRITICAL_PATH"),
        (".gitlab-ci.yml", "CRITICAL_PATH"),
        ("back\\slash", "NAME_INVALID"),
        ("rtl\u{202e}txt.exe", "NAME_INVALID"),
        ("nul\0", "NAME_INVALID"),
        ("line\nbreak", "NAME_INVALID"),
    ];
    for (path, expected) in table {
        assert_eq!(scene.write(path), *expected, "writing {path:?}");
    }
    scene.assert_outside_is_untouched();
    assert!(!scene.root.join("state/new").exists());
    assert!(!scene.root.join(".git/hooks/pre-commit").exists());
}

#[test]
fn removes_links_and_never_their_targets_and_never_a_root() {
    let scene = scene();
    fs::create_dir(scene.root.join("tree")).unwrap();
    symlink("../../out", scene.root.join("tree/away")).unwrap();
    symlink("../out/f", scene.root.join("direct")).unwrap();
    let table: &[(&str, &str)] = &[
        ("direct", "removed"),
        ("tree", "removed"),
        ("ROOT", "CRITICAL_PATH"),
        ("ROOT/sub/..", "PATH_OUTSIDE_ROOT"),
        ("BASE", "PATH_OUTSIDE_ROOT"),
        ("state", "CRITICAL_PATH"),
        (".git", "CRITICAL_PATH"),
        (".github", "CRITICAL_PATH"),
        (".github/workflows", "CRITICAL_PATH"),
        ("nothing", "NOT_FOUND"),
        ("nothing/deeper", "NOT_FOUND"),
    ];
    for (path, expected) in table {
        assert_eq!(scene.delete(path), *expected, "removing {path:?}");
    }
    scene.assert_outside_is_untouched();
}

#[test]
fn a_folder_that_holds_a_root_or_a_protected_path_stays() {
    let scene = scene();
    fs::create_dir_all(scene.root.join("sub/inner/vault")).unwrap();
    let inner = scene.root.join("sub/inner");
    let roots = Roots::open(&[scene.root.clone(), inner.clone()], &[]).unwrap();
    let refused = roots.place("path", "sub").unwrap().remove().unwrap_err();
    assert_eq!(refused.code, "CRITICAL_PATH");
    let roots = Roots::open(std::slice::from_ref(&scene.root), &[inner.join("vault")]).unwrap();
    let refused = roots.place("path", "sub/inner").unwrap().remove().unwrap_err();
    assert_eq!(refused.code, "CRITICAL_PATH");
    assert!(inner.join("vault").exists());
}

#[test]
fn a_folder_cannot_become_a_critical_one_by_moving() {
    let scene = scene();
    fs::create_dir_all(scene.root.join("innocent/workflows")).unwrap();
    let table: &[(&str, &str, &str)] = &[
        ("innocent", "sub/.github", "CRITICAL_PATH"),
        ("innocent", "sub/.vscode", "CRITICAL_PATH"),
        ("innocent", ".git/hooks/x", "CRITICAL_PATH"),
        ("f", ".mcp.json", "CRITICAL_PATH"),
        (".github", "elsewhere", "CRITICAL_PATH"),
        ("innocent", "innocent/self", "NAME_INVALID"),
        ("innocent", "sub", "ALREADY_EXISTS"),
        ("f", "../out/f2", "PATH_OUTSIDE_ROOT"),
        ("../out/f", "mine", "PATH_OUTSIDE_ROOT"),
        ("innocent", "renamed", "moved"),
    ];
    for (from, to, expected) in table {
        let from_place = scene.roots.place("from", from);
        let to_place = scene.roots.place("to", to);
        let moved = from_place.and_then(|from| to_place.and_then(|to| from.carry_to(&to, LIMITS)));
        assert_eq!(moved.map_or_else(|it| it.code, |()| "moved"), *expected, "moving {from} to {to}");
    }
    scene.assert_outside_is_untouched();
}

#[test]
fn devices_pipes_and_sockets_are_refused_without_waiting() {
    let scene = scene();
    let fifo = scene.root.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scene.root.join("socket")).unwrap();
    for path in ["fifo", "socket"] {
        assert_eq!(scene.read(path), "NOT_A_FILE");
        assert_eq!(scene.write(path), "NOT_A_FILE");
        assert_eq!(scene.delete(path), "NOT_A_FILE");
        assert_eq!(scene.check(None, path, Access::Write), "NOT_A_FILE");
    }
    let everything = Roots::open(&["/".into()], &[]).unwrap();
    for path in ["/dev/null", "/dev/tty", "/proc/self/environ", "/proc/version", "/sys/kernel", "/proc"] {
        let refused = everything.resolve_readable("file_path", path).unwrap_err();
        assert_eq!(refused.code, "NOT_A_FILE", "{path}");
    }
    let refused = everything.resolve_readable("file_path", "/proc/self/root/etc/hostname").unwrap_err();
    assert_eq!(refused.code, "LINK_REFUSED");
    assert_eq!(everything.place("path", "/proc/self/comm").unwrap_err().code, "NOT_A_FILE");
}

#[test]
fn checks_arguments_of_other_programs_whether_or_not_they_exist() {
    let scene = scene();
    symlink("../out", scene.root.join("away")).unwrap();
    symlink("f", scene.root.join("link")).unwrap();
    symlink("../out/new", scene.root.join("dangling")).unwrap();
    let (read, write) = (Access::Read, Access::Write);
    let table: &[(Option<&str>, &str, Access, &str)] = &[
        (None, "f", read, "ROOT/f"),
        (None, "missing/deep", read, "ROOT/missing/deep"),
        (Some("ROOT/sub"), "g", read, "ROOT/sub/g"),
        (Some("ROOT/sub"), "../f", read, "ROOT/f"),
        (Some("ROOT/sub"), "..", read, "ROOT"),
        (Some("ROOT/sub"), "..", write, "ROOT"),
        (Some("ROOT/sub"), ".", write, "ROOT/sub"),
        (Some("ROOT/sub"), "new", write, "ROOT/sub/new"),
        (Some("ROOT/sub"), "../new", write, "ROOT/new"),
        (None, "sub", write, "ROOT/sub"),
        (None, "link", read, "ROOT/f"),
        (None, ".git/config", read, "ROOT/.git/config"),
        (None, "link", write, "LINK_REFUSED"),
        (None, "dangling", write, "LINK_REFUSED"),
        (None, "dangling", read, "PATH_OUTSIDE_ROOT"),
        (None, ".git/config", write, "CRITICAL_PATH"),
        (Some("ROOT/.git"), ".", write, "CRITICAL_PATH"),
        (Some("ROOT/.git"), "config", write, "CRITICAL_PATH"),
        (Some("ROOT/.git/hooks"), "..", write, "CRITICAL_PATH"),
        (None, "state/key", read, "CRITICAL_PATH"),
        (None, "state/missing", read, "CRITICAL_PATH"),
        (None, "state/missing", write, "CRITICAL_PATH"),
        (Some("ROOT/sub"), "../..", read, "PATH_OUTSIDE_ROOT"),
        (Some("ROOT/sub"), "../../out/f", read, "PATH_OUTSIDE_ROOT"),
        (Some("ROOT/sub"), "../../out/new", write, "PATH_OUTSIDE_ROOT"),
        (Some("ROOT/away"), "f", read, "PATH_OUTSIDE_ROOT"),
        (Some("BASE/out"), "f", read, "PATH_OUTSIDE_ROOT"),
        (None, "away/missing", read, "PATH_OUTSIDE_ROOT"),
        (None, "away/missing", write, "PATH_OUTSIDE_ROOT"),
        (None, "/dev/null", write, "PATH_OUTSIDE_ROOT"),
    ];
    for (cwd, path, access, expected) in table {
        assert_eq!(scene.check(*cwd, path, *access), *expected, "{access:?} {path:?} from {cwd:?}");
    }
    scene.assert_outside_is_untouched();
}

#[test]
fn hard_links_are_changed_only_when_the_operator_says_so() {
    let scene = scene();
    fs::hard_link(scene.root.join("f"), scene.root.join("twin")).unwrap();
    let refused = scene.roots.place("p", "twin").unwrap().write(b"x", Existing::Replace).unwrap_err();
    assert_eq!(refused.code, "LINK_REFUSED");
    let roots = scene.roots.clone().change_hard_links(true);
    roots.place("p", "twin").unwrap().write(b"x", Existing::Replace).unwrap();
    assert_eq!(fs::read(scene.root.join("twin")).unwrap(), b"x");
    assert_eq!(fs::read(scene.root.join("f")).unwrap(), b"root/f", "the other name keeps its content");
}

#[test]
fn opening_roots_fails_closed() {
    let scene = scene();
    let nothing = Roots::open(&[], &[]).unwrap();
    assert_eq!(nothing.resolve_readable("p", "/etc/passwd").unwrap_err().code, "PATH_OUTSIDE_ROOT");
    assert_eq!(nothing.resolve_readable("p", "f").unwrap_err().code, "PATH_OUTSIDE_ROOT");
    let open = |path: &Path| Roots::open(&[path.to_owned()], &[]).map(|_| ());
    assert!(matches!(open(Path::new("relative")), Err(RootsError::Relative(_))));
    assert!(matches!(open(&scene.root.join("missing")), Err(RootsError::Unusable { .. })));
    assert!(matches!(open(&scene.root.join("f")), Err(RootsError::Unusable { .. })));
    let narrow = |path: &str| scene.roots.narrowed(&[PathBuf::from(scene.absolute(path))]).map(|_| ());
    assert!(narrow("ROOT/sub").is_ok());
    assert!(matches!(narrow("BASE/out"), Err(RootsError::Wider(_))));
    assert!(matches!(narrow("BASE"), Err(RootsError::Wider(_))));
    assert!(matches!(narrow("BASE/root-old"), Err(RootsError::Wider(_))));
    let sub = scene.roots.narrowed(&[scene.root.join("sub")]).unwrap();
    assert_eq!(sub.resolve_readable("p", &scene.absolute("ROOT/f")).unwrap_err().code, "PATH_OUTSIDE_ROOT");
    assert!(sub.resolve_readable("p", "g").is_ok());
}

#[test]
fn a_root_given_through_a_link_answers_to_both_spellings() {
    let scene = scene();
    let alias = scene.base.join("out/alias");
    symlink(&scene.root, &alias).unwrap();
    let roots = Roots::open(std::slice::from_ref(&alias), &[]).unwrap();
    for path in [alias.join("f"), scene.root.join("f")] {
        let found = roots.resolve_readable("p", path.to_str().unwrap()).unwrap();
        assert_eq!(found.absolute(), scene.root.join("f"));
    }
}

#[test]
fn the_innermost_of_nested_roots_decides() {
    let scene = scene();
    symlink("../f", scene.root.join("sub/up")).unwrap();
    let roots = Roots::open(&[scene.root.clone(), scene.root.join("sub")], &[]).unwrap();
    let path = scene.root.join("sub/up");
    let refused = roots.resolve_readable("p", path.to_str().unwrap()).unwrap_err();
    assert_eq!(refused.code, "PATH_OUTSIDE_ROOT");
}

#[test]
fn replacing_keeps_the_mode_drops_set_user_id_and_leaves_no_draft() {
    let scene = scene();
    let path = scene.root.join("f");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    scene.roots.place("p", "f").unwrap().write(b"new", Existing::Replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o751);
    let kept = scene.roots.place("p", "f").unwrap().write(b"newer", Existing::Keep).unwrap_err();
    assert_eq!(kept.code, "ALREADY_EXISTS");
    let names = fs::read_dir(&scene.root).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(names.filter(|it| it.to_string_lossy().contains("core-mcp")).count(), 0);
}

#[test]
fn a_write_refuses_when_somebody_else_wrote_meanwhile() {
    let scene = scene();
    let place = scene.roots.place("p", "f").unwrap();
    fs::write(scene.root.join("f"), "theirs").unwrap();
    assert_eq!(place.write(b"ours", Existing::Replace).unwrap_err().code, "CHANGED");
    assert_eq!(fs::read(scene.root.join("f")).unwrap(), b"theirs");
}

#[test]
fn reading_stops_at_the_limit() {
    let scene = scene();
    fs::write(scene.root.join("big"), vec![b'x'; 1001]).unwrap();
    let big = scene.roots.resolve_readable("p", "big").unwrap();
    assert_eq!(big.read(1000).unwrap_err().code, "TOO_LARGE");
    assert_eq!(big.read(1001).unwrap().len(), 1001);
    assert_eq!(scene.roots.resolve_readable("p", "sub").unwrap().read(9).unwrap_err().code, "NOT_A_FILE");
}

#[test]
fn carries_whole_folders_to_another_file_system_and_back() {
    let scene = scene();
    // In memory nearly everywhere; where it is not, a plain rename is tested instead.
    let other = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let elsewhere = Roots::open(&[other.path().canonicalize().unwrap()], &[]).unwrap();
    fs::create_dir_all(scene.root.join("tree/deep")).unwrap();
    fs::write(scene.root.join("tree/deep/run"), "content").unwrap();
    fs::set_permissions(scene.root.join("tree/deep/run"), fs::Permissions::from_mode(0o751)).unwrap();
    symlink("../../out/f", scene.root.join("tree/link")).unwrap();
    let there = elsewhere.place("to", "kept").unwrap();

    let too_small = TreeLimits { entries: 1000, bytes: 3 };
    if fs::metadata(&scene.root).unwrap().dev() != fs::metadata(other.path()).unwrap().dev() {
        let refused = scene.roots.place("from", "tree").unwrap().carry_to(&there, too_small).unwrap_err();
        assert_eq!(refused.code, "TOO_LARGE");
        assert!(scene.root.join("tree/deep/run").exists() && !other.path().join("kept").exists());
    }
    scene.roots.place("from", "tree").unwrap().carry_to(&there, LIMITS).unwrap();
    assert!(!scene.root.join("tree").exists());
    assert_eq!(fs::read(other.path().join("kept/deep/run")).unwrap(), b"content");
    let back = scene.roots.place("to", "back").unwrap();
    elsewhere.place("from", "kept").unwrap().carry_to(&back, LIMITS).unwrap();
    assert!(!other.path().join("kept").exists());
    let mode = fs::metadata(scene.root.join("back/deep/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o751);
    assert_eq!(fs::read_link(scene.root.join("back/link")).unwrap(), Path::new("../../out/f"));
    scene.assert_outside_is_untouched();
}

#[test]
fn whole_folders_have_limits() {
    let scene = scene();
    fs::create_dir_all(scene.root.join(["d"; 140].join("/"))).unwrap();
    fs::write(scene.root.join("sub/h"), "123").unwrap();
    let measure = |path: &str, entries, bytes| {
        let place = scene.roots.place("path", path).unwrap();
        place.measure(TreeLimits { entries, bytes }).map(|it| (it.entries, it.bytes)).map_err(|it| it.code)
    };
    assert_eq!(measure("sub", 3, 100), Ok((3, 13)));
    assert_eq!(measure("sub", 2, 100), Err("TOO_LARGE"));
    assert_eq!(measure("sub", 3, 12), Err("TOO_LARGE"));
    assert_eq!(measure("d", 1000, 100), Err("TOO_LARGE"), "too deep");
    assert_eq!(measure("missing", 1, 1), Err("NOT_FOUND"));
}
