//! A step: who does what, why, and where `config.json` asked for it.

use std::borrow::Cow;
use std::ffi::CString;

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, propagation};
use crate_run_sys::scheduling::Attributes;

use crate::bundle::finding::Pointer;
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::cgroup::memory::MemoryCheck;
use crate::cgroup::systemd::{Manager, Property, Unit};
use crate::cgroup::v1::Group;
use crate::cgroup::{CgroupPath, Setting};
use crate::feature::hooks::Hook;
use crate::feature::identity::Writers;
use crate::feature::rdt::Missing;
use crate::resctrl;
use crate::state::ProcessId;

/// The seven phases of a container's birth, in the order a lecture takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The host makes ready what can be made before anything exists.
    Prepare,
    /// One clone3(2) with every new namespace.
    Birth,
    /// Id maps, limits set from outside, joined namespaces: who the newborn is.
    Identity,
    /// What the container sees: root, mounts, devices, names.
    View,
    /// Created: the child waits for `start`.
    Gate,
    /// The irreversible tail: limits, ids, capabilities, seccomp.
    Power,
    /// execve(2).
    Exec,
}

impl Phase {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Birth => "birth",
            Phase::Identity => "identity",
            Phase::View => "view",
            Phase::Gate => "gate",
            Phase::Power => "limits of power",
            Phase::Exec => "exec",
        }
    }
}

