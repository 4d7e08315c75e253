//! # Seccomp: a filter for system calls
//!
//! A classic BPF program looks at the number and the arguments of each system call and says
//! what becomes of it (seccomp(2)). The compiler is a crate of its own, `crates/seccomp`;
//! here is when the filter is installed.
//!
//! OCI: config-linux.md, Seccomp.
//!
//! Order: with no_new_privs the filter comes last, directly before execve, so that it need not allow what our
//! own steps do. Without no_new_privs the kernel wants CAP_SYS_ADMIN for it: then it must come before the
//! capabilities are dropped, and the profile must allow the few calls that follow.
//!
//! Calls with SCMP_ACT_NOTIFY are picked by a filter of their own, which is installed while the container is
//! being made: its listener must be with the supervisor when `create` ends
//! (docs/adr/0011-seccomp-listener.md).

use std::path::Path;

use crate_run_plan::Operation;
use crate_run_seccomp::{Arch, Kind, Note, Program};
use crate_run_sys::Errno;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag as Flag, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::OutsidePath;
use crate::host::Host;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "seccomp";
/// prctl(2)
const PR_GET_SECCOMP: u64 = 21;

/// crun's annotation for the socket of a supervisor, from before listenerPath.
const RECEIVER: &str = "run.oci.seccomp.receiver";
/// crun's annotation, with any value, that makes an unknown name of a call an error.
const FAIL_UNKNOWN: &str = "run.oci.seccomp_fail_unknown_syscall";

/// What changes the meaning of a profile from outside of it; `features` tells the engines.
pub const ANNOTATIONS: [&str; 2] = [RECEIVER, FAIL_UNKNOWN];

/// The compiled profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    program: Program,
    /// Who decides the calls with SCMP_ACT_NOTIFY, if there are any.
    supervisor: Option<Supervisor>,
}

/// A program outside that decides calls (seccomp_unotify(2)); the specification calls it seccomp agent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Supervisor {
    /// Where it listens.
    path: OutsidePath,
    metadata: Option<String>,
    /// What names the path.
    at: Pointer,
}

impl Filter {
    /// May the child still make these calls when the filter is in place? Each comes with its first argument.
    pub fn allows(&self, calls: &[(&str, u64)]) -> bool {
        calls.iter().all(|(name, first)| self.program.allows(Arch::NATIVE, name, *first))
    }
}

/// Compiles once: the filter, and what is to be said about it. Relative paths start at the bundle.
pub fn resolve(spec: &Spec, host: &Host, directory: &Path) -> (Option<Filter>, Vec<Finding>) {
    let Some(profile) = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()) else {
        return (None, Vec::new());
    };
    let mut found: Vec<Finding> = metadata_finding(profile).into_iter().collect();
    let program = match crate_run_seccomp::compile(profile, Arch::NATIVE) {
        Ok(program) => program,
        Err(problems) => {
            found.extend(
                problems
                    .into_iter()
                    .map(|problem| Finding::error(place(&problem.at), problem.message).cure(problem.cure)),
            );
            return (None, found);
        }
    };
    found.extend(notes(spec, &program.notes));
    let mut supervisor = None;
    if program.listener.is_some() {
        found.extend(flag_finding(profile, host));
        let metadata = profile.listener_metadata().clone().filter(|metadata| !metadata.is_empty());
        match listener_path(spec, profile, directory) {
            Ok((path, at)) => supervisor = Some(Supervisor { path, metadata, at }),
            Err(finding) => found.push(finding),
        }
    }
    (Some(Filter { program, supervisor }), found)
}

/// A place in the profile.
fn place(relative: &str) -> Pointer {
    Pointer::from(format!("/linux/seccomp{relative}").as_str())
}

fn metadata_finding(profile: &LinuxSeccomp) -> Option<Finding> {
    let given = |path: &std::path::PathBuf| !path.as_os_str().is_empty();
    let alone = profile.listener_metadata().as_deref().is_some_and(|metadata| !metadata.is_empty())
        && !profile.listener_path().as_ref().is_some_and(given);
    alone.then(|| {
        let message = "listenerMetadata must not be set without listenerPath";
        Finding::error(place("/listenerMetadata"), message).cure("add listenerPath, or remove it")
    })
}

/// Where the supervisor listens: listenerPath, or crun's annotation, which is older.
fn listener_path(
    spec: &Spec,
    profile: &LinuxSeccomp,
    directory: &Path,
) -> Result<(OutsidePath, Pointer), Finding> {
    let nul = |at: &Pointer| Finding::error(at.clone(), "the path holds a NUL character");
    if let Some(path) = profile.listener_path().as_ref().filter(|path| !path.as_os_str().is_empty()) {
        let at = place("/listenerPath");
        return OutsidePath::new(directory, path).ok_or_else(|| nul(&at)).map(|path| (path, at));
    }
    let annotated = spec.annotations().as_ref().and_then(|annotations| annotations.get(RECEIVER));
    let Some(path) = annotated.filter(|path| !path.is_empty()) else {
        let message = "SCMP_ACT_NOTIFY needs a listenerPath: nobody else could answer";
        let cure = "name the socket of a seccomp agent in listenerPath, or use SCMP_ACT_ERRNO";
        return Err(Finding::error(place("/syscalls"), message).cure(cure));
    };
    let at = Pointer::from("/annotations").key(RECEIVER);
    if !Path::new(path).is_absolute() {
        let message = format!("the seccomp receiver {path:?} is not an absolute path");
        return Err(Finding::error(at, message).cure("write it with a leading slash"));
    }
    OutsidePath::new(directory, Path::new(path)).ok_or_else(|| nul(&at)).map(|path| (path, at))
}

