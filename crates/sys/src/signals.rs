//! The signal state that a process hands down through execve: the mask, and what is ignored (signal(7)).

use crate::{Answer, Fd, arch, call, pointer};

#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Nothing blocked, nothing ignored: the state in which a container's program expects to start.
///
/// Errors cannot occur but for SIGKILL and SIGSTOP, whose disposition is fixed.
pub fn reset() {
    let default = KernelAction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    for signal in 1..=64 {
        let _ = call(arch::SIGACTION, [signal, pointer(&default), 0, 8, 0, 0]);
    }
    set_mask(0);
}

/// Blocks every signal; answers the former mask for [`set_mask`].
pub fn block_all() -> u64 {
    const SIG_BLOCK: usize = 0;
    let (all, mut former) = (u64::MAX, 0u64);
    let arguments = [SIG_BLOCK, pointer(&all), crate::pointer_mut(&mut former), 8, 0, 0];
    let _ = call(arch::SIGPROCMASK, arguments);
    former
}

/// Sets the mask of blocked signals, bit N-1 for signal N.
pub fn set_mask(mask: u64) {
    const SIG_SETMASK: usize = 2;
    let _ = call(arch::SIGPROCMASK, [SIG_SETMASK, pointer(&mask), 0, 8, 0, 0]);
}

/// signalfd4(2) on a signalfd that is there: from now on it takes every signal, also those of 32 to 34 that a
/// libc keeps for its own threads and leaves out of its sets.
pub fn take_all(signalfd: Fd) -> Answer<()> {
    let all = u64::MAX;
    call(arch::SIGNALFD4, [signalfd.raw(), pointer(&all), 8, 0, 0, 0]).map(drop)
}
