//! # Devices: the nodes in /dev
//!
//! A device node is a name for a driver (mknod(2)): the number says which. Whether it may be opened is
//! another question, which the device filter of the cgroup answers (`cgroup::devices`).
//!
//! OCI: config-linux.md, Devices and Default Devices. Six nodes and a few links are always there; others are
//! listed. A file that is there already and is not this device is an error.
//!
//! In a user namespace, be it the container's or the runtime's own, the kernel refuses mknod(2): there
//! the host's nodes are bind mounted.
//!
//! Order: after the mounts, for /dev is one of them; before pivot_root and before the root is made read-only.
//! Where the configuration bind mounts /dev, it is the host's own, and nothing is made in it.

use std::ffi::CString;
use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::operation::target;
use crate_run_plan::slot::Slot;
use crate_run_sys::files::{device_number, mode};
use crate_run_sys::mounts::Depth;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::mounts::{self, Mount};
use crate::feature::namespaces::Namespaces;
use crate::host::Host;
use crate::plan::{HostAction, Link, Plan, TreeChange};

const FEATURE: &str = "devices";

/// What belongs into /dev.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Devices {
    /// Nothing: /dev is the host's.
    HostOwned,
    /// These nodes, made with mknod(2), and the links.
    Made(Vec<Node>),
    /// These nodes, each bind mounted from the host, and the links.
    Bound(Vec<Node>),
}

/// A device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub path: InsidePath,
    /// Type and permission bits.
    pub mode: u32,
    pub device: u64,
    pub uid: u32,
    pub gid: u32,
    pub at: Option<Pointer>,
}

/// The nodes that every container has (config-linux.md, Default Devices).
const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// The links that every container has.
const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

fn entries(spec: &Spec) -> &[LinuxDevice] {
    spec.linux().as_ref().and_then(|linux| linux.devices().as_deref()).unwrap_or_default()
}

fn default_nodes() -> Vec<Node> {
    let node = |(path, major, minor): &(&str, u32, u32)| Node {
        path: InsidePath::new(path).expect("no NUL in the table"),
        mode: mode::CHARACTER | 0o666,
        device: device_number(*major, *minor),
        uid: 0,
        gid: 0,
        at: None,
    };
    DEFAULTS.iter().map(node).collect()
}

fn type_bits(typ: LinuxDeviceType) -> Option<u32> {
    match typ {
        LinuxDeviceType::C | LinuxDeviceType::U => Some(mode::CHARACTER),
        LinuxDeviceType::B => Some(mode::BLOCK),
        LinuxDeviceType::P => Some(mode::FIFO),
        LinuxDeviceType::A => None,
    }
}

fn node(entry: &LinuxDevice, index: usize) -> Option<Node> {
    let bits = type_bits(entry.typ())?;
    let number = |value: i64| u32::try_from(value).ok();
    let device = match bits {
        mode::FIFO => 0,
        _ => device_number(number(entry.major())?, number(entry.minor())?),
    };
    Some(Node {
        path: InsidePath::new(entry.path().to_str()?)?,
        mode: bits | entry.file_mode().unwrap_or(0o666) & 0o7777,
        device,
        uid: entry.uid().unwrap_or(0),
        gid: entry.gid().unwrap_or(0),
        at: Some(Pointer::from("/linux/devices").index(index)),
    })
}

pub fn resolve(spec: &Spec, mounts: &[Mount], namespaces: &Namespaces, host: &Host) -> Devices {
    if mounts::is_bound(mounts, "/dev") {
        return Devices::HostOwned;
    }
    let listed: Vec<Node> =
        entries(spec).iter().enumerate().filter_map(|(i, entry)| node(entry, i)).collect();
    let mut nodes = default_nodes();
    nodes.retain(|default| !listed.iter().any(|node| node.path == default.path));
    nodes.extend(listed);
    nodes.retain(|node| !mounts::is_bound(mounts, node.path.as_str()));
    if are_lent(namespaces, host) { Devices::Bound(nodes) } else { Devices::Made(nodes) }
}

