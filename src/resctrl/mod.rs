//! Resource control (resctrl): which share of the caches and of the memory bandwidth.
//!
//! Kernel: processors with RDT (Intel) or QoS (AMD) give each logical processor a number, the class of
//! service, and the caches hold a mask for each class. The kernel shows the classes as the directories of a
//! file system: `schemata` holds the masks and rates, `tasks` the threads, and below `mon_groups` lie groups
//! that only count. A thread is born into the groups of its parent.
//!
//! | part | file |
//! |---|---|
//! | find the mount, make, join and remove groups | `tree` |
//! | read and compare the lines of `schemata` | `schema` |
//!
//! Kernel: Documentation/filesystems/resctrl.rst. OCI: config-linux.md, "IntelRdt".

pub mod schema;
pub mod tree;

pub use tree::{Group, Made, ResctrlError, Tree, find};
