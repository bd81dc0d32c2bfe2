//! Tokens in, principals out; and what an operator may and may not change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use identity::{IdentityError, IdentityStore, Lifetime, NewToken, TOKEN_LENGTH, TokenOptions, TokenState};
use kernel::{ErrorKind, Principal, PrincipalKind, Secret};
use pipeline::seams::Identity;
use proptest::prelude::*;
use store::{Clock, DataDir};
use tempfile::TempDir;

/// Noon of some day, in seconds.
const NOON: i64 = 1_790_000_000;
const DAY: i64 = 24 * 3600;

struct World {
    dir: TempDir,
    now: Arc<AtomicI64>,
    identities: IdentityStore,
}

fn world() -> World {
    let dir = tempfile::tempdir().expect("a folder");
    let now = Arc::new(AtomicI64::new(NOON));
    let identities = open(&dir, &now).expect("it opens");
    World { dir, now, identities }
}

fn open(dir: &TempDir, now: &Arc<AtomicI64>) -> Result<IdentityStore, IdentityError> {
    let now = Arc::clone(now);
    let clock = Clock::from_fn(move || now.load(Ordering::Relaxed) * 1_000_000);
    IdentityStore::open_at(&DataDir::open(dir.path()).expect("a data directory"), clock)
}

impl World {
    /// A principal with one role and one token.
    fn somebody(&self, id: &str, role: &str) -> NewToken {
        self.identities.create_principal(id, PrincipalKind::User).expect("made");
        self.identities.grant_role(id, role).expect("granted");
        self.identities.create_token(id, &TokenOptions::default()).expect("made")
    }

    fn who(&self, token: &NewToken) -> Option<Arc<Principal>> {
        who(&self.identities, token.secret.expose())
    }

    /// The same files, as another process would open them.
    fn elsewhere(&self) -> IdentityStore {
        open(&self.dir, &self.now).expect("it opens")
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn who(identities: &IdentityStore, token: &str) -> Option<Arc<Principal>> {
    match identities.authenticate(&Secret::new(token.to_owned())) {
        Ok(principal) => Some(principal),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::AuthenticationFailed);
            assert_eq!(error.message, "the token is not valid");
            assert_eq!(error.hints.len(), 1, "every refusal looks alike");
            None
        }
    }
}

#[test]
fn a_token_proves_its_principal() {
    let world = world();
    let token = world.somebody("ana", "viewer");
    world.identities.grant_role("ana", "operator").expect("granted");
    let principal = world.who(&token).expect("it is valid");
    assert_eq!((principal.id.as_str(), principal.kind), ("ana", PrincipalKind::User));
    assert_eq!(principal.roles, ["operator", "viewer"]);
    assert_eq!(principal.token_id.as_deref(), Some(token.info.id.as_str()));
    let told = world.identities.whoami(&token.secret).expect("known");
    assert_eq!((told.principal.id.as_str(), told.token.state), ("ana", TokenState::Active));
}

#[test]
fn every_other_text_is_refused_alike() {
    let world = world();
    let token = world.somebody("ana", "viewer");
    let text = token.secret.expose().clone();
    let other = world.identities.create_token("ana", &TokenOptions::default()).expect("made");
    let stranger = self::world().somebody("ana", "viewer");
    assert!(world.who(&stranger).is_none(), "well-formed, and from another installation");
    let mixed = format!("{}{}", &text[..14], &other.secret.expose()[14..]);
    for wrong in [
        "",
        "cmcp_",
        &text[1..],
        &text[..TOKEN_LENGTH - 1],
        &format!("{text} "),
        &format!(" {text}"),
        &text.to_uppercase(),
        &mixed,
        &"x".repeat(1_000_000),
        "' OR 1=1 --",
        "cmcp_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_00000000",
    ] {
        assert!(who(&world.identities, wrong).is_none());
    }
    assert!(world.who(&token).is_some());
}

