//! What becomes of a host step when a later step fails.
//!
//! `launch::undo` takes things back in one fixed order, whatever was made: the newborn, the cgroup, the pid
//! file, the container's directory. This is the same from the point of view of each step, for those who read
//! a plan. What the child does needs no undo: its mounts, names and limits are those of its namespaces, and
//! go with them.

use crate::plan::HostAction;

/// The way back from a host step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// A descriptor or an attribute of the runtime's own process: gone when the command ends.
    EndsWithCommand,
    /// Done on purpose.
    By(&'static str),
    /// Part of something that an earlier step made, and removed with it.
    With(&'static str),
    /// Left as it is, for this reason.
    Stays(&'static str),
}

/// The way back from `action`.
pub fn undo(action: &HostAction) -> Undo {
    use HostAction as Host;
    match action {
        Host::ReserveId => Undo::By("remove the container's directory"),
        Host::RecordIntent
        | Host::OpenGate
        | Host::MakeNotifyDirectory { .. }
        | Host::BindNotifySocket { .. }
        | Host::RecordCreated => Undo::With("the container's directory"),
        Host::CreateCgroup { .. } => Undo::By("kill what is in it, remove the levels made"),
        Host::StartUnit { .. } => Undo::By("kill what is in it, have systemd stop and forget it"),
        Host::MakeGroup { .. } => Undo::By("remove the levels made, when nobody is left in them"),
        Host::WriteCgroup { .. } | Host::DelegateCgroup { .. } => Undo::With("the cgroup"),
        Host::AttachDeviceFilter { .. } => Undo::By("detach it, if the cgroup was there before"),
        Host::OpenResctrlGroup { .. } | Host::MakeMonitoringGroup { .. } => {
            Undo::By("remove the group if it was made")
        }
        Host::WriteSchemata { .. } => Undo::With("the resctrl group"),
        Host::EnableControllers { .. } => Undo::Stays("other cgroups may use them by now"),
        Host::CheckMemoryUse { .. }
        | Host::OpenRoot { .. }
        | Host::CloneTree { .. }
        | Host::MapIds { .. }
        | Host::MakeFilesystem { .. }
        | Host::FillTmpfs { .. }
        | Host::OpenNamespace { .. }
        | Host::OpenContainer { .. }
        | Host::OpenRootOf { .. }
        | Host::OpenCgroup { .. }
        | Host::ConnectSystemd { .. }
        | Host::ReturnToOwnTime
        | Host::ConnectConsole { .. } => Undo::EndsWithCommand,
        Host::WritePidFile { .. } => Undo::By("remove the file"),
        Host::EnterNamespace { .. } => Undo::By("go back to the runtime's own namespace"),
        Host::GiveBirth { .. } => Undo::By("kill it, reap it, run the poststop hooks"),
        Host::AdoptReborn
        | Host::JoinGroup { .. }
        | Host::SendListener { .. }
        | Host::SendPidfd { .. }
        | Host::WriteIdMaps { .. }
        | Host::MakeNetwork
        | Host::JoinResctrlGroup { .. }
        | Host::JoinUnit { .. }
        | Host::RunOn { .. }
        | Host::SetOomScore { .. }
        | Host::SetLimit { .. }
        | Host::SetScheduler { .. }
        | Host::SetIoPriority { .. }
        | Host::WriteTimeOffsets { .. } => Undo::With("the newborn"),
        Host::MoveNetDevice { .. } => Undo::By("move it back, with its name, addresses, routes and state"),
        Host::RunHook { .. } => Undo::By("the engine's poststop hooks"),
    }
}

impl Undo {
    /// The words for people; `None` when there is nothing to tell.
    pub fn words(self) -> Option<String> {
        match self {
            Undo::EndsWithCommand => None,
            Undo::By(words) => Some(words.to_owned()),
            Undo::With(what) => Some(format!("goes with {what}")),
            Undo::Stays(reason) => Some(format!("none, {reason}")),
        }
    }
}
