//! Why a step of the host failed, before it is made a sentence.

use crate_run_sys::Errno;

use crate::cgroup::CgroupError;
use crate::cgroup::systemd::SystemdError;
use crate::error::Error;
use crate::launch::line::Ending;
use crate::resctrl::ResctrlError;

/// Why a step failed: what the kernel said, or what another part of us says.
pub enum Cause {
    /// The kernel's answer to the one call of the step.
    Errno(Errno),
    /// The kernel's answer to a certain call.
    Call(&'static str, Errno),
    /// A sentence of our own.
    Said(String),
    Cgroup(CgroupError),
    Systemd(SystemdError),
    Resctrl(ResctrlError),
    /// An error that is complete already, such as a taken id.
    Other(Error),
    /// The child has failed, or is gone.
    Child(Ending),
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Cause::Errno(Errno(errno.raw_os_error() as u16))
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        Cause::Errno(errno)
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        Cause::Other(error)
    }
}

impl From<CgroupError> for Cause {
    fn from(error: CgroupError) -> Self {
        Cause::Cgroup(error)
    }
}

impl From<SystemdError> for Cause {
    fn from(error: SystemdError) -> Self {
        Cause::Systemd(error)
    }
}

impl From<ResctrlError> for Cause {
    fn from(error: ResctrlError) -> Self {
        Cause::Resctrl(error)
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Cause::Errno(Errno(number as u16)),
            None => Cause::Said(error.to_string()),
        }
    }
}

/// What a step of the host answers.
pub type Done = Result<(), Cause>;
