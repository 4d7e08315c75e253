//! Which number a system call has under each architecture.
//!
//! The numbers come from the `syscalls` crate, which takes them from the kernel's own tables. The compiler
//! (of Rust) folds its tables into a single constant hash table, so that one look-up answers for all
//! architectures and none of the crate's code is linked. What the crate lacks is added here.

use crate::arch::Arch;

/// Marks "there is no such call here".
const ABSENT: u32 = u32::MAX;
/// Room for the names of all architectures together; building fails when it is too small.
const ROOM: usize = 640;
/// A power of two, well above `ROOM`, so that probing ends quickly.
const SLOTS: usize = 2048;

static TABLE: Table = Table::build();

/// The numbers of one name.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    name: &'static str,
    numbers: [u32; Arch::COUNT],
    /// 0 for none, else the number of the multiplexer and the value of its argument 0.
    multiplexer: (u8, u8),
}

impl Call {
    /// The value of `seccomp_data.nr` under `arch`.
    pub(crate) fn number(&self, arch: Arch) -> Option<u32> {
        let number = self.numbers[arch as usize];
        (number != ABSENT).then_some(number)
    }

    /// The other way to this call on i386: (number of the multiplexer, value of its argument 0).
    ///
    /// `socketcall(2)` and `ipc(2)` take the number of the wanted call as their first argument; most of
    /// those calls got a number of their own only in Linux 4.3 and 5.1.
    pub(crate) fn i386_multiplexer(&self) -> Option<(u32, u64)> {
        let (number, value) = self.multiplexer;
        (number != 0).then_some((number.into(), value.into()))
    }
}

/// Looks `name` up.
pub(crate) fn find(name: &str) -> Option<&'static Call> {
    let mut slot = hash(name) % SLOTS;
    loop {
        match TABLE.slots[slot] {
            0 => return None,
            place => {
                let call = &TABLE.calls[place as usize - 1];
                if call.name == name {
                    return Some(call);
                }
            }
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Is it a call of machines that crate-run is not built for? Engines give every machine the same profile.
pub(crate) fn is_elsewhere(name: &str) -> bool {
    ELSEWHERE.contains(&name)
}

/// All names that some architecture knows.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static Call)> {
    TABLE.calls.iter().filter(|call| !call.name.is_empty()).map(|call| (call.name, call))
}

/// FNV-1a, which is short enough to run while compiling.
const fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let mut hash: u32 = 0x811c_9dc5;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash as usize
}

/// `==` of strings cannot run while compiling yet.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

struct Table {
    /// Where in `calls` a hash value leads, counted from 1; 0 is an empty slot.
    slots: [u16; SLOTS],
    calls: [Call; ROOM],
    used: usize,
}

/// Adds all calls of one table of the crate; `$number` may refuse or change a number.
macro_rules! add_all {
    ($table:ident, $arch:expr, $calls:ty, $number:expr) => {{
        let mut id = 0;
        while id <= <$calls>::last().id() {
            if let Some(call) = <$calls>::new(id as usize) {
                $table.add(call.name(), $arch, $number(id as u32));
            }
            id += 1;
        }
    }};
}

impl Table {
    const fn build() -> Self {
        let empty = Call { name: "", numbers: [ABSENT; Arch::COUNT], multiplexer: (0, 0) };
        let mut table = Self { slots: [0; SLOTS], calls: [empty; ROOM], used: 0 };
        add_all!(table, Arch::X86_64, syscalls::x86_64::Sysno, unchanged);
        add_all!(table, Arch::X32, syscalls::x86_64::Sysno, x32_number);
        add_all!(table, Arch::X86, syscalls::x86::Sysno, unchanged);
        add_all!(table, Arch::Aarch64, syscalls::aarch64::Sysno, aarch64_number);
        add_all!(table, Arch::Arm, syscalls::arm::Sysno, unchanged);
        let mut i = 0;
        while i < MISSING.len() {
            let (name, arch, number) = MISSING[i];
            table.add(name, arch, number);
            i += 1;
        }
        let mut i = 0;
        while i < SOCKETCALL.len() {
            table.place(SOCKETCALL[i]).multiplexer = (102, i as u8 + 1);
            i += 1;
        }
        let mut i = 0;
        while i < IPC.len() {
            table.place(IPC[i].0).multiplexer = (117, IPC[i].1);
            i += 1;
        }
        table
    }

