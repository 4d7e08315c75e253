//! From a failed step to a sentence: what we were doing, what the kernel answered, where the configuration
//! asks for it, what usually mends it.

use crate_run_plan::Operation;
use crate_run_plan::report::{Call, Report};
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;

use crate::bundle::finding::Pointer;
use crate::error::{Error, NOT_ROOT, Place, StepError, phrase};
use crate::feature::scheduler::policy_name;
use crate::launch::Launch;
use crate::launch::cause::Cause;
use crate::launch::line::Ending;
use crate::plan::{Action, HostAction, Plan, describe};

/// What the cgroup tells about a child that has ended without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The kernel has killed a process in it for want of memory (memory.events, oom_kill).
    OutOfMemory,
    /// Nothing.
    Unexplained,
}

/// The error for a step that failed. `left` is what could not be undone.
pub fn of(launch: &Launch, index: usize, cause: Cause, death: Death, left: Vec<String>) -> Error {
    let locate = |index: usize| place(launch, index);
    let mut error = match cause {
        Cause::Cgroup(error) => {
            let at = error.at().cloned();
            let cure = error.cure().unwrap_or_default().to_owned();
            let place = at.map(|at| Place::find(&launch.source.file, &launch.source.text, &at));
            let known = Some(error.to_string());
            let place = place.or_else(|| locate(index));
            return Error::Step(Box::new(StepError { known, cure, place, left, ..StepError::default() }));
        }
        Cause::Systemd(error) => StepError {
            known: Some(error.to_string()),
            cure: error.cure().unwrap_or_default().to_owned(),
            ..StepError::default()
        },
        Cause::Resctrl(error) => StepError {
            known: Some(error.to_string()),
            cure: error.cure().to_owned(),
            ..StepError::default()
        },
        Cause::Other(error) if left.is_empty() => return error,
        Cause::Other(error) => StepError { known: Some(error.to_string()), ..StepError::default() },
        Cause::Errno(errno) => host_error(launch.plan, index, None, errno),
        Cause::Call(call, errno) => host_error(launch.plan, index, Some(call), errno),
        Cause::Said(said) => StepError {
            doing: describe::action(&launch.plan.steps[index].action),
            answer: said,
            ..StepError::default()
        },
        Cause::Child(Ending::Failed(report)) => {
            let mut error = of_report(launch.plan, &report);
            error.place = locate(report.step as usize);
            error.left = left;
            return Error::Step(Box::new(error));
        }
        Cause::Child(_) => silence(death),
    };
    error.place = locate(index);
    error.left = left;
    Error::Step(Box::new(error))
}

fn place(launch: &Launch, index: usize) -> Option<Place> {
    let at = launch.plan.steps.get(index)?.at.as_ref()?;
    Some(Place::find(&launch.source.file, &launch.source.text, at))
}

fn host_error(plan: &Plan, index: usize, call: Option<&str>, errno: Errno) -> StepError {
    let action = &plan.steps[index].action;
    let answer = match call {
        Some(call) => format!("{call} answered: {errno}"),
        None => errno.to_string(),
    };
    let cure = host_cure(action, errno).to_owned();
    StepError { doing: describe::action(action), answer, cure, ..StepError::default() }
}

fn silence(death: Death) -> StepError {
    let (known, cure) = match death {
        Death::OutOfMemory => (
            "container init was OOM-killed (memory limit too low?)",
            "raise linux.resources.memory.limit; a container needs about 1 MiB to be set up",
        ),
        Death::Unexplained => (
            "the container's first process was killed while it was set up",
            "whoever kills the cgroup does that: kill --all, delete --force, the host for want of memory",
        ),
    };
    StepError { known: Some(known.to_owned()), cure: cure.to_owned(), ..StepError::default() }
}

