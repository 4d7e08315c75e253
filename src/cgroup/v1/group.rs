//! The container's group in one hierarchy of version 1: made, joined, removed.
//!
//! A hierarchy of version 1 is a tree of directories like that of version 2, so it is walked, made and removed
//! by the same code. What is different: a process is moved into a group when it is there already, and a new
//! cpuset holds no processor and no memory node, so that nothing can join it before it has both.
//!
//! A group is removed by rmdir(2), again and again until the dead have left it, and only a level that was made
//! for the container. No process is ever moved out of one: it would go on without limits.
//!
//! Man pages: cgroups(7), "Creating cgroups and moving processes"; cpuset(7), "Restrictions".
//! Kernel: admin-guide/cgroup-v1/cgroups.rst, cpusets.rst.

use std::path::PathBuf;
use std::time::Instant;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::error::CgroupError;
use super::super::hierarchy::Hierarchy;
use super::super::path::CgroupPath;
use super::super::v2::{Cgroup, directory_error};
use crate::bundle::finding::Finding;

/// A mounted hierarchy of version 1, and where in it the runtime stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The mount point.
    pub place: PathBuf,
    /// What is bound to it: controllers, or a name such as `name=systemd`.
    pub controllers: Vec<String>,
    /// The group of the runtime, as a path below the mount point.
    pub own: String,
}

impl Bound {
    /// The group of the container `id` whose config.json says `cgroups_path` (empty when it says nothing).
    ///
    /// A relative path begins in the runtime's own group: version 1 lets a group have processes and children at
    /// once, and so the container cannot leave a limit that holds for the runtime.
    pub fn group(&self, cgroups_path: &str, id: &str) -> Result<Group, Vec<Finding>> {
        let path = match cgroups_path {
            absolute if absolute.starts_with('/') => CgroupPath::absolute(absolute)?,
            "" => CgroupPath::absolute(&format!("{}/{id}", self.own))?,
            relative => CgroupPath::absolute(&format!("{}/{relative}", self.own))?,
        };
        Ok(Group { place: self.place.clone(), controllers: self.controllers.clone(), path, made: Vec::new() })
    }
}

/// The container's group in one hierarchy. It is kept in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where the hierarchy is mounted.
    pub place: PathBuf,
    /// What is bound to it: controllers, or a name such as `name=systemd`.
    pub controllers: Vec<String>,
    pub path: CgroupPath,
    /// The levels of the path that were made for the container, outermost first.
    #[serde(default)]
    pub made: Vec<CgroupPath>,
}

impl Group {
    /// Does this controller belong to the hierarchy?
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// The controllers as the mount table writes them: `cpu,cpuacct`.
    pub fn names(&self) -> String {
        self.controllers.join(",")
    }

    /// The levels of the path that are not there yet.
    pub fn missing(&self) -> Result<Vec<CgroupPath>, CgroupError> {
        let hierarchy = Hierarchy::bound(&self.place)?;
        let mut missing = Vec::new();
        for level in self.path.levels() {
            if Cgroup::open(&hierarchy, &level)?.is_none() {
                missing.push(level);
            }
        }
        Ok(missing)
    }

    /// Makes the group with every missing level above it, ready to be joined. A failure leaves nothing behind.
    ///
    /// Errors: `InUse` when it is there with processes; `Directory`, `Write`.
    pub fn make(&self) -> Result<OpenGroup, CgroupError> {
        let hierarchy = Hierarchy::bound(&self.place)?;
        let cgroup = Cgroup::create(&hierarchy, &self.path)?;
        let ready = match cgroup.created().last() == Some(&self.path) || cgroup.processes()?.is_empty() {
            true if self.has("cpuset") => fill_cpusets(&hierarchy, cgroup.created()),
            true => Ok(()),
            false => Err(CgroupError::InUse { path: self.path.to_string() }),
        };
        if ready.is_err() {
            hierarchy.remove_empty(cgroup.created());
        }
        ready.map(|()| OpenGroup { group: Self { made: cgroup.created().to_vec(), ..self.clone() }, cgroup })
    }

