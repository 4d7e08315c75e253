//! What the host opens of a container that another program enters.

use crate_run_plan::slot::Slot;

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

    pub(super) fn open_cgroup(&mut self, path: &CgroupPath) -> Done {
        let cgroup = Cgroup::open(self.hierarchy()?, path)?;
        self.place = Some(cgroup.ok_or_else(|| Cause::Said("there is no such cgroup".to_owned()))?);
        Ok(())
    }
}