/// The other flags are older than the oldest kernel on which crate-run works.
fn flag_finding(profile: &LinuxSeccomp, host: &Host) -> Option<Finding> {
    let flags = profile.flags().as_deref().unwrap_or_default();
    let index = flags.iter().position(|flag| *flag == Flag::SeccompFilterFlagWaitKillableRecv)?;
    (!host.killable_notification).then(|| {
        let message = "this kernel does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
        Finding::error(place("/flags").index(index), message).cure("remove the flag; Linux 5.19 has it")
    })
}

/// What has no effect is a warning; unknown names are an error where crun's annotation asks for that.
fn notes(spec: &Spec, notes: &[Note]) -> Vec<Finding> {
    let strict = spec.annotations().iter().flatten().any(|(key, _)| key == FAIL_UNKNOWN);
    let finding = |note: &Note| match (note.kind, strict) {
        (Kind::UnknownCall, true) => {
            let cure = format!("remove the name, or the annotation {FAIL_UNKNOWN}");
            Finding::error(place(&note.at), note.message.clone()).cure(cure)
        }
        _ => Finding::warning(place(&note.at), note.message.clone()),
    };
    notes.iter().map(finding).collect()
}

/// While the container is made: the filter with the listener, and the way of the listener to the supervisor.
pub fn ask_supervisor(filter: &Option<Filter>, plan: &mut Plan) {
    let Some(Filter { program, supervisor: Some(Supervisor { path, metadata, at }) }) = filter else {
        return;
    };
    let Some(listener) = &program.listener else { return };
    let install = Operation::InstallListener { flags: listener.flags, program: listener.bytes() };
    let why = "from here on a supervisor decides these calls; all others are still allowed";
    plan.child(FEATURE, install, why).at("/linux/seccomp");
    let send = HostAction::SendListener { path: path.clone(), metadata: metadata.clone() };
    let why = "the supervisor must be there before the program is; one connection, one message";
    plan.host(FEATURE, send, why).at(at.clone());
}

/// Before the child waits or goes on: its own copy of the listener.
pub fn let_go(filter: &Option<Filter>, plan: &mut Plan) {
    if filter.as_ref().is_some_and(|filter| filter.supervisor.is_some()) {
        let why =
            "only the supervisor holds it now: when it dies, its calls fail with ENOSYS and do not hang";
        plan.child(FEATURE, Operation::CloseListener {}, why).at("/linux/seccomp");
    }
}

/// The filter, early or late.
pub fn steps(filter: &Option<Filter>, why: &'static str, plan: &mut Plan) {
    if let Some(Filter { program, .. }) = filter {
        let install =
            Operation::InstallFilter { flags: program.filter.flags, program: program.filter.bytes() };
        plan.child(FEATURE, install, why).at("/linux/seccomp");
    }
}

/// After all others: is what was installed in place? A filter that forbids the question is not asked.
pub fn verify(filter: &Option<Filter>, plan: &mut Plan) {
    let Some(filter) = filter else { return };
    let ask = filter.allows(&[("prctl", PR_GET_SECCOMP)]);
    let filters = 1 + u32::from(filter.supervisor.is_some());
    let verify = Operation::VerifyFilter { filters, ask: ask.into() };
    let why = if ask {
        "nothing starts without its filter; the filter allows to ask the kernel"
    } else {
        "nothing starts without its filter; what seccomp(2) has answered must do, for the filter forbids to ask"
    };
    plan.child(FEATURE, verify, why).at("/linux/seccomp");
}

/// What usually mends it when the listener does not get to the supervisor.
pub fn cure_of_sending(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EPERM => "taking a descriptor from the container's process takes CAP_SYS_PTRACE",
        _ => "a seccomp agent must listen on a stream socket at linux.seccomp.listenerPath",
    })
}

/// What usually mends it when seccomp(2) does not take a filter.
pub fn cure(operation: &Operation, errno: Errno) -> Option<&'static str> {
    Some(match (operation, errno) {
        (Operation::InstallFilter { .. }, Errno::EACCES) => "set noNewPrivileges, or keep CAP_SYS_ADMIN",
        (Operation::InstallListener { .. }, Errno::EBUSY) => {
            "crate-run itself runs under a filter with a listener; a process can have only one"
        }
        (_, Errno::EINVAL) => "does this kernel know all flags of the profile?",
        _ => return None,
    })
}

/// The mode of a process: 0 without, 2 with a filter (/proc/PID/status).
pub fn observe(pid: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Seccomp:"))?.trim().parse().ok()
}
