//! What the host opens of a container that another program enters.

use crate_run_plan::slot::Slot;
use rustix::fs::{Mode, OFlags, open};

use crate::cgroup::{Cgroup, CgroupPath};
use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::state::ProcessId;

impl Launch<'_> {
    /// The pidfd names this very process, also when its number has been given to another one.
    pub(super) fn open_container(&mut self, process: &ProcessId, slot: Slot) -> Done {
        let pidfd = process.open().ok_or_else(|| Cause::Said("it has ended".to_owned()))?;
        self.slots.insert(slot, pidfd);
        Ok(())
    }

    /// That the process is still there afterwards shows that the directory is its own.
    pub(super) fn open_root_of(&mut self, process: &ProcessId, slot: Slot) -> Done {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(format!("/proc/{}/root", process.pid), flags, Mode::empty())?;
        process.open().ok_or_else(|| Cause::Said("it has ended".to_owned()))?;
        self.slots.insert(slot, root);
        Ok(())
    }

    pub(super) fn open_cgroup(&mut self, path: &CgroupPath) -> Done {
        let cgroup = Cgroup::open(self.hierarchy()?, path)?;
        self.place = Some(cgroup.ok_or_else(|| Cause::Said("there is no such cgroup".to_owned()))?);
        Ok(())
    }
}
