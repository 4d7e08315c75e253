//! What the child says to the runtime: one packet of fixed size a message.
//!
//! A failure names the step of the plan, which way of it was tried, the call inside it, and the kernel's
//! answer; the runtime makes a sentence of it. Filesystems explain themselves in words when a mount fails
//! (fsopen(2)): those words come along.

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The child has come to a rendezvous and waits for an answer.
    Arrived = 1,
    /// A step has failed; the child ends now.
    Failed = 2,
    /// Something did not work, but the step goes on without it.
    Warned = 3,
    /// Everything is done but execve; when the line closes now, execve has worked.
    Executing = 4,
    /// The master side of a terminal comes along as a descriptor.
    Terminal = 5,
    /// The container is created; when the line closes now, it waits at its gate.
    Parked = 6,
    /// The first process ends here; a descriptor of the one that goes on comes along.
    Reborn = 7,
    /// A seccomp filter has a listener; its number among the child's descriptors is the value.
    Listener = 8,
    /// A mount was attached to a container that runs, or found there; its identity is the value.
    Mount = 9,
}

/// The system call that gave the answer, where a step makes several.
macro_rules! calls {
    ($($name:ident $text:literal)*) => {
        /// A system call inside a step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Call { $($name),* }

        impl Call {
            const ALL: &[Call] = &[$(Call::$name),*];

            /// The name in the manual, with its section.
            pub fn name(self) -> &'static str {
                match self { $(Call::$name => $text),* }
            }

            fn from_code(code: u8) -> Call {
                *Self::ALL.get(code as usize).unwrap_or(&Call::Plan)
            }
        }
    };
}

calls! {
    Plan "the plan itself"
    Openat2 "openat2(2)"
    Mkdirat "mkdirat(2)"
    Mknodat "mknodat(2)"
    Symlinkat "symlinkat(2)"
    Unlinkat "unlinkat(2)"
    Fstat "fstat(2)"
    Statx "statx(2)"
    Chown "fchownat(2)"
    Write "write(2)"
    OpenTree "open_tree(2)"
    MoveMount "move_mount(2)"
    MountSetattr "mount_setattr(2)"
    Fsopen "fsopen(2)"
    Fsconfig "fsconfig(2)"
    FsconfigCreate "fsconfig(2), FSCONFIG_CMD_CREATE"
    Fsmount "fsmount(2)"
    PivotRoot "pivot_root(2)"
    Umount "umount2(2)"
    Setns "setns(2)"
    Unshare "unshare(2)"
    Sethostname "sethostname(2)"
    Setdomainname "setdomainname(2)"
    Chdir "chdir(2)"
    Getcwd "getcwd(2)"
    Dup "dup3(2)"
    CloseRange "close_range(2)"
    Setsid "setsid(2)"
    Ioctl "ioctl(2)"
    Sendmsg "sendmsg(2)"
    Recvmsg "recvmsg(2)"
    Accept "accept4(2)"
    Keyctl "keyctl(2)"
    Prlimit "prlimit(2)"
    Setgroups "setgroups(2)"
    Setresgid "setresgid(2)"
    Setresuid "setresuid(2)"
    Capset "capset(2)"
    Prctl "prctl(2)"
    Seccomp "seccomp(2)"
    Access "faccessat2(2)"
    Execve "execve(2)"
    Clone "clone3(2)"
    Waitid "waitid(2)"
    Memfd "memfd_create(2)"
    Mmap "mmap(2)"
    Check "the check of this step"
    Personality "personality(2)"
    Mount "mount(2)"
    Readlinkat "readlinkat(2)"
    Read "read(2)"
    Getgroups "getgroups(2)"
    Fspick "fspick(2)"
    FsconfigReconfigure "fsconfig(2), FSCONFIG_CMD_RECONFIGURE"
    SchedSetattr "sched_setattr(2)"
    SchedSetaffinity "sched_setaffinity(2)"
    IoprioSet "ioprio_set(2)"
    SetMempolicy "set_mempolicy(2)"
    Chroot "chroot(2)"
}

/// How many bytes of explanation fit into a message.
pub const WORDS: usize = 104;
/// The size of every message, in bytes.
pub const SIZE: usize = 16 + 8 + WORDS;

/// One message of the child.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What it is about.
    pub kind: Kind,
    /// The number of the step in the plan.
    pub step: u16,
    /// 0 for the step's own way, 1 for its alternative.
    pub branch: u8,
    /// The call that failed.
    pub call: Call,
    /// The kernel's answer; 0 when the step itself refuses.
    pub errno: u16,
    /// A number that belongs to the message: a wait status, the index of what failed in a list.
    pub value: u64,
    /// An explanation in words, padded with zeros.
    pub words: [u8; WORDS],
}

impl Report {
    /// A message without words.
    pub const fn new(kind: Kind, step: u16) -> Self {
        Self { kind, step, branch: 0, call: Call::Plan, errno: 0, value: 0, words: [0; WORDS] }
    }

    /// As bytes for the line.
    pub fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[0] = self.kind as u8;
        bytes[1] = self.branch;
        bytes[2..4].copy_from_slice(&self.step.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.errno.to_le_bytes());
        bytes[6] = self.call as u8;
        bytes[8..16].copy_from_slice(&self.value.to_le_bytes());
        bytes[16..16 + WORDS].copy_from_slice(&self.words);
        bytes
    }

    /// From the bytes of a packet; `None` when it is none of ours.
    pub fn decode(bytes: &[u8]) -> Option<Report> {
        let bytes: &[u8; SIZE] = bytes.try_into().ok()?;
        let kind = match bytes[0] {
            1 => Kind::Arrived,
            2 => Kind::Failed,
            3 => Kind::Warned,
            4 => Kind::Executing,
            5 => Kind::Terminal,
            6 => Kind::Parked,
            7 => Kind::Reborn,
            8 => Kind::Listener,
            9 => Kind::Mount,
            _ => return None,
        };
        let mut report = Report::new(kind, u16::from_le_bytes([bytes[2], bytes[3]]));
        report.branch = bytes[1];
        report.errno = u16::from_le_bytes([bytes[4], bytes[5]]);
        report.call = Call::from_code(bytes[6]);
        report.value = u64::from_le_bytes(bytes[8..16].try_into().ok()?);
        report.words.copy_from_slice(&bytes[16..16 + WORDS]);
        Some(report)
    }

    /// Puts an explanation in; what does not fit is cut off.
    pub fn say(mut self, words: &[u8]) -> Self {
        let length = words.len().min(WORDS);
        self.words[..length].copy_from_slice(&words[..length]);
        self
    }

    /// The explanation, without its padding.
    pub fn words(&self) -> &[u8] {
        let end = self.words.iter().position(|b| *b == 0).unwrap_or(WORDS);
        &self.words[..end]
    }
}
