//! Taking back what a start has made, when one of its steps fails.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate_run_sys::{host, process};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::cgroup::{Cgroup, CgroupError, Hierarchy, v1};
use crate::error::Error;
use crate::launch::birth::Born;
use crate::launch::cause::Cause;
use crate::launch::failure::Death;
use crate::launch::line::Ending;
use crate::launch::netdevice::Moved;
use crate::launch::{Launch, failure};
use crate::state::{lifecycle, scope};

/// How long the end of the container's processes may take when a failed start is undone.
const END: Duration = Duration::from_secs(10);

impl Launch<'_> {
    /// Undoes everything, and makes one error of what happened.
    pub(super) fn fail(&mut self, index: usize, cause: Cause) -> Error {
        let cause = self.not_of_a_lost_scope(cause);
        let failed_birth = self.newborn.as_ref().and_then(|born| born.newborn.failure());
        let cause = match (cause, failed_birth) {
            (Cause::Child(Ending::Silence), Some(errno)) => {
                Cause::Call("execve(2) of the sealed child", errno)
            }
            (cause, _) => cause,
        };
        let death = self.death();
        let left = self.undo();
        failure::of(self, index, cause, death, left)
    }

    /// Looked at before the cgroup is removed.
    fn death(&self) -> Death {
        let events = self.cgroup.as_ref().and_then(|cgroup| cgroup.memory_events().ok().flatten());
        match events {
            Some(events) if events.oom_kill > 0 => Death::OutOfMemory,
            _ => Death::Unexplained,
        }
    }

    /// Takes everything back, the latest first; answers what could not be, in words.
    pub(super) fn undo(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        self.slots.clear();
        self.remains = self.line.take().and_then(|line| line.terminal);
        let _ = self.return_home();
        // Before the newborn goes, and its network namespace with all that is in it.
        left.extend(self.moved.drain(..).rev().filter_map(Moved::move_back));
        let was_born = self.newborn.is_some();
        if let Some(born) = self.newborn.take() {
            left.extend(end(&born));
        }
        let _ = self.return_to_own_time();
        if let Some(cgroup) = self.cgroup.take() {
            left.extend(self.leave(&cgroup).err().map(|error| error.to_string()));
        }
        self.systemd = None;
        if let Some((unit, claim)) = self.unit.take() {
            let place = self.record.as_ref().and_then(|record| record.cgroup.as_deref());
            let removed = scope::remove(&unit, place, claim);
            left.extend(removed.err().map(|error| error.to_string()));
        }
        left.extend(self.remove_resctrl_groups().err().map(|error| error.to_string()));
        if let Some(path) = self.pid_file.take() {
            let _ = std::fs::remove_file(path);
        }
        if let Some(container) = self.container.take() {
            left.extend(container.remove().err().map(|error| error.to_string()));
        }
        if was_born {
            self.poststop();
        }
        left
    }

    /// Nobody stays in the cgroup; and it goes, if we have made it.
    fn leave(&self, cgroup: &Cgroup) -> Result<(), CgroupError> {
        let (hierarchy, deadline) = (Hierarchy::find()?, Instant::now() + END);
        match cgroup.created().last() == Some(cgroup.path()) {
            true => hierarchy.clear(cgroup.path(), deadline)?,
            false => {
                cgroup.kill(deadline)?;
                cgroup.forget_filter(self.request.id.as_str())?;
            }
        }
        hierarchy.remove_empty(cgroup.created());
        let groups: Vec<v1::Group> = cgroup.groups().cloned().collect();
        v1::remove(&groups, deadline)
    }

    /// A container that was begun gets its poststop hooks (runtime.md, Lifecycle).
    fn poststop(&mut self) {
        let state = self.bundle.hook_state(&self.request.id);
        self.warnings = lifecycle::poststop(&self.bundle.hooks, &state);
    }
}

/// Kills the newborn and reaps it. The first process of a pid namespace ends after all others in there, and
/// one that came in by `exec` only when its own parent has reaped it (pid_namespaces(7)): that may take for
/// ever.
pub(super) fn end(born: &Born) -> Option<String> {
    let _ = rustix::process::pidfd_send_signal(&born.pidfd, rustix::process::Signal::KILL);
    match process::readable_within(host::borrowed(&born.pidfd), Some(END.as_millis() as u64)) {
        Ok(false) => {
            Some(format!("process {} is killed, and has not ended after {} s", born.pid, END.as_secs()))
        }
        _ => {
            let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
            None
        }
    }
}
