//! # Masked and read-only paths: what procfs and sysfs would tell too much about
//!
//! Namespaces do not cover all of /proc and /sys: /proc/kcore is the memory of the machine. A masked path is
//! covered, a file by /dev/null, a directory by an empty read-only tmpfs; a read-only path is bound on
//! itself. The null device is the host's, opened and checked before the container exists: the container's own
//! could be a link to anything (CVE-2025-31133).
//!
//! OCI: config-linux.md, Masked Paths and Readonly Paths. A path that does not exist is passed over; every
//! other failure is an error, for a mask that is silently not there is a hole.
//!
//! Order: after pivot_root, when nothing else will be mounted below; read-only paths after the masks.

use std::ffi::CString;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::namespaces::{Cloner, Namespaces};
use crate::plan::{HostAction, Link, Plan, TreeChange};
use crate_run_sys::mounts::Depth;

const FEATURE: &str = "masks";
const WHY_NULL: &str = "masked files are covered by the host's null device, which no image can replace";

/// Both lists, without duplicates, with their places in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    pub masked: Vec<(InsidePath, Pointer)>,
    pub read_only: Vec<(InsidePath, Pointer)>,
}

fn lists(spec: &Spec) -> [(&'static str, &[String]); 2] {
    let linux = spec.linux().as_ref();
    let masked = linux.and_then(|linux| linux.masked_paths().as_deref()).unwrap_or_default();
    let read_only = linux.and_then(|linux| linux.readonly_paths().as_deref()).unwrap_or_default();
    [("/linux/maskedPaths", masked), ("/linux/readonlyPaths", read_only)]
}

fn cleaned(place: &str, paths: &[String]) -> Vec<(InsidePath, Pointer)> {
    let mut list: Vec<(InsidePath, Pointer)> = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        let Some(path) = InsidePath::new(path) else { continue };
        if !list.iter().any(|(earlier, _)| *earlier == path) {
            list.push((path, Pointer::from(place).index(index)));
        }
    }
    list
}

pub fn resolve(spec: &Spec) -> Masks {
    let [(masked_at, masked), (read_only_at, read_only)] = lists(spec);
    Masks { masked: cleaned(masked_at, masked), read_only: cleaned(read_only_at, read_only) }
}

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let mut found = Vec::new();
    for (place, paths) in lists(spec) {
        for (index, path) in paths.iter().enumerate() {
            let at = Pointer::from(place).index(index);
            if !path.starts_with('/') {
                let message = format!("the path {path:?} is not absolute");
                found.push(Finding::error(at, message).cure("write it with a leading slash"));
            } else if path.contains('\0') || InsidePath::new(path).is_some_and(|path| path.as_str() == "/") {
                found.push(Finding::error(at, format!("{path:?} cannot be covered")));
            }
        }
    }
    found
}

/// Before the birth: the host's null device, when something is to be masked.
pub fn prepare(masks: &Masks, namespaces: &Namespaces, plan: &mut Plan) {
    if masks.masked.is_empty() || namespaces.cloner == Cloner::Child {
        return;
    }
    let source = OutsidePath::new("/".as_ref(), "/dev/null".as_ref()).expect("no NUL");
    let (link, change) = (Link::Followed, TreeChange::of_private_clone());
    let clone = HostAction::CloneTree { source, link, depth: Depth::One, change, slot: Slot::NULL };
    plan.host(FEATURE, clone, WHY_NULL).at("/linux/maskedPaths");
}

/// Before pivot_root, while the host's files are in sight: the same, where the runtime may not clone it.
pub fn before_pivot(masks: &Masks, namespaces: &Namespaces, plan: &mut Plan) {
    if !masks.masked.is_empty() && namespaces.cloner == Cloner::Child {
        let clone = Operation::CloneFile { source: c"/dev/null".to_owned(), tree: Slot::OWN_NULL };
        plan.child(FEATURE, clone, WHY_NULL).at("/linux/maskedPaths");
    }
}

pub fn steps(masks: &Masks, namespaces: &Namespaces, plan: &mut Plan) {
    let null = match namespaces.cloner {
        Cloner::Runtime => Slot::NULL,
        Cloner::Child => Slot::OWN_NULL,
    };
    if !masks.masked.is_empty() {
        let option = |text: &str| CString::new(text).expect("no NUL");
        // One inode is the root directory's; the kernel wants room for a second one.
        let options = vec![option("nr_inodes=2"), option("nr_blocks=1"), option("mode=555")];
        let why = "masked directories are covered by one empty read-only tmpfs, cloned for each";
        plan.child(FEATURE, Operation::PrepareMask { options }, why).at("/linux/maskedPaths");
    }
    for (path, at) in &masks.masked {
        let mask = Operation::MaskPath { path: path.text(), null };
        plan.child(FEATURE, mask, format!("{path} must not be read")).at(at.clone());
    }
    for (path, at) in &masks.read_only {
        let bind = Operation::ReadOnlyPath { path: path.text() };
        plan.child(FEATURE, bind, format!("{path} must not be written")).at(at.clone());
    }
}
