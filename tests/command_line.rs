//! The shapes that scripts rely on: what goes to stdout, what to stderr, and with which exit code.

use std::{fs, path::Path};

use blackbox::Site;
use serde_json::{Value, json};

#[test]
fn quickstart_prints_one_object_and_nothing_else() {
    let site = Site::empty();
    let root = site.root().to_string_lossy().into_owned();
    let ended = site.cli(&["quickstart", "--target", &root, "--no-serve", "--yes", "--output", "json"]).ok();
    let report = ended.json();
    assert!(report["token"].as_str().is_some_and(|it| it.len() >= 32), "{report}");
    assert!(report["url"].as_str().is_some_and(|it| it.starts_with("http://127.0.0.1:")), "{report}");
    assert_eq!(report["data_dir"], json!(site.data_dir()), "{report}");
    let findings = report["report"]["findings"].as_array().expect("the scan's findings");
    assert!(findings.iter().any(|it| it.to_string().contains("settings.py")), "{report}");
    assert!(!ended.stdout.contains("Z7QK2MB4VN3XWJ5H"), "the found secret itself is printed");
}

#[test]
fn quickstart_again_keeps_what_is_there() {
    let site = Site::new();
    let config = site.data_dir().join("core.toml");
    let text = fs::read_to_string(&config).expect("a config") + "\n# mine\n";
    fs::write(&config, &text).expect("the config can be changed");
    let root = site.root().to_string_lossy().into_owned();
    let again =
        site.cli(&["quickstart", "--target", &root, "--no-serve", "--yes", "--output", "json"]).ok().json();
    assert_eq!(fs::read_to_string(&config).expect("a config"), text);
    let works =
        |token: &str| site.cli_as(token, &["call", "desktop-commander.read_file", "file_path=note.txt"]).code;
    assert_eq!(works(again["token"].as_str().expect("a token")), 0);
    assert_eq!(works(&site.admin), 0, "the first token still works");
}

#[test]
fn the_data_directory_is_private_and_holds_no_token() {
    let site = Site::new();
    site.cli(&["call", "desktop-commander.read_file", "file_path=note.txt"]).ok();
    let facts = fs::metadata(site.data_dir()).expect("it is there");
    let mode = std::os::unix::fs::PermissionsExt::mode(&facts.permissions());
    assert_eq!(mode & 0o077, 0, "others can look into it: {mode:o}");
    let secret = site.admin.rsplit('_').next().expect("a token").as_bytes();
    let mut waiting = vec![site.data_dir()];
    let mut seen = 0;
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("a folder").flatten().map(|it| it.path()));
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        seen += 1;
        assert!(!bytes.windows(secret.len()).any(|it| it == secret), "{} holds the token", path.display());
    }
    assert!(seen > 3, "only {seen} files were looked at");
}

