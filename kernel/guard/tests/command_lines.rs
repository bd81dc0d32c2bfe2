//! What must work as people write it, and properties of the grammar.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{fs, path::PathBuf};

use guard::{
    command::{Catalog, Connector, Judge, Part, Plan, Redirect, Sink, parse, quote},
    path::Roots,
};
use proptest::prelude::*;

struct Place {
    _temp: tempfile::TempDir,
    root: PathBuf,
    judge: Judge,
}

fn place() -> Place {
    let temp = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(temp.path()).unwrap().join("root");
    let tools = root.with_file_name("tools");
    for folder in [&root, &tools, &root.join("src"), &root.join(".git")] {
        fs::create_dir(folder).unwrap();
    }
    for file in ["a.txt", "b.txt", "script.py", "schema.sql", "x.tgz"] {
        fs::write(root.join(file), "SELECT 1;\n").unwrap();
    }
    let config =
        "[remote \"here\"]\n\turl = /srv/x.git\n[remote \"origin\"]\n\turl = https://example.org/x.git\n";
    fs::write(root.join(".git/config"), config).unwrap();
    // Programs that may not be installed where the tests run.
    for name in [
        "npm", "node", "cargo", "pytest", "mypy", "black", "ruff", "tsc", "eslint", "go", "pip", "rg", "jq",
        "make", "zip", "unzip", "git", "sqlite3", "python3", "awk", "netstat", "ss", "ps", "top",
    ] {
        fs::copy("/bin/true", tools.join(name)).unwrap();
    }
    let roots = Roots::open(std::slice::from_ref(&root), &[]).unwrap();
    Place { _temp: temp, root, judge: Judge::new(Catalog::new([tools]), roots) }
}

