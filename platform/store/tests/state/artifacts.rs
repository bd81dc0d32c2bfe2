//! Artifacts.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use pipeline::seams::Artifacts;
use store::{ArtifactOptions, ArtifactStore, State, StateOptions};

use crate::room::{Room, code, mode_of, user};

fn open(room: &Room) -> ArtifactStore {
    let options = ArtifactOptions {
        size_max: 100,
        owner_bytes_max: 250,
        owner_count_max: 4,
        total_bytes_max: 400,
        lifetime: Duration::from_secs(60),
        clock: room.clock(),
    };
    ArtifactStore::open(&room.data, options).unwrap()
}

fn files(room: &Room) -> usize {
    let folders = fs::read_dir(room.data.artifacts()).unwrap();
    folders.map(|it| fs::read_dir(it.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn a_piece_of_an_artifact_is_what_was_put() {
    let room = Room::new();
    let artifacts = open(&room);
    let alice = user("alice", &[]);
    let uri = artifacts.put(&alice, "text/plain", b"0123456789".to_vec()).await.unwrap();
    assert!(uri.starts_with("artifact://"));
    let table: [(u64, usize, &[u8]); 6] = [
        (0, 100, b"0123456789"),
        (0, 4, b"0123"),
        (8, 4, b"89"),
        (10, 4, b""),
        (u64::MAX >> 1, 4, b""),
        (3, 0, b""),
    ];
    for (offset, limit, expected) in table {
        let piece = artifacts.get(&alice, &uri, offset, limit).await.unwrap();
        assert_eq!((piece.bytes.as_slice(), piece.total, piece.mime.as_str()), (expected, 10, "text/plain"));
    }
}

#[tokio::test]
async fn only_the_owner_reads_and_strange_addresses_name_nothing() {
    let room = Room::new();
    let artifacts = open(&room);
    let (alice, root) = (user("alice", &[]), user("root", &["admin"]));
    let uri = artifacts.put(&alice, "text/plain", b"secret".to_vec()).await.unwrap();
    let id = uri.trim_start_matches("artifact://").to_owned();
    assert_eq!(code(artifacts.get(&root, &uri, 0, 10).await), "not_found");
    let attacks = [
        String::new(),
        id.clone(),
        format!("artifact:///{id}"),
        format!("artifact://{}", id.to_uppercase()),
        format!("artifact://{id}/"),
        format!("artifact://{id}/../{id}"),
        format!("artifact://../artifacts/{id}"),
        format!("artifact://%2e%2e{}", &id[6..]),
        "artifact://..".into(),
        "artifact:///etc/passwd".into(),
        "file:///etc/passwd".into(),
        format!("artifact://{}", "0".repeat(32)),
        format!("artifact://{id}\0"),
    ];
    for uri in attacks {
        assert_eq!(code(artifacts.get(&alice, &uri, 0, 10).await), "not_found", "{uri:?}");
    }
    assert!(artifacts.list(&root, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_owner_with_a_strange_name_stays_inside() {
    let room = Room::new();
    let artifacts = open(&room);
    for name in ["../../evil", "/etc", "a\0b", "", "ünï", &"x".repeat(5000)] {
        let owner = user(name, &[]);
        let uri = artifacts.put(&owner, "text/plain", b"x".to_vec()).await.unwrap();
        assert_eq!(artifacts.get(&owner, &uri, 0, 1).await.unwrap().bytes, b"x", "{name:?}");
    }
    assert_eq!(files(&room), 6);
    for folder in fs::read_dir(room.data.artifacts()).unwrap() {
        let folder = folder.unwrap().path();
        assert_eq!(mode_of(&folder), 0o700);
        assert!(fs::read_dir(&folder).unwrap().all(|it| mode_of(&it.unwrap().path()) == 0o600));
    }
}

#[tokio::test]
async fn the_oldest_make_room_when_a_quota_is_exceeded() {
    let room = Room::new();
    let artifacts = open(&room);
    let (alice, bob) = (user("alice", &[]), user("bob", &[]));
    let mut uris = Vec::new();
    for _ in 0..3 {
        uris.push(artifacts.put(&alice, "text/plain", vec![0; 100]).await.unwrap());
    }
    // 300 bytes are above the owner's 250.
    let kept = artifacts.list(&alice, 10).await.unwrap();
    assert_eq!(kept.iter().map(|it| &it.uri).collect::<Vec<_>>(), [&uris[2], &uris[1]], "newest first");
    for _ in 0..5 {
        artifacts.put(&bob, "text/plain", vec![0; 10]).await.unwrap();
    }
    assert_eq!(artifacts.list(&bob, 10).await.unwrap().len(), 4, "four by count");
    let carol = user("carol", &[]);
    for _ in 0..2 {
        artifacts.put(&carol, "text/plain", vec![0; 100]).await.unwrap();
    }
    // 200 + 40 + 200 bytes are above the total of 400: alice's oldest goes.
    assert_eq!(artifacts.list(&alice, 10).await.unwrap().len(), 1);
    assert_eq!(files(&room), 1 + 4 + 2, "files go with their rows");
    assert_eq!(code(artifacts.put(&alice, "text/plain", vec![0; 101]).await), "overloaded");
    assert_eq!(files(&room), 7);
}

#[tokio::test]
async fn artifacts_expire_with_their_files() {
    let room = Room::new();
    let artifacts = open(&room);
    let alice = user("alice", &[]);
    let uri = artifacts.put(&alice, "text/plain", b"x".to_vec()).await.unwrap();
    room.pass(Duration::from_secs(60));
    assert_eq!(code(artifacts.get(&alice, &uri, 0, 1).await), "not_found");
    assert!(artifacts.list(&alice, 1).await.unwrap().is_empty());
    assert_eq!(artifacts.sweep().unwrap(), 1);
    assert_eq!(files(&room), 0);
}

#[tokio::test]
async fn what_a_crash_left_half_done_is_removed_when_it_is_old() {
    let room = Room::new();
    let artifacts = open(&room);
    let alice = user("alice", &[]);
    artifacts.put(&alice, "text/plain", b"x".to_vec()).await.unwrap();
    let folder = fs::read_dir(room.data.artifacts()).unwrap().next().unwrap().unwrap().path();
    let (old, young, other) =
        (folder.join("0".repeat(32)), folder.join("1".repeat(32)), folder.join("README"));
    for path in [&old, &young, &other] {
        fs::write(path, "").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    for path in fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).filter(|it| *it != young) {
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    drop(open(&room));
    assert!(!old.exists() && young.exists() && other.exists());
    assert_eq!(artifacts.list(&alice, 10).await.unwrap().len(), 1);
    assert_eq!(files(&room), 3);
}

#[tokio::test]
async fn only_plain_media_types_are_kept() {
    let room = Room::new();
    let artifacts = open(&room);
    let alice = user("alice", &[]);
    let table = [
        ("application/json", "application/json"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("", "application/octet-stream"),
        ("text/html\r\nX-Evil: 1", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
    ];
    for (mime, expected) in table {
        let uri = artifacts.put(&alice, mime, Vec::new()).await.unwrap();
        assert_eq!(artifacts.get(&alice, &uri, 0, 1).await.unwrap().mime, expected);
    }
}

#[tokio::test]
async fn the_whole_state_opens_twice_and_closes_at_once() {
    let room = Room::new();
    let first = State::open(&room.data, StateOptions::default()).unwrap();
    let second = State::open(&room.data, StateOptions::default()).unwrap();
    let alice = user("alice", &[]);
    let uri = first.artifacts.put(&alice, "text/plain", b"x".to_vec()).await.unwrap();
    assert_eq!(second.artifacts.get(&alice, &uri, 0, 1).await.unwrap().bytes, b"x");
    drop((first, second));
}
