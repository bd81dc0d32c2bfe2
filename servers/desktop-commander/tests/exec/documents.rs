//! Every command line of the requirement documents, run as written.

use serde_json::json;

use crate::desk::Desk;

#[tokio::test]
async fn the_git_lines_of_the_documents_work_as_written() {
    let desk = Desk::new().await;
    desk.sh("git init").await;
    desk.sh("git checkout -b main").await;
    desk.write("a.txt", "one\n");
    desk.sh("git add .").await;
    desk.sh("git commit -m 'feat: Add new feature'").await;
    desk.sh("git checkout -b feature/new-feature").await;
    desk.write("b.txt", "two\n");
    desk.sh("git add .").await;
    desk.sh("git commit -m 'feat: Add new feature'").await;
    assert!(desk.sh("git branch -a").await.contains("feature/new-feature"));
    desk.sh("git checkout main").await;
    desk.sh("git merge feature/new-feature").await;
    assert_eq!(desk.sh("git status --porcelain").await, "");
    assert_eq!(desk.sh("git log --oneline -10").await.lines().count(), 2);
    assert!(desk.sh("git diff HEAD~1").await.contains("+two"));
    desk.sh("git init --bare -b main far.git").await;
    desk.sh(&format!("git remote add origin {}/far.git", desk.root().display())).await;
    desk.sh("git push origin main").await;
    desk.sh("git clone far.git copy").await;
    assert_eq!(desk.read("copy/b.txt"), "two\n");
    assert!(desk.sh("git log -1 --format=%an").await.starts_with("test"), "the principal commits");
}

#[tokio::test]
async fn the_sqlite_lines_of_the_documents_work_as_written() {
    let desk = Desk::new().await;
    desk.sh("sqlite3 mydb.sqlite 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);'").await;
    desk.write("schema.sql", "CREATE TABLE more (a);\n");
    desk.sh("sqlite3 mydb.sqlite < schema.sql").await;
    desk.sh("sqlite3 mydb.sqlite \"INSERT INTO users (name) VALUES ('John Doe');\"").await;
    assert_eq!(
        desk.sh("sqlite3 -header -csv mydb.sqlite 'SELECT * FROM users;'").await.replace('\r', ""),
        "id,name\n1,\"John Doe\"\n"
    );
    desk.sh("sqlite3 mydb.sqlite \"UPDATE users SET name='Jane Doe' WHERE id=1;\"").await;
    desk.sh("sqlite3 mydb.sqlite '.backup backup.sqlite'").await;
    assert!(desk.sh("sqlite3 mydb.sqlite 'PRAGMA table_info(users);'").await.contains("name|TEXT"));
    desk.sh("sqlite3 mydb.sqlite 'VACUUM;'").await;
    assert_eq!(desk.sh("sqlite3 backup.sqlite 'SELECT name FROM users'").await, "Jane Doe\n");
    assert_eq!(
        desk.sh("sqlite3 mydb.sqlite .tables").await.split_whitespace().collect::<Vec<_>>(),
        ["more", "users"]
    );
}

/// What needs the network, or is not installed everywhere, is judged; what is not there is said so.
#[tokio::test]
async fn the_lines_that_need_the_network_or_a_toolchain_are_explained() {
    for (network, is_open) in [("declared", true), ("never", false)] {
        let desk = Desk::with(json!({"network": network})).await;
        for (line, wants_network) in [
            ("git clone https://example.org/x.git", true),
            ("git remote add origin https://example.org/x.git", false),
            ("git push origin main", true),
            ("make build", false),
            ("npm install", true),
            ("cargo build", true),
            ("find", false),
            ("grep x", false),
            ("ls", false),
            ("cat", false),
            ("ps", false),
            ("netstat", false),
            ("top", false),
            ("mypy", false),
            ("black", false),
            ("ruff", false),
        ] {
            let explained = desk.ok("explain_command", json!({"command": line})).await;
            let reason = explained["reason"].as_str().unwrap_or_default();
            if explained["allowed"] == true {
                assert_eq!(explained["network"], wants_network && is_open, "{line}: {explained}");
                assert_eq!(reason.contains("exec.network"), wants_network && !is_open, "{line}: {explained}");
            } else {
                assert_eq!(explained["code"], "PROGRAM_NOT_FOUND", "{line}: {explained}");
                assert!(reason.contains("/usr/bin"), "{reason}");
                let fix = explained["safer_alternative"].as_str().unwrap();
                assert!(fix.contains("servers.desktop-commander.exec.search_path"), "{fix}");
            }
        }
    }
}

#[tokio::test]
async fn a_closed_network_is_told_with_the_failure_and_the_key() {
    let desk = Desk::with(json!({"network": "never"})).await;
    let result = desk.run("git clone https://127.0.0.1:9/x.git").await;
    assert_ne!(result["exit_code"], 0);
    assert!(
        result["stderr"].as_str().unwrap().contains("servers.desktop-commander.exec.network"),
        "{result}"
    );
    let desk = Desk::new().await;
    let args = json!({"command": "git clone https://127.0.0.1:9/x.git", "network": false});
    let result = desk.ok("execute_command", args).await;
    assert!(result["stderr"].as_str().unwrap().contains("`network` is false"), "{result}");
}

#[tokio::test]
async fn the_other_lines_of_the_documents_work_as_written() {
    let desk = Desk::new().await;
    desk.write("src/a.py", "print('hello')\n");
    desk.write("Makefile", "build:\n\t@echo built $(WHAT)\nclean:\n\t@rm -f x\n");
    assert_eq!(desk.sh("find . -name '*.py' -type f | head -10").await, "./src/a.py\n");
    assert_eq!(desk.sh("make build").await, "built\n");
    assert!(desk.sh("grep -rn hello src").await.contains("src/a.py:1"));
    assert!(desk.sh("ls").await.contains("Makefile"));
    assert_eq!(desk.sh("cat src/a.py").await, "print('hello')\n");
    assert!(desk.sh("ps").await.contains("PID"));
    assert!(desk.sh("top").await.contains("load average"));
    assert!(desk.sh("netstat").await.contains("Active"));
    assert!(desk.sh("ss").await.contains("State"));
    let made = desk.ok("make_command", json!({"target": "build", "args": "WHAT=all -j2"})).await;
    assert_eq!((made["exit_code"].clone(), made["stdout"].clone()), (json!(0), json!("built all\n")));
    let missing = desk.ok("make_command", json!({"target": "deploy"})).await;
    assert_eq!(
        (missing["exit_code"].clone(), missing["targets"].clone()),
        (json!(2), json!(["build", "clean"]))
    );
}
