//! Control groups: how much of the machine a container may use, and which devices.
//!
//! The kernel shows the tree of cgroups as a file system: a directory is a cgroup, a file is one setting. So
//! the whole of `linux.resources` becomes a list of (file, value, why), computed before anything is touched:
//!
//! | part | file |
//! |---|---|
//! | what `linux.resources` asks for, as a list of writes | `limits`, and one file for each controller |
//! | where the container's cgroup lies | `path`, `hierarchy` |
//! | make it, open it, write the list | `v2`, `controllers`, over `src/kernfs.rs` |
//! | wait, kill, freeze, count | `events` |
//! | who is in it, a signal to all of them | `members` |
//! | take it down again | `remove` |
//! | hand it to the user of the container | `delegate` |
//! | who makes it | `driver`; as a scope of systemd: `systemd` |
//! | which devices may be used (eBPF) | `devices` |
//! | controllers that are bound to version 1 | `v1` |
//!
//! Everything below the cgroup mount is reached through directory descriptors. No path with `..` and no
//! symbolic link is ever followed, and every wait has a deadline.
//!
//! Man pages: cgroups(7), cgroup_namespaces(7), clone(2) under `CLONE_INTO_CGROUP`.
//! Kernel: Documentation/admin-guide/cgroup-v2.rst. OCI: config-linux.md, "Control groups".

pub mod controllers;
pub mod cpu;
pub mod cpuset;
pub mod delegate;
pub mod devices;
pub mod driver;
pub mod error;
pub mod events;
pub mod hierarchy;
pub mod hugetlb;
pub mod io;
pub mod limits;
pub mod members;
pub mod memory;
pub mod network;
pub mod path;
pub mod pids;
pub mod rdma;
pub mod remove;
pub mod systemd;
pub mod unified;
pub mod v1;
pub mod v2;

pub use controllers::Wanted;
pub use driver::Driver;
pub use error::CgroupError;
pub use hierarchy::Hierarchy;
pub use limits::{Optional, Setting};
pub use path::CgroupPath;
pub use v2::Cgroup;
