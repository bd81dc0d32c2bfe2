//! The layers of config and their order: built in, system file, data directory, `--config`, variables, flags.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use pipeline::{LimitOverrides, Tuning};
use serde_json::Value;

use super::{
    Node, Origin, Settings,
    check::{self, Problem},
    layers::parse_toml,
    schema, variables,
};

/// What the file is called in the data directory.
pub(crate) const FILE_NAME: &str = "core.toml";

/// Largest config file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where config may come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The machine's file; may be absent.
    pub(crate) system: Option<PathBuf>,
    /// The data directory's file; may be absent.
    pub(crate) user: Option<PathBuf>,
    /// `--config`; must exist.
    pub(crate) extra: Option<PathBuf>,
    /// `CORE_MCP__SECTION__KEY` variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Values set by flags: dotted key, value, the flag.
    pub(crate) flags: Vec<(&'static [&'static str], Value, &'static str)>,
}

impl Sources {
    /// The files, in the order they are laid over each other.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.system, &self.user, &self.extra].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Config that passed every check.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The typed values.
    pub(crate) settings: Settings,
    /// The same values with their origins.
    pub(crate) tree: Node,
}

/// Reads and checks every layer. All problems are reported at once.
pub(crate) fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let schema = schema();
    let mut problems = Vec::new();
    let mut tree = Node::from_value(built_in(), &Origin::BuiltIn);
    for file in sources.files() {
        let required = sources.extra.as_deref() == Some(file);
        match read(file, required) {
            Ok(Some(node)) => tree.overlay(node),
            Ok(None) => {}
            Err(found) => problems.extend(found),
        }
    }
    tree.overlay(variables::tree(&sources.variables, &schema, &mut problems));
    for (key, value, flag) in &sources.flags {
        let path: Vec<String> = key.iter().map(|it| (*it).to_owned()).collect();
        tree.overlay(Node::at(&path, value.clone(), Origin::Flag(flag)));
    }
    match check::settings(&tree, &schema, &mut problems) {
        Some(settings) if problems.is_empty() => Ok(Loaded { settings, tree }),
        _ => Err(problems),
    }
}

/// Every default, so that `config explain` can show what is in force when nobody set anything.
fn built_in() -> Value {
    let settings = Settings {
        tuning: Tuning { defaults: documented_defaults(), ..Tuning::default() },
        ..Settings::default()
    };
    serde_json::to_value(settings).expect("settings are plain data")
}

/// The documents' default column. `semaphore` stays unset: each server brings its own (scanners 3).
fn documented_defaults() -> LimitOverrides {
    let Some(entry) = catalog::native_servers().into_iter().next() else { return LimitOverrides::default() };
    let limits = Tuning::default().limits(&entry.facts.into(), "");
    LimitOverrides {
        semaphore: None,
        queue: Some(limits.queue),
        cache_ttl_seconds: Some(limits.cache_ttl.as_secs()),
        breaker_threshold: Some(limits.breaker_threshold),
        breaker_open_seconds: Some(limits.breaker_open.as_secs()),
        rate_per_minute: Some(limits.rate_per_minute),
        retry_attempts: Some(limits.retry_attempts),
        deadline_seconds: Some(limits.deadline.as_secs()),
        result_bytes_max: Some(limits.result_bytes_max),
    }
}

