//! The data directory.

use std::fs;

use store::{DataDir, private_file};

use crate::room::{Room, mode_of, set_mode};

#[test]
fn a_new_directory_is_complete_and_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/deeper");
    let data = DataDir::open(&root).unwrap();
    for path in
        [data.root().to_owned(), data.policies(), data.artifacts(), data.servers(), data.keys(), data.audit()]
    {
        assert_eq!(mode_of(&path), 0o700, "{}", path.display());
    }
    DataDir::open(&root).expect("opening it again changes nothing");
}

#[test]
fn a_directory_others_may_write_to_is_refused_with_the_way_to_mend_it() {
    for (mode, sub) in
        [(0o777, ""), (0o770, ""), (0o702, ""), (0o1777, ""), (0o720, "keys"), (0o777, "policies")]
    {
        let room = Room::new();
        let path = room.data.root().join(sub);
        fs::write(path.join("something"), "").unwrap();
        set_mode(&path, mode).unwrap();
        let refusal = DataDir::open(room.data.root()).unwrap_err().to_string();
        assert!(refusal.contains("chmod 700"), "{mode:o} {sub}: {refusal}");
    }
}

#[test]
fn an_empty_directory_is_closed_and_a_used_one_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755).unwrap();
    DataDir::open(folder.path()).unwrap();
    assert_eq!(mode_of(folder.path()), 0o700);
    set_mode(folder.path(), 0o755).unwrap();
    DataDir::open(folder.path()).unwrap();
    assert_eq!(mode_of(folder.path()), 0o755);
}

#[test]
fn somebody_elses_directory_is_refused() {
    // Only root can give a directory away, and only the directory of somebody else shows the refusal.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs");
    fs::create_dir(&path).unwrap();
    let other = 12_345;
    let expected = match std::os::unix::fs::chown(&path, Some(other), None) {
        Ok(()) => path,
        Err(_) => "/usr".into(),
    };
    let refusal = DataDir::open(&expected).unwrap_err().to_string();
    assert!(refusal.contains("belongs to user id"), "{refusal}");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(DataDir::open(&path).is_err());
}

#[test]
fn a_servers_folder_is_named_by_a_catalogue_name_only() {
    let room = Room::new();
    assert_eq!(mode_of(&room.data.server("docker-manager").unwrap()), 0o700);
    for name in ["", ".", "..", "../keys", "/etc", "a/b", "A", "a b", "a\0b", "x".repeat(65).as_str()] {
        assert!(room.data.server(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_private_file_is_made_once_and_read_by_its_owner_only() {
    let room = Room::new();
    let path = room.data.keys().join("k");
    assert_eq!(private_file::create_once(&path, b"first").unwrap(), b"first");
    assert_eq!(private_file::create_once(&path, b"second").unwrap(), b"first");
    assert_eq!(mode_of(&path), 0o600);
    assert_eq!(fs::read_dir(room.data.keys()).unwrap().count(), 1, "no staging file stays behind");
    set_mode(&path, 0o640).unwrap();
    assert!(private_file::read(&path, 100).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn of_many_who_make_a_private_file_one_wins_whole() {
    let room = Room::new();
    let path = room.data.keys().join("k");
    let results: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8_u8)
            .map(|it| {
                let path = &path;
                scope.spawn(move || private_file::create_once(path, &[it; 100]).unwrap())
            })
            .collect();
        makers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(results.iter().all(|it| *it == results[0] && it.len() == 100));
}