    const fn add(&mut self, name: &'static str, arch: Arch, number: u32) {
        if number != ABSENT {
            self.place(name).numbers[arch as usize] = number;
        }
    }

    /// The entry of `name`, made if it is new.
    const fn place(&mut self, name: &'static str) -> &mut Call {
        let mut slot = hash(name) % SLOTS;
        while self.slots[slot] != 0 && !same(self.calls[self.slots[slot] as usize - 1].name, name) {
            slot = (slot + 1) % SLOTS;
        }
        if self.slots[slot] == 0 {
            self.calls[self.used].name = name;
            self.used += 1;
            self.slots[slot] = self.used as u16;
        }
        &mut self.calls[self.slots[slot] as usize - 1]
    }
}

const fn unchanged(number: u32) -> u32 {
    number
}

/// 403 to 423 are the `_time64` calls of 32-bit tables; a 64-bit kernel has nothing there.
const fn aarch64_number(number: u32) -> u32 {
    if number >= 403 && number <= 423 { ABSENT } else { number }
}

/// x32 shares most of the table of x86-64, lacks the oldest calls, and has its own numbers for those that
/// pass structures with pointers or `long` (`syscall_64.tbl`: abi `64` and abi `x32`).
const fn x32_number(number: u32) -> u32 {
    const LACKING: [u32; 12] = [134, 156, 174, 177, 178, 180, 205, 211, 214, 215, 236, 453];
    /// At place i: the number of x86-64 whose x32 number is 512 + i.
    #[rustfmt::skip]
    const OWN: [u32; 36] = [
        13, 15, 16, 19, 20, 45, 46, 47, 59, 101, 127, 128, 129, 131, 222, 244, 246, 247,
        273, 274, 278, 279, 295, 296, 297, 299, 307, 310, 311, 54, 55, 206, 209, 322, 327, 328,
    ];
    let mut i = 0;
    while i < LACKING.len() {
        if LACKING[i] == number {
            return ABSENT;
        }
        i += 1;
    }
    let mut i = 0;
    while i < OWN.len() {
        if OWN[i] == number {
            return crate::arch::X32_BIT + 512 + i as u32;
        }
        i += 1;
    }
    crate::arch::X32_BIT + number
}

/// Calls that the `syscalls` crate does not list, or lists under another name than seccomp profiles use.
const MISSING: [(&str, Arch, u32); 18] = [
    ("break", Arch::X86, 17),
    ("newfstatat", Arch::Aarch64, 79),
    // Private calls of 32-bit ARM: `asm/unistd.h`, 0xf0000 and up.
    ("breakpoint", Arch::Arm, 0xf_0001),
    ("cacheflush", Arch::Arm, 0xf_0002),
    ("usr26", Arch::Arm, 0xf_0003),
    ("usr32", Arch::Arm, 0xf_0004),
    ("set_tls", Arch::Arm, 0xf_0005),
    ("get_tls", Arch::Arm, 0xf_0006),
    // Younger than the crate; since number 424 all tables agree.
    ("listns", Arch::X86_64, 470),
    ("listns", Arch::X32, crate::arch::X32_BIT + 470),
    ("listns", Arch::X86, 470),
    ("listns", Arch::Aarch64, 470),
    ("listns", Arch::Arm, 470),
    ("rseq_slice_yield", Arch::X86_64, 471),
    ("rseq_slice_yield", Arch::X32, crate::arch::X32_BIT + 471),
    ("rseq_slice_yield", Arch::X86, 471),
    ("rseq_slice_yield", Arch::Aarch64, 471),
    ("rseq_slice_yield", Arch::Arm, 471),
];

