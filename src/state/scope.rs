//! Taking down a scope that systemd has made for a container.

use std::time::{Duration, Instant};

use crate::cgroup::systemd::{Job, Systemd, SystemdError, Unit};
use crate::cgroup::{Cgroup, CgroupPath, Hierarchy};
use crate::error::Error;

/// How long its processes may take to die.
const DEATH: Duration = Duration::from_secs(10);

/// Do we know that the scope is ours?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim<'a> {
    /// systemd has made it for us.
    Certain,
    /// It was asked for, for the container with this id, and nobody has written down whether it came to be.
    Asked { id: &'a str },
}

impl<'a> Claim<'a> {
    /// What is claimed after StartTransientUnit was called for the container `id`: only a job makes it
    /// certain. A refusal has made nothing, and the unit may be somebody else's.
    pub fn after(started: &Result<Job, SystemdError>, id: &'a str) -> Option<Self> {
        match started {
            Ok(_) => Some(Self::Certain),
            Err(error) if error.is_refusal() => None,
            Err(_) => Some(Self::Asked { id }),
        }
    }
}

/// Kills what is in the scope, has systemd stop and forget it, and sees to it that its directory is gone. A
/// scope that is not there is a success.
///
/// Errors: [`Error::Cgroup`] while somebody lives in it; [`Error::Systemd`] when nobody can say whether it is
/// gone.
pub fn remove(unit: &Unit, place: Option<&str>, claim: Claim<'_>) -> Result<(), Error> {
    let path = place.and_then(|place| CgroupPath::absolute(place).ok());
    let deadline = Instant::now() + DEATH;
    let Some(path) = path else { return Ok(stop(unit, claim)?) };
    let hierarchy = Hierarchy::find()?;
    if let Some(cgroup) = Cgroup::open(&hierarchy, &path)? {
        cgroup.kill(deadline)?;
    }
    let stopped = stop(unit, claim);
    // systemd removes it too, and takes no offence at being too late; without systemd it is still removed.
    match (hierarchy.clear(&path, deadline), stopped) {
        (Ok(()), Ok(()) | Err(SystemdError::NoBus { .. } | SystemdError::NoAddress)) => Ok(()),
        (Ok(()), Err(error)) => Err(error.into()),
        (Err(error), _) => Err(error.into()),
    }
}

fn stop(unit: &Unit, claim: Claim<'_>) -> Result<(), SystemdError> {
    let mut systemd = Systemd::open(unit.manager)?;
    match claim {
        Claim::Asked { id } if !systemd.is_ours(unit, id)? => Ok(()),
        Claim::Certain | Claim::Asked { .. } => systemd.stop(unit),
    }
}
