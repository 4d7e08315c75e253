//! Who makes the container's cgroup.
//!
//! An ordinary user may make one only where a part of the hierarchy was handed to him (cgroup-v2.rst,
//! "Delegation"). Elsewhere a container that asks for no limits does without, as it does with other runtimes.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{CgroupPath, Hierarchy};

/// The maker of a cgroup. It is kept in the record: later commands go by it, not by their own flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// The runtime: it makes a directory below the mount of the hierarchy (cgroups(7)).
    #[default]
    Cgroupfs,
    /// systemd: it is asked for a scope (org.freedesktop.systemd1(5)).
    Systemd,
    /// Nobody: the container stays in the cgroup of the runtime.
    Disabled,
    /// Nobody either, because the user may not make one here. No command line names it.
    #[value(skip)]
    Forgone,
}

impl Driver {
    /// The same, if this user may make the cgroup at `path` when he stands in `own`.
    pub fn where_permitted(self, path: &CgroupPath, own: &str) -> Self {
        let permitted = || Hierarchy::find().is_ok_and(|hierarchy| hierarchy.may_make(path, own));
        match self {
            Self::Cgroupfs if !permitted() => Self::Forgone,
            other => other,
        }
    }
}
