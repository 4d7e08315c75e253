//! The filters of a cgroup that stays when its container goes.
//!
//! A program that is attached lives as long as its cgroup. In one that was there before the container, and
//! stays for the next one, it would go on to deny what the next one may use, and the kernel allows 64 of them
//! in one cgroup.
//!
//! A program is known again by its name, which is that of its container: what the next one has attached
//! meanwhile stays.
//!
//! Man page: bpf(2). Kernel: linux/bpf.h, BPF_PROG_QUERY, BPF_PROG_DETACH.

use crate_run_sys::{Errno, bpf, host};

use crate::cgroup::{Cgroup, CgroupError};

impl Cgroup {
    /// Takes the filter away that crate-run has attached here for the container `id`. Those of others, such as
    /// systemd, stay.
    ///
    /// Errors: `Filter`. That this user may attach none, that this kernel has none, or that the cgroup is
    /// gone (systemd removes that of a scope with its last process) is a success.
    pub fn forget_filter(&self, id: &str) -> Result<(), CgroupError> {
        match bpf::detach_device_programs(host::borrowed(self), name_for(id)) {
            Ok(_) | Err(Errno::EPERM | Errno::EINVAL | Errno::ENOSYS | Errno::ENOENT) => Ok(()),
            Err(errno) => Err(CgroupError::Filter {
                path: self.path().to_string(),
                source: std::io::Error::from_raw_os_error(errno.0.into()),
            }),
        }
    }
}

/// The name of the program for the container `id`, as short as the kernel wants it: a hash of the id (FNV-1a).
pub fn name_for(id: &str) -> bpf::Name {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    let mut name = bpf::Name::default();
    let text = format!("crate_{:09x}", hash >> 28);
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

#[cfg(test)]
mod tests {
    use super::name_for;

    #[test]
    fn each_container_has_a_name_that_the_kernel_takes() {
        let (name, other) = (name_for("a"), name_for("b"));
        assert_ne!(name, other);
        assert_eq!(name, name_for("a"));
        assert_eq!(name[15], 0);
        assert!(name[..15].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'), "{name:?}");
    }
}
