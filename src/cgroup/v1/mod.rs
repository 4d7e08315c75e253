//! Control groups, version 1: a hierarchy for each controller, on hosts that have not moved to version 2.
//!
//! The kernel has one cgroup2 hierarchy in any case, with or without controllers, mounted or not. So the
//! container's cgroup is there as on every host: it is born in it, its devices are filtered in it, it is
//! frozen and killed through it, all of which version 1 can do only process by process. A controller that is
//! bound to version 1 has a hierarchy of its own beside it, and the container a group in each of these:
//!
//! | part | file |
//! |---|---|
//! | which hierarchies are there, and where the runtime stands in them (`cgroups-rs`) | `hierarchies` |
//! | the container's group in one of them: made, joined, removed | `group` |
//! | `linux.resources` as writes to the files of version 1 | `limits`, `memory`, `cpu`, `blkio`, `network` |
//!
//! Only the second is part of a build without the feature `cgroup-v1`: it can look after containers that
//! another build has made, and makes none.
//!
//! Version 1 has no birth into a group: the newborn is moved, and waits for that before it does anything.
//!
//! Man pages: cgroups(7), "Cgroups version 1"; cpuset(7). Kernel: admin-guide/cgroup-v1/.

#[cfg(feature = "cgroup-v1")]
mod blkio;
#[cfg(feature = "cgroup-v1")]
mod cpu;
mod group;
#[cfg(feature = "cgroup-v1")]
pub mod hierarchies;
#[cfg(feature = "cgroup-v1")]
mod limits;
#[cfg(feature = "cgroup-v1")]
mod memory;
#[cfg(feature = "cgroup-v1")]
mod network;

pub use group::{Bound, Group, OpenGroup, remove};

use oci_spec::runtime::LinuxResources;

use super::limits::Setting;
use crate::bundle::finding::{Finding, Pointer};

/// The writes that carry out `resources` where these controllers are bound to version 1.
#[cfg(feature = "cgroup-v1")]
pub fn settings(resources: &LinuxResources, at: &Pointer, bound: &[&str]) -> Vec<Setting> {
    if bound.is_empty() {
        super::limits::settings(resources, at)
    } else {
        limits::settings(resources, at, bound)
    }
}

/// Everything that is wrong with `resources` there.
#[cfg(feature = "cgroup-v1")]
pub fn findings(resources: &LinuxResources, at: &Pointer, bound: &[&str]) -> Vec<Finding> {
    if bound.is_empty() {
        super::limits::findings(resources, at)
    } else {
        limits::findings(resources, at, bound)
    }
}

/// The writes that carry out `resources`. This build knows the files of version 2 only.
#[cfg(not(feature = "cgroup-v1"))]
pub fn settings(resources: &LinuxResources, at: &Pointer, _: &[&str]) -> Vec<Setting> {
    super::limits::settings(resources, at)
}

/// Everything that is wrong with `resources`. This build knows the files of version 2 only.
#[cfg(not(feature = "cgroup-v1"))]
pub fn findings(resources: &LinuxResources, at: &Pointer, _: &[&str]) -> Vec<Finding> {
    super::limits::findings(resources, at)
}