    /// Opens the group, or gives `None` when it is gone.
    pub fn open(&self) -> Result<Option<OpenGroup>, CgroupError> {
        let cgroup = Cgroup::open(&Hierarchy::bound(&self.place)?, &self.path)?;
        Ok(cgroup.map(|cgroup| OpenGroup { group: self.clone(), cgroup }))
    }

    /// Moves a process into the group, with all its threads.
    ///
    /// Errors: `Write`, with ENOSPC where a cpuset is empty, ESRCH when the process has ended.
    pub fn take_in(&self, pid: i32) -> Result<(), CgroupError> {
        let open = self.open()?.ok_or_else(|| directory_error("open", &self.path, Errno::NOENT))?;
        open.cgroup.write_file("cgroup.procs", &pid.to_string())
    }

    /// Removes what was made of it, waiting until `deadline` for dying processes.
    fn remove(&self, deadline: Instant) -> Result<(), CgroupError> {
        let hierarchy = match Hierarchy::bound(&self.place) {
            // A hierarchy that is mounted no more has no groups.
            Err(CgroupError::NoHierarchy { .. }) => return Ok(()),
            other => other?,
        };
        if self.made.contains(&self.path) {
            hierarchy.remove(&self.path, deadline)?;
        }
        hierarchy.remove_empty(&self.made);
        Ok(())
    }
}

/// An open group.
#[derive(Debug)]
pub struct OpenGroup {
    pub group: Group,
    pub(in crate::cgroup) cgroup: Cgroup,
}

/// Removes groups, all that can be. Errors: the first.
pub fn remove(groups: &[Group], deadline: Instant) -> Result<(), CgroupError> {
    let removed: Vec<_> = groups.iter().map(|group| group.remove(deadline)).collect();
    removed.into_iter().collect()
}

/// Gives each of these new levels, outermost first, the processors and memory nodes of the one above.
fn fill_cpusets(hierarchy: &Hierarchy, levels: &[CgroupPath]) -> Result<(), CgroupError> {
    for level in levels {
        let Some(cgroup) = Cgroup::open(hierarchy, level)? else { continue };
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = match level.parent() {
                Some(parent) => Cgroup::open(hierarchy, &parent)?
                    .map(|parent| parent.read_file(file))
                    .transpose()?
                    .flatten(),
                None => hierarchy.read_file(file)?,
            };
            // With cgroup.clone_children the kernel has done it.
            let is_empty = cgroup.read_file(file)?.is_some_and(|text| text.trim().is_empty());
            if let Some(list) = above.filter(|_| is_empty) {
                cgroup.write_file(file, list.trim())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(own: &str, cgroups_path: &str) -> String {
        let bound = Bound {
            place: "/sys/fs/cgroup/memory".into(),
            controllers: vec!["memory".to_owned()],
            own: own.to_owned(),
        };
        bound.group(cgroups_path, "web").expect("a group").path.to_string()
    }

    #[test]
    fn a_relative_path_begins_in_the_runtimes_own_group() {
        assert_eq!(path("/user/shell", ""), "/user/shell/web");
        assert_eq!(path("/user/shell", "pods/a"), "/user/shell/pods/a");
        assert_eq!(path("/user/shell", "/pods/a"), "/pods/a");
        assert_eq!(path("/", ""), "/web");
    }

    #[test]
    fn a_group_is_recorded_and_read_again() {
        let text = r#"{"place":"/c","controllers":["cpu","cpuacct"],"path":"/a/b","made":["/a/b"]}"#;
        let group: Group = serde_json::from_str(text).expect("a group");
        assert!(group.has("cpuacct") && !group.has("cpuset"));
        assert_eq!(group.names(), "cpu,cpuacct");
        assert_eq!(serde_json::to_string(&group).expect("JSON"), text);
        assert!(serde_json::from_str::<Group>(&text.replace("/a/b", "/a/../b")).is_err());
    }
}
