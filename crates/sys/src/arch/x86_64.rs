//! x86_64: the number in rax, arguments in rdi rsi rdx r10 r8 r9 (syscall(2)).

use core::arch::{asm, global_asm};

/// Enters the kernel.
///
/// # Safety
/// Arguments that are pointers must be valid for what call `number` does with them.
pub unsafe fn syscall6(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> usize {
    let answer;
    // SAFETY: `syscall` clobbers rcx and r11 only; the caller vouches for the arguments.
    unsafe {
        asm!("syscall", inlateout("rax") number => answer, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    answer
}

/// Ends the process without a system call.
pub fn end() -> ! {
    // SAFETY: the instruction raises an exception and touches nothing.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}

// clone3 whose child, born on the stack that the arguments name, calls `entry(argument)` and never returns.
// The parent returns as from any function: it has kept its own stack.
global_asm!(
    ".globl crate_run_clone_call",
    "crate_run_clone_call:",
    "mov r8, rdx",
    "mov r9, rcx",
    "mov eax, 435",
    "syscall",
    "test rax, rax",
    "jnz 2f",
    "xor ebp, ebp",
    "mov rdi, r9",
    "call r8",
    "ud2",
    "2: ret",
);

pub const READ: usize = 0;
pub const WRITE: usize = 1;
pub const CLOSE: usize = 3;
pub const FSTAT: usize = 5;
pub const STATX: usize = 332;
pub const LSEEK: usize = 8;
pub const MMAP: usize = 9;
pub const SIGACTION: usize = 13;
pub const SIGPROCMASK: usize = 14;
pub const IOCTL: usize = 16;
pub const SOCKET: usize = 41;
pub const SENDMSG: usize = 46;
pub const RECVMSG: usize = 47;
pub const FCNTL: usize = 72;
pub const GETCWD: usize = 79;
pub const CHDIR: usize = 80;
pub const FCHDIR: usize = 81;
pub const UMASK: usize = 95;
pub const CHROOT: usize = 161;
pub const GETPID: usize = 39;
pub const SETSID: usize = 112;
pub const SETGROUPS: usize = 116;
pub const GETGROUPS: usize = 115;
pub const SETFSUID: usize = 122;
pub const SETFSGID: usize = 123;
pub const SETRESUID: usize = 117;
pub const GETRESUID: usize = 118;
pub const SETRESGID: usize = 119;
pub const GETRESGID: usize = 120;
pub const CAPGET: usize = 125;
pub const CAPSET: usize = 126;
pub const PERSONALITY: usize = 135;
pub const FSTATFS: usize = 138;
pub const PIVOT_ROOT: usize = 155;
pub const PRCTL: usize = 157;
pub const MOUNT: usize = 165;
pub const UMOUNT2: usize = 166;
pub const SETHOSTNAME: usize = 170;
pub const SETDOMAINNAME: usize = 171;
pub const FUTEX: usize = 202;
pub const SCHED_SETAFFINITY: usize = 203;
pub const EXIT_GROUP: usize = 231;
pub const SET_MEMPOLICY: usize = 238;
pub const WAITID: usize = 247;
pub const KEYCTL: usize = 250;
pub const IOPRIO_SET: usize = 251;
pub const MKDIRAT: usize = 258;
pub const MKNODAT: usize = 259;
pub const FCHOWNAT: usize = 260;
pub const UNLINKAT: usize = 263;
pub const SYMLINKAT: usize = 266;
pub const READLINKAT: usize = 267;
pub const PPOLL: usize = 271;
pub const UNSHARE: usize = 272;
pub const ACCEPT4: usize = 288;
pub const SIGNALFD4: usize = 289;
pub const DUP3: usize = 292;
pub const PRLIMIT64: usize = 302;
pub const SETNS: usize = 308;
pub const SCHED_SETATTR: usize = 314;
pub const SECCOMP: usize = 317;
pub const MEMFD_CREATE: usize = 319;
pub const BPF: usize = 321;
pub const EXECVEAT: usize = 322;
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
