//! `linux.resources.network`: marks on packets, which only cgroup v1 could set.
//!
//! Kernel: the `net_cls` and `net_prio` controllers exist on v1 only. On v2, netfilter and BPF programs match
//! the cgroup itself (iptables-extensions(8), `cgroup --path`), so nothing has to be marked.
//!
//! OCI (config-linux.md, "Network"): `classID` and `priorities`. Neither can be converted, so a request for
//! them is an error, as in crun. A class of 0 and an empty list ask for nothing.
//!
//! Kernel: admin-guide/cgroup-v1/net_cls.rst and net_prio.rst.

use oci_spec::runtime::LinuxNetwork;

use crate::bundle::finding::{Finding, Pointer};

/// What is asked for and cannot be had.
pub fn findings(network: &LinuxNetwork, at: &Pointer) -> Vec<Finding> {
    let mut list = Vec::new();
    let cure = "leave it out, and match the cgroup with netfilter or BPF";
    if let Some(class) = network.class_id().filter(|class| *class != 0) {
        let message = format!("classID {class} cannot be set: cgroup v2 does not mark packets");
        list.push(Finding::error(at.key("classID"), message).cure(cure));
    }
    if network.priorities().as_ref().is_some_and(|priorities| !priorities.is_empty()) {
        let message = "network priorities cannot be set: cgroup v2 does not mark packets";
        list.push(Finding::error(at.key("priorities"), message).cure(cure));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_request_is_an_error() {
        let found = |json: &str| {
            let network: LinuxNetwork = serde_json::from_str(json).expect("a LinuxNetwork object");
            findings(&network, &Pointer::root()).len()
        };
        assert_eq!(found(r#"{"classID": 0, "priorities": []}"#), 0);
        assert_eq!(found(r#"{"classID": 1048577}"#), 1);
        assert_eq!(found(r#"{"priorities": [{"name": "eth0", "priority": 5}]}"#), 1);
    }
}
