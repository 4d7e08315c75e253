//! Where the container's cgroup lies: `linux.cgroupsPath`, checked and made absolute.
//!
//! OCI (config-linux.md, "Cgroups Path"): an absolute path is taken from the cgroup mount, a relative one
//! from a place that the runtime chooses, and the same value must always give the same place. We choose what
//! runc chose: the *parent* of the runtime's own cgroup. The own cgroup will not do, because it holds the
//! runtime itself, and a cgroup with processes cannot give controllers to its children. Without a value the
//! container gets that place and its id.
//!
//! A `..` is refused rather than resolved: with it a path could leave every parent that an engine put the
//! container under. The kernel itself refuses a newline in a name, and everything called `cgroup.*` could
//! hide a control file.
//!
//! The systemd form `slice:prefix:name` is not for this driver.
//!
//! Man page: cgroups(7), "/proc files". Kernel: cgroup-v2.rst, "Organizing Processes and Threads".

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bundle::finding::{Finding, Pointer};

/// NAME_MAX of limits.h, in bytes.
const LONGEST_NAME: usize = 255;
/// PATH_MAX of limits.h, in bytes, with the zero byte at the end.
const LONGEST_PATH: usize = 4096;

/// A cgroup below the root of the hierarchy: `/a/b`, as /proc/PID/cgroup shows it.
///
/// At least one component; none of them empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CgroupPath(String);

impl CgroupPath {
    /// The place for the container `id` whose config.json says `cgroups_path` (empty when it says nothing).
    ///
    /// `own` is the cgroup of the runtime as /proc/self/cgroup shows it (`Hierarchy::own_cgroup`).
    pub fn resolve(cgroups_path: &str, id: &str, own: &str) -> Result<Self, Vec<Finding>> {
        if cgroups_path.starts_with('/') {
            return Self::absolute(cgroups_path);
        }
        let parent = own.rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent.split('/').any(|name| name == "..") {
            let message = format!("the runtime's own cgroup {own} lies outside its cgroup namespace");
            return Err(vec![Finding::error(place(), message).cure("give an absolute cgroupsPath")]);
        }
        if let Some(finding) = nameless(cgroups_path) {
            return Err(vec![finding]);
        }
        let relative = if cgroups_path.is_empty() { id } else { cgroups_path };
        Self::absolute(&format!("{parent}/{relative}"))
    }

    /// A path that starts at the root of the hierarchy, such as one from a state file.
    pub fn absolute(text: &str) -> Result<Self, Vec<Finding>> {
        let mut faults = faults(text);
        if !text.starts_with('/') {
            faults.push(Finding::error(place(), format!("cgroup path {text:?} does not start with a slash")));
        }
        let path: String = components(text).map(|name| format!("/{name}")).collect();
        if path.is_empty() {
            let message = "the root cgroup holds the whole machine and cannot be limited";
            faults.push(
                Finding::error(place(), message).cure("name a cgroup below it, such as /containers/web"),
            );
        }
        if faults.is_empty() { Ok(Self(path)) } else { Err(faults) }
    }

    /// The cgroup `relative` below this one: `exec --cgroup`, or a cgroup that the container made.
    pub fn below(&self, relative: &str) -> Result<Self, Vec<Finding>> {
        Self::absolute(&format!("{}/{relative}", self.0))
    }

    /// The cgroup above, or `None` when that is the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => Some(Self(parent.to_owned())),
            _ => None,
        }
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// This cgroup and all above it but the root, outermost first.
    pub fn levels(&self) -> Vec<Self> {
        let mut levels: Vec<Self> = std::iter::successors(Some(self.clone()), |path| path.parent()).collect();
        levels.reverse();
        levels
    }

    /// `/a/b`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `a/b`, for a system call that starts at the mount.
    pub(super) fn relative(&self) -> &str {
        &self.0[1..]
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CgroupPath> for String {
    fn from(path: CgroupPath) -> Self {
        path.0
    }
}

impl TryFrom<String> for CgroupPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::absolute(&text).map_err(|found| found.into_iter().map(|finding| finding.message).collect())
    }
}

fn place() -> Pointer {
    Pointer::from("/linux/cgroupsPath")
}

/// The names in a path; empty ones and `.` mean nothing, as everywhere on Unix.
fn components(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|name| !name.is_empty() && *name != ".")
}

/// What is wrong or suspicious about `linux.cgroupsPath`, for the driver that writes to the cgroup mount.
pub fn findings(cgroups_path: &str) -> Vec<Finding> {
    let mut list = faults(cgroups_path);
    if cgroups_path.starts_with('/') && components(cgroups_path).next().is_none() {
        list.extend(CgroupPath::absolute(cgroups_path).err().unwrap_or_default());
    }
    list.extend(nameless(cgroups_path));
    if !cgroups_path.starts_with('/') && cgroups_path.matches(':').count() == 2 {
        let message =
            format!("{cgroups_path:?} looks like slice:prefix:name, and is taken as a directory name");
        list.push(Finding::warning(place(), message).cure("use --systemd-cgroup"));
    }
    list
}