impl Place {
    fn plan(&self, text: &str) -> Plan {
        let line = parse(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
        self.judge.judge(&line, ".").unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
    }
}

#[test]
fn the_lines_of_the_documents_are_allowed_as_written() {
    let place = place();
    for line in [
        "make build",
        "npm install",
        "cargo build",
        "find",
        "grep x a.txt",
        "ls",
        "cat a.txt",
        "ps",
        "netstat",
        "top",
        "mypy",
        "black",
        "ruff",
        "find . -name '*.py' -type f | head -10",
        "git init",
        "git clone https://example.org/x.git",
        "git remote add origin https://example.org/x.git",
        "git branch -a",
        "git checkout -b feature/new-feature",
        "git checkout main",
        "git merge feature/new-feature",
        "git add .",
        "git commit -m 'feat: Add new feature'",
        "git push origin main",
        "git status --porcelain",
        "git log --oneline -10",
        "git diff HEAD~1",
        "sqlite3 mydb.sqlite 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);'",
        "sqlite3 mydb.sqlite < schema.sql",
        "sqlite3 mydb.sqlite \"INSERT INTO users (name) VALUES ('John Doe');\"",
        "sqlite3 -header -csv mydb.sqlite 'SELECT * FROM users;'",
        "sqlite3 mydb.sqlite \"UPDATE users SET name='Jane Doe' WHERE id=1;\"",
        "sqlite3 mydb.sqlite '.backup backup.sqlite'",
        "sqlite3 mydb.sqlite 'PRAGMA table_info(users);'",
        "sqlite3 mydb.sqlite 'VACUUM;'",
    ] {
        place.plan(line);
    }
}

#[test]
fn everyday_lines_are_allowed() {
    let place = place();
    for line in [
        "ls -la src/ && cat a.txt",
        "grep -rn 'fn main' --include=*.rs src | wc -l",
        "cat a.txt | sort | uniq -c | sort -rn | head -n 5",
        "sed -n '1,20p' a.txt",
        "sed -i 's/foo/bar/g' a.txt b.txt",
        "awk -F, '{print $1}' a.txt",
        "awk '$3 > 5 {n++} END {print n}' a.txt",
        "find . -name '*.txt' -not -path './.git/*' | xargs grep -l TODO",
        "find src -type f -newer a.txt",
        "find . ! -name x -print0",
        "tar czf out.tgz src",
        "tar -xzf x.tgz -C src",
        "tar tf x.tgz",
        "gzip -k a.txt",
        "zip -r out.zip src",
        "unzip -o x.zip -d src",
        "mkdir -p src/new && touch src/new/f",
        "cp -r src copy",
        "mv a.txt src/",
        "rm -rf src/new",
        "chmod +x script.py",
        "chmod 644 a.txt",
        "echo hello world > out.txt",
        "printf '%s\\n' a b >> out.txt",
        "ls missing 2>/dev/null || echo none",
        "make -j8 test 2>&1 | tail -20",
        "make -C src CC=gcc all",
        "npm run build -- --watch=false",
        "npm ci",
        "npm test",
        "cargo test --workspace -- --nocapture",
        "cargo clippy --all-targets",
        "python3 script.py --verbose",
        "python3 -m pytest -x src",
        "python3 --version",
        "pytest -q src -k 'a and b'",
        "mypy --strict src",
        "black --check .",
        "ruff check .",
        "tsc --noEmit",
        "eslint src",
        "go test ./...",
        "pip install -r a.txt",
        "pip list",
        "git log --author='A B' --since=yesterday",
        "git diff main..topic -- a.txt",
        "git stash push -m wip",
        "git stash show stash@{0}",
        "git rebase main",
        "git show HEAD:a.txt",
        "git tag v1.0 -m 'one'",
        "git config user.email a@b.c",
        "git config --get remote.origin.url",
        "git -C src status",
        "git --no-pager log -1",
        "git fetch origin",
        "git clone git@example.org:team/x.git",
        "git commit -m 'one\n\ntwo'",
        "git reset --hard HEAD~1",
        "git rev-parse --abbrev-ref HEAD",
        "git blame a.txt",
        "timeout 5 ls",
        "env LANG=C sort a.txt",
        "nice -n 10 make",
        "LANG=C sort a.txt",
        "rg -n TODO src",
        "jq .name a.txt",
        "date +%F",
        "date -u",
        "ps aux",
        "netstat -tlnp",
        "ss -tln",
        "top -b -n 1",
        "df -h",
        "du -sh src",
        "uname -a",
        "whoami",
        "uptime",
        "free -m",
        "diff -u a.txt b.txt",
        "sqlite3 db .tables",
        "sqlite3 -json db 'SELECT 1' 'SELECT 2'",
        "sqlite3 db '.schema users'",
        "test -f a.txt && echo yes",
        "sleep 1",
        "true; false",
        "/usr/bin/env LANG=C ls",
        "cat < a.txt > out.txt",
        "ls &> out.txt",
        "ls >out.txt 2>&1",
        "echo a\\ b 'c'\"d\"e",
        "echo 'issue#1' a~b {} x{y}z",
        "tr a-z A-Z < a.txt",
    ] {
        place.plan(line);
    }
}

#[test]
fn a_plan_says_what_will_happen() {
    let place = place();
    let plan = place.plan(
        "cat a.txt < b.txt | sort -o out.txt 2>&1 && git push origin main; make || ls > log 2>/dev/null",
    );
    let connectors: Vec<_> = plan.steps().iter().map(guard::command::Step::connector).collect();
    assert_eq!(
        connectors,
        [Connector::Always, Connector::OnSuccess, Connector::Always, Connector::OnFailure]
    );
    let stages: Vec<_> = plan.stages().collect();
    assert_eq!(stages[0].reads(), [place.root.join("b.txt"), place.root.join("a.txt")]);
    assert_eq!(stages[0].stdin(), Some(place.root.join("b.txt").as_path()));
    assert_eq!(
        (stages[1].writes(), stages[1].stderr()),
        ([place.root.join("out.txt")].as_slice(), &Sink::Out)
    );
    assert!(stages[2].needs_network() && plan.needs_network());
    assert_eq!(
        (stages[3].name(), stages[3].rule(), stages[3].needs_network()),
        ("make", "build.make", false)
    );
    assert_eq!(stages[4].stdout(), &Sink::File { path: place.root.join("log"), append: false });
    assert!(stages.iter().all(|stage| stage.program().is_absolute()));
}

#[test]
fn rules_add_what_makes_a_program_safer_or_makes_it_end() {
    let place = place();
    let args = |line: &str| place.plan(line).stages().next().unwrap().args().to_vec();
    assert_eq!(args("top"), ["-b", "-n", "1"]);
    assert_eq!(args("sed p a.txt"), ["--sandbox", "p", "a.txt"]);
    assert_eq!(args("sqlite3 db 'SELECT 1'"), ["-safe", "db", "SELECT 1"]);
    assert_eq!(args("sqlite3 db '.backup copy'"), ["db", ".backup copy"]);
    assert!(args("timeout 5 ls")[1].starts_with('/'));
    assert!(!place.plan("git push here main").needs_network());
    assert!(place.plan("npm install").needs_network());
    assert!(!place.plan("npm test").needs_network());
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_a_panic(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn shell_like_text_holds_no_metacharacter_unquoted(text in "[a-c '\"\\\\|&;<>$`(){}*?\\[\\]!#~=12\n\t-]{0,40}") {
        let Ok(line) = parse(&text) else { return Ok(()) };
        let commands = line.pipelines.iter().flat_map(|(_, pipeline)| &pipeline.commands);
        for command in commands {
            let files = command.redirects.iter().filter_map(|redirect| match redirect {
                Redirect::In(file) | Redirect::Out { file, .. } => Some(file),
                Redirect::ErrToOut | Redirect::OutToErr => None,
            });
            for part in command.words.iter().chain(files).flat_map(|word| &word.parts) {
                if let Part::Bare(bare) = part {
                    prop_assert!(!bare.contains(['|', '&', ';', '<', '>', '$', '`', '(', ')', '*', '?', '\'', '"', '\\', '\n', ' ', '\t']), "{bare:?} in {text:?}");
                }
            }
        }
    }

    #[test]
    fn a_quoted_word_comes_back_as_it_was(words in prop::collection::vec("[ -~éß]{0,20}", 1..5)) {
        let line = format!("ls {}", words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
        let parsed = parse(&line).unwrap();
        let [(_, pipeline)] = parsed.pipelines.as_slice() else { panic!("one pipeline") };
        let got: Vec<_> = pipeline.commands[0].words[1..].iter().map(guard::command::Word::text).collect();
        prop_assert_eq!(got, words);
    }
}
