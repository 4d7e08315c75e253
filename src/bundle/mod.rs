//! A bundle: `config.json` and what it means on this machine.
//!
//! Loading reads and parses, checking asks every feature for its findings and its resolved value. A
//! [`Bundle`] that exists has no errors in it: compiling a plan from it cannot fail.

mod absent;
pub mod entry;
pub mod excerpt;
pub mod finding;
pub mod given;
mod load;
pub mod located;
pub mod names;
pub mod numbers;
pub mod path;
mod refusal;
mod size;
pub(crate) mod source;
pub mod span;
pub mod text;
mod typed;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate_run_sys::scheduling::Attributes;

use crate::error::Error;
use crate::feature::{
    activation, affinity, capabilities, cgroup, devices, hooks, identity, io_priority, limits, lsm, masks,
    memory_policy, mounts, namespaces, network, personality, process, rdt, rootfs, scheduler, seccomp,
    sysctl, terminal, time, uts,
};
use crate::host::Host;
use crate::plan::request::Request;
use crate::state::{ContainerId, HookState};
use finding::{Finding, Severity};

pub use load::Source;
pub use refusal::one_of;

/// A container as its bundle asks for it: valid, resolved, every default applied.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The directory of the bundle, absolute.
    pub directory: PathBuf,
    pub annotations: BTreeMap<String, String>,
    pub namespaces: namespaces::Namespaces,
    pub identity: identity::Identity,
    pub time: time::Time,
    pub cgroup: cgroup::ControlGroup,
    /// The user of the container who may divide its cgroup.
    pub cgroup_owner: Option<u32>,
    /// The class of cache and memory bandwidth.
    pub class: Option<rdt::Class>,
    pub rootfs: rootfs::Rootfs,
    pub mounts: Vec<mounts::Mount>,
    pub devices: devices::Devices,
    pub masks: masks::Masks,
    pub net_devices: Vec<network::Device>,
    pub names: uts::Names,
    pub sysctl: sysctl::Parameters,
    pub terminal: terminal::Terminal,
    pub capabilities: Option<capabilities::Capabilities>,
    pub filter: Option<seccomp::Filter>,
    pub labels: lsm::Labels,
    pub limits: limits::Limits,
    /// Where a program that is added to the container runs.
    pub affinity: affinity::Affinity,
    /// The domain for personality(2).
    pub personality: Option<u64>,
    pub memory_policy: Option<memory_policy::MemoryPolicy>,
    pub scheduler: Option<Attributes>,
    /// Class and priority as ioprio_set(2) takes them.
    pub io_priority: Option<u32>,
    pub process: process::Program,
    pub hooks: hooks::Hooks,
    /// Variables that the runtime adds to the environment.
    pub environment: Vec<String>,
    /// Is a standard stream of the runtime the host's /dev/null?
    pub null_streams: bool,
    /// What is to be told, and does not stop the container.
    pub warnings: Vec<Finding>,
}

impl Bundle {
    /// Checks everything; all errors come back at once.
    pub fn check(source: &Source, host: &Host, request: &Request) -> Result<Self, Error> {
        let Judged { namespaces, real_maps, filter, cgroup, rootfs, warnings } =
            judge(source, host, request)?;
        let (spec, given, directory) = (&source.spec, &source.given, source.directory.as_path());
        let mounts = mounts::resolve(spec, directory, &cgroup);
        let identity = identity::resolve(spec, &namespaces).on(host, real_maps.as_ref());
        let process = process::resolve(spec).without_those_of_caller(request);
        let environment = process::added_environment(spec, &rootfs, identity.uid);
        let from_caller = process::environment_of_caller(request);
        let hooks = hooks::resolve(spec, &process.whole_environment(&environment));
        Ok(Self {
            directory: source.directory.clone(),
            annotations: spec.annotations().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            time: time::resolve(spec, &namespaces),
            class: rdt::resolve(spec, &request.id),
            devices: devices::resolve(spec, &mounts, &namespaces, host),
            masks: masks::resolve(spec),
            net_devices: network::resolve(spec),
            names: uts::resolve(spec),
            sysctl: sysctl::resolve(spec),
            terminal: terminal::resolve(spec),
            capabilities: capabilities::resolve(given, host),
            filter,
            labels: lsm::resolve(spec),
            limits: limits::resolve(spec, given),
            affinity: affinity::resolve(given),
            personality: personality::resolve(given),
            memory_policy: memory_policy::resolve(given),
            scheduler: scheduler::resolve(given),
            io_priority: io_priority::resolve(given),
            cgroup_owner: cgroup::owner(&cgroup, spec, &namespaces, &identity, host),
            environment: environment.into_iter().chain(from_caller).collect(),
            process,
            hooks,
            null_streams: devices::null_streams(),
            warnings,
            namespaces,
            identity,
            cgroup,
            rootfs,
            mounts,
        })
    }