/// A relative path without a name is the parent itself, in which others live.
fn nameless(relative: &str) -> Option<Finding> {
    let names_nothing =
        !relative.is_empty() && !relative.starts_with('/') && components(relative).next().is_none();
    names_nothing.then(|| {
        let message = format!("the relative cgroup path {relative:?} names no cgroup");
        Finding::error(place(), message).cure("name one, such as web, or leave it out")
    })
}

fn faults(text: &str) -> Vec<Finding> {
    let mut list: Vec<Finding> = components(text)
        .filter_map(fault)
        .map(|message| Finding::error(place(), message).cure("name a place such as /containers/web"))
        .collect();
    if text.len() >= LONGEST_PATH {
        let message = format!("a cgroup path of {} bytes is longer than the kernel takes", text.len());
        list.push(Finding::error(place(), message));
    }
    list
}

/// Why the kernel, or prudence, refuses `name` as the name of a cgroup.
fn fault(name: &str) -> Option<String> {
    if name == ".." {
        return Some("\"..\" in a cgroup path could lead out of the parent cgroup".to_owned());
    }
    if name.contains(['\0', '\n']) {
        return Some(format!("the cgroup name {name:?} holds a zero byte or a newline"));
    }
    if name.len() > LONGEST_NAME {
        return Some(format!("a cgroup name of {} bytes is longer than {LONGEST_NAME}", name.len()));
    }
    name.starts_with("cgroup.").then(|| format!("the cgroup name {name:?} is reserved for control files"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::finding::Severity;

    fn resolved(cgroups_path: &str, own: &str) -> Option<String> {
        CgroupPath::resolve(cgroups_path, "web", own).ok().map(|path| path.as_str().to_owned())
    }

    #[test]
    fn absolute_relative_and_missing_paths_have_one_place_each() {
        assert_eq!(resolved("/docker/x", "/user/shell").as_deref(), Some("/docker/x"));
        assert_eq!(resolved("docker/x", "/user/shell").as_deref(), Some("/user/docker/x"));
        assert_eq!(resolved("", "/user/shell").as_deref(), Some("/user/web"));
        assert_eq!(resolved("", "/shell").as_deref(), Some("/web"));
        assert_eq!(resolved("", "/").as_deref(), Some("/web"));
        assert_eq!(resolved("x", "/").as_deref(), Some("/x"));
    }

    #[test]
    fn superfluous_slashes_and_dots_mean_nothing() {
        assert_eq!(resolved("//docker///x/", "/").as_deref(), Some("/docker/x"));
        assert_eq!(resolved("./x", "/a/b").as_deref(), Some("/a/x"));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let long_name = "n".repeat(256);
        let long_path = "/n".repeat(2048);
        for bad in [
            "../../x",
            "/a/../../b",
            "..",
            "/a/..",
            "/",
            "//",
            "/.",
            ".",
            "./.",
            "a\0b",
            "/a\nb",
            "/cgroup.procs",
        ] {
            assert_eq!(resolved(bad, "/u/s"), None, "{bad:?}");
            assert!(findings(bad).iter().any(|finding| finding.severity == Severity::Error), "{bad:?}");
        }
        for bad in [long_name, long_path] {
            assert_eq!(resolved(&bad, "/u/s"), None);
            assert!(!findings(&bad).is_empty());
        }
        assert_eq!(resolved("", "/../other/shell"), None, "own cgroup outside of the namespace");
        assert_eq!(resolved("/x", "/../other/shell").as_deref(), Some("/x"));
    }

    #[test]
    fn a_name_that_only_looks_like_dots_is_a_name() {
        assert_eq!(resolved("/...", "/").as_deref(), Some("/..."));
        assert_eq!(resolved("/a..b", "/").as_deref(), Some("/a..b"));
        assert!(findings("/...").is_empty());
    }

    #[test]
    fn the_systemd_form_is_mentioned() {
        let list = findings("system.slice:docker:web");
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].severity, Severity::Warning);
        assert!(findings("/system.slice:docker:web").is_empty());
    }

    #[test]
    fn levels_go_from_the_outermost_inwards() {
        let path = CgroupPath::absolute("/a/b/c").expect("a good path");
        let levels: Vec<String> = path.levels().iter().map(ToString::to_string).collect();
        assert_eq!(levels, ["/a", "/a/b", "/a/b/c"]);
        assert_eq!(path.name(), "c");
        assert_eq!(path.relative(), "a/b/c");
        assert_eq!(levels[0].as_str(), path.parent().and_then(|p| p.parent()).expect("/a").as_str());
        assert_eq!(CgroupPath::absolute("/a").expect("a good path").parent(), None);
    }

    #[test]
    fn a_path_below_stays_below() {
        let path = CgroupPath::absolute("/a").expect("a good path");
        assert_eq!(path.below("x/y").expect("a good path").as_str(), "/a/x/y");
        assert_eq!(path.below("/x").expect("a good path").as_str(), "/a/x");
        assert!(path.below("../b").is_err());
        assert_eq!(path.below("").expect("itself"), path);
    }

    #[test]
    fn a_stored_path_must_be_absolute() {
        assert!(CgroupPath::absolute("a/b").is_err());
        assert!(CgroupPath::absolute("").is_err());
    }
}
