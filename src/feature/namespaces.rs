//! # Namespaces: what a container has of its own
//!
//! The kernel keeps eight kinds of names apart (namespaces(7)): pid, network, mount, ipc, uts, user, cgroup
//! and time. A process gets new ones at birth (clone3(2), flags CLONE_NEW*), later (unshare(2)), or joins
//! those of others (setns(2)).
//!
//! OCI (config-linux.md, Namespaces): an entry without a path is new, one with a path is joined, a type
//! without an entry is the caller's. No type twice.
//!
//! Order:
//! - All new ones come with the one clone3, so that a new user namespace owns the others. Without one, the
//!   network namespace is made beside it: see `network`.
//! - A new cgroup namespace takes the cgroup in which unshare(2) is called as its root; clone3 would take the
//!   parent's. So the child makes it itself, after it was born inside its cgroup.
//! - A new time namespace must have its offsets before anybody enters: see `time`.
//! - A pid namespace that is joined counts for children only: the runtime enters it before the birth, or the
//!   newborn before it is born a second time.
//! - Inside a user namespace, new or joined, the powers over everything else are gone. So a runtime with
//!   powers enters all that is joined before the birth, and goes back. One without powers gets them from the
//!   user namespace that it joins, and so joins that first.
//! - What is new must belong to the user namespace; but clone3 makes it belong to that of the caller. So a
//!   process that has joined a user namespace is born a second time, with the new ones.
//! - The view of a container is always made in a new mount namespace. One that shares that of the runtime or
//!   of others goes there when all is mounted, and takes its root along (docs/adr/0014-shared-mounts.md).

mod check;
mod kind;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::Errno;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxNamespace, Spec};

use crate::bundle::finding::Pointer;
use crate::bundle::path::OutsidePath;
use crate::host::Host;
use crate::plan::{HostAction, Plan};

pub use check::findings;
pub use kind::{KINDS, file_of, kind_of, name_of, names_of, open_of_kind};

const FEATURE: &str = "namespaces";

/// The namespaces of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The CLONE_NEW* flags of those that are made.
    pub new: u64,
    /// Those that exist already, the user namespace first.
    pub joined: Vec<Joined>,
    /// Has the runtime no power over the namespaces of the host, because it is in a user namespace itself?
    pub nested: bool,
    pub cloner: Cloner,
}

/// Who clones the trees of the host that become mounts of the container (open_tree(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloner {
    /// The runtime, before the container exists.
    #[default]
    Runtime,
    /// The child, in its own mount namespace: the runtime has no power over the one in which it stands.
    Child,
}

/// A namespace that exists already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub kind: u64,
    pub path: OutsidePath,
    pub at: Pointer,
    pub by: Joiner,
}

/// Who enters a namespace that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joiner {
    /// The runtime, before the birth; the newborn inherits it.
    Host,
    /// The newborn.
    Child,
}

impl Namespaces {
    /// Is one of this kind made?
    pub fn makes(&self, kind: u64) -> bool {
        self.new & kind != 0
    }

    /// Does the container have one of its own, new or joined?
    pub fn has(&self, kind: u64) -> bool {
        self.makes(kind) || self.joined.iter().any(|joined| joined.kind == kind)
    }

    /// The same on this machine. A path to a namespace in which the runtime itself stands leads nowhere new:
    /// it is as if the type were not listed.
    pub fn on(mut self, host: &Host) -> Self {
        self.nested = host.nested;
        self.cloner = if host.powers.clones_mounts { Cloner::Runtime } else { Cloner::Child };
        self.joined.retain(|joined| !host.stands_in(joined.kind, joined.path.as_path()));
        let loses_powers = self.has(flag::USER) && host.powers.administers;
        // Who is born a second time anyhow can be born into the pid namespace that he has joined by then.
        let gains_powers = self.joins_users() && !host.powers.administers;
        for joined in &mut self.joined {
            let early = match joined.kind {
                flag::PID => !gains_powers,
                kind => loses_powers && is_inherited(kind),
            };
            joined.by = if early { Joiner::Host } else { Joiner::Child };
        }
        self
    }

    /// Is there a new network namespace that need not belong to a user namespace of the container's own, and
    /// that the runtime can make for it? It must be able to go back to its own (setns(2)).
    pub fn network_is_the_hosts(&self) -> bool {
        self.makes(flag::NETWORK) && !self.has(flag::USER) && !self.nested
    }

