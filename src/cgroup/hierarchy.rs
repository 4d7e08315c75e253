//! Where the cgroup v2 hierarchy is mounted, and where in it the runtime itself stands.
//!
//! Three kinds of hosts exist. *Unified*: cgroup2 at /sys/fs/cgroup, every controller in it. *Hybrid*: v1
//! directories below a tmpfs, and cgroup2 at /sys/fs/cgroup/unified with whatever controllers v1 left over.
//! *Legacy*: v1 only. With the feature `cgroup-v1` all three are driven (`v1`); on a legacy host the runtime
//! mounts cgroup2 for itself alone, attached nowhere. Without it, a limit whose controller belongs to v1 is
//! an error that says so, and on a legacy host no container is made.
//!
//! What a mount is cannot be told from its path, so it is told from the file system's magic number.
//!
//! Man pages: cgroups(7), statfs(2). Kernel: cgroup-v2.rst, "Mounting".

use std::io::Read;
use std::path::{Path, PathBuf};

#[cfg(feature = "cgroup-v1")]
use crate_run_sys::{host, mounts};
use rustix::io::Errno;

use super::CgroupPath;
use super::error::CgroupError;
use crate::kernfs::Directory;

/// CGROUP2_SUPER_MAGIC of linux/magic.h ("cgrp").
const CGROUP2_MAGIC: u64 = 0x6367_7270;
/// CGROUP_SUPER_MAGIC of linux/magic.h, of version 1.
const CGROUP1_MAGIC: u64 = 0x0027_e0eb;
/// TMPFS_MAGIC of linux/magic.h.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// How the host mounts cgroup2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// cgroup2 is the whole of /sys/fs/cgroup.
    Unified,
    /// cgroup2 lies beside cgroup v1, which holds most controllers.
    Hybrid,
    /// cgroup2 is mounted nowhere: this mount is the runtime's own, and ends with it.
    Legacy,
    /// A hierarchy of cgroup v1.
    Version1,
}

/// The mounted cgroup2 hierarchy.
#[derive(Debug)]
pub struct Hierarchy {
    pub(super) root: Directory,
    place: PathBuf,
    kind: Kind,
}

impl Hierarchy {
    /// The hierarchy of this host, at /sys/fs/cgroup or, beside v1, at /sys/fs/cgroup/unified.
    pub fn find() -> Result<Self, CgroupError> {
        Self::find_at(Path::new("/sys/fs/cgroup"))
    }

    /// The hierarchy at or below `place`.
    pub fn find_at(place: &Path) -> Result<Self, CgroupError> {
        let absent = |found: String| CgroupError::NoHierarchy { place: place.to_owned(), found };
        let root =
            Directory::open(place).map_err(|errno| absent(format!("it cannot be opened ({errno})")))?;
        match magic(&root).map_err(|errno| absent(format!("statfs fails ({errno})")))? {
            CGROUP2_MAGIC => Ok(Self { root, place: place.to_owned(), kind: Kind::Unified }),
            TMPFS_MAGIC => {
                let place = place.join("unified");
                match Directory::open(&place) {
                    Ok(root) if magic(&root) == Ok(CGROUP2_MAGIC) => {
                        Ok(Self { root, place, kind: Kind::Hybrid })
                    }
                    _ => Self::unattached(absent),
                }
            }
            other => Err(absent(format!("another file system is mounted there (magic {other:#x})"))),
        }
    }

    /// cgroup2 where only v1 is mounted. The kernel has it all the same, and shows it in a mount that is
    /// attached nowhere (fsmount(2)).
    #[cfg(feature = "cgroup-v1")]
    fn unattached(absent: impl Fn(String) -> CgroupError) -> Result<Self, CgroupError> {
        let refused =
            |errno: String| absent(format!("only cgroup v1 is mounted, and cgroup2 cannot be ({errno})"));
        let context = mounts::open_filesystem(c"cgroup2").map_err(|errno| refused(errno.to_string()))?;
        let context = host::owned(context);
        let mount = mounts::create_filesystem(host::borrowed(&context))
            .and_then(|()| mounts::mount_filesystem(host::borrowed(&context), 0));
        let mount = host::owned(mount.map_err(|errno| refused(errno.to_string()))?);
        let root = Directory::of_mount(&mount).map_err(|errno| refused(errno.to_string()))?;
        Ok(Self { root, place: PathBuf::from("cgroup2"), kind: Kind::Legacy })
    }

    #[cfg(not(feature = "cgroup-v1"))]
    fn unattached(absent: impl Fn(String) -> CgroupError) -> Result<Self, CgroupError> {
        Err(absent("only cgroup v1 is mounted, and this crate-run was built without cgroup-v1".to_owned()))
    }