#[test]
fn a_token_ends_when_it_expires_is_revoked_or_its_principal_goes() {
    let world = world();
    let [expiring, revoked, disabled, deleted] =
        ["expiring", "revoked", "disabled", "deleted"].map(|id| world.somebody(id, "viewer"));
    world.identities.revoke_token(&revoked.info.id).expect("revoked");
    world.identities.disable_principal("disabled").expect("disabled");
    world.identities.delete_principal("deleted").expect("deleted");
    for ended in [&revoked, &disabled, &deleted] {
        assert!(world.who(ended).is_none());
    }
    world.identities.enable_principal("disabled").expect("enabled");
    assert!(world.who(&disabled).is_some());
    assert!(matches!(world.identities.enable_principal("deleted"), Err(IdentityError::Unknown { .. })));

    world.pass(90 * DAY - 1);
    assert!(world.who(&expiring).is_some(), "one second before");
    world.pass(1);
    assert!(world.who(&expiring).is_none(), "at the second");
    assert_eq!(world.identities.list_tokens(Some("expiring")).expect("listed")[0].state, TokenState::Expired);
}

#[test]
fn a_lifetime_is_bounded_and_never_endless() {
    let world = world();
    world.somebody("ana", "viewer");
    let days = |lifetime| {
        let options = TokenOptions { label: "x".into(), lifetime };
        let token = world.identities.create_token("ana", &options).ok()?;
        Some((token.info.expires_at - token.info.created_at) / DAY)
    };
    assert_eq!(days(Lifetime::Standard), Some(90));
    assert_eq!(days(Lifetime::Days(365)), Some(365));
    assert_eq!(days(Lifetime::Days(366)), None);
    assert_eq!(days(Lifetime::Days(0)), None);
    assert_eq!(days(Lifetime::LongDays(3650)), Some(3650));
    assert_eq!(days(Lifetime::LongDays(3651)), None);
}

#[test]
fn a_rotation_overlaps_and_then_only_the_new_one_works() {
    let world = world();
    let old = world.somebody("ana", "viewer");
    let new = world.identities.rotate_token(&old.info.id, Duration::from_secs(3600)).expect("rotated");
    assert!(world.who(&old).is_some() && world.who(&new).is_some());
    assert!(matches!(
        world.identities.rotate_token(&old.info.id, Duration::ZERO),
        Err(IdentityError::Spent { .. })
    ));
    world.pass(3600);
    assert!(world.who(&old).is_none());
    assert!(world.who(&new).is_some());
    let old = world
        .identities
        .list_tokens(Some("ana"))
        .expect("listed")
        .into_iter()
        .find(|it| it.id == old.info.id);
    assert_eq!(old.and_then(|it| it.replaced_by), Some(new.info.id.clone()));
    let at_once = world.identities.rotate_token(&new.info.id, Duration::ZERO).expect("rotated");
    assert!(world.who(&new).is_none() && world.who(&at_once).is_some());
    assert!(world.identities.rotate_token(&at_once.info.id, Duration::from_secs(8 * 24 * 3600)).is_err());
    assert!(matches!(
        world.identities.rotate_token("00000000", Duration::ZERO),
        Err(IdentityError::Unknown { .. })
    ));
}

#[test]
fn the_overlap_never_lengthens_a_token() {
    let world = world();
    world.somebody("ana", "viewer");
    let options = TokenOptions { lifetime: Lifetime::Days(1), ..TokenOptions::default() };
    let old = world.identities.create_token("ana", &options).expect("made");
    world.identities.rotate_token(&old.info.id, Duration::from_secs(7 * 24 * 3600)).expect("rotated");
    world.pass(DAY);
    assert!(world.who(&old).is_none());
}