    /// The new ones that one clone3 makes.
    fn made_by_clone(&self) -> u64 {
        let beside = if self.network_is_the_hosts() { flag::NETWORK } else { 0 };
        (self.new | flag::MOUNT) & !(flag::CGROUP | flag::TIME | beside)
    }

    /// Is the user namespace one that exists already?
    fn joins_users(&self) -> bool {
        self.joined.iter().any(|joined| joined.kind == flag::USER)
    }
}

/// Can a newborn have it from its parent, and keep it while it is set up?
fn is_inherited(kind: u64) -> bool {
    kind != flag::USER && kind != flag::MOUNT
}

fn entries(spec: &Spec) -> &[LinuxNamespace] {
    let linux = spec.linux().as_ref();
    linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default()
}

/// The path of an entry that joins; an empty one means new, as engines write it.
fn path_of(entry: &LinuxNamespace) -> Option<&Path> {
    entry.path().as_deref().filter(|path| !path.as_os_str().is_empty())
}

pub fn resolve(spec: &Spec) -> Namespaces {
    let mut namespaces = Namespaces::default();
    for (index, entry) in entries(spec).iter().enumerate() {
        let kind = kind_of(entry.typ());
        match path_of(entry).and_then(|path| OutsidePath::new(Path::new("/"), path)) {
            None => namespaces.new |= kind,
            Some(path) => {
                let at = Pointer::from("/linux/namespaces").index(index).key("path");
                namespaces.joined.push(Joined { kind, path, at, by: Joiner::Child });
            }
        }
    }
    namespaces.joined.sort_by_key(|joined| joined.kind != flag::USER);
    namespaces
}

/// A namespace that the host has opened and the child joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub slot: Slot,
    /// CLONE_NEW*.
    pub kind: u64,
    pub at: Pointer,
}

/// Before the birth: opens what is joined, and enters what the newborn inherits.
pub fn prepare(namespaces: &Namespaces, plan: &mut Plan) -> Vec<Opened> {
    let mut opened = Vec::new();
    let mut entered = Vec::new();
    for joined in &namespaces.joined {
        let slot = plan.new_slot();
        let open = HostAction::OpenNamespace { path: joined.path.clone(), kind: joined.kind, slot };
        plan.host(FEATURE, open, format!("the container shares this {} namespace", name_of(joined.kind)))
            .at(joined.at.clone());
        let one = Opened { slot, kind: joined.kind, at: joined.at.clone() };
        match joined.by {
            Joiner::Host => entered.push(one),
            Joiner::Child => opened.push(one),
        }
    }
    if !namespaces.has(flag::MOUNT) {
        opened.push(open_own_mounts(plan));
    }
    for Opened { slot, kind, at } in entered {
        let why = match kind {
            flag::PID => "a process never changes its own pid namespace, only that of its children",
            _ => "the newborn inherits it: inside its user namespace it has no powers over it",
        };
        plan.host(FEATURE, HostAction::EnterNamespace { slot, kind }, why).at(at);
    }
    opened
}

/// The runtime's own mount namespace, for a container that lists none.
fn open_own_mounts(plan: &mut Plan) -> Opened {
    let (slot, kind, at) = (plan.new_slot(), flag::MOUNT, Pointer::from("/linux/namespaces"));
    let path = OutsidePath::new(Path::new("/"), Path::new("/proc/self/ns/mnt")).expect("no NUL");
    let why = "no mount namespace is listed: the container ends up in that of the runtime";
    plan.host(FEATURE, HostAction::OpenNamespace { path, kind, slot }, why).at(at.clone());
    Opened { slot, kind, at }
}

/// The birth itself.
pub fn birth(namespaces: &Namespaces, plan: &mut Plan) {
    let (kinds, why) = match namespaces.joins_users() {
        false => {
            let why = "one clone3 makes the process with all its new namespaces, inside its cgroup";
            (namespaces.made_by_clone(), why)
        }
        true => {
            (0, "inside its cgroup; its namespaces must belong to the user namespace that it joins first")
        }
    };
    plan.host(FEATURE, HostAction::GiveBirth { kinds }, why).at("/linux/namespaces");
}

