//! The seccomp half: which system calls a program can make.

use std::collections::BTreeMap;

use libc::{EACCES, ENOSYS, EPERM};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, sock_filter,
};

/// Always denied: they reach into other processes, the kernel, other namespaces or other users' keys.
const DANGEROUS: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    // A program that leaves its group would outlive the signal that ends the group.
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // Memory, queues and semaphores that every process of the same user shares.
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
];

/// Fine on the calling process (`0`), denied with the number of another one: limits and priorities can stop
/// a process as surely as a signal, and nothing else in the sandbox holds them. The second figure is the
/// argument with the number.
const OWN_PROCESS_ONLY: &[(i64, u8)] = &[
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
];

/// Every `CLONE_NEW…` flag: no namespaces, so no fresh capabilities.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// The bits of a socket's type that are no flags, and the type whose messages carry addresses.
const SOCKET_TYPE: u64 = 0xf;
const SOCK_DGRAM: u32 = libc::SOCK_DGRAM.unsigned_abs();

/// Terminal requests that type into somebody's terminal.
const TERMINAL_INJECTION: &[u64] = &[libc::TIOCSTI, libc::TIOCLINUX];

/// Restricts this thread, and whatever it becomes.
pub(crate) fn apply(network: bool) -> Result<(), Error> {
    for program in [dangerous()?, sockets(network)?, unreadable_clone()?] {
        apply_filter(&without_foreign_numbers(program))?;
    }
    Ok(())
}

fn dangerous() -> Result<BpfProgram, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        DANGEROUS.iter().map(|number| (*number, Vec::new())).collect();
    let flags = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        rule(&[(0, SeccompCmpOp::MaskedEq(flag), flag)])
    });
    rules.insert(libc::SYS_clone, flags.collect::<Result<_, _>>()?);
    let requests = TERMINAL_INJECTION.iter().map(|request| rule(&[(1, SeccompCmpOp::Eq, *request)]));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    for (number, process) in OWN_PROCESS_ONLY {
        rules.insert(*number, vec![rule(&[(*process, SeccompCmpOp::Ne, 0)])?]);
    }
    // Looking at the limits of another process is fine, setting them is not. The pointer is compared whole.
    let set = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0);
    let other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, 0);
    let limits = [set, other].into_iter().collect::<Result<Vec<_>, _>>().and_then(SeccompRule::new);
    rules.insert(libc::SYS_prlimit64, vec![limits.map_err(Error::Backend)?]);
    compile(rules, EPERM)
}

/// Without network no socket at all; with it only IPv4, IPv6 and the netlink that resolvers use.
/// Unix sockets lead to daemons that run as root (docker, systemd, agents): never.
fn sockets(network: bool) -> Result<BpfProgram, Error> {
    let chain = if network {
        let others = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]
            .map(|family| (0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs())));
        vec![rule(&others)?]
    } else {
        Vec::new()
    };
    // A pair needs no other end, but one of datagrams can send to any Unix address all the same.
    let datagrams = rule(&[(1, SeccompCmpOp::MaskedEq(SOCKET_TYPE), u64::from(SOCK_DGRAM))])?;
    compile(BTreeMap::from([(libc::SYS_socket, chain), (libc::SYS_socketpair, vec![datagrams])]), EACCES)
}

/// The flags of `clone3` lie in memory where a filter cannot look; `ENOSYS` makes libc use `clone`.
fn unreadable_clone() -> Result<BpfProgram, Error> {
    compile(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), ENOSYS)
}

fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, Error> {
    let conditions: Result<Vec<_>, BackendError> = conditions
        .iter()
        .map(|(index, op, value)| SeccompCondition::new(*index, SeccompCmpArgLen::Dword, op.clone(), *value))
        .collect();
    conditions.and_then(SeccompRule::new).map_err(Error::Backend)
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<BpfProgram, Error> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(Error::Backend)?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno.unsigned_abs()), architecture)
        .and_then(BpfProgram::try_from)
        .map_err(Error::Backend)
}

/// On x86-64 the x32 interface reaches the same calls under numbers with bit 30 set, past a list of
/// numbers. Nothing else uses that bit, so such calls do not exist here.
fn without_foreign_numbers(program: BpfProgram) -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const RETURN_ERRNO: u32 = 0x0005_0000;
    const FOREIGN: u32 = 0x4000_0000;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut guarded = vec![
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_IF_AT_LEAST, 0, 1, FOREIGN),
        step(RETURN, 0, 0, RETURN_ERRNO | ENOSYS.unsigned_abs()),
    ];
    guarded.extend(program);
    guarded
}
