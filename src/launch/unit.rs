//! The scope that systemd makes for the newborn, and the one that a program enters.

use crate::cgroup::systemd::{Manager, Property, Systemd, SystemdError, Unit};
use crate::cgroup::{Cgroup, CgroupPath, Hierarchy};
use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::launch::line::Ending;
use crate::state::scope::Claim;

impl Launch<'_> {
    pub(super) fn connect_systemd(&mut self, manager: Manager) -> Done {
        self.systemd = Some(Systemd::open(manager)?);
        Ok(())
    }

    /// Where the scope is, the process itself tells, and that is written down at once.
    pub(super) fn start_unit(&mut self, unit: &Unit, properties: &[Property]) -> Done {
        self.expect_unit(unit)?;
        let (Some(systemd), Some(born)) = (&mut self.systemd, &self.newborn) else { return Ok(()) };
        let job = systemd.start(unit, properties, born.pid);
        let claim = Claim::after(&job, self.request.id.as_str());
        self.unit = claim.map(|claim| (unit.clone(), claim));
        systemd.await_start(&job?, unit)?;
        let found = Hierarchy::cgroup_of(born.pid).unwrap_or_default();
        let path = CgroupPath::absolute(&found).ok().filter(|path| path.name() == unit.name);
        // One who is dead is nowhere (cgroups(7): then it is the root).
        let Some(path) = path else {
            return Err(match self.newborn_is_alive() {
                true => SystemdError::Elsewhere { unit: unit.name.clone(), found }.into(),
                false => Cause::Child(Ending::Silence),
            });
        };
        self.cgroup = Cgroup::open(self.hierarchy()?, &path)?;
        if let Some(record) = &mut self.record {
            record.cgroup = Some(path.to_string());
        }
        self.save()
    }

    /// systemd would move the newborn into a directory that somebody has frozen or filled behind its back.
    fn expect_unit(&mut self, unit: &Unit) -> Done {
        match CgroupPath::absolute(&unit.expected_path(rustix::process::getuid().as_raw())) {
            Ok(place) => Ok(Cgroup::acceptable(self.hierarchy()?, &place)?),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn join_unit(&mut self, unit: &Unit, below: &str) -> Done {
        let (Some(systemd), Some(born)) = (&mut self.systemd, &self.newborn) else { return Ok(()) };
        Ok(systemd.attach(unit, below, born.pid)?)
    }

    /// systemd removes the scope of a process that has died, and a step that finds nothing there says little: what
    /// the child said last says why.
    pub(super) fn not_of_a_lost_scope(&mut self, cause: Cause) -> Cause {
        let is_of_host = !matches!(cause, Cause::Child(_) | Cause::Other(_));
        match &mut self.line {
            Some(line) if self.unit.is_some() && is_of_host && line.is_closed() => match line.listen() {
                failed @ Ending::Failed(_) => Cause::Child(failed),
                _ => Cause::Child(Ending::Silence),
            },
            _ => cause,
        }
    }

    fn newborn_is_alive(&self) -> bool {
        let alive = |pidfd| crate_run_sys::process::readable_within(pidfd, Some(0)) == Ok(false);
        self.newborn.as_ref().is_some_and(|born| alive(crate_run_sys::host::borrowed(&born.pidfd)))
    }
}
