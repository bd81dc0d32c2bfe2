//! A repository's own settings start nothing: where one names a program, git is not started there.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{fs, path::PathBuf};

use guard::{
    Refusal,
    command::{Catalog, Judge, Plan, parse},
    path::Roots,
};

struct Place {
    _temp: tempfile::TempDir,
    root: PathBuf,
    judge: Judge,
}

/// A root with a repository `work` and a bare one `far` that it has as its remote.
fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(temp.path()).unwrap();
    for folder in ["work/sub", "work/.git/objects", "far/objects", "linked"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let place = Place {
        judge: Judge::new(Catalog::new([]), Roots::open(std::slice::from_ref(&root), &[]).unwrap()),
        _temp: temp,
        root,
    };
    place.write("work/.git/HEAD", "ref: refs/heads/main");
    place.write("far/HEAD", "ref: refs/heads/main");
    place.write("work/.git/config", "[remote \"origin\"]\n\turl = ../far\n");
    place.write("far/config", "[core]\n\tbare = true\n");
    place
}

impl Place {
    fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn judge(&self, line: &str) -> Result<Plan, Refusal> {
        self.judge.judge(&parse(line)?, ".")
    }

    fn is_refused(&self, line: &str) -> bool {
        match self.judge(line) {
            Ok(_) => false,
            Err(refusal) => {
                assert_eq!(refusal.code, "ARG_REFUSED", "{line}: {refusal:?}");
                true
            }
        }
    }
}

#[test]
fn settings_that_name_programs_are_refused_wherever_git_would_read_them() {
    for setting in [
        "[diff]\nexternal = ./evil",
        "[diff \"x\"]\ntextconv = ./evil",
        "[diff \"x\"]\ncommand = ./evil",
        "[filter \"x\"]\nclean = ./evil",
        "[filter \"x\"]\nsmudge = ./evil",
        "[filter \"x\"]\nprocess = ./evil",
        "[Filter.x] CLEAN=./evil",
        "[filter \"x\"]\n\tfoo = a \\\n[core]\n\tclean = ./evil",
        "[merge \"x\"]\ndriver = ./evil",
        "[trailer \"x\"]\ncmd = ./evil",
        "[tar \"x\"]\ncommand = ./evil",
        "[remote \"origin\"]\nuploadpack = ./evil",
        "[remote \"origin\"]\nvcs = evil",
        "[credential \"https://h\"]\nhelper = !./evil",
        "[gpg \"ssh\"]\nprogram = ./evil",
        "[gc]\nrecentObjectsHook = ./evil",
        "[core]\nalternateRefsCommand = ./evil",
        "[interactive]\ndiffFilter = ./evil",
        "[submodule \"x\"]\nupdate = !./evil",
        "[hook \"x\"]\ncommand = ./evil",
        "[include]\npath = ../more",
        "[includeIf \"gitdir:/\"]\npath = ../more",
        "[filter \"x\"]\nclean = \"unclosed",
    ] {
        for (file, line) in [
            ("work/.git/config", "git -C work status"),
            ("work/.git/config", "git -C work/sub add ."),
            ("work/.git/config", "git --git-dir=work/.git --work-tree=work diff"),
            ("work/.git/config.worktree", "git -C work log -p"),
            ("work/.git/modules/a/config", "git -C work status"),
            ("work/.git/modules/a/b/config", "git -C work submodule update"),
            ("far/config", "git -C work push"),
            ("far/config", "git clone far copy"),
            ("far/config", "git -C far log"),
        ] {
            let place = place();
            assert!(!place.is_refused(line), "{line} on a plain repository");
            place.write(file, setting);
            assert!(place.is_refused(line), "{line} with {setting:?} in {file}");
        }
    }
}

#[test]
fn a_linked_worktree_is_judged_by_the_repository_it_belongs_to() {
    let place = place();
    place.write("linked/.git", "gitdir: ../work/.git/worktrees/linked\n");
    place.write("work/.git/worktrees/linked/commondir", "../..\n");
    place.write("work/.git/config", "[filter \"x\"]\nclean = ./evil\n");
    assert!(place.is_refused("git -C linked status"));
}

#[test]
fn what_git_is_told_anyway_is_refused_only_where_it_cannot_be_told() {
    for setting in ["[core]\nfsmonitor = ./evil", "[core]\nhooksPath = x", "[core]\nsshCommand = ./evil"] {
        let place = place();
        place.write("work/.git/config", setting);
        assert!(!place.is_refused("git -C work status"), "{setting}");
        place.write("work/.git/modules/a/config", setting);
        assert!(place.is_refused("git -C work status"), "{setting} in a submodule");
    }
}

#[test]
fn plain_settings_and_a_look_at_them_pass() {
    let place = place();
    let plain = "[core]\n\tfsmonitor = true\n[user]\n\tname = A B # \\\n[submodule \"x\"]\n\tupdate = rebase\n\
                 [diff]\n\texternal =\n[remote \"origin\"]\n\turl = ../far\n[merge]\n\tff = only\n";
    place.write("work/.git/config", plain);
    place.write("work/.git/modules/a/config", "[core]\n\tworktree = ../../../a\n\tfsmonitor = false\n");
    for line in ["git -C work status", "git -C work push", "git -C work fetch origin", "git clone far copy"] {
        assert!(!place.is_refused(line), "{line}");
    }
    place.write("work/.git/config", "[filter \"x\"]\nclean = ./evil\n");
    assert!(!place.is_refused("git -C work config --list"));
}
