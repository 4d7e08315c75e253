//! Waiting for a cgroup: killed, frozen, thawed. And counting: kills for want of memory.
//!
//! Kernel: `cgroup.events` tells whether any process lives in the cgroup or below it (`populated`) and
//! whether all of them stand still (`frozen`). A change wakes poll(2) with POLLPRI, but only those who have
//! read the file since the last change; so every round reads first and then waits. Writing 1 to `cgroup.kill`
//! (5.14) kills everything in the subtree at once, also what is forking, without a list of processes.
//!
//! A change within 10 ms of the last one is told when these are over, and never if the cgroup is removed by
//! then. So no wait for a change is longer than `UNTOLD`: another command may delete the container.
//!
//! Each wait takes the instant at which to give up. A process in an uninterruptible system call can hold up a
//! kill and a freeze for as long as it likes.
//!
//! OCI (runtime.md, "Kill", "Delete") asks for the effect only; runc and crun look every 10 to 100 ms.
//!
//! Man pages: cgroups(7), "cgroup.events"; poll(2). Kernel: cgroup-v2.rst, "Core Interface Files".

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::CgroupError;
use super::v2::Cgroup;
use crate::kernfs::read_whole;

/// After how long to look again although nothing was told.
pub(super) const UNTOLD: Duration = Duration::from_millis(20);

/// After how long to kill again in a cgroup that has not become empty.
pub(super) const LATECOMERS: Duration = Duration::from_millis(100);

/// The content of `cgroup.events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Processes live in the cgroup or in one below it. Zombies do not count.
    pub populated: bool,
    /// Every process in the subtree stands still.
    pub frozen: bool,
}

/// The content of `memory.events`: how often each thing happened in the subtree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// `memory.max` was about to be exceeded.
    pub max: u64,
    /// The limit was reached and an allocation was about to fail.
    pub oom: u64,
    /// Processes killed by the OOM killer.
    pub oom_kill: u64,
}

impl Cgroup {
    /// Whether processes live in it, and whether they stand still. Neither, if it has been removed meanwhile.
    pub fn events(&self) -> Result<Events, CgroupError> {
        match self.directory.read("cgroup.events") {
            Ok(text) => Ok(parse_events(&text)),
            Err(errno) if is_gone(errno) => Ok(Events::default()),
            Err(errno) => Err(self.unreadable("cgroup.events", errno)),
        }
    }

    /// The counters of the memory controller; `None` when it is not enabled here.
    pub fn memory_events(&self) -> Result<Option<MemoryEvents>, CgroupError> {
        let events = match self.read_file("memory.events")? {
            None => self.read_file("memory.oom_control")?, // version 1, with the same key (Linux 4.13)
            events => events,
        };
        Ok(events.map(|text| parse_memory_events(&text)))
    }

    /// Kills every process in the cgroup and below it, and waits until all are gone or `deadline` has come.
    /// Who comes in meanwhile is killed too: another command may be about to start a program there, which in
    /// a frozen cgroup would stand still for ever.
    ///
    /// Frozen processes die too. An empty cgroup is left alone. Errors: `Deadline`.
    pub fn kill(&self, deadline: Instant) -> Result<(), CgroupError> {
        while self.events()?.populated {
            self.kill_those_there()?;
            match self.wait_until_empty(deadline.min(Instant::now() + LATECOMERS)) {
                Err(CgroupError::Deadline { .. }) if Instant::now() < deadline => {}
                other => return other,
            }
        }
        Ok(())
    }

    fn kill_those_there(&self) -> Result<(), CgroupError> {
        match self.write_file("cgroup.kill", "1") {
            // Somebody else has removed it meanwhile.
            Err(_) if !self.events()?.populated => Ok(()),
            // A threaded cgroup has no processes of its own that could be killed as one (cgroups(7)).
            Err(error) if error.errno() == Some(Errno::OPNOTSUPP.raw_os_error()) => {
                self.signal_all(9).map(drop)
            }
            written => written,
        }
    }

