//! Files, directories and descriptors, always relative to a directory descriptor.

use core::ffi::CStr;

use crate::{Answer, Errno, Fd, arch, call, pointer, pointer_mut};

/// Flags of open(2) and of the `*at` calls, by their names in the manual.
pub mod flag {
    #![allow(missing_docs)]
    pub const O_RDONLY: u64 = 0;
    pub const O_WRONLY: u64 = 1;
    pub const O_RDWR: u64 = 2;
    pub const O_CREAT: u64 = 0o100;
    pub const O_EXCL: u64 = 0o200;
    pub const O_NOCTTY: u64 = 0o400;
    pub const O_TRUNC: u64 = 0o1000;
    pub const O_NONBLOCK: u64 = 0o4000;
    #[cfg(target_arch = "x86_64")]
    pub const O_DIRECTORY: u64 = 0o200000;
    #[cfg(target_arch = "x86_64")]
    pub const O_NOFOLLOW: u64 = 0o400000;
    #[cfg(target_arch = "aarch64")]
    pub const O_DIRECTORY: u64 = 0o40000;
    #[cfg(target_arch = "aarch64")]
    pub const O_NOFOLLOW: u64 = 0o100000;
    pub const O_CLOEXEC: u64 = 0o2000000;
    pub const O_PATH: u64 = 0o10000000;
    pub const AT_EMPTY_PATH: u32 = 0x1000;
    pub const AT_RECURSIVE: u32 = 0x8000;
    pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    pub const AT_EACCESS: u32 = 0x200;
    /// openat2(2): no component may be a symbolic link.
    pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
    /// openat2(2): no jump through a link of procfs such as /proc/self/fd/3.
    pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
    /// openat2(2): no crossing into another mount.
    pub const RESOLVE_NO_XDEV: u64 = 0x01;
    /// openat2(2): leaving the directory is an error.
    pub const RESOLVE_BENEATH: u64 = 0x08;
    /// openat2(2): the directory is the root of everything, also for `..` and absolute links.
    pub const RESOLVE_IN_ROOT: u64 = 0x10;
}

/// File types and permission bits of `st_mode` (inode(7)).
pub mod mode {
    #![allow(missing_docs)]
    pub const TYPE: u32 = 0o170000;
    pub const DIRECTORY: u32 = 0o040000;
    pub const CHARACTER: u32 = 0o020000;
    pub const BLOCK: u32 = 0o060000;
    pub const REGULAR: u32 = 0o100000;
    pub const FIFO: u32 = 0o010000;
    pub const LINK: u32 = 0o120000;
}

/// What fstat(2) tells, as far as crate-run asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Device of the filesystem.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of the device, when the file is one.
    pub special: u64,
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// openat2(2), Linux 5.6. The kernel answers EAGAIN when a rename raced with the walk; the call is then tried
/// again, up to 128 times.
pub fn openat2(directory: Fd, path: &CStr, flags: u64, mode: u64, resolve: u64) -> Answer<Fd> {
    let how = OpenHow { flags: flags | flag::O_CLOEXEC, mode, resolve };
    let arguments = [directory.raw(), path.as_ptr() as usize, pointer(&how), size_of::<OpenHow>(), 0, 0];
    let mut answer = Err(Errno::EAGAIN);
    for _ in 0..128 {
        answer = call(arch::OPENAT2, arguments);
        if answer != Err(Errno::EAGAIN) {
            break;
        }
    }
    answer.map(|fd| Fd(fd as i32))
}

/// close(2). Errors are of no use to anybody: the descriptor is gone in any case.
pub fn close(fd: Fd) {
    let _ = call(arch::CLOSE, [fd.raw(), 0, 0, 0, 0, 0]);
}

/// close_range(2), Linux 5.11 for CLOSE_RANGE_CLOEXEC: everything from `first` is closed at the next execve.
pub fn close_on_exec_from(first: u32) -> Answer<()> {
    call(arch::CLOSE_RANGE, [first as usize, u32::MAX as usize, 4, 0, 0, 0]).map(drop)
}

/// close_range(2), Linux 5.9: everything from `first` to `last` is closed now.
pub fn close_range(first: u32, last: u32) -> Answer<()> {
    call(arch::CLOSE_RANGE, [first as usize, last as usize, 0, 0, 0, 0]).map(drop)
}

