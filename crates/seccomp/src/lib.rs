//! From the `linux.seccomp` section of `config.json` to the program that the kernel runs before every system
//! call.
//!
//! # What the kernel gives
//! A *seccomp filter* is a tiny program in **classic BPF**, the language that `tcpdump` once brought into
//! the kernel. The kernel runs it each time a thread enters a system call, and does what the returned number
//! says: let the call through, fail it with an errno, send `SIGSYS`, kill, ask a tracer or a supervisor. A
//! filter can never be removed, and child processes inherit it.
//!
//! The program sees 64 bytes, `struct seccomp_data`, and nothing else; above all no memory of the process,
//! so it can compare a *pointer* argument but not what it points to:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | `nr`, the number of the system call |
//! | 4 | 4 | `arch`, whose numbers those are: an `AUDIT_ARCH_` constant |
//! | 8 | 8 | `instruction_pointer` |
//! | 16 | 6 × 8 | `args`, always 64 bits wide |
//!
//! The machine has one 32-bit register, the accumulator, and can load a word of `seccomp_data` into it, mask
//! it, compare it with a constant, jump, and return. Jumps go **forward only**, so every program ends; a
//! conditional jump reaches 255 instructions far, an unconditional one anywhere; 4096 instructions are the
//! limit.
//!
//! The same number means different calls under different architectures (on x86-64, a program may enter the
//! kernel by `int 0x80` and use i386 numbers), so a filter that forgets to look at `arch` protects nothing.
//!
//! # How the compiler works, and where to read on
//! 1. `profile`: checks the profile and sorts its rules by architecture and number, with `names` and `arch`.
//! 2. `rules`: decides which rule wins when several speak about one call.
//! 3. `tree`: cuts the numbers into ranges with one answer each and lays a balanced decision tree over them.
//! 4. `emit`: writes the tree down from its end to its start, so that every jump knows its distance.
//! 5. [`verdict`]: runs a program, so that tests and `explain` can ask what it would say.
//!
//! A tree matters because the kernel, when it loads a filter, runs it for every number of the architecture
//! to find calls that are always allowed (Linux 5.11): it is the length of the paths that costs, not the
//! size.
//!
//! Sources: seccomp(2), bpf(4) of FreeBSD for the instruction set, the kernel's
//! `Documentation/userspace-api/seccomp_filter.rst`, OCI runtime spec `config-linux.md`, section Seccomp.

mod arch;
mod emit;
mod form;
mod interpret;
#[cfg(test)]
mod model;
mod names;
#[cfg(all(test, feature = "oracle"))]
mod oracle;
mod profile;
#[cfg(test)]
mod properties;
mod rules;
mod tree;

pub use arch::Arch;
pub use form::flaw;
pub use interpret::verdict;

use oci_spec::runtime::LinuxSeccomp;

/// The largest program that the kernel takes, in instructions (`BPF_MAXINSNS`).
pub const LONGEST_PROGRAM: usize = 4096;

/// One instruction of classic BPF: `struct sock_filter` of `linux/filter.h`, 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip when a comparison holds.
    pub jt: u8,
    /// How many instructions to skip when it does not.
    pub jf: u8,
    /// The constant: what to compare with, where to load from, how far to jump, or what to return.
    pub k: u32,
}

/// A compiled profile: one filter, or two if some calls are handed to a supervisor.
///
/// Two, because a listener must be handed over while the container is still being made, and all else that a
/// profile forbids is best forbidden last of all. The kernel asks every filter and takes the strictest answer
/// (seccomp(2)), so both together say what the profile says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What becomes of every call; of those that a supervisor decides, that they are allowed.
    pub filter: Filter,
    /// Which calls a supervisor decides; all others are allowed. Loading it returns the listener.
    pub listener: Option<Filter>,
    /// What the user should hear although the profile is usable, such as names that no kernel knows.
    pub notes: Vec<Note>,
}

impl Program {
    /// Is this call of `native` allowed, with `first` as its first argument and 0 for the others? A call that
    /// `native` does not have is not.
    pub fn allows(&self, native: Arch, name: &str, first: u64) -> bool {
        let number = names::find(name).and_then(|call| call.number(native));
        number.is_some_and(|number| {
            verdict(self, native.audit(), number, &[first, 0, 0, 0, 0, 0]) == Part::ALLOW
        })
    }
}