/// Calls of MIPS, PowerPC, RISC-V, s390, m68k and SuperH that no architecture here has (syscalls(2)).
#[rustfmt::skip]
const ELSEWHERE: [&str; 23] = [
    "atomic_barrier", "atomic_cmpxchg_32", "cachectl", "getpagesize", "multiplexer", "riscv_flush_icache",
    "riscv_hwprobe", "rtas", "s390_guarded_storage", "s390_pci_mmio_read", "s390_pci_mmio_write",
    "s390_runtime_instr", "s390_sthyi", "spu_create", "spu_run", "subpage_prot", "swapcontext",
    "switch_endian", "sync_file_range2", "sys_debug_setcontext", "syscall", "sysmips", "timerfd",
];

/// Calls that i386 offers by `socketcall(2)`: the first has number 1 there, and so on (`linux/net.h`).
#[rustfmt::skip]
const SOCKETCALL: [&str; 20] = [
    "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send",
    "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4",
    "recvmmsg", "sendmmsg",
];

/// Calls that i386 offers by `ipc(2)`, with their number there (`linux/ipc.h`).
#[rustfmt::skip]
const IPC: [(&str, u8); 12] = [
    ("semop", 1), ("semget", 2), ("semctl", 3), ("semtimedop", 4),
    ("msgsnd", 11), ("msgrcv", 12), ("msgget", 13), ("msgctl", 14),
    ("shmat", 21), ("shmdt", 22), ("shmget", 23), ("shmctl", 24),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str, arch: Arch) -> Option<u32> {
        find(name).and_then(|call| call.number(arch))
    }

    #[test]
    fn numbers_differ_by_architecture() {
        assert_eq!(number("read", Arch::X86_64), Some(0));
        assert_eq!(number("read", Arch::X86), Some(3));
        assert_eq!(number("read", Arch::X32), Some(0x4000_0000));
        assert_eq!(number("read", Arch::Aarch64), Some(63));
        assert_eq!(number("open", Arch::Aarch64), None);
        assert_eq!(number("chown32", Arch::X86_64), None);
        assert_eq!(number("newfstatat", Arch::Aarch64), Some(79));
        assert_eq!(number("futex_time64", Arch::Aarch64), None);
        assert_eq!(number("set_tls", Arch::Arm), Some(0xf_0005));
        assert!(find("no_such_call").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn x32_has_own_numbers_for_calls_with_pointers_in_structures() {
        assert_eq!(number("rt_sigaction", Arch::X32), Some(0x4000_0000 + 512));
        assert_eq!(number("setsockopt", Arch::X32), Some(0x4000_0000 + 541));
        assert_eq!(number("pwritev2", Arch::X32), Some(0x4000_0000 + 547));
        assert_eq!(number("vserver", Arch::X32), None);
    }

    #[test]
    fn calls_of_other_machines_are_not_ours() {
        assert!(ELSEWHERE.iter().all(|name| find(name).is_none()));
        assert!(is_elsewhere("s390_sthyi") && !is_elsewhere("s390_sthy"));
    }

    #[test]
    fn the_last_call_of_each_table_is_there() {
        for arch in [Arch::X86_64, Arch::X86, Arch::Aarch64, Arch::Arm] {
            assert_eq!(number("file_setattr", arch), Some(469), "{arch:?}");
        }
    }

    #[test]
    fn multiplexed_calls_know_their_number() {
        assert_eq!(find("socket").and_then(Call::i386_multiplexer), Some((102, 1)));
        assert_eq!(find("sendmmsg").and_then(Call::i386_multiplexer), Some((102, 20)));
        assert_eq!(find("shmctl").and_then(Call::i386_multiplexer), Some((117, 24)));
        assert_eq!(find("read").and_then(Call::i386_multiplexer), None);
    }
}
