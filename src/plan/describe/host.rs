//! What the runtime does, in words.

use crate::cgroup::systemd::{Manager, Property};
use crate::feature::namespaces::{name_of, names_of};
use crate::feature::rdt::Missing;
use crate::feature::{affinity, io_priority, limits, scheduler};
use crate::plan::{HostAction, Ids, TreeChange};

/// The name of an action in its table.
pub fn name(action: &HostAction) -> &'static str {
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

/// What is made ready before the birth, and what is kept of it.
pub fn words(action: &HostAction) -> String {
    use HostAction as Host;
    match action {
        Host::ReserveId => "reserve the container's id".to_owned(),
        Host::RecordIntent => "write down what is about to be made".to_owned(),
        Host::OpenRoot { path, .. } => format!("open the root filesystem {path}"),
        Host::MapIds { ids, .. } => map_ids(ids),
        Host::CloneTree { source, change: TreeChange { ids: Some(_), .. }, .. } => {
            format!("clone the tree of {source}, with other ids")
        }
        Host::CloneTree { source, .. } => format!("clone the tree of {source}"),
        Host::MakeFilesystem { filesystem, .. } => {
            format!("make a {} filesystem, with other ids", filesystem.to_string_lossy())
        }
        Host::FillTmpfs { path, .. } => format!("fill a tmpfs with what the image has at {path}"),
        Host::OpenNamespace { path, kind, .. } => {
            format!("open the {} namespace {path}", name_of(*kind))
        }
        Host::EnterNamespace { kind, .. } => {
            format!("enter the {} namespace for the birth", name_of(*kind))
        }
        Host::ReturnToOwnTime => "go back to the runtime's own time namespace".to_owned(),
        Host::OpenContainer { process, .. } => format!("open the container's process {}", process.pid),
        Host::OpenRootOf { process, .. } => format!("open the root of the process {}", process.pid),
        Host::MakeNotifyDirectory { path } => format!("make the directory {path}"),
        Host::BindNotifySocket { directory } => format!("bind the socket for READY=1 in {directory}"),
        Host::OpenGate => "open the gate for start".to_owned(),
        Host::ConnectConsole { path } => format!("connect to the console socket {path}"),
        other => of_groups(other),
    }
}

fn map_ids(ids: &Ids) -> String {
    match ids {
        Ids::Maps { uids, gids } => {
            format!("make a user namespace for ids (users {}; groups {})", one_line(uids), one_line(gids))
        }
        Ids::Of(path) => format!("open the user namespace {path} for its ids"),
    }
}

/// Control groups, and those of resctrl.
fn of_groups(action: &HostAction) -> String {
    use HostAction as Host;
    match action {
        Host::CreateCgroup { path } => format!("make the cgroup {path}"),
        Host::ConnectSystemd { manager: Manager::System } => "connect to systemd".to_owned(),
        Host::ConnectSystemd { manager: Manager::User } => "connect to the systemd of the user".to_owned(),
        Host::StartUnit { unit, properties } => {
            let told = |property: &Property| format!("{}={}", property.name, property.value);
            let told: Vec<String> = properties.iter().map(told).collect();
            format!("have systemd start {unit} with {}", told.join(", "))
        }
        Host::JoinUnit { unit, below } => {
            format!("have systemd move the process into {unit}{below}")
        }
        Host::MakeGroup { group } => {
            format!("make the group {} of cgroup v1 {}", group.path, group.names())
        }
        Host::JoinGroup { group } => {
            format!("put the process into the group {} of cgroup v1 {}", group.path, group.names())
        }
        Host::EnableControllers { needed, wished } => {
            let all: Vec<&str> = needed.iter().map(String::as_str).chain(wished.iter().copied()).collect();
            format!("enable the cgroup controllers {}", all.join(", "))
        }
        Host::CheckMemoryUse { .. } => "compare the memory limits with the use".to_owned(),
        Host::WriteCgroup { setting } => format!("write {} to {}", setting.value, setting.file),
        Host::DelegateCgroup { user } => format!("hand the cgroup to user {user} of the container"),
        Host::AttachDeviceFilter { program } => {
            format!("attach a device filter of {} instructions to the cgroup", program.len() / 8)
        }
        Host::OpenResctrlGroup { group, missing: Missing::Make, .. } => {
            format!("make or find the resctrl group {group}")
        }
        Host::OpenResctrlGroup { group, .. } => format!("find the resctrl group {group}"),
        Host::WriteSchemata { group, line } => {
            format!("write {line} to the schemata of the resctrl group {group}")
        }
        Host::MakeMonitoringGroup { group } => format!("make the resctrl group {group}"),
        Host::JoinResctrlGroup { group } => format!("put the process into the resctrl group {group}"),
        Host::OpenCgroup { path } => format!("open the cgroup {path}"),
        other => of_newborn(other),
    }
}

/// The birth, and what follows it.
fn of_newborn(action: &HostAction) -> String {
    use HostAction as Host;
    match action {
        Host::GiveBirth { kinds: mask } => {
            format!("give birth to the process with new namespaces: {}", names_of(*mask))
        }
        Host::AdoptReborn => "reap the first process, and go on with the reborn one".to_owned(),
        Host::WriteIdMaps { uids, gids, writers } => {
            format!("write the id maps{writers} (users {}; groups {})", one_line(uids), one_line(gids))
        }
        Host::MakeNetwork => "make a network namespace".to_owned(),
        Host::MoveNetDevice { name, inside } if name == inside => {
            format!("move the network device {name} into the container")
        }
        Host::MoveNetDevice { name, inside } => {
            format!("move the network device {name} into the container, as {inside}")
        }
        Host::RunOn { processors } => {
            format!("run on the processors {}", affinity::list(processors))
        }
        Host::SetOomScore { value } => format!("set oom_score_adj to {value}"),
        Host::SetLimit { resource, soft, hard } => format!("set {}", limits::words(*resource, *soft, *hard)),
        Host::SetScheduler { attributes } => {
            format!("set the scheduling policy {}", scheduler::words(attributes))
        }
        Host::SetIoPriority { priority } => {
            format!("set the I/O priority {}", io_priority::words(*priority))
        }
        Host::WriteTimeOffsets { offsets } => {
            format!("write the clock offsets ({})", one_line(offsets))
        }
        Host::RunHook { hook, kind, index } => {
            format!("run {kind} hook #{index}, {}", hook.path.display())
        }
        Host::SendListener { path, .. } => format!("send the listener to the seccomp agent {path}"),
        Host::SendPidfd { path } => format!("send a pidfd to the socket {path}"),
        Host::WritePidFile { path } => format!("write the pid to {path}"),
        Host::RecordCreated => "write down that the container is created".to_owned(),
        other => name(other).to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.trim_end().replace('\n', ", ")
}
