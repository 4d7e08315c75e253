//! The order of a container's birth, on one page.
//!
//! Every line is a feature, every function a phase, as a lecture takes them. Why a line stands where it
//! stands is said here in one sentence, and in `rules` as something that can be checked.

use crate::bundle::Bundle;
use crate::feature::{
    affinity, capabilities, cgroup, devices, hooks, identity, io_priority, keyring, limits, lsm, masks,
    memory_policy, mounts, namespaces, network, notify, personality, process, procfs, rdt, rootfs, scheduler,
    seccomp, sysctl, terminal, time, uts,
};
use crate::plan::request::{Gate, Request};
use crate::plan::{HostAction, Pace, Phase, Plan};
use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;

/// The container as a plan: its seven phases.
pub fn compile(bundle: &Bundle, request: &Request) -> Plan {
    let mut plan = Plan::new();
    let opened = prepare(bundle, request, &mut plan);
    birth(bundle, &mut plan);
    identity(bundle, &opened, &mut plan);
    view(bundle, request, &opened, &mut plan);
    gate(bundle, request, &mut plan);
    power(bundle, request, &mut plan);
    exec(bundle, &mut plan);
    plan
}

/// Where the child finds what the host has opened for it.
struct Opened {
    /// The namespaces that it joins.
    namespaces: Vec<namespaces::Opened>,
    /// For each mount its detached tree, if it has one.
    trees: Vec<Option<Slot>>,
    /// For each device its node of the host, if it is lent.
    nodes: Vec<Option<Slot>>,
    /// The directory of the socket for READY=1.
    notify: Option<notify::Tree>,
}

/// Everything that can be made before the container exists is made now, each thing with its undo.
fn prepare(b: &Bundle, request: &Request, plan: &mut Plan) -> Opened {
    plan.phase(Phase::Prepare);
    record_intent(plan);
    cgroup::prepare(&b.cgroup, plan);
    rdt::prepare(&b.class, plan);
    rootfs::prepare(&b.rootfs, &b.namespaces, plan);
    let trees = mounts::prepare(&b.mounts, &b.rootfs, &b.namespaces, plan);
    let nodes = devices::prepare(&b.devices, &b.namespaces, plan);
    masks::prepare(&b.masks, &b.namespaces, plan);
    let notify = notify::prepare(&request.notify, request.gate, &b.namespaces, plan);
    terminal::prepare(&request.master, plan);
    gate_opens(request, plan);
    let namespaces = namespaces::prepare(&b.namespaces, plan);
    Opened { namespaces, trees, nodes, notify }
}

/// One clone3 makes the process, its namespaces and its place in the cgroup.
fn birth(b: &Bundle, plan: &mut Plan) {
    plan.phase(Phase::Birth);
    namespaces::birth(&b.namespaces, plan);
}

/// The host says who the newborn is; the newborn waits for its id maps. Then it joins namespaces.
fn identity(b: &Bundle, opened: &Opened, plan: &mut Plan) {
    plan.phase(Phase::Identity);
    identity::maps(&b.identity, plan);
    limits::outside(&b.limits, &b.namespaces, plan);
    cgroup::after_birth(&b.cgroup, plan);
    rdt::after_birth(&b.class, plan);
    namespaces::steps(&b.namespaces, &opened.namespaces, plan);
    affinity::steps(plan);
}

/// What the container sees. The host's tree stays in sight until pivot_root, for hooks and bind sources.
fn view(b: &Bundle, request: &Request, opened: &Opened, plan: &mut Plan) {
    plan.phase(Phase::View);
    rootfs::steps(&b.rootfs, &b.namespaces, plan);
    if time::needs_proc(&b.time) || sysctl::needs_proc(&b.sysctl) || lsm::needs_proc(&b.labels) {
        procfs::steps(plan);
    }
    time::steps(&b.time, plan);
    let (early, late) = b.mounts.split_at(mounts::before_network(&b.mounts));
    let (early_trees, late_trees) = opened.trees.split_at(early.len());
    mounts::steps(early, early_trees, &b.rootfs, &b.namespaces, plan);
    network::steps(&b.namespaces, &b.net_devices, plan);
    mounts::steps(late, late_trees, &b.rootfs, &b.namespaces, plan);
    notify::steps(&opened.notify, plan);
    devices::steps(&b.devices, &opened.nodes, plan);
    terminal::steps(b.terminal, &request.master, &b.mounts, b.identity.uid, plan);
    uts::steps(&b.names, plan);
    sysctl::steps(&b.sysctl, plan);
    cgroup::delegate(b.cgroup_owner, plan);
    cgroup::filter_devices(&b.cgroup, plan);
    hooks::before_pivot(&b.hooks, &b.hook_state(&request.id), plan);
    masks::before_pivot(&b.masks, &b.namespaces, plan);
    rootfs::leave(&b.rootfs, &request.exit, plan);
    process::make_directory(&b.process, plan);
    masks::steps(&b.masks, &b.namespaces, plan);
    new_session(plan);
    terminal::take(b.terminal, plan);
    adopt_null(b, plan);
    keyring::steps(request.keyring, &request.id, plan);
    mounts::seal(&b.mounts, plan);
    rootfs::seal(&b.rootfs, plan);
    namespaces::move_mounts(&opened.namespaces, plan);
    process::look_up(&b.process, plan);
    scheduler::outside(b.scheduler, &b.namespaces, plan);
    io_priority::outside(b.io_priority, &b.namespaces, plan);
}

