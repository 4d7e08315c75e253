//! The tree of groups: found among the mounts, and changed through directory descriptors.
//!
//! Every write to `schemata` is one line with its newline, as the kernel demands; when it refuses one,
//! `info/last_cmd_status` says why in words. What a removed group held falls back to the group above.
//!
//! Kernel: resctrl.rst, "Resource alloc and monitor groups".

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::schema;
use crate::error::plain;
use crate::kernfs::Directory;

/// The mount point of the resctrl file system in the runtime's mount namespace, if there is one
/// (proc_pid_mountinfo(5)). A bind mount of a part of it does not count.
pub fn find() -> Option<PathBuf> {
    find_in(&std::fs::read_to_string("/proc/self/mountinfo").ok()?)
}

fn find_in(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let is_whole = fields.next() == Some("/");
        let place = fields.next()?;
        (is_whole && filesystem.split(' ').next() == Some("resctrl")).then(|| unescaped(place))
    })
}

/// A path of mountinfo as it is: a space, tab, newline or backslash stands there as a backslash and three
/// octal digits.
pub fn unescaped(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// A group as a path below the mount: `web`, `web/mon_groups/web`; empty for the root group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(String);

impl Group {
    /// The group in which everything is that is in no other.
    pub fn root() -> Self {
        Self(String::new())
    }

    /// The class `name`, a single name.
    pub fn class(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The group of this class that counts what the container `id` does.
    pub fn monitoring(&self, id: &str) -> Self {
        Self(if self.is_root() { format!("mon_groups/{id}") } else { format!("{}/mon_groups/{id}", self.0) })
    }

    /// A group from a record: `None` if that is no path that we write.
    pub fn recorded(path: &str) -> Option<Self> {
        let is_plain = |name: &str| !matches!(name, "" | "." | "..");
        path.split('/').all(is_plain).then(|| Self(path.to_owned()))
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Does it count only?
    pub fn is_monitoring(&self) -> bool {
        let (parent, _) = self.parent_and_name();
        parent == "mon_groups" || parent.ends_with("/mon_groups")
    }

    /// The path below the mount.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parent_and_name(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "/" } else { &self.0 })
    }
}

/// What became of a group that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    New,
    Found,
}

/// A failure of the driver.
#[derive(Debug, thiserror::Error)]
pub enum ResctrlError {
    #[error("no resctrl file system is mounted")]
    NotMounted,
    /// A call on a group; `status` is what info/last_cmd_status says.
    #[error("cannot {action} the resctrl group {group}: {}{}", plain(source), in_words(status))]
    Call { action: &'static str, group: Group, status: String, source: io::Error },
    /// There is no such group, and nothing says what it should be.
    #[error("there is no resctrl group {group}")]
    Missing { group: Group },
    /// The group is there, and is another one than is asked for.
    #[error("the resctrl group {group} exists, and {asked} is asked for, but {has}")]
    Differs { group: Group, asked: String, has: schema::Difference },
    /// A monitoring group belongs to one container.
    #[error("the resctrl group {group} exists already")]
    Exists { group: Group },
}

fn in_words(status: &str) -> String {
    if status.is_empty() { String::new() } else { format!(" ({status})") }
}

impl ResctrlError {
    /// What usually mends it, as a sentence without a full stop.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::NotMounted => NOT_MOUNTED_CURE,
            Self::Call { source, .. } => match Errno::from_io_error(source) {
                Some(Errno::NOSPC) => {
                    "the processor has no class or counter left (info/*/num_closids, num_rmids): remove a group"
                }
                Some(Errno::INVAL | Errno::NODEV | Errno::OVERFLOW) => {
                    "compare the line with the schemata file of the root group, and with info/"
                }
                Some(Errno::NOENT) => "this processor does not offer that (see info/ of resctrl)",
                _ => "",
            },
            Self::Missing { .. } => "make the group first, or say in schemata what it is to be",
            Self::Differs { .. } => "name another closID, or ask for what the group has",
            Self::Exists { .. } => "delete the container that uses it, or remove the group",
        }
    }
}

/// What mends a machine without resctrl.
pub const NOT_MOUNTED_CURE: &str =
    "mount -t resctrl resctrl /sys/fs/resctrl; the processor and the kernel must offer it";

/// The mounted tree.
#[derive(Debug)]
pub struct Tree {
    root: Directory,
}

impl Tree {
    /// The tree of this machine. Errors: `NotMounted`.
    pub fn find() -> Result<Self, ResctrlError> {
        Self::at(&find().ok_or(ResctrlError::NotMounted)?)
    }

    /// The tree at this mount point.
    pub fn at(place: &Path) -> Result<Self, ResctrlError> {
        let failed = |errno: Errno| ResctrlError::Call {
            action: "open",
            group: Group::root(),
            status: String::new(),
            source: errno.into(),
        };
        Directory::open(place).map(|root| Self { root }).map_err(failed)
    }

