//! A confined program is attacked from the inside: each row is something it must not be able to do.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::{fs::MetadataExt, net::UnixListener, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use sandbox::{Launch, Launcher, OutputFile, SandboxPolicy, Signal, StreamFiles, group_size, kill_group};

fn launcher() -> Launcher {
    Launcher::new(PathBuf::from(env!("CARGO_BIN_EXE_sandbox-launcher")))
}

/// One root to work in, beside it a folder that is out of bounds.
struct Place {
    _temp: tempfile::TempDir,
    root: PathBuf,
    outside: PathBuf,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(temp.path()).unwrap();
        let (root, outside) = (base.join("root"), base.join("outside"));
        for folder in [&root, &outside] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(outside.join("secret"), "the secret").unwrap();
        fs::write(root.join("file"), "inside").unwrap();
        Self { _temp: temp, root, outside }
    }

    fn policy(&self) -> SandboxPolicy {
        SandboxPolicy { writable: vec![self.root.clone()], ..SandboxPolicy::system_only() }
    }

    fn spawn(&self, policy: &SandboxPolicy, program: &str, args: &[&str]) -> Child {
        self.spawn_with(policy, program, args, StreamFiles::default())
    }

    fn spawn_with(&self, policy: &SandboxPolicy, program: &str, args: &[&str], files: StreamFiles) -> Child {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let env = [("PATH", "/usr/bin:/bin"), ("OUT", self.outside.to_str().unwrap())];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let launch =
            Launch { policy, program: Path::new(program), args: &args, cwd: &self.root, env: &env, files };
        launcher().command(&launch).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&self, policy: &SandboxPolicy, program: &str, args: &[&str]) -> Output {
        self.spawn(policy, program, args).wait_with_output().unwrap()
    }

    fn sh(&self, script: &str) -> Output {
        self.run(&self.policy(), "/bin/sh", &["-c", script])
    }

    fn perl(&self, policy: &SandboxPolicy, script: &str) -> Output {
        self.run(policy, "/usr/bin/perl", &["-e", script])
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn this_kernel_can_confine_or_the_other_tests_mean_nothing() {
    let held = launcher().probe();
    assert!(held.is_confined(), "{held:?}");
    assert!(Launcher::new("/does/not/exist".into()).probe().landlock_abi == 0);
    assert!(
        !Launcher::new("/bin/true".into()).probe().is_confined(),
        "a program that is no launcher proves nothing"
    );
}

#[test]
fn what_the_policy_opens_works() {
    let place = Place::new();
    let output = place.sh("cat file && echo new > made && mkdir dir && mv made dir/moved && cat dir/moved && echo hi > /dev/null && id -u");
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).starts_with("insidenew\n"));
    assert_eq!(fs::read_to_string(place.root.join("dir/moved")).unwrap(), "new\n");
}

#[test]
fn files_outside_cannot_be_read_written_or_reached_through_links() {
    let place = Place::new();
    std::os::unix::fs::symlink(&place.outside, place.root.join("link")).unwrap();
    let attacks = [
        "cat /etc/shadow",
        "cat /etc/ssh/ssh_host_rsa_key /root/.bashrc",
        "ls /root",
        "cat $OUT/secret",
        "cat ../outside/secret",
        "cat link/secret",
        "cat /proc/self/root$OUT/secret",
        "cat /proc/self/cwd/../outside/secret",
        "echo x > $OUT/secret",
        "echo x > $OUT/new",
        "echo x > link/new",
        "mkdir $OUT/dir",
        "rm $OUT/secret",
        "mv $OUT/secret stolen",
        "mv file $OUT/file",
        "ln $OUT/secret hard && cat hard",
        "perl -e 'truncate($ENV{OUT}.\"/secret\", 0) or die'",
        "cp /bin/true $OUT/true",
        "echo x > /usr/bin/core-mcp-was-here",
        "echo x > /tmp/core-mcp-was-here",
        "mknod device c 1 3",
        "echo 1 > /proc/sys/kernel/sysrq",
        "cat /proc/kcore | head -c 1 | grep .",
    ];
    for attack in attacks {
        let output = place.sh(attack);
        assert!(!output.status.success(), "{attack} worked: {}", text(&output));
        assert!(!text(&output).contains("the secret"), "{attack}");
    }
    assert_eq!(fs::read_to_string(place.outside.join("secret")).unwrap(), "the secret");
    assert_eq!(fs::read_dir(&place.outside).unwrap().count(), 1);
}