/// The error for what the child reports; also for `start`, which has the plan from the container's copy.
pub fn of_report(plan: &Plan, report: &Report) -> StepError {
    let Some(step) = plan.steps.get(report.step as usize) else {
        let answer = String::from_utf8_lossy(report.words()).into_owned();
        return StepError { doing: "run the plan".to_owned(), answer, ..StepError::default() };
    };
    let mut error = StepError { doing: describe::action(&step.action), ..StepError::default() };
    // One sentence: the words of a filesystem or of an image must not break the line.
    let visible = |letter: char| if letter.is_control() { '?' } else { letter };
    let words: String = String::from_utf8_lossy(report.words()).trim().chars().map(visible).collect();
    let errno = Errno(report.errno);
    error.answer = match (report.call, report.errno) {
        (Call::Check, _) | (_, 0) => words.clone(),
        (call, _) => format!("{} answered: {errno}", call.name()),
    };
    if let Action::Child(operation) = &step.action {
        let explains =
            matches!(report.call, Call::Fsconfig | Call::FsconfigCreate | Call::Mknodat | Call::Openat2);
        if explains && !words.is_empty() {
            error.answer.push_str(&format!(" ({})", kernel_words(&words)));
        }
        if report.value > 0 && report.call == Call::Check {
            error.answer.push_str(&format!(" {}", report.value));
        }
        if let (Operation::RunHook { path, .. }, Some(hook)) = (operation, step.at.as_ref().and_then(hook_at))
        {
            error.doing = format!("run {hook}, {}", path.to_string_lossy());
            error.answer = format!("error running {hook}: {}", error.answer);
        }
        error.known = known_text(operation, report.call, errno, &words);
        error.cure = child_cure(operation, report.call, errno).to_owned();
    }
    error
}

/// The hook that stands there: "createContainer hook #1".
fn hook_at(at: &Pointer) -> Option<String> {
    let (kind, index) = at.as_str().strip_prefix("/hooks/")?.split_once('/')?;
    Some(format!("{kind} hook #{index}"))
}

/// A message of a filesystem begins with its grade: "e tmpfs: Bad value for 'size'".
fn kernel_words(words: &str) -> &str {
    ["e ", "w ", "i "].iter().find_map(|grade| words.strip_prefix(grade)).unwrap_or(words)
}

/// The texts by which engines choose exit status 126 or 127, or tell that a security label is at fault.
fn known_text(operation: &Operation, call: Call, errno: Errno, words: &str) -> Option<String> {
    match (operation, call) {
        (Operation::FindExecutable { name, .. }, Call::Access) => {
            let name = name.to_string_lossy();
            Some(match errno {
                Errno::ENOENT | Errno::ENOTDIR if name.contains('/') => {
                    format!("exec: {name:?}: stat {name}: {}", errno.meaning())
                }
                Errno::ENOENT => format!("exec: {name:?}: {}", phrase::NOT_FOUND),
                Errno::EISDIR => format!("exec: {name:?}: is a directory: permission denied"),
                other => format!("exec: {name:?}: {}", other.meaning()),
            })
        }
        (Operation::SetLabel { path, label }, Call::Write) => {
            let (path, label) = (path.to_string_lossy(), String::from_utf8_lossy(label));
            // The profile is missing, not a file: these words of ENOENT would mean the program.
            let meaning = match errno {
                Errno::ENOENT => "no such profile is loaded".to_owned(),
                other => other.meaning().to_string(),
            };
            Some(format!("write `/proc/{path}`: the label {label:?} is refused: {meaning}"))
        }
        (Operation::Execute { .. }, Call::Execve) => Some(format!("exec {words}: {}", errno.meaning())),
        _ => None,
    }
}

