//! What a step does, in words.

use crate_run_plan::Operation;
use crate_run_sys::scheduling::Attributes;

use crate::cgroup::systemd::{Manager, Property};
use crate::feature::limits::resource_name;
use crate::feature::namespaces::{KINDS, name_of};
use crate::feature::rdt::Missing;
use crate::feature::scheduler::policy_name;
use crate::feature::{affinity, io_priority, memory_policy, personality};
use crate::plan::{Action, HostAction, Ids, TreeChange};

/// The words for an action, to be read after "cannot" or as a line of its own: "mount tmpfs on /dev".
pub fn action(action: &Action) -> String {
    match action {
        Action::Host(action) => host(action),
        Action::Child(operation) => child(operation),
    }
}

/// The name of an action in the tables of host actions and operations.
pub fn name(action: &Action) -> &'static str {
    match action {
        Action::Host(action) => host_name(action),
        Action::Child(operation) => operation.name(),
    }
}

fn host_name(action: &HostAction) -> &'static str {
    use HostAction as Host;
    match action {
        Host::ReserveId => "ReserveId",
        Host::RecordIntent => "RecordIntent",
        Host::CreateCgroup { .. } => "CreateCgroup",
        Host::ConnectSystemd { .. } => "ConnectSystemd",
        Host::StartUnit { .. } => "StartUnit",
        Host::JoinUnit { .. } => "JoinUnit",
        Host::MakeGroup { .. } => "MakeGroup",
        Host::JoinGroup { .. } => "JoinGroup",
        Host::EnableControllers { .. } => "EnableControllers",
        Host::CheckMemoryUse { .. } => "CheckMemoryUse",
        Host::WriteCgroup { .. } => "WriteCgroup",
        Host::DelegateCgroup { .. } => "DelegateCgroup",
        Host::AttachDeviceFilter { .. } => "AttachDeviceFilter",
        Host::OpenResctrlGroup { .. } => "OpenResctrlGroup",
        Host::WriteSchemata { .. } => "WriteSchemata",
        Host::MakeMonitoringGroup { .. } => "MakeMonitoringGroup",
        Host::JoinResctrlGroup { .. } => "JoinResctrlGroup",
        Host::OpenRoot { .. } => "OpenRoot",
        Host::MapIds { .. } => "MapIds",
        Host::CloneTree { .. } => "CloneTree",
        Host::MakeFilesystem { .. } => "MakeFilesystem",
        Host::FillTmpfs { .. } => "FillTmpfs",
        Host::OpenNamespace { .. } => "OpenNamespace",
        Host::OpenContainer { .. } => "OpenContainer",
        Host::OpenRootOf { .. } => "OpenRootOf",
        Host::OpenCgroup { .. } => "OpenCgroup",
        Host::EnterNamespace { .. } => "EnterNamespace",
        Host::ReturnToOwnTime => "ReturnToOwnTime",
        Host::MakeNotifyDirectory { .. } => "MakeNotifyDirectory",
        Host::BindNotifySocket { .. } => "BindNotifySocket",
        Host::OpenGate => "OpenGate",
        Host::ConnectConsole { .. } => "ConnectConsole",
        Host::GiveBirth { .. } => "GiveBirth",
        Host::AdoptReborn => "AdoptReborn",
        Host::WriteIdMaps { .. } => "WriteIdMaps",
        Host::MakeNetwork => "MakeNetwork",
        Host::MoveNetDevice { .. } => "MoveNetDevice",
        Host::RunOn { .. } => "RunOn",
        Host::SetOomScore { .. } => "SetOomScore",
        Host::SetLimit { .. } => "SetLimit",
        Host::SetScheduler { .. } => "SetScheduler",
        Host::SetIoPriority { .. } => "SetIoPriority",
        Host::WriteTimeOffsets { .. } => "WriteTimeOffsets",
        Host::RunHook { .. } => "RunHook",
        Host::SendListener { .. } => "SendListener",
        Host::SendPidfd { .. } => "SendPidfd",
        Host::WritePidFile { .. } => "WritePidFile",
        Host::RecordCreated => "RecordCreated",
    }
}