#[test]
fn modes_times_and_attributes_of_files_outside_cannot_be_set_by_root() {
    let place = Place::new();
    let held = launcher().probe();
    // Who may not mount, as in most containers, is told so by the probe.
    let may_mount = Command::new("unshare").args(["-m", "true"]).status().unwrap().success();
    assert_eq!((held.modes, held.reasons.is_empty()), (may_mount, may_mount), "{held:?}");
    if !may_mount {
        return;
    }
    let before = fs::metadata(place.outside.join("secret")).unwrap();
    for attack in [
        "chmod 4777 $OUT/secret",
        "chmod u+s /usr/bin/perl",
        "perl -e 'open F, q(<), q(/usr/bin/perl) or die; chmod(04755, *F) or die'",
        "chown 0:0 $OUT/secret",
        "touch -d 2001-01-01 $OUT/secret",
        "touch -d 2001-01-01 /usr/bin/perl",
        "chmod 777 $OUT /",
        "perl -e '$p = $ENV{OUT}; $n = q(user.x); syscall(188, $p, $n, $n, 1, 0) == 0 or die'",
        "mount -o remount,rw /",
        "umount -l .",
    ] {
        let output = place.sh(attack);
        assert!(!output.status.success(), "{attack} worked: {}", text(&output));
    }
    let after = fs::metadata(place.outside.join("secret")).unwrap();
    assert_eq!((before.mode(), before.mtime()), (after.mode(), after.mtime()));
    let inside = "mkdir d && chmod 700 d file && touch -d 2001-01-01 file && mv file d/ && ln d/file e && stat -c %Y e";
    assert_eq!(text(&place.sh(inside)), "978307200\n", "inside, all of it works");
    assert_eq!(text(&place.sh("pwd")).trim_end(), place.root.to_str().unwrap());
}

#[test]
fn a_protected_path_inside_a_writable_folder_stays_closed() {
    let place = Place::new();
    fs::create_dir_all(place.root.join("data")).unwrap();
    fs::create_dir_all(place.root.join("src")).unwrap();
    fs::write(place.root.join("data/vault"), "sealed").unwrap();
    let policy = SandboxPolicy { protected: vec![place.root.join("data")], ..place.policy() };
    for attack in [
        "cat data/vault",
        "echo x >> data/vault",
        "echo x > data/new",
        "rm -r data",
        "mv data src/",
        "mv src/../data other",
    ] {
        let output = place.run(&policy, "/bin/sh", &["-c", attack]);
        assert!(!output.status.success(), "{attack} worked: {}", text(&output));
    }
    let output = place.run(&policy, "/bin/sh", &["-c", "echo y > src/new && cat file && ls"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read_to_string(place.root.join("data/vault")).unwrap(), "sealed");
}

#[test]
fn sockets_are_closed_unless_the_policy_opens_them() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let unix = place.root.join("daemon.sock");
    let _daemon = UnixListener::bind(&unix).unwrap();
    let tcp = format!(
        "use Socket; socket(S,PF_INET,SOCK_STREAM,0) or die \"socket $!\"; connect(S,sockaddr_in({port},INADDR_LOOPBACK)) or die \"connect $!\"; print 'connected'"
    );
    let local = format!(
        "use Socket; socket(S,PF_UNIX,SOCK_STREAM,0) or die \"socket $!\"; connect(S,sockaddr_un('{}')) or die; print 'connected'",
        unix.display()
    );
    let udp = "use Socket; socket(S,PF_INET,SOCK_DGRAM,0) or die \"socket $!\"; print 'connected'";
    let raw = "use Socket; socket(S,PF_INET,SOCK_RAW,1) or die \"socket $!\"; print 'connected'";
    let closed = place.policy();
    let open = SandboxPolicy { network: true, ..place.policy() };
    for (script, policy, works) in [
        (tcp.as_str(), &closed, false),
        (udp, &closed, false),
        (&local, &closed, false),
        (raw, &closed, false),
        (&tcp, &open, true),
        (udp, &open, true),
        (&local, &open, false),
        (raw, &open, false),
    ] {
        let output = place.perl(policy, script);
        assert_eq!(text(&output).contains("connected"), works, "{script}: {}", text(&output));
    }
}

