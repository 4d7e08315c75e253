//! # Network
//!
//! A new network namespace holds one interface, the loopback, and it is down (network_namespaces(7)).
//! Everything else is made by the engine (CNI, netavark) after `create`, from outside.
//!
//! OCI: config-linux.md, Network Devices (netDevices): refused, for no step here moves a device.
//!
//! Order: when the namespace is there, before any hook or program of the container runs.

use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::feature::namespaces::Namespaces;
use crate::plan::Plan;

const FEATURE: &str = "network";

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let devices = spec.linux().as_ref().and_then(|linux| linux.net_devices().as_ref());
    match devices {
        Some(devices) if !devices.is_empty() => {
            vec![Finding::error("/linux/netDevices", "moving network devices is not supported yet")]
        }
        _ => Vec::new(),
    }
}

pub fn steps(namespaces: &Namespaces, plan: &mut Plan) {
    if namespaces.makes(flag::NETWORK) {
        let why = "a new network namespace has a loopback interface, and it is down";
        plan.child(FEATURE, Operation::LoopbackUp {}, why).at("/linux/namespaces");
    }
}