    fn failed<'a>(&'a self, action: &'static str, group: &'a Group) -> impl Fn(Errno) -> ResctrlError + 'a {
        move |errno| {
            let status = self.root.beneath("info").and_then(|info| info.read("last_cmd_status"));
            let status = status.unwrap_or_default().trim().to_owned();
            let status = if status == "ok" { String::new() } else { status };
            ResctrlError::Call { action, group: group.clone(), status, source: errno.into() }
        }
    }

    /// Is the group there?
    pub fn has(&self, group: &Group) -> Result<bool, ResctrlError> {
        match self.root.beneath(&group.0) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed("open", group)(errno)),
        }
    }

    /// Makes the group, unless it is there.
    pub fn make(&self, group: &Group) -> Result<Made, ResctrlError> {
        if group.is_root() {
            return Ok(Made::Found);
        }
        let (parent, name) = group.parent_and_name();
        match self.root.beneath(parent).and_then(|parent| parent.make(name)) {
            Ok(()) => Ok(Made::New),
            Err(Errno::EXIST) => Ok(Made::Found),
            Err(errno) => Err(self.failed("make", group)(errno)),
        }
    }

    /// Does the group have what these lines say? Errors: `Differs`.
    pub fn compare(&self, group: &Group, lines: &[String]) -> Result<(), ResctrlError> {
        let failed = self.failed("read", group);
        let schemata =
            self.root.beneath(&group.0).and_then(|group| group.read("schemata")).map_err(failed)?;
        let step = self.root.beneath("info/MB").and_then(|info| info.read("bandwidth_gran"));
        let step = step.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1);
        for asked in lines {
            if let Some(has) = schema::difference(asked, &schemata, step) {
                return Err(ResctrlError::Differs { group: group.clone(), asked: asked.clone(), has });
            }
        }
        Ok(())
    }

    /// What the group has now for the resource of this line; `None` if it has no line for it.
    pub fn line(&self, group: &Group, like: &str) -> Result<Option<String>, ResctrlError> {
        let read = self.root.beneath(&group.0).and_then(|it| it.read("schemata"));
        Ok(schema::line_for(like, &read.map_err(self.failed("read", group))?))
    }

    /// Writes one line of `schemata`.
    pub fn write_line(&self, group: &Group, line: &str) -> Result<(), ResctrlError> {
        let written = self.root.beneath(&group.0).and_then(|it| it.write("schemata", &format!("{line}\n")));
        written.map_err(self.failed("write the schemata of", group))
    }

    /// What the file `name` in a directory below the mount says; empty where it is not there.
    pub fn text(&self, directory: &str, name: &str) -> String {
        self.root.beneath(directory).and_then(|it| it.read(name)).unwrap_or_default()
    }

    /// The directories in a directory below the mount, by name; none where it is not there.
    pub fn directories(&self, directory: &str) -> Vec<String> {
        let names = self.root.beneath(directory).and_then(|it| it.children()).unwrap_or_default();
        let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        names
    }

    /// Moves the process `pid`, as the caller numbers it, and later its children, into the group.
    pub fn join(&self, group: &Group, pid: i32) -> Result<(), ResctrlError> {
        let written = self.root.beneath(&group.0).and_then(|it| it.write("tasks", &format!("{pid}\n")));
        written.map_err(self.failed("move the process into", group))
    }

    /// Removes the group; one that is not there is a success.
    pub fn remove(&self, group: &Group) -> Result<(), ResctrlError> {
        let (parent, name) = group.parent_and_name();
        match self.root.beneath(parent).and_then(|parent| parent.remove(name)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("remove", group)(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_by_its_type() {
        let mountinfo = "\
            25 1 0:23 / /sys rw - sysfs sysfs rw\n\
            40 25 0:40 / /tmp/resctrl rw - tmpfs resctrl rw\n\
            41 25 0:41 /web /tmp/part rw - resctrl resctrl rw\n\
            42 25 0:41 / /a\\040b rw,nosuid shared:1 - resctrl resctrl rw\n";
        assert_eq!(find_in(mountinfo), Some("/a b".into()));
        assert_eq!(find_in("25 1 0:23 / /sys rw - sysfs resctrl rw\n"), None);
        assert_eq!(find_in("nonsense\n\n - resctrl"), None);
    }

    #[test]
    fn groups_have_a_place_below_the_mount() {
        assert_eq!(Group::root().monitoring("a").as_str(), "mon_groups/a");
        let monitoring = Group::class("web").monitoring("a");
        assert_eq!(monitoring.parent_and_name(), ("web/mon_groups", "a"));
        assert_eq!(Group::class("web").parent_and_name(), ("", "web"));
        assert_eq!(Group::recorded("web/mon_groups/a"), Some(monitoring));
        for bad in ["", "/web", "a//b", "a/../b", ".", "a/"] {
            assert_eq!(Group::recorded(bad), None, "{bad:?}");
        }
    }
}