#[test]
fn dangerous_system_calls_fail_whatever_the_spelling() {
    let place = Place::new();
    // perl's `syscall` takes numbers: x86-64 ones, which is where these tests run.
    if std::env::consts::ARCH != "x86_64" {
        return;
    }
    let x32 = 0x4000_0000_u64;
    let calls: [(&str, String); 27] = [
        ("ptrace", "101, 0, 0, 0, 0".into()),
        ("ptrace by its x32 number", format!("{}, 0, 0, 0, 0", x32 + 521)),
        ("socket by its x32 number", format!("{}, 2, 1, 0", x32 + 41)),
        ("process_vm_readv", "310, getppid(), 0, 0, 0, 0, 0".into()),
        ("unshare", "272, 0x10000000".into()),
        ("clone into a user namespace", "56, 0x10000000, 0, 0, 0, 0".into()),
        ("clone3", "435, 0, 0".into()),
        ("setns", "308, 0, 0".into()),
        ("mount", "165, 0, 0, 0, 0, 0".into()),
        ("bpf", "321, 0, 0, 0".into()),
        ("keyctl", "250, 0, 0, 0, 0, 0".into()),
        ("userfaultfd", "323, 0".into()),
        ("io_uring_setup", "425, 1, 0".into()),
        ("setsid", "112".into()),
        ("setpgid", "109, 0, 0".into()),
        ("typing into a terminal", "16, 0, 0x5412, 0".into()),
        ("limits of the parent", "302, getppid(), 4, $z, 0".into()),
        ("priority of the parent", "141, 0, getppid(), 5".into()),
        ("priority of the whole user", "141, 2, $<, 5".into()),
        ("scheduler of the parent", "144, getppid(), 3, $z".into()),
        ("processors of the parent", "203, getppid(), 8, $z".into()),
        ("disk priority of the parent", "251, 1, getppid(), 3 << 13".into()),
        ("shared memory", "29, 0x1234, 4096, 01600".into()),
        ("semaphores", "64, 0x1234, 1, 01600".into()),
        ("message queues", "68, 0x1234, 01600".into()),
        ("named message queues", "240, $z, 0102, 0600, 0".into()),
        ("a pair of datagram sockets", "53, 1, 2 | 02000000, 0, $z".into()),
    ];
    for (name, call) in calls {
        let output = place.perl(
            &place.policy(),
            &format!("$z = \"\\0\" x 64; $r = syscall({call}); print \"r=$r e=\", $!+0"),
        );
        let said = text(&output);
        let refused = ["r=-1 e=1", "r=-1 e=13", "r=-1 e=38"].contains(&said.as_str());
        assert!(refused, "{name}: {said} {:?}", output.status);
    }
}

#[test]
fn a_program_may_still_set_its_own_limits_and_priority_and_make_a_stream_pair() {
    let place = Place::new();
    let script = "ulimit -n 64 && nice -n 1 perl -e 'use Socket; socketpair(A,B,PF_UNIX,SOCK_STREAM,0) or die; print q(ok)'";
    assert_eq!(text(&place.sh(script)), "ok");
}

#[test]
fn nothing_leaks_from_the_environment_or_from_other_processes() {
    let place = Place::new();
    let output = place.sh("env");
    let said = text(&output);
    assert!(said.contains("PATH=") && !said.contains("CARGO") && !said.contains("HOME="), "{said}");
    let parent = std::process::id();
    for attack in [
        format!("cat /proc/{parent}/environ"),
        format!("cat /proc/{parent}/root/etc/hostname"),
        format!("readlink /proc/{parent}/fd/0"),
        format!("head -c1 /proc/{parent}/mem"),
        format!("kill -0 {parent}"),
        "kill -0 1".to_owned(),
    ] {
        let output = place.sh(&attack);
        assert!(!output.status.success(), "{attack}: {}", text(&output));
    }
}

