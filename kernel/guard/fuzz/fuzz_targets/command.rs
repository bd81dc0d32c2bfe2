//! Any text is parsed or refused; what is parsed can be quoted and parsed again to the same words; what is
//! allowed is seen to read and write beneath the root only, and to change nothing critical.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use guard::{
    command::{Catalog, Command, CommandLine, Judge, check_sql, parse, quote},
    path::Roots,
};
use libfuzzer_sys::fuzz_target;

struct Scene {
    _dir: tempfile::TempDir,
    root: PathBuf,
    judge: Judge,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let root = dir.path().canonicalize().expect("it exists");
    fs::create_dir_all(root.join(".git/objects")).expect("a folder");
    for (file, text) in [(".git/HEAD", "x"), (".git/config", "[a]b=c"), ("a", "x"), ("a.sql", "SELECT 1;")] {
        fs::write(root.join(file), text).expect("a file");
    }
    let roots = Roots::open(std::slice::from_ref(&root), &[]).expect("roots");
    let judge = Judge::new(Catalog::new([]), roots);
    Scene { _dir: dir, root, judge }
});

fuzz_target!(|text: &str| {
    drop(check_sql(text, &mut |_| false));
    let Ok(line) = parse(text) else { return };
    for command in line.pipelines.iter().flat_map(|(_, pipeline)| &pipeline.commands) {
        again(command);
    }
    judged(&line);
});

fn again(command: &Command) {
    let words: Vec<String> = command.words.iter().map(|word| word.text()).collect();
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    // The first word may read as an assignment once it is bare, so something harmless goes first.
    if let Ok(parsed) = parse(&format!("true {}", quoted.join(" "))) {
        let same: Vec<String> = parsed.pipelines[0].1.commands[0].words[1..].iter().map(|word| word.text()).collect();
        assert_eq!(same, words);
    }
}

fn judged(line: &CommandLine) {
    let scene = &*SCENE;
    let Ok(plan) = scene.judge.judge(line, ".") else { return };
    for stage in plan.stages() {
        for path in stage.reads().iter().chain(stage.writes()) {
            assert!(path.starts_with(&scene.root), "{line:?} touches {path:?}");
        }
        for path in stage.writes() {
            assert!(!path.starts_with(scene.root.join(".git")), "{line:?} changes {path:?}");
        }
    }
}