/// A program ready for `seccomp(SECCOMP_SET_MODE_FILTER, flags, &program)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub instructions: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_` bits. `TSYNC` is never among them: the filter is loaded by a process with a
    /// single thread, and the kernel refuses it beside a listener.
    pub flags: u32,
}

impl Filter {
    /// The instructions as the kernel reads them: 8 bytes each, in the byte order of this machine.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.instructions.len() * size_of::<Instruction>());
        for Instruction { code, jt, jf, k } in &self.instructions {
            bytes.extend_from_slice(&code.to_ne_bytes());
            bytes.extend_from_slice(&[*jt, *jf]);
            bytes.extend_from_slice(&k.to_ne_bytes());
        }
        bytes
    }
}

/// Something in the profile that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub kind: Kind,
    /// JSON pointer (RFC 6901) relative to `/linux/seccomp`.
    pub at: String,
    /// One sentence without a full stop.
    pub message: String,
}

/// What it is that has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name that is no system call.
    UnknownCall,
    /// An architecture whose programs never run here.
    ForeignArch,
    /// A flag that needs a listener.
    IdleFlag,
}

/// Something in the profile that keeps it from being compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer (RFC 6901) relative to `/linux/seccomp`, such as `/syscalls/3/args/0/index`.
    pub at: String,
    /// One sentence without a full stop: what is wrong.
    pub message: String,
    /// One sentence without a full stop: what mends it.
    pub cure: String,
}

impl Problem {
    fn new(at: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into(), cure: cure.into() }
    }
}

/// What a number gets that is larger than every number that the profile names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newcomers {
    /// `ENOSYS`: the C library takes the call for one that this kernel lacks, and falls back to an older
    /// one.
    Enosys,
    /// The default action, as with libseccomp; for tests that compare with it.
    Default,
}

/// Which of a profile's verdicts a filter gives; for the others it allows the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All that the kernel decides alone.
    Decided,
    /// `SCMP_ACT_NOTIFY`.
    Notified,
}

impl Part {
    /// `SECCOMP_RET_ALLOW`
    const ALLOW: u32 = 0x7fff_0000;

    /// What the filter of this part answers where the profile as a whole says `value`.
    fn of(self, value: u32) -> u32 {
        const NOTIFY: u32 = 0x7fc0_0000;
        let notified = value & 0xffff_0000 == NOTIFY;
        if notified == (self == Part::Notified) { value } else { Self::ALLOW }
    }
}

/// Compiles `profile` for a machine whose own architecture is `native`.
///
/// The rules of `native` are always there, whether the profile lists that architecture or not. Calls of an
/// architecture that is neither native nor listed kill the thread. The result depends on the arguments only,
/// not on the running kernel.
///
/// # Errors
/// All problems of the profile at once, at least one.
pub fn compile(profile: &LinuxSeccomp, native: Arch) -> Result<Program, Vec<Problem>> {
    compile_with(profile, native, Newcomers::Enosys)
}

fn compile_with(profile: &LinuxSeccomp, native: Arch, newcomers: Newcomers) -> Result<Program, Vec<Problem>> {
    let policy = profile::read(profile, native)?;
    let filter = |part, flags| {
        let instructions = tree::plant(&policy, newcomers, part).map_err(|conflicts| {
            conflicts.iter().map(|conflict| profile::contradiction(profile, conflict)).collect::<Vec<_>>()
        })?;
        within_the_limit(&instructions)?;
        Ok::<_, Vec<Problem>>(Filter { instructions, flags })
    };
    let listener = policy.listener_flags.map(|flags| filter(Part::Notified, flags)).transpose()?;
    let filter = filter(Part::Decided, policy.flags)?;
    Ok(Program { filter, listener, notes: policy.notes })
}

fn within_the_limit(instructions: &[Instruction]) -> Result<(), Vec<Problem>> {
    let length = instructions.len();
    if length <= LONGEST_PROGRAM {
        return Ok(());
    }
    Err(vec![Problem::new(
        "/syscalls",
        format!("the profile needs {length} BPF instructions, the kernel takes {LONGEST_PROGRAM}"),
        "use fewer conditions on arguments, or list fewer architectures",
    )])
}
