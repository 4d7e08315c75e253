//! What usually mends it when the kernel refuses a step.
//!
//! A feature knows the cures of its own steps; here is only which feature is asked. What is asked is the
//! action, not the feature that has put it into the plan: several of them mount, and join namespaces.

use crate_run_plan::Operation;
use crate_run_plan::report::Call;
use crate_run_sys::Errno;

use crate::feature::{
    devices, identity, io_priority, limits, lsm, memory_policy, mounts, namespaces, network, process,
    scheduler, seccomp, sysctl, terminal, time, uts,
};
use crate::plan::HostAction;

/// When the runtime could not do it.
pub fn of_host(action: &HostAction, errno: Errno) -> Option<&'static str> {
    use HostAction as Host;
    match action {
        Host::OpenRoot { .. } | Host::CloneTree { .. } => mounts::cure_of_source(errno),
        Host::ConnectConsole { .. } => Some(terminal::CURE_OF_SOCKET),
        Host::GiveBirth { .. } => namespaces::cure_of_birth(errno),
        Host::WriteIdMaps { .. } => identity::cure_of_maps(errno),
        Host::MakeNetwork => namespaces::cure_of_making(errno),
        Host::MoveNetDevice { .. } => network::cure(errno),
        Host::SetOomScore { .. } => limits::cure_of_oom_score(errno),
        Host::SetLimit { .. } => limits::cure_outside(errno),
        Host::SetScheduler { attributes } => scheduler::cure(attributes.policy, errno),
        Host::SetIoPriority { .. } => io_priority::cure(errno),
        Host::WriteTimeOffsets { .. } => time::cure(errno),
        Host::SendListener { .. } => seccomp::cure_of_sending(errno),
        Host::SendPidfd { .. } => Some("somebody must listen on a stream socket at --pidfd-socket"),
        // Errors of the cgroup, of systemd and of resctrl bring their cures along.
        _ => None,
    }
}

/// When the child could not do it; `call` is what the kernel refused.
pub fn of_child(operation: &Operation, call: Call, errno: Errno) -> Option<&'static str> {
    use Operation as Op;
    match operation {
        Op::JoinNamespace { .. } | Op::JoinMountNamespace { .. } => namespaces::cure(operation, errno),
        Op::AttachLockedRoot { .. }
        | Op::MountNew { .. }
        | Op::MountTree { .. }
        | Op::MountLocked { .. }
        | Op::CloneFile { .. }
        | Op::Reconfigure { .. } => mounts::cure(operation, call, errno),
        Op::MakeDevice { .. } | Op::LendDevice { .. } => devices::cure(operation, errno),
        Op::SetHostname { .. } | Op::SetDomainname { .. } => uts::cure(errno),
        Op::SetParameter { .. } => sysctl::cure(errno),
        Op::OpenTerminal { .. } => terminal::cure(errno),
        Op::SetLimit { .. } => limits::cure(errno),
        Op::SetScheduler { policy, .. } => scheduler::cure(*policy, errno),
        Op::SetIoPriority { .. } => io_priority::cure(errno),
        Op::SetMemoryPolicy { .. } => memory_policy::cure(errno),
        Op::SetGroups { .. } | Op::SetIds { .. } => identity::cure(operation, errno),
        Op::SetLabel { .. } => lsm::cure(errno),
        Op::InstallFilter { .. } | Op::InstallListener { .. } => seccomp::cure(operation, errno),
        Op::EnterDirectory { .. } | Op::FindExecutable { .. } | Op::Execute { .. } => {
            process::cure(operation, errno)
        }
        _ => None,
    }
}
