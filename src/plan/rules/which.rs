//! The kinds of steps that rules speak about.

use crate_run_plan::Operation as Op;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::propagation;
use crate_run_sys::namespaces::flag;

use crate::cgroup::limits::Moment;
use crate::plan::{Action, HostAction as Host, Phase, Step};

fn host(step: &Step) -> Option<&Host> {
    match &step.action {
        Action::Host(action) => Some(action),
        Action::Child(_) => None,
    }
}

fn child(step: &Step) -> Option<&Op> {
    match &step.action {
        Action::Host(_) => None,
        Action::Child(operation) => Some(operation),
    }
}

// The host's steps.

pub fn of_host(step: &Step) -> bool {
    host(step).is_some()
}

pub fn reserves(step: &Step) -> bool {
    matches!(host(step), Some(Host::ReserveId))
}

pub fn records_intent(step: &Step) -> bool {
    matches!(host(step), Some(Host::RecordIntent))
}

/// Anything but the record itself.
pub fn acts(step: &Step) -> bool {
    !reserves(step) && !records_intent(step)
}

pub fn creates_cgroup(step: &Step) -> bool {
    matches!(host(step), Some(Host::CreateCgroup { .. }))
}

pub fn enables_controllers(step: &Step) -> bool {
    matches!(host(step), Some(Host::EnableControllers { .. }))
}

pub fn writes_limit(step: &Step) -> bool {
    matches!(host(step), Some(Host::WriteCgroup { .. }))
}

pub fn checks_memory(step: &Step) -> bool {
    matches!(host(step), Some(Host::CheckMemoryUse { .. }))
}

pub fn limits_memory(step: &Step) -> bool {
    matches!(host(step), Some(Host::WriteCgroup { setting }) if setting.controller == "memory")
}

pub fn writes_early_limit(step: &Step) -> bool {
    matches!(host(step), Some(Host::WriteCgroup { setting }) if setting.moment() == Moment::BeforeBirth)
}

pub fn writes_late_limit(step: &Step) -> bool {
    writes_limit(step) && !writes_early_limit(step)
}

/// Starts what is neither the runtime nor its child: a hook inside, or the program, now or after `start`.
pub fn lets_others_run(step: &Step) -> bool {
    create_container_hook(step) || start_container_hook(step) || parks(step) || executes(step)
}

pub fn delegates_cgroup(step: &Step) -> bool {
    matches!(host(step), Some(Host::DelegateCgroup { .. }))
}

pub fn filters_devices(step: &Step) -> bool {
    matches!(host(step), Some(Host::AttachDeviceFilter { .. }))
}

pub fn opens_class(step: &Step) -> bool {
    matches!(host(step), Some(Host::OpenResctrlGroup { .. }))
}

pub fn writes_schemata(step: &Step) -> bool {
    matches!(host(step), Some(Host::WriteSchemata { .. }))
}

fn schemata_of(step: &Step, field: &str) -> bool {
    writes_schemata(step) && step.at.as_ref().is_some_and(|at| at.as_str().contains(field))
}

pub fn writes_cache_schema(step: &Step) -> bool {
    schemata_of(step, "/l3CacheSchema")
}

pub fn writes_bandwidth_schema(step: &Step) -> bool {
    schemata_of(step, "/memBwSchema")
}

pub fn writes_listed_schema(step: &Step) -> bool {
    schemata_of(step, "/schemata/")
}

pub fn writes_older_schema(step: &Step) -> bool {
    writes_cache_schema(step) || writes_bandwidth_schema(step)
}

pub fn makes_monitoring_group(step: &Step) -> bool {
    matches!(host(step), Some(Host::MakeMonitoringGroup { .. }))
}

pub fn joins_class(step: &Step) -> bool {
    joins_group(step) && !joins_monitoring_group(step)
}

pub fn joins_monitoring_group(step: &Step) -> bool {
    matches!(host(step), Some(Host::JoinResctrlGroup { group }) if group.is_monitoring())
}

pub fn joins_group(step: &Step) -> bool {
    matches!(host(step), Some(Host::JoinResctrlGroup { .. }))
}

/// Opens a descriptor that the child inherits.
pub fn opens_for_child(step: &Step) -> bool {
    let trees =
        matches!(host(step), Some(Host::OpenRoot { .. } | Host::CloneTree { .. } | Host::FillTmpfs { .. }));
    let trees = trees || matches!(host(step), Some(Host::MakeFilesystem { .. }));
    let others =
        matches!(host(step), Some(Host::OpenNamespace { .. } | Host::ConnectConsole { .. } | Host::OpenGate));
    trees || others
}