#[test]
fn files_that_were_open_before_are_closed() {
    let place = Place::new();
    let args = ["-c".to_owned(), "cat <&9; echo x >&8; ls /proc/self/fd".to_owned()];
    let (policy, files) = (place.policy(), StreamFiles::default());
    let launch = Launch {
        policy: &policy,
        program: Path::new("/bin/sh"),
        args: &args,
        cwd: &place.root,
        env: &[],
        files,
    };
    let launched = launcher().command(&launch);
    let leak = "exec 9<\"$0/secret\" 8>>\"$0/secret\"; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", leak])
        .arg(&place.outside)
        .arg(launched.get_program())
        .args(launched.get_args())
        .current_dir(&place.root)
        .output()
        .unwrap();
    // The fourth is the listing itself.
    assert!(text(&output).starts_with("0\n1\n2\n3\n"), "{}", text(&output));
    assert!(!text(&output).contains("the secret"), "{}", text(&output));
    assert_eq!(fs::read_to_string(place.outside.join("secret")).unwrap(), "the secret");
}

#[test]
fn root_keeps_no_power_but_over_its_files() {
    let output = Place::new().sh("grep -E '^(CapEff|CapPrm|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status");
    let said = text(&output);
    // DAC_OVERRIDE is bit 1.
    for line in said.lines().filter(|line| line.starts_with("Cap")) {
        let bits = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(bits & !0b10, 0, "{line}");
    }
    assert!(said.contains("NoNewPrivs:\t1") && said.contains("Seccomp:\t2"), "{said}");
}

#[test]
fn memory_and_file_size_and_cpu_have_bounds() {
    let place = Place::new();
    let mut policy = place.policy();
    policy.limits.memory_bytes = 64 << 20;
    policy.limits.file_bytes = 1 << 20;
    policy.limits.cpu_seconds = 1;
    let output = place.perl(&policy, "$x = 'a' x (256 << 20); print 'grew'");
    assert!(!output.status.success() && !text(&output).contains("grew"), "{}", text(&output));
    let output = place.run(&policy, "/bin/sh", &["-c", "head -c 9000000 /dev/zero > big"]);
    assert!(!output.status.success());
    assert_eq!(fs::metadata(place.root.join("big")).unwrap().len(), 1 << 20);
    let output = place.perl(&policy, "1 while 1");
    assert!(!output.status.success(), "an endless loop ended by itself");
}

#[test]
fn killing_the_group_leaves_no_orphan_even_of_a_daemon() {
    let place = Place::new();
    let script = "(trap '' TERM; while :; do sleep 60; done) & perl -e 'if (!fork) { syscall(112); sleep 600 }' ; (setsid sleep 600 || sleep 600) & echo ready; wait";
    let mut child = place.spawn(&place.policy(), "/bin/sh", &["-c", script]);
    let leader = child.id();
    let mut ready = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert!(group_size(leader) >= 3, "{}", group_size(leader));
    kill_group(leader, Signal::Terminate).unwrap();
    kill_group(leader, Signal::Kill).unwrap();
    child.wait().unwrap();
    eventually(|| group_size(leader) == 0);
}

#[test]
fn a_fork_bomb_dies_with_its_group() {
    let place = Place::new();
    let mut policy = place.policy();
    policy.limits.processes = 64;
    let bomb = "print \"go\\n\"; $|=1; for (1..400) { my $p = fork; last unless defined $p; if (!$p) { sleep 600; exit } } sleep 600";
    let mut child = place.spawn(&policy, "/usr/bin/perl", &["-e", bomb]);
    let leader = child.id();
    eventually(|| group_size(leader) > 20);
    kill_group(leader, Signal::Kill).unwrap();
    child.wait().unwrap();
    eventually(|| group_size(leader) == 0);
}

