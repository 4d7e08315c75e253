//! Mounts that show other ids: the user namespaces whose maps they take (mount_setattr(2), MOUNT_ATTR_IDMAP).
//!
//! The kernel takes an id map for a mount only as a user namespace. For maps that no container has, a process
//! is born in a new one, gets its maps written, and is gone again before the container is born: the
//! descriptor of the namespace is all that is needed.

use std::fs;
use std::os::fd::OwnedFd;

use crate_run_sys::mounts::{Attributes, Depth, attribute, set_attributes};
use crate_run_sys::namespaces::{flag, kind_of};
use crate_run_sys::{Errno, Fd, birth, host, process};
use rustix::fs::{Mode, OFlags, open};

use crate::bundle::path::OutsidePath;
use crate::feature::mounts::idmap::refusal;
use crate::host::Host;
use crate::launch::birth::pid_of;
use crate::launch::cause::Cause;
use crate::plan::Ids;

const SIGKILL: u32 = 9;

/// The user namespace that has these id maps.
pub fn user_namespace(ids: &Ids) -> Result<OwnedFd, Cause> {
    match ids {
        Ids::Maps { uids, gids } => {
            let call = |errno| Cause::Call("clone3(2)", errno);
            let holder = host::owned(birth::user_namespace().map_err(call)?);
            let namespace = mapped(&holder, uids, gids);
            process::send_signal(host::borrowed(&holder), SIGKILL)?;
            process::wait(host::borrowed(&holder))?;
            namespace
        }
        Ids::Of(path) => {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let namespace = open(path.as_path(), flags, Mode::empty())?;
            match kind_of(host::borrowed(&namespace)) {
                Ok(flag::USER) => Ok(namespace),
                _ => Err(Cause::Said("it is no user namespace".to_owned())),
            }
        }
    }
}

/// The holder has not been waited for, so its number is still its own.
fn mapped(holder: &OwnedFd, uids: &str, gids: &str) -> Result<OwnedFd, Cause> {
    let directory = format!("/proc/{}", pid_of(holder)?);
    for (file, map) in [("gid_map", gids), ("uid_map", uids)] {
        let file = open(format!("{directory}/{file}"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, map.as_bytes())?;
    }
    Ok(open(format!("{directory}/ns/user"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Lets a detached tree show the ids of `users`. `named` tells its filesystem, for the error.
pub fn apply(tree: Fd, depth: Depth, users: &OwnedFd, named: &dyn Fn() -> String) -> Result<(), Cause> {
    let user_namespace = host::borrowed(users).0 as u64;
    let attributes = Attributes { set: attribute::IDMAP, user_namespace, ..Attributes::default() };
    set_attributes(tree, depth, &attributes).map_err(|errno| {
        let why = match errno {
            Errno::EINVAL => refusal(&named(), depth, Host::probe().kernel),
            _ => "only who has power over a filesystem may let it show other ids".to_owned(),
        };
        Cause::Said(format!("mount_setattr(2) answered: {errno}: {why}"))
    })
}

/// The type of the filesystem on which `path` lies: that of its mount (proc_pid_fdinfo(5), mnt_id).
pub fn filesystem_of(path: &OutsidePath) -> String {
    let find = || {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = fs::canonicalize(path.as_path()).ok()?;
        let place = open(place, flags, Mode::empty()).ok()?;
        let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", host::borrowed(&place).0)).ok()?;
        let mount = facts.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().to_owned();
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let line = mounts.lines().find(|line| line.split(' ').next() == Some(&mount))?;
        line.split_once(" - ")?.1.split(' ').next().map(str::to_owned)
    };
    find().unwrap_or_else(|| "unknown".to_owned())
}
