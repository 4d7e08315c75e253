//! What can go wrong with a cgroup: what was being done, what the kernel said, and what usually mends it.
//!
//! `Display` gives one sentence fragment, `at` the place in config.json that asked for it, `cure` the advice.
//! The caller prints; nothing here does.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::bundle::finding::Pointer;
use crate::error::plain;

/// A failure of the cgroup driver.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The machine has no cgroup v2 where it should be.
    #[error("no cgroup v2 hierarchy at {}: {found}", place.display())]
    NoHierarchy { place: PathBuf, found: String },

    /// A cgroup directory could not be made, opened, listed, removed or handed over.
    #[error("cannot {action} cgroup {path}: {}", plain(source))]
    Directory { action: &'static str, path: String, source: io::Error },

    /// A file of a cgroup could not be read.
    #[error("cannot read {file} of cgroup {path}: {}", plain(source))]
    Read { path: String, file: String, source: io::Error },

    /// The kernel refused a value.
    #[error("cannot write {value:?} to {file} of cgroup {path}: {}", plain(source))]
    Write { path: String, file: String, value: String, at: Option<Pointer>, source: io::Error },

    /// A limit is asked for, and the controller that could enforce it is not there.
    #[error("the cgroup controller {controller} is not in cgroup.controllers of cgroup {path}: {why}")]
    ControllerAbsent { controller: String, path: String, why: String, at: Option<Pointer> },

    /// The no-internal-processes rule of cgroup v2.
    #[error(
        "cannot enable the controllers {controllers} below cgroup {path} (EBUSY): processes live in it, and \
         a cgroup with processes of its own cannot give controllers to its children"
    )]
    InternalProcesses { path: String, controllers: String },

    /// The cgroup was there before, and using it would mix this container with something else.
    #[error("cgroup {path} exists already and holds processes")]
    InUse { path: String },

    /// It, or a cgroup above it, stands still (cgroup.freeze): who is born in it never runs.
    #[error("cgroup {path} is frozen, and nobody in it would run")]
    Frozen { path: String },

    /// A process of the cgroup may not be signalled by us.
    #[error("cannot send signal {signal} to every process of cgroup {path}: {}", plain(source))]
    Signal { path: String, signal: u32, source: io::Error },

    /// The device filter of a container that is gone is still there.
    #[error("cannot take the device filter of cgroup {path} away: {}", plain(source))]
    Filter { path: String, source: io::Error },

    /// Something that should have happened by now has not.
    #[error("cgroup {path} did not {awaited} in time")]
    Deadline { path: String, awaited: &'static str },
}

impl CgroupError {
    /// The place in config.json that asked for what failed, where one place did.
    pub fn at(&self) -> Option<&Pointer> {
        match self {
            Self::Write { at, .. } | Self::ControllerAbsent { at, .. } => at.as_ref(),
            _ => None,
        }
    }

    /// The error number of the kernel, where a system call failed.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Directory { source, .. }
            | Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::Signal { source, .. }
            | Self::Filter { source, .. } => source.raw_os_error(),
            Self::InternalProcesses { .. } => Some(Errno::BUSY.raw_os_error()),
            _ => None,
        }
    }

    /// What usually mends it, as a sentence without a full stop.
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::NoHierarchy { .. } => Some(UNIFY),
            Self::Directory { source, .. } => permission_cure(source),
            Self::Read { .. } | Self::Signal { .. } | Self::Filter { .. } => None,
            Self::Write { file, source, .. } => write_cure(file, source),
            Self::ControllerAbsent { why, .. } if why.contains("cgroup v1") => Some(UNIFY),
            Self::ControllerAbsent { .. } => {
                Some("leave the limit out, or give the controller to cgroup v2 (see cgroups(7))")
            }
            Self::InternalProcesses { .. } => {
                Some("name another place in linux.cgroupsPath, or move those processes into a child cgroup")
            }
            Self::InUse { .. } => {
                Some("delete the container that uses it, or name another place in linux.cgroupsPath")
            }
            Self::Frozen { .. } => {
                Some("thaw it, or the cgroup above it that is frozen, by writing 0 to its cgroup.freeze")
            }
            Self::Deadline { .. } => {
                Some("look for processes in state D (ps -o stat,wchan) among those in its cgroup.procs")
            }
        }
    }

    /// The same failure with the place in config.json that led to it.
    pub(super) fn asked_at(self, place: &Pointer) -> Self {
        match self {
            Self::Write { path, file, value, source, .. } => {
                Self::Write { path, file, value, source, at: Some(place.clone()) }
            }
            other => other,
        }
    }
}

