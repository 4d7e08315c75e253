//! What is wrong or risky about the namespaces of a configuration.

use std::path::Path;

use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::error::plain;
use crate::feature::namespaces::kind::{kind_behind, kind_of, name_of};
use crate::feature::namespaces::{Namespaces, entries, path_of};
use crate::host::Host;

pub fn findings(spec: &Spec, namespaces: &Namespaces, host: &Host) -> Vec<Finding> {
    let mut found = Vec::new();
    let list = Pointer::from("/linux/namespaces");
    let mut seen = 0;
    for (index, entry) in entries(spec).iter().enumerate() {
        let (kind, at) = (kind_of(entry.typ()), list.index(index));
        let name = name_of(kind);
        if seen & kind != 0 {
            let message = format!("the namespace type {name:?} is listed twice");
            found.push(Finding::error(at.clone(), message).cure("keep one entry for each type"));
        }
        seen |= kind;
        if let Some(path) = path_of(entry) {
            found.extend(path_finding(path, kind, at.key("path")));
        }
    }
    if !host.powers.administers && !namespaces.has(flag::USER) {
        let message = "an ordinary user makes containers in a user namespace, and this one has none";
        let cure = "add {\"type\": \"user\"} with linux.uidMappings and gidMappings (`crate-run spec --rootless` \
                    writes them, `crate-run doctor` tells which ids are yours), or start crate-run as root";
        found.push(Finding::error(list.clone(), message).cure(cure));
    }
    if !namespaces.makes(flag::MOUNT) {
        found.extend(shared_mount_findings(spec, namespaces));
    }
    found
}

fn path_finding(path: &Path, kind: u64, at: Pointer) -> Option<Finding> {
    let shown = path.display();
    if !path.is_absolute() {
        let message = format!("the namespace path {shown:?} is not absolute");
        return Some(Finding::error(at, message).cure("give a path such as /proc/PID/ns/net"));
    }
    let name = name_of(kind);
    match kind_behind(path) {
        Ok(Some(is)) if is == kind => None,
        Ok(Some(other)) => {
            let other = name_of(other);
            let message = format!("{shown} is a {other} namespace, not a {name} namespace");
            Some(
                Finding::error(at, message)
                    .cure("give the path of one of the right type, or change \"type\""),
            )
        }
        Ok(None) => {
            let message = format!("{shown} is no namespace");
            let cure = "give a file below /proc/PID/ns, or one on which such a file is bind mounted";
            Some(Finding::error(at, message).cure(cure))
        }
        Err(error) => {
            let message = format!("the namespace {shown} cannot be opened: {}", plain(&error));
            Some(Finding::error(at, message).cure("is the process that owns it still running?"))
        }
    }
}

/// What does not go together with a mount namespace that is the runtime's or that of others.
fn shared_mount_findings(spec: &Spec, namespaces: &Namespaces) -> Vec<Finding> {
    let mut found = Vec::new();
    let list = Pointer::from("/linux/namespaces");
    let joined = namespaces.joined.iter().find(|joined| joined.kind == flag::MOUNT);
    let at = joined.map_or(list, |joined| joined.at.clone());
    let cure = "add {\"type\": \"mount\"} to linux.namespaces, without a path";
    if namespaces.makes(flag::USER) || namespaces.joins_users() && joined.is_none() {
        let message =
            "a container in a user namespace has no power over a mount namespace that is not its own";
        found.push(Finding::error(at, message).cure(cure));
    } else if joined.is_none() {
        let message = "the container shares the runtime's mount namespace: it can mount nothing, and its own \
                       mounts stand in no mount table";
        found.push(Finding::warning(at, message).cure(cure));
    }
    let unbindable = |word: &str| word == "unbindable" || word == "runbindable";
    let cannot = |at: Pointer| {
        let message = "an unbindable mount cannot be taken along into a mount namespace that is shared";
        Finding::error(at, message).cure(cure)
    };
    let linux = spec.linux().as_ref();
    if linux.and_then(|linux| linux.rootfs_propagation().as_deref()).is_some_and(unbindable) {
        found.push(cannot(Pointer::from("/linux/rootfsPropagation")));
    }
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let place = mount.options().iter().flatten().position(|word| unbindable(word));
        let options = || Pointer::from("/mounts").index(index).key("options");
        found.extend(place.map(|word| cannot(options().index(word))));
    }
    found
}
