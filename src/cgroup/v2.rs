//! One cgroup of version 2: made, opened, written to, read.
//!
//! Making it is mkdir(2), once for each level that is missing. What was made is remembered, so that the undo
//! removes exactly that. A cgroup that is there already is accepted only when it is empty and not frozen (OCI
//! config-linux.md, "Cgroups Path": such a check must give an error); otherwise two containers would share
//! limits, killing one would kill the other, and who is born where everything stands still never runs.
//!
//! The descriptor of the directory is the handle for everything: clone3(2) takes it for `CLONE_INTO_CGROUP`,
//! so that the first process is born inside. Writing to `cgroup.procs` later would wait for an RCU grace
//! period, and the process would have run outside for a moment. bpf(2) takes it to attach the device program.
//!
//! Order: make the cgroup, enable controllers above it (`controllers`), write the settings, then clone. The
//! files of a controller appear only when it is enabled.
//!
//! Man pages: cgroups(7), clone(2), mkdirat(2). Kernel: cgroup-v2.rst, "Interface Files".

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::CgroupError;
use super::events::Events;
use super::hierarchy::Hierarchy;
use super::limits::{Optional, Setting};
use super::path::CgroupPath;
use super::v1::{Group, OpenGroup};
use crate::kernfs::Directory;

/// How often a parent may vanish under us before we give up: each time another delete was faster.
const RACES: usize = 8;

/// An open cgroup.
#[derive(Debug)]
pub struct Cgroup {
    pub(super) directory: Directory,
    path: CgroupPath,
    created: Vec<CgroupPath>,
    /// The container's groups in hierarchies of version 1, where controllers are bound to those.
    groups: Vec<OpenGroup>,
}

/// What became of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The value was written to the file that the setting names.
    Written,
    /// The file does not exist, so the other file of the setting was written.
    WrittenElsewhere { file: String },
    /// The file does not exist, and the setting does not need it.
    NotNeeded,
}

