//! The order of an exec, on one page: another program enters a container that is there already.
//!
//! It must get no more power than the container's first process has, and nothing of the host may be within
//! reach of the container at any moment. So the process joins all namespaces in one call, and gets ready
//! where no process of the container can see it: its pid namespace is still the host's. Only then is it born
//! a second time, inside, as a program that cannot be traced and holds no descriptor but its line to the
//! runtime and its terminal. From there on the tail is that of `compile`, step by step.

use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;

use crate::bundle::Bundle;
use crate::cgroup::systemd::Unit;
use crate::cgroup::{CgroupPath, v1};
use crate::feature::{
    affinity, cgroup, io_priority, keyring, limits, lsm, process, procfs, rdt, scheduler, seccomp, terminal,
};
use crate::plan::request::Request;
use crate::plan::{HostAction, Phase, Plan, compile};
use crate::resctrl::Group;
use crate::state::ProcessId;

/// The way into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The container's first process.
    pub process: ProcessId,
    /// CLONE_NEW* of the namespaces that are not the runtime's own.
    pub kinds: u64,
    pub root: Root,
    pub cgroup: Entrance,
    /// The container's groups in hierarchies of cgroup v1.
    pub bound: Vec<v1::Group>,
    /// The groups of resctrl that the container is in.
    pub groups: Vec<Group>,
}

/// How a program comes into the cgroup of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It is born there.
    Born(CgroupPath),
    /// systemd moves it into the scope, or into the cgroup `below` it: its user may not.
    Moved { unit: Unit, below: String },
    /// The container has none of its own: it stays beside the runtime.
    Stays,
}

/// Which directory is the root of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// That of its mount namespace.
    OfNamespace,
    /// That of its first process: it shares the mount namespace of others.
    OfProcess,
}

/// The plan of a program that enters through `door`. `b` is the configuration of the container with the
/// process of that program.
pub fn enter(b: &Bundle, request: &Request, door: &Door) -> Plan {
    let mut plan = Plan::new();
    birth(b, request, door, &mut plan);
    view(b, request, &mut plan);
    inside(b, door, &mut plan);
    gate(b, request, &mut plan);
    compile::power(b, request, &mut plan);
    compile::exec(b, &mut plan);
    plan
}

fn birth(b: &Bundle, request: &Request, door: &Door, plan: &mut Plan) {
    plan.phase(Phase::Prepare);
    let container = plan.new_slot();
    let open = HostAction::OpenContainer { process: door.process, slot: container };
    plan.host("exec", open, "by descriptor and start time: a number may belong to another process by now");
    let root = (door.root == Root::OfProcess).then(|| plan.new_slot());
    if let Some(slot) = root {
        let why = "the mount namespace is that of others, whose root is not the container's";
        plan.host("exec", HostAction::OpenRootOf { process: door.process, slot }, why);
    }
    match &door.cgroup {
        Entrance::Born(path) => {
            let why = "limits and device rules hold from the first moment";
            plan.host("cgroup", HostAction::OpenCgroup { path: path.clone() }, why);
        }
        Entrance::Moved { unit, .. } => {
            let why = "systemd alone may move a process of this user into the scope";
            plan.host("cgroup", HostAction::ConnectSystemd { manager: unit.manager }, why);
        }
        Entrance::Stays => {}
    }
    terminal::prepare(&request.master, plan);
    affinity::before_exec(&b.affinity, plan);
    plan.phase(Phase::Birth);
    let why =
        "in the container's cgroup and still in the host's namespaces, where the container cannot see it";
    plan.host("exec", HostAction::GiveBirth { kinds: 0 }, why);
    plan.phase(Phase::Identity);
    if let Entrance::Moved { unit, below } = &door.cgroup {
        let join = HostAction::JoinUnit { unit: unit.clone(), below: below.clone() };
        plan.host("cgroup", join, "limits hold before the first step inside");
    }
    rdt::join(&door.groups, plan);
    limits::outside(&b.limits, &b.namespaces, plan);
    cgroup::join_groups(&door.bound, plan);
    affinity::within_exec(&b.affinity, plan);
    let join = Operation::EnterContainer { container, kinds: door.kinds };
    plan.child("exec", join, "all at once: there is no moment in which it is half inside");
    if let Some(root) = root {
        let why = "a mount namespace that is shared has another root, and setns(2) leads there";
        plan.child("exec", Operation::EnterRoot { root }, why);
    }
}

/// Still out of sight.
fn view(b: &Bundle, request: &Request, plan: &mut Plan) {
    plan.phase(Phase::View);
    terminal::open(b.terminal, b.identity.uid, plan);
    terminal::send(b.terminal, &request.master, plan);
    keyring::steps(request.keyring, &request.id, plan);
    process::look_up(&b.process, plan);
}

/// In sight. Session and terminal belong to the process itself, and procfs shows the pid namespace.
fn inside(b: &Bundle, door: &Door, plan: &mut Plan) {
    if door.kinds & flag::PID != 0 {
        let why = "who joins a pid namespace stays outside; only a child of it is born inside";
        plan.child("exec", Operation::Rebirth { kinds: 0 }, why);
        let why = "it is our child by CLONE_PARENT; the first one has done its part";
        plan.host("exec", HostAction::AdoptReborn, why);
    }
    compile::new_session(plan);
    terminal::take(b.terminal, plan);
    if lsm::needs_proc(&b.labels) {
        procfs::steps(plan);
    }
    scheduler::outside(b.scheduler, &b.namespaces, plan);
    io_priority::outside(b.io_priority, &b.namespaces, plan);
}

fn gate(b: &Bundle, request: &Request, plan: &mut Plan) {
    plan.phase(Phase::Gate);
    seccomp::ask_supervisor(&b.filter, plan);
    if let Some(path) = &request.pidfd_socket {
        let why = "whoever called us holds on to this very process, whatever becomes of its number";
        plan.host("exec", HostAction::SendPidfd { path: path.clone() }, why);
    }
    if let Some(path) = &request.pid_file {
        let why = "whoever called us looks there for the process";
        plan.host("exec", HostAction::WritePidFile { path: path.clone() }, why);
    }
    seccomp::let_go(&b.filter, plan);
}
