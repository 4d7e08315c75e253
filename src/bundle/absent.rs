//! What is absent from the text and a zero in the types.
//!
//! The types of the specification fill some members in with a zero. Where an absence means something else, or
//! the member is required, the text is asked; and only then, for it takes a pass over the text.

use std::collections::BTreeSet;

use oci_spec::runtime::{LinuxResources, Spec};

use super::finding::{Finding, Pointer};
use super::span::{locate, locate_all};

/// Without its `limit` the object `pids` asks for nothing; 0 is a limit.
pub(super) fn without_empty_pids(mut spec: Spec, text: &[u8]) -> Spec {
    let resources = spec.linux_mut().as_mut().and_then(|linux| linux.resources_mut().as_mut());
    if let Some(resources) = resources
        && resources.pids().as_ref().is_some_and(|pids| pids.limit() == 0)
    {
        let at = Pointer::from("/linux/resources/pids/limit");
        if locate(text, &at).is_none_or(|place| place.missing > 0) {
            resources.set_pids(None);
        }
    }
    spec
}

/// Required members of `linux.resources` that are not there.
pub(super) fn findings(spec: &Spec, text: &[u8]) -> Vec<Finding> {
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    let zeros = resources.map(zeros).unwrap_or_default();
    if zeros.is_empty() {
        return Vec::new();
    }
    let places: Vec<Pointer> = zeros.iter().map(|(entry, name)| entry.key(name)).collect();
    let wanted: BTreeSet<&str> = places.iter().map(Pointer::as_str).collect();
    let there = locate_all(text, &wanted);
    let missing = zeros.iter().zip(&places).filter(|(_, place)| !there.contains_key(place.as_str()));
    let finding = |((entry, name), _): (&(Pointer, &str), &Pointer)| {
        let message = format!("an entry without {name}");
        Finding::error(entry.clone(), message)
            .cure(format!("add \"{name}\", which the specification requires"))
    };
    missing.map(finding).collect()
}

/// The zeros among the required members of lists: entry and member.
fn zeros(resources: &LinuxResources) -> Vec<(Pointer, &'static str)> {
    let at = Pointer::from("/linux/resources");
    let mut found = Vec::new();
    let mut look = |entry: &Pointer, members: &[(&'static str, bool)]| {
        let zeros = members.iter().filter(|(_, is_zero)| *is_zero);
        found.extend(zeros.map(|(name, _)| (entry.clone(), *name)));
    };
    for (index, limit) in resources.hugepage_limits().iter().flatten().enumerate() {
        let entry = at.key("hugepageLimits").index(index);
        look(&entry, &[("pageSize", limit.page_size().is_empty()), ("limit", limit.limit() == 0)]);
    }
    let Some(io) = resources.block_io() else { return found };
    let at = at.key("blockIO");
    for (index, device) in io.weight_device().iter().flatten().enumerate() {
        let entry = at.key("weightDevice").index(index);
        look(&entry, &[("major", device.major() == 0), ("minor", device.minor() == 0)]);
    }
    let throttles = [
        ("throttleReadBpsDevice", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", io.throttle_write_iops_device()),
    ];
    for (name, devices) in throttles {
        for (index, device) in devices.iter().flatten().enumerate() {
            let numbers = [("major", device.major() == 0), ("minor", device.minor() == 0)];
            look(&at.key(name).index(index), &numbers);
            look(&at.key(name).index(index), &[("rate", device.rate() == 0)]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(resources: &str) -> (Spec, String) {
        let text = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"resources": {resources}}}}}"#);
        (serde_json::from_str(&text).expect("a Spec"), text)
    }

    #[test]
    fn an_absent_limit_on_processes_is_none() {
        let limit = |pids: &str| {
            let (spec, text) = parsed(&format!(r#"{{"pids": {pids}}}"#));
            let spec = without_empty_pids(spec, text.as_bytes());
            let resources = spec.linux().as_ref().and_then(|linux| linux.resources().clone()).unwrap();
            resources.pids().map(|pids| pids.limit())
        };
        assert_eq!(limit("{}"), None);
        assert_eq!(limit(r#"{"limit": 0}"#), Some(0));
        assert_eq!(limit(r#"{"limit": 7}"#), Some(7));
    }

    #[test]
    fn what_is_required_must_be_there() {
        let missing = |resources: &str| {
            let (spec, text) = parsed(resources);
            let list = findings(&spec, text.as_bytes());
            list.into_iter().map(|found| format!("{} {}", found.at, found.message)).collect::<Vec<_>>()
        };
        let zero = r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 0}]},
                       "hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}"#;
        assert_eq!(missing(zero), [""; 0]);
        let pages =
            r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 1}, {"pageSize": "1GB"}, {"limit": 5}]}"#;
        let at = "/linux/resources/hugepageLimits";
        assert_eq!(
            missing(pages),
            [format!("{at}/1 an entry without limit"), format!("{at}/2 an entry without pageSize")]
        );
        let io =
            r#"{"blockIO": {"throttleWriteIOPSDevice": [{"major": 8}], "weightDevice": [{"weight": 10}]}}"#;
        let at = "/linux/resources/blockIO";
        let weights = ["major", "minor"].map(|name| format!("{at}/weightDevice/0 an entry without {name}"));
        let rates =
            ["minor", "rate"].map(|name| format!("{at}/throttleWriteIOPSDevice/0 an entry without {name}"));
        assert_eq!(missing(io), [weights, rates].concat());
    }
}
