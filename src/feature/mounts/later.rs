//! Mounts that come when the container runs already.
//!
//! What shows a namespace is made with the container, by a process that stands in it; and what the image has
//! to say (tmpcopyup) or what is there already (remount) is the container's by now.

use crate_run_plan::Operation;
use crate_run_plan::operation::MOST_LATER;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{attribute, needs_mount};
use crate_run_sys::namespaces::flag;

use crate::bundle::finding::{Finding, Pointer};
use crate::feature::mounts::attach::{new, reason};
use crate::feature::mounts::trees::superblock;
use crate::feature::mounts::{FEATURE, Kind, Mount, Sealing, c};
use crate::feature::namespaces::Namespaces;
use crate::plan::Plan;

/// Filesystems that show a namespace of the process that mounts them, or of the container.
const SHOW_NAMESPACES: [&str; 5] = ["proc", "sysfs", "cgroup2", "mqueue", "devpts"];

/// What cannot be added to a container that runs, beside what no container can have.
pub fn later_findings(mounts: &[Mount], namespaces: &Namespaces) -> Vec<Finding> {
    let mut found: Vec<Finding> = mounts.iter().filter_map(later_finding).collect();
    found.extend(mounts.iter().filter_map(path_finding));
    if namespaces.has(flag::USER) {
        found.extend(mounts.iter().filter_map(lock_finding));
    }
    if mounts.len() > MOST_LATER {
        let message = format!("{} mounts are too many at once", mounts.len());
        let cure = format!("add at most {MOST_LATER} at a time");
        found.push(Finding::error(Pointer::from("/mounts"), message).cure(cure));
    }
    found
}

/// The kernel locks what a new mount namespace of another user namespace inherits, and nothing that comes
/// later (mount_namespaces(7)).
fn lock_finding(mount: &Mount) -> Option<Finding> {
    let is_bind = matches!(mount.kind, Kind::Bind { .. });
    let read_only = (mount.options.attributes() | mount.options.tree_set) & attribute::RDONLY != 0;
    (is_bind && read_only).then(|| {
        let message = "with CAP_SYS_ADMIN in its user namespace the container can make this mount writable";
        Finding::error(mount.at.clone(), message).cure("mount it in config.json: then that is locked")
    })
}

/// What would have to be found again by its path, where the container can have put something else meanwhile.
fn path_finding(mount: &Mount) -> Option<Finding> {
    if mount.sealing == Sealing::Later {
        let message = "a read-only tmpfs with other mounts in it is writable until they are there";
        return Some(
            Finding::error(mount.at.clone(), message).cure("leave ro out, or mount it in config.json"),
        );
    }
    let Kind::New { filesystem, .. } = &mount.kind else { return None };
    let options = superblock(&c(filesystem), &mount.options);
    options.iter().any(|option| needs_mount(option)).then(|| {
        let message = "an option of more than 255 bytes, silent and iversion need mount(2), which is not for a \
                       container that runs";
        Finding::error(mount.at.key("options"), message).cure("leave it out, or mount it in config.json")
    })
}

fn later_finding(mount: &Mount) -> Option<Finding> {
    let (message, cure) = match &mount.kind {
        Kind::Change => ("a remount changes what the container has already", "add a new mount over it"),
        Kind::CopyLink { .. } => ("copy-symlink makes a file, no mount", "leave copy-symlink out"),
        Kind::CopyUp(_) => ("tmpcopyup takes what the image has when the container is made", "leave it out"),
        Kind::New { filesystem, .. } if SHOW_NAMESPACES.contains(&filesystem.as_str()) => {
            let cure = "mount it in config.json, or bind what is there";
            let message =
                format!("a {filesystem} shows namespaces, and is mounted when the container is made");
            return Some(Finding::error(mount.at.key("type"), message).cure(cure));
        }
        Kind::New { .. } | Kind::Bind { .. } => return None,
    };
    Some(Finding::error(mount.at.clone(), message).cure(cure))
}

/// In the child that has entered: each mount onto its target, in the listed order.
pub fn later_steps(mounts: &[Mount], trees: &[Option<Slot>], plan: &mut Plan) {
    for (mount, tree) in mounts.iter().zip(trees) {
        let step = match (&mount.kind, tree) {
            (kind, Some(tree)) => {
                let why = match kind {
                    Kind::Bind { source, .. } => format!("{source} of the host appears at {}", mount.target),
                    _ => format!("it appears at {}, complete", mount.target),
                };
                let (tree, target) = (*tree, mount.target.text());
                plan.child(FEATURE, Operation::MountTree { tree, target, rule: mount.rule() }, why)
            }
            (Kind::New { filesystem, source, .. }, None) => {
                plan.child(FEATURE, new(mount, filesystem, source), reason(filesystem, &mount.target))
            }
            _ => continue,
        };
        step.at(mount.at.clone());
    }
}