    /// What hooks read while the container is made.
    pub fn hook_state(&self, id: &ContainerId) -> HookState {
        HookState { id: id.clone(), bundle: self.directory.clone(), annotations: self.annotations.clone() }
    }
}

/// A configuration without errors, and what had to be resolved to see that.
struct Judged {
    namespaces: namespaces::Namespaces,
    /// Those of a user namespace that is joined.
    real_maps: Option<identity::Maps>,
    filter: Option<seccomp::Filter>,
    cgroup: cgroup::ControlGroup,
    rootfs: rootfs::Rootfs,
    warnings: Vec<Finding>,
}

fn judge(source: &Source, host: &Host, request: &Request) -> Result<Judged, Error> {
    let (spec, directory) = (&source.spec, source.directory.as_path());
    if let Some(finding) = size::finding(spec, &source.given) {
        return Err(source.error(source.findings.iter().cloned().chain([finding]).collect()));
    }
    let namespaces = namespaces::resolve(spec).on(host);
    let real_maps = identity::maps_of_joined(&namespaces);
    let mut found = findings(source, host, &namespaces, real_maps.as_ref(), &request.master);
    let (filter, in_profile) = seccomp::resolve(spec, host, directory);
    found.extend(in_profile);
    found.extend(activation::findings(&request.activation, &namespaces));
    found.extend(rootfs::exit_finding(spec, &request.exit));
    found.extend(rdt::findings(spec, &request.id, host));
    found.extend(cgroup::findings(spec, request.cgroup_driver, host));
    let group = cgroup::resolve(spec, &request.id, request.cgroup_driver, host)
        .map_err(|errors| found.extend(errors))
        .ok();
    let rootfs = rootfs::resolve(spec, directory);
    found.retain(|finding| source.can_judge(&finding.at));
    found.extend(source.findings.iter().cloned());
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    match (group, rootfs, found.iter().any(is_error)) {
        (Some(cgroup), Some(rootfs), false) => {
            Ok(Judged { namespaces, real_maps, filter, cgroup, rootfs, warnings: found })
        }
        _ => Err(source.error(found)),
    }
}

/// What the features find, each in its part of the configuration. Those whose check is their work (the
/// filter's compiler, the place of the cgroup) are asked by [`judge`].
fn findings(
    source: &Source,
    host: &Host,
    namespaces: &namespaces::Namespaces,
    real_maps: Option<&identity::Maps>,
    master: &terminal::Master,
) -> Vec<Finding> {
    let (spec, given, directory) = (&source.spec, &source.given, source.directory.as_path());
    let mut found = Vec::new();
    found.extend(rootfs::findings(spec, directory));
    found.extend(namespaces::findings(spec, namespaces, host));
    found.extend(identity::findings(source, namespaces, real_maps, host));
    found.extend(time::findings(spec, namespaces));
    found.extend(mounts::findings(spec, directory, host));
    found.extend(devices::findings(source, namespaces, host));
    found.extend(masks::findings(spec));
    found.extend(uts::findings(spec, namespaces));
    found.extend(sysctl::findings(spec, namespaces));
    found.extend(terminal::findings(terminal::resolve(spec), master));
    found.extend(terminal::size_findings(spec));
    found.extend(capabilities::findings(given, host));
    found.extend(lsm::findings(spec, host));
    found.extend(limits::findings(spec, given));
    found.extend(personality::findings(given));
    found.extend(memory_policy::findings(given));
    found.extend(scheduler::findings(given, spec));
    found.extend(io_priority::findings(given));
    found.extend(affinity::findings(given));
    found.extend(network::findings(spec, namespaces, host));
    found.extend(process::findings(spec));
    found.extend(hooks::findings(spec));
    found
}