/// What makes a host of cgroup v1 one of v2, or crate-run one that drives v1.
#[cfg(not(feature = "cgroup-v1"))]
const UNIFY: &str = "boot with systemd.unified_cgroup_hierarchy=1, which mounts cgroup2 at /sys/fs/cgroup, or use a \
                     crate-run that was built with the feature cgroup-v1";
#[cfg(feature = "cgroup-v1")]
const UNIFY: &str =
    "mount cgroup2 at /sys/fs/cgroup; systemd does so with systemd.unified_cgroup_hierarchy=1";

fn permission_cure(source: &io::Error) -> Option<&'static str> {
    let errno = Errno::from_io_error(source)?;
    if errno == Errno::PERM || errno == Errno::ACCESS || errno == Errno::ROFS {
        return Some(
            "without root a cgroup must be delegated first (systemd: Delegate=yes) and mounted writable",
        );
    }
    (errno == Errno::AGAIN).then_some("a parent's cgroup.max.descendants or cgroup.max.depth is reached")
}

/// What a refused value usually means, by file and error number.
fn write_cure(file: &str, source: &io::Error) -> Option<&'static str> {
    let errno = Errno::from_io_error(source)?;
    let controller = file.split('.').next().unwrap_or_default();
    match (controller, errno) {
        (_, Errno::PERM | Errno::ACCESS | Errno::ROFS) => permission_cure(source),
        ("hugetlb", Errno::NOENT) => Some("use a page size of this machine (ls /sys/kernel/mm/hugepages)"),
        ("memory", Errno::NOENT) if file == "memory.swap.max" => {
            Some("leave the swap limit out: this kernel does not count swap")
        }
        ("memory", Errno::INVAL) if file == "memory.limit_in_bytes" => {
            Some("give the limit on memory and swap together too: it may not be the lower one")
        }
        (_, Errno::NOENT) => Some("this kernel does not have the file: leave the setting out"),
        ("cpu", Errno::INVAL) if file == "cpu.max.burst" => Some("keep the burst at or below the quota"),
        ("cpu", Errno::INVAL) if file == "cpu.weight" => {
            Some("set cpu.idle to 0: an idle cgroup has no weight")
        }
        ("cpuset", _) => Some("name processors and memory nodes that this machine has (lscpu)"),
        ("io", Errno::NODEV) => Some("name a whole disk that exists, by its numbers (lsblk)"),
        ("io", Errno::OPNOTSUPP) => Some("a weight needs BFQ or iocost on that disk (lsblk --output +SCHED)"),
        ("cgroup", Errno::OPNOTSUPP) => {
            Some("a threaded cgroup gives threaded controllers only: cpu, cpuset, pids")
        }
        ("rdma", _) => Some("name a card that exists (ls /sys/class/infiniband)"),
        (_, Errno::INVAL | Errno::RANGE) => Some("the value is out of the range in cgroup-v2.rst"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &str, errno: Errno) -> CgroupError {
        CgroupError::Write {
            path: "/a".to_owned(),
            file: file.to_owned(),
            value: "1".to_owned(),
            at: None,
            source: errno.into(),
        }
    }

    #[test]
    fn a_refused_value_tells_file_value_place_and_errno() {
        let error =
            refused("memory.max", Errno::INVAL).asked_at(&Pointer::from("/linux/resources/memory/limit"));
        let text = error.to_string();
        assert!(text.starts_with("cannot write \"1\" to memory.max of cgroup /a: "), "{text}");
        assert_eq!(error.errno(), Some(Errno::INVAL.raw_os_error()));
        assert_eq!(error.at().map(Pointer::as_str), Some("/linux/resources/memory/limit"));
    }

    #[test]
    fn cures_depend_on_file_and_errno() {
        let cure = |file, errno| refused(file, errno).cure().unwrap_or_default();
        assert!(cure("cpu.max", Errno::ACCESS).contains("delegated"));
        assert!(cure("hugetlb.3MB.max", Errno::NOENT).contains("page size"));
        assert!(cure("memory.swap.max", Errno::NOENT).contains("swap"));
        assert!(cure("memory.zswap.max", Errno::NOENT).contains("does not have the file"));
        assert!(cure("cpu.max.burst", Errno::INVAL).contains("quota"));
        assert!(cure("io.max", Errno::NODEV).contains("disk"));
        assert_eq!(refused("memory.max", Errno::IO).cure(), None);
    }

    #[test]
    fn the_rule_against_internal_processes_is_explained() {
        let error =
            CgroupError::InternalProcesses { path: "/a".to_owned(), controllers: "+memory".to_owned() };
        assert!(error.to_string().contains("processes live in it"));
        assert_eq!(error.errno(), Some(Errno::BUSY.raw_os_error()));
    }
}
