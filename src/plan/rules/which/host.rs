//! Steps of the host.

use crate_run_sys::namespaces::flag;

use super::child::*;
use crate::cgroup::limits::Moment;
use crate::plan::{Action, HostAction as Host, Phase, Step};

pub(super) fn host(step: &Step) -> Option<&Host> {
    match &step.action {
        Action::Host(action) => Some(action),
        Action::Child(_) => None,
    }
}

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

pub fn binds_notify_socket(step: &Step) -> bool {
    matches!(host(step), Some(Host::BindNotifySocket { .. }))
}

pub fn creates_cgroup(step: &Step) -> bool {
    matches!(host(step), Some(Host::CreateCgroup { .. }))
}

pub fn connects_to_systemd(step: &Step) -> bool {
    matches!(host(step), Some(Host::ConnectSystemd { .. }))
}

pub fn starts_unit(step: &Step) -> bool {
    matches!(host(step), Some(Host::StartUnit { .. }))
}

pub fn joins_unit(step: &Step) -> bool {
    matches!(host(step), Some(Host::JoinUnit { .. }))
}

/// Has systemd do something with the newborn.
pub fn asks_systemd(step: &Step) -> bool {
    starts_unit(step) || joins_unit(step)
}

/// Goes to a file of the cgroup, or to the cgroup itself.
pub fn changes_cgroup(step: &Step) -> bool {
    enables_controllers(step) || writes_limit(step) || delegates_cgroup(step) || filters_devices(step)
}

pub fn makes_v1_group(step: &Step) -> bool {
    matches!(host(step), Some(Host::MakeGroup { .. }))
}

pub fn joins_v1_group(step: &Step) -> bool {
    matches!(host(step), Some(Host::JoinGroup { .. }))
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
    sets || tells
        || joins_v1_group(step)
        || sends_listener(step)
        || matches!(host(step), Some(Host::WriteIdMaps { .. }))
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
