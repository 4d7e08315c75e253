//! Facts about the machine, as far as a plan depends on them. Tests make their own.

mod powers;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate_run_sys::credentials;
use crate_run_sys::namespaces::flag;

#[cfg(feature = "cgroup-v1")]
use crate::cgroup::v1;
use crate::cgroup::v1::Bound;
use crate::feature::namespaces::{file_of, open_of_kind};
use crate::netlink::{self, Link};
use crate::resctrl;

pub use powers::Powers;

/// The oldest kernel that has everything crate-run uses: mount_setattr(2) with all its attributes,
/// cgroup.kill.
pub const OLDEST_KERNEL: (u32, u32) = (5, 14);

/// What the machine offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Version of the kernel.
    pub kernel: (u32, u32),
    /// Effective user of the runtime.
    pub euid: u32,
    /// Its effective group.
    pub egid: u32,
    /// What the runtime itself may do.
    pub powers: Powers,
    /// Capabilities that the runtime can grant: its own bounding set and what it may do itself.
    grantable: u64,
    /// The runtime's own user namespace is not the first one: it has no power over devices.
    pub nested: bool,
    /// In its user namespace setgroups(2) is denied for good: nobody loses or gets a supplementary group.
    pub keeps_groups: bool,
    /// The kernel has SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: Linux 5.19, or older with a patch.
    pub killable_notification: bool,
    /// Where the runtime's own namespaces are listed; `None` where the kernel is not to be asked for more.
    namespaces: Option<&'static str>,
    /// Security modules, as /sys/kernel/security/lsm or the modules' own files show them.
    modules: Vec<&'static str>,
    /// Where resctrl is mounted; looked up among all mounts when a configuration first wants it.
    resctrl: OnceCell<Option<PathBuf>>,
    /// Is systemd the first process; looked up when a configuration first wants it.
    systemd: OnceCell<bool>,
    /// The hierarchies of cgroup v1.
    #[cfg(feature = "cgroup-v1")]
    bound: OnceCell<Vec<Bound>>,
}

impl Host {
    /// Asks the kernel.
    pub fn probe() -> Self {
        let release = rustix::system::uname();
        let kernel = version(&release.release().to_string_lossy());
        let (sets, nested) = (credentials::capabilities().ok(), in_user_namespace());
        Self {
            kernel,
            killable_notification: kernel >= (5, 19) || credentials::has_killable_notification(),
            euid: rustix::process::geteuid().as_raw(),
            egid: rustix::process::getegid().as_raw(),
            powers: Powers::of(sets, nested),
            grantable: grantable(sets.map_or(0, |sets| sets.permitted)),
            nested,
            keeps_groups: nested && denies_groups("/proc/self"),
            namespaces: Some("/proc/self/ns"),
            modules: modules(),
            resctrl: OnceCell::new(),
            systemd: OnceCell::new(),
            #[cfg(feature = "cgroup-v1")]
            bound: OnceCell::new(),
        }
    }

    /// A machine for tests: new enough, all-powerful, with both security modules.
    pub fn for_tests() -> Self {
        Self {
            kernel: (6, 12),
            euid: 0,
            egid: 0,
            powers: Powers::ALL,
            keeps_groups: false,
            grantable: (1 << 41) - 1,
            nested: false,
            killable_notification: true,
            namespaces: None,
            modules: vec!["apparmor", "selinux"],
            resctrl: Some("/sys/fs/resctrl".into()).into(),
            systemd: true.into(),
            #[cfg(feature = "cgroup-v1")]
            bound: Vec::new().into(),
        }
    }

    /// The same machine seen by an ordinary user, for tests.
    pub fn for_user(id: u32) -> Self {
        Self { euid: id, egid: id, powers: Powers::NONE, ..Self::for_tests() }
    }

    /// Is anybody to be asked what this machine has? Not in tests.
    pub fn can_be_asked(&self) -> bool {
        self.namespaces.is_some()
    }

    /// The mount point of resctrl.
    pub fn resctrl(&self) -> Option<&Path> {
        self.resctrl.get_or_init(resctrl::find).as_deref()
    }

    /// Was this machine booted by systemd (sd_booted(3))?
    pub fn has_systemd(&self) -> bool {
        *self.systemd.get_or_init(|| Path::new("/run/systemd/system").is_dir())
    }