/// Without power over the first user namespace nobody makes a device node (mknod(2)).
fn are_lent(namespaces: &Namespaces, host: &Host) -> bool {
    namespaces.has(flag::USER) || host.nested
}

pub fn findings(spec: &Spec, namespaces: &Namespaces, host: &Host) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, entry) in entries(spec).iter().enumerate() {
        let at = Pointer::from("/linux/devices").index(index);
        let path = entry.path();
        if !path.is_absolute() {
            let message = format!("the device path {:?} is not absolute", path.display());
            found.push(Finding::error(at.key("path"), message).cure("write it with a leading slash"));
        }
        if type_bits(entry.typ()).is_none() {
            let message = "a device node is of type c, u, b or p";
            found.push(Finding::error(at.key("type"), message));
        } else if node(entry, index).is_none() {
            let message = format!("the device {} has no valid path and number", path.display());
            let cure = "major and minor are numbers from 0 to 4294967295";
            found.push(Finding::error(at.clone(), message).cure(cure));
        }
        if are_lent(namespaces, host) && std::fs::symlink_metadata(path).is_err() {
            let message = format!("{} does not exist on the host", path.display());
            let cure =
                "in a user namespace devices are bind mounted from the host, for mknod(2) is forbidden there";
            found.push(Finding::error(at, message).cure(cure));
        }
    }
    found
}

/// Before the birth: clones the host's nodes when they are to be bound.
pub fn prepare(devices: &Devices, plan: &mut Plan) -> Vec<Slot> {
    let Devices::Bound(nodes) = devices else { return Vec::new() };
    nodes
        .iter()
        .map(|node| {
            let source = OutsidePath::new(Path::new("/"), Path::new(node.path.as_str())).expect("no NUL");
            let slot = plan.new_slot();
            let (link, change) = (Link::Followed, TreeChange::default());
            let clone = HostAction::CloneTree { source, link, depth: Depth::One, change, slot };
            let why = "mknod(2) is refused in a user namespace, so the host's node is lent";
            plan.host(FEATURE, clone, why).at.clone_from(&node.at);
            slot
        })
        .collect()
}

pub fn steps(devices: &Devices, bound: &[Slot], plan: &mut Plan) {
    match devices {
        Devices::HostOwned => return,
        Devices::Made(nodes) => nodes.iter().for_each(|node| make(node, plan)),
        Devices::Bound(nodes) => {
            for (node, tree) in nodes.iter().zip(bound) {
                let mount =
                    Operation::MountTree { tree: *tree, target: node.path.text(), rule: target::NO_LINKS };
                let why = format!("{} of the host", node.path);
                plan.child(FEATURE, mount, why).at.clone_from(&node.at);
            }
        }
    }
    for (path, goal) in LINKS {
        let text = |text: &str| CString::new(text).expect("no NUL in the table");
        let link = Operation::MakeLink { path: text(path), target: text(goal) };
        plan.child(FEATURE, link, "programs expect it there (config-linux.md, Dev symbolic links)");
    }
}

fn make(node: &Node, plan: &mut Plan) {
    let operation = Operation::MakeDevice {
        path: node.path.text(),
        mode: node.mode,
        device: node.device,
        uid: node.uid,
        gid: node.gid,
    };
    let why = match node.at {
        None => "every container has it (config-linux.md, Default Devices)",
        Some(_) => "the configuration lists it",
    };
    plan.child(FEATURE, operation, why).at.clone_from(&node.at);
}

/// After the mounts: standard streams on the host's null get the container's.
pub fn adopt_null(plan: &mut Plan) {
    let why = "a stream on the host's /dev/null would be a file of the host inside the container";
    plan.child(FEATURE, Operation::AdoptNull {}, why);
}

/// Is one of the standard streams this process has the host's /dev/null?
pub fn null_streams() -> bool {
    use std::os::unix::fs::MetadataExt;
    let null = device_number(1, 3);
    (0..3).any(|fd| {
        let stream = crate_run_sys::files::status(crate_run_sys::Fd(fd));
        stream.is_ok_and(|status| status.mode & mode::TYPE == mode::CHARACTER && status.special == null)
    }) && std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() != 0)
}