fn host_cure(action: &Action, errno: Errno) -> &'static str {
    let Action::Host(action) = action else { return "" };
    match (action, errno) {
        (HostAction::GiveBirth { .. }, Errno::EPERM) => {
            "is this inside another container? It must allow clone3(2) with new namespaces. As an ordinary \
             user: does the machine let users make them (sysctl kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns)?"
        }
        (HostAction::GiveBirth { .. } | HostAction::MakeNetwork, Errno::ENOSPC | Errno::EUSERS) => {
            "the number of namespaces is limited: see /proc/sys/user/max_*_namespaces"
        }
        (HostAction::GiveBirth { .. }, Errno::ENOENT) => {
            "where cgroup2 is mounted with nsdelegate nobody is born across the border of a cgroup namespace that was \
             joined: leave it out"
        }
        (HostAction::GiveBirth { .. }, Errno::EAGAIN) => {
            "a limit on processes is reached: RLIMIT_NPROC or pids.max"
        }
        (HostAction::SendPidfd { .. }, _) => "somebody must listen on a stream socket at --pidfd-socket",
        (HostAction::SendListener { .. }, Errno::EPERM) => {
            "taking a descriptor from the container's process takes CAP_SYS_PTRACE"
        }
        (HostAction::SendListener { .. }, _) => {
            "a seccomp agent must listen on a stream socket at linux.seccomp.listenerPath"
        }
        (HostAction::ConnectConsole { .. }, _) => {
            "somebody must listen on a stream socket at --console-socket"
        }
        (HostAction::WriteIdMaps { .. }, Errno::EPERM) => {
            "only privileged callers may map ids that are not their own"
        }
        (HostAction::SetScheduler { attributes }, errno) => scheduler_cure(attributes.policy, errno),
        (HostAction::SetIoPriority { .. }, Errno::EPERM) => REAL_TIME_IO,
        (HostAction::WriteTimeOffsets { .. }, Errno::ERANGE) => {
            "no clock of a container may be negative: an offset of -N seconds takes N seconds of uptime"
        }
        (HostAction::MoveNetDevice { .. }, Errno::EINVAL | Errno::EOPNOTSUPP) => {
            "this kind of interface may belong to its network namespace for good"
        }
        (HostAction::SetOomScore { .. } | HostAction::WriteTimeOffsets { .. }, Errno::EACCES) => {
            "an ordinary user can do this only where root of the container is himself: map containerID 0 \
             to the own id"
        }
        (HostAction::SetOomScore { .. }, _) => "lowering oomScoreAdj takes CAP_SYS_RESOURCE",
        (HostAction::SetLimit { .. }, Errno::EPERM) => "raising a hard limit takes CAP_SYS_RESOURCE",
        (HostAction::OpenRoot { .. } | HostAction::CloneTree { .. }, Errno::EACCES) => {
            "this user may not reach it: see the modes of the directories on the way"
        }
        (_, Errno::EPERM | Errno::EACCES) if !rustix::process::geteuid().is_root() => NOT_ROOT,
        _ => "",
    }
}

const REAL_TIME_IO: &str = "class IOPRIO_CLASS_RT takes CAP_SYS_NICE or CAP_SYS_ADMIN, which crate-run lacks";

/// What usually mends it when sched_setattr(2) refuses a policy (sched(7)).
fn scheduler_cure(policy: u32, errno: Errno) -> &'static str {
    match (policy_name(policy), errno) {
        ("SCHED_DEADLINE", Errno::EPERM) => {
            "SCHED_DEADLINE takes CAP_SYS_NICE and every processor of the machine: linux.resources.cpu.cpus, \
             or the cpuset of a cgroup above, allows only some (AllowedCPUs in systemd)"
        }
        ("SCHED_DEADLINE", Errno::EBUSY) => {
            "the machine has not that much time left: lower runtime, or raise period"
        }
        ("SCHED_FIFO" | "SCHED_RR", Errno::EPERM) => {
            "a real-time policy takes CAP_SYS_NICE, and with CONFIG_RT_GROUP_SCHED a cgroup that may have one"
        }
        (_, Errno::EPERM) => "a negative nice value, or leaving SCHED_IDLE, takes CAP_SYS_NICE",
        ("SCHED_ISO", Errno::EINVAL) => "no kernel implements SCHED_ISO: choose SCHED_BATCH or SCHED_RR",
        (_, Errno::EINVAL) => {
            "do the flags go with the policy? See sched_setattr(2), and sched(7) for its bounds"
        }
        (_, Errno::EOPNOTSUPP) => "SCHED_FLAG_UTIL_CLAMP_MIN and _MAX take a kernel with CONFIG_UCLAMP_TASK",
        _ => "",
    }
}