/// Created. Whatever could fail because of the configuration has failed by now.
fn gate(b: &Bundle, request: &Request, plan: &mut Plan) {
    plan.phase(Phase::Gate);
    seccomp::ask_supervisor(&b.filter, plan);
    record_created(request, plan);
    seccomp::let_go(&b.filter, plan);
    gate_waits(request, plan);
}

/// From here on powers only shrink. Without no_new_privs the filter needs CAP_SYS_ADMIN, so it comes early.
pub(super) fn power(b: &Bundle, request: &Request, plan: &mut Plan) {
    plan.phase(Phase::Power);
    identity::lend_streams(&b.identity, plan);
    personality::steps(b.personality, plan);
    memory_policy::steps(&b.memory_policy, plan);
    scheduler::steps(b.scheduler, &b.namespaces, plan);
    io_priority::steps(b.io_priority, &b.namespaces, plan);
    limits::steps(&b.limits, &b.namespaces, plan);
    process::close_descriptors(request.preserved, plan);
    if !b.process.no_new_privileges {
        let why = "without no_new_privs it takes CAP_SYS_ADMIN, which is still there now";
        seccomp::steps(&b.filter, why, plan);
    }
    capabilities::bounding(&b.capabilities, plan);
    lsm::steps(&b.labels, plan);
    identity::steps(&b.identity, plan);
    process::enter_again(&b.process, plan);
    capabilities::steps(&b.capabilities, plan);
    process::no_new_privileges(&b.process, plan);
    identity::umask(&b.identity, plan);
    verify(b, plan);
    hooks::before_program(&b.hooks, &b.hook_state(&request.id), plan);
}

/// What was set is read back: a call may do less than it says. A filter that is in place may forbid to ask.
fn verify(b: &Bundle, plan: &mut Plan) {
    let in_place = b.filter.as_ref().filter(|_| !b.process.no_new_privileges);
    identity::verify(&b.identity, in_place, plan);
    capabilities::verify(&b.capabilities, in_place, plan);
    process::verify(&b.process, plan);
    lsm::verify(&b.labels, in_place, plan);
    if in_place.is_some() {
        seccomp::verify(&b.filter, plan);
    }
}

/// The last word is said before the filter, which need not allow it.
pub(super) fn exec(b: &Bundle, plan: &mut Plan) {
    plan.phase(Phase::Exec);
    process::announce(plan);
    if b.process.no_new_privileges {
        let why = "last of all: it need not allow what our own steps do";
        seccomp::steps(&b.filter, why, plan);
        seccomp::verify(&b.filter, plan);
    }
    process::execute(&b.process, &b.environment, plan);
}

fn record_intent(plan: &mut Plan) {
    plan.host("state", HostAction::ReserveId, "an id names one container; its directory is its lock");
    let why = "written before anything is made: whatever happens, delete --force knows what to look for";
    plan.host("state", HostAction::RecordIntent, why);
}

fn gate_opens(request: &Request, plan: &mut Plan) {
    if request.gate == Gate::Closed {
        let why = "start will connect to this socket, and learn through it whether the program runs";
        plan.host("state", HostAction::OpenGate, why);
    }
}

fn record_created(request: &Request, plan: &mut Plan) {
    if let Some(path) = &request.pidfd_socket {
        let why = "whoever called us holds on to this very process, whatever becomes of its number";
        plan.host("state", HostAction::SendPidfd { path: path.clone() }, why);
    }
    let pace = match request.gate {
        Gate::Closed => Pace::InTurn,
        // Nobody waits for this moment: the process is written down while the child works.
        Gate::Open => Pace::Ahead,
    };
    let why = "from now on the container exists, also if the runtime dies";
    plan.host("state", HostAction::RecordCreated, why).pace = pace;
    if let Some(path) = &request.pid_file {
        let why = "whoever called us looks there for the process";
        plan.host("state", HostAction::WritePidFile { path: path.clone() }, why).pace = pace;
    }
}

fn gate_waits(request: &Request, plan: &mut Plan) {
    if request.gate == Gate::Closed {
        let why = "created: the program waits for start";
        plan.child("state", Operation::Park { gate: Slot::GATE }, why);
    }
}

pub(super) fn new_session(plan: &mut Plan) {
    let why = "no controlling terminal of the host: what is typed there cannot be faked from inside";
    plan.child("terminal", Operation::NewSession {}, why);
}

fn adopt_null(bundle: &Bundle, plan: &mut Plan) {
    if bundle.null_streams && bundle.terminal == terminal::Terminal::None {
        devices::adopt_null(plan);
    }
}
