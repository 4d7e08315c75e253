//! Joining and leaving namespaces, and what they hold (namespaces(7)).

use crate::{Answer, Fd, arch, call};

/// The CLONE_NEW* flags.
pub mod flag {
    #![allow(missing_docs)]
    pub const TIME: u64 = 0x80;
    pub const MOUNT: u64 = 0x0002_0000;
    pub const CGROUP: u64 = 0x0200_0000;
    pub const UTS: u64 = 0x0400_0000;
    pub const IPC: u64 = 0x0800_0000;
    pub const USER: u64 = 0x1000_0000;
    pub const PID: u64 = 0x2000_0000;
    pub const NETWORK: u64 = 0x4000_0000;
}

/// setns(2): joins the namespace behind `namespace`, which must be of the type that `kind` (a
/// CLONE_NEW* flag) names, else EINVAL.
pub fn join(namespace: Fd, kind: u64) -> Answer<()> {
    call(arch::SETNS, [namespace.raw(), kind as usize, 0, 0, 0, 0]).map(drop)
}

/// unshare(2).
pub fn unshare(kinds: u64) -> Answer<()> {
    call(arch::UNSHARE, [kinds as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// sethostname(2), at most 64 bytes.
pub fn set_hostname(name: &[u8]) -> Answer<()> {
    call(arch::SETHOSTNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

/// setdomainname(2), at most 64 bytes.
pub fn set_domainname(name: &[u8]) -> Answer<()> {
    call(arch::SETDOMAINNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

/// NS_GET_USERNS of ioctl_ns(2): the user namespace that has the power over `namespace`. EPERM when that is
/// none of ours and of those in it.
pub fn owner_of(namespace: Fd) -> Answer<Fd> {
    const NS_GET_USERNS: usize = 0xb701;
    call(arch::IOCTL, [namespace.raw(), NS_GET_USERNS, 0, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// NS_GET_NSTYPE of ioctl_ns(2): the CLONE_NEW* flag of the namespace behind
/// `namespace`. ENOTTY when it is none.
pub fn kind_of(namespace: Fd) -> Answer<u64> {
    const NS_GET_NSTYPE: usize = 0xb703;
    call(arch::IOCTL, [namespace.raw(), NS_GET_NSTYPE, 0, 0, 0, 0]).map(|kind| kind as u64)
}
