//! # Network
//!
//! A new network namespace holds one interface, the loopback, and it is down (network_namespaces(7)).
//! Everything else is made by the engine (CNI, netavark) after `create`, from outside; or it is an interface
//! of the host that the configuration wants moved here. Such a move takes the addresses away and sets the
//! interface down: the runtime gives it back what is to stay.
//!
//! OCI: config-linux.md, Network Devices. An interface that was moved belongs to the namespace: it is never
//! fetched back, except when the container could not be made.
//!
//! To make one takes the kernel about as long as to make all the others together. Unless it must belong to a
//! new user namespace, the runtime makes it while the child mounts: where a second processor is free, nobody
//! waits for it.
//!
//! Order: before the first filesystem that shows the network (sysfs) or uses it (nfs), and before any hook or
//! program of the container runs. Interfaces come before kernel parameters, which may be theirs.

use std::collections::{BTreeMap, BTreeSet};

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxNetDevice, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::error::NOT_ROOT;
use crate::feature::namespaces::Namespaces;
use crate::host::Host;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "network";

/// The longest name of an interface, in bytes (IFNAMSIZ less its NUL).
const LONGEST: usize = 15;

/// An interface of the host that moves into the container's network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name in the runtime's network namespace.
    pub name: String,
    /// Its name in the container, or a template in which the kernel puts a number for `%d`.
    pub inside: String,
    pub at: Pointer,
}

fn given(spec: &Spec) -> BTreeMap<&String, &LinuxNetDevice> {
    let linux = spec.linux().as_ref();
    linux.and_then(|linux| linux.net_devices().as_ref()).map(|map| map.iter().collect()).unwrap_or_default()
}

pub fn resolve(spec: &Spec) -> Vec<Device> {
    let device = |(name, device): (&String, &LinuxNetDevice)| Device {
        name: name.clone(),
        inside: device.name().clone().filter(|inside| !inside.is_empty()).unwrap_or_else(|| name.clone()),
        at: Pointer::from("/linux/netDevices").key(name),
    };
    given(spec).into_iter().map(device).collect()
}

pub fn findings(spec: &Spec, namespaces: &Namespaces, host: &Host) -> Vec<Finding> {
    let devices = resolve(spec);
    if devices.is_empty() {
        return Vec::new();
    }
    let all = "/linux/netDevices";
    if !namespaces.has(flag::NETWORK) {
        let message = "network devices are moved into a network namespace of the container's own";
        return vec![Finding::error(all, message).cure("add {\"type\": \"network\"} to linux.namespaces")];
    }
    if !host.powers.administers {
        let message = "to move a network device takes CAP_NET_ADMIN in the network namespace of the runtime";
        return vec![Finding::error(all, message).cure(NOT_ROOT)];
    }
    let inside = names_inside(namespaces, host);
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for device in &devices {
        let place = if device.inside == device.name { device.at.clone() } else { device.at.key("name") };
        found.extend(name_finding(&device.name, Shape::Plain, &device.at));
        if device.inside != device.name {
            found.extend(name_finding(&device.inside, Shape::MayCount, &place));
        }
        let is_template = device.inside.contains('%');
        if !is_template && !taken.insert(&device.inside) {
            let message = format!("another network device is called {:?} in the container", device.inside);
            found.push(Finding::error(place, message).cure("give each a name of its own, or append %d"));
        } else if !is_template && inside.contains(&device.inside) {
            let message =
                format!("the container's network namespace has a device {:?} already", device.inside);
            found.push(Finding::error(place, message).cure("give another \"name\", or append %d to it"));
        }
        found.extend(host_finding(device, host));
    }
    found
}

/// The interfaces that are there before any is moved.
fn names_inside(namespaces: &Namespaces, host: &Host) -> BTreeSet<String> {
    match namespaces.joined.iter().find(|joined| joined.kind == flag::NETWORK) {
        Some(joined) => host.links_in(joined.path.as_path()),
        None => BTreeSet::from(["lo".to_owned()]),
    }
}

/// What a name may look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    /// One `%d` stands for a number.
    MayCount,
}

/// The kernel's rules for names (network namespaces have them all: dev_valid_name of Linux).
fn name_finding(name: &str, shape: Shape, at: &Pointer) -> Option<Finding> {
    let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b || byte == 0xa0;
    let counts = name.replacen("%d", "", 1);
    let message = if name.is_empty() || name == "." || name == ".." {
        format!("{name:?} is no name of a network device")
    } else if name.len() > LONGEST {
        format!("the name {name:?} of a network device is longer than {LONGEST} bytes")
    } else if name.bytes().any(|byte| matches!(byte, b'/' | b':' | 0) || is_space(byte)) {
        format!("the name {name:?} of a network device has a slash, a colon or a space in it")
    } else if shape == Shape::MayCount && counts.contains('%') {
        format!("the name {name:?} of a network device has a % that is no single %d")
    } else {
        return None;
    };
    Some(Finding::error(at.clone(), message).cure("write it like eth0, or eth%d for the next free number"))
}

/// Is it there, and can it be moved?
fn host_finding(device: &Device, host: &Host) -> Option<Finding> {
    let name = &device.name;
    let (message, cure) = match host.link(name)? {
        Ok(link) if link.fixed => {
            (format!("the network device {name:?} belongs to its network namespace"), "it cannot be moved")
        }
        Ok(_) => return None,
        Err(rustix::io::Errno::NODEV) => {
            let message = format!("there is no network device {name:?} in the runtime's network namespace");
            (message, "`ip link` shows those that are there")
        }
        Err(errno) => (format!("the network device {name:?} cannot be looked up: {errno}"), ""),
    };
    Some(Finding::error(device.at.clone(), message).cure(cure))
}

pub fn steps(namespaces: &Namespaces, devices: &[Device], plan: &mut Plan) {
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
    for Device { name, inside, at } in devices {
        let action = HostAction::MoveNetDevice { name: name.clone(), inside: inside.clone() };
        let why = "its name changes on the way; permanent addresses are given back, then it is set up";
        plan.host(FEATURE, action, why).at(at.clone());
    }
}

/// What usually mends it when an interface stays where it is.
pub fn cure(errno: Errno) -> Option<&'static str> {
    matches!(errno, Errno::EINVAL | Errno::EOPNOTSUPP)
        .then_some("this kind of interface may belong to its network namespace for good")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        let at = Pointer::root();
        let good = |name, shape| name_finding(name, shape, &at).is_none();
        for name in ["eth0", "a", "exactly-15-byte", "x.y@z", "..."] {
            assert!(good(name, Shape::Plain) && good(name, Shape::MayCount), "{name}");
        }
        for name in ["", ".", "..", "sixteen-bytes-xx", "a b", "a\tb", "a/b", "a:b", "a\0b", "\u{e0}"] {
            assert!(!good(name, Shape::Plain) && !good(name, Shape::MayCount), "{name}");
        }
        assert!(good("eth%d", Shape::MayCount) && good("a%db", Shape::MayCount));
        for name in ["eth%", "eth%x", "%d%d", "a%d%"] {
            assert!(!good(name, Shape::MayCount), "{name}");
        }
    }
}