#[test]
fn it_ends_as_the_program_does() {
    let place = Place::new();
    let status = |script| place.sh(script).status;
    assert_eq!(status("exit 7").code(), Some(7));
    assert_eq!(status("kill -KILL $$").signal(), Some(9));
    assert_eq!(status("kill -TERM $$").signal(), Some(15));
    // The polite signal goes to the whole group; the program alone decides what it means.
    let mut child =
        place.spawn(&place.policy(), "/bin/sh", &["-c", "trap 'exit 5' TERM; echo ready; sleep 600 & wait"]);
    let mut ready = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    kill_group(child.id(), Signal::Terminate).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn a_pipe_closes_when_the_program_closes_it() {
    let place = Place::new();
    let mut child = place.spawn(&place.policy(), "/bin/sh", &["-c", "exec >&- 2>&-; sleep 600"]);
    let mut all = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    kill_group(child.id(), Signal::Kill).unwrap();
    child.wait().unwrap();
}

/// A shell stands for the server: it gives the order in its own name and is then killed.
#[test]
fn everything_ends_with_the_process_that_wanted_it() {
    let place = Place::new();
    let policy = place.policy();
    let args = ["-c".to_owned(), "(trap '' TERM HUP; sleep 600) & sleep 600".to_owned()];
    let (program, cwd) = (Path::new("/bin/sh"), &place.root);
    let launch =
        Launch { policy: &policy, program, args: &args, cwd, env: &[], files: StreamFiles::default() };
    let command = launcher().command(&launch);
    let script = "order=$(printf %s \"$3\" | sed \"s/\\\"parent\\\":[0-9]*/\\\"parent\\\":$$/\"); \
        launcher=$1; shift 3; \"$launcher\" __sandbox \"$order\" \"$@\" & echo $!; wait";
    let mut server = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let leader: u32 = line.trim().parse().unwrap();
    // The launcher and two sleeps at least; a shell may become its last command.
    eventually(|| group_size(leader) >= 3);
    server.kill().unwrap();
    server.wait().unwrap();
    eventually(|| group_size(leader) == 0);
}

#[test]
fn an_order_of_somebody_who_is_gone_is_not_carried_out() {
    let place = Place::new();
    let policy = place.policy();
    let files = StreamFiles::default();
    let launch = Launch {
        policy: &policy,
        program: Path::new("/bin/true"),
        args: &[],
        cwd: &place.root,
        env: &[],
        files,
    };
    let command = launcher().command(&launch);
    let args: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap()).collect();
    let stale = args[1].replace(&format!("\"parent\":{}", std::process::id()), "\"parent\":1");
    assert_ne!(stale, args[1]);
    let output = Command::new(command.get_program()).args([args[0], &stale, args[2]]).output().unwrap();
    assert_eq!(output.status.code(), Some(126));
}

#[test]
fn a_program_that_cannot_start_says_so() {
    let place = Place::new();
    let output = place.run(&place.policy(), "/does/not/exist", &[]);
    assert_eq!(output.status.code(), Some(126));
    assert!(text(&output).starts_with("sandbox: /does/not/exist: "), "{}", text(&output));
    let program = place.outside.join("program");
    fs::copy("/bin/true", &program).unwrap();
    let output = place.run(&place.policy(), program.to_str().unwrap(), &[]);
    assert_eq!(output.status.code(), Some(126), "programs outside the policy do not run");
}

#[test]
fn streams_go_to_files_that_the_confined_program_may_open() {
    let place = Place::new();
    let to = |name: &str, append| Some(OutputFile { path: place.root.join(name), append });
    let stdin = Some(place.root.join("file"));
    let files = StreamFiles { stdin: stdin.clone(), stdout: to("log", false), stderr: to("log", false) };
    let script = ["-c", "cat; echo two >&2; echo three"];
    let run =
        |files| place.spawn_with(&place.policy(), "/bin/sh", &script, files).wait_with_output().unwrap();
    assert!(run(files).status.success());
    assert!(
        run(StreamFiles { stdin, stdout: to("log", true), stderr: to("/dev/null", false) }).status.success()
    );
    assert_eq!(fs::read_to_string(place.root.join("log")).unwrap(), "insidetwo\nthree\ninsidethree\n");
    std::os::unix::fs::symlink(place.outside.join("new"), place.root.join("way-out")).unwrap();
    std::os::unix::fs::symlink(place.root.join("file"), place.root.join("way-in")).unwrap();
    for link in ["way-out", "way-in"] {
        let output = run(StreamFiles { stdout: to(link, false), ..StreamFiles::default() });
        assert_eq!(output.status.code(), Some(126), "{link}");
    }
    assert!(!place.outside.join("new").exists());
    assert_eq!(fs::read_to_string(place.root.join("file")).unwrap(), "inside");
}

fn eventually(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "it did not come true within 20 s");
        std::thread::yield_now();
    }
}
