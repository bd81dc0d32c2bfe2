//! Opening a database.

use std::fs;

use store::{StoreError, sqlite};

use crate::room::{Room, mode_of, set_mode};

const ONE: &str = "CREATE TABLE a (x INTEGER) STRICT";
const TWO: &str = "ALTER TABLE a ADD COLUMN y TEXT";

#[test]
fn migrations_run_once_and_in_order() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    sqlite::open(&path, &[ONE]).unwrap().execute("INSERT INTO a VALUES (1)", []).unwrap();
    let connection = sqlite::open(&path, &[ONE, TWO]).unwrap();
    connection.execute("UPDATE a SET y = 'kept'", []).unwrap();
    let versions: i64 =
        connection.query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get(0)).unwrap();
    assert_eq!(versions, 2);
}

#[test]
fn a_failed_migration_leaves_the_file_as_it_was() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    sqlite::open(&path, &[ONE]).unwrap();
    sqlite::open(&path, &[ONE, "CREATE TABLE b (x) ; CREATE NONSENSE"]).unwrap_err();
    let connection = sqlite::open(&path, &[ONE]).unwrap();
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'b'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_file_of_a_newer_program_is_refused_and_unchanged() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    sqlite::open(&path, &[ONE, TWO]).unwrap();
    let refusal = sqlite::open(&path, &[ONE]).unwrap_err();
    assert!(matches!(refusal, StoreError::Newer { found: 2, known: 1, .. }), "{refusal}");
    assert!(refusal.to_string().contains("newer core-mcp"));
}

#[test]
fn many_may_open_a_new_file_at_once() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..8).map(|_| scope.spawn(|| sqlite::open(&path, &[ONE, TWO]).map(drop))).collect();
        all.into_iter().for_each(|it| it.join().unwrap().unwrap());
    });
}

#[test]
fn the_file_is_closed_to_others_durable_and_logged_ahead() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    let connection = sqlite::open(&path, &[ONE]).unwrap();
    connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
    for name in ["t.db", "t.db-wal", "t.db-shm"] {
        assert_eq!(mode_of(&room.data.root().join(name)), 0o600, "{name}");
    }
    let pragma =
        |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((pragma("synchronous"), pragma("foreign_keys"), pragma("trusted_schema")), (2, 1, 0));
    drop(connection);
    set_mode(&path, 0o644).unwrap();
    sqlite::open(&path, &[ONE]).unwrap();
    assert_eq!(mode_of(&path), 0o600);
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let room = Room::new();
    let (link, folder) = (room.data.root().join("link.db"), room.data.root().join("folder.db"));
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    fs::create_dir(&folder).unwrap();
    for path in [link, folder] {
        assert!(sqlite::open(&path, &[ONE]).is_err(), "{}", path.display());
    }
}

#[test]
fn damage_is_found_and_named() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    let connection = sqlite::open(&path, &[ONE]).unwrap();
    sqlite::integrity(&connection).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 20000)
             INSERT INTO a SELECT x FROM n",
        )
        .unwrap();
    drop(connection);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x55);
    fs::write(&path, bytes).unwrap();
    let damaged = sqlite::integrity(&sqlite::open_read_only(&path).unwrap()).unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged { .. }), "{damaged}");
}

#[test]
fn a_reader_cannot_write() {
    let room = Room::new();
    let path = room.data.root().join("t.db");
    drop(sqlite::open(&path, &[ONE]).unwrap());
    assert!(sqlite::open_read_only(&path).unwrap().execute("DELETE FROM a", []).is_err());
    assert!(sqlite::open_read_only(&room.data.root().join("none.db")).is_err());
}
