//! How much a configuration may ask for.
//!
//! Each entry of these lists becomes one step of the plan or two, and the plan numbers its
//! steps with 16 bits. The bound is far beyond what engines write (a few hundred) and far below
//! what would overflow or take seconds.

use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::bundle::given::Given;

/// How many entries all lists may have together.
const MOST: usize = 8192;

fn length<T>(list: &Option<Vec<T>>) -> usize {
    list.as_ref().map_or(0, Vec::len)
}

/// The length of each list whose entries become steps.
fn lengths(spec: &Spec, given: &Given) -> Vec<(&'static str, usize)> {
    let mut lengths = vec![("/mounts", length(spec.mounts())), ("/process/rlimits", given.limits.len())];
    if let Some(linux) = spec.linux() {
        lengths.extend([
            ("/linux/namespaces", length(linux.namespaces())),
            ("/linux/devices", length(linux.devices())),
            ("/linux/netDevices", linux.net_devices().as_ref().map_or(0, |map| map.len())),
            ("/linux/maskedPaths", length(linux.masked_paths())),
            ("/linux/readonlyPaths", length(linux.readonly_paths())),
            ("/linux/sysctl", linux.sysctl().as_ref().map_or(0, |map| map.len())),
        ]);
    }
    if let Some(rdt) = spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref()) {
        lengths.push(("/linux/intelRdt/schemata", length(rdt.schemata())));
    }
    if let Some(resources) = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()) {
        let unified = resources.unified().as_ref().map_or(0, |map| map.len());
        lengths.push(("/linux/resources/hugepageLimits", length(resources.hugepage_limits())));
        lengths.push(("/linux/resources/unified", unified));
    }
    lengths.extend(hooks(spec));
    lengths
}

/// Those that become steps: the later ones run after the plan.
fn hooks(spec: &Spec) -> Vec<(&'static str, usize)> {
    let Some(hooks) = spec.hooks() else { return Vec::new() };
    vec![
        ("/hooks/prestart", length(hooks.prestart())),
        ("/hooks/createRuntime", length(hooks.create_runtime())),
        ("/hooks/createContainer", length(hooks.create_container())),
        ("/hooks/startContainer", length(hooks.start_container())),
    ]
}

/// An error at the longest list when there are more entries than can be meant.
pub fn finding(spec: &Spec, given: &Given) -> Option<Finding> {
    let lengths = lengths(spec, given);
    let total: usize = lengths.iter().map(|(_, length)| length).sum();
    if total <= MOST {
        return None;
    }
    let (longest, _) = lengths.into_iter().max_by_key(|(_, length)| *length)?;
    let message =
        format!("{total} mounts, devices, paths and the like are more than the {MOST} of one container");
    Some(Finding::error(longest, message).cure("was this list written by a program that has gone wrong?"))
}
