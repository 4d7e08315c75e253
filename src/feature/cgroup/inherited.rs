//! A container without a cgroup of its own: it stays in that of the runtime.
//!
//! Then there is nothing that could hold a limit or a device filter for the container alone, nothing to
//! freeze, and nobody knows who belongs to it but its pid namespace. So a limit is an error (what was asked
//! for would not be), and what only makes the container weaker is a warning.

use std::collections::BTreeSet;

use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer, Severity};
use crate::cgroup::limits;
use crate::feature::namespaces;
use crate::host::Host;

/// How a user gets a cgroup of his own.
const DELEGATION: &str = "leave it out, let systemd make the cgroup (--systemd-cgroup), or start crate-run \
                          in one that is yours (systemd-run --user --scope --property Delegate=yes)";

/// What of `spec` cannot hold; `reason` says why there is no cgroup.
pub fn findings(spec: &Spec, reason: &str) -> Vec<Finding> {
    let at = Pointer::from("/linux/resources");
    let resources = super::resources(spec);
    let settings = resources.map(|resources| limits::settings(resources, &at)).unwrap_or_default();
    let places: BTreeSet<Pointer> = settings.into_iter().map(|setting| setting.at).collect();
    let limit = |at| {
        let message = format!("this limit cannot hold: the container gets no cgroup of its own ({reason})");
        Finding::error(at, message).cure("leave the limit out, or let cgroupfs or systemd make a cgroup")
    };
    let mut found: Vec<Finding> = places.into_iter().map(limit).collect();
    if !super::wanted_path(spec).is_empty() {
        let message = format!("this cgroup is not made ({reason})");
        found.push(Finding::warning("/linux/cgroupsPath", message).cure("leave it out"));
    }
    let rules = resources.and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
    let can_make_nodes = !namespaces::resolve(spec).has(flag::USER);
    if can_make_nodes && rules.iter().any(|rule| !rule.allow()) {
        let message = format!(
            "without a cgroup no device rule holds ({reason}): who may make a device node may use the device"
        );
        let cure = "take CAP_MKNOD from the container, or give it a user namespace";
        found.push(Finding::warning(at.key("devices"), message).cure(cure));
    }
    if !namespaces::resolve(spec).has(flag::PID) {
        let message = format!(
            "without a cgroup ({reason}) and without a pid namespace, processes that outlive the first one \
             belong to nobody"
        );
        let cure = "add a pid namespace: its end is the end of all processes in it";
        found.push(Finding::warning("/linux/namespaces", message).cure(cure));
    }
    found
}

/// The same for a user who may not make a cgroup, nor a device node. An ordinary user has named a place in
/// vain; the engine that called root of a user namespace names one always, and is only told.
pub fn unpermitted(spec: &Spec, host: &Host) -> Vec<Finding> {
    let (place, rules) = (Pointer::from("/linux/cgroupsPath"), Pointer::from("/linux/resources/devices"));
    let mut found = findings(spec, "this user may not make one here");
    found.retain(|finding| finding.at != rules);
    for finding in &mut found {
        if finding.at == place && !host.powers.administers {
            finding.severity = Severity::Error;
        }
        if finding.severity == Severity::Error {
            finding.cure = DELEGATION.to_owned();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(linux: &str) -> Vec<(Severity, String)> {
        let spec: Spec =
            serde_json::from_str(&format!(r#"{{"ociVersion": "1.2.0", "linux": {linux}}}"#)).expect("a spec");
        let found = findings(&spec, "a reason");
        assert!(found.iter().all(|finding| finding.message.contains("a reason")));
        found.into_iter().map(|finding| (finding.severity, finding.at.to_string())).collect()
    }

    #[test]
    fn limits_are_errors_and_what_engines_always_send_is_none() {
        let podman = r#"{
            "namespaces": [{ "type": "pid" }],
            "resources": { "devices": [{ "allow": false, "access": "rwm" }] }
        }"#;
        assert_eq!(found(podman), [(Severity::Warning, "/linux/resources/devices".to_owned())]);
        let limits = r#"{
            "namespaces": [{ "type": "pid" }],
            "cgroupsPath": "/a",
            "resources": { "pids": { "limit": 5 }, "memory": { "limit": 1048576, "swap": 2097152 } }
        }"#;
        let expected = [
            (Severity::Error, "/linux/resources/memory/limit"),
            (Severity::Error, "/linux/resources/memory/swap"),
            (Severity::Error, "/linux/resources/pids/limit"),
            (Severity::Warning, "/linux/cgroupsPath"),
        ];
        assert_eq!(found(limits), expected.map(|(severity, at)| (severity, at.to_owned())));
        let shared = found(r#"{ "namespaces": [] }"#);
        assert_eq!(shared, [(Severity::Warning, "/linux/namespaces".to_owned())]);
    }
}