/// What the runtime itself does, outside the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAction {
    /// Makes the directory that holds the container's state, and locks it.
    ReserveId,
    /// Writes down what is about to be made, before it is made.
    RecordIntent,
    /// Makes the cgroup and what is missing above it.
    CreateCgroup { path: CgroupPath },
    /// Connects to the systemd that is to make the scope.
    ConnectSystemd { manager: Manager },
    /// Has a scope made with the newborn in it, and waits until it is there.
    StartUnit { unit: Unit, properties: Vec<Property> },
    /// Has the newborn moved into a scope that is there, or into the cgroup `below` it.
    JoinUnit { unit: Unit, below: String },
    /// Makes the container's group in a hierarchy of cgroup v1 and what is missing above it.
    MakeGroup { group: Group },
    /// Moves the newborn into that group.
    JoinGroup { group: Group },
    /// Enables controllers on the way to the cgroup: `needed` ones in any case, `wished` ones where the host
    /// can give them.
    EnableControllers { needed: Vec<String>, wished: Vec<&'static str> },
    /// Refuses limits below what the cgroup holds already.
    CheckMemoryUse { limits: MemoryCheck },
    /// Writes one limit.
    WriteCgroup { setting: Setting },
    /// Makes this user of the container the owner of the cgroup and of the files by which it is divided.
    DelegateCgroup { user: u32 },
    /// Loads the device filter and ties it to the cgroup. `program` is eBPF.
    AttachDeviceFilter { program: Vec<u8> },
    /// Makes a class of resctrl, or finds it there; one that is there must have these lines.
    OpenResctrlGroup { group: resctrl::Group, lines: Vec<String>, missing: Missing },
    /// Writes one line of the schemata of a class.
    WriteSchemata { group: resctrl::Group, line: String },
    /// Makes the group that counts what the container does.
    MakeMonitoringGroup { group: resctrl::Group },
    /// Puts the newborn into a group of resctrl.
    JoinResctrlGroup { group: resctrl::Group },
    /// Opens the root filesystem and goes there, where the child finds it as its working directory. Clones
    /// its tree, unless the child does.
    OpenRoot { path: OutsidePath, clone: Option<TreeChange> },
    /// Makes or opens the user namespace whose id maps a mount takes, for the runtime's own use.
    MapIds { ids: Ids, slot: Slot },
    /// Clones the tree of a bind mount's source, and sets its attributes while nobody can see it.
    CloneTree { source: OutsidePath, link: Link, depth: Depth, change: TreeChange, slot: Slot },
    /// Makes a new filesystem that the container shares with nobody, as a detached mount.
    MakeFilesystem {
        filesystem: CString,
        source: CString,
        options: Vec<CString>,
        change: TreeChange,
        slot: Slot,
    },
    /// Makes a detached tmpfs with a copy of the directory `path` of `tree`; of `uid` and `gid`, if nothing
    /// is there.
    FillTmpfs {
        tree: Slot,
        path: InsidePath,
        options: Vec<CString>,
        uid: u32,
        gid: u32,
        change: TreeChange,
        slot: Slot,
    },
    /// Opens an existing namespace of this CLONE_NEW* type.
    OpenNamespace { path: OutsidePath, kind: u64, slot: Slot },
    /// Opens a pidfd of the first process of a container, in whose namespaces another program is to run.
    OpenContainer { process: ProcessId, slot: Slot },
    /// Opens the root directory of that process, which is not that of its mount namespace.
    OpenRootOf { process: ProcessId, slot: Slot },
    /// Opens an existing cgroup, for the newborn to be born in.
    OpenCgroup { path: CgroupPath },
    /// Enters a namespace of this CLONE_NEW* type until the newborn has inherited it.
    EnterNamespace { slot: Slot, kind: u64 },
    /// Makes the directory of the socket at which the program says that it is ready.
    MakeNotifyDirectory { path: OutsidePath },
    /// Binds that socket.
    BindNotifySocket { directory: OutsidePath },
    /// Makes the socket at which the created container waits.
    OpenGate,
    /// Connects to the socket that wants the terminal.
    ConnectConsole { path: OutsidePath },
    /// Goes back from a time namespace that was entered for the birth. From others the runtime returns at
    /// once.
    ReturnToOwnTime,
    /// clone3(2) and execve(2) of the sealed child.
    GiveBirth { kinds: u64 },
    /// Reaps the first process and takes the reborn one in its place.
    AdoptReborn,
    /// Writes gid_map and uid_map of the newborn (user_namespaces(7)).
    WriteIdMaps { uids: String, gids: String, writers: Writers },
    /// Writes oom_score_adj of the newborn.
    SetOomScore { value: i32 },
    /// Moves the runtime itself to these processors, one bit each, for what it still has to do.
    RunOn { processors: Vec<u8> },
    /// Makes a network namespace, and leaves it again; it goes to the child with the next word.
    MakeNetwork,
    /// Moves a network interface into the newborn's network namespace, where it is called `inside`.
    MoveNetDevice { name: String, inside: String },
    /// Sets a limit of the newborn (prlimit(2)).
    SetLimit { resource: u32, soft: u64, hard: u64 },
    /// Sets policy and priority of the newborn (sched_setattr(2)).
    SetScheduler { attributes: Attributes },
    /// Sets the I/O priority of the newborn's process group (ioprio_set(2)).
    SetIoPriority { priority: u32 },
    /// Writes timens_offsets of the newborn (time_namespaces(7)).
    WriteTimeOffsets { offsets: String },
    /// Runs a hook in the runtime's namespaces.
    RunHook { hook: Hook, kind: &'static str, index: usize },
    /// Takes the newborn's seccomp listener and sends it to the supervisor that listens at `path`.
    SendListener { path: OutsidePath, metadata: Option<String> },
    /// Sends a pidfd of the newborn to a socket of the caller.
    SendPidfd { path: OutsidePath },
    /// Writes down the first process, and with a closed gate that the container is created.
    RecordCreated,
    /// Writes the number of the first process to a file of the caller.
    WritePidFile { path: OutsidePath },
}

/// What changes on a cloned tree before it is attached: first the whole tree, then the mount itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeChange {
    /// MOUNT_ATTR_* to set and to clear on the mount itself.
    pub set: u64,
    pub clear: u64,
    /// A propagation type for it, or 0.
    pub propagation: u64,
    /// The same on the whole tree (the options rro, rnosuid and so on).
    pub tree_set: u64,
    pub tree_clear: u64,
    pub tree_propagation: u64,
    /// More propagation types, in order: a slave that is then shared is both.
    pub further: Vec<(u64, Depth)>,
    /// The user namespace whose id maps it takes, with how deep that goes.
    pub ids: Option<(Slot, Depth)>,
}