impl Cgroup {
    /// Makes the cgroup at `path` with every missing level above it.
    ///
    /// A failure leaves no new level behind. Errors: `InUse` when it exists with processes; `Frozen` when it or
    /// a cgroup above it is; `Directory` when the kernel refuses a level (mkdir(2); EAGAIN: `cgroup.max.depth`
    /// or `.descendants`).
    pub fn create(hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Self, CgroupError> {
        let mut created = Vec::new();
        let made = make_levels(&hierarchy.root, path, &mut created);
        let checked = made.and_then(|directory| {
            let cgroup = Self::opened(directory, path, created.clone());
            cgroup.refuse_for(path).map(|()| cgroup)
        });
        if checked.is_err() {
            hierarchy.remove_empty(&created);
        }
        checked
    }

    /// Opens the cgroup at `path`, or gives `None` when there is none.
    pub fn open(hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Option<Self>, CgroupError> {
        match hierarchy.root.beneath(path.relative()) {
            Ok(directory) => Ok(Some(Self::opened(directory, path, Vec::new()))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(directory_error("open", path, errno)),
        }
    }

    /// Whether [`Cgroup::create`] would accept `path`, for a cgroup that somebody else makes. Errors: as there.
    pub fn acceptable(hierarchy: &Hierarchy, path: &CgroupPath) -> Result<(), CgroupError> {
        for level in path.levels().iter().rev() {
            if let Some(nearest) = Self::open(hierarchy, level)? {
                return nearest.refuse_for(path);
            }
        }
        Ok(())
    }

    fn opened(directory: Directory, path: &CgroupPath, created: Vec<CgroupPath>) -> Self {
        Self { directory, path: path.clone(), created, groups: Vec::new() }
    }

    /// Adds the container's group in a hierarchy of version 1: files of its controllers are there from now on.
    pub fn add(&mut self, group: OpenGroup) {
        self.groups.push(group);
    }

    /// The groups that were added.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().map(|open| &open.group)
    }

    /// Where `file` lies: here, or in the group of its controller. Pressure is told here only, for every
    /// resource.
    fn home_of(&self, file: &str) -> &Self {
        if file.ends_with(".pressure") {
            return self;
        }
        let controller = file.split('.').next().unwrap_or_default();
        let group = self.groups.iter().find(|open| open.group.has(controller));
        group.map_or(self, |open| &open.cgroup)
    }

    /// Its place below the mount.
    pub fn path(&self) -> &CgroupPath {
        &self.path
    }

    /// The levels that `create` made, outermost first: what the undo has to remove.
    pub fn created(&self) -> &[CgroupPath] {
        &self.created
    }

    /// Writes one setting, or its alternative where the kernel does not have the file.
    pub fn apply(&self, setting: &Setting) -> Result<Applied, CgroupError> {
        let error = match self.write_file(&setting.file, &setting.value) {
            Ok(()) => return Ok(Applied::Written),
            Err(error) => error,
        };
        let file_is_missing = error.errno() == Some(Errno::NOENT.raw_os_error());
        match &setting.optional {
            Optional::IfPresent if file_is_missing => Ok(Applied::NotNeeded),
            Optional::OrElse { file, value } if file_is_missing => self
                .write_file(file, value)
                .map(|()| Applied::WrittenElsewhere { file: file.clone() })
                .map_err(|error| error.asked_at(&setting.at)),
            _ => Err(error.asked_at(&setting.at)),
        }
    }

    /// Writes `value` to `file`, a name without a slash, in one write(2).
    pub fn write_file(&self, file: &str, value: &str) -> Result<(), CgroupError> {
        let home = self.home_of(file);
        home.directory.write(file, value).map_err(|errno| CgroupError::Write {
            path: home.path.to_string(),
            file: file.to_owned(),
            value: value.to_owned(),
            at: None,
            source: errno.into(),
        })
    }

    /// The content of `file`, a name without a slash; `None` where that file does not exist.
    pub fn read_file(&self, file: &str) -> Result<Option<String>, CgroupError> {
        let home = self.home_of(file);
        match home.directory.read(file) {
            Ok(content) => Ok(Some(content)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(home.unreadable(file, errno)),
        }
    }

    /// Opens `file`, a name without a slash; `None` where it does not exist, or the cgroup no longer does.
    pub fn open_file(&self, file: &str, access: OFlags) -> Result<Option<OwnedFd>, CgroupError> {
        let home = self.home_of(file);
        match home.directory.file(file, access) {
            Ok(opened) => Ok(Some(opened)),
            Err(Errno::NOENT | Errno::NODEV) => Ok(None),
            Err(errno) => Err(home.unreadable(file, errno)),
        }
    }

    /// How much memory and how much swap is in use, in bytes; 0 for what this kernel does not count.
    pub fn memory_in_use(&self) -> Result<(u64, u64), CgroupError> {
        let bytes = |file| -> Result<u64, CgroupError> {
            Ok(self.read_file(file)?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
        };
        if self.groups().any(|group| group.has("memory")) {
            let (memory, both) = (bytes("memory.usage_in_bytes")?, bytes("memory.memsw.usage_in_bytes")?);
            return Ok((memory, both.saturating_sub(memory)));
        }
        Ok((bytes("memory.current")?, bytes("memory.swap.current")?))
    }

    /// Why clone3(2) with `CLONE_INTO_CGROUP` failed with `errno`, when the cgroup is the reason (clone(2)).
    pub fn why_not_born(&self, errno: i32) -> Option<String> {
        const REASONS: [(Errno, &str); 5] = [
            (Errno::BUSY, "it gives controllers to child cgroups, and so may hold no process of its own"),
            (Errno::OPNOTSUPP, "its cgroup.type is \"domain invalid\": a cgroup above it is threaded"),
            (Errno::AGAIN, "pids.max of it, or of a cgroup above it, is reached"),
            (Errno::ACCESS, "cgroup.procs of the nearest common parent is not writable for this user"),
            (Errno::NODEV, "it was removed in the meantime"),
        ];
        let (_, reason) = REASONS.iter().find(|(known, _)| known.raw_os_error() == errno)?;
        Some(format!("no process can be born into cgroup {}: {reason}", self.path))
    }

    /// A cgroup below a frozen one is frozen from its beginning.
    fn refuse_for(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        let Events { populated, frozen } = self.events()?;
        match (populated && self.path == *path, frozen) {
            (true, _) => Err(CgroupError::InUse { path: self.path.to_string() }),
            (false, true) => Err(CgroupError::Frozen { path: self.path.to_string() }),
            (false, false) => Ok(()),
        }
    }

    pub(crate) fn unreadable(&self, file: &str, errno: Errno) -> CgroupError {
        CgroupError::Read { path: self.path.to_string(), file: file.to_owned(), source: errno.into() }
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

pub(super) fn directory_error(action: &'static str, path: &CgroupPath, errno: Errno) -> CgroupError {
    CgroupError::Directory { action, path: path.to_string(), source: errno.into() }
}

/// Opens `path`, making what is missing and noting it in `created`.
fn make_levels(
    root: &Directory,
    path: &CgroupPath,
    created: &mut Vec<CgroupPath>,
) -> Result<Directory, CgroupError> {
    for _ in 0..RACES {
        match try_make_levels(root, path, created) {
            // A parent was removed between two of our calls: begin again at the root.
            Err((_, Errno::NOENT | Errno::NODEV)) => {}
            Err((level, errno)) => return Err(directory_error("create", &level, errno)),
            Ok(directory) => return Ok(directory),
        }
    }
    Err(directory_error("create", path, Errno::NOENT))
}

fn try_make_levels(
    root: &Directory,
    path: &CgroupPath,
    created: &mut Vec<CgroupPath>,
) -> Result<Directory, (CgroupPath, Errno)> {
    let (mut directory, missing) = deepest_existing(root, path)?;
    for level in missing {
        match directory.make(level.name()) {
            Ok(()) if !created.contains(&level) => created.push(level.clone()),
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err((level, errno)),
        }
        directory = directory.beneath(level.name()).map_err(|errno| (level, errno))?;
    }
    Ok(directory)
}

/// The innermost cgroup above `path` that exists, and the levels below it, outermost first. The last level is
/// always among them: mkdir(2) is the one call that tells surely whether it is new.
fn deepest_existing(
    root: &Directory,
    path: &CgroupPath,
) -> Result<(Directory, Vec<CgroupPath>), (CgroupPath, Errno)> {
    let mut missing = vec![path.clone()];
    let mut above = path.parent();
    loop {
        let relative = above.as_ref().map_or("", |above| above.relative());
        match (root.beneath(relative), above) {
            (Ok(directory), _) => {
                missing.reverse();
                return Ok((directory, missing));
            }
            (Err(Errno::NOENT), Some(level)) => {
                above = level.parent();
                missing.push(level);
            }
            (Err(errno), level) => return Err((level.unwrap_or_else(|| path.clone()), errno)),
        }
    }
}