    /// The hierarchy of cgroup v1 that is mounted at `place`.
    pub fn bound(place: &Path) -> Result<Self, CgroupError> {
        let absent = |found: String| CgroupError::NoHierarchy { place: place.to_owned(), found };
        let root =
            Directory::open(place).map_err(|errno| absent(format!("it cannot be opened ({errno})")))?;
        match magic(&root) {
            Ok(CGROUP1_MAGIC) => Ok(Self { root, place: place.to_owned(), kind: Kind::Version1 }),
            _ => Err(absent("cgroup v1 is not mounted there".to_owned())),
        }
    }

    /// Is `place` a directory of hierarchies, and not one itself?
    pub fn is_divided(place: &Path) -> bool {
        rustix::fs::statfs(place).is_ok_and(|status| status.f_type as u64 == TMPFS_MAGIC)
    }

    /// The content of `file` at the top; `None` where there is no such file.
    pub(super) fn read_file(&self, file: &str) -> Result<Option<String>, CgroupError> {
        match self.root.read(file) {
            Ok(content) => Ok(Some(content)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => {
                let (path, file) = ("/".to_owned(), file.to_owned());
                Err(CgroupError::Read { path, file, source: errno.into() })
            }
        }
    }

    /// The mount point.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Whether cgroup v1 lies beside it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// May this user make the cgroup at `path`, and let a process be born in it, who himself is in `own`?
    /// Besides the directory it takes `cgroup.procs` of the nearest common ancestor (cgroup-v2.rst,
    /// "Delegation Containment").
    pub fn may_make(&self, path: &CgroupPath, own: &str) -> bool {
        let above = std::iter::successors(path.parent(), CgroupPath::parent);
        let mut above = above.map(|level| level.relative().to_owned()).chain([String::new()]);
        let existing = above.find_map(|level| self.root.beneath(&level).ok());
        let Some(existing) = existing else { return false };
        let is_ours = |directory: &Directory, name: &str| directory.is_writable(name);
        let common = self.root.beneath(common_ancestor(path.as_str(), own));
        is_ours(&existing, ".") && common.is_ok_and(|common| is_ours(&common, "cgroup.procs"))
    }

    /// The cgroup of this process, from /proc/self/cgroup: `/a/b`, as seen from its cgroup namespace.
    pub fn own_cgroup() -> Result<String, CgroupError> {
        cgroup_in(Path::new("/proc/self/cgroup"))
    }

    /// The same for another process.
    pub fn cgroup_of(pid: i32) -> Result<String, CgroupError> {
        cgroup_in(Path::new(&format!("/proc/{pid}/cgroup")))
    }
}

fn cgroup_in(file: &Path) -> Result<String, CgroupError> {
    let unknown = |found: &str| CgroupError::NoHierarchy { place: file.to_owned(), found: found.to_owned() };
    // One line for each hierarchy; more than a page of them does not happen.
    let mut text = String::with_capacity(4096);
    std::fs::File::open(file)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|error| unknown(&error.to_string()))?;
    own_cgroup_in(&text).map(str::to_owned).ok_or_else(|| unknown("it has no line that starts with 0::"))
}

/// The v2 line of /proc/PID/cgroup is the one of hierarchy 0 with no controllers.
fn own_cgroup_in(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The cgroup above both, without its slash in front: `a/b` for `/a/b/c` and `/a/b/d/e`, empty for the root.
fn common_ancestor(one: &str, other: &str) -> String {
    let components = |path| <str>::split(path, '/').filter(|name| !name.is_empty());
    let pairs = components(one).zip(components(other));
    let common: Vec<&str> = pairs.take_while(|(a, b)| a == b).map(|(name, _)| name).collect();
    common.join("/")
}

fn magic(directory: &Directory) -> Result<u64, Errno> {
    Ok(rustix::fs::fstatfs(directory)?.f_type as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_the_line_without_controllers() {
        assert_eq!(own_cgroup_in("0::/\n"), Some("/"));
        assert_eq!(
            own_cgroup_in("2:cpu:/x\n1:name=systemd:/y\n0::/user.slice/a b\n"),
            Some("/user.slice/a b")
        );
        assert_eq!(own_cgroup_in("2:cpu:/x\n"), None);
    }

    #[test]
    fn common_ancestors_are_whole_names() {
        assert_eq!(common_ancestor("/a/b/c", "/a/b/d/e"), "a/b");
        assert_eq!(common_ancestor("/a/bc", "/a/b"), "a");
        assert_eq!(common_ancestor("/a", "/"), "");
    }

    #[test]
    fn what_is_no_cgroup_mount_is_an_error_that_says_what_it_is() {
        let error = Hierarchy::find_at(Path::new("/proc")).expect_err("/proc is procfs");
        assert!(error.to_string().contains("another file system"), "{error}");
        let error = Hierarchy::find_at(Path::new("/proc/self/status")).expect_err("a file");
        assert!(error.to_string().contains("cannot be opened"), "{error}");
        assert!(error.cure().is_some());
    }
}
