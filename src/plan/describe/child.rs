//! What the child does, in words.

use std::ffi::CString;

use crate_run_plan::Operation;
use crate_run_sys::scheduling::Attributes;

use crate::feature::namespaces::{name_of, names_of};
use crate::feature::{affinity, io_priority, limits, memory_policy, personality, scheduler};

fn show(text: &CString) -> String {
    text.to_string_lossy().into_owned()
}

/// The conversation with the runtime, namespaces, and the view of files.
pub fn words(operation: &Operation) -> String {
    use Operation as Op;
    match operation {
        Op::Meet {} | Op::Wait {} => "wait for the host".to_owned(),
        Op::JoinNamespace { kind, .. } => format!("join the {} namespace", name_of(*kind)),
        Op::JoinMountNamespace { .. } => "join the mount namespace with its own root".to_owned(),
        Op::LeaveNamespaces { kinds: mask } => format!("make a new {} namespace", names_of(*mask)),
        Op::EnterTime { .. } => "enter the time namespace".to_owned(),
        Op::EnterContainer { kinds: mask, .. } => {
            format!("enter the container's namespaces: {}", names_of(*mask))
        }
        Op::EnterRoot { .. } => "take the root of the container's process".to_owned(),
        Op::OpenProc {} => "make a private procfs".to_owned(),
        Op::Rebirth { .. } => "be born once more, inside the joined namespaces".to_owned(),
        Op::Propagate { kind, tree } => {
            format!("make the mounts {}{}", propagation(*kind), if *tree != 0 { ", all of them" } else { "" })
        }
        Op::AttachLockedRoot { .. } => "clone and attach the root filesystem".to_owned(),
        Op::MountLocked { source, target, .. } => format!("bind {} on {}", show(source), show(target)),
        Op::CloneFile { source, .. } => format!("clone {} of the host", show(source)),
        Op::AttachRoot { .. } => "attach the root filesystem".to_owned(),
        Op::MountNew { filesystem, target, .. } => format!("mount {} on {}", show(filesystem), show(target)),
        Op::MountTree { target, .. } => format!("bind mount on {}", show(target)),
        Op::CopyLink { path, goal, .. } => format!("make the link {} to {}", show(path), show(goal)),
        Op::OpenDescriptors {} => "remember the mounts that follow".to_owned(),
        Op::FindMount { target, .. } => format!("find the mount at {}", show(target)),
        Op::DetachMounts {} => "detach the mounts that were found".to_owned(),
        Op::End {} => "end".to_owned(),
        Op::KeepMount { .. } => "keep the next mount for new options".to_owned(),
        Op::Reconfigure { options, .. } => {
            let options: Vec<String> = options.iter().map(show).collect();
            format!("give the filesystem new options: {}", options.join(","))
        }
        Op::ChangeMount { target, .. } => format!("change the mount at {}", show(target)),
        Op::LendDevice { path, .. } => format!("lend the host's device at {}", show(path)),
        Op::MakeDevice { path, device, .. } => {
            let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & !0xff);
            format!("make the device {} ({major}:{minor})", show(path))
        }
        Op::MakeLink { path, target } => format!("link {} to {}", show(path), show(target)),
        Op::HideHostMount { path } => format!("detach or cover {} of the host", show(path)),
        Op::MoveRoot {} => "move the root filesystem onto the root of the host".to_owned(),
        Op::PivotRoot {} => "make the root filesystem the root".to_owned(),
        Op::MaskPath { path, .. } => format!("mask {}", show(path)),
        Op::PrepareMask { .. } => "make the empty directory that masks directories".to_owned(),
        Op::ReadOnlyPath { path } => format!("make {} read-only", show(path)),
        Op::ReadOnlyRoot {} => "make the root read-only".to_owned(),
        Op::MakeDirectory { path } => format!("make the directory {}", show(path)),
        Op::AdoptNull {} => "put the container's /dev/null in place of the host's".to_owned(),
        other => of_process(other),
    }
}

fn propagation(kind: u64) -> &'static str {
    use crate_run_sys::mounts::propagation::*;
    match kind {
        SHARED => "shared",
        SLAVE => "slaves of the host's",
        PRIVATE => "private",
        _ => "unbindable",
    }
}

