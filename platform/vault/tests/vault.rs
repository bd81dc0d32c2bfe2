//! Values in and out, and what somebody who can read or change the files gets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use kernel::Secret;
use proptest::prelude::*;
use store::{Clock, DataDir};
use vault::{Vault, VaultError};

const NOON: i64 = 1_790_000_000;
const HOUR: Duration = Duration::from_secs(3600);

struct World {
    folder: tempfile::TempDir,
    now: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), now: Arc::new(AtomicI64::new(NOON)) }
    }

    fn data(&self) -> DataDir {
        DataDir::open(self.folder.path()).unwrap()
    }

    fn open(&self) -> Result<Vault, VaultError> {
        let now = Arc::clone(&self.now);
        Vault::open_at(&self.data(), Clock::from_fn(move || now.load(Ordering::Relaxed) * 1_000_000))
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    fn tamper(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.data().secrets_db()).unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn current(vault: &Vault, name: &str) -> Result<String, String> {
    vault.versions(name).map(|it| it.current.expose().clone()).map_err(|it| it.to_string())
}

fn previous(vault: &Vault, name: &str) -> Option<String> {
    vault.versions(name).unwrap().previous.map(|it| it.expose().clone())
}

#[test]
fn two_versions_are_good_while_they_overlap() {
    let world = World::new();
    let vault = world.open().unwrap();
    vault.set("db", &secret("one")).unwrap();
    assert_eq!((current(&vault, "db").unwrap().as_str(), previous(&vault, "db")), ("one", None));
    let info = vault.rotate("db", &secret("two"), HOUR).unwrap();
    assert_eq!((info.version, info.previous_until), (2, Some(NOON + 3600)));
    assert_eq!(
        (current(&vault, "db").unwrap().as_str(), previous(&vault, "db")),
        ("two", Some("one".into()))
    );
    world.pass(3600);
    assert_eq!((current(&vault, "db").unwrap().as_str(), previous(&vault, "db")), ("two", None));
    vault.rotate("db", &secret("three"), HOUR).unwrap();
    vault.rotate("db", &secret("four"), HOUR).unwrap();
    assert_eq!(previous(&vault, "db"), Some("three".into()), "never more than two");
    vault.rotate("db", &secret("five"), Duration::ZERO).unwrap();
    assert_eq!(previous(&vault, "db"), None, "without overlap the old one ends at once");
}

#[test]
fn other_processes_see_changes_at_once_and_after_a_restart() {
    let world = World::new();
    let (one, two) = (world.open().unwrap(), world.open().unwrap());
    one.set("a", &secret("x")).unwrap();
    assert_eq!(current(&two, "a"), Ok("x".into()));
    two.remove("a").unwrap();
    assert_eq!(current(&one, "a"), Err("no secret is called `a`".into()));
    one.set("b.c_d-1", &secret("ünïcode\n\0")).unwrap();
    drop((one, two));
    assert_eq!(current(&world.open().unwrap(), "b.c_d-1"), Ok("ünïcode\n\0".into()));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let world = World::new();
    let vault = world.open().unwrap();
    for name in ["", "A", "a b", "-a", ".a", "a/b", "../a", "a\0", "é", &"x".repeat(65)] {
        assert!(matches!(vault.set(name, &secret("x")), Err(VaultError::Name)), "{name:?}");
        assert!(matches!(vault.versions(name), Err(VaultError::Name)), "{name:?}");
    }
    assert!(matches!(vault.set("a", &secret("")), Err(VaultError::Value { .. })));
    assert!(matches!(
        vault.set("a", &secret(&"x".repeat(vault::VALUE_BYTES_MAX + 1))),
        Err(VaultError::Value { .. })
    ));
    assert!(matches!(vault.rotate("a", &secret("x"), HOUR), Err(VaultError::Unknown(_))));
    assert!(matches!(vault.remove("a"), Err(VaultError::Unknown(_))));
    vault.set("a", &secret("x")).unwrap();
    assert!(matches!(vault.set("a", &secret("y")), Err(VaultError::Taken(_))));
    assert!(matches!(vault.rotate("a", &secret("y"), HOUR * 24 * 31), Err(VaultError::Overlap)));
    assert_eq!(current(&vault, "a"), Ok("x".into()));
    assert_eq!(vault.list().unwrap().len(), 1);
}

#[test]
fn the_database_alone_and_a_changed_one_give_nothing() {
    let world = World::new();
    let vault = world.open().unwrap();
    vault.set("a", &secret("correct horse battery staple")).unwrap();
    vault.rotate("a", &secret("a newer horse"), HOUR).unwrap();
    vault.set("b", &secret("another one")).unwrap();
    for file in fs::read_dir(world.folder.path()).unwrap().flatten().filter(|it| it.path().is_file()) {
        let text = String::from_utf8_lossy(&fs::read(file.path()).unwrap()).into_owned();
        assert!(!text.contains("horse") && !text.contains("another one"), "{:?}", file.path());
    }
    let key = fs::metadata(world.data().keys().join("vault.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let damaged = |name: &str| matches!(vault.versions(name), Err(VaultError::Damaged(_)));
    for (sql, undo) in [
        (
            "UPDATE secret_version SET version = 5 WHERE name = 'b'",
            "UPDATE secret_version SET version = 1 WHERE name = 'b'",
        ),
        (
            "UPDATE secret_version SET ends_at = 9999999999 WHERE name = 'b'",
            "UPDATE secret_version SET ends_at = NULL WHERE name = 'b'",
        ),
        (
            "UPDATE secret_version SET created_at = created_at + 1 WHERE name = 'b'",
            "UPDATE secret_version SET created_at = created_at - 1 WHERE name = 'b'",
        ),
    ] {
        world.tamper(sql);
        assert!(damaged("b"), "{sql}");
        world.tamper(undo);
        assert!(!damaged("b"), "{undo}");
    }
    world.tamper("UPDATE secret_version SET ends_at = ends_at + 86400 WHERE name = 'a' AND version = 1");
    assert!(damaged("a"), "an old version does not live longer because somebody says so");
    world.tamper("DELETE FROM secret_version WHERE name = 'b'");
    world.tamper("UPDATE secret_version SET name = 'b' WHERE name = 'a' AND version = 2");
    assert!(damaged("b"), "a value does not open under another name");
}

#[test]
fn a_key_that_is_lost_foreign_or_open_to_others_is_noticed() {
    let world = World::new();
    world.open().unwrap().set("a", &secret("x")).unwrap();
    let path = world.data().keys().join("vault.key");
    let good = fs::read(&path).unwrap();
    fs::write(&path, [7; 32]).unwrap();
    assert!(matches!(world.open(), Err(VaultError::ForeignKey)));
    fs::write(&path, [7; 31]).unwrap();
    assert!(matches!(world.open(), Err(VaultError::DamagedKey)));
    fs::remove_file(&path).unwrap();
    assert!(matches!(world.open(), Err(VaultError::ForeignKey)), "a fresh key opens nothing");
    fs::write(&path, &good).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(world.open(), Err(VaultError::Store(_))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(current(&world.open().unwrap(), "a"), Ok("x".into()));
}

#[test]
fn references_are_resolved_whole_or_inside_a_text() {
    let world = World::new();
    let vault = world.open().unwrap();
    vault.set("token", &secret("abc")).unwrap();
    let resolve = |text: &str| vault.resolve(text).map(|it| it.expose().clone()).map_err(|it| it.to_string());
    assert_eq!(resolve("secret:token"), Ok("abc".into()));
    assert_eq!(resolve("Bearer ${secret:token}"), Ok("Bearer abc".into()));
    assert_eq!(resolve("plain"), Ok("plain".into()));
    assert_eq!(resolve("secret:other"), Err("no secret is called `other`".into()));
    assert!(resolve("secret:../x").is_err() && resolve("${secret:token").is_err());
    vault.set("tricky", &secret("${secret:token}")).unwrap();
    assert_eq!(resolve("${secret:tricky}"), Ok("${secret:token}".into()), "values are not read again");
    assert_eq!(vault::names_in("a ${secret:x} ${secret:y}").collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn nothing_prints_a_value() {
    let world = World::new();
    let vault = world.open().unwrap();
    let info = vault.set("a", &secret("hunter2")).unwrap();
    assert!(!format!("{info:?} {:?}", vault.versions("a").unwrap()).contains("hunter2"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_back_as_it_was(value in ".{1,2000}") {
        let vault = World::new();
        let vault = vault.open().unwrap();
        vault.set("a", &secret(&value)).unwrap();
        prop_assert_eq!(current(&vault, "a"), Ok(value));
    }
}
