//! What the runtime itself may do: an ordinary user, root of a user namespace, or root of the machine.

use crate_run_sys::credentials::Sets;
use crate_run_sys::mounts::{Depth, clone_tree};
use crate_run_sys::{Errno, Fd, files};

/// CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN of linux/capability.h.
const SETGID: u64 = 1 << 6;
const SETUID: u64 = 1 << 7;
const SYS_ADMIN: u64 = 1 << 21;

/// Powers that a plan depends on (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Powers {
    /// CAP_SYS_ADMIN in its own user namespace: it may make and enter namespaces.
    pub administers: bool,
    /// CAP_SETUID and CAP_SETGID: it may map any id of its own user namespace (user_namespaces(7)).
    pub maps_ids: bool,
    /// The mount namespace in which it stands is its own: it may clone trees of it (open_tree(2)).
    pub clones_mounts: bool,
}

impl Powers {
    /// Those of root.
    pub const ALL: Self = Self { administers: true, maps_ids: true, clones_mounts: true };
    /// Those of an ordinary user.
    pub const NONE: Self = Self { administers: false, maps_ids: false, clones_mounts: false };

    /// Those of this process, which has these capabilities. Root of a user namespace may stand in a mount
    /// namespace that is not its own (`unshare --user` without `--mount`): only the attempt tells.
    pub(super) fn of(sets: Option<Sets>, nested: bool) -> Self {
        let has = |wanted: u64| sets.is_some_and(|sets| sets.effective & wanted == wanted);
        let administers = has(SYS_ADMIN);
        let clones_mounts = administers && (!nested || may_clone());
        Self { administers, maps_ids: has(SETGID | SETUID), clones_mounts }
    }
}

/// What is locked below "/" may keep it from being cloned alone (EINVAL): that is not a lack of power.
fn may_clone() -> bool {
    clone_tree(Fd::CWD, c"/", Depth::One).map(files::close) != Err(Errno::EPERM)
}
