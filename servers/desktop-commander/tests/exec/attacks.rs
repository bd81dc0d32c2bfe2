//! Attacks on running commands: what the parser lets through by design, the sandbox must hold.

use std::{fs, net::TcpListener, os::unix::fs::symlink};

use serde_json::json;

use crate::desk::Desk;

#[tokio::test]
async fn refused_lines_run_nothing() {
    let desk = Desk::new().await;
    let out = desk.out();
    for (command, code) in [
        ("touch made; evil", "PROGRAM_NOT_ALLOWED"),
        ("touch made && sh -c id", "PROGRAM_NOT_ALLOWED"),
        ("touch made | evil", "PROGRAM_NOT_ALLOWED"),
        ("touch made\nevil", "SHELL_SYNTAX"),
        ("touch made & evil", "SHELL_SYNTAX"),
        ("touch made $(evil)", "SHELL_SYNTAX"),
        ("touch made; find . -delete", "ARG_REFUSED"),
        ("touch made; cat /etc/shadow", "PATH_OUTSIDE_ROOT"),
        ("touch made\0", "SHELL_SYNTAX"),
        ("PATH=. touch made", "ENV_REFUSED"),
    ] {
        assert_eq!(desk.code("execute_command", json!({"command": command})).await, code, "{command}");
    }
    for cwd in [out.to_str().unwrap(), "/", "..", "link"] {
        symlink(&out, desk.root().join("link")).ok();
        let code =
            desk.code("execute_command", json!({"command": "touch made", "working_directory": cwd})).await;
        assert!(["PATH_OUTSIDE_ROOT", "LINK_REFUSED"].contains(&code), "{cwd}: {code}");
    }
    let large = "a".repeat(1 << 20);
    assert_eq!(desk.code("execute_command", json!({"command": format!("touch {large}")})).await, "TOO_LARGE");
    assert!(!desk.root().join("made").exists());
}

