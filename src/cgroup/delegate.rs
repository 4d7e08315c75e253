//! Handing the container's cgroup to the user of the container.
//!
//! Kernel: whoever may write to `cgroup.procs`, `cgroup.threads` and `cgroup.subtree_control` of a cgroup may
//! divide it further. The limits in it stay with the owner of the files above, so a container can divide what
//! it was given and never take more. /sys/kernel/cgroup/delegate (4.15) lists the files of this kernel.
//!
//! OCI (config-linux.md, "Cgroup ownership"): only with a new cgroup namespace *and* a writable mount of it
//! at /sys/fs/cgroup, and then the directory and those files, and no others, go to the host uid of
//! process.user. Files that are missing are passed over.
//!
//! Man page: cgroups(7), "Cgroup delegation". Kernel: cgroup-v2.rst, "Delegation".

use rustix::io::Errno;

use super::error::CgroupError;
use super::v2::{Cgroup, directory_error};

/// What the specification names when the kernel has no list.
const FALLBACK: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/// The names of the files that may be given away, from the kernel's own list where there is one.
pub fn delegated_files() -> Vec<String> {
    let list = std::fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
    delegated_in(&list)
}

fn delegated_in(list: &str) -> Vec<String> {
    let names: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    if names.is_empty() { FALLBACK.map(str::to_owned).to_vec() } else { names }
}

impl Cgroup {
    /// Makes `uid` of the host the owner of the cgroup directory and of its `files` (`delegated_files`).
    pub fn delegate(&self, uid: u32, files: &[String]) -> Result<(), CgroupError> {
        let owner = rustix::fs::Uid::from_raw(uid);
        let failed = |errno| directory_error("hand over", self.path(), errno);
        self.directory.change_owner(None, owner).map_err(failed)?;
        for file in files {
            match self.directory.change_owner(Some(file), owner) {
                // Files of controllers that are not enabled here, or of a newer kernel.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_comes_first() {
        assert_eq!(delegated_in("cgroup.procs\nmemory.oom.group\n"), ["cgroup.procs", "memory.oom.group"]);
        assert_eq!(delegated_in(""), FALLBACK);
    }
}
