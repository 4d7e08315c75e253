//! The birth of a container's first process: one clone3(2), then execve of the sealed child.
//!
//! Between clone and execve the newborn runs in the runtime's own memory (CLONE_VM), on a stack of its own.
//! The code of that moment is `newborn`: it calls the kernel and nothing else, allocates nothing, and ends in
//! execve or in exit. The parent goes on meanwhile: what the newborn reads lies in its [`Cradle`], which the
//! parent leaves alone, and without CLONE_VFORK there is nothing to wait for. With a user namespace the
//! parent must write the id maps before the execve, which would cost the newborn all its capabilities
//! otherwise (user_namespaces(7)): the newborn waits on a futex until [`Newborn::maps_written`]. So it does
//! for [`Newborn::moved`] when it is not born where it is to live (docs/adr/0017-spurned-newborn.md).

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::files::flag::AT_EMPTY_PATH;
use crate::{Answer, Errno, Fd, arch, call, credentials, files, namespaces, pointer, process, signals};

const CLONE_VM: u64 = 0x100;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const SIGCHLD: u64 = 17;
const STACK: usize = 8 * 1024;

/// `struct clone_args` of clone3(2), as long as Linux 5.7 knows it.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

unsafe extern "C" {
    fn crate_run_clone_call(
        arguments: *const CloneArguments,
        size: usize,
        entry: extern "C" fn(*const Shared) -> !,
        argument: *const Shared,
    ) -> isize;
}

/// What parent and newborn share until the execve.
#[repr(C)]
struct Shared {
    program: Fd,
    arguments: [*const u8; 2],
    environment: [*const u8; 1],
    waits_for_maps: bool,
    /// The parent; -1 when the newborn does not wait for it.
    parent: Fd,
    /// How many words of the parent the newborn still waits for.
    awaited: AtomicU32,
    failure: AtomicU32,
}

/// The cgroup in which a process is born.
#[derive(Clone, Copy, Debug)]
pub enum Birthplace {
    /// That of its parent.
    Beside,
    /// That of its parent, where it waits for [`Newborn::moved`].
    Waiting,
    /// This one (CLONE_INTO_CGROUP, Linux 5.7).
    Inside(Fd),
}

/// Memory for the newborn's stack and for what it shares with the parent. It must stay where it is until the
/// newborn has left it by execve; the runtime keeps it to its own end.
#[repr(C, align(16))]
pub struct Cradle {
    stack: [u8; STACK],
    shared: Shared,
}

impl Cradle {
    /// An empty cradle. Larger than 8 KiB: keep it on the heap.
    pub const fn new() -> Self {
        let shared = Shared {
            program: Fd(-1),
            arguments: [core::ptr::null(); 2],
            environment: [core::ptr::null()],
            waits_for_maps: false,
            parent: Fd(-1),
            awaited: AtomicU32::new(0),
            failure: AtomicU32::new(0),
        };
        Self { stack: [0; STACK], shared }
    }
}

impl Default for Cradle {
    fn default() -> Self {
        Self::new()
    }
}

/// The process that was born.
#[derive(Clone, Copy, Debug)]
pub struct Newborn {
    /// Its number in the pid namespace of the parent.
    pub pid: i32,
    /// A descriptor for it, close-on-exec.
    pub pidfd: Fd,
    cradle: *const Shared,
}

impl Newborn {
    /// Tells a newborn in a user namespace that its id maps are in place.
    pub fn maps_written(&self) {
        self.tell();
    }

    /// Tells one that was born [`Birthplace::Waiting`] that it is in its cgroup now.
    pub fn moved(&self) {
        self.tell();
    }

    fn tell(&self) {
        // SAFETY: the cradle outlives the birth (`&'static mut` in `give_birth`), and is accessed only
        // through atomics once the newborn runs.
        let shared = unsafe { &*self.cradle };
        shared.awaited.fetch_sub(1, Ordering::Release);
        let _ = call(arch::FUTEX, [pointer(&shared.awaited), 1, 1, 0, 0, 0]);
    }

    /// Why the newborn could not become the sealed child, if so; meaningful once it has ended or exec'ed.
    pub fn failure(&self) -> Option<Errno> {
        // SAFETY: as in `tell`.
        let code = unsafe { &*self.cradle }.failure.load(Ordering::Acquire);
        (code != 0).then_some(Errno(code as u16))
    }
}

