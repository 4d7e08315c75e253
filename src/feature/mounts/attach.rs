//! In the child: each mount onto its target, in the listed order.

use crate_run_plan::Operation;
use crate_run_plan::operation::depth as source_depth;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, attribute};
use crate_run_sys::namespaces::flag;

use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::mounts::trees::{superblock, tree_change};
use crate::feature::mounts::{FEATURE, Instead, Kind, Mount, Sealing, c, users};
use crate::feature::namespaces::Namespaces;
use crate::feature::rootfs::Rootfs;
use crate::plan::{Link, Plan, TreeChange};

pub fn steps(
    mounts: &[Mount],
    trees: &[Option<Slot>],
    rootfs: &Rootfs,
    namespaces: &Namespaces,
    plan: &mut Plan,
) {
    for (mount, tree) in mounts.iter().zip(trees) {
        if mount.kind == Kind::Change {
            change(mount, plan);
            continue;
        }
        if let Some(kept) = mount.kept {
            let why = "its superblock gets new options later; a path could lead to another one by then";
            plan.child(FEATURE, Operation::KeepMount { mount: kept }, why).at(mount.at.clone());
        }
        one(mount, *tree, rootfs, namespaces, plan);
    }
}

fn one(mount: &Mount, tree: Option<Slot>, rootfs: &Rootfs, namespaces: &Namespaces, plan: &mut Plan) {
    let has_users = namespaces.has(flag::USER);
    let attach =
        tree.map(|tree| Operation::MountTree { tree, target: mount.target.text(), rule: mount.rule() });
    let step = match (&mount.kind, attach) {
        (Kind::New { filesystem, .. }, Some(attach)) if mount.ids.is_some() => {
            plan.child(FEATURE, attach, reason(filesystem, &mount.target))
        }
        (Kind::New { filesystem, source, instead }, attach) => {
            let step = plan.child(FEATURE, new(mount, filesystem, source), reason(filesystem, &mount.target));
            step.alternative = match instead {
                Some(Instead::Late(source)) => Some(late(mount, source, rootfs)),
                Some(Instead::Ready(source)) if attach.is_none() => Some(late(mount, source, rootfs)),
                _ => attach,
            };
            step
        }
        (Kind::Bind { source, .. }, Some(attach)) if !has_users || mount.ids.is_some() => {
            plan.child(FEATURE, attach, format!("{source} of the host appears at {}", mount.target))
        }
        (Kind::Bind { source, link, depth }, attach) => {
            let why =
                format!("{source} of the host appears at {}, with what the host has locked", mount.target);
            let change = tree_change(&mount.options, rootfs);
            let step = plan.child(FEATURE, locked(mount, (source, *link, *depth), &change), why);
            // Root inside may not be let through to the source; the host's own clone, if it may make one, has
            // no locks.
            step.alternative = attach;
            step
        }
        (Kind::CopyUp(_), Some(attach)) => {
            let why = "what was there is in it; what is written to it is gone with the container";
            plan.child(FEATURE, attach, why)
        }
        (Kind::CopyUp(_), None) => {
            plan.child(FEATURE, new(mount, "tmpfs", "tmpfs"), reason("tmpfs", &mount.target))
        }
        (Kind::CopyLink { goal }, _) => {
            let (path, goal) = (mount.target.text(), goal.clone());
            let why = "the source is a symbolic link, and the same link is wanted, not what it leads to";
            plan.child(FEATURE, Operation::CopyLink { path, goal, rule: mount.rule() }, why)
        }
        (Kind::Change, _) => return,
    };
    step.at(mount.at.clone());
}

