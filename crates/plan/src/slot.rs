//! Descriptors that a step makes and a later step uses.
//!
//! A plan is written before any descriptor exists, so it names them by slot. Slots of the child are filled
//! while the child runs (a private procfs, a pseudoterminal). Descriptors that the runtime opens beforehand
//! and the child inherits get their real numbers when the plan is projected.

/// A numbered place for a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u16);

/// How many slots the child itself can fill.
pub const CHILD_SLOTS: usize = 32;

impl Slot {
    /// The root of the container's filesystem, once attached.
    pub const ROOT: Slot = Slot(0);
    /// A detached procfs of the container's pid namespace that nobody else can see or cover.
    pub const PROC: Slot = Slot(1);
    /// The master side of the container's terminal.
    pub const MASTER: Slot = Slot(2);
    /// The other side of the container's terminal.
    pub const TERMINAL: Slot = Slot(3);
    /// An empty read-only directory that hides directories.
    pub const MASK: Slot = Slot(4);
    /// The network namespace that the runtime makes while the child works. It comes with the runtime's word.
    pub const NETWORK: Slot = Slot(5);
    /// A detached mount of a device of the host, on its way to its place.
    pub const LENT: Slot = Slot(6);
    /// The same of the null device that hides files, where the runtime could not clone it.
    pub const OWN_NULL: Slot = Slot(7);
    /// The directory of the child's own descriptors, in the procfs of the host.
    pub const DESCRIPTORS: Slot = Slot(9);
    /// The listener of a seccomp filter that asks a supervisor.
    pub const LISTENER: Slot = Slot(8);

    /// The first slot for a mount that gets new options later; the others follow, up to `CHILD_SLOTS`.
    pub const FIRST_KEPT: Slot = Slot(16);

    /// The first slot that the runtime fills before the birth.
    pub const FIRST_INHERITED: u16 = 64;
    /// The child's end of the line to the runtime.
    pub const LINE: Slot = Slot(64);
    /// The detached tree of the root filesystem.
    pub const ROOT_TREE: Slot = Slot(65);
    /// The socket at which a created container waits for `start`.
    pub const GATE: Slot = Slot(66);
    /// Where the terminal's master side is sent.
    pub const CONSOLE: Slot = Slot(67);
    /// A detached mount of the host's /dev/null, which hides files.
    pub const NULL: Slot = Slot(68);
    /// The first slot for anything of which there can be many: bind sources, namespaces.
    pub const FIRST_FREE: u16 = 80;

    /// Is it the runtime that fills this slot?
    pub fn inherited(self) -> bool {
        self.0 >= Self::FIRST_INHERITED
    }
}

/// A descriptor as the child's program names it: a number that it inherited, or a slot of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A descriptor that was open at birth.
    Inherited(i32),
    /// A slot that an earlier operation has filled.
    Own(usize),
}

impl Handle {
    /// From its form on the wire.
    pub fn decode(number: i32) -> Handle {
        if number >= 0 { Handle::Inherited(number) } else { Handle::Own((-1 - number) as usize) }
    }

    /// To its form on the wire.
    pub fn encode(self) -> i32 {
        match self {
            Handle::Inherited(number) => number,
            Handle::Own(slot) => -1 - slot as i32,
        }
    }
}
