//! The life of a process: limits, session, waiting, execve and the end.

use core::ffi::CStr;

use crate::{Answer, Errno, Fd, arch, call, pointer};

/// execveat(2): `path` relative to `directory`; with an empty path the file behind the descriptor itself.
/// `arguments` and `environment` are arrays of pointers to C strings and end with a null pointer. Returns only
/// to say why it failed.
///
/// # Safety
/// Each pointer in the two arrays must point to a C string, and both arrays must end with a null pointer.
pub unsafe fn execute(
    directory: Fd,
    path: &CStr,
    arguments: &[*const u8],
    environment: &[*const u8],
    flags: u32,
) -> Errno {
    let (arguments, environment) = (arguments.as_ptr() as usize, environment.as_ptr() as usize);
    let path = path.as_ptr() as usize;
    match call(
        arch::EXECVEAT,
        [directory.raw(), path, arguments, environment, flags as usize, 0],
    ) {
        Ok(_) => Errno::EIO,
        Err(errno) => errno,
    }
}

/// exit_group(2).
pub fn exit(status: i32) -> ! {
    loop {
        let _ = call(arch::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]);
    }
}

/// getpid(2), as this process sees itself in its pid namespace.
pub fn id() -> u32 {
    call(arch::GETPID, [0; 6]).unwrap_or(0) as u32
}

/// setsid(2). EPERM when the process already leads a group, which cannot be for one that was just born.
pub fn new_session() -> Answer<()> {
    call(arch::SETSID, [0; 6]).map(drop)
}

/// prlimit(2) on the calling process: soft and hard limit of one resource.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Answer<()> {
    let limit = [soft, hard];
    call(arch::PRLIMIT64, [0, resource as usize, pointer(&limit), 0, 0, 0]).map(drop)
}

/// PR_SET_NAME: the name in /proc/self/comm, at most 15 bytes.
pub fn set_name(name: &CStr) {
    let _ = call(arch::PRCTL, [15, name.as_ptr() as usize, 0, 0, 0, 0]);
}

/// PR_SET_PDEATHSIG: the signal that comes when the parent dies; 0 for none.
pub fn set_parent_death_signal(signal: u32) -> Answer<()> {
    call(arch::PRCTL, [1, signal as usize, 0, 0, 0, 0]).map(drop)
}

/// PR_SET_DUMPABLE 0: nobody without CAP_SYS_PTRACE in the owning user namespace may look inside.
pub fn forbid_dumps() -> Answer<()> {
    call(arch::PRCTL, [4, 0, 0, 0, 0, 0]).map(drop)
}

/// keyctl(2) with KEYCTL_JOIN_SESSION_KEYRING: a new, empty session keyring of this name.
pub fn join_session_keyring(name: &CStr) -> Answer<()> {
    call(arch::KEYCTL, [1, name.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// personality(2).
pub fn set_personality(domain: u64) -> Answer<()> {
    call(arch::PERSONALITY, [domain as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// How a waited-for process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By exit, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

/// waitid(2) on a pidfd (Linux 5.4) until the process has ended; reaps it.
pub fn wait(pidfd: Fd) -> Answer<Ended> {
    const P_PIDFD: usize = 3;
    const WEXITED: usize = 4;
    const CLD_EXITED: i32 = 1;
    let mut information = [0i32; 32];
    loop {
        let arguments = [P_PIDFD, pidfd.raw(), information.as_mut_ptr() as usize, WEXITED, 0, 0];
        match call(arch::WAITID, arguments) {
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    let (code, status) = (information[2], information[6]);
    Ok(if code == CLD_EXITED { Ended::Exited(status) } else { Ended::Signalled(status) })
}

/// pidfd_send_signal(2), Linux 5.1.
pub fn send_signal(pidfd: Fd, signal: u32) -> Answer<()> {
    call(arch::PIDFD_SEND_SIGNAL, [pidfd.raw(), signal as usize, 0, 0, 0, 0]).map(drop)
}

/// ppoll(2) on one descriptor for reading; false when `milliseconds` went by first. `None` waits for ever.
pub fn readable_within(fd: Fd, milliseconds: Option<u64>) -> Answer<bool> {
    let mut request = [fd.0, 1];
    let time = milliseconds.map(|ms| [ms / 1000, ms % 1000 * 1_000_000]);
    let time = time.as_ref().map_or(0, pointer);
    loop {
        match call(arch::PPOLL, [request.as_mut_ptr() as usize, 1, time, 0, 0, 0]) {
            Err(Errno::EINTR) => continue,
            answer => return answer.map(|ready| ready > 0),
        }
    }
}

/// Anonymous private memory of at least `bytes` bytes, for pointer tables that no stack can hold. Never freed:
/// it goes with the next execve.
pub fn pointer_table(length: usize) -> Answer<&'static mut [*const u8]> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    let bytes = length.max(1) * size_of::<*const u8>();
    let address =
        call(arch::MMAP, [0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0])?;
    // SAFETY: the kernel has just mapped this memory, zeroed, for nobody else, page-aligned and large enough.
    Ok(unsafe { core::slice::from_raw_parts_mut(address as *mut *const u8, length) })
}