#[test]
fn the_last_enabled_admin_stays() {
    let world = world();
    world.somebody("solo", "admin");
    let last = |result: Result<(), IdentityError>| matches!(result, Err(IdentityError::LastAdmin { .. }));
    let ids = &world.identities;
    assert!(last(ids.disable_principal("solo").map(drop)));
    assert!(last(ids.delete_principal("solo")));
    assert!(last(ids.revoke_role("solo", "admin").map(drop)));
    assert!(ids.principal("solo").expect("still there").enabled);

    world.somebody("second", "admin");
    ids.disable_principal("second").expect("the first is left");
    assert!(last(ids.delete_principal("solo")), "a disabled admin administers nothing");
    ids.enable_principal("second").expect("enabled");
    ids.delete_principal("solo").expect("the second is left");
    assert!(last(ids.revoke_role("second", "admin").map(drop)));
    world.somebody("viewer", "viewer");
    ids.delete_principal("viewer").expect("no admin is touched");
}

#[test]
fn without_any_admin_the_others_can_still_be_changed() {
    let world = world();
    world.somebody("ana", "viewer");
    world.identities.disable_principal("ana").expect("nobody is in charge yet");
}

#[test]
fn a_name_is_given_out_once() {
    let world = world();
    let taken = |id| {
        matches!(
            world.identities.create_principal(id, PrincipalKind::Agent),
            Err(IdentityError::Taken { .. })
        )
    };
    world.somebody("ana", "viewer");
    assert!(taken("ana"));
    world.identities.delete_principal("ana").expect("deleted");
    assert!(taken("ana"), "its audit records and artifacts are still there");
    assert!(world.identities.list_principals().expect("listed").is_empty());
    assert!(world.identities.create_principal("Ana", PrincipalKind::User).is_err());
    assert!(world.identities.create_principal("../x", PrincipalKind::User).is_err());
}

#[test]
fn roles_of_ones_own_can_be_made_granted_and_deleted() {
    let world = world();
    let ids = &world.identities;
    ids.create_role("releaser", "starts pipelines").expect("made");
    let token = world.somebody("ana", "releaser");
    assert_eq!(world.who(&token).expect("valid").roles, ["releaser"]);
    assert!(matches!(ids.delete_role("releaser"), Err(IdentityError::RoleInUse { .. })));
    assert!(matches!(ids.delete_role("admin"), Err(IdentityError::RoleInUse { .. })));
    assert!(matches!(ids.create_role("releaser", ""), Err(IdentityError::Taken { .. })));
    assert!(matches!(ids.grant_role("ana", "absent"), Err(IdentityError::Unknown { what: "role", .. })));
    ids.revoke_role("ana", "releaser").expect("taken");
    ids.delete_role("releaser").expect("nobody has it");
    assert_eq!(ids.list_roles().expect("listed").len(), 4);
}

#[test]
fn a_session_ends_with_its_token_and_with_a_change_of_roles() {
    let world = world();
    let token = world.somebody("ana", "viewer");
    let before = world.who(&token).expect("valid");
    assert!(world.identities.still_valid(&before));
    world.identities.grant_role("ana", "operator").expect("granted");
    assert!(!world.identities.still_valid(&before), "the roles it knows are not the roles it has");
    let after = world.who(&token).expect("valid");
    assert!(world.identities.still_valid(&after));
    let inner = Principal { token_id: None, ..Principal::clone(&after) };
    assert!(world.identities.still_valid(&inner));
    world.identities.revoke_token(&token.info.id).expect("revoked");
    assert!(!world.identities.still_valid(&after));
    assert!(world.identities.still_valid(&inner), "the principal itself is still good");
    world.identities.disable_principal("ana").expect("disabled");
    assert!(!world.identities.still_valid(&inner));
}

#[test]
fn another_process_sees_a_new_token_and_a_revocation_soon() {
    let world = world();
    let other = world.elsewhere();
    let token = world.somebody("ana", "viewer");
    let text = token.secret.expose();
    let until = |wanted: bool| {
        let start = Instant::now();
        while who(&other, text).is_some() != wanted {
            assert!(start.elapsed() < Duration::from_secs(20), "it never noticed");
            std::thread::yield_now();
        }
    };
    until(true);
    world.identities.revoke_token(&token.info.id).expect("revoked");
    until(false);
    world.identities.enable_principal("ana").expect("nothing to do");
    until(false);
}

