//! The life of a process: limits, session, waiting, execve and the end.

use core::ffi::CStr;
use core::marker::PhantomData;

use crate::{Answer, Errno, Fd, arch, call, pointer};

/// The table of pointers to C strings that execve(2) wants, ended by a null pointer.
///
/// It lies in memory of its own, for no stack can hold the table of a large environment, and is
/// never freed: it goes with the execve.
pub struct Table<'s> {
    places: &'static mut [*const u8],
    filled: usize,
    strings: PhantomData<&'s CStr>,
}

impl<'s> Table<'s> {
    /// A table of these strings; mmap(2) may answer ENOMEM.
    pub fn of(count: usize, strings: impl Iterator<Item = &'s CStr>) -> Answer<Self> {
        let mut table = Table { places: anonymous_table(count + 1)?, filled: 0, strings: PhantomData };
        for string in strings.take(count) {
            table.places[table.filled] = string.as_ptr().cast();
            table.filled += 1;
        }
        Ok(table)
    }

    fn address(&self) -> usize {
        self.places.as_ptr() as usize
    }
}

/// execveat(2): `path` relative to `directory`; with an empty path and AT_EMPTY_PATH in `flags` the file
/// behind the descriptor itself. Returns only to say why it failed.
pub fn replace(directory: Fd, path: &CStr, arguments: &Table, environment: &Table, flags: u32) -> Errno {
    let (arguments, environment) = (arguments.address(), environment.address());
    replace_raw(directory, path, arguments, environment, flags)
}

pub(crate) fn replace_raw(
    directory: Fd,
    path: &CStr,
    arguments: usize,
    environment: usize,
    flags: u32,
) -> Errno {
    let path = path.as_ptr() as usize;
    match call(arch::EXECVEAT, [directory.raw(), path, arguments, environment, flags as usize, 0]) {
        Ok(_) => Errno::EIO,
        Err(errno) => errno,
    }
}

/// exit_group(2). A seccomp filter may refuse even that; then an instruction that does not exist ends the
/// process, by SIGILL.
pub fn exit(status: i32) -> ! {
    let _ = call(arch::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]);
    arch::end()
}

/// getpid(2), as this process sees itself in its pid namespace.
pub fn id() -> u32 {
    call(arch::GETPID, [0; 6]).unwrap_or(0) as u32
}

/// pidfd_open(2) of the calling process (Linux 5.3).
pub fn own_pidfd() -> Answer<Fd> {
    call(arch::PIDFD_OPEN, [id() as usize, 0, 0, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// setsid(2). EPERM when the process already leads a group, which cannot be for one that was just born.
pub fn new_session() -> Answer<()> {
    call(arch::SETSID, [0; 6]).map(drop)
}

/// prlimit(2) on the calling process: soft and hard limit of one resource.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Answer<()> {
    set_limit_of(0, resource, soft, hard)
}

/// prlimit(2) on another process.
pub fn set_limit_of(pid: i32, resource: u32, soft: u64, hard: u64) -> Answer<()> {
    let limit = [soft, hard];
    call(arch::PRLIMIT64, [pid as usize, resource as usize, pointer(&limit), 0, 0, 0]).map(drop)
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

impl Ended {
    /// From the status word of wait(2).
    pub fn of_word(word: i32) -> Self {
        match word & 0x7f {
            0 => Ended::Exited(word >> 8 & 0xff),
            signal => Ended::Signalled(signal),
        }
    }

    /// As shells count: the exit status, or 128 and the number of the signal.
    pub fn status(self) -> i32 {
        match self {
            Ended::Exited(status) => status,
            Ended::Signalled(signal) => 128 + signal,
        }
    }
}

/// PIDFD_GET_INFO of ioctl(2) with PIDFD_INFO_EXIT: how the process ended, for everybody who has held a pidfd
/// since before its parent took the status (Linux 6.15). `None` as long as no parent has.
///
/// Errors: ENOTTY before Linux 6.13, ESRCH when the process ended unobserved.
pub fn ended(pidfd: Fd) -> Answer<Option<Ended>> {
    /// `_IOWR(0xFF, 11, struct pidfd_info)` of linux/pidfd.h, in the first size of the structure, 64 bytes.
    const PIDFD_GET_INFO: usize = 0xC040_FF0B;
    const PIDFD_INFO_EXIT: u32 = 8;
    // The mask is the first member, of two words; the status is the last.
    let mut information = [0u32; 16];
    information[0] = PIDFD_INFO_EXIT;
    let address = information.as_mut_ptr() as usize;
    call(arch::IOCTL, [pidfd.raw(), PIDFD_GET_INFO, address, 0, 0, 0])?;
    let told = information[0] & PIDFD_INFO_EXIT != 0;
    Ok(told.then(|| Ended::of_word(information[15] as i32)))
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

/// Room for so many words, zeroed, in memory that goes with the execve; mmap(2) may answer ENOMEM.
pub fn words(count: usize) -> Answer<&'static mut [u32]> {
    let address = anonymous(count * size_of::<u32>())?;
    // SAFETY: the kernel has just mapped this memory, zeroed, for nobody else, page-aligned and large enough.
    Ok(unsafe { core::slice::from_raw_parts_mut(address as *mut u32, count) })
}

/// A table of null pointers.
fn anonymous_table(length: usize) -> Answer<&'static mut [*const u8]> {
    let address = anonymous(length * size_of::<*const u8>())?;
    // SAFETY: the kernel has just mapped this memory, zeroed, for nobody else, page-aligned and large enough.
    Ok(unsafe { core::slice::from_raw_parts_mut(address as *mut *const u8, length) })
}

/// The address of new anonymous private memory.
fn anonymous(bytes: usize) -> Answer<usize> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    call(arch::MMAP, [0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0])
}
