//! aarch64: the number in x8, arguments in x0 to x5 (syscall(2)).

use core::arch::{asm, global_asm};

/// Enters the kernel.
///
/// # Safety
/// Arguments that are pointers must be valid for what call `number` does with them.
pub unsafe fn syscall6(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> usize {
    let answer;
    // SAFETY: `svc 0` clobbers x0 only; the caller vouches for the arguments.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => answer, in("x1") b, in("x2") c, in("x3") d,
             in("x4") e, in("x5") f, options(nostack));
    }
    answer
}

/// Ends the process without a system call.
pub fn end() -> ! {
    // SAFETY: the instruction raises an exception and touches nothing.
    unsafe { asm!("udf #0", options(noreturn, nomem, nostack)) }
}

// clone3 whose child, born on the stack that the arguments name, calls `entry(argument)` and never returns.
global_asm!(
    ".globl crate_run_clone_call",
    "crate_run_clone_call:",
    "mov x9, x2",
    "mov x10, x3",
    "mov x8, #435",
    "svc 0",
    "cbnz x0, 2f",
    "mov x29, xzr",
    "mov x0, x10",
    "blr x9",
    "brk #1",
    "2: ret",
);

pub const READ: usize = 63;
pub const WRITE: usize = 64;
pub const CLOSE: usize = 57;
pub const FSTAT: usize = 80;
pub const STATX: usize = 291;
pub const LSEEK: usize = 62;
pub const MMAP: usize = 222;
pub const SIGACTION: usize = 134;
pub const SIGPROCMASK: usize = 135;
pub const IOCTL: usize = 29;
pub const SOCKET: usize = 198;
pub const SENDMSG: usize = 211;
pub const RECVMSG: usize = 212;
pub const FCNTL: usize = 25;
pub const GETCWD: usize = 17;
pub const CHDIR: usize = 49;
pub const FCHDIR: usize = 50;
pub const CHROOT: usize = 51;
pub const UMASK: usize = 166;
pub const GETPID: usize = 172;
pub const SETSID: usize = 157;
pub const SETGROUPS: usize = 159;
pub const GETGROUPS: usize = 158;
pub const SETFSUID: usize = 151;
pub const SETFSGID: usize = 152;
pub const SETRESUID: usize = 147;
pub const GETRESUID: usize = 148;
pub const SETRESGID: usize = 149;
pub const GETRESGID: usize = 150;
pub const CAPGET: usize = 90;
pub const CAPSET: usize = 91;
pub const PERSONALITY: usize = 92;
pub const FSTATFS: usize = 44;
pub const PIVOT_ROOT: usize = 41;
pub const PRCTL: usize = 167;
pub const MOUNT: usize = 40;
pub const UMOUNT2: usize = 39;
pub const SETHOSTNAME: usize = 161;
pub const SETDOMAINNAME: usize = 162;
pub const FUTEX: usize = 98;
pub const SCHED_SETAFFINITY: usize = 122;
pub const EXIT_GROUP: usize = 94;
pub const SET_MEMPOLICY: usize = 237;
pub const WAITID: usize = 95;
pub const KEYCTL: usize = 219;
pub const IOPRIO_SET: usize = 30;
pub const MKDIRAT: usize = 34;
pub const MKNODAT: usize = 33;
pub const FCHOWNAT: usize = 54;
pub const UNLINKAT: usize = 35;
pub const SYMLINKAT: usize = 36;
pub const READLINKAT: usize = 78;
pub const PPOLL: usize = 73;
pub const UNSHARE: usize = 97;
pub const ACCEPT4: usize = 242;
pub const SIGNALFD4: usize = 74;
pub const DUP3: usize = 24;
pub const PRLIMIT64: usize = 261;
pub const SETNS: usize = 268;
pub const SCHED_SETATTR: usize = 274;
pub const SECCOMP: usize = 277;
pub const MEMFD_CREATE: usize = 279;
pub const BPF: usize = 280;
pub const EXECVEAT: usize = 281;
pub const PIDFD_OPEN: usize = 434;
pub const PIDFD_SEND_SIGNAL: usize = 424;
pub const OPEN_TREE: usize = 428;
pub const MOVE_MOUNT: usize = 429;
pub const FSOPEN: usize = 430;
pub const FSCONFIG: usize = 431;
pub const FSMOUNT: usize = 432;
pub const FSPICK: usize = 433;
pub const CLONE3: usize = 435;
pub const CLOSE_RANGE: usize = 436;
pub const OPENAT2: usize = 437;
pub const FACCESSAT2: usize = 439;
pub const MOUNT_SETATTR: usize = 442;