/// Names, terminal, and the way to the program.
fn of_process(operation: &Operation) -> String {
    use Operation as Op;
    match operation {
        Op::SetHostname { name } => format!("set the hostname to {}", show(name)),
        Op::SetDomainname { name } => format!("set the domain name to {}", show(name)),
        Op::SetParameter { path, value } => {
            let path = show(path);
            let name = path.strip_prefix("sys/").unwrap_or(&path).replace('/', ".");
            format!("set the kernel parameter {name} to {}", String::from_utf8_lossy(value))
        }
        Op::LoopbackUp {} => "set the loopback interface up".to_owned(),
        Op::OpenTerminal { .. } => "open a terminal".to_owned(),
        Op::LendStreams { uid } => format!("give standard streams that are pipes or files to user {uid}"),
        Op::PlainLineEnds {} => "end the terminal's lines with a newline alone".to_owned(),
        Op::MountConsole {} => "mount the terminal on /dev/console".to_owned(),
        Op::SendTerminal { .. } => "send the master side of the terminal away".to_owned(),
        Op::TakeTerminal {} => "take the terminal as controlling terminal".to_owned(),
        Op::NewSession {} => "begin a new session".to_owned(),
        Op::EnterDirectory { path, attempt: 0 } => format!("enter the working directory {}", show(path)),
        Op::EnterDirectory { path, .. } => format!("enter the working directory {} as the user", show(path)),
        Op::FindExecutable { name, .. } => format!("find the program {}", show(name)),
        Op::Park { .. } => "wait at the gate for start".to_owned(),
        Op::RunHook { path, .. } => format!("run the hook {}", show(path)),
        Op::CloseDescriptors { first } => format!("close all descriptors from {first} at execve"),
        Op::Announce {} => "say that only execve is left".to_owned(),
        Op::Execute { arguments, .. } => {
            format!("execute {}", arguments.iter().map(show).collect::<Vec<_>>().join(" "))
        }
        other => of_powers(other),
    }
}

/// The powers of the process, and how they are looked at again.
fn of_powers(operation: &Operation) -> String {
    use Operation as Op;
    match operation {
        Op::SetUmask { mask } => format!("set the umask to {mask:03o}"),
        Op::SetLimit { resource, soft, hard } => format!("set {}", limits::words(*resource, *soft, *hard)),
        Op::LimitBounding { keep } => format!("keep {} in the bounding set", capabilities(*keep)),
        Op::SetGroups { groups } => supplementary(groups),
        Op::SetIds { uid, gid } => format!("become user {uid}, group {gid}"),
        Op::SetCapabilities { effective, .. } => {
            format!("set the capability sets ({} effective)", effective.count_ones())
        }
        Op::SetAmbient { capabilities: set } => format!("raise {} in the ambient set", capabilities(*set)),
        Op::NoNewPrivileges {} => "set no_new_privs".to_owned(),
        Op::SetLabel { label, .. } => format!("set the label {}", String::from_utf8_lossy(label)),
        Op::NewKeyring { name } => format!("make the session keyring {}", show(name)),
        Op::SetPersonality { domain } => format!("set the personality {}", personality::name(*domain)),
        Op::RunAnywhere {} => "let it run on every processor".to_owned(),
        Op::RunOn { processors } => format!("let it run on the processors {}", affinity::list(processors)),
        Op::SetScheduler { policy, flags, nice, priority, runtime, deadline, period } => {
            let (policy, flags, nice, priority) = (*policy, *flags, nice.cast_signed(), *priority);
            let (runtime, deadline, period) = (*runtime, *deadline, *period);
            let given = Attributes { policy, flags, nice, priority, runtime, deadline, period };
            format!("set the scheduling policy {}", scheduler::words(&given))
        }
        Op::SetIoPriority { priority } => format!("set the I/O priority {}", io_priority::words(*priority)),
        Op::SetMemoryPolicy { mode, .. } => {
            format!("set the memory policy {}", memory_policy::mode_name(*mode))
        }
        Op::InstallFilter { program, .. } => {
            format!("install a seccomp filter of {} instructions", program.len() / 8)
        }
        Op::InstallListener { program, .. } => {
            format!("install a seccomp filter with a listener, of {} instructions", program.len() / 8)
        }
        Op::CloseListener {} => "close the listener".to_owned(),
        Op::VerifyIds { .. } => "read the ids back".to_owned(),
        Op::VerifyGroups { .. } => "read the groups back".to_owned(),
        Op::VerifyCapabilities { .. } => "read the capability sets back".to_owned(),
        Op::VerifyNoNewPrivileges {} => "read no_new_privs back".to_owned(),
        Op::VerifyUmask { .. } => "read the umask back".to_owned(),
        Op::VerifyLabel { .. } => "read the label back".to_owned(),
        Op::VerifyFilter { .. } => "look whether the seccomp filter is in place".to_owned(),
        other => other.name().to_owned(),
    }
}

/// How many capabilities a set has.
fn capabilities(set: u64) -> String {
    match set.count_ones() {
        0 => "no capability".to_owned(),
        1 => "1 capability".to_owned(),
        count => format!("{count} capabilities"),
    }
}

/// The groups by number, as long as they fit into a line.
fn supplementary(groups: &[u8]) -> String {
    const MOST: usize = 8;
    let (numbers, _) = groups.as_chunks::<4>();
    match numbers.len() {
        0 => "drop all supplementary groups".to_owned(),
        1..=MOST => {
            let numbers: Vec<String> =
                numbers.iter().map(|gid| u32::from_ne_bytes(*gid).to_string()).collect();
            format!("set the supplementary groups {}", numbers.join(", "))
        }
        count => format!("set {count} supplementary groups"),
    }
}
