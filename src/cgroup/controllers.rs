//! Controllers: which limits a cgroup can have at all.
//!
//! Kernel: `cgroup.controllers` of a cgroup lists what its parent gives it. The parent gives what is written
//! to its `cgroup.subtree_control` ("+memory +pids"), and can give only what it has itself. So a controller
//! must be enabled in every cgroup from the root down to the parent of the container's. A cgroup below the
//! root that gives controllers may hold no processes (the no-internal-processes rule), else the write fails
//! with EBUSY.
//!
//! We climb only as far as something is missing, and enable what limits need and what readers of statistics
//! expect ([`ACCOUNTING`]); the second kind only where that is possible. What we enable stays enabled, since
//! another container may have come to rely on it.
//!
//! OCI (config-linux.md, "Unified"): a controller that is missing or cannot be enabled is an error, if the
//! configuration refers to it; others may be joined ("Cgroups Path").
//!
//! Man page: cgroups(7), "Managing controllers". Kernel: cgroup-v2.rst, "Controlling Controllers".

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;

use super::error::CgroupError;
use super::hierarchy::Hierarchy;
use super::path::CgroupPath;
use super::v2::directory_error;
use crate::bundle::finding::Pointer;
use crate::kernfs::Directory;

/// The controllers whose files engines read for statistics, of a container without limits too:
/// `cpu.stat` with its throttling, `io.stat`, `memory.current`, `pids.current`.
pub const ACCOUNTING: [&str; 4] = ["cpu", "io", "memory", "pids"];

/// What the cgroup of a container is to have.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Without these it is an error; each with the place in config.json that asks for it.
    pub needed: &'a BTreeMap<&'a str, &'a Pointer>,
    /// These only where the host can give them.
    pub wished: &'a [&'a str],
}

impl<'a> Wanted<'a> {
    /// All of them, without doubles.
    fn names(&self) -> BTreeSet<&'a str> {
        self.needed.keys().chain(self.wished).copied().collect()
    }
}

/// One write to `cgroup.subtree_control`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enabled {
    /// The cgroup whose children got the controllers: `/` or a `CgroupPath`.
    pub path: String,
    /// What was written, such as `+memory +pids`.
    pub controllers: String,
}

impl Hierarchy {
    /// The controllers that the top of the hierarchy has to give, such as `cpuset`, `cpu`, `io`, `memory`.
    pub fn controllers(&self) -> Result<Vec<String>, CgroupError> {
        Ok(words(&read(&self.root, "/", "cgroup.controllers")?).map(str::to_owned).collect())
    }