impl TreeChange {
    /// For a clone of something of the host that nobody asked to be shared: what is mounted on it inside
    /// must not appear on the host, where systemd makes every mount shared (mount_namespaces(7)).
    pub fn of_private_clone() -> Self {
        Self { propagation: propagation::PRIVATE, ..Self::default() }
    }
}

/// Where the id maps of a mount come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Lines of uid_map and gid_map (user_namespaces(7)).
    Maps { uids: String, gids: String },
    /// A user namespace that exists already.
    Of(OutsidePath),
}

/// What a symbolic link at the end of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The way to the source.
    Followed,
    /// The source itself.
    Taken,
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The runtime, in the namespaces of its caller.
    Host(HostAction),
    /// The sealed child, inside the container.
    Child(Operation),
}

/// When the runtime carries out a step that comes after the birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// When the child has done everything before it, and waits.
    InTurn,
    /// As soon as the runtime has done its own steps before it, while the child works. Its place in the list
    /// is the latest: the child does not go on to the next step before the runtime has done it.
    Ahead,
}

/// One entry of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub phase: Phase,
    /// Says nothing about steps of the child.
    pub pace: Pace,
    /// The file in src/feature that this step comes from.
    pub feature: &'static str,
    pub action: Action,
    /// The other way to do it, for what only the running kernel can answer.
    pub alternative: Option<Operation>,
    /// One sentence without a full stop.
    pub why: Cow<'static, str>,
    /// The place of `config.json` that asks for it.
    pub at: Option<Pointer>,
}

impl Step {
    /// Names the place that asks for this step.
    pub fn at(&mut self, pointer: impl Into<Pointer>) -> &mut Self {
        self.at = Some(pointer.into());
        self
    }

    /// Lets the runtime do it while the child is still busy with the steps before.
    pub fn ahead(&mut self) -> &mut Self {
        self.pace = Pace::Ahead;
        self
    }

    /// Names another way, taken when this one fails.
    pub fn or(&mut self, operation: Operation) -> &mut Self {
        self.alternative = Some(operation);
        self
    }
}

/// The container as a value: what will be done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
    phase: Option<Phase>,
    slots: u16,
}

impl Plan {
    /// A plan of nothing.
    pub fn new() -> Self {
        Self { steps: Vec::with_capacity(128), phase: None, slots: Slot::FIRST_FREE }
    }

    /// Begins a phase.
    pub fn phase(&mut self, phase: Phase) {
        self.phase = Some(phase);
    }

    /// Appends a step of the runtime.
    pub fn host(
        &mut self,
        feature: &'static str,
        action: HostAction,
        why: impl Into<Cow<'static, str>>,
    ) -> &mut Step {
        self.push(feature, Action::Host(action), why.into())
    }

    /// Appends a step of the child.
    pub fn child(
        &mut self,
        feature: &'static str,
        operation: Operation,
        why: impl Into<Cow<'static, str>>,
    ) -> &mut Step {
        self.push(feature, Action::Child(operation), why.into())
    }

    fn push(&mut self, feature: &'static str, action: Action, why: Cow<'static, str>) -> &mut Step {
        let phase = self.phase.expect("compile begins with a phase");
        self.steps.push(Step {
            phase,
            pace: Pace::InTurn,
            feature,
            action,
            alternative: None,
            why,
            at: None,
        });
        self.steps.last_mut().expect("just pushed")
    }

    /// A slot that no other step has.
    pub fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        Slot(self.slots - 1)
    }
}
