//! A data directory in which something is wrong: nothing runs, and the owner is told which file and what helps.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::installation::Installation;

const READ: [&str; 4] = ["call", "desktop-commander.read_file", "file_path=hello.txt", "--output=json"];

#[test]
fn a_key_that_others_can_read_is_named_with_the_command_that_helps() {
    for key in ["token.key", "audit.key"] {
        let made = Installation::new();
        let path = made.data().join("keys").join(key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let ended = made.run(&READ);
        let message = ended.error()["message"].as_str().unwrap().to_owned();
        assert_eq!(
            (ended.code, message.contains(&format!("chmod 600 {}", path.display()))),
            (1, true),
            "{message}"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        made.run(&READ).done();
    }
}

#[test]
fn a_damaged_database_is_named_and_nothing_runs() {
    for name in ["identity.db", "state.db", "audit.db"] {
        let made = Installation::new();
        for file in [format!("{name}-wal"), format!("{name}-shm")] {
            fs::remove_file(made.data().join(file)).ok();
        }
        fs::write(made.data().join(name), "not a database, whatever its name says").unwrap();
        let ended = made.run(&READ);
        let error = ended.error();
        assert!(error["message"].as_str().is_some_and(|it| it.contains(name)), "{name}: {error}");
        assert!(
            error["hints"][0].as_str().is_some_and(|it| it.contains("core-mcp doctor")),
            "{name}: {error}"
        );
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    }
}

#[test]
fn an_audit_log_that_was_deleted_whole_stops_everything_until_its_owner_decides() {
    let made = Installation::new();
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        fs::remove_file(made.data().join(name)).ok();
    }
    fs::remove_dir_all(made.data().join("audit")).unwrap();
    let ended = made.run(&READ);
    assert_eq!(ended.error()["code"], "audit_unavailable", "{ended:?}");
    let verified = made.run(&["audit", "verify", "--output", "json"]);
    assert_eq!((verified.code, &verified.json()["ok"]), (1, &false.into()), "{verified:?}");
    fs::remove_file(made.data().join("keys/audit.begun")).unwrap();
    made.run(&READ).done();
}