#[test]
fn the_last_use_is_written_down_once_a_minute() {
    let world = world();
    let token = world.somebody("ana", "viewer");
    for _ in 0..100 {
        world.who(&token).expect("valid");
    }
    world.pass(600);
    world.who(&token).expect("valid");
    let World { dir, now, identities } = world;
    assert_eq!(identities.list_tokens(Some("ana")).expect("listed").len(), 1);
    drop(identities);
    let again = open(&dir, &now).expect("it opens");
    let listed = again.list_tokens(Some("ana")).expect("listed");
    assert_eq!(listed[0].last_used_at, Some(NOON + 600), "what waited was written before the end");
}

#[test]
fn the_database_alone_proves_nothing_and_a_foreign_key_is_noticed() {
    let world = world();
    let token = world.somebody("ana", "viewer");
    let files = std::fs::read_dir(world.dir.path()).expect("listed").filter_map(|it| it.ok());
    for file in files.filter(|it| it.path().is_file()) {
        let bytes = std::fs::read(file.path()).expect("read");
        let random = &token.secret.expose().as_bytes()[14..57];
        assert!(!bytes.windows(random.len()).any(|window| window == random), "{:?}", file.path());
    }
    assert!(!format!("{token:?}").contains(token.secret.expose()));
    let key = world.dir.path().join("keys/token.key");
    std::fs::write(&key, [7_u8; 32]).expect("written");
    assert!(matches!(open(&world.dir, &world.now), Err(IdentityError::ForeignKey)));
    std::fs::write(&key, [7_u8; 31]).expect("written");
    assert!(matches!(open(&world.dir, &world.now), Err(IdentityError::DamagedKey)));
}

#[cfg(unix)]
#[test]
fn the_files_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let world = world();
    for file in ["identity.db", "keys/token.key"] {
        let mode = std::fs::metadata(world.dir.path().join(file)).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_principal_has_a_bounded_number_of_tokens() {
    let world = world();
    world.somebody("ana", "viewer");
    for _ in 1..50 {
        world.identities.create_token("ana", &TokenOptions::default()).expect("made");
    }
    let refused = world.identities.create_token("ana", &TokenOptions::default());
    assert!(matches!(refused, Err(IdentityError::Limit { max: 50, .. })));
}

#[test]
fn tokens_that_ended_long_ago_are_forgotten() {
    let world = world();
    let mut token = world.somebody("ana", "viewer");
    let other = world.somebody("ben", "viewer");
    for _ in 0..210 {
        token = world.identities.rotate_token(&token.info.id, Duration::ZERO).expect("rotated");
    }
    let listed = world.identities.list_tokens(Some("ana")).expect("listed");
    assert_eq!(listed.len(), 202, "200 ended ones, the last old one and the working one");
    assert_eq!(listed.iter().filter(|it| it.state == TokenState::Active).count(), 1);
    assert!(world.who(&token).is_some() && world.who(&other).is_some());
}

#[test]
fn every_refusal_tells_the_next_step() {
    let world = world();
    world.somebody("solo", "admin");
    let ids = &world.identities;
    let errors = [
        ids.create_principal("X", PrincipalKind::User).map(drop),
        ids.create_principal("solo", PrincipalKind::User).map(drop),
        ids.principal("absent").map(drop),
        ids.delete_principal("solo"),
        ids.delete_role("viewer"),
        ids.rotate_token("00000000", Duration::ZERO).map(drop),
    ];
    for error in errors {
        let error: kernel::ToolError = error.expect_err("refused").into();
        assert!(!error.hints.is_empty() || error.field.is_some(), "{error}");
        assert!(!error.message.ends_with('.'), "{error}");
    }
}

#[test]
fn many_threads_get_the_right_answer_while_tokens_come_and_go() {
    let world = world();
    let stays = world.somebody("stays", "viewer");
    let text = stays.secret.expose();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    assert!(who(&world.identities, text).is_some_and(|it| it.id == "stays"));
                }
            });
        }
        scope.spawn(|| {
            for number in 0..10 {
                let goes = world.somebody(&format!("goes{number}"), "viewer");
                world.identities.revoke_token(&goes.info.id).expect("revoked");
                assert!(world.who(&goes).is_none());
            }
        });
    });
}

