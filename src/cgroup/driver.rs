//! Who makes the container's cgroup.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

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
}
