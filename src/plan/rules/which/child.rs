//! Steps of the child.

use crate_run_plan::Operation as Op;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::propagation;
use crate_run_sys::namespaces::flag;

use super::host::*;
use crate::plan::{Action, HostAction as Host, Phase, Step};

fn child(step: &Step) -> Option<&Op> {
    match &step.action {
        Action::Host(_) => None,
        Action::Child(operation) => Some(operation),
    }
}

pub fn of_child(step: &Step) -> bool {
    child(step).is_some()
}

pub fn joins(step: &Step) -> bool {
    matches!(child(step), Some(Op::JoinNamespace { .. }))
}

/// Enters a container that is there already, all its namespaces at once.
pub fn enters(step: &Step) -> bool {
    matches!(child(step), Some(Op::EnterContainer { .. }))
}

/// Joins a namespace that was there before the container.
pub fn joins_opened(step: &Step) -> bool {
    joins(step) && !joins_own_network(step)
}

/// Joins the network namespace that the runtime makes meanwhile.
pub fn joins_own_network(step: &Step) -> bool {
    matches!(child(step), Some(Op::JoinNamespace { namespace: Slot::NETWORK, .. }))
}

pub fn moves_net_device(step: &Step) -> bool {
    matches!(host(step), Some(Host::MoveNetDevice { .. }))
}

pub fn sets_network_parameter(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetParameter { path, .. }) if path.to_bytes().starts_with(b"sys/net/"))
}

/// A namespace in which the process stands changes.
pub fn changes_namespaces(step: &Step) -> bool {
    joins(step) || is_born_again(step) || adopts(step)
}

/// Shows or uses the network: a step inside, or a hook that expects to find it there.
pub fn needs_network(step: &Step) -> bool {
    match child(step) {
        Some(Op::LoopbackUp {}) => true,
        Some(Op::MountNew { filesystem, .. }) => filesystem.as_c_str() == c"sysfs",
        _ => sets_network_parameter(step) || hook_outside(step),
    }
}

pub fn joins_user(step: &Step) -> bool {
    matches!(child(step), Some(Op::JoinNamespace { kind: flag::USER, .. }))
}

pub fn is_born_again(step: &Step) -> bool {
    matches!(child(step), Some(Op::Rebirth { .. }))
}

pub fn adopts(step: &Step) -> bool {
    matches!(host(step), Some(Host::AdoptReborn))
}

pub fn joins_mounts(step: &Step) -> bool {
    matches!(child(step), Some(Op::JoinMountNamespace { .. }))
}

pub fn joins_other(step: &Step) -> bool {
    joins(step) && !joins_user(step)
}

pub fn makes_cgroup_namespace(step: &Step) -> bool {
    matches!(child(step), Some(Op::LeaveNamespaces { kinds: flag::CGROUP }))
}

pub fn makes_time_namespace(step: &Step) -> bool {
    matches!(child(step), Some(Op::LeaveNamespaces { kinds: flag::TIME }))
}

pub fn enters_time(step: &Step) -> bool {
    matches!(child(step), Some(Op::EnterTime {}))
}

/// A step whose effect is that of the namespaces in which the child stands.
pub fn inside_namespaces(step: &Step) -> bool {
    of_child(step) && step.phase >= Phase::View
}

pub fn cuts_propagation(step: &Step) -> bool {
    matches!(child(step), Some(Op::Propagate { kind: propagation::SLAVE | propagation::PRIVATE, .. }))
}

pub fn sets_root_propagation(step: &Step) -> bool {
    matches!(child(step), Some(Op::Propagate { kind: propagation::SHARED | propagation::UNBINDABLE, .. }))
}

pub fn attaches_root(step: &Step) -> bool {
    matches!(child(step), Some(Op::AttachRoot { .. } | Op::AttachLockedRoot { .. }))
}

/// Attaches a mount that the configuration lists.
pub fn mounts(step: &Step) -> bool {
    let mounts =
        matches!(child(step), Some(Op::MountNew { .. } | Op::MountTree { .. } | Op::ChangeMount { .. }));
    let mounts = mounts || matches!(child(step), Some(Op::MountLocked { .. } | Op::CopyLink { .. }));
    let mounts = mounts || matches!(child(step), Some(Op::Reconfigure { .. }));
    mounts && step.feature == "mounts"
}

