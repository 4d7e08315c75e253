//! # Devices: the nodes in /dev
//!
//! A device node is a name for a driver (mknod(2)): the number says which. Whether it may be opened is
//! another question, which the device filter of the cgroup answers (`cgroup::devices`).
//!
//! OCI: config-linux.md, Devices and Default Devices. Six nodes and a few links are always there; others are
//! listed, anywhere in the tree. A file that is there already and is not this device is an error.
//!
//! In a user namespace, be it the container's or the runtime's own, the kernel refuses mknod(2) for anything
//! but a fifo: there the host's nodes are bind mounted.
//!
//! Order: after the mounts, for /dev is one of them; before pivot_root and before the root is made read-only.
//! Where the configuration bind mounts /dev, it is the host's own, and nothing is made in it.

mod check;

use std::ffi::CString;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::Errno;
use crate_run_sys::files::{device_number, mode};
use crate_run_sys::mounts::Depth;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Spec};

use crate::bundle::finding::Pointer;
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::mounts::{self, Mount};
use crate::feature::namespaces::{Cloner, Namespaces};
use crate::host::Host;
use crate::plan::{HostAction, Link, Plan, TreeChange};

pub use check::findings;

const FEATURE: &str = "devices";

/// What is made in /dev and elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    pub nodes: Vec<Node>,
    /// Links with their goals.
    pub links: Vec<(&'static str, &'static str)>,
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
    /// The node of the host that is bind mounted; `None` for one that is made.
    pub lent: Option<OutsidePath>,
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

/// The largest numbers for which the kernel has room: 12 and 20 bits (makedev(3)).
const LARGEST: (u32, u32) = (0xfff, 0xf_ffff);

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
        lent: None,
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

/// Type bits of `fileMode` say nothing that `type` does not say.
fn node(entry: &LinuxDevice, index: usize) -> Option<Node> {
    let bits = type_bits(entry.typ())?;
    let number = |value: i64, largest: u32| u32::try_from(value).ok().filter(|value| *value <= largest);
    let device = match bits {
        mode::FIFO => 0,
        _ => device_number(number(entry.major(), LARGEST.0)?, number(entry.minor(), LARGEST.1)?),
    };
    Some(Node {
        path: InsidePath::new(entry.path().to_str()?)?,
        mode: bits | entry.file_mode().unwrap_or(0o666) & 0o7777,
        device,
        uid: entry.uid().unwrap_or(0),
        gid: entry.gid().unwrap_or(0),
        at: Some(Pointer::from("/linux/devices").index(index)),
        lent: None,
    })
}

pub fn resolve(spec: &Spec, mounts: &[Mount], namespaces: &Namespaces, host: &Host) -> Devices {
    let listed: Vec<Node> =
        entries(spec).iter().enumerate().filter_map(|(i, entry)| node(entry, i)).collect();
    let mut devices = Devices { nodes: default_nodes(), links: LINKS.to_vec() };
    devices.nodes.retain(|default| !listed.iter().any(|node| node.path == default.path));
    devices.links.retain(|(link, _)| !listed.iter().any(|node| node.path.as_str() == *link));
    // Of two with one path the later says how the node is to be.
    let is_last =
        |(index, node): &(usize, &Node)| !listed[index + 1..].iter().any(|later| later.path == node.path);
    devices.nodes.extend(listed.iter().enumerate().filter(is_last).map(|(_, node)| node.clone()));
    if mounts::is_bound(mounts, "/dev") {
        devices.nodes.retain(|node| !node.path.is_within("/dev"));
        devices.links.clear();
    }
    devices.nodes.retain(|node| !mounts::is_bound(mounts, node.path.as_str()));
    if are_lent(namespaces, host) {
        for node in devices.nodes.iter_mut().filter(|node| node.mode & mode::TYPE != mode::FIFO) {
            node.lent = source_of(node).or_else(|| outside(node.path.as_str()));
        }
    }
    devices
}