fn child_cure(operation: &Operation, call: Call, errno: Errno) -> &'static str {
    use Operation as Op;
    match (operation, errno) {
        (Op::MountNew { filesystem, .. }, Errno::EPERM) if filesystem.as_c_str() == c"sysfs" => {
            "sysfs needs a network namespace of the container's own user namespace; bind mount /sys instead"
        }
        (Op::MountNew { filesystem, .. }, Errno::EPERM) if filesystem.as_c_str() == c"proc" => {
            "in a user namespace proc can be mounted only with a new pid namespace, and where nothing lies \
             on the host's /proc: bind mount /proc instead"
        }
        (Op::MountNew { filesystem, .. }, Errno::EPERM) if filesystem.as_c_str() == c"mqueue" => {
            "mqueue shows an ipc namespace: add {\"type\": \"ipc\"}, or bind mount /dev/mqueue instead"
        }
        (Op::MountNew { filesystem, .. }, Errno::EPERM) if filesystem.as_c_str() == c"cgroup2" => {
            "cgroup2 shows a cgroup namespace: add {\"type\": \"cgroup\"}, or bind mount /sys/fs/cgroup \
             instead"
        }
        (Op::MountNew { .. }, Errno::EPERM) => {
            "in a user namespace only filesystems without a disk can be mounted (proc, sysfs, tmpfs, devpts, \
             mqueue, cgroup2, overlay, fuse): mount it beforehand, and bind mount it"
        }
        (Op::MountNew { filesystem, .. }, Errno::EINVAL) if filesystem.as_c_str() == c"devpts" => {
            "does the user namespace map the group that the option gid= names?"
        }
        (Op::MountNew { .. }, Errno::ENODEV) => {
            "the kernel does not know this filesystem: see /proc/filesystems"
        }
        (Op::MountNew { .. } | Op::MountTree { .. } | Op::MountLocked { .. }, Errno::ELOOP) => {
            "the image has a symbolic link where a directory must be"
        }
        (Op::MountNew { .. } | Op::MountTree { .. }, Errno::EROFS) => {
            "the mount point is missing, and the filesystem it belongs to is read-only: make it in the image"
        }
        (Op::MountLocked { .. } | Op::CloneFile { .. } | Op::AttachLockedRoot { .. }, Errno::EACCES) => {
            "root of the container is another user outside, who may not reach it: see the modes of the \
             directories on the way"
        }
        (Op::MountLocked { .. }, Errno::EINVAL) if call == Call::OpenTree => {
            "other mounts lie below the source and must stay where they are: use rbind, or a directory \
             without them"
        }
        (Op::MountLocked { .. }, _) if call == Call::Check => {
            "leave out the words that clear it (rw, suid, dev, exec) or change its access times"
        }
        (Op::MountNew { .. } | Op::Reconfigure { .. }, Errno::EINVAL) if call == Call::Fsconfig => {
            "correct the option, or leave it out"
        }
        (Op::JoinNamespace { kind: flag::USER, .. }, Errno::EINVAL) => {
            "is it the runtime's own? Then leave the entry out; else it must map user 0 and group 0"
        }
        (Op::JoinNamespace { .. }, Errno::EPERM) => {
            "does it belong to the user namespace that the container joins or makes?"
        }
        (Op::OpenTerminal { .. }, Errno::ENOENT) => "a terminal needs a devpts at /dev/pts: add it to mounts",
        (Op::FindExecutable { .. }, Errno::ENOENT) => {
            "check process.args[0] and the PATH in process.env against the files of the root filesystem"
        }
        (Op::FindExecutable { .. } | Op::Execute { .. }, Errno::EACCES) => {
            "is the file executable (chmod +x), and its filesystem not mounted noexec?"
        }
        (Op::Execute { .. }, Errno::ENOENT) => {
            "the program's interpreter (#! line or dynamic loader) is not in the image"
        }
        (Op::Execute { .. }, Errno::ENOEXEC) => "is the program built for this machine's architecture?",
        (Op::SetLimit { .. }, Errno::EPERM) => {
            "raising a hard limit takes CAP_SYS_RESOURCE, which crate-run lacks"
        }
        (Op::SetScheduler { policy, .. }, errno) => scheduler_cure(*policy, errno),
        (Op::SetIoPriority { .. }, Errno::EPERM) => REAL_TIME_IO,
        (Op::SetMemoryPolicy { .. }, Errno::EINVAL) => {
            "does the machine have these nodes (/sys/devices/system/node/online), and does cpuset.mems allow \
             them? MPOL_PREFERRED_MANY needs Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9"
        }
        (Op::SetGroups { .. }, Errno::EPERM) => "the user namespace does not allow setgroups(2)",
        (Op::SetIds { .. }, Errno::EINVAL) => "the id is not mapped in the user namespace",
        (Op::InstallFilter { .. }, Errno::EACCES) => "set noNewPrivileges, or keep CAP_SYS_ADMIN",
        (Op::InstallListener { .. }, Errno::EBUSY) => {
            "crate-run itself runs under a filter with a listener; a process can have only one"
        }
        (Op::InstallFilter { .. } | Op::InstallListener { .. }, Errno::EINVAL) => {
            "does this kernel know all flags of the profile?"
        }
        (Op::SetParameter { .. }, Errno::ENOENT) => "this kernel has no such parameter",
        (Op::SetParameter { .. }, Errno::EINVAL | Errno::ERANGE) => {
            "the kernel does not take this value for the parameter"
        }
        (Op::SetParameter { .. }, Errno::EACCES | Errno::EPERM | Errno::EROFS) => {
            "does the namespace of the parameter belong to the user namespace of the container?"
        }
        (Op::SetHostname { .. } | Op::SetDomainname { .. }, Errno::EPERM) => {
            "the uts namespace that is joined does not belong to the user namespace of the container"
        }
        (Op::JoinMountNamespace { .. }, Errno::EPERM) => {
            "does it belong to the user namespace that the container joins?"
        }
        (Op::MakeDevice { .. } | Op::LendDevice { .. }, Errno::ELOOP) => {
            "the image has a symbolic link where a directory must be: give the path to which it leads"
        }
        (Op::MakeDevice { .. } | Op::LendDevice { .. }, Errno::EEXIST) => {
            "remove it from the image, or choose another path"
        }
        (Op::EnterDirectory { .. }, Errno::ENOTDIR) => "process.cwd names something that is not a directory",
        (Op::MakeDevice { .. }, Errno::EPERM) => "making device nodes takes CAP_MKNOD",
        (Op::SetLabel { .. }, Errno::ENOENT) => "load the profile on the host first: apparmor_parser(8)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Podman takes a path of procfs between back-quotes for trouble with labels, and the meaning of ENOENT for
    /// a program that is missing.
    #[test]
    fn a_refused_label_is_told_in_the_words_that_podman_knows() {
        let set =
            |label: &[u8]| Operation::SetLabel { path: c"self/attr/exec".into(), label: label.to_vec() };
        let said = known_text(&set(b"exec web"), Call::Write, Errno::ENOENT, "").expect("known");
        let expected =
            "write `/proc/self/attr/exec`: the label \"exec web\" is refused: no such profile is loaded";
        assert_eq!(said, expected);
        assert!(child_cure(&set(b"exec web"), Call::Write, Errno::ENOENT).contains("apparmor_parser"));
        let said = known_text(&set(b"x:y:z"), Call::Write, Errno::EINVAL, "").expect("known");
        assert!(said.ends_with("\"x:y:z\" is refused: invalid argument"), "{said}");
    }
}
