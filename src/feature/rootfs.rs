//! # Root filesystem: a directory becomes "/"
//!
//! The tree of the directory is cloned as a detached mount (open_tree(2)), attached in the container's own
//! mount namespace, and made the root there (pivot_root(2)). The old root is detached, so no path of the host
//! is left: chroot(2) alone would leave the way out open.
//!
//! OCI: config.md, Root; config-linux.md, Rootfs Mount Propagation.
//!
//! Order:
//! - Propagation to the host is cut before anything is mounted, else our mounts would appear there. That goes
//!   for the clone of the tree as well, which has that of its source, with all mounts below it.
//! - The root is made read-only last: mount targets and device nodes may have to be made in it.
//! - The propagation that the container wants on its root comes after pivot_root, which refuses a shared one.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, propagation};
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::Spec;

use crate::bundle::finding::Finding;
use crate::bundle::path::OutsidePath;
use crate::error::plain;
use crate::feature::namespaces::{Cloner, Namespaces};
use crate::plan::{HostAction, Plan, TreeChange};
use crate::resctrl::tree::unescaped;

const FEATURE: &str = "rootfs";

/// The root filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rootfs {
    /// The directory on the host.
    pub path: OutsidePath,
    pub access: Access,
    pub propagation: Propagation,
    /// Of a shared or unbindable root: also for all mounts below it (rshared, runbindable)?
    pub reach: Depth,
}

/// How a container leaves the host's tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// pivot_root(2): nothing of it stays.
    #[default]
    Pivot,
    /// move_mount(2) and chroot(2): for a host whose root is a ramdisk, which pivot_root(2) cannot leave.
    Move {
        /// The mounts of the host's /proc and /sys that show all of it.
        hidden: Vec<OutsidePath>,
    },
}

impl Exit {
    /// The second way, on this host as it is now (proc_pid_mountinfo(5)). Errors: of reading the mounts.
    pub fn by_moving() -> std::io::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let mut hidden: Vec<OutsidePath> = mounts.lines().filter_map(whole_view).collect();
        // What lies in another one goes before it.
        hidden.reverse();
        Ok(Self::Move { hidden })
    }
}

/// The mount point, if this line is about a procfs or sysfs that shows all of it.
fn whole_view(line: &str) -> Option<OutsidePath> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (top, place) = (fields.next()?, fields.next()?);
    let shows_host = matches!(filesystem.split(' ').next(), Some("proc" | "sysfs"));
    let path = unescaped(place);
    (top == "/" && shows_host).then(|| OutsidePath::new(Path::new("/"), &path)).flatten()
}

/// A root that is private keeps what the host unmounts later, and here the host's tree stays.
pub fn exit_finding(spec: &Spec, exit: &Exit) -> Option<Finding> {
    let word = propagation_word(spec);
    let is_private = matches!(propagation_of(word), Some((Propagation::Private, _)));
    (is_private && *exit != Exit::Pivot).then(|| {
        let message = format!("rootfsPropagation={word} is not safe with --no-pivot");
        let cure = "use rslave, or leave --no-pivot out";
        Finding::error("/linux/rootfsPropagation", message).cure(cure)
    })
}

/// May the container write to its root?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadWrite,
    ReadOnly,
}

/// linux.rootfsPropagation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Shared,
    Slave,
    Private,
    Unbindable,
}

/// What the word asks for, and how deep. For a slave or private root the recursive word says nothing new: all
/// mounts of the container start so.
fn propagation_of(word: &str) -> Option<(Propagation, Depth)> {
    Some(match word {
        "shared" => (Propagation::Shared, Depth::One),
        "rshared" => (Propagation::Shared, Depth::Tree),
        "" | "slave" | "rslave" => (Propagation::Slave, Depth::Tree),
        "private" | "rprivate" => (Propagation::Private, Depth::Tree),
        "unbindable" => (Propagation::Unbindable, Depth::One),
        "runbindable" => (Propagation::Unbindable, Depth::Tree),
        _ => return None,
    })
}

fn propagation_word(spec: &Spec) -> &str {
    spec.linux().as_ref().and_then(|linux| linux.rootfs_propagation().as_deref()).unwrap_or("")
}

/// `None` when there is no usable root; `findings` says why.
pub fn resolve(spec: &Spec, bundle: &Path) -> Option<Rootfs> {
    let root = spec.root().as_ref()?;
    let access = if root.readonly() == Some(true) { Access::ReadOnly } else { Access::ReadWrite };
    let (propagation, reach) = propagation_of(propagation_word(spec))?;
    Some(Rootfs { path: OutsidePath::new(bundle, root.path())?, access, propagation, reach })
}