pub fn enters_for_birth(step: &Step) -> bool {
    matches!(host(step), Some(Host::EnterNamespace { .. }))
}

pub fn enters_time_for_birth(step: &Step) -> bool {
    matches!(host(step), Some(Host::EnterNamespace { kind: flag::TIME, .. }))
}

pub fn returns_to_own_time(step: &Step) -> bool {
    matches!(host(step), Some(Host::ReturnToOwnTime))
}

pub fn birth(step: &Step) -> bool {
    matches!(host(step), Some(Host::GiveBirth { .. }))
}

pub fn birth_in_user_namespace(step: &Step) -> bool {
    matches!(host(step), Some(Host::GiveBirth { kinds }) if kinds & flag::USER != 0)
}

pub fn writes_maps(step: &Step) -> bool {
    matches!(host(step), Some(Host::WriteIdMaps { .. }))
}

pub fn sends_listener(step: &Step) -> bool {
    matches!(host(step), Some(Host::SendListener { .. }))
}

/// Gives the newborn its user namespace with the maps.
pub fn says_who(step: &Step) -> bool {
    birth(step) || writes_maps(step) || joins_user(step)
}

/// Acts on the newborn by its process number.
pub fn acts_on_newborn(step: &Step) -> bool {
    let sets = matches!(host(step), Some(Host::SetOomScore { .. } | Host::SetLimit { .. }));
    let sets = sets || schedules_from_outside(step) || moves_clocks(step);
    let tells = matches!(host(step), Some(Host::WritePidFile { .. } | Host::SendPidfd { .. }));
    sets || tells || sends_listener(step) || matches!(host(step), Some(Host::WriteIdMaps { .. }))
}

fn schedules_from_outside(step: &Step) -> bool {
    matches!(host(step), Some(Host::SetScheduler { .. } | Host::SetIoPriority { .. }))
}

pub fn moves_clocks(step: &Step) -> bool {
    matches!(host(step), Some(Host::WriteTimeOffsets { .. }))
}

/// A host step for which the child waits at a rendezvous.
pub fn meets(step: &Step) -> bool {
    let after_birth = matches!(step.phase, Phase::Identity | Phase::View | Phase::Gate);
    of_host(step) && !writes_maps(step) && after_birth
}

pub fn runtime_hook(step: &Step) -> bool {
    matches!(host(step), Some(Host::RunHook { .. }))
}

pub fn prestart_hook(step: &Step) -> bool {
    matches!(host(step), Some(Host::RunHook { kind: "prestart", .. }))
}

pub fn create_runtime_hook(step: &Step) -> bool {
    matches!(host(step), Some(Host::RunHook { kind: "createRuntime", .. }))
}

pub fn records_created(step: &Step) -> bool {
    matches!(host(step), Some(Host::RecordCreated))
}

pub fn opens_gate(step: &Step) -> bool {
    matches!(host(step), Some(Host::OpenGate))
}

// The child's steps.

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

pub fn mounts_cgroups(step: &Step) -> bool {
    matches!(child(step), Some(Op::MountNew { filesystem, .. }) if filesystem.as_c_str() == c"cgroup2")
}

/// Makes a device node, a link, or lends a node of the host.
pub fn makes_devices(step: &Step) -> bool {
    matches!(child(step), Some(Op::MakeDevice { .. } | Op::LendDevice { .. } | Op::MakeLink { .. }))
}

pub fn attaches_anything(step: &Step) -> bool {
    attaches_root(step) || mounts(step) || makes_devices(step) || mounts_console(step)
}

/// Changes what is mounted, or how.
pub fn shapes_mounts(step: &Step) -> bool {
    attaches_anything(step) || pivots(step) || covers(step) || seals_root(step)
}

/// Makes files or directories in the root where they are missing.
pub fn makes_files(step: &Step) -> bool {
    makes_directory(step) || mounts(step) || makes_devices(step) || mounts_console(step)
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
    matches!(child(step), Some(Op::PivotRoot {}))
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
    let ids = matches!(child(step), Some(Op::VerifyIds { .. } | Op::VerifyUmask { .. }));
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

/// What may fail by the child's own doing, and must be told before it has said its last word.
pub fn before_last_word(step: &Step) -> bool {
    of_child(step) && !announces(step) && !filters_calls(step) && !reads_filter_back(step) && !executes(step)
}
