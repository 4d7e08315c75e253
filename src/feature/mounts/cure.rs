//! What usually mends a mount that the kernel refuses.

use std::ffi::CStr;

use crate_run_plan::Operation;
use crate_run_plan::report::Call;
use crate_run_sys::Errno;

/// When the runtime cannot reach a source, or the root filesystem.
pub fn cure_of_source(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EACCES)
        .then_some("this user may not reach it: see the modes of the directories on the way")
}

/// When the child cannot mount. `call` is the one that was refused.
pub fn cure(operation: &Operation, call: Call, errno: Errno) -> Option<&'static str> {
    use Operation as Op;
    match operation {
        Op::MountNew { filesystem, .. } => {
            of_filesystem(filesystem, errno).or_else(|| of_target(errno)).or_else(|| of_options(call, errno))
        }
        Op::MountTree { .. } => of_target(errno),
        Op::MountLocked { .. } => of_locked(call, errno),
        Op::CloneFile { .. } | Op::AttachLockedRoot { .. } => of_source_inside(errno),
        Op::Reconfigure { .. } => of_options(call, errno),
        _ => None,
    }
}

fn of_filesystem(filesystem: &CStr, errno: Errno) -> Option<&'static str> {
    Some(match (filesystem.to_bytes(), errno) {
        (b"sysfs", Errno::EPERM) => {
            "sysfs needs a network namespace of the container's own user namespace; bind mount /sys instead"
        }
        (b"proc", Errno::EPERM) => {
            "in a user namespace proc can be mounted only with a new pid namespace, and where nothing lies \
             on the host's /proc: bind mount /proc instead"
        }
        (b"mqueue", Errno::EPERM) => {
            "mqueue shows an ipc namespace: add {\"type\": \"ipc\"}, or bind mount /dev/mqueue instead"
        }
        (b"cgroup2", Errno::EPERM) => {
            "cgroup2 shows a cgroup namespace: add {\"type\": \"cgroup\"}, or bind mount /sys/fs/cgroup \
             instead"
        }
        (_, Errno::EPERM) => {
            "in a user namespace only filesystems without a disk can be mounted (proc, sysfs, tmpfs, devpts, \
             mqueue, cgroup2, overlay, fuse): mount it beforehand, and bind mount it"
        }
        (b"devpts", Errno::EINVAL) => "does the user namespace map the group that the option gid= names?",
        (_, Errno::ENODEV) => "the kernel does not know this filesystem: see /proc/filesystems",
        _ => return None,
    })
}

fn of_options(call: Call, errno: Errno) -> Option<&'static str> {
    (call == Call::Fsconfig && errno == Errno::EINVAL).then_some("correct the option, or leave it out")
}

fn of_target(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::ELOOP => LINK_ON_THE_WAY,
        Errno::EROFS => {
            "the mount point is missing, and the filesystem it belongs to is read-only: make it in the image"
        }
        _ => return None,
    })
}

fn of_locked(call: Call, errno: Errno) -> Option<&'static str> {
    Some(match (call, errno) {
        (_, Errno::ELOOP) => LINK_ON_THE_WAY,
        (_, Errno::EACCES) => return of_source_inside(errno),
        (Call::OpenTree, Errno::EINVAL) => {
            "other mounts lie below the source and must stay where they are: use rbind, or a directory \
             without them"
        }
        (Call::Check, _) => {
            "leave out the words that clear it (rw, suid, dev, exec) or change its access times"
        }
        _ => return None,
    })
}

const LINK_ON_THE_WAY: &str = "the image has a symbolic link where a directory must be";

/// The child clones it where the modes of the host hold for the users of the container.
fn of_source_inside(errno: Errno) -> Option<&'static str> {
    (errno == Errno::EACCES).then_some(
        "root of the container is another user outside, who may not reach it: see the modes of the \
         directories on the way",
    )
}
