//! SQLite as tools.

use serde_json::{Value, json};

use crate::desk::Desk;

async fn execute(desk: &Desk, sql: &str) -> Value {
    desk.ok("sqlite_execute", json!({"db": "x.db", "sql": sql})).await
}

async fn database() -> Desk {
    let desk = Desk::new().await;
    execute(&desk, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, data BLOB)").await;
    let inserted = desk
        .ok("sqlite_execute", json!({"db": "x.db", "sql": "INSERT INTO t (name) VALUES (?), (NULL), (?) RETURNING id", "params": ["a", 1.5]}))
        .await;
    assert_eq!((inserted["changes"].clone(), inserted["rows"].clone()), (json!(3), json!([[1], [2], [3]])));
    desk
}

#[tokio::test]
async fn rows_come_typed_and_bounded() {
    let desk = database().await;
    let answer = desk
        .ok(
            "sqlite_query",
            json!({"db": "x.db", "sql": "SELECT id, name, x'00ff' AS b FROM t WHERE id < ?", "params": [3]}),
        )
        .await;
    assert_eq!(answer["columns"], json!(["id", "name", "b"]));
    assert_eq!(answer["rows"], json!([[1, "a", "base64:AP8="], [2, null, "base64:AP8="]]));
    let answer = desk.ok("sqlite_query", json!({"db": "x.db", "sql": "SELECT * FROM t", "limit": 2})).await;
    assert_eq!((answer["rows"].as_array().unwrap().len(), answer["truncated"].clone()), (2, json!(true)));
    let answer = desk.ok("sqlite_query", json!({"db": "x.db", "sql": "PRAGMA table_info(t)"})).await;
    assert_eq!(answer["rows"].as_array().unwrap().len(), 3);
    execute(&desk, "VACUUM").await;
    execute(&desk, "CREATE INDEX i ON t (name)").await;
    execute(&desk, "CREATE VIRTUAL TABLE f USING fts5(body)").await;
    let many = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT n, hex(randomblob(500)) FROM c";
    let answer = desk.ok("sqlite_query", json!({"db": "x.db", "sql": many, "limit": 10_000})).await;
    assert!(answer["truncated"] == true && answer.to_string().len() < 400_000);
}

#[tokio::test]
async fn a_query_changes_nothing_and_nothing_leaves_the_database() {
    let desk = database().await;
    let out = desk.out();
    for (tool, sql) in [
        ("sqlite_query", "INSERT INTO t (name) VALUES ('x')"),
        ("sqlite_query", "DELETE FROM t"),
        ("sqlite_query", "DROP TABLE t"),
        ("sqlite_query", "PRAGMA user_version = 7"),
        ("sqlite_query", "PRAGMA journal_mode = WAL"),
        ("sqlite_query", "VACUUM"),
        ("sqlite_query", "SELECT 1; DELETE FROM t"),
        ("sqlite_query", "WITH d AS (SELECT 1) DELETE FROM t"),
        ("sqlite_query", "ATTACH 'OUT/secret' AS o"),
        ("sqlite_query", "ATTACH '' AS o"),
        ("sqlite_query", "SELECT load_extension('x')"),
        ("sqlite_query", "SELECT readfile('/etc/passwd')"),
        ("sqlite_query", "SELECT * FROM pragma_writable_schema"),
        ("sqlite_execute", "ATTACH 'OUT/new.db' AS o"),
        ("sqlite_execute", "ATTACH DATABASE 'x2.db' AS o"),
        ("sqlite_execute", "ATTACH (SELECT 'OUT/new.db') AS o"),
        ("sqlite_execute", "VACUUM INTO 'OUT/new.db'"),
        ("sqlite_execute", "PRAGMA writable_schema = 1"),
        ("sqlite_execute", "PRAGMA temp_store_directory = 'OUT'"),
        ("sqlite_execute", "SELECT writefile('OUT/new', 'x')"),
        ("sqlite_execute", "CREATE VIRTUAL TABLE c USING csv(filename='/etc/passwd')"),
        ("sqlite_execute", "SELECT 1; SELECT 2"),
    ] {
        let sql = sql.replace("OUT", out.to_str().unwrap());
        let code = desk.code(tool, json!({"db": "x.db", "sql": sql})).await;
        assert!(["ARG_REFUSED", "tool_execution_failed"].contains(&code), "{tool} {sql}: {code}");
    }
    let left = desk.ok("sqlite_query", json!({"db": "x.db", "sql": "SELECT count(*) FROM t"})).await;
    assert_eq!(left["rows"], json!([[3]]));
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 1);
}

#[tokio::test]
async fn databases_outside_and_files_that_are_none_are_refused() {
    let desk = database().await;
    std::os::unix::fs::symlink(desk.out().join("secret"), desk.root().join("link.db")).unwrap();
    desk.write("text.db", &"no database at all\n".repeat(100));
    for (db, codes) in [
        ("../out/secret", ["PATH_OUTSIDE_ROOT", ""]),
        ("/etc/passwd", ["PATH_OUTSIDE_ROOT", ""]),
        ("link.db", ["PATH_OUTSIDE_ROOT", "LINK_REFUSED"]),
        ("absent.db", ["not_found", ""]),
        ("text.db", ["validation_failed", ""]),
        ("file:x.db?mode=rwc", ["not_found", ""]),
    ] {
        let code = desk.code("sqlite_query", json!({"db": db, "sql": "SELECT * FROM sqlite_schema"})).await;
        assert!(codes.contains(&code), "{db}: {code}");
    }
    assert_eq!(
        desk.code("sqlite_execute", json!({"db": ".git/x.db", "sql": "SELECT 1"})).await,
        "CRITICAL_PATH"
    );
}

#[tokio::test]
async fn endless_statements_end_with_their_call() {
    let desk = database().await;
    let cx = kernel::CallContext::for_tests();
    let cancel = cx.cancel.clone();
    let endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";
    let call = desk.call_with(cx, "sqlite_query", json!({"db": "x.db", "sql": endless}));
    let stop = async { cancel.cancel() };
    let (outcome, ()) = tokio::join!(call, stop);
    assert_eq!(outcome.unwrap_err().reason, Some("QUERY_COST"));
}