/// After the birth: joins, and makes the cgroup namespace.
pub fn steps(namespaces: &Namespaces, opened: &[Opened], plan: &mut Plan) {
    let is_early_time = |joined: &&Joined| joined.kind == flag::TIME && joined.by == Joiner::Host;
    if let Some(joined) = namespaces.joined.iter().find(is_early_time) {
        let why = "nobody changes it who shares memory with a newborn, and that one has its own by now";
        plan.host(FEATURE, HostAction::ReturnToOwnTime, why).at(joined.at.clone());
    }
    for Opened { slot, kind, at } in opened.iter().filter(|opened| opened.kind != flag::MOUNT) {
        let why = format!("the process moves into the {} namespace that was opened for it", name_of(*kind));
        let join = Operation::JoinNamespace { namespace: *slot, kind: *kind };
        plan.child(FEATURE, join, why).at(at.clone());
    }
    if namespaces.joins_users() {
        let rebirth = Operation::Rebirth { kinds: namespaces.made_by_clone() };
        let why = "a second clone3 makes the new namespaces: now they belong to the joined user namespace";
        plan.child(FEATURE, rebirth, why).at("/linux/namespaces");
        let why = "it is our child by CLONE_PARENT; the first one has done its part";
        plan.host(FEATURE, HostAction::AdoptReborn, why).at("/linux/namespaces");
    }
    if namespaces.makes(flag::CGROUP) {
        let leave = Operation::LeaveNamespaces { kinds: flag::CGROUP };
        let why = "the cgroup in which the process stands now becomes the root of what it sees";
        plan.child(FEATURE, leave, why).at("/linux/namespaces");
    }
}

/// When nothing more is mounted: a container that shares a mount namespace goes there.
pub fn move_mounts(opened: &[Opened], plan: &mut Plan) {
    for Opened { slot, at, .. } in opened.iter().filter(|opened| opened.kind == flag::MOUNT) {
        let why = "the finished tree comes along as root, attached to nothing: no mount of others changes";
        plan.child(FEATURE, Operation::JoinMountNamespace { namespace: *slot }, why).at(at.clone());
    }
}

/// The CLONE_NEW* flags of those namespaces of a process that are not our own.
pub fn foreign(pid: i32) -> u64 {
    let (own, its) = (observe(std::process::id() as i32), observe(pid));
    let differs = |kind: &&u64| {
        let of =
            |all: &[(&str, u64)]| all.iter().find(|(name, _)| *name == name_of(**kind)).map(|found| found.1);
        of(&own) != of(&its)
    };
    KINDS.iter().filter(differs).fold(0, |kinds, kind| kinds | kind)
}

/// What usually mends it when the birth is refused (clone3(2)).
pub fn cure_of_birth(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EPERM => {
            "is this inside another container? It must allow clone3(2) with new namespaces. As an ordinary \
             user: does the machine let users make them (sysctl kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns)?"
        }
        Errno::ENOENT => {
            "where cgroup2 is mounted with nsdelegate nobody is born across the border of a cgroup namespace \
             that was joined: leave it out"
        }
        Errno::EAGAIN => "a limit on processes is reached: RLIMIT_NPROC or pids.max",
        _ => return cure_of_making(errno),
    })
}

/// The same for one namespace more.
pub fn cure_of_making(errno: Errno) -> Option<&'static str> {
    matches!(errno, Errno::ENOSPC | Errno::EUSERS)
        .then_some("the number of namespaces is limited: see /proc/sys/user/max_*_namespaces")
}

/// What usually mends it when a namespace cannot be joined (setns(2)).
pub fn cure(operation: &Operation, errno: Errno) -> Option<&'static str> {
    Some(match (operation, errno) {
        (Operation::JoinNamespace { kind: flag::USER, .. }, Errno::EINVAL) => {
            "is it the runtime's own? Then leave the entry out; else it must map user 0 and group 0"
        }
        (Operation::JoinNamespace { .. }, Errno::EPERM) => {
            "does it belong to the user namespace that the container joins or makes?"
        }
        (Operation::JoinMountNamespace { .. }, Errno::EPERM) => {
            "does it belong to the user namespace that the container joins?"
        }
        _ => return None,
    })
}

/// The namespaces of a process, as (word, inode number), from /proc/PID/ns.
pub fn observe(pid: i32) -> Vec<(&'static str, u64)> {
    KINDS
        .iter()
        .filter_map(|kind| {
            let inode = std::fs::metadata(format!("/proc/{pid}/ns/{}", file_of(*kind))).ok()?.ino();
            Some((name_of(*kind), inode))
        })
        .collect()
}
