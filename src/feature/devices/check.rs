//! What can be wrong with a list of devices.

use crate_run_sys::files::mode;
use oci_spec::runtime::LinuxDevice;

use crate::bundle::Source;
use crate::bundle::finding::{Finding, Pointer};
use crate::feature::namespaces::Namespaces;
use crate::host::Host;

use super::{LARGEST, Node, are_lent, entries, node, source_of, type_bits};

pub fn findings(source: &Source, namespaces: &Namespaces, host: &Host) -> Vec<Finding> {
    let entries = entries(&source.spec);
    let mut found = missing_numbers(source, entries);
    let mut earlier: Vec<Node> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = Pointer::from("/linux/devices").index(index);
        match node(entry, index) {
            None => found.push(unusable(entry, &at)),
            Some(node) => {
                found.extend(path_finding(entry, &node, &at));
                found.extend(twice(&node, &earlier, &at));
                if are_lent(namespaces, host) && node.mode & mode::TYPE != mode::FIFO {
                    found.extend(lending_finding(&node, &at));
                }
                earlier.push(node);
            }
        }
    }
    found
}

fn unusable(entry: &LinuxDevice, at: &Pointer) -> Finding {
    if type_bits(entry.typ()).is_none() {
        return Finding::error(at.key("type"), "a device node is of type c, u, b or p");
    }
    let (major, minor) = LARGEST;
    for (word, number, largest) in [("major", entry.major(), major), ("minor", entry.minor(), minor)] {
        if !(0..=i64::from(largest)).contains(&number) {
            let message = format!("{number} is no {word} number of a device");
            return Finding::error(at.key(word), message).cure(format!("it is between 0 and {largest}"));
        }
    }
    Finding::error(at.key("path"), "the path of a device must be UTF-8 and free of NUL characters")
}

/// The specification wants both numbers; a type without them would be the device 0:0.
fn missing_numbers(source: &Source, entries: &[LinuxDevice]) -> Vec<Finding> {
    let mut wanted = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = Pointer::from("/linux/devices").index(index);
        let numbered = type_bits(entry.typ()).is_some_and(|bits| bits != mode::FIFO);
        for (word, number) in [("major", entry.major()), ("minor", entry.minor())] {
            if numbered && number == 0 {
                wanted.push(at.key(word));
            }
        }
    }
    let missing = |at: Pointer| {
        let word = at.as_str().rsplit('/').next().unwrap_or_default();
        let message = format!("the device has no {word} number");
        Finding::error(at, message).cure("only a device of type p needs no numbers")
    };
    source.missing(&wanted).into_iter().map(missing).collect()
}

fn path_finding(entry: &LinuxDevice, node: &Node, at: &Pointer) -> Option<Finding> {
    let at = at.key("path");
    if !entry.path().is_absolute() {
        let message = format!("the device path {:?} is not absolute", entry.path().display());
        return Some(Finding::error(at, message).cure("write it with a leading slash"));
    }
    (node.path.as_str() == "/").then(|| {
        let message = "the root of the container cannot be a device";
        Finding::error(at, message).cure("give a path such as /dev/fuse")
    })
}

/// One path cannot hold two devices; one device under several paths is what the specification advises against
/// (config-linux.md, Devices: "SHOULD NOT").
fn twice(node: &Node, earlier: &[Node], at: &Pointer) -> Option<Finding> {
    let kind = |node: &Node| node.mode & mode::TYPE;
    let same = |other: &&Node| kind(other) == kind(node) && other.device == node.device;
    if earlier.iter().any(|other| other.path == node.path && !same(&other)) {
        let message = format!("another device is listed at {}", node.path);
        return Some(Finding::error(at.key("path"), message).cure("choose another path for one of them"));
    }
    let twin = earlier.iter().find(|other| kind(node) != mode::FIFO && same(other))?;
    let message = format!("{} is the same device as {}", node.path, twin.path);
    Some(Finding::warning(at.clone(), message).cure("list each device once"))
}

fn lending_finding(node: &Node, at: &Pointer) -> Option<Finding> {
    if source_of(node).is_some() {
        return None;
    }
    let there = std::fs::symlink_metadata(node.path.as_str()).is_ok();
    let message = match there {
        true => format!("{} of the host is another device", node.path),
        false => format!("{} does not exist on the host", node.path),
    };
    let cure = "in a user namespace devices are bind mounted from the host, for mknod(2) is forbidden there";
    Some(Finding::error(at.clone(), message).cure(cure))
}
