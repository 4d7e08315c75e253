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

mod inherited;
mod unit;

use std::collections::BTreeMap;
use std::path::Path;

use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxResources, Mount, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::cgroup::limits::{self, Moment};
use crate::cgroup::memory::MemoryCheck;
use crate::cgroup::systemd::{Property, Unit};
use crate::cgroup::v1::{self, Group};
use crate::cgroup::{CgroupPath, Driver, Hierarchy, Setting, controllers, devices};
use crate::feature::identity::Identity;
use crate::feature::namespaces::Namespaces;
use crate::host::Host;
use crate::plan::{HostAction, Plan};
use crate::state::ContainerId;

pub use unit::manager;

const FEATURE: &str = "cgroup";

/// Where the container runs, and who makes that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a directory of the hierarchy that the runtime makes.
    Directory(CgroupPath),
    /// In a scope that systemd makes.
    Unit(Unit),
    /// Where the runtime itself runs: nothing is made, and nothing is written.
    Inherited,
}

/// The container's cgroup and everything that is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlGroup {
    pub place: Place,
    /// Its groups in hierarchies of cgroup v1, where the host has some and this build drives them.
    pub groups: Vec<Group>,
    pub settings: Vec<Setting>,
    /// What systemd is told of them; nothing where it makes no scope.
    pub properties: Vec<Property>,
    /// The memory limits that must not lie below the use.
    pub memory_check: Option<MemoryCheck>,
    /// The device filter as eBPF; `None` where the runtime may not load one.
    pub filter: Option<Vec<u8>>,
}

impl ControlGroup {
    /// No cgroup of its own, and so nothing to write.
    fn inherited() -> Self {
        Self {
            place: Place::Inherited,
            groups: Vec::new(),
            settings: Vec::new(),
            properties: Vec::new(),
            memory_check: None,
            filter: None,
        }
    }

    /// The cgroup that the runtime makes, if it makes one.
    pub fn path(&self) -> Option<&CgroupPath> {
        match &self.place {
            Place::Directory(path) => Some(path),
            Place::Unit(_) | Place::Inherited => None,
        }
    }

    /// The scope, if systemd makes one.
    pub fn unit(&self) -> Option<&Unit> {
        match &self.place {
            Place::Unit(unit) => Some(unit),
            Place::Directory(_) | Place::Inherited => None,
        }
    }

    /// The controllers of version 2 that the limits need, each with the first place that asks for it.
    pub fn needed(&self) -> BTreeMap<&str, &Pointer> {
        let mut needed = limits::controllers(&self.settings);
        needed.retain(|name, _| !self.groups.iter().any(|group| group.has(name)));
        needed
    }

    /// The cgroup that the container sees as the root of its own cgroup namespace, as a path below the mount.
    pub fn shown(&self) -> String {
        match &self.place {
            Place::Directory(path) => path.to_string(),
            Place::Unit(unit) => unit.expected_path(rustix::process::getuid().as_raw()),
            Place::Inherited => Hierarchy::own_cgroup().unwrap_or_default(),
        }
    }
}

fn resources(spec: &Spec) -> Option<&LinuxResources> {
    spec.linux().as_ref()?.resources().as_ref()
}

