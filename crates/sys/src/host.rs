//! Where this crate and the standard library meet: descriptors that close themselves.

extern crate std;

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{Fd, signals};

/// Takes over a descriptor that a call of this crate has just answered; it closes itself from now on.
pub fn owned(fd: Fd) -> OwnedFd {
    // SAFETY: callers pass what open_tree, memfd_create and so on have answered, once, and keep no copy.
    unsafe { OwnedFd::from_raw_fd(fd.0) }
}

/// The number of a descriptor that somebody else owns.
pub fn borrowed(fd: &impl AsFd) -> Fd {
    Fd(fd.as_fd().as_raw_fd())
}

/// Lets `command` begin with no signal blocked. A program inherits the mask of who starts it, over
/// execve(2) too, and ours may block all.
pub fn unblock_signals(command: &mut Command) {
    let unblock = || {
        signals::set_mask(0);
        Ok(())
    };
    // SAFETY: between fork and execve this makes one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(unblock) };
}