fn read(path: &Path, required: bool) -> Result<Option<Node>, Vec<Problem>> {
    let problem = |message: String, fix: &str| {
        vec![Problem {
            origin: Origin::File { path: path.to_owned(), line: 1 },
            key: String::new(),
            message,
            fix: fix.into(),
        }]
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return Ok(None),
        Err(error) => {
            return Err(problem(
                format!("the file cannot be read: {error}"),
                "check the path and its permissions",
            ));
        }
    };
    let mut text = String::new();
    match file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text) {
        Ok(size) if size as u64 > FILE_BYTES_MAX => {
            Err(problem("the file is larger than 1 MiB".into(), "is this the right file?"))
        }
        Ok(_) => parse_toml(path, &text).map(Some),
        Err(error) => {
            Err(problem(format!("the file cannot be read: {error}"), "config files are UTF-8 text"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::template;

    /// Layers the texts as system, data directory and `--config` files.
    struct Files {
        folder: tempfile::TempDir,
        sources: Sources,
    }

    fn files(texts: [&str; 3]) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            Some(path)
        };
        let sources = Sources {
            system: write("system.toml", texts[0]),
            user: write("core.toml", texts[1]),
            extra: write("extra.toml", texts[2]),
            ..Sources::default()
        };
        Files { folder, sources }
    }

    fn problems(text: &str) -> Vec<String> {
        let files = files(["", text, ""]);
        let prefix = format!("{}/", files.folder.path().display());
        let found = load(&files.sources).err().unwrap_or_default();
        found.iter().map(|it| it.line().replace(&prefix, "")).collect()
    }

    #[test]
    fn each_layer_wins_over_the_one_before() {
        let mut files = files([
            "[tuning]\nqueue = 1\ncache_ttl_seconds = 1\nbreaker_threshold = 1\nrate_per_minute = 1\nretry_attempts = 1",
            "[tuning]\ncache_ttl_seconds = 2\nbreaker_threshold = 2\nrate_per_minute = 2\nretry_attempts = 2",
            "[tuning]\nbreaker_threshold = 3\nrate_per_minute = 3\nretry_attempts = 3",
        ]);
        files.sources.variables = vec![
            ("CORE_MCP__TUNING__RATE_PER_MINUTE".into(), "4".into()),
            ("CORE_MCP__TUNING__RETRY_ATTEMPTS".into(), "4".into()),
        ];
        files.sources.flags = vec![(&["tuning", "retry_attempts"], 5.into(), "--attempts")];
        let loaded = load(&files.sources).unwrap();
        let check = |key: &str, value: u64, origin: &str| {
            let node = loaded.tree.get(&["tuning", key]);
            assert_eq!(node.map(Node::to_value), Some(value.into()), "{key}");
            let found = loaded.tree.origin(&["tuning", key]).to_string();
            assert!(found.ends_with(origin), "{key} comes from {found}, not {origin}");
        };
        check("deadline_seconds", 30, "built in");
        check("queue", 1, "system.toml:2");
        check("cache_ttl_seconds", 2, "core.toml:2");
        check("breaker_threshold", 3, "extra.toml:2");
        check("rate_per_minute", 4, "CORE_MCP__TUNING__RATE_PER_MINUTE");
        check("retry_attempts", 5, "--attempts");
        assert_eq!(loaded.settings.tuning.defaults.retry_attempts, Some(5));
    }

    #[test]
    fn an_unset_key_takes_the_documented_default() {
        let loaded = load(&Sources::default()).unwrap();
        let defaults = loaded.settings.tuning.defaults;
        assert_eq!((defaults.queue, defaults.cache_ttl_seconds), (Some(1000), Some(600)));
        assert_eq!((defaults.breaker_threshold, defaults.rate_per_minute), (Some(5), Some(20)));
        assert_eq!(defaults.semaphore, None, "each server brings its own, scanners 3");
        assert_eq!(loaded.settings.server.listen, "127.0.0.1:7332");
    }

    #[test]
    fn the_template_has_no_problems_and_sets_the_recommended_column() {
        let text = template(&[Path::new("/srv/a \"quoted\" folder")], None);
        assert_eq!(problems(&text), Vec::<String>::new());
        let loaded = load(&files(["", &text, ""]).sources).unwrap();
        let (set, recommended) = (loaded.settings.tuning.defaults, Tuning::recommended().defaults);
        assert_eq!(set.semaphore, recommended.semaphore);
        assert_eq!(set.rate_per_minute, recommended.rate_per_minute);
        assert_eq!(loaded.settings.workspace.roots, [PathBuf::from("/srv/a \"quoted\" folder")]);
        let uncommented: String = text
            .lines()
            .map(|it| {
                it.strip_prefix("# [servers").map_or(it.to_owned(), |it| format!("[servers{it}")) + "\n"
            })
            .collect();
        assert_eq!(problems(&uncommented), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_reported_at_once_with_place_and_fix() {
        let found = problems(
            "[server]\nlistn = \"x\"\n[tuning]\nqueue = \"many\"\n[tuning.server.security-scanner]\nsemaphor = 3\n",
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "core.toml:2: server.listn: this key is unknown (did you mean `listen`?)");
        assert_eq!(
            found[1],
            "core.toml:6: tuning.server.security-scanner.semaphor: this key is unknown (did you mean `semaphore`?)"
        );
        assert!(found[2].starts_with("core.toml:4: tuning.queue: "), "{}", found[2]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |text: &str, key: &str| {
            let found = problems(text);
            assert!(found.len() == 1 && found[0].contains(key), "{text}: {found:?}");
        };
        check("[server]\nlisten = \"0.0.0.0:7332\"", "server.listen");
        check("[server]\nlisten = \"[::]:7332\"", "server.listen");
        check("[server]\nlisten = \"localhost\"", "server.listen");
        check("[server]\npublic_url = \"http://mcp.example.com\"", "server.public_url");
        check("[server]\npublic_url = \"https://mcp.example.com/x\"", "server.public_url");
        check("[server]\npublic_url = \"https://me@mcp.example.com\"", "server.public_url");
        check("[server.tls]\ncert_file = \"/c.pem\"", "server.tls");
        check("[server.tls]\ncert_file = \"c.pem\"\nkey_file = \"/k.pem\"", "server.tls.cert_file");
        check("[server.tls]\nclient_ca_file = \"/ca.pem\"", "server.tls.client_ca_file");
        check("[server.tls]\ncert_file = \"/c\"\nkey_file = \"/k\"\nclient_required = true", "server.tls");
        check(
            "[server.tls]\ncert_file = \"/c\"\nkey_file = \"/k\"\nclient_ca_file = \"/a\"\n\
             clients = [{ name = \"ci\", principal = \"ci\" }]",
            "server.tls.clients",
        );
        check(
            "[server]\npublic_url = \"https://a.example\"\n[auth.oauth.issuer.corp]\nurl = \"http://b.example\"\n\
             scope_roles = { a = [\"viewer\"] }",
            "auth.oauth.issuer.corp.url",
        );
        check(
            "[auth.oauth.issuer.corp]\nurl = \"https://b.example\"\nscope_roles = { a = [\"viewer\"] }",
            "auth.oauth.issuer",
        );
        check(
            "[server]\npublic_url = \"https://a.example\"\n[auth.oauth.issuer.corp]\nurl = \"https://b.example\"\n\
             scope_role = { a = [\"viewer\"] }",
            "did you mean `scope_roles`?",
        );
        check("[workspace]\nroots = [\"src\"]", "workspace.roots");
        check("[audit]\ndurability = \"never\"", "audit.durability");
        check("[audit]\nretention_days = 0", "audit.retention_days");
        check("[tuning]\nsemaphore = 11", "tuning.semaphore");
        check("[tuning]\nqueue = 10001", "tuning.queue");
        check("[tuning]\ncache_ttl_seconds = 3601", "tuning.cache_ttl_seconds");
        check("[tuning]\nbreaker_threshold = 21", "tuning.breaker_threshold");
        check("[tuning]\nrate_per_minute = 121", "tuning.rate_per_minute");
        check("[tuning]\nrate_per_minute = 0", "tuning.rate_per_minute");
        check(
            "[tuning.tool.\"desktop-commander.read_file\"]\nsemaphore = 11",
            "tuning.tool.\"desktop-commander.read_file\".semaphore",
        );
        check("[tuning.server.security-scaner]\nqueue = 1", "did you mean `security-scanner`?");
        check(
            "[tuning.tool.\"desktop-commander.read_fil\"]\nqueue = 1",
            "did you mean `desktop-commander.read_file`?",
        );
        check("[servers.security-scaner]\nenabled = true", "did you mean `security-scanner`?");
        check("[servers.security-scanner]\nenabled = \"yes\"", "servers.security-scanner.enabled");
    }

    #[test]
    fn an_accepted_risk_is_accepted() {
        assert_eq!(problems("[tuning]\nsemaphore = 11\nbeyond_documented = true"), Vec::<String>::new());
        assert_eq!(
            problems("[server]\nlisten = \"0.0.0.0:1\"\nbehind_tls_proxy = true"),
            Vec::<String>::new()
        );
        let tls = "[server]\nlisten = \"0.0.0.0:1\"\n[server.tls]\ncert_file = \"/c\"\nkey_file = \"/k\"";
        assert_eq!(problems(tls), Vec::<String>::new());
    }

    #[test]
    fn a_named_file_must_exist_and_the_others_need_not() {
        let nowhere = Some(PathBuf::from("/nowhere/core.toml"));
        assert!(load(&Sources { user: nowhere.clone(), ..Sources::default() }).is_ok());
        assert!(load(&Sources { extra: nowhere, ..Sources::default() }).is_err());
    }

    #[test]
    fn a_server_can_be_left_out() {
        let loaded = load(&files(["", "[servers.security-scanner]\nenabled = false", ""]).sources).unwrap();
        assert_eq!(loaded.settings.server_config("security-scanner"), None);
        assert_eq!(loaded.settings.server_config("desktop-commander"), Some(json!({})));
    }
}