/// Without power over the first user namespace nobody makes a device node (mknod(2)).
fn are_lent(namespaces: &Namespaces, host: &Host) -> bool {
    namespaces.has(flag::USER) || host.nested || !host.powers.administers
}

/// Where the host has this device: under the same path, by its number, or somewhere in /dev itself.
fn source_of(node: &Node) -> Option<OutsidePath> {
    let block = node.mode & mode::TYPE == mode::BLOCK;
    let is_it = |path: &OutsidePath| {
        std::fs::metadata(path.as_path()).is_ok_and(|status| {
            let kind = status.file_type();
            let same_type = if block { kind.is_block_device() } else { kind.is_char_device() };
            same_type && status.rdev() == node.device
        })
    };
    let device = (rustix::fs::major(node.device), rustix::fs::minor(node.device));
    let by_number = format!("/dev/{}/{}:{}", if block { "block" } else { "char" }, device.0, device.1);
    let named = [node.path.as_str(), by_number.as_str()].into_iter().filter_map(outside).find(is_it);
    named.or_else(|| {
        let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
        entries.filter_map(|entry| outside(entry.path().to_str()?)).find(is_it)
    })
}

fn outside(path: &str) -> Option<OutsidePath> {
    OutsidePath::new(Path::new("/"), Path::new(path))
}

/// Before the birth: clones the host's nodes that are lent. A slot or none for each node.
pub fn prepare(devices: &Devices, namespaces: &Namespaces, plan: &mut Plan) -> Vec<Option<Slot>> {
    devices
        .nodes
        .iter()
        .map(|node| {
            let source = node.lent.clone()?;
            if namespaces.cloner == Cloner::Child {
                return Some(Slot::LENT);
            }
            let slot = plan.new_slot();
            let (link, change) = (Link::Followed, TreeChange::of_private_clone());
            let clone = HostAction::CloneTree { source, link, depth: Depth::One, change, slot };
            let why = "mknod(2) is refused in a user namespace, so the host's node is lent";
            plan.host(FEATURE, clone, why).at.clone_from(&node.at);
            Some(slot)
        })
        .collect()
}

pub fn steps(devices: &Devices, lent: &[Option<Slot>], plan: &mut Plan) {
    for (node, tree) in devices.nodes.iter().zip(lent) {
        let (path, mode, device) = (node.path.text(), node.mode, node.device);
        let (operation, why) = match (tree, &node.at) {
            (Some(tree), _) => {
                if let (Slot::LENT, Some(source)) = (*tree, &node.lent) {
                    let clone = Operation::CloneFile { source: source.text(), tree: Slot::LENT };
                    let why = "mknod(2) is refused in a user namespace, so the host's node is lent";
                    plan.child(FEATURE, clone, why).at.clone_from(&node.at);
                }
                let lend = Operation::LendDevice { tree: *tree, path, mode, device };
                (lend, "the node of the host, with the mode and the owner that it has there")
            }
            (None, at) => {
                let why = match at {
                    None => "every container has it (config-linux.md, Default Devices)",
                    Some(_) => "the configuration lists it",
                };
                (Operation::MakeDevice { path, mode, device, uid: node.uid, gid: node.gid }, why)
            }
        };
        plan.child(FEATURE, operation, why).at.clone_from(&node.at);
    }
    for (path, goal) in &devices.links {
        let text = |text: &str| CString::new(text).expect("no NUL in the table");
        let link = Operation::MakeLink { path: text(path), target: text(goal) };
        plan.child(FEATURE, link, "programs expect it there (config-linux.md, Dev symbolic links)");
    }
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

/// What usually mends it when a node cannot be there.
pub fn cure(operation: &Operation, errno: Errno) -> Option<&'static str> {
    Some(match (operation, errno) {
        (_, Errno::ELOOP) => {
            "the image has a symbolic link where a directory must be: give the path to which it leads"
        }
        (_, Errno::EEXIST) => "remove it from the image, or choose another path",
        (Operation::MakeDevice { .. }, Errno::EPERM) => "making device nodes takes CAP_MKNOD",
        _ => return None,
    })
}