pub fn findings(spec: &Spec, bundle: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let word = propagation_word(spec);
    if propagation_of(word).is_none() {
        let message = format!("rootfsPropagation={word} is not supported");
        let cure = "use shared, slave, private or unbindable, or one of them with an r before it";
        found.push(Finding::error("/linux/rootfsPropagation", message).cure(cure));
    }
    let Some(root) = spec.root() else {
        let message = "there is no root: a container needs a root filesystem";
        found.push(Finding::error("/root", message).cure("add \"root\": {\"path\": \"rootfs\"}"));
        return found;
    };
    let Some(path) = OutsidePath::new(bundle, root.path()) else {
        found.push(Finding::error("/root/path", "the path of the root filesystem holds a NUL character"));
        return found;
    };
    let cure = "unpack an image there, or correct root.path; a relative path starts at the bundle";
    let message = match std::fs::metadata(path.as_path()) {
        _ if root.path().as_os_str().is_empty() => "root.path is empty".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("the root filesystem {path} does not exist: no such file or directory")
        }
        Err(error) => format!("the root filesystem {path} cannot be opened: {}", plain(&error)),
        Ok(status) if !status.is_dir() => format!("the root filesystem {path} is not a directory"),
        Ok(status) if std::fs::metadata("/").is_ok_and(|host| same(&host, &status)) => {
            "the root filesystem is the root of the host".to_owned()
        }
        Ok(_) => return found,
    };
    found.push(Finding::error("/root/path", message).cure(cure));
    found
}

fn same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Before the birth: the detached clone.
pub fn prepare(rootfs: &Rootfs, namespaces: &Namespaces, plan: &mut Plan) {
    let (clone, why) = match namespaces.cloner {
        Cloner::Runtime => {
            let change = TreeChange { tree_propagation: cut(rootfs), ..TreeChange::default() };
            let why =
                "a detached clone of the tree: nobody sees it, and nothing else can be put in its place";
            (Some(change), why)
        }
        Cloner::Child => {
            (None, "the child, which has power over its own mount namespace, finds it as its directory")
        }
    };
    let open = HostAction::OpenRoot { path: rootfs.path.clone(), clone };
    plan.host(FEATURE, open, why).at("/root/path");
}

/// How the mounts are kept from the host: no event leaves, and with slave those of the host still arrive.
fn cut(rootfs: &Rootfs) -> u64 {
    match rootfs.propagation {
        Propagation::Private | Propagation::Unbindable => propagation::PRIVATE,
        Propagation::Shared | Propagation::Slave => propagation::SLAVE,
    }
}

/// The first steps of the view.
pub fn steps(rootfs: &Rootfs, namespaces: &Namespaces, plan: &mut Plan) {
    // Not private, whatever the root is: a bind mount may still want to see later mounts of the host.
    let propagate = Operation::Propagate { kind: propagation::SLAVE, tree: 1 };
    let why = "our mounts stay ours; later mounts of the host still arrive";
    plan.child(FEATURE, propagate, why).at("/linux/rootfsPropagation");
    let attach = Operation::AttachRoot { tree: Slot::ROOT_TREE };
    if namespaces.cloner == Cloner::Child || namespaces.has(flag::USER) {
        let why = "a clone that is made here is locked: root inside cannot take back what the host has set";
        let locked = Operation::AttachLockedRoot { propagation: cut(rootfs) };
        let step = plan.child(FEATURE, locked, why).at("/root/path");
        if namespaces.cloner == Cloner::Runtime {
            step.or(attach);
        }
    } else {
        let why = "pivot_root wants a mount point as the new root";
        plan.child(FEATURE, attach, why).at("/root/path");
    }
}

/// When everything is mounted: leaves the host's tree.
pub fn leave(rootfs: &Rootfs, exit: &Exit, plan: &mut Plan) {
    match exit {
        Exit::Pivot => {
            let why = "the new root becomes \"/\", and the host's tree is detached: no path leads back";
            plan.child(FEATURE, Operation::PivotRoot {}, why).at("/root/path");
        }
        Exit::Move { hidden } => {
            for path in hidden {
                let why = "it shows the host whole, and would let a user namespace inside mount another one";
                plan.child(FEATURE, Operation::HideHostMount { path: path.text() }, why);
            }
            let why = "worse than pivot_root, which was not wanted: the host's tree stays below, and who has \
                       CAP_SYS_ADMIN can take the root off it";
            plan.child(FEATURE, Operation::MoveRoot {}, why).at("/root/path");
        }
    }
    let (kind, why) = match rootfs.propagation {
        Propagation::Shared => {
            (propagation::SHARED, "the container may share its mounts with its own children")
        }
        Propagation::Unbindable => (propagation::UNBINDABLE, "the root cannot be bind mounted"),
        Propagation::Slave | Propagation::Private => return,
    };
    let tree = u32::from(rootfs.reach == Depth::Tree);
    plan.child(FEATURE, Operation::Propagate { kind, tree }, why).at("/linux/rootfsPropagation");
}

/// The last step of the view.
pub fn seal(rootfs: &Rootfs, plan: &mut Plan) {
    if rootfs.access == Access::ReadOnly {
        let why = "nothing more has to be made in the root";
        plan.child(FEATURE, Operation::ReadOnlyRoot {}, why).at("/root/readonly");
    }
}

/// The line of /proc/PID/mountinfo for "/".
pub fn observe(pid: i32) -> Option<String> {
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
    mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).map(str::to_owned)
}