fn wanted_path(spec: &Spec) -> String {
    let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Who makes the cgroup, for a runtime that does without one where it may not make it.
pub fn permitted(spec: &Spec, driver: Driver, host: &Host) -> Driver {
    if driver != Driver::Cgroupfs {
        return driver;
    }
    let Ok(own) = Hierarchy::own_cgroup() else { return Driver::Forgone };
    // Whatever the last name is: what counts is above.
    match place_at(&wanted_path(spec), "container", &own, host) {
        Ok(path) => driver.where_permitted(&path, &own),
        // That is told as what it is.
        Err(_) => driver,
    }
}

/// Where the cgroup lies for a runtime that stands in `own`. Without a word in the configuration that is
/// beside the runtime, or where a user was handed nothing but his own cgroup, in that: it can hold no limits,
/// for it has the runtime in it, but what belongs to the container is known, and can be frozen and killed.
fn place_at(wanted: &str, id: &str, own: &str, host: &Host) -> Result<CgroupPath, Vec<Finding>> {
    let beside = CgroupPath::resolve(wanted, id, own)?;
    if !wanted.is_empty() || may_filter(host) {
        return Ok(beside);
    }
    let below = CgroupPath::absolute(&format!("{own}/{id}"))?;
    let may = |path| Driver::Cgroupfs.where_permitted(path, own) == Driver::Cgroupfs;
    Ok(if !may(&beside) && may(&below) { below } else { beside })
}

/// Where the container's cgroup lies and what it says; all that is wrong if that cannot be.
pub fn resolve(
    spec: &Spec,
    id: &ContainerId,
    driver: Driver,
    host: &Host,
) -> Result<ControlGroup, Vec<Finding>> {
    if matches!(driver, Driver::Disabled | Driver::Forgone) {
        return Ok(ControlGroup::inherited());
    }
    let at = Pointer::from("/linux/resources");
    let bound = bound(host);
    let settings = resources(spec).map(|resources| v1::settings(resources, &at, &bound)).unwrap_or_default();
    let list = resources(spec).and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
    let rules = devices::rules(list);
    let filter = devices::program::compile(&rules).map_err(|error| {
        vec![Finding::error(at.key("devices"), error.to_string()).cure("merge rules, or use wildcards")]
    })?;
    let memory = resources(spec).and_then(|resources| resources.memory().as_ref());
    let memory_check = memory.and_then(MemoryCheck::of);
    let filter = may_filter(host).then(|| filter.bytes());
    let mut groups = Vec::new();
    let (place, properties, settings) = match driver {
        Driver::Systemd => {
            let (unit, properties, settings) = unit::resolve(spec, id, host, settings, &rules)?;
            (Place::Unit(unit), properties, settings)
        }
        _ => {
            for bound in host.bound() {
                groups.push(bound.group(&wanted_path(spec), id.as_str())?);
            }
            (Place::Directory(directory(spec, id, host)?), Vec::new(), settings)
        }
    };
    Ok(ControlGroup { place, groups, settings, properties, memory_check, filter })
}

/// The place of a cgroup that the runtime makes.
fn directory(spec: &Spec, id: &ContainerId, host: &Host) -> Result<CgroupPath, Vec<Finding>> {
    let failed = |error: crate::cgroup::CgroupError| {
        vec![Finding::error("/linux/cgroupsPath", error.to_string()).cure(error.cure().unwrap_or_default())]
    };
    let wanted = wanted_path(spec);
    match wanted.starts_with('/') {
        true => CgroupPath::absolute(&wanted),
        // Only such a path starts where the runtime is.
        false => place_at(&wanted, id.as_str(), &Hierarchy::own_cgroup().map_err(failed)?, host),
    }
}

/// May the runtime load a device filter? bpf(2) asks for power over the machine. Without it nobody in the
/// container makes a device node either: those it has are lent by the host, with the host's modes.
fn may_filter(host: &Host) -> bool {
    host.powers.administers && !host.nested
}

/// What is bound to cgroup v1.
fn bound(host: &Host) -> Vec<&str> {
    host.bound().iter().flat_map(|bound| &bound.controllers).map(String::as_str).collect()
}

pub fn findings(spec: &Spec, driver: Driver, host: &Host) -> Vec<Finding> {
    let mut found = match driver {
        Driver::Disabled => inherited::findings(spec, "--cgroup-manager disabled"),
        Driver::Forgone => inherited::unpermitted(spec, host),
        Driver::Systemd => unit::findings(spec, host),
        Driver::Cgroupfs => crate::cgroup::path::findings(&wanted_path(spec)),
    };
    if driver == Driver::Systemd && !host.bound().is_empty() {
        let message =
            "systemd is asked for scopes on cgroup v2 only, and this host has bound controllers to cgroup v1";
        found.push(Finding::error("/linux/cgroupsPath", message).cure("leave --systemd-cgroup out"));
    }
    if let Some(resources) = resources(spec) {
        let at = Pointer::from("/linux/resources");
        found.extend(v1::findings(resources, &at, &bound(host)));
        let rules = resources.devices().as_deref().unwrap_or_default();
        found.extend(devices::findings(rules, &at.key("devices")));
        // Root of a user namespace hears nothing: its engine sends these rules always.
        if rules.iter().any(|rule| !rule.allow()) && !host.powers.administers {
            let message = "device rules do not hold, for loading a filter takes root: what the modes of the \
                           host's devices allow this user they allow the container";
            found.push(Finding::warning(at.key("devices"), message).cure("leave them out"));
        }
    }
    found
}

/// Before the birth.
pub fn prepare(group: &ControlGroup, plan: &mut Plan) {
    if let Some(unit) = group.unit() {
        unit::prepare(unit, plan);
    }
    let Some(path) = group.path() else { return };
    let create = HostAction::CreateCgroup { path: path.clone() };
    plan.host(FEATURE, create, "the container is born inside it").at("/linux/cgroupsPath");
    for one in &group.groups {
        let why = match one.controllers.iter().any(|name| name.starts_with("name=")) {
            true => "a service manager tells by this hierarchy, which holds no limits, who belongs together",
            false => "what is bound to this hierarchy limits the container here",
        };
        plan.host(FEATURE, HostAction::MakeGroup { group: one.clone() }, why).at("/linux/cgroupsPath");
    }
    let needed = group.needed();
    let wished = controllers::ACCOUNTING.into_iter().filter(|name| !needed.contains_key(name)).collect();
    let needed = needed.keys().map(|name| (*name).to_owned()).collect();
    let why = "parents hand down what limits need, and what readers of statistics expect";
    plan.host(FEATURE, HostAction::EnableControllers { needed, wished }, why).at("/linux/resources");
    write(group, Moment::BeforeBirth, plan);
}

/// After the birth, before the newborn does anything. No group of version 1 can be born into.
pub fn join_groups(groups: &[Group], plan: &mut Plan) {
    for group in groups {
        let why = "version 1 has no birth into a group: the process is moved while it waits";
        plan.host(FEATURE, HostAction::JoinGroup { group: group.clone() }, why).at("/linux/cgroupsPath");
    }
}

/// After the birth: a scope, which needs a process, and limits that would have forbidden the birth.
pub fn after_birth(group: &ControlGroup, plan: &mut Plan) {
    unit::start(group, plan);
    join_groups(&group.groups, plan);
    if let Some(limits) = group.memory_check {
        let why = "a limit below what is in use would let the kernel kill at once";
        let check = HostAction::CheckMemoryUse { limits };
        plan.host(FEATURE, check, why).at("/linux/resources/memory/checkBeforeUpdate");
    }
    if group.unit().is_some() {
        write(group, Moment::BeforeBirth, plan);
    }
    write(group, Moment::BeforeStart, plan);
}

/// The user of the container who becomes the owner of its cgroup (config-linux.md, "Cgroup ownership"): with
/// a new cgroup namespace, and a mount of it that is not read-only. `None` also where the runtime's own user,
/// whose the new cgroup is anyway, is meant.
pub fn owner(
    group: &ControlGroup,
    spec: &Spec,
    namespaces: &Namespaces,
    identity: &Identity,
    host: &Host,
) -> Option<u32> {
    let mut mounts = spec.mounts().iter().flatten();
    // The cgroup of the runtime is not the runtime's to give away.
    if group.place == Place::Inherited || !namespaces.makes(flag::CGROUP) || !mounts.any(is_writable_cgroup) {
        return None;
    }
    let outside = match &identity.maps {
        Some(maps) => maps.uids.iter().find_map(|line| line.outside_of(identity.uid)),
        None if namespaces.has(flag::USER) => None,
        None => Some(identity.uid),
    };
    (outside != Some(host.euid)).then_some(identity.uid)
}

fn is_writable_cgroup(mount: &Mount) -> bool {
    let is_there = mount.destination().components().eq(Path::new("/sys/fs/cgroup").components());
    let is_cgroup = mount.source().as_deref() == Some(Path::new("cgroup"));
    let read_only = |option: &String| option == "ro" || option == "rro";
    is_there && is_cgroup && !mount.options().iter().flatten().any(read_only)
}

/// When the newborn stands in its user namespace.
pub fn delegate(owner: Option<u32>, plan: &mut Plan) {
    let Some(user) = owner else { return };
    let why = "an init inside divides what the container was given among cgroups of its own";
    plan.host(FEATURE, HostAction::DelegateCgroup { user }, why).at("/linux/cgroupsPath");
}

/// Before anything but the sealed child runs in the cgroup.
pub fn filter_devices(group: &ControlGroup, plan: &mut Plan) {
    let Some(program) = group.filter.clone() else { return };
    let attach = HostAction::AttachDeviceFilter { program };
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