fn kinds(mask: u64) -> String {
    let names: Vec<&str> =
        KINDS.iter().filter(|kind| mask & **kind != 0).map(|kind| name_of(*kind)).collect();
    if names.is_empty() { "no".to_owned() } else { names.join(", ") }
}

fn host(action: &HostAction) -> String {
    match action {
        HostAction::ReserveId => "reserve the container's id".to_owned(),
        HostAction::RecordIntent => "write down what is about to be made".to_owned(),
        HostAction::CreateCgroup { path } => format!("make the cgroup {path}"),
        HostAction::ConnectSystemd { manager: Manager::System } => "connect to systemd".to_owned(),
        HostAction::ConnectSystemd { manager: Manager::User } => {
            "connect to the systemd of the user".to_owned()
        }
        HostAction::StartUnit { unit, properties } => {
            let told = |property: &Property| format!("{}={}", property.name, property.value);
            let told: Vec<String> = properties.iter().map(told).collect();
            format!("have systemd start {unit} with {}", told.join(", "))
        }
        HostAction::JoinUnit { unit, below } => {
            format!("have systemd move the process into {unit}{below}")
        }
        HostAction::MakeGroup { group } => {
            format!("make the group {} of cgroup v1 {}", group.path, group.names())
        }
        HostAction::JoinGroup { group } => {
            format!("put the process into the group {} of cgroup v1 {}", group.path, group.names())
        }
        HostAction::EnableControllers { needed, wished } => {
            let all: Vec<&str> = needed.iter().map(String::as_str).chain(wished.iter().copied()).collect();
            format!("enable the cgroup controllers {}", all.join(", "))
        }
        HostAction::CheckMemoryUse { .. } => "compare the memory limits with the use".to_owned(),
        HostAction::WriteCgroup { setting } => format!("write {} to {}", setting.value, setting.file),
        HostAction::DelegateCgroup { user } => format!("hand the cgroup to user {user} of the container"),
        HostAction::AttachDeviceFilter { program } => {
            format!("attach a device filter of {} instructions to the cgroup", program.len() / 8)
        }
        HostAction::OpenResctrlGroup { group, missing: Missing::Make, .. } => {
            format!("make or find the resctrl group {group}")
        }
        HostAction::OpenResctrlGroup { group, .. } => format!("find the resctrl group {group}"),
        HostAction::WriteSchemata { group, line } => {
            format!("write {line} to the schemata of the resctrl group {group}")
        }
        HostAction::MakeMonitoringGroup { group } => format!("make the resctrl group {group}"),
        HostAction::JoinResctrlGroup { group } => format!("put the process into the resctrl group {group}"),
        HostAction::OpenRoot { path, .. } => format!("open the root filesystem {path}"),
        HostAction::MapIds { ids, .. } => map_ids(ids),
        HostAction::CloneTree { source, change: TreeChange { ids: Some(_), .. }, .. } => {
            format!("clone the tree of {source}, with other ids")
        }
        HostAction::CloneTree { source, .. } => format!("clone the tree of {source}"),
        HostAction::MakeFilesystem { filesystem, .. } => {
            format!("make a {} filesystem, with other ids", filesystem.to_string_lossy())
        }
        HostAction::FillTmpfs { path, .. } => format!("fill a tmpfs with what the image has at {path}"),
        HostAction::OpenNamespace { path, kind, .. } => {
            format!("open the {} namespace {path}", name_of(*kind))
        }
        HostAction::OpenContainer { process, .. } => format!("open the container's process {}", process.pid),
        HostAction::OpenRootOf { process, .. } => format!("open the root of the process {}", process.pid),
        HostAction::OpenCgroup { path } => format!("open the cgroup {path}"),
        HostAction::EnterNamespace { kind, .. } => {
            format!("enter the {} namespace for the birth", name_of(*kind))
        }
        HostAction::ReturnToOwnTime => "go back to the runtime's own time namespace".to_owned(),
        HostAction::MakeNotifyDirectory { path } => format!("make the directory {path}"),
        HostAction::BindNotifySocket { directory } => format!("bind the socket for READY=1 in {directory}"),
        HostAction::OpenGate => "open the gate for start".to_owned(),
        HostAction::ConnectConsole { path } => format!("connect to the console socket {path}"),
        HostAction::GiveBirth { kinds: mask } => {
            format!("give birth to the process with new namespaces: {}", kinds(*mask))
        }
        HostAction::AdoptReborn => "reap the first process, and go on with the reborn one".to_owned(),
        HostAction::WriteIdMaps { uids, gids, writers } => {
            format!("write the id maps{writers} (users {}; groups {})", one_line(uids), one_line(gids))
        }
        HostAction::MakeNetwork => "make a network namespace".to_owned(),
        HostAction::MoveNetDevice { name, inside } if name == inside => {
            format!("move the network device {name} into the container")
        }
        HostAction::MoveNetDevice { name, inside } => {
            format!("move the network device {name} into the container, as {inside}")
        }
        HostAction::RunOn { processors } => {
            format!("run on the processors {}", affinity::list(processors))
        }
        HostAction::SetOomScore { value } => format!("set oom_score_adj to {value}"),
        HostAction::SetLimit { resource, soft, hard } => limit(*resource, *soft, *hard),
        HostAction::SetScheduler { attributes } => scheduler(attributes),
        HostAction::SetIoPriority { priority } => {
            format!("set the I/O priority {}", io_priority::words(*priority))
        }
        HostAction::WriteTimeOffsets { offsets } => {
            format!("write the clock offsets ({})", one_line(offsets))
        }
        HostAction::RunHook { hook, kind, index } => {
            format!("run {kind} hook #{index}, {}", hook.path.display())
        }
        HostAction::SendListener { path, .. } => format!("send the listener to the seccomp agent {path}"),
        HostAction::SendPidfd { path } => format!("send a pidfd to the socket {path}"),
        HostAction::WritePidFile { path } => format!("write the pid to {path}"),
        HostAction::RecordCreated => "write down that the container is created".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.trim_end().replace('\n', ", ")
}

fn map_ids(ids: &Ids) -> String {
    match ids {
        Ids::Maps { uids, gids } => {
            format!("make a user namespace for ids (users {}; groups {})", one_line(uids), one_line(gids))
        }
        Ids::Of(path) => format!("open the user namespace {path} for its ids"),
    }
}

fn scheduler(attributes: &Attributes) -> String {
    let Attributes { policy, nice, priority, runtime, deadline, period, .. } = *attributes;
    let mut words = format!("set the scheduling policy {}", policy_name(policy));
    let values =
        [("priority", priority.into()), ("runtime", runtime), ("deadline", deadline), ("period", period)];
    for (name, value) in values.into_iter().filter(|(_, value)| *value != 0) {
        words.push_str(&format!(", {name} {value}"));
    }
    if nice == 0 { words } else { format!("{words}, nice value {nice}") }
}

fn limit(resource: u32, soft: u64, hard: u64) -> String {
    let number = |value: u64| if value == u64::MAX { "unlimited".to_owned() } else { value.to_string() };
    format!("set {} to {}, hard {}", resource_name(resource), number(soft), number(hard))
}

fn child(operation: &Operation) -> String {
    use Operation as Op;
    let show = |text: &std::ffi::CString| text.to_string_lossy().into_owned();
    match operation {
        Op::Meet {} | Op::Wait {} => "wait for the host".to_owned(),
        Op::JoinNamespace { kind, .. } => format!("join the {} namespace", name_of(*kind)),
        Op::JoinMountNamespace { .. } => "join the mount namespace with its own root".to_owned(),
        Op::LeaveNamespaces { kinds: mask } => format!("make a new {} namespace", kinds(*mask)),
        Op::EnterTime { .. } => "enter the time namespace".to_owned(),
        Op::EnterContainer { kinds: mask, .. } => {
            format!("enter the container's namespaces: {}", kinds(*mask))
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
        Op::FindMount { target } => format!("find the mount at {}", show(target)),
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
        other => child_itself(other),
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

/// Operations that act on the process and its names.
fn child_itself(operation: &Operation) -> String {
    use Operation as Op;
    let show = |text: &std::ffi::CString| text.to_string_lossy().into_owned();
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
        Op::NewKeyring { name } => format!("make the session keyring {}", show(name)),
        Op::EnterDirectory { path, attempt: 0 } => format!("enter the working directory {}", show(path)),
        Op::EnterDirectory { path, .. } => format!("enter the working directory {} as the user", show(path)),
        Op::FindExecutable { name, .. } => format!("find the program {}", show(name)),
        Op::Park { .. } => "wait at the gate for start".to_owned(),
        Op::RunHook { path, .. } => format!("run the hook {}", show(path)),
        Op::SetUmask { mask } => format!("set the umask to {mask:03o}"),
        Op::SetLimit { resource, soft, hard } => limit(*resource, *soft, *hard),
        Op::LimitBounding { keep } => format!("keep {} in the bounding set", capabilities(*keep)),
        Op::SetGroups { groups } => supplementary(groups),
        Op::SetIds { uid, gid } => format!("become user {uid}, group {gid}"),
        Op::SetCapabilities { effective, .. } => {
            format!("set the capability sets ({} effective)", effective.count_ones())
        }
        Op::SetAmbient { capabilities: set } => format!("raise {} in the ambient set", capabilities(*set)),
        Op::NoNewPrivileges {} => "set no_new_privs".to_owned(),
        Op::VerifyIds { .. } => "read the ids back".to_owned(),
        Op::VerifyGroups { .. } => "read the groups back".to_owned(),
        Op::VerifyCapabilities { .. } => "read the capability sets back".to_owned(),
        Op::VerifyNoNewPrivileges {} => "read no_new_privs back".to_owned(),
        Op::VerifyUmask { .. } => "read the umask back".to_owned(),
        Op::VerifyLabel { .. } => "read the label back".to_owned(),
        Op::VerifyFilter { .. } => "look whether the seccomp filter is in place".to_owned(),
        Op::CloseDescriptors { first } => format!("close all descriptors from {first} at execve"),
        Op::Announce {} => "say that only execve is left".to_owned(),
        Op::InstallFilter { program, .. } => {
            format!("install a seccomp filter of {} instructions", program.len() / 8)
        }
        Op::InstallListener { program, .. } => {
            format!("install a seccomp filter with a listener, of {} instructions", program.len() / 8)
        }
        Op::CloseListener {} => "close the listener".to_owned(),
        Op::Execute { arguments, .. } => {
            format!("execute {}", arguments.iter().map(show).collect::<Vec<_>>().join(" "))
        }
        Op::SetPersonality { domain } => format!("set the personality {}", personality::name(*domain)),
        Op::RunAnywhere {} => "let it run on every processor".to_owned(),
        Op::RunOn { processors } => format!("let it run on the processors {}", affinity::list(processors)),
        Op::SetScheduler { policy, flags, nice, priority, runtime, deadline, period } => {
            let (policy, flags, nice, priority) = (*policy, *flags, nice.cast_signed(), *priority);
            let (runtime, deadline, period) = (*runtime, *deadline, *period);
            let given = Attributes { policy, flags, nice, priority, runtime, deadline, period };
            scheduler(&given)
        }
        Op::SetIoPriority { priority } => format!("set the I/O priority {}", io_priority::words(*priority)),
        Op::SetMemoryPolicy { mode, .. } => {
            format!("set the memory policy {}", memory_policy::mode_name(*mode))
        }
        Op::SetLabel { label, .. } => format!("set the label {}", String::from_utf8_lossy(label)),
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
