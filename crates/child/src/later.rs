//! Mounts of a container that runs already: attached or detached, all of them or none.
//!
//! A mount that was found or made is detached by its descriptor, so nobody can put another one in its place.
//! The kernel takes a path for that: the way leads through our own /proc/self/fd of the host, opened before
//! we went inside, where no path of the container's can be trusted.

use core::ffi::CStr;

use crate_run_plan::operation::LaterMounts;
use crate_run_plan::operation::target;
use crate_run_plan::report::{Call, Kind};
use crate_run_plan::slot::Slot;
use crate_run_sys::files::{self, flag};
use crate_run_sys::{Errno, Fd, mounts, namespaces};

use crate::failure::{Failure, Named, Outcome};
use crate::inside;
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: LaterMounts) -> Outcome {
    use LaterMounts as Op;
    match operation {
        Op::OpenDescriptors {} => open_descriptors(runner),
        Op::FindMount { target, known } => find(runner, target, known),
        Op::DetachMounts {} => detach(runner),
    }
}

/// How many mounts one plan can attach or detach.
pub use crate_run_plan::operation::MOST_LATER as MOST;

/// Mounts by their descriptors.
pub struct Mounts {
    list: [Fd; MOST],
    count: usize,
}

impl Mounts {
    pub const fn none() -> Self {
        Self { list: [Fd(-1); MOST], count: 0 }
    }

    /// Adds a mount. More than `MOST` of them no plan has.
    pub fn add(&mut self, mount: Fd) -> Outcome {
        let Some(place) = self.list.get_mut(self.count) else {
            return Err(Failure::refusal(b"these are too many mounts for one plan"));
        };
        *place = mount;
        self.count += 1;
        Ok(())
    }
}

/// Opens the directory of our own descriptors. From now on mounts are remembered.
fn open_descriptors(runner: &mut Runner) -> Outcome {
    let flags = flag::O_PATH | flag::O_DIRECTORY;
    let directory = files::openat2(Fd::CWD, c"/proc/self/fd", flags, 0, 0).named(Call::Openat2)?;
    runner.fill(Slot::DESCRIPTORS, directory);
    Ok(())
}

/// Refuses a mount namespace that a process of the container has made for itself, in a user namespace of its
/// own: there it has the power over mounts, and makes those writable that come read-only. Only what was
/// entered counts, for the process may move until then.
pub fn refuse_own_mounts(runner: &Runner) -> Outcome {
    let Ok(descriptors) = runner.slot(Slot::DESCRIPTORS) else { return Ok(()) };
    let open = |path| files::openat2(descriptors, path, 0, 0, 0).named(Call::Openat2);
    let (mounts, users) = (open(c"../ns/mnt")?, open(c"../ns/user")?);
    let owner = match namespaces::owner_of(mounts) {
        Err(Errno::EPERM) => return Err(Failure::refusal(OTHER_OWNER)),
        other => other.named(Call::Ioctl)?,
    };
    let (its, ours) = (files::status(owner).named(Call::Fstat)?, files::status(users).named(Call::Fstat)?);
    for fd in [mounts, users, owner] {
        files::close(fd);
    }
    if (its.device, its.inode) == (ours.device, ours.inode) {
        Ok(())
    } else {
        Err(Failure::refusal(OTHER_OWNER))
    }
}

const OTHER_OWNER: &[u8] = b"the container's process is in a mount namespace of another user namespace";

/// Finds the mount at `target`, for it to be detached. The container can put a link on the way after it was
/// mounted, or another directory, and so have another mount detached: one that protects the host. So only
/// what is `known` goes.
fn find(runner: &mut Runner, target: &CStr, known: &[u8]) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    let found = match inside::look_up(root, target, target::NO_LINKS) {
        Err(failure) if failure.is(Errno::ELOOP) => {
            return Err(Failure::refusal(
                b"a symbolic link is on the way: give the path that mountinfo shows",
            ));
        }
        other => other?,
    };
    inside::refuse_root(root, found)?;
    if !files::is_mount_root(found).named(Call::Statx)? {
        return Err(Failure::refusal(b"nothing is mounted there"));
    }
    let identity = files::mount_identity(found).named(Call::Statx)?;
    if !known.as_chunks::<8>().0.contains(&identity.to_ne_bytes()) {
        return Err(Failure::refusal(
            b"what is mounted there was not put there by mounts add, and nothing else can be removed",
        ));
    }
    runner.found.add(found)?;
    runner.tell_number(Kind::Mount, identity)
}

/// Detaches the mounts that were found, the last one first.
fn detach(runner: &Runner) -> Outcome {
    detach_all(runner, &runner.found)
}

/// Detaches what was attached before a step failed.
pub fn undo(runner: &Runner) {
    let _ = detach_all(runner, &runner.attached);
}

fn detach_all(runner: &Runner, mounts: &Mounts) -> Outcome {
    if mounts.count == 0 {
        return Ok(());
    }
    files::enter_directory(runner.slot(Slot::DESCRIPTORS)?).named(Call::Chdir)?;
    for mount in mounts.list[..mounts.count].iter().rev() {
        let mut digits = [0; 12];
        mounts::detach(decimal(mount.0.unsigned_abs(), &mut digits)).named(Call::Umount)?;
    }
    Ok(())
}

/// A number as text; the last byte stays a NUL.
fn decimal(mut number: u32, digits: &mut [u8; 12]) -> &CStr {
    let mut start = digits.len() - 1;
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    CStr::from_bytes_until_nul(&digits[start..]).unwrap_or(c"0")
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_written_out() {
        for (number, text) in [(0, c"0"), (7, c"7"), (10, c"10"), (1024, c"1024"), (u32::MAX, c"4294967295")]
        {
            assert_eq!(decimal(number, &mut [0; 12]), text);
        }
    }
}