    /// Waits until no process lives in the cgroup or below it.
    pub fn wait_until_empty(&self, deadline: Instant) -> Result<(), CgroupError> {
        self.wait_for("become empty", deadline, |events| !events.populated)
    }

    /// Stops every process in the cgroup and below it where it stands.
    ///
    /// When `deadline` comes first, the cgroup is thawed again: a half-frozen container helps nobody.
    pub fn freeze(&self, deadline: Instant) -> Result<(), CgroupError> {
        self.write_file("cgroup.freeze", "1")?;
        let frozen = self.wait_for("freeze", deadline, |events| events.frozen);
        if frozen.is_err() {
            // The error of the wait is the one to tell; thawing needs no wait of its own.
            let _ = self.write_file("cgroup.freeze", "0");
        }
        frozen
    }

    /// Lets every process in the cgroup run again. Fails with `Deadline` while a cgroup above it is frozen.
    pub fn thaw(&self, deadline: Instant) -> Result<(), CgroupError> {
        self.write_file("cgroup.freeze", "0")?;
        self.wait_for("thaw", deadline, |events| !events.frozen)
    }

    fn wait_for(
        &self,
        awaited: &'static str,
        deadline: Instant,
        done: impl Fn(&Events) -> bool,
    ) -> Result<(), CgroupError> {
        let file = match self.directory.file("cgroup.events", OFlags::RDONLY) {
            Ok(file) => file,
            Err(errno) if is_gone(errno) && done(&Events::default()) => return Ok(()),
            Err(errno) => return Err(self.unreadable("cgroup.events", errno)),
        };
        loop {
            let events = match read_whole(file.as_fd()) {
                Ok(text) => parse_events(&text),
                Err(errno) if is_gone(errno) && done(&Events::default()) => return Ok(()),
                Err(errno) => return Err(self.unreadable("cgroup.events", errno)),
            };
            if done(&events) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CgroupError::Deadline { path: self.path().to_string(), awaited });
            }
            wait_for_change(&file, left.min(UNTOLD))
                .map_err(|errno| self.unreadable("cgroup.events", errno))?;
        }
    }
}

/// Has the cgroup been removed? Nothing lives there then, and nothing stands still. ENOENT: its files cannot
/// be opened; ENODEV: one that was open cannot be read.
pub(super) fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NODEV)
}

/// Sleeps until `cgroup.events`, which was read before, changes, or until `longest` is over.
pub(super) fn wait_for_change(file: &OwnedFd, longest: Duration) -> Result<(), Errno> {
    // Anything that does not fit into the kernel's type is as good as for ever.
    let timeout = Timespec::try_from(longest).ok();
    match rustix::event::poll(&mut [PollFd::new(file, PollFlags::PRI)], timeout.as_ref()) {
        // The caller reads the file and the clock again in any case.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The number behind `key` in a file of "key number" lines.
fn number(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == key)?.1.trim().parse().ok()
}

fn parse_events(text: &str) -> Events {
    let is_set = |key| number(text, key) == Some(1);
    Events { populated: is_set("populated"), frozen: is_set("frozen") }
}

fn parse_memory_events(text: &str) -> MemoryEvents {
    let count = |key| number(text, key).unwrap_or(0);
    MemoryEvents { max: count("max"), oom: count("oom"), oom_kill: count("oom_kill") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_by_name() {
        let both = Events { populated: true, frozen: true };
        assert_eq!(parse_events("populated 1\nfrozen 1\n"), both);
        assert_eq!(parse_events("frozen 1\nnew 7\npopulated 1\n"), both);
        assert_eq!(parse_events("populated 0\nfrozen 0\n"), Events::default());
        assert_eq!(parse_events(""), Events::default());
    }

    #[test]
    fn oom_kill_is_not_confused_with_oom() {
        let text = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 9\n";
        assert_eq!(parse_memory_events(text), MemoryEvents { max: 12, oom: 3, oom_kill: 2 });
    }
}