/// A bind mount that is cloned in the child's own mount namespace.
fn locked(
    mount: &Mount,
    (source, link, depth): (&OutsidePath, Link, Depth),
    change: &TreeChange,
) -> Operation {
    let tree = if depth == Depth::Tree { source_depth::TREE } else { 0 };
    let link = if link == Link::Taken { source_depth::NO_FOLLOW } else { 0 };
    let further = change.further.iter().flat_map(|(kind, depth)| {
        let tree = if *depth == Depth::Tree { source_depth::TREE } else { 0 };
        (*kind as u32 | tree).to_ne_bytes()
    });
    Operation::MountLocked {
        source: source.text(),
        depth: tree | link,
        one_set: change.set,
        one_clear: change.clear,
        one_propagation: change.propagation,
        tree_set: change.tree_set,
        tree_clear: change.tree_clear,
        tree_propagation: change.tree_propagation,
        further: further.collect(),
        target: mount.target.text(),
        rule: mount.rule(),
    }
}

/// A tree of the host that is looked up only when the new filesystem is refused.
fn late(mount: &Mount, source: &OutsidePath, rootfs: &Rootfs) -> Operation {
    let change = users::change_instead(tree_change(&mount.options, rootfs));
    locked(mount, (source, Link::Followed, Depth::Tree), &change)
}

/// When everything in them is made: the mounts that had to be writable until then become read-only.
pub fn seal(mounts: &[Mount], plan: &mut Plan) {
    for mount in mounts.iter().filter(|mount| mount.sealing == Sealing::Later) {
        let read_only = Operation::ChangeMount {
            target: mount.target.text(),
            set: attribute::RDONLY,
            clear: 0,
            propagation: 0,
            tree: 0,
        };
        let why = format!("what belongs into {} is made: it is read-only from now on", mount.target);
        plan.child(FEATURE, read_only, why).at(mount.at.clone());
    }
}

/// The step that makes and attaches a new filesystem.
pub fn new(mount: &Mount, filesystem: &str, source: &str) -> Operation {
    let filesystem = c(filesystem);
    Operation::MountNew {
        options: superblock(&filesystem, &mount.options),
        filesystem,
        source: c(source),
        attributes: mount.attributes(),
        propagation: mount.options.of_new(),
        target: mount.target.text(),
        rule: mount.rule(),
    }
}

/// First the superblock, then the words for the tree, then those for the mount itself; propagation types as
/// they are listed.
fn change(mount: &Mount, plan: &mut Plan) {
    let (options, at) = (&mount.options, &mount.at);
    let why = format!("other options for the mount at {}", mount.target);
    if let Some(kept) = mount.kept {
        let options = options.of_remount().map(c).collect();
        plan.child(FEATURE, Operation::Reconfigure { mount: kept, options }, why.clone()).at(at.clone());
    }
    let mut add = |depth, set, clear, propagation| {
        let target = mount.target.text();
        let tree = u32::from(depth == Depth::Tree);
        let change = Operation::ChangeMount { target, set, clear, propagation, tree };
        plan.child(FEATURE, change, why.clone()).at(at.clone());
    };
    if options.tree_set | options.tree_clear != 0 {
        add(Depth::Tree, options.tree_set, options.tree_clear, 0);
    }
    if options.set | options.clear != 0 {
        add(Depth::One, options.set, options.clear, 0);
    }
    for (kind, depth) in &options.propagation {
        add(*depth, 0, 0, *kind);
    }
}

/// Why a container has such a filesystem.
pub fn reason(filesystem: &str, target: &InsidePath) -> String {
    match filesystem {
        "proc" => {
            "a procfs shows the pid namespace of the process that mounts it: only our own processes".into()
        }
        "sysfs" => "a sysfs shows the network namespace of the process that mounts it".into(),
        "mqueue" => "POSIX message queues of our own ipc namespace".into(),
        "cgroup2" => "seen from our cgroup namespace, our own cgroup is the root of the hierarchy".into(),
        "devpts" => "pseudoterminals of our own, numbered from 0".into(),
        "tmpfs" => format!("memory that is gone with the container, at {target}"),
        other => format!("a {other} filesystem at {target}"),
    }
}