#[tokio::test]
async fn an_allowed_program_cannot_reach_what_its_arguments_do_not_show() {
    let desk = Desk::new().await;
    let secret = desk.out().join("secret");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let out = desk.out();
    let out = out.display();
    // The launcher stays with the program as its parent; we are the process that started it.
    let us = std::process::id();
    let scripts = [
        ("read a file outside", format!("open F,'<','{}' or die; print <F>", secret.display())),
        ("read /etc/shadow", "open F,'<','/etc/shadow' or die; print <F>".to_owned()),
        ("write outside", format!("open F,'>','{out}/new' or die; print F 'x'")),
        ("remove outside", format!("unlink '{out}/secret' or die")),
        ("start a shell that writes outside", format!("system('echo x > {out}/new') == 0 or die")),
        (
            "connect",
            format!(
                "use Socket; socket(S,PF_INET,SOCK_STREAM,0) or die; connect(S,sockaddr_in({port},INADDR_LOOPBACK)) or die"
            ),
        ),
        (
            "read our environment",
            format!("open F,'<','/proc/{us}/environ' or die; print <F>; die unless $. > 0"),
        ),
        ("signal us", format!("kill(0, {us}) or die")),
        ("limit us", format!("$z = \"\\0\" x 16; syscall(302, {us}, 4, $z, 0) == 0 or die")),
        ("slow us down", format!("setpriority(0, {us}, 5) or die")),
        ("see inherited variables", "die unless $ENV{CARGO_MANIFEST_DIR}".to_owned()),
        ("become another user", "$< = 1000; die if $< != 1000; die".to_owned()),
    ];
    for (what, script) in scripts {
        desk.write("attack.pl", &script);
        let result = desk.run("perl attack.pl").await;
        assert_ne!(result["exit_code"], 0, "{what}: {result}");
        assert!(!result.to_string().contains("the secret"), "{what}");
    }
    assert_eq!(fs::read_dir(desk.out()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_makefile_cannot_write_outside_nor_start_what_outlives_it() {
    let desk = Desk::new().await;
    let out = desk.out();
    desk.write(
        "Makefile",
        &format!(
            "steal:\n\tcat {0}/secret\nwrite:\n\techo x > {0}/new\nlinger:\n\t(sleep 987 &) ; true\n",
            out.display()
        ),
    );
    for target in ["steal", "write"] {
        let result = desk.ok("make_command", json!({"target": target})).await;
        assert_eq!(result["exit_code"], 2, "{target}: {result}");
    }
    assert_eq!(desk.ok("make_command", json!({"target": "linger"})).await["exit_code"], 0);
    assert!(!out.join("new").exists());
    for (target, args) in [
        ("build", "SHELL=/bin/evil"),
        ("build", "-f /etc/passwd"),
        ("build", "; id"),
        ("-f", ""),
        ("X=$(shell id)", ""),
        ("build", "X='$(shell id)'"),
    ] {
        let code = desk.code("make_command", json!({"target": target, "args": args})).await;
        assert!(["ARG_REFUSED", "SHELL_SYNTAX"].contains(&code), "{target} {args}: {code}");
    }
}

#[tokio::test]
async fn a_redirect_through_a_link_made_later_leads_nowhere() {
    let desk = Desk::new().await;
    symlink(desk.out().join("new"), desk.root().join("way-out")).unwrap();
    let code = desk.code("execute_command", json!({"command": "echo x > way-out"})).await;
    assert!(["LINK_REFUSED", "PATH_OUTSIDE_ROOT"].contains(&code), "{code}");
    // The link comes to be between the judgement and the second program.
    desk.write("link.pl", &format!("symlink '{}', 'late' or die", desk.out().join("new").display()));
    let result = desk.run("perl link.pl && echo x > late").await;
    assert_ne!(result["exit_code"], 0, "{result}");
    assert!(!desk.out().join("new").exists());
    // Nor to what is inside and may not be changed.
    desk.sh("git init").await;
    desk.write("link.pl", "symlink '.git/config', 'later' or die");
    let result = desk.run("perl link.pl && echo x > later").await;
    assert_ne!(result["exit_code"], 0, "{result}");
    assert!(desk.read(".git/config").contains("[core]"));
}

#[tokio::test]
async fn a_fork_bomb_is_stopped() {
    let desk = Desk::with(json!({"processes_max": 40})).await;
    desk.write(
        "bomb.pl",
        "for (1..300) { my $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } } sleep 60",
    );
    let result = desk.ok("execute_command", json!({"command": "perl bomb.pl", "timeout": 30})).await;
    assert_ne!(result["exit_code"], 0, "{result}");
}

#[tokio::test]
async fn hooks_and_settings_of_a_repository_start_nothing() {
    let desk = Desk::new().await;
    desk.sh("git init").await;
    desk.write("evil.sh", "#!/bin/sh\ntouch pwned\n");
    desk.sh("chmod +x evil.sh").await;
    let evil = desk.root().join("evil.sh");
    for hook in ["pre-commit", "post-commit", "post-checkout", "pre-push"] {
        fs::copy(&evil, desk.root().join(".git/hooks").join(hook)).unwrap();
    }
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tpager = {0}\n\tfsmonitor = {0}\n\thooksPath = .git/hooks\n\teditor = {0}\n[credential]\n\thelper = !{0}\n[gpg]\n\tprogram = {0}\n[commit]\n\tgpgsign = false\n",
        evil.display()
    );
    fs::write(desk.root().join(".git/config"), config).unwrap();
    desk.write("a", "x");
    desk.sh("git add a").await;
    desk.sh("git commit -m x").await;
    desk.sh("git log").await;
    desk.sh("git status").await;
    desk.sh("git checkout -b y").await;
    desk.ok("git_query", json!({"repo": ".", "op": "status"})).await;
    // Hooks of a remote run in a git that another git started.
    desk.sh("git init --bare -b main far.git").await;
    for hook in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction"] {
        fs::copy(&evil, desk.root().join("far.git/hooks").join(hook)).unwrap();
    }
    desk.sh("git push far.git HEAD:main").await;
    desk.sh("git clone far.git copy").await;
    assert!(!desk.root().join("pwned").exists());
}

#[tokio::test]
async fn a_repository_that_names_programs_is_refused_by_every_door_to_git() {
    let desk = Desk::new().await;
    desk.write("evil.sh", "#!/bin/sh\ntouch pwned\ncat\n");
    desk.write("repo/.gitattributes", "* filter=x diff=x\n");
    desk.sh("git init repo; chmod +x evil.sh").await;
    // Written by a program, not through the tools: those refuse it.
    let evil = desk.root().join("evil.sh");
    desk.write(
        "plant.pl",
        &format!(
            "open F, '>>', 'repo/.git/config' or die; print F qq([filter \"x\"]\\n\\tclean = {0}\\n[diff]\\n\\texternal = {0}\\n)",
            evil.display()
        ),
    );
    desk.sh("perl plant.pl").await;
    for (tool, args) in [
        ("execute_command", json!({"command": "git -C repo add ."})),
        ("execute_command", json!({"command": "git diff", "working_directory": "repo"})),
        ("git_query", json!({"repo": "repo", "op": "status"})),
        ("git_query", json!({"repo": "repo", "op": "diff"})),
        ("git_change", json!({"repo": "repo", "op": "add", "paths": ["."]})),
    ] {
        assert_eq!(desk.code(tool, args.clone()).await, "ARG_REFUSED", "{tool} {args}");
    }
    assert!(!desk.root().join("repo/pwned").exists() && !desk.root().join("pwned").exists());
}
