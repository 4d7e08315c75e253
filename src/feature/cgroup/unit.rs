//! A cgroup that systemd makes: a scope, which is there only when a process is in it.
//!
//! So the newborn comes first. It waits while systemd moves it into its new scope; then come the limits that
//! systemd does not know, and only then the cgroup namespace, whose root is the scope. What systemd is told
//! is computed here, before anything is made.

use oci_spec::runtime::Spec;

use super::{ControlGroup, FEATURE, Place};
use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::devices::{self, Rule};
use crate::cgroup::systemd::{Manager, Property, Unit, property};
use crate::cgroup::{Setting, limits};
use crate::host::Host;
use crate::plan::{HostAction, Plan};
use crate::state::ContainerId;

/// With crun the name of a cgroup in the scope.
const SUBGROUP: &str = "run.oci.systemd.subgroup";

/// Which systemd this runtime has a scope made by. Root of a user namespace is an ordinary user to the
/// machine, unless it is the root of a whole system inside, which nobody has given the directory of a user.
pub fn manager(host: &Host) -> Manager {
    let of_user = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let user = || host.nested && (of_user("XDG_RUNTIME_DIR") || of_user("DBUS_SESSION_BUS_ADDRESS"));
    if host.euid != 0 || user() { Manager::User } else { Manager::System }
}

/// What is wrong with the place that `spec` names, or with what its annotations tell systemd.
pub fn findings(spec: &Spec, host: &Host) -> Vec<Finding> {
    let wanted = super::wanted_path(spec);
    // Whatever the id is: what is wrong with it is found where it is known.
    let mut found = Unit::resolve(&wanted, "example", manager(host)).err().unwrap_or_default();
    found.extend(property::of_annotations(spec.annotations().iter().flatten()).1);
    let subgroup = spec.annotations().as_ref().and_then(|all| all.get(SUBGROUP));
    if subgroup.is_some_and(|name| !name.is_empty()) {
        let message = "the container runs in its scope itself, not in a cgroup below it";
        let at = Pointer::from("/annotations").key(SUBGROUP);
        found.push(Finding::warning(at, message).cure("leave the annotation out, or empty"));
    }
    if !host.has_systemd() {
        // The words are runc's.
        let message = "systemd not running on this host, cannot use systemd cgroups manager";
        found.push(Finding::error("/linux/cgroupsPath", message).cure("leave --systemd-cgroup out"));
    }
    found
}

/// The scope of the container with everything that systemd is told about it, and the limits as systemd keeps
/// them.
pub fn resolve(
    spec: &Spec,
    id: &ContainerId,
    host: &Host,
    settings: Vec<Setting>,
    rules: &[Rule],
) -> Result<(Unit, Vec<Property>, Vec<Setting>), Vec<Finding>> {
    let unit = Unit::resolve(&super::wanted_path(spec), id.as_str(), manager(host))?;
    let settings = property::rounded(settings);
    let (annotated, _) = property::of_annotations(spec.annotations().iter().flatten());
    let parts = [property::basic(&unit, id.as_str()), annotated, property::of_settings(&settings)];
    let properties = property::of_unit(&unit, parts, devices::systemd::properties(rules));
    Ok((unit, properties, settings))
}

/// Before the birth: is there somebody who will make the scope?
pub fn prepare(unit: &Unit, plan: &mut Plan) {
    let connect = HostAction::ConnectSystemd { manager: unit.manager };
    let why = "who makes the cgroup is asked before there is a process to wait for it";
    plan.host(FEATURE, connect, why).at("/linux/cgroupsPath");
}

/// After the birth, before the newborn does anything.
pub fn start(group: &ControlGroup, plan: &mut Plan) {
    let Place::Unit(unit) = &group.place else { return };
    let start = HostAction::StartUnit { unit: unit.clone(), properties: group.properties.clone() };
    let why = "systemd makes a scope for a process that is there, moves it in, and knows its limits";
    plan.host(FEATURE, start, why).at("/linux/cgroupsPath");
    let known = ["cpu", "cpuset", "io", "memory", "pids"];
    let needed: Vec<String> = limits::controllers(&group.settings).into_keys().map(str::to_owned).collect();
    // systemd hands down what it knows; it takes no part in others.
    if needed.iter().any(|name| !known.contains(&name.as_str())) {
        let wished = Vec::new();
        let why = "parents hand down what limits need that systemd knows nothing of";
        plan.host(FEATURE, HostAction::EnableControllers { needed, wished }, why).at("/linux/resources");
    }
}
