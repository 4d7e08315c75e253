//! The architectures whose system calls one of our machines can receive.
//!
//! A 64-bit kernel also runs 32-bit programs, and those bring their own table of numbers. The kernel says in
//! `seccomp_data.arch` which table is meant, with one exception: **x32**, 32-bit pointers on x86-64, shares
//! its `arch` with x86-64 and marks its numbers with bit 30 instead.
//!
//! Sources: `linux/audit.h` (`AUDIT_ARCH_`), `arch/x86/entry/syscalls/syscall_64.tbl`, syscall(2).

use std::ops::{Range, RangeInclusive};

use oci_spec::runtime::Arch as OciArch;

/// The bit that marks a number as one of x32 (`__X32_SYSCALL_BIT`).
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// An architecture that the compiler has a table of system calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    X32,
    X86,
    Aarch64,
    Arm,
}

/// How much of an argument counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// The low word; like libseccomp, the compiler never looks at the other one. That goes for x32 too.
    Bits32,
    Bits64,
}

impl Arch {
    /// The architecture that this program is built for.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Arch = Arch::X86_64;
    /// The architecture that this program is built for.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Arch = Arch::Aarch64;

    /// How many architectures there are.
    pub(crate) const COUNT: usize = 5;

    /// The value of `seccomp_data.arch`.
    pub const fn audit(self) -> u32 {
        match self {
            Arch::X86_64 | Arch::X32 => 0xc000_003e,
            Arch::X86 => 0x4000_0003,
            Arch::Aarch64 => 0xc000_00b7,
            Arch::Arm => 0x4000_0028,
        }
    }

    /// The architecture that the profile means, if the compiler has its table.
    pub(crate) fn from_oci(arch: OciArch, native: Arch) -> Option<Arch> {
        match arch {
            OciArch::ScmpArchNative => Some(native),
            OciArch::ScmpArchX86_64 => Some(Arch::X86_64),
            OciArch::ScmpArchX32 => Some(Arch::X32),
            OciArch::ScmpArchX86 => Some(Arch::X86),
            OciArch::ScmpArchAarch64 => Some(Arch::Aarch64),
            OciArch::ScmpArchArm => Some(Arch::Arm),
            _ => None,
        }
    }

    /// Whether a machine that is natively `native` ever receives system calls of this architecture.
    pub(crate) fn runs_on(self, native: Arch) -> bool {
        self.is_arm() == native.is_arm()
    }

    const fn is_arm(self) -> bool {
        matches!(self, Arch::Aarch64 | Arch::Arm)
    }

    pub(crate) const fn width(self) -> Width {
        match self {
            Arch::X86_64 | Arch::Aarch64 => Width::Bits64,
            Arch::X32 | Arch::X86 | Arch::Arm => Width::Bits32,
        }
    }

    /// The values of `seccomp_data.nr` that belong to this architecture.
    pub(crate) const fn numbers(self) -> RangeInclusive<u32> {
        match self {
            Arch::X86_64 => 0..=X32_BIT - 1,
            Arch::X32 => X32_BIT..=u32::MAX,
            Arch::X86 | Arch::Aarch64 | Arch::Arm => 0..=u32::MAX,
        }
    }

    /// Numbers beside the ordinary table, which new calls never get: the calls that x32 has for itself, and
    /// the private calls of 32-bit ARM (`__ARM_NR_`).
    pub(crate) const fn apart(self) -> Range<u32> {
        match self {
            Arch::X32 => X32_BIT + 512..X32_BIT + 548,
            Arch::Arm => 0x0f_0000..0x10_0000,
            Arch::X86_64 | Arch::X86 | Arch::Aarch64 => 0..0,
        }
    }
}