/// Mounts the directory of the socket for READY=1.
pub fn mounts_notify(step: &Step) -> bool {
    matches!(child(step), Some(Op::MountTree { .. } | Op::MountLocked { .. })) && step.feature == "notify"
}

pub fn mounts_cgroups(step: &Step) -> bool {
    matches!(child(step), Some(Op::MountNew { filesystem, .. }) if filesystem.as_c_str() == c"cgroup2")
}

/// Makes a device node, a link, or lends a node of the host.
pub fn makes_devices(step: &Step) -> bool {
    matches!(child(step), Some(Op::MakeDevice { .. } | Op::LendDevice { .. } | Op::MakeLink { .. }))
}

/// Looks up a file or a tree of the host by its path.
pub fn looks_up_on_host(step: &Step) -> bool {
    matches!(child(step), Some(Op::CloneFile { .. } | Op::MountLocked { .. }))
}

pub fn attaches_anything(step: &Step) -> bool {
    attaches_root(step) || mounts(step) || mounts_notify(step) || makes_devices(step) || mounts_console(step)
}

/// Changes what is mounted, or how.
pub fn shapes_mounts(step: &Step) -> bool {
    attaches_anything(step) || pivots(step) || covers(step) || seals_root(step)
}

/// Makes files or directories in the root where they are missing.
pub fn makes_files(step: &Step) -> bool {
    makes_directory(step)
        || mounts(step)
        || mounts_notify(step)
        || makes_devices(step)
        || mounts_console(step)
}

pub fn opens_terminal(step: &Step) -> bool {
    matches!(child(step), Some(Op::OpenTerminal { .. }))
}

pub fn mounts_console(step: &Step) -> bool {
    matches!(child(step), Some(Op::MountConsole {}))
}

pub fn takes_terminal(step: &Step) -> bool {
    matches!(child(step), Some(Op::TakeTerminal {}))
}

pub fn new_session(step: &Step) -> bool {
    matches!(child(step), Some(Op::NewSession {}))
}

pub fn create_container_hook(step: &Step) -> bool {
    matches!(child(step), Some(Op::RunHook { .. })) && step.phase <= Phase::View
}

pub fn start_container_hook(step: &Step) -> bool {
    matches!(child(step), Some(Op::RunHook { .. })) && step.phase > Phase::View
}

/// A hook that sees the files of the host.
pub fn hook_outside(step: &Step) -> bool {
    runtime_hook(step) || create_container_hook(step)
}

pub fn pivots(step: &Step) -> bool {
    matches!(child(step), Some(Op::PivotRoot {} | Op::MoveRoot {}))
}

/// Takes a mount of the host out of the way.
pub fn hides_host_mount(step: &Step) -> bool {
    matches!(child(step), Some(Op::HideHostMount { .. }))
}

pub fn covers(step: &Step) -> bool {
    matches!(child(step), Some(Op::MaskPath { .. } | Op::ReadOnlyPath { .. }))
}

pub fn seals_root(step: &Step) -> bool {
    matches!(child(step), Some(Op::ReadOnlyRoot {}))
}

pub fn adopts_null(step: &Step) -> bool {
    matches!(child(step), Some(Op::AdoptNull {}))
}

pub fn makes_directory(step: &Step) -> bool {
    matches!(child(step), Some(Op::MakeDirectory { .. }))
}

pub fn enters_directory(step: &Step) -> bool {
    matches!(child(step), Some(Op::EnterDirectory { attempt: 0, .. }))
}

pub fn enters_as_user(step: &Step) -> bool {
    matches!(child(step), Some(Op::EnterDirectory { attempt: 1.., .. }))
}

pub fn finds_program(step: &Step) -> bool {
    matches!(child(step), Some(Op::FindExecutable { .. }))
}

pub fn looks_inside(step: &Step) -> bool {
    enters_directory(step) || finds_program(step)
}

pub fn parks(step: &Step) -> bool {
    matches!(child(step), Some(Op::Park { .. }))
}

/// Everything that shapes what the container sees.
pub fn view(step: &Step) -> bool {
    step.phase == Phase::View
}

