//! The supervisor's side of a seccomp listener (seccomp_unotify(2)).

use crate::{Answer, Fd, arch, call, pointer, pointer_mut};

/// `struct seccomp_notif`: a call that waits for an answer.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Notification {
    /// To be named in the answer.
    pub id: u64,
    /// The thread that waits, as a number of our pid namespace.
    pub pid: u32,
    flags: u32,
    /// The number of the call.
    pub number: u32,
    /// AUDIT_ARCH_*.
    pub arch: u32,
    instruction: u64,
    /// The arguments; pointers are those of the waiting process.
    pub arguments: [u64; 6],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The kernel carries it out (SECCOMP_USER_NOTIF_FLAG_CONTINUE, Linux 5.5).
    Continue,
    /// It fails with this errno.
    Fail(u16),
    /// It returns this value.
    Return(i64),
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// SECCOMP_IOCTL_NOTIF_RECV: waits for the next call. ENOENT: the caller died meanwhile.
pub fn next(listener: Fd) -> Answer<Notification> {
    const RECEIVE: usize = 0xc050_2100;
    let mut notification = Notification::default();
    let arguments = [listener.raw(), RECEIVE, pointer_mut(&mut notification), 0, 0, 0];
    call(arch::IOCTL, arguments).map(|_| notification)
}

/// SECCOMP_IOCTL_NOTIF_SEND: answers the call `id`. ENOENT: the caller died meanwhile.
pub fn answer(listener: Fd, id: u64, reply: Reply) -> Answer<()> {
    const SEND: usize = 0xc018_2101;
    const CONTINUE: u32 = 1;
    let (value, error, flags) = match reply {
        Reply::Continue => (0, 0, CONTINUE),
        Reply::Fail(errno) => (0, -i32::from(errno), 0),
        Reply::Return(value) => (value, 0, 0),
    };
    let response = Response { id, value, error, flags };
    call(arch::IOCTL, [listener.raw(), SEND, pointer(&response), 0, 0, 0]).map(drop)
}
