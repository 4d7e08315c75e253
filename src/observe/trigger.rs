//! Pressure triggers: the kernel tells when processes of a cgroup had to wait for a long part of the time.
//!
//! A trigger is set by writing `some THRESHOLD WINDOW`, in microseconds, to a pressure file that stays open;
//! poll(2) then says POLLPRI when the time stalled within a window has reached the threshold, at most once in
//! a window. From Linux 6.5 on anybody who may write the file can have a window of 2 seconds or a multiple;
//! before, and for others, it takes CAP_SYS_RESOURCE.
//!
//! Kernel: Documentation/accounting/psi.rst, "Monitoring for pressure thresholds".

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;

use super::Files;
use super::pressure::Pressure;
use crate::cgroup::Cgroup;

/// Somebody waited for 15 percent of 2 seconds.
const TRIGGER: &[u8] = b"some 300000 2000000\n";

/// One of `cpu`, `memory` and `io`.
#[derive(Debug)]
pub struct Trigger {
    pub resource: &'static str,
    file: OwnedFd,
}

impl Trigger {
    /// The triggers that the kernel lets us set; none on one that does not count pressure.
    pub fn set_all(cgroup: &Cgroup) -> Vec<Self> {
        ["cpu", "memory", "io"].into_iter().filter_map(|resource| Self::set(cgroup, resource)).collect()
    }

    fn set(cgroup: &Cgroup, resource: &'static str) -> Option<Self> {
        let file = cgroup.open_file(&name(resource), OFlags::RDWR | OFlags::NONBLOCK).ok()??;
        rustix::io::write(&file, TRIGGER).ok()?;
        Some(Self { resource, file })
    }

    /// What the averages are now.
    pub fn pressure(&self, cgroup: &Cgroup) -> Option<Pressure> {
        Pressure::read(&Files::of(cgroup), &name(self.resource))
    }
}

fn name(resource: &str) -> String {
    format!("{resource}.pressure")
}

impl AsFd for Trigger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