/// dup3(2) without O_CLOEXEC: `to` survives execve.
pub fn dup_to(from: Fd, to: Fd) -> Answer<()> {
    if from == to {
        return call(arch::FCNTL, [from.raw(), 2, 0, 0, 0, 0]).map(drop);
    }
    call(arch::DUP3, [from.raw(), to.raw(), 0, 0, 0, 0]).map(drop)
}

/// write(2), until all is written.
pub fn write_all(fd: Fd, mut bytes: &[u8]) -> Answer<()> {
    while !bytes.is_empty() {
        let written = call(arch::WRITE, [fd.raw(), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// One write(2), for files of procfs and cgroupfs where a value is one call.
pub fn write_once(fd: Fd, bytes: &[u8]) -> Answer<()> {
    match call(arch::WRITE, [fd.raw(), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// read(2); 0 at the end.
pub fn read(fd: Fd, buffer: &mut [u8]) -> Answer<usize> {
    call(arch::READ, [fd.raw(), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0])
}

/// lseek(2) back to the first byte.
pub fn rewind(fd: Fd) -> Answer<()> {
    call(arch::LSEEK, [fd.raw(), 0, 0, 0, 0, 0]).map(drop)
}

/// memfd_create(2).
pub fn memfd(name: &CStr, flags: u32) -> Answer<Fd> {
    call(arch::MEMFD_CREATE, [name.as_ptr() as usize, flags as usize, 0, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// fstat(2); works on O_PATH descriptors.
pub fn status(fd: Fd) -> Answer<Status> {
    let mut raw = [0u64; 18];
    call(arch::FSTAT, [fd.raw(), pointer_mut(&mut raw), 0, 0, 0, 0])?;
    let low = |word: u64| word as u32;
    let high = |word: u64| (word >> 32) as u32;
    #[cfg(target_arch = "x86_64")]
    let (mode, uid, gid, special) = (low(raw[3]), high(raw[3]), low(raw[4]), raw[5]);
    #[cfg(target_arch = "aarch64")]
    let (mode, uid, gid, special) = (low(raw[2]), low(raw[3]), high(raw[3]), raw[4]);
    Ok(Status { device: raw[0], inode: raw[1], mode, uid, gid, special })
}

/// fcntl(2), F_GETFL: is it open, and for writing? An O_PATH descriptor is not.
pub fn may_write(fd: Fd) -> bool {
    const F_GETFL: usize = 3;
    const O_WRONLY_OR_RDWR: usize = 3;
    let flags = call(arch::FCNTL, [fd.raw(), F_GETFL, 0, 0, 0, 0]).unwrap_or_default();
    flags & O_WRONLY_OR_RDWR != 0 && flags & flag::O_PATH as usize == 0
}

/// statx(2), STATX_ATTR_MOUNT_ROOT (Linux 5.8): is this the root of a mount?
pub fn is_mount_root(fd: Fd) -> Answer<bool> {
    const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;
    // The attributes follow two numbers of 32 bits.
    Ok(extended_status(fd, 0)?[1] & STATX_ATTR_MOUNT_ROOT != 0)
}

/// statx(2): by what the mount behind `fd` is known again, as long as this kernel runs. With
/// STATX_MNT_ID_UNIQUE (Linux 6.8) no other mount ever has the same; before, a mount of the same filesystem
/// can get the number of one that is gone (STATX_MNT_ID, Linux 5.8).
pub fn mount_identity(fd: Fd) -> Answer<u64> {
    const STATX_MNT_ID: u64 = 0x1000;
    const STATX_MNT_ID_UNIQUE: u64 = 0x4000;
    let raw = extended_status(fd, STATX_MNT_ID | STATX_MNT_ID_UNIQUE)?;
    let (major, minor, number) = (raw[17] & 0xfff, raw[17] >> 32, raw[18]);
    let is_unique = raw[0] & STATX_MNT_ID_UNIQUE != 0;
    Ok(if is_unique { number } else { (major << 20 | minor) << 32 | number & 0xffff_ffff })
}

/// `struct statx` of an open file.
fn extended_status(fd: Fd, mask: u64) -> Answer<[u64; 32]> {
    const AT_EMPTY_PATH: usize = 0x1000;
    let (mut raw, mask) = ([0u64; 32], mask as usize);
    call(arch::STATX, [fd.raw(), c"".as_ptr() as usize, AT_EMPTY_PATH, mask, pointer_mut(&mut raw), 0])?;
    Ok(raw)
}

/// fstatfs(2): the magic number of the filesystem (statfs(2) lists them).
pub fn filesystem_magic(fd: Fd) -> Answer<u64> {
    let mut raw = [0u64; 15];
    call(arch::FSTATFS, [fd.raw(), pointer_mut(&mut raw), 0, 0, 0, 0])?;
    Ok(raw[0])
}

/// `f_type` of procfs.
pub const PROC_MAGIC: u64 = 0x9fa0;
/// `f_type` of devpts.
pub const DEVPTS_MAGIC: u64 = 0x1cd1;

/// The number that mknod(2) and `st_rdev` use for a device (makedev(3)).
pub const fn device_number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
}

/// mkdirat(2).
pub fn make_directory(directory: Fd, name: &CStr, mode: u32) -> Answer<()> {
    call(arch::MKDIRAT, [directory.raw(), name.as_ptr() as usize, mode as usize, 0, 0, 0]).map(drop)
}

/// mknodat(2); `mode` has the type bits.
pub fn make_node(directory: Fd, name: &CStr, mode: u32, device: u64) -> Answer<()> {
    let arguments = [directory.raw(), name.as_ptr() as usize, mode as usize, device as usize, 0, 0];
    call(arch::MKNODAT, arguments).map(drop)
}

/// symlinkat(2).
pub fn make_link(target: &CStr, directory: Fd, name: &CStr) -> Answer<()> {
    let arguments = [target.as_ptr() as usize, directory.raw(), name.as_ptr() as usize, 0, 0, 0];
    call(arch::SYMLINKAT, arguments).map(drop)
}

/// readlinkat(2): the length of what was written to `buffer`.
pub fn read_link(directory: Fd, name: &CStr, buffer: &mut [u8]) -> Answer<usize> {
    let arguments =
        [directory.raw(), name.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0];
    call(arch::READLINKAT, arguments)
}

/// unlinkat(2) of something that is not a directory.
pub fn unlink(directory: Fd, name: &CStr) -> Answer<()> {
    call(arch::UNLINKAT, [directory.raw(), name.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// fchownat(2) of the file behind `fd` itself, which may be an O_PATH descriptor.
pub fn change_owner(fd: Fd, uid: u32, gid: u32) -> Answer<()> {
    let arguments =
        [fd.raw(), c"".as_ptr() as usize, uid as usize, gid as usize, flag::AT_EMPTY_PATH as usize, 0];
    call(arch::FCHOWNAT, arguments).map(drop)
}

/// fchownat(2) of `name`, not of what it links to.
pub fn change_owner_of(directory: Fd, name: &CStr, uid: u32, gid: u32) -> Answer<()> {
    let no_follow = flag::AT_SYMLINK_NOFOLLOW as usize;
    let arguments = [directory.raw(), name.as_ptr() as usize, uid as usize, gid as usize, no_follow, 0];
    call(arch::FCHOWNAT, arguments).map(drop)
}

/// faccessat2(2) with X_OK and AT_EACCESS, Linux 5.8: may the effective user execute this file?
pub fn executable(directory: Fd, path: &CStr) -> Answer<()> {
    let arguments = [directory.raw(), path.as_ptr() as usize, 1, flag::AT_EACCESS as usize, 0, 0];
    call(arch::FACCESSAT2, arguments).map(drop)
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> Answer<()> {
    call(arch::CHDIR, [path.as_ptr() as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// fchdir(2).
pub fn enter_directory(fd: Fd) -> Answer<()> {
    call(arch::FCHDIR, [fd.raw(), 0, 0, 0, 0, 0]).map(drop)
}

/// chroot(2) into the working directory.
pub fn change_root_here() -> Answer<()> {
    call(arch::CHROOT, [c".".as_ptr() as usize, 0, 0, 0, 0, 0]).map(drop)
}

/// The raw getcwd(2) call: the first byte tells whether the directory is inside the root: '/', or the
/// '(' of "(unreachable)".
pub fn working_directory(buffer: &mut [u8]) -> Answer<usize> {
    call(arch::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0])
}

/// umask(2); answers the former mask.
pub fn set_umask(mask: u32) -> u32 {
    call(arch::UMASK, [mask as usize, 0, 0, 0, 0, 0]).unwrap_or(0) as u32
}