    /// Enables controllers for the cgroup `path`, which must exist.
    ///
    /// Gives the writes that it took, outermost first. Errors: `ControllerAbsent`, `InternalProcesses`, and
    /// only because of a controller that is needed.
    pub fn enable_controllers(
        &self,
        path: &CgroupPath,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Enabled>, CgroupError> {
        let mut names = wanted.names();
        let mut to_write = Vec::new();
        let mut child = Some(path.clone());
        // Climb while the child lacks something that only its parent can give.
        while let Some(level) = child {
            names = self.missing(Some(&level), &names)?;
            if names.is_empty() {
                break;
            }
            let parent = level.parent();
            to_write.push((parent.clone(), names.clone()));
            child = parent;
        }
        let absent = if names.is_empty() { names } else { self.missing(None, &names)? };
        self.refuse_absent(&absent, wanted.needed)?;
        let mut done = Vec::new();
        for (parent, names) in to_write.into_iter().rev() {
            let offered: Vec<&str> = names.difference(&absent).copied().collect();
            done.extend(self.give(parent.as_ref(), &offered, wanted)?);
        }
        Ok(done)
    }

    /// The directory of `level`, and the root of the hierarchy for `None`.
    fn level(&self, level: Option<&CgroupPath>) -> Result<Directory, CgroupError> {
        let Some(path) = level else {
            return self.root.beneath("").map_err(|errno| CgroupError::Directory {
                action: "open",
                path: "/".to_owned(),
                source: errno.into(),
            });
        };
        self.root.beneath(path.relative()).map_err(|errno| directory_error("open", path, errno))
    }

    /// Those of `names` that `level` does not have.
    fn missing<'a>(
        &self,
        level: Option<&CgroupPath>,
        names: &BTreeSet<&'a str>,
    ) -> Result<BTreeSet<&'a str>, CgroupError> {
        let list = read(&self.level(level)?, shown(level), "cgroup.controllers")?;
        Ok(names.iter().copied().filter(|name| !words(&list).any(|word| word == *name)).collect())
    }

    /// An error for the first needed one of those that the top of the hierarchy does not have.
    fn refuse_absent(
        &self,
        absent: &BTreeSet<&str>,
        needed: &BTreeMap<&str, &Pointer>,
    ) -> Result<(), CgroupError> {
        let Some(name) = absent.iter().find(|name| needed.contains_key(**name)) else { return Ok(()) };
        // The root of the machine has no cgroup.type; the root of a cgroup namespace has one.
        let top = match self.root.read("cgroup.type") {
            Err(Errno::NOENT) => Top::Machine,
            _ => Top::Namespace,
        };
        // An unreadable /proc/cgroups only makes the reason less exact.
        let table = std::fs::read_to_string("/proc/cgroups").unwrap_or_default();
        Err(CgroupError::ControllerAbsent {
            controller: (*name).to_owned(),
            path: "/".to_owned(),
            why: why_absent(name, &table, top),
            at: needed.get(name).map(|place| (*place).clone()),
        })
    }

    /// Gives the children of `parent` the controllers `names`: all in one write, or else first those that
    /// are needed, then each of the others that it can have.
    fn give(
        &self,
        parent: Option<&CgroupPath>,
        names: &[&str],
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Enabled>, CgroupError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let (needed, wished): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| wanted.needed.contains_key(**name));
        match self.enable_below(parent, names) {
            Ok(enabled) => return Ok(vec![enabled]),
            Err(error) if wished.is_empty() => return Err(error),
            Err(_) => {}
        }
        let mut done = Vec::new();
        if !needed.is_empty() {
            done.push(self.enable_below(parent, &needed)?);
        }
        done.extend(wished.iter().filter_map(|name| self.enable_below(parent, &[name]).ok()));
        Ok(done)
    }

    /// Enables `names` for the children of `parent` in one write: the kernel takes all or none.
    fn enable_below(&self, parent: Option<&CgroupPath>, names: &[&str]) -> Result<Enabled, CgroupError> {
        let words: Vec<String> = names.iter().map(|name| format!("+{name}")).collect();
        let (path, controllers) = (shown(parent).to_owned(), words.join(" "));
        match self.level(parent)?.write("cgroup.subtree_control", &controllers) {
            Ok(()) => Ok(Enabled { path, controllers }),
            Err(Errno::BUSY) => Err(CgroupError::InternalProcesses { path, controllers }),
            Err(errno) => Err(CgroupError::Write {
                path,
                file: "cgroup.subtree_control".to_owned(),
                value: controllers,
                at: None,
                source: errno.into(),
            }),
        }
    }
}

fn shown(level: Option<&CgroupPath>) -> &str {
    level.map_or("/", |path| path.as_str())
}

fn words(list: &str) -> std::str::SplitWhitespace<'_> {
    list.split_whitespace()
}

fn read(directory: &Directory, path: &str, file: &str) -> Result<String, CgroupError> {
    directory.read(file).map_err(|errno| CgroupError::Read {
        path: path.to_owned(),
        file: file.to_owned(),
        source: errno.into(),
    })
}

/// What the top of the mounted hierarchy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Top {
    Machine,
    Namespace,
}

/// Why the top of the hierarchy lacks `controller`, from the text of /proc/cgroups (cgroups(7)).
fn why_absent(controller: &str, table: &str, top: Top) -> String {
    // v1 has another name for io; the table shows the names of v1.
    let v1_name = if controller == "io" { "blkio" } else { controller };
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|row| row.first() == Some(&v1_name));
    match row.as_deref() {
        Some([_, "0", _, "0"]) => {
            format!("the kernel was started without it (cgroup_disable={v1_name})")
        }
        Some([_, hierarchy, ..]) if *hierarchy != "0" => {
            let built = if cfg!(feature = "cgroup-v1") {
                ""
            } else {
                ", and this crate-run was built without cgroup-v1"
            };
            format!("it is bound to cgroup v1 as {v1_name} (hierarchy {hierarchy} in /proc/cgroups){built}")
        }
        _ if top == Top::Namespace => {
            "the cgroup that holds this cgroup namespace does not give it to its children".to_owned()
        }
        _ => "this kernel does not have it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
                         cpu\t1\t1\t1\nblkio\t7\t1\t1\nmemory\t0\t5\t0\nhugetlb\t0\t1\t1\n";

    #[test]
    fn the_reason_for_an_absent_controller_is_looked_up() {
        let why = |name| why_absent(name, TABLE, Top::Machine);
        assert!(why("cpu").contains("bound to cgroup v1 as cpu (hierarchy 1"));
        assert!(why("io").contains("bound to cgroup v1 as blkio (hierarchy 7"));
        assert!(why("memory").contains("cgroup_disable=memory"));
        assert!(why("rdma").contains("does not have it"));
        assert!(why_absent("hugetlb", TABLE, Top::Namespace).contains("cgroup namespace"));
        assert!(why_absent("memory", "", Top::Machine).contains("does not have it"));
    }
}
