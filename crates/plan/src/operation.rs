//! The operations of the child: everything that can happen inside a container before its program runs.
//!
//! The table below is the whole vocabulary, in chapters. The macro makes two types of it: [`Operation`],
//! which the runtime computes and which owns its strings, and [`Sealed`], which the child reads in place from
//! the bytes of the plan. Each chapter is carried out by a module of the child.

use core::ffi::CStr;

use crate::slot::Handle;
use crate::wire::{Reader, Texts as TextList};

#[cfg(feature = "host")]
use crate::{slot::Slot as SlotNumber, wire::Writer};
#[cfg(feature = "host")]
use alloc::{ffi::CString, vec::Vec};

/// The kinds of fields. Each has a form that owns and a form that borrows from the plan's bytes.
pub mod field {
    /// A C string.
    pub struct Text;
    /// A list of C strings.
    pub struct Texts;
    /// Bytes as they are.
    pub struct Bytes;
    /// 32 bits.
    pub struct Number;
    /// 64 bits.
    pub struct Wide;
    /// A descriptor.
    pub struct Slot;
}
use field::{Bytes, Number, Slot, Text, Texts, Wide};

/// What a kind of field is on either side, and how it travels.
pub trait Field {
    /// The form that the runtime computes.
    #[cfg(feature = "host")]
    type Owned;
    /// The form that the child reads in place.
    type Sealed<'p>;
    /// Reads one from the bytes of a plan.
    fn read<'p>(reader: &mut Reader<'p>) -> Option<Self::Sealed<'p>>;
    /// Appends one to the bytes of a plan.
    #[cfg(feature = "host")]
    fn write(owned: &Self::Owned, writer: &mut Writer);
}

macro_rules! fields {
    ($($kind:ident: $owned:ty, $sealed:ty, $read:expr, $write:expr;)*) => { $(
        impl Field for $kind {
            #[cfg(feature = "host")]
            type Owned = $owned;
            type Sealed<'p> = $sealed;
            fn read<'p>(reader: &mut Reader<'p>) -> Option<$sealed> {
                $read(reader)
            }
            #[cfg(feature = "host")]
            fn write(owned: &$owned, writer: &mut Writer) {
                $write(writer, owned)
            }
        }
    )* };
}

fields! {
    Text: CString, &'p CStr, Reader::text, |w: &mut Writer, v: &CString| w.text(v);
    Texts: Vec<CString>, TextList<'p>, Reader::texts, |w: &mut Writer, v: &Vec<CString>| {
        w.u32(v.len() as u32);
        v.iter().for_each(|text| w.text(text));
    };
    Bytes: Vec<u8>, &'p [u8], Reader::bytes, |w: &mut Writer, v: &Vec<u8>| w.bytes(v);
    Number: u32, u32, Reader::u32, |w: &mut Writer, v: &u32| w.u32(*v);
    Wide: u64, u64, Reader::u64, |w: &mut Writer, v: &u64| w.u64(*v);
    Slot: SlotNumber, Handle, Reader::handle, |w: &mut Writer, v: &SlotNumber| w.slot(*v);
}

