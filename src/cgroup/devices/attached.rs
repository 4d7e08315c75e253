//! The filters of a cgroup that stays when its container goes.
//!
//! A program that is attached lives as long as its cgroup. In one that was there before the container, and
//! stays for the next one, it would go on to deny what the next one may use, and the kernel allows 64 of them
//! in one cgroup.
//!
//! Man page: bpf(2). Kernel: linux/bpf.h, BPF_PROG_QUERY, BPF_PROG_DETACH.

use crate_run_sys::{Errno, bpf, host};

use crate::cgroup::{Cgroup, CgroupError};

impl Cgroup {
    /// Takes the filters away that crate-run has attached here. Those of others, such as systemd, stay.
    ///
    /// Errors: `Filter`. That this user may attach none, that this kernel has none, or that the cgroup is
    /// gone (systemd removes that of a scope with its last process) is a success.
    pub fn forget_filters(&self) -> Result<(), CgroupError> {
        match bpf::detach_device_programs(host::borrowed(self)) {
            Ok(_) | Err(Errno::EPERM | Errno::EINVAL | Errno::ENOSYS | Errno::ENOENT) => Ok(()),
            Err(errno) => Err(CgroupError::Filter {
                path: self.path().to_string(),
                source: std::io::Error::from_raw_os_error(errno.0.into()),
            }),
        }
    }
}