    /// The hierarchies of cgroup v1 beside cgroup2, each with the controllers that are bound to it.
    #[cfg(feature = "cgroup-v1")]
    pub fn bound(&self) -> &[Bound] {
        self.bound.get_or_init(v1::hierarchies::find)
    }

    /// None: this build does not drive cgroup v1.
    #[cfg(not(feature = "cgroup-v1"))]
    pub fn bound(&self) -> &[Bound] {
        &[]
    }

    /// Capabilities that a container can be given, one bit each.
    pub fn capabilities(&self) -> u64 {
        self.grantable
    }

    /// Does the runtime itself stand in the namespace behind `path`? Asked only where a path is given.
    pub fn stands_in(&self, kind: u64, path: &Path) -> bool {
        let Some(own) = self.namespaces.map(|own| Path::new(own).join(file_of(kind))) else { return false };
        let identity = |path: &Path| std::fs::metadata(path).map(|status| (status.dev(), status.ino())).ok();
        identity(&own).is_some_and(|own| identity(path) == Some(own))
    }

    /// A network interface of the runtime's namespace (ENODEV: there is none); `None` where nobody is to be
    /// asked.
    pub fn link(&self, name: &str) -> Option<rustix::io::Result<Link>> {
        self.namespaces.map(|_| netlink::Socket::open()?.link(name))
    }

    /// The names of the interfaces in the network namespace behind `path`; none where they cannot be asked
    /// for.
    pub fn links_in(&self, path: &Path) -> BTreeSet<String> {
        let links = |namespace| netlink::Socket::open_in(&namespace).and_then(|socket| socket.links()).ok();
        let namespace = self.namespaces.and_then(|_| open_of_kind(path, flag::NETWORK));
        namespace.and_then(links).unwrap_or_default().into_iter().map(|link| link.name).collect()
    }

    /// Does the kernel run with this security module?
    pub fn has_security_module(&self, name: &str) -> bool {
        self.modules.contains(&name)
    }

    /// One sentence if this machine is no place for crate-run.
    pub fn refusal(&self) -> Option<String> {
        let ((major, minor), (least_major, least_minor)) = (self.kernel, OLDEST_KERNEL);
        (self.kernel < OLDEST_KERNEL).then(|| {
            format!("Linux {major}.{minor} is too old: crate-run needs {least_major}.{least_minor} or newer")
        })
    }
}

/// Is this process in another user namespace than the first one? Only the first maps every id to itself
/// (user_namespaces(7)).
pub fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().ne(["0", "0", "4294967295"])
}

/// Major and minor number of a release such as `6.1.0-18-amd64`.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Does the user namespace of the process behind this directory of /proc deny setgroups(2)
/// (user_namespaces(7))?
pub fn denies_groups(process: &str) -> bool {
    std::fs::read_to_string(format!("{process}/setgroups")).is_ok_and(|word| word.trim() == "deny")
}

fn grantable(permitted: u64) -> u64 {
    let bounding = (0..64)
        .map_while(|capability| credentials::bounding_has(capability).ok().map(|has| (capability, has)))
        .fold(0, |mask, (capability, has)| if has { mask | 1 << capability } else { mask });
    // A runtime without privileges grants what its user namespace gives it: everything that is known.
    if permitted == 0 { bounding } else { bounding & permitted }
}

fn modules() -> Vec<&'static str> {
    let mut modules = Vec::new();
    let enabled = std::fs::read("/sys/module/apparmor/parameters/enabled");
    if enabled.is_ok_and(|text| text.starts_with(b"Y")) {
        modules.push("apparmor");
    }
    if Path::new("/sys/fs/selinux/enforce").exists() {
        modules.push("selinux");
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read() {
        assert_eq!(version("6.1.0-18-amd64"), (6, 1));
        assert_eq!(version("5.14.0-503.el9.x86_64"), (5, 14));
        assert_eq!(version("nonsense"), (0, 0));
    }

    #[test]
    fn old_kernels_are_refused_in_one_sentence() {
        let host = Host { kernel: (5, 10), ..Host::for_tests() };
        assert_eq!(host.refusal().unwrap(), "Linux 5.10 is too old: crate-run needs 5.14 or newer");
        assert_eq!(Host::for_tests().refusal(), None);
    }
}