pub fn sets_own_limit(step: &Step) -> bool {
    let limits = matches!(child(step), Some(Op::SetLimit { .. } | Op::SetPersonality { .. }));
    let places = matches!(child(step), Some(Op::SetIoPriority { .. } | Op::SetMemoryPolicy { .. }));
    limits || places || matches!(child(step), Some(Op::SetScheduler { .. }))
}

pub fn runs_anywhere(step: &Step) -> bool {
    matches!(child(step), Some(Op::RunAnywhere {}))
}

/// On either side.
pub fn schedules(step: &Step) -> bool {
    let inside = matches!(child(step), Some(Op::SetScheduler { .. }));
    inside || matches!(host(step), Some(Host::SetScheduler { .. }))
}

/// On either side.
pub fn sets_io_priority(step: &Step) -> bool {
    let inside = matches!(child(step), Some(Op::SetIoPriority { .. }));
    inside || matches!(host(step), Some(Host::SetIoPriority { .. }))
}

pub fn closes_descriptors(step: &Step) -> bool {
    matches!(child(step), Some(Op::CloseDescriptors { .. }))
}

pub fn limits_bounding(step: &Step) -> bool {
    matches!(child(step), Some(Op::LimitBounding { .. }))
}

pub fn sets_label(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetLabel { .. }))
}

pub fn lends_streams(step: &Step) -> bool {
    matches!(child(step), Some(Op::LendStreams { .. }))
}

pub fn sets_groups(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetGroups { .. }))
}

pub fn sets_ids(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetIds { .. }))
}

pub fn sets_capabilities(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetCapabilities { .. }))
}

pub fn sets_ambient(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetAmbient { .. }))
}

/// Takes a power away that an unprivileged process cannot get back.
pub fn drops_powers(step: &Step) -> bool {
    limits_bounding(step) || sets_ids(step) || sets_capabilities(step)
}

/// One of the credentials and attributes with which the program starts.
pub fn sets_credentials(step: &Step) -> bool {
    let credentials = drops_powers(step) || sets_groups(step) || sets_ambient(step);
    credentials || no_new_privileges(step) || sets_label(step) || sets_umask(step)
}

pub fn no_new_privileges(step: &Step) -> bool {
    matches!(child(step), Some(Op::NoNewPrivileges {}))
}

pub fn sets_umask(step: &Step) -> bool {
    matches!(child(step), Some(Op::SetUmask { .. }))
}

pub fn verifies(step: &Step) -> bool {
    let ids =
        matches!(child(step), Some(Op::VerifyIds { .. } | Op::VerifyGroups { .. } | Op::VerifyUmask { .. }));
    let powers = matches!(child(step), Some(Op::VerifyCapabilities { .. } | Op::VerifyNoNewPrivileges {}));
    ids || powers || matches!(child(step), Some(Op::VerifyLabel { .. }))
}

pub fn announces(step: &Step) -> bool {
    matches!(child(step), Some(Op::Announce {}))
}

pub fn filters_calls(step: &Step) -> bool {
    matches!(child(step), Some(Op::InstallFilter { .. }))
}

pub fn installs_listener(step: &Step) -> bool {
    matches!(child(step), Some(Op::InstallListener { .. }))
}

pub fn closes_listener(step: &Step) -> bool {
    matches!(child(step), Some(Op::CloseListener {}))
}

/// Waits for `start`, or becomes the program.
pub fn parks_or_executes(step: &Step) -> bool {
    parks(step) || executes(step)
}

pub fn reads_filter_back(step: &Step) -> bool {
    matches!(child(step), Some(Op::VerifyFilter { .. }))
}

pub fn executes(step: &Step) -> bool {
    matches!(child(step), Some(Op::Execute { .. }))
}

/// The end of the plan: another program, or none.
pub fn ends(step: &Step) -> bool {
    executes(step) || matches!(child(step), Some(Op::End {}))
}

/// What may fail by the child's own doing, and must be told before it has said its last word.
pub fn before_last_word(step: &Step) -> bool {
    of_child(step) && !announces(step) && !filters_calls(step) && !reads_filter_back(step) && !ends(step)
}