macro_rules! operations {
    ($(
        $(#[$about:meta])* $chapter:ident {
            $($(#[$doc:meta])* $code:literal $name:ident { $($field:ident: $kind:ident),* })*
        }
    )*) => {
        /// An operation of the child as the runtime computes it.
        #[cfg(feature = "host")]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation {
            $($($(#[$doc])* $name { $($field: <$kind as Field>::Owned),* },)*)*
        }

        #[cfg(feature = "host")]
        impl Operation {
            /// The name in the table.
            pub fn name(&self) -> &'static str {
                match self { $($(Operation::$name { .. } => stringify!($name),)*)* }
            }

            /// Appends the entry of step `step` to a plan.
            pub fn write(&self, writer: &mut Writer, step: u16, flags: u8) {
                match self {
                    $($(Operation::$name { $($field),* } => {
                        writer.entry(step, $code, flags);
                        $(<$kind as Field>::write($field, writer);)*
                    })*)*
                }
            }
        }

        /// An operation as the child reads it from the plan. Each chapter is carried out by one of its
        /// modules.
        pub enum Sealed<'p> {
            $($(#[$about])* $chapter($chapter<'p>),)*
        }

        $(
            $(#[$about])*
            pub enum $chapter<'p> {
                $($(#[$doc])* $name { $($field: <$kind as Field>::Sealed<'p>),* },)*
            }
        )*

        impl<'p> Sealed<'p> {
            /// Reads the fields of the operation with this code; `None` when the bytes make no sense.
            pub fn read(code: u8, reader: &mut Reader<'p>) -> Option<Self> {
                Some(match code {
                    $($($code => Sealed::$chapter($chapter::$name {
                        $($field: <$kind as Field>::read(reader)?),*
                    }),)*)*
                    _ => return None,
                })
            }
        }
    };
}

operations! {
    /// Talks with the runtime, waits for it, and ends.
    Conversation {
        /// Waits until the runtime has done its steps: sends `Arrived`, continues on the answer.
        1 Meet { }
        /// Waits for the word that the runtime has done what it does while the child works; often it is there
        /// already.
        7 Wait { }
        /// Waits at the gate until `start` comes.
        54 Park { gate: Slot }
        /// Says that only execve is left.
        66 Announce { }
        /// _exit(2): the end of a plan that executes nothing.
        107 End { }
    }

    /// Joins and makes namespaces, and sets the names and parameters inside them.
    Namespaces {
        /// setns(2) into an existing namespace of type `kind` (a CLONE_NEW* flag).
        2 JoinNamespace { namespace: Slot, kind: Wide }
        /// unshare(2) of the namespaces `kinds`, for those that cannot be made at birth.
        3 LeaveNamespaces { kinds: Wide }
        /// Enters the time namespace that `LeaveNamespaces` made (time_namespaces(7)).
        4 EnterTime { }
        /// Makes the private procfs of slot PROC.
        5 OpenProc { }
        /// A second clone3(2), so that the new process belongs to the namespaces just joined.
        6 Rebirth { kinds: Wide }
        /// setns(2) with a pidfd into all namespaces `kinds` of a container at once; its root becomes slot
        /// ROOT.
        130 EnterContainer { container: Slot, kinds: Wide }
        /// chroot(2) into the root of a container's process, which becomes slot ROOT.
        112 EnterRoot { root: Slot }
        /// setns(2) into a mount namespace that is not the container's own, and chroot(2) into a detached
        /// copy of the tree in which the process has stood so far.
        110 JoinMountNamespace { namespace: Slot }
        /// sethostname(2).
        30 SetHostname { name: Text }
        /// setdomainname(2).
        31 SetDomainname { name: Text }
        /// Writes a kernel parameter below /proc/sys through slot PROC; `path` starts with "sys/".
        32 SetParameter { path: Text, value: Bytes }
        /// Sets the loopback interface up.
        33 LoopbackUp { }
    }

    /// Makes the container's view of files: its root, and what is mounted in it.
    Mounts {
        /// mount_setattr(2): the propagation of every mount below "/".
        10 Propagate { kind: Wide, tree: Number }
        /// Attaches the tree of the root filesystem on the working directory, and goes there.
        11 AttachRoot { tree: Slot }
        /// A new filesystem: fsopen, fsconfig for each option, fsmount, and move_mount onto `target` in the
        /// root.
        12 MountNew { filesystem: Text, source: Text, options: Texts, attributes: Wide, propagation: Wide,
                      target: Text, rule: Number }
        /// A prepared detached tree onto `target` in the root.
        13 MountTree { tree: Slot, target: Text, rule: Number }
        /// A clone of a tree of the host, made in the container's own mount namespace, where what the host
        /// has set on its mounts is locked (mount_namespaces(7)), onto `target` in the root. `one_*` change
        /// the mount itself, `tree_*` the whole tree; `further` are more propagation types, one after the
        /// other: 32-bit numbers, with `depth::TREE` for the whole tree.
        25 MountLocked { source: Text, depth: Number, one_set: Wide, one_clear: Wide, one_propagation: Wide,
                         tree_set: Wide, tree_clear: Wide, tree_propagation: Wide, further: Bytes,
                         target: Text, rule: Number }
        /// The same for the tree of the root filesystem, which is the working directory; `propagation` goes
        /// for all of it.
        26 AttachLockedRoot { propagation: Wide }
        /// A clone of one file of the host into slot `tree`, made in the container's own mount namespace.
        27 CloneFile { source: Text, tree: Slot }
        /// symlink(2) of `goal` at `path` in the root; a link that is there already must say the same.
        80 CopyLink { path: Text, goal: Text, rule: Number }
        /// Keeps in `mount` what the next step attaches.
        81 KeepMount { mount: Slot }
        /// New options for the superblock of `mount`: fspick, fsconfig.
        82 Reconfigure { mount: Slot, options: Texts }
        /// mount_setattr(2) on what is mounted at `target`.
        14 ChangeMount { target: Text, set: Wide, clear: Wide, propagation: Wide, tree: Number }
        /// pivot_root(2) into the working directory; the old root is detached.
        18 PivotRoot { }
        /// Detaches a mount of the host that lies at `path`, or covers it with an empty tmpfs; nothing there
        /// is fine.
        28 HideHostMount { path: Text }
        /// Moves the root filesystem onto "/" and calls chroot(2) into it; the host's tree stays below.
        29 MoveRoot { }
        /// Makes the mount of "/" read-only.
        22 ReadOnlyRoot { }
    }

    /// Changes the mounts of a container that runs already.
    LaterMounts {
        /// Opens the child's own /proc/self/fd of the host. From now on mounts are remembered: those that
        /// were attached are detached again when a later step fails.
        83 OpenDescriptors { }
        /// Finds the mount at `target` in the root, and tells its identity, which must be among `known`:
        /// 64-bit words.
        84 FindMount { target: Text, known: Bytes }
        /// umount2(2) of the mounts that were found, the last one first.
        85 DetachMounts { }
    }

    /// Makes nodes and links in /dev and elsewhere.
    Devices {
        /// mknod(2) in the root, or the check that the node that is there is this one.
        16 MakeDevice { path: Text, mode: Number, device: Wide, uid: Number, gid: Number }
        /// A node of the host onto `path` in the root, where nothing is or this very device.
        111 LendDevice { tree: Slot, path: Text, mode: Number, device: Wide }
        /// symlink(2) in the root; replaces a file that is in the way.
        17 MakeLink { path: Text, target: Text }
        /// Where a standard stream is the host's /dev/null, puts the container's in its place.
        23 AdoptNull { }
    }

    /// Hides what the container must not see or change.
    Masks {
        /// Hides a file or a directory; nothing to hide is fine.
        19 MaskPath { path: Text, null: Slot }
        /// Makes the empty read-only directory of slot MASK.
        20 PrepareMask { options: Texts }
        /// Makes a path and all mounts below it read-only; nothing there is fine.
        21 ReadOnlyPath { path: Text }
    }

    /// Gives the container a session and a terminal of its own.
    Terminal {
        /// setsid(2).
        50 NewSession { }
        /// A pseudoterminal from the container's own devpts: slots MASTER and TERMINAL.
        34 OpenTerminal { rows: Number, columns: Number, uid: Number }
        /// Slot TERMINAL shows a line end as it is written, without a carriage return (termios(3), ONLCR).
        38 PlainLineEnds { }
        /// Mounts slot TERMINAL on /dev/console.
        35 MountConsole { }
        /// Sends slot MASTER away, over the line (`LINE`) or a console socket.
        36 SendTerminal { to: Slot }
        /// Makes slot TERMINAL the controlling terminal and the standard streams.
        37 TakeTerminal { }
        /// fchown(2) of the standard streams that are pipes or files.
        39 LendStreams { uid: Number }
    }

    /// Runs hooks inside the container.
    Hooks {
        /// Runs a hook and waits for it; the state it reads is `before`, its pid, `after`.
        55 RunHook { path: Text, arguments: Texts, environment: Texts, timeout: Number,
                     before: Bytes, after: Bytes }
    }

    /// Finds the program, and executes it.
    Program {
        /// Makes a directory in the root, with those above it, unless it is there.
        24 MakeDirectory { path: Text }
        /// chdir(2), then the check that the directory lies inside the root. `attempt` 0 forgives EACCES;
        /// attempt 1, after the change of ids, runs only if the first was forgiven.
        52 EnterDirectory { path: Text, attempt: Number }
        /// Finds the first of the candidates that is an executable file.
        53 FindExecutable { candidates: Texts, name: Text }
        /// close_range(2): nothing from descriptor `first` on survives execve.
        65 CloseDescriptors { first: Number }
        /// execve(2) of the candidate that `FindExecutable` chose.
        68 Execute { candidates: Texts, arguments: Texts, environment: Texts }
    }

    /// Sets who the process is and what it may do.
    Powers {
        /// A new session keyring (keyrings(7)).
        51 NewKeyring { name: Text }
        /// umask(2).
        56 SetUmask { mask: Number }
        /// setrlimit(2).
        57 SetLimit { resource: Number, soft: Wide, hard: Wide }
        /// PR_CAPBSET_DROP of everything that is not in `keep`.
        58 LimitBounding { keep: Wide }
        /// setgroups(2); `groups` are 32-bit numbers.
        59 SetGroups { groups: Bytes }
        /// setresgid(2), then setresuid(2) with the permitted capabilities kept.
        60 SetIds { uid: Number, gid: Number }
        /// capset(2).
        61 SetCapabilities { effective: Wide, permitted: Wide, inheritable: Wide }
        /// PR_CAP_AMBIENT_RAISE of each.
        62 SetAmbient { capabilities: Wide }
        /// PR_SET_NO_NEW_PRIVS.
        63 NoNewPrivileges { }
        /// Writes the label for the next execve to `path` below the private procfs ("self/attr/exec").
        70 SetLabel { path: Text, label: Bytes }
    }

    /// Says as what, when and where the process runs, and where its memory lies.
    Scheduling {
        /// personality(2).
        69 SetPersonality { domain: Wide }
        /// sched_setaffinity(2) with every processor there can be.
        100 RunAnywhere { }
        /// The same with these processors, one bit each.
        106 RunOn { processors: Bytes }
        /// sched_setattr(2); `nice` is a signed number.
        101 SetScheduler { policy: Number, flags: Wide, nice: Number, priority: Number, runtime: Wide,
                           deadline: Wide, period: Wide }
        /// ioprio_set(2) of the process group.
        102 SetIoPriority { priority: Number }
        /// set_mempolicy(2); `mode` has its flags in it, `nodes` are 64-bit words.
        103 SetMemoryPolicy { mode: Number, nodes: Bytes }
    }

    /// Filters its system calls, with or without a supervisor.
    Filters {
        /// seccomp(2).
        67 InstallFilter { flags: Number, program: Bytes }
        /// seccomp(2) of the filter that asks a supervisor; the number of its listener is told over the line.
        90 InstallListener { flags: Number, program: Bytes }
        /// close(2) of the listener that `InstallListener` made.
        91 CloseListener { }
    }

    /// Reads back what was set; nothing is executed if it is not this.
    Checks {
        /// getresuid(2), getresgid(2), setfsuid(2), setfsgid(2).
        92 VerifyIds { uid: Number, gid: Number }
        /// getgroups(2); `groups` are 32-bit numbers, sorted, each once.
        98 VerifyGroups { groups: Bytes }
        /// capget(2), PR_CAPBSET_READ, PR_CAP_AMBIENT_IS_SET.
        93 VerifyCapabilities { effective: Wide, permitted: Wide, inheritable: Wide, bounding: Wide,
                                ambient: Wide }
        /// PR_GET_NO_NEW_PRIVS.
        94 VerifyNoNewPrivileges { }
        /// umask(2).
        95 VerifyUmask { mask: Number }
        /// Reads `path` below the private procfs; the label there must begin with `start`, and not be empty.
        96 VerifyLabel { path: Text, start: Bytes }
        /// This process has installed so many filters; with `ask` 1, PR_GET_SECCOMP must say so, too.
        97 VerifyFilter { filters: Number, ask: Number }
    }
}

/// How many mounts one plan can attach to, or detach from, a container that runs.
pub const MOST_LATER: usize = 64;

/// How a source is cloned (`depth` above).
pub mod depth {
    /// With the mounts below it.
    pub const TREE: u32 = 1;
    /// A symbolic link at the end of its path is the source itself.
    pub const NO_FOLLOW: u32 = 2;
}

/// Rules for the target of a mount (`rule` above).
pub mod target {
    /// No component of the path may be a symbolic link.
    pub const NO_LINKS: u32 = 1;
    /// The target may lie on a procfs.
    pub const ON_PROC: u32 = 2;
    /// A symbolic link at the end of the path is the target itself.
    pub const NO_FOLLOW: u32 = 8;
    /// A tmpfs takes over the mode of the directory on which it is mounted, if that was there already.
    pub const KEEP_MODE: u32 = 4;
}
