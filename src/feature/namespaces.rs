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
//! - A pid namespace that is joined counts for children only: the runtime enters it before the birth.
//! - A user namespace is joined first: it gives the powers to join what it owns. What is new must belong to
//!   it as well; but clone3 makes it belong to the user namespace of the caller. So the process that has
//!   joined is born a second time, with the new ones.

use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::OutsidePath;
use crate::error::plain;
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "namespaces";

/// The namespaces of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The CLONE_NEW* flags of those that are made.
    pub new: u64,
    /// Those that exist already, the user namespace first.
    pub joined: Vec<Joined>,
}

/// A namespace that exists already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub kind: u64,
    pub path: OutsidePath,
    pub at: Pointer,
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

    /// Is there a new network namespace that need not belong to a user namespace of the container's own?
    pub fn network_is_the_hosts(&self) -> bool {
        self.makes(flag::NETWORK) && !self.has(flag::USER)
    }

    /// The new ones that one clone3 makes.
    fn made_by_clone(&self) -> u64 {
        let beside = if self.network_is_the_hosts() { flag::NETWORK } else { 0 };
        self.new & !(flag::CGROUP | flag::TIME | beside)
    }

    /// Is the user namespace one that exists already?
    fn joins_users(&self) -> bool {
        self.joined.iter().any(|joined| joined.kind == flag::USER)
    }

    /// Is anything joined that the child must enter itself?
    fn joined_by_child(&self) -> impl Iterator<Item = &Joined> {
        self.joined.iter().filter(|joined| joined.kind != flag::PID)
    }
}

/// The CLONE_NEW* flag of a type.
pub fn kind_of(typ: LinuxNamespaceType) -> u64 {
    match typ {
        LinuxNamespaceType::Mount => flag::MOUNT,
        LinuxNamespaceType::Cgroup => flag::CGROUP,
        LinuxNamespaceType::Uts => flag::UTS,
        LinuxNamespaceType::Ipc => flag::IPC,
        LinuxNamespaceType::User => flag::USER,
        LinuxNamespaceType::Pid => flag::PID,
        LinuxNamespaceType::Network => flag::NETWORK,
        LinuxNamespaceType::Time => flag::TIME,
    }
}

/// The word of config.json for a CLONE_NEW* flag.
pub fn name_of(kind: u64) -> &'static str {
    match kind {
        flag::MOUNT => "mount",
        flag::CGROUP => "cgroup",
        flag::UTS => "uts",
        flag::IPC => "ipc",
        flag::USER => "user",
        flag::PID => "pid",
        flag::NETWORK => "network",
        flag::TIME => "time",
        _ => "unknown",
    }
}

/// Every kind, in the order of `config-linux.md`.
pub const KINDS: [u64; 8] =
    [flag::PID, flag::NETWORK, flag::MOUNT, flag::IPC, flag::UTS, flag::USER, flag::CGROUP, flag::TIME];

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
                namespaces.joined.push(Joined { kind, path, at });
            }
        }
    }
    namespaces.joined.sort_by_key(|joined| joined.kind != flag::USER);
    namespaces
}

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let mut found = Vec::new();
    let list = Pointer::from("/linux/namespaces");
    let mut seen = 0;
    for (index, entry) in entries(spec).iter().enumerate() {
        let (kind, at) = (kind_of(entry.typ()), list.index(index));
        let name = name_of(kind);
        if seen & kind != 0 {
            let message = format!("the namespace type {name:?} is listed twice");
            found.push(Finding::error(at.clone(), message).cure("keep one entry for each type"));
        }
        seen |= kind;
        if let Some(path) = path_of(entry) {
            found.extend(path_findings(path, kind, &at.key("path")));
        }
    }
    if seen & flag::MOUNT == 0 {
        let message = "a container needs a mount namespace: its root would replace the root of the host";
        let cure = "add {\"type\": \"mount\"} to linux.namespaces";
        found.push(Finding::error(list, message).cure(cure));
    }
    found
}

fn path_findings(path: &Path, kind: u64, at: &Pointer) -> Vec<Finding> {
    let shown = path.display();
    if !path.is_absolute() {
        let message = format!("the namespace path {shown:?} is not absolute");
        return vec![Finding::error(at.clone(), message).cure("give a path such as /proc/PID/ns/net")];
    }
    if kind == flag::MOUNT {
        let message = "joining an existing mount namespace is not supported: its root is not ours to change";
        return vec![
            Finding::error(at.clone(), message).cure("leave the path out, for a new mount namespace"),
        ];
    }
    match std::fs::metadata(path) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let message = format!("the namespace {shown} cannot be opened: {}", plain(&error));
            vec![Finding::error(at.clone(), message).cure("is the process that owns it still running?")]
        }
    }
}

/// A namespace that the host has opened and the child joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub slot: Slot,
    /// CLONE_NEW*.
    pub kind: u64,
    pub at: Pointer,
}

/// Before the birth: opens what is joined, and enters the pid namespace.
pub fn prepare(namespaces: &Namespaces, plan: &mut Plan) -> Vec<Opened> {
    let mut opened = Vec::new();
    for joined in &namespaces.joined {
        let slot = plan.new_slot();
        let open = HostAction::OpenNamespace { path: joined.path.clone(), kind: joined.kind, slot };
        plan.host(FEATURE, open, format!("the container shares this {} namespace", name_of(joined.kind)))
            .at(joined.at.clone());
        if joined.kind == flag::PID {
            let why = "a process never changes its own pid namespace, only that of its children";
            plan.host(FEATURE, HostAction::JoinPidNamespace { slot }, why).at(joined.at.clone());
        } else {
            opened.push(Opened { slot, kind: joined.kind, at: joined.at.clone() });
        }
    }
    opened
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
    debug_assert_eq!(opened.len(), namespaces.joined_by_child().count());
    for Opened { slot, kind, at } in opened {
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

/// The namespaces of a process, as (word, inode number), from /proc/PID/ns.
pub fn observe(pid: i32) -> Vec<(&'static str, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = |kind| match kind {
        flag::MOUNT => "mnt",
        flag::NETWORK => "net",
        other => name_of(other),
    };
    KINDS
        .iter()
        .filter_map(|kind| {
            let inode = std::fs::metadata(format!("/proc/{pid}/ns/{}", file(*kind))).ok()?.ino();
            Some((name_of(*kind), inode))
        })
        .collect()
}