/// clone3(2) with the namespaces `kinds` (CLONE_NEW* flags) at `place`, and execve of `program`, the sealed
/// child.
///
/// Errors: of clone3. A failed execve is told by [`Newborn::failure`].
pub fn give_birth(
    cradle: &'static mut Cradle,
    program: Fd,
    name: &'static CStr,
    kinds: u64,
    place: Birthplace,
) -> Answer<Newborn> {
    cradle.shared.program = program;
    cradle.shared.arguments = [name.as_ptr().cast(), core::ptr::null()];
    let waits_for_maps = kinds & namespaces::flag::USER != 0;
    let awaited = u32::from(waits_for_maps) + u32::from(matches!(place, Birthplace::Waiting));
    if awaited > 0 {
        cradle.shared.parent = process::own_pidfd()?;
    }
    cradle.shared.waits_for_maps = waits_for_maps;
    cradle.shared.awaited = AtomicU32::new(awaited);
    let mut pidfd = -1i32;
    let (into, cgroup) = match place {
        Birthplace::Beside | Birthplace::Waiting => (0, 0),
        Birthplace::Inside(cgroup) => (CLONE_INTO_CGROUP, cgroup.0 as u64),
    };
    let arguments = CloneArguments {
        flags: kinds | into | CLONE_VM | CLONE_PIDFD,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: SIGCHLD,
        stack: cradle.stack.as_ptr() as u64,
        stack_size: STACK as u64,
        cgroup,
        ..CloneArguments::default()
    };
    let shared = &raw const cradle.shared;
    let former = signals::block_all();
    // SAFETY: the cradle is 'static, so stack and shared memory outlive the newborn; all signals are blocked,
    // so no handler of the parent runs on the newborn's stack; `newborn` never returns.
    let answer = unsafe { crate_run_clone_call(&arguments, size_of::<CloneArguments>(), newborn, shared) };
    signals::set_mask(former);
    if awaited > 0 {
        // The newborn has a table of descriptors of its own.
        files::close(cradle.shared.parent);
    }
    match answer {
        pid if pid >= 0 => Ok(Newborn { pid: pid as i32, pidfd: Fd(pidfd), cradle: shared }),
        error => Err(Errno(error.unsigned_abs() as u16)),
    }
}

/// The newborn's whole life in its parent's memory.
extern "C" fn newborn(shared: *const Shared) -> ! {
    // SAFETY: `give_birth` passes its cradle, which outlives this process's stay in the parent's memory.
    let shared = unsafe { &*shared };
    let failure = match ready_for_exec(shared) {
        Ok(()) => {
            let (arguments, environment) = (pointer(&shared.arguments), pointer(&shared.environment));
            process::replace_raw(shared.program, c"", arguments, environment, AT_EMPTY_PATH)
        }
        Err(errno) => errno,
    };
    shared.failure.store(u32::from(failure.0), Ordering::Release);
    process::exit(127)
}

/// Waits for what the parent has to do first. In a user namespace it then becomes root of that, without which
/// execve drops all capabilities.
fn ready_for_exec(shared: &Shared) -> Answer<()> {
    if shared.parent == Fd(-1) {
        return Ok(());
    }
    // A parent that dies before it has said its words must not leave a newborn waiting for ever, nor one
    // that was dead before the signal was asked for: in a new pid namespace getppid(2) says nothing.
    process::set_parent_death_signal(9)?;
    if process::readable_within(shared.parent, Some(0))? {
        return Err(Errno::ESRCH);
    }
    loop {
        let awaited = shared.awaited.load(Ordering::Acquire);
        if awaited == 0 {
            break;
        }
        let _ = call(arch::FUTEX, [pointer(&shared.awaited), 0, awaited as usize, 0, 0, 0]);
    }
    if !shared.waits_for_maps {
        return Ok(());
    }
    match credentials::set_groups(&[]) {
        Ok(()) | Err(Errno::EPERM) => {}
        Err(errno) => return Err(errno),
    }
    credentials::set_group(0)?;
    credentials::set_user(0)
}

/// clone3(2) as fork with the new namespaces `kinds`, as a child of the caller's parent (CLONE_PARENT):
/// answers a pidfd to the caller and `None` to the new process. The same conditions as for [`fork`].
pub fn rebirth(kinds: u64) -> Answer<Option<Fd>> {
    const CLONE_PARENT: u64 = 0x8000;
    // With CLONE_PARENT the exit signal is the caller's own (clone(2)).
    fork_with(kinds | CLONE_PARENT, 0)
}

/// clone3(2) as fork: answers a pidfd to the parent and `None` to the child, which goes on with a copy of the
/// memory. For a process of one thread and without a heap, such as the sealed child.
pub fn fork() -> Answer<Option<Fd>> {
    fork_with(0, SIGCHLD)
}

/// clone3(2) of a process in a new user namespace, which does nothing and ends with its parent: as long as it
/// lives, the namespace can be given its id maps and be opened (user_namespaces(7)). Answers its pidfd.
pub fn user_namespace() -> Answer<Fd> {
    let parent = process::own_pidfd()?;
    let born = fork_with(namespaces::flag::USER, SIGCHLD);
    if let Ok(None) = born {
        let _ = process::readable_within(parent, None);
        process::exit(0);
    }
    files::close(parent);
    born.map(|pidfd| pidfd.unwrap_or(Fd(-1)))
}

fn fork_with(flags: u64, exit_signal: u64) -> Answer<Option<Fd>> {
    let mut pidfd = -1i32;
    let arguments = CloneArguments {
        flags: flags | CLONE_PIDFD,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal,
        ..CloneArguments::default()
    };
    match call(arch::CLONE3, [pointer(&arguments), size_of::<CloneArguments>(), 0, 0, 0, 0])? {
        0 => Ok(None),
        _ => Ok(Some(Fd(pidfd))),
    }
}