proptest! {
    #[test]
    fn no_guess_gets_in(guess in "(cmcp_[0-9a-f]{8}_[A-Za-z0-9_-]{43}_[0-9a-f]{8}|.{0,80})") {
        use std::sync::LazyLock;
        static WORLD: LazyLock<World> = LazyLock::new(|| {
            let world = world();
            world.somebody("ana", "admin");
            world
        });
        prop_assert!(who(&WORLD.identities, &guess).is_none());
    }
}

#[test]
fn the_key_can_be_replaced_and_tokens_that_are_used_meanwhile_work_for_good() {
    let world = world();
    let (used, unused) = (world.somebody("ann", "viewer"), world.somebody("bob", "viewer"));
    let elsewhere = world.elsewhere();
    elsewhere.replace_key(Duration::from_secs(3600)).expect("replaced");
    // Another process finds its way to the new key, and to the old one while it is good.
    let fresh = elsewhere.create_token("ann", &TokenOptions::default()).expect("made");
    let until = |what: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !what() {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not come");
            std::thread::yield_now();
        }
    };
    until(&|| world.who(&fresh).is_some());
    assert!(world.who(&used).is_some() && world.who(&unused).is_some());
    // The used one is kept under the new key soon: after the overlap it is found there alone.
    let ann = used.secret.expose().clone();
    until(&|| {
        let late = open_late(&world);
        who(&late, &ann).is_some()
    });
    // `unused` was used once above, so a third token shows what happens to one that never was.
    let never = world.somebody("eve", "viewer");
    world.elsewhere().replace_key(Duration::ZERO).expect("replaced");
    until(&|| world.who(&never).is_none());
    let path = world.dir.path().join("keys/token.key");
    let good = std::fs::read(&path).expect("the key");
    std::fs::write(&path, &good[..40]).expect("written");
    assert!(matches!(open(&world.dir, &world.now), Err(IdentityError::DamagedKey)));
    std::fs::write(&path, [7; 32]).expect("written");
    assert!(matches!(open(&world.dir, &world.now), Err(IdentityError::ForeignKey)));
    std::fs::write(&path, &good).expect("written");
    assert!(open(&world.dir, &world.now).is_ok());
    let too_long = world.identities.replace_key(Duration::from_secs(401 * 24 * 3600));
    assert!(matches!(too_long, Err(IdentityError::Invalid { field: "overlap", .. })));
}

/// The same files two hours later.
fn open_late(world: &World) -> IdentityStore {
    let late = Arc::new(AtomicI64::new(world.now.load(Ordering::Relaxed) + 7200));
    open(&world.dir, &late).expect("it opens")
}

#[test]
fn a_replacement_that_ended_half_way_is_finished_by_the_next_start() {
    let world = world();
    let token = world.somebody("ann", "viewer");
    let database = rusqlite::Connection::open(world.dir.path().join("identity.db")).expect("it opens");
    let before: Vec<u8> = database
        .query_row("SELECT value FROM facts WHERE name = 'token_key'", [], |row| row.get(0))
        .expect("it is there");
    world.elsewhere().replace_key(Duration::from_secs(3600)).expect("replaced");
    // As if the power had gone after the file and before the database.
    let changed = database.execute("UPDATE facts SET value = ?1 WHERE name = 'token_key'", [before]);
    assert_eq!(changed, Ok(1));
    assert!(who(&world.elsewhere(), token.secret.expose()).is_some());
    let after: Vec<u8> = database
        .query_row("SELECT value FROM facts WHERE name = 'token_key'", [], |row| row.get(0))
        .expect("it is there");
    assert_eq!(after.len(), 32);
    assert!(world.elsewhere().create_token("ann", &TokenOptions::default()).is_ok());
}
