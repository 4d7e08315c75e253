//! # Readiness: a service manager hears when the program is ready
//!
//! A service manager names a socket in NOTIFY_SOCKET and waits there for READY=1. The program must not have
//! that socket: whoever may write to it can say much more, such as which process is the service. So it gets a
//! socket of its own at /run/notify, and the runtime passes on one line, READY=1.
//!
//! The directory of that socket lies beside the state of the container and is made with it; the socket itself
//! is bound by the command that starts the program, `run` or `start`, and `src/launch/notify.rs` listens.
//! Without NOTIFY_SOCKET there is none of this.
//!
//! Source: sd_notify(3). runc and crun do the same.
//!
//! Order: after all mounts of the configuration, for engines like to mount a tmpfs on /run.

use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::operation::depth;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, attribute};

use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::namespaces::{Cloner, Namespaces};
use crate::plan::request::Gate;
use crate::plan::{HostAction, Link, Plan, TreeChange};

const FEATURE: &str = "notify";

/// Where the program finds the socket.
const INSIDE: &str = "/run/notify";
/// Nothing can be made, executed or opened as a device there.
const CLOSED: u64 = attribute::RDONLY | attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;

/// The directory, on its way into the container.
pub enum Tree {
    /// A clone that the host has made.
    Ready(Slot),
    /// To be cloned by the child: the host's half may not.
    Of(OutsidePath),
}

/// The name of the socket in its directory.
pub const SOCKET: &str = "notify.sock";

/// The variable that names it.
pub const VARIABLE: &str = "NOTIFY_SOCKET";

/// The variable of the program.
pub fn variable() -> String {
    format!("{VARIABLE}={INSIDE}/{SOCKET}")
}

/// The directory of the socket, for a container whose state lies in `container`; `None` unless the caller of
/// the runtime wants to be notified.
pub fn directory(container: &Path) -> Option<OutsidePath> {
    std::env::var_os(VARIABLE).filter(|address| !address.is_empty())?;
    OutsidePath::new(container, Path::new("notify"))
}

/// Before the birth.
pub fn prepare(
    directory: &Option<OutsidePath>,
    gate: Gate,
    namespaces: &Namespaces,
    plan: &mut Plan,
) -> Option<Tree> {
    let directory = directory.as_ref()?;
    let make = HostAction::MakeNotifyDirectory { path: directory.clone() };
    plan.host(FEATURE, make, "the socket for READY=1 will lie in it, and nothing else");
    if gate == Gate::Open {
        let why = "bound before the program can look for it; start does it for a created container";
        plan.host(FEATURE, HostAction::BindNotifySocket { directory: directory.clone() }, why);
    }
    if namespaces.cloner == Cloner::Child {
        return Some(Tree::Of(directory.clone()));
    }
    let slot = plan.new_slot();
    let clone = HostAction::CloneTree {
        source: directory.clone(),
        link: Link::Taken,
        depth: Depth::One,
        change: TreeChange { set: CLOSED, ..TreeChange::default() },
        slot,
    };
    plan.host(FEATURE, clone, "this directory alone, of all that belongs to the container's state");
    Some(Tree::Ready(slot))
}

/// When everything else is mounted.
pub fn steps(tree: &Option<Tree>, plan: &mut Plan) {
    let (Some(tree), Some(target)) = (tree, InsidePath::new(INSIDE)) else { return };
    let target = target.text();
    let mount = match tree {
        Tree::Ready(tree) => Operation::MountTree { tree: *tree, target, rule: 0 },
        Tree::Of(directory) => Operation::MountLocked {
            source: directory.text(),
            depth: depth::NO_FOLLOW,
            one_set: CLOSED,
            one_clear: 0,
            one_propagation: 0,
            tree_set: 0,
            tree_clear: 0,
            tree_propagation: 0,
            further: Vec::new(),
            target,
            rule: 0,
        },
    };
    plan.child(FEATURE, mount, "the program finds its socket there, whatever is mounted on /run");
}
