//! Typed Linux system calls without libc and without a heap.
//!
//! This crate is the one door to the kernel for the sealed child (`crates/child`), and in the
//! runtime the door for the same calls and for those that no crate has in the form they are needed
//! (clone3, bpf; docs/adr/0006-own-system-call-layer.md). It is the only crate in which `unsafe` is
//! allowed; each block says why it is sound.
//!
//! Every function is one system call, named as in the manual, and returns the kernel's answer: a value or
//! an [`Errno`]. Descriptors are plain numbers ([`Fd`]): the child owns all of its descriptors until
//! `execve`, so there is nothing to drop.
#![no_std]
#![deny(missing_docs)]

mod arch;
mod errno;

pub mod birth;
pub mod bpf;
#[cfg(feature = "host")]
pub mod bump;
pub mod credentials;
pub mod files;
#[cfg(feature = "host")]
pub mod host;
pub mod mounts;
pub mod namespaces;
#[cfg(feature = "host")]
mod pool;
pub mod process;
#[cfg(feature = "program")]
pub mod program;
pub mod scheduling;
pub mod signals;
pub mod sockets;
#[cfg(feature = "supervisor")]
pub mod supervisor;
pub mod terminal;

pub use errno::Errno;

/// A file descriptor by its number; `Fd::CWD` where a call takes the working directory instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Fd(pub i32);

impl Fd {
    /// `AT_FDCWD`: relative paths start at the working directory.
    pub const CWD: Fd = Fd(-100);

    fn raw(self) -> usize {
        self.0 as isize as usize
    }
}

/// What a call answers: its value, or the kernel's errno.
pub type Answer<T> = Result<T, Errno>;

/// One raw system call; arguments that a call does not have are 0.
///
/// The single place through which all of this crate enters the kernel.
fn call(number: usize, a: [usize; 6]) -> Answer<usize> {
    // SAFETY: the wrappers of this crate pass only pointers derived from references that outlive the call,
    // with lengths of the objects behind them; a system call does not touch memory that it was not given.
    let answer = unsafe { arch::syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if answer > usize::MAX - 4096 { Err(Errno((answer as isize).unsigned_abs() as u16)) } else { Ok(answer) }
}

fn pointer<T: ?Sized>(value: &T) -> usize {
    (value as *const T).cast::<u8>() as usize
}

fn pointer_mut<T: ?Sized>(value: &mut T) -> usize {
    (value as *mut T).cast::<u8>() as usize
}
