//! Taking a cgroup down: bottom-up, ours only, and never by moving processes somewhere else.
//!
//! Kernel: rmdir(2) removes a cgroup that has neither processes nor children, and gives EBUSY otherwise. The
//! control files need no removal. A container with a writable cgroup mount may have made cgroups inside its
//! own; they go first.
//!
//! A process that is still there is not moved to the root cgroup, where it would run without any limit; it is
//! for the caller to kill it. Here we wait, with a deadline, for those that are dying.
//!
//! A hostile container can nest cgroups some thousand levels deep. With one descriptor for each level we
//! would run out of them, so the walk goes down a fixed number of levels at a time and then starts anew from
//! there.
//!
//! OCI (runtime.md, "Delete"): what create made must be removed, and what it did not make must stay.
//!
//! Man pages: cgroups(7), "Removing cgroups"; rmdir(2).

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::CgroupError;
use super::events::{LATECOMERS, wait_for_change};
use super::hierarchy::Hierarchy;
use super::path::CgroupPath;
use super::v2::{Cgroup, directory_error};
use crate::kernfs::{Directory, read_whole};

/// How many levels, and so descriptors, one walk takes.
pub(super) const LEVELS: usize = 64;

/// The longest sleep while rmdir(2) says EBUSY; a change of `cgroup.events` ends it sooner.
const PAUSE: Duration = Duration::from_millis(5);

impl Hierarchy {
    /// Removes the cgroup `path` and everything below it, waiting until `deadline` for dying processes.
    ///
    /// A cgroup that is not there is a success. Errors: `Deadline` while processes live in it, `Directory`.
    pub fn remove(&self, path: &CgroupPath, deadline: Instant) -> Result<(), CgroupError> {
        let failed = |errno| directory_error("remove", path, errno);
        let above = path.parent();
        let parent = match self.root.beneath(above.as_ref().map_or("", |above| above.relative())) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(failed)?,
        };
        loop {
            match parent.remove(path.name()) {
                Ok(()) | Err(Errno::NOENT | Errno::NODEV) => return Ok(()),
                Err(Errno::BUSY) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let directory = match parent.beneath(path.name()) {
                Err(Errno::NOENT | Errno::NODEV) => return Ok(()),
                other => other.map_err(failed)?,
            };
            if remove_children(&directory).map_err(failed)? == Cleared::Nothing {
                pause(&directory).map_err(failed)?;
            }
            if Instant::now() >= deadline {
                return Err(CgroupError::Deadline { path: path.to_string(), awaited: "become empty" });
            }
        }
    }

    /// The same with everybody who lives in it, and comes in meanwhile: they are killed.
    pub fn clear(&self, path: &CgroupPath, deadline: Instant) -> Result<(), CgroupError> {
        loop {
            let Some(cgroup) = Cgroup::open(self, path)? else { return Ok(()) };
            cgroup.kill(deadline)?;
            match self.remove(path, deadline.min(Instant::now() + LATECOMERS)) {
                Err(CgroupError::Deadline { .. }) if Instant::now() < deadline => {}
                other => return other,
            }
        }
    }

    /// Removes the empty ones of `created`, which come outermost first as from `Cgroup::created`.
    ///
    /// Gives the ones that stay: another container has moved into them, so they are no longer ours alone.
    pub fn remove_empty(&self, created: &[CgroupPath]) -> Vec<CgroupPath> {
        let mut left = Vec::new();
        for path in created.iter().rev() {
            let above = path.parent();
            let parent = self.root.beneath(above.as_ref().map_or("", |above| above.relative()));
            match parent.and_then(|parent| parent.remove(path.name())) {
                Ok(()) | Err(Errno::NOENT | Errno::NODEV) => {}
                Err(_) => left.push(path.clone()),
            }
        }
        left
    }
}

/// Whether a walk removed anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cleared {
    Nothing,
    Something,
}

/// What one walk found at its end.
enum Walk {
    /// Every child was visited; what could be removed is removed.
    Done(Cleared),
    /// This cgroup lies at the last level that a walk takes and has children of its own.
    Deeper(Directory),
}

/// Removes every cgroup below `top` that has no process, however deep.
fn remove_children(top: &Directory) -> Result<Cleared, Errno> {
    let mut deeper: Option<Directory> = None;
    let mut cleared = Cleared::Nothing;
    loop {
        match walk(deeper.as_ref().unwrap_or(top), LEVELS)? {
            Walk::Deeper(directory) => deeper = Some(directory),
            // Nothing could be removed down there: it is populated, and so is everything above it.
            Walk::Done(Cleared::Nothing) => return Ok(cleared),
            Walk::Done(Cleared::Something) if deeper.is_none() => return Ok(Cleared::Something),
            Walk::Done(Cleared::Something) => {
                cleared = Cleared::Something;
                deeper = None;
            }
        }
    }
}

fn walk(directory: &Directory, levels: usize) -> Result<Walk, Errno> {
    let mut cleared = Cleared::Nothing;
    for name in directory.children()? {
        if remove_leaf(directory, &name, &mut cleared)? {
            continue;
        }
        let child = match directory.beneath(&name) {
            Err(Errno::NOENT | Errno::NODEV) => continue,
            other => other?,
        };
        if levels == 0 {
            return Ok(Walk::Deeper(child));
        }
        match walk(&child, levels - 1)? {
            Walk::Done(Cleared::Nothing) => {}
            Walk::Done(Cleared::Something) => {
                cleared = Cleared::Something;
                remove_leaf(directory, &name, &mut cleared)?;
            }
            deeper => return Ok(deeper),
        }
    }
    Ok(Walk::Done(cleared))
}

/// Removes the child `name` unless it is busy; true when it is gone.
fn remove_leaf(directory: &Directory, name: &OsStr, cleared: &mut Cleared) -> Result<bool, Errno> {
    match directory.remove(name) {
        Ok(()) => *cleared = Cleared::Something,
        Err(Errno::NOENT | Errno::NODEV) => {}
        Err(Errno::BUSY) => return Ok(false),
        Err(errno) => return Err(errno),
    }
    Ok(true)
}

/// Waits a moment, and less when the cgroup changes.
fn pause(directory: &Directory) -> Result<(), Errno> {
    let file = match directory.file("cgroup.events", OFlags::RDONLY) {
        // A group of version 1 has no such file; one that was removed meanwhile has none either.
        Err(Errno::NOENT | Errno::NODEV) => {
            std::thread::sleep(PAUSE);
            return Ok(());
        }
        other => other?,
    };
    // poll(2) reports only what changed since the last read.
    match read_whole(file.as_fd()) {
        Err(Errno::NODEV) => Ok(()),
        Err(errno) => Err(errno),
        Ok(_) => wait_for_change(&file, PAUSE),
    }
}
