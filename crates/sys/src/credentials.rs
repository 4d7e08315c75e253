//! Ids, groups, capabilities, no_new_privs and seccomp: what a process may do
//! (credentials(7), capabilities(7)).

use crate::{Answer, Errno, arch, call, pointer, pointer_mut};

const PR_SET_KEEPCAPS: usize = 8;
const PR_GET_SECCOMP: usize = 21;
const PR_CAPBSET_READ: usize = 23;
const PR_CAPBSET_DROP: usize = 24;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_GET_NO_NEW_PRIVS: usize = 39;
const PR_CAP_AMBIENT: usize = 47;

fn prctl(option: usize, a: usize, b: usize) -> Answer<usize> {
    call(arch::PRCTL, [option, a, b, 0, 0, 0])
}

/// setgroups(2).
pub fn set_groups(groups: &[u32]) -> Answer<()> {
    call(arch::SETGROUPS, [groups.len(), groups.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// The setgroups(2) call on a list in bytes of native order that need not be aligned.
pub fn set_groups_from(bytes: &[u8]) -> Answer<()> {
    call(arch::SETGROUPS, [bytes.len() / 4, bytes.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// setresuid(2): real, effective and saved user at once.
pub fn set_user(uid: u32) -> Answer<()> {
    call(arch::SETRESUID, [uid as usize, uid as usize, uid as usize, 0, 0, 0]).map(drop)
}

/// setresgid(2).
pub fn set_group(gid: u32) -> Answer<()> {
    call(arch::SETRESGID, [gid as usize, gid as usize, gid as usize, 0, 0, 0]).map(drop)
}

/// getresuid(2).
pub fn users() -> Answer<[u32; 3]> {
    three(arch::GETRESUID)
}

/// getresgid(2).
pub fn groups() -> Answer<[u32; 3]> {
    three(arch::GETRESGID)
}

/// The filesystem user (setfsuid(2)): an id that cannot be is refused, and the answer is the one that stays.
pub fn file_user() -> u32 {
    call(arch::SETFSUID, [u32::MAX as usize, 0, 0, 0, 0, 0]).map_or(u32::MAX, |id| id as u32)
}

/// The filesystem group (setfsgid(2)).
pub fn file_group() -> u32 {
    call(arch::SETFSGID, [u32::MAX as usize, 0, 0, 0, 0, 0]).map_or(u32::MAX, |id| id as u32)
}

/// getgroups(2); answers how many there are. EINVAL when there is too little room, but for none at all.
pub fn supplementary(room: &mut [u32]) -> Answer<usize> {
    call(arch::GETGROUPS, [room.len(), room.as_mut_ptr() as usize, 0, 0, 0, 0])
}

fn three(number: usize) -> Answer<[u32; 3]> {
    let (mut a, mut b, mut c) = (0u32, 0u32, 0u32);
    call(number, [pointer_mut(&mut a), pointer_mut(&mut b), pointer_mut(&mut c), 0, 0, 0])?;
    Ok([a, b, c])
}

/// The three sets of capset(2), one bit a capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// What the kernel checks.
    pub effective: u64,
    /// What may be made effective.
    pub permitted: u64,
    /// What may survive execve of a file with capabilities.
    pub inheritable: u64,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// capset(2).
pub fn set_capabilities(sets: &Sets) -> Answer<()> {
    let header = [CAPABILITY_VERSION_3, 0];
    let (e, p, i) = (sets.effective, sets.permitted, sets.inheritable);
    let data: [u32; 6] = [e as u32, p as u32, i as u32, (e >> 32) as u32, (p >> 32) as u32, (i >> 32) as u32];
    call(arch::CAPSET, [pointer(&header), pointer(&data), 0, 0, 0, 0]).map(drop)
}

/// capget(2).
pub fn capabilities() -> Answer<Sets> {
    let header = [CAPABILITY_VERSION_3, 0];
    let mut data = [0u32; 6];
    call(arch::CAPGET, [pointer(&header), pointer_mut(&mut data), 0, 0, 0, 0])?;
    let wide = |low: usize| u64::from(data[low]) | u64::from(data[low + 3]) << 32;
    Ok(Sets { effective: wide(0), permitted: wide(1), inheritable: wide(2) })
}

/// PR_CAPBSET_READ: is this capability in the bounding set? EINVAL beyond the kernel's last capability.
pub fn bounding_has(capability: u32) -> Answer<bool> {
    prctl(PR_CAPBSET_READ, capability as usize, 0).map(|answer| answer == 1)
}

/// PR_CAPBSET_DROP; EINVAL beyond the kernel's last capability.
pub fn drop_bounding(capability: u32) -> Answer<()> {
    prctl(PR_CAPBSET_DROP, capability as usize, 0).map(drop)
}

/// PR_SET_KEEPCAPS: the permitted set survives leaving user 0; execve clears the flag.
pub fn keep_capabilities() -> Answer<()> {
    prctl(PR_SET_KEEPCAPS, 1, 0).map(drop)
}

/// PR_CAP_AMBIENT_RAISE; EPERM unless the capability is both permitted and inheritable.
pub fn raise_ambient(capability: u32) -> Answer<()> {
    prctl(PR_CAP_AMBIENT, 2, capability as usize).map(drop)
}

/// PR_CAP_AMBIENT_IS_SET; EINVAL beyond the kernel's last capability.
pub fn ambient_has(capability: u32) -> Answer<bool> {
    prctl(PR_CAP_AMBIENT, 1, capability as usize).map(|answer| answer == 1)
}

/// PR_GET_SECCOMP: 0 without, 2 with a filter (prctl(2)). EINVAL in a kernel without seccomp.
pub fn seccomp_mode() -> Answer<usize> {
    prctl(PR_GET_SECCOMP, 0, 0)
}

/// PR_SET_NO_NEW_PRIVS.
pub fn set_no_new_privileges() -> Answer<()> {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// PR_GET_NO_NEW_PRIVS.
pub fn no_new_privileges() -> Answer<bool> {
    prctl(PR_GET_NO_NEW_PRIVS, 0, 0).map(|answer| answer == 1)
}

#[repr(C)]
struct FilterProgram {
    length: u16,
    filter: *const u8,
}

const SECCOMP_SET_MODE_FILTER: usize = 1;

/// Does the kernel know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV? A call without a program fails with EFAULT if
/// it does, and with EINVAL if not (seccomp(2)).
pub fn has_killable_notification() -> bool {
    const NEW_LISTENER_AND_WAIT_KILLABLE: usize = 1 << 3 | 1 << 5;
    let arguments = [SECCOMP_SET_MODE_FILTER, NEW_LISTENER_AND_WAIT_KILLABLE, 0, 0, 0, 0];
    call(arch::SECCOMP, arguments) == Err(Errno::EFAULT)
}

/// seccomp(2) with SECCOMP_SET_MODE_FILTER; `program` is an array of `struct sock_filter` (8 bytes each) in
/// native byte order. Answers the listener's descriptor if `flags` ask for one, else 0.
pub fn install_filter(flags: u32, program: &[u8]) -> Answer<usize> {
    let header = FilterProgram { length: (program.len() / 8) as u16, filter: program.as_ptr() };
    call(arch::SECCOMP, [SECCOMP_SET_MODE_FILTER, flags as usize, pointer(&header), 0, 0, 0])
}