#[test]
fn serve_says_where_on_its_first_line() {
    let site = Site::new();
    let serving = site.serve();
    assert!(serving.address.starts_with("127.0.0.1:"), "{}", serving.address);
    let health =
        serving.connect().exchange(&format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n", serving.address), b"");
    assert_eq!(health.status, 200);
    let metrics = |token: &str| {
        let head = format!(
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n",
            serving.address
        );
        serving.connect().exchange(&head, b"")
    };
    assert_eq!(metrics(&site.admin).status, 200);
    assert_ne!(metrics("cmcp_wrong").status, 200, "metrics name users and tools");
    assert_eq!(serving.stop(), 0);
}

#[test]
fn serve_in_json_says_where_as_listen() {
    let site = Site::new();
    let command = site.command(&["serve", "--listen", "127.0.0.1:0", "--output", "json"]);
    let serving = blackbox::Serving::start(command);
    assert!(serving.address.contains(':'));
    assert_eq!(serving.stop(), 0);
}

#[test]
fn call_prints_the_result_and_nothing_else() {
    let site = Site::new();
    let serving = site.serve();
    let url = format!("http://{}", serving.address);
    let arguments = json!({ "file_path": site.path("note.txt") }).to_string();
    let path = format!("file_path={}", site.path("note.txt"));
    let embedded = site.cli(&["call", "desktop-commander.read_file", &path, "--output", "json"]).ok();
    let by_json =
        site.cli(&["call", "desktop-commander.read_file", "--json", &arguments, "--output", "json"]).ok();
    let remote =
        site.cli(&["call", "desktop-commander.read_file", &path, "--url", &url, "--output", "json"]).ok();
    assert!(embedded.json().to_string().contains("a note"), "{embedded:?}");
    assert_eq!(embedded.json(), by_json.json());
    assert_eq!(embedded.json(), remote.json(), "the same call gives the same result through every door");
}

#[test]
fn each_failure_has_its_exit_code() {
    let site = Site::new();
    let viewer = site.token_for("vera", "viewer");
    let check = |token: &str, args: &[&str], code: i32, error: &str| {
        let ended = site.cli_as(token, &[args, &["--output", "json"]].concat());
        assert_eq!((ended.code, ended.error_code().as_str()), (code, error), "{args:?}: {ended:?}");
        assert_eq!(ended.stdout.trim(), "", "{args:?}: a failure prints nothing for programs");
    };
    let write = ["call", "desktop-commander.write_file", "file_path=x.txt", "content=x"];
    check("cmcp_wrong", &write, 3, "authentication_failed");
    check(&viewer, &write, 4, "permission_denied");
    check(
        &site.admin,
        &["call", "desktop-commander.read_file", "file_path=/etc/passwd"],
        2,
        "validation_failed",
    );
    check(&site.admin, &["call", "desktop-commander.read_file", "file_path=gone.txt"], 1, "not_found");
    check(&site.admin, &["call", "desktop-commander.no_such_tool"], 1, "not_found");
    check(&site.admin, &["call", "no-such-server.tool"], 1, "not_found");
    assert_eq!(site.cli(&["call", "desktop-commander.read_file", "--no-such-flag"]).code, 2);
    assert_eq!(site.cli(&["no-such-command"]).code, 2);
}

#[test]
fn a_rate_that_is_used_up_has_exit_code_five_in_every_process() {
    let site = Site::new().with("CORE_MCP__TUNING__RATE_PER_MINUTE", "3");
    let serving = site.serve();
    let url = format!("http://{}", serving.address);
    let codes: Vec<i32> = (0..8)
        .map(|_| site.cli(&["call", "desktop-commander.read_file", "file_path=note.txt", "--url", &url]).code)
        .collect();
    assert!(codes.starts_with(&[0, 0, 0]) && codes.ends_with(&[5]), "{codes:?}");
}

#[test]
fn tools_and_servers_have_the_promised_fields() {
    let site = Site::new();
    let tools = site.cli(&["tools", "--output", "json"]).ok().json();
    for tool in tools.as_array().expect("a list") {
        for key in [
            "server",
            "name",
            "qualified_name",
            "description",
            "input_schema",
            "output_schema",
            "annotations",
            "permission",
        ] {
            assert_ne!(tool[key], Value::Null, "{key} of {tool}");
        }
        let qualified = format!(
            "{}.{}",
            tool["server"].as_str().unwrap_or_default(),
            tool["name"].as_str().unwrap_or_default()
        );
        assert_eq!(tool["qualified_name"], json!(qualified));
    }
    let names: Vec<&str> =
        tools.as_array().expect("a list").iter().filter_map(|it| it["qualified_name"].as_str()).collect();
    for name in ["desktop-commander.execute_command", "security-scanner.file_security_scan"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let one = site.cli(&["tools", "security-scanner", "--output", "json"]).ok().json();
    assert!(one.as_array().expect("a list").iter().all(|it| it["server"] == "security-scanner"), "{one}");

    let servers = site.cli(&["servers", "--output", "json"]).ok().json();
    for server in servers.as_array().expect("a list") {
        for key in ["name", "version", "category", "aliases", "status"] {
            assert_ne!(server[key], Value::Null, "{key} of {server}");
        }
        assert!(server.as_object().expect("an object").contains_key("reason"), "{server}");
    }
}

#[test]
fn audit_verify_has_the_promised_fields() {
    let site = Site::new();
    let report = site.cli(&["audit", "verify", "--output", "json"]).ok().json();
    assert_eq!(report["ok"], true);
    assert!(report["records"].as_u64().is_some_and(|it| it > 0), "{report}");
    assert!(report.as_object().expect("an object").contains_key("first_bad"), "{report}");
}

#[test]
fn every_command_explains_itself() {
    let site = Site::empty();
    let help = site.cli(&["--help"]).ok();
    for command in [
        "quickstart",
        "serve",
        "stdio",
        "call",
        "servers",
        "tools",
        "context",
        "audit",
        "policy",
        "user",
        "role",
        "token",
        "config",
        "doctor",
    ] {
        assert!(help.stdout.contains(command), "{command} is not in the help");
        let own = site.cli(&[command, "--help"]).ok();
        assert!(own.stdout.contains("Usage"), "{command}: {own:?}");
    }
    assert!(help.stdout.contains("CORE_MCP_TOKEN") && help.stdout.contains("Exit codes"), "{help:?}");
    let version = site.cli(&["--version"]).ok();
    assert!(version.stdout.starts_with("core-mcp "), "{version:?}");
}

#[test]
fn before_quickstart_every_command_says_what_to_do() {
    let site = Site::empty();
    for args in [
        &["serve"][..],
        &["tools"],
        &["call", "desktop-commander.read_file", "file_path=x"],
        &["audit", "verify"],
    ] {
        let ended = site.cli(args);
        assert_ne!(ended.code, 0, "{args:?}");
        assert!(ended.stderr.contains("quickstart"), "{args:?} does not say what to do: {ended:?}");
        assert!(!Path::new(&site.data_dir()).join("audit.db").exists(), "{args:?} made a data directory");
    }
}

#[test]
fn contexts_open_and_close_servers() {
    let site = Site::new();
    let id = "shift-7";
    site.cli(&["context", "create", id]).ok();
    let call =
        || site.cli(&["call", "desktop-commander.read_file", "file_path=note.txt", "--context", id]).code;
    assert_ne!(call(), 0, "nothing is enabled yet");
    site.cli(&["context", "enable", id, "desktop-commander"]).ok();
    assert_eq!(call(), 0);
    site.cli(&["context", "disable", id, "desktop-commander"]).ok();
    assert_ne!(call(), 0);
    let shown = site.cli(&["context", "show", id, "--output", "json"]).ok();
    assert!(shown.stdout.contains("desktop-commander.read_file"), "the history is kept: {shown:?}");
    site.cli(&["context", "delete", id]).ok();
    assert_ne!(call(), 0);
}
