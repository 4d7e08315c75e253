//! # Network
//!
//! A new network namespace holds one interface, the loopback, and it is down (network_namespaces(7)).
//! Everything else is made by the engine (CNI, netavark) after `create`, from outside.
//!
//! OCI: config-linux.md, Network Devices (netDevices): refused, for no step here moves a device.
//!
//! To make one takes the kernel about as long as to make all the others together. Unless it must belong to a
//! new user namespace, the runtime makes it while the child mounts: where a second processor is free, nobody
//! waits for it.
//!
//! Order: before the first filesystem that shows the network (sysfs) or uses it (nfs), and before any hook or
//! program of the container runs.

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::feature::namespaces::Namespaces;
use crate::plan::{HostAction, Plan};

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
    if namespaces.network_is_the_hosts() {
        let why = "takes as long as all other namespaces together: made while the child mounts";
        plan.host(FEATURE, HostAction::MakeNetwork, why).ahead().at("/linux/namespaces");
        let why = "from here on the process has a network of its own";
        let join = Operation::JoinNamespace { namespace: Slot::NETWORK, kind: flag::NETWORK };
        plan.child(FEATURE, join, why).at("/linux/namespaces");
    }
    if namespaces.makes(flag::NETWORK) {
        let why = "a new network namespace has a loopback interface, and it is down";
        plan.child(FEATURE, Operation::LoopbackUp {}, why).at("/linux/namespaces");
    }
}
