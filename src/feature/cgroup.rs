//! # Control group: how much of the machine
//!
//! The container is born inside its cgroup (clone3(2), CLONE_INTO_CGROUP), so no moment
//! exists at which it runs without its limits, and no process has to be moved (which would
//! wait for a grace period of the kernel).
//!
//! What the limits are, file by file, is computed in `crate::cgroup::limits`; the device filter in
//! `crate::cgroup::devices`. Here they become steps.
//!
//! OCI: config-linux.md, Control groups. Kernel: Documentation/admin-guide/cgroup-v2.rst.
//!
//! Order: cgroup, controllers, limits, birth. Only a limit that would forbid the birth itself (no
//! processes at all) is written after it. The device filter comes after it as well, while the sealed
//! child works, which opens no device but those of its plan: it is there before anything else can
//! run in the cgroup, hook or program.

use oci_spec::runtime::{LinuxResources, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::limits::{self, Moment};
use crate::cgroup::{CgroupPath, Hierarchy, Setting, devices};
use crate::plan::{HostAction, Plan};
use crate::state::ContainerId;

const FEATURE: &str = "cgroup";

/// The container's cgroup and everything that is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlGroup {
    pub path: CgroupPath,
    pub settings: Vec<Setting>,
    /// The device filter as eBPF.
    pub filter: Vec<u8>,
}

fn resources(spec: &Spec) -> Option<&LinuxResources> {
    spec.linux().as_ref()?.resources().as_ref()
}

fn place(spec: &Spec) -> String {
    let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Where the container's cgroup lies and what it says; all that is wrong if that cannot be.
pub fn resolve(spec: &Spec, id: &ContainerId) -> Result<ControlGroup, Vec<Finding>> {
    let failed = |error: crate::cgroup::CgroupError| {
        vec![Finding::error("/linux/cgroupsPath", error.to_string()).cure(error.cure().unwrap_or_default())]
    };
    let place = place(spec);
    let path = match place.starts_with('/') {
        true => CgroupPath::absolute(&place)?,
        // Only such a path starts where the runtime is.
        false => CgroupPath::resolve(&place, id.as_str(), &Hierarchy::own_cgroup().map_err(failed)?)?,
    };
    let at = Pointer::from("/linux/resources");
    let settings = resources(spec).map(|resources| limits::settings(resources, &at)).unwrap_or_default();
    let list = resources(spec).and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
    let filter = devices::program::compile(&devices::rules(list)).map_err(|error| {
        vec![Finding::error(at.key("devices"), error.to_string()).cure("merge rules, or use wildcards")]
    })?;
    Ok(ControlGroup { path, settings, filter: filter.bytes() })
}

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let mut found = crate::cgroup::path::findings(&place(spec));
    if let Some(resources) = resources(spec) {
        found.extend(limits::findings(resources, &Pointer::from("/linux/resources")));
    }
    if spec.linux().as_ref().is_some_and(|linux| linux.intel_rdt().is_some()) {
        let message = "intelRdt (caches and memory bandwidth, by resctrl) is not supported yet";
        found.push(Finding::error("/linux/intelRdt", message).cure("leave it out"));
    }
    found
}

/// Before the birth.
pub fn prepare(group: &ControlGroup, plan: &mut Plan) {
    let create = HostAction::CreateCgroup { path: group.path.clone() };
    plan.host(FEATURE, create, "the container is born inside it").at("/linux/cgroupsPath");
    let needed = limits::controllers(&group.settings);
    if !needed.is_empty() {
        let controllers = needed.keys().map(|name| (*name).to_owned()).collect();
        let why = "the parents hand down only the controllers that a limit needs";
        plan.host(FEATURE, HostAction::EnableControllers { controllers }, why).at("/linux/resources");
    }
    write(group, Moment::BeforeBirth, plan);
}

/// After the birth: limits that would have forbidden it.
pub fn after_birth(group: &ControlGroup, plan: &mut Plan) {
    write(group, Moment::BeforeStart, plan);
}

/// Before anything but the sealed child runs in the cgroup.
pub fn filter_devices(group: &ControlGroup, plan: &mut Plan) {
    let attach = HostAction::AttachDeviceFilter { program: group.filter.clone() };
    let why = "decides for each open and mknod of a device whether it is allowed";
    plan.host(FEATURE, attach, why).ahead().at("/linux/resources/devices");
}

fn write(group: &ControlGroup, moment: Moment, plan: &mut Plan) {
    for setting in group.settings.iter().filter(|setting| setting.moment() == moment) {
        let write = HostAction::WriteCgroup { setting: setting.clone() };
        plan.host(FEATURE, write, setting.why.clone()).at(setting.at.clone());
    }
}

/// What the cgroup of a process says: (file, value) for the limits that are set.
pub fn observe(pid: i32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}
