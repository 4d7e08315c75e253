//! The order of `mounts add` and `mounts remove`, on one page: mounts of a container that runs already.
//!
//! As at `create`, the runtime clones the trees of the host before anybody sees them, and the child looks up
//! the targets inside. The child enters the container as that of an `exec` does, but for the pid namespace:
//! there it never appears. It executes nothing, and ends when the mounts are in place; when one of them
//! fails, it takes back the others.
//!
//! The runtime has no step after the birth: whatever fails then fails in the child, which can take it back.

use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;

use crate::bundle::Bundle;
use crate::bundle::finding::Pointer;
use crate::bundle::path::InsidePath;
use crate::feature::{mounts, process};
use crate::plan::{HostAction, Phase, Plan};
use crate::state::ProcessId;

/// The way into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The container's first process.
    pub process: ProcessId,
    /// CLONE_NEW* of the namespaces that are not the runtime's own.
    pub kinds: u64,
}

/// The plan that adds the mounts of `b`.
pub fn add(b: &Bundle, way: Way) -> Plan {
    let mut plan = Plan::new();
    plan.phase(Phase::Prepare);
    let trees = mounts::prepare(&b.mounts, &b.rootfs, &b.namespaces, &mut plan);
    enter(way, &mut plan);
    mounts::later_steps(&b.mounts, &trees, &mut plan);
    end(&mut plan);
    plan
}

/// A mount that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub target: InsidePath,
    /// The identities that it can have.
    pub known: Vec<u64>,
    pub at: Pointer,
}

/// The plan that removes these mounts.
pub fn remove(leaving: &[Leaving], way: Way) -> Plan {
    let mut plan = Plan::new();
    plan.phase(Phase::Prepare);
    enter(way, &mut plan);
    for Leaving { target, known, at } in leaving {
        let why = "all are found before the first goes, and only what `mounts add` has put there can go";
        let known = known.iter().flat_map(|identity| identity.to_ne_bytes()).collect();
        let find = Operation::FindMount { target: target.text(), known };
        plan.child("mounts", find, why).at(at.clone());
    }
    let why = "who still uses a file in them keeps it; nobody finds it any more";
    plan.child("mounts", Operation::DetachMounts {}, why);
    end(&mut plan);
    plan
}

fn enter(way: Way, plan: &mut Plan) {
    let container = plan.new_slot();
    let open = HostAction::OpenContainer { process: way.process, slot: container };
    plan.host("mounts", open, "by descriptor and start time: a number may belong to another process by now");
    plan.phase(Phase::Birth);
    plan.host("mounts", HostAction::GiveBirth { kinds: 0 }, "who is to enter the container, and no more");
    plan.phase(Phase::Identity);
    let why = "a mount is detached by its descriptor; no /proc of the container is trusted";
    plan.child("mounts", Operation::OpenDescriptors {}, why);
    let why = "without its pid namespace: no process of the container can see this one";
    let join = Operation::EnterContainer { container, kinds: way.kinds & !flag::PID };
    plan.child("mounts", join, why);
    plan.phase(Phase::View);
}

fn end(plan: &mut Plan) {
    plan.phase(Phase::Exec);
    process::announce(plan);
    plan.child("mounts", Operation::End {}, "its work is done");
}
