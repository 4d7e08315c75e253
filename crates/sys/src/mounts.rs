//! Mounts through the API of Linux 5.2 and mount_setattr(2) of Linux 5.12: source, filesystem and target are
//! descriptors, and a mount is complete before anybody can see it.

use core::ffi::CStr;

use crate::files::flag::{AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW};
use crate::{Answer, Fd, arch, call, pointer};

/// Mount attributes of mount_setattr(2) and fsmount(2).
pub mod attribute {
    #![allow(missing_docs)]
    pub const RDONLY: u64 = 0x01;
    pub const NOSUID: u64 = 0x02;
    pub const NODEV: u64 = 0x04;
    pub const NOEXEC: u64 = 0x08;
    /// The bits of the access time policy; one policy replaces another, so all are cleared first.
    pub const ATIME: u64 = 0x70;
    pub const RELATIME: u64 = 0x00;
    pub const NOATIME: u64 = 0x10;
    pub const STRICTATIME: u64 = 0x20;
    pub const NODIRATIME: u64 = 0x80;
    pub const IDMAP: u64 = 0x0010_0000;
    /// Linux 5.14.
    pub const NOSYMFOLLOW: u64 = 0x0020_0000;
}

/// Propagation types (mount_namespaces(7)).
pub mod propagation {
    #![allow(missing_docs)]
    pub const UNBINDABLE: u64 = 1 << 17;
    pub const PRIVATE: u64 = 1 << 18;
    pub const SLAVE: u64 = 1 << 19;
    pub const SHARED: u64 = 1 << 20;
}

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits of [`attribute`] to set.
    pub set: u64,
    /// Bits of [`attribute`] to clear.
    pub clear: u64,
    /// One bit of [`propagation`], or 0 to leave it as it is.
    pub propagation: u64,
    /// With IDMAP: descriptor of the user namespace whose mapping the mount takes.
    pub user_namespace: u64,
}

/// Whether a call covers only the mount it names, or those below it as well (AT_RECURSIVE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// This mount alone.
    One,
    /// This mount and all below it.
    Tree,
}

impl Depth {
    fn flag(self) -> u32 {
        match self {
            Depth::One => 0,
            Depth::Tree => AT_RECURSIVE,
        }
    }
}

/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path` (the descriptor itself when
/// empty).
pub fn clone_tree(directory: Fd, path: &CStr, depth: Depth) -> Answer<Fd> {
    open_tree(directory, path, AT_EMPTY_PATH | depth.flag())
}

/// The same of what lies at `path` itself, also if that is a symbolic link.
pub fn clone_unfollowed(directory: Fd, path: &CStr, depth: Depth) -> Answer<Fd> {
    open_tree(directory, path, AT_SYMLINK_NOFOLLOW | depth.flag())
}

fn open_tree(directory: Fd, path: &CStr, flags: u32) -> Answer<Fd> {
    const OPEN_TREE_CLONE: u32 = 1;
    const OPEN_TREE_CLOEXEC: u32 = 0o2000000;
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags;
    call(arch::OPEN_TREE, [directory.raw(), path.as_ptr() as usize, flags as usize, 0, 0, 0])
        .map(|fd| Fd(fd as i32))
}

/// move_mount(2) by two descriptors: attaches the detached mount `tree` on the object behind `target`.
pub fn attach(tree: Fd, target: Fd) -> Answer<()> {
    const F_EMPTY_PATH: usize = 0x04;
    const T_EMPTY_PATH: usize = 0x40;
    let empty = c"".as_ptr() as usize;
    let flags = F_EMPTY_PATH | T_EMPTY_PATH;
    call(arch::MOVE_MOUNT, [tree.raw(), empty, target.raw(), empty, flags, 0]).map(drop)
}

/// mount_setattr(2) on the mount behind `mount`.
pub fn set_attributes(mount: Fd, depth: Depth, attributes: &Attributes) -> Answer<()> {
    let flags = AT_EMPTY_PATH | depth.flag();
    let arguments =
        [mount.raw(), c"".as_ptr() as usize, flags as usize, pointer(attributes), size_of::<Attributes>(), 0];
    call(arch::MOUNT_SETATTR, arguments).map(drop)
}

/// fsopen(2): a configuration context for a new superblock of this filesystem.
pub fn open_filesystem(filesystem: &CStr) -> Answer<Fd> {
    call(arch::FSOPEN, [filesystem.as_ptr() as usize, 1, 0, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// fspick(2): a configuration context for the superblock that is mounted at the descriptor `mount`.
pub fn pick_filesystem(mount: Fd) -> Answer<Fd> {
    const FSPICK_CLOEXEC: usize = 1;
    const FSPICK_EMPTY_PATH: usize = 8;
    let flags = FSPICK_CLOEXEC | FSPICK_EMPTY_PATH;
    call(arch::FSPICK, [mount.raw(), c"".as_ptr() as usize, flags, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// fsconfig(2) with FSCONFIG_SET_FLAG: an option without a value.
pub fn configure_flag(context: Fd, key: &CStr) -> Answer<()> {
    call(arch::FSCONFIG, [context.raw(), 0, key.as_ptr() as usize, 0, 0, 0]).map(drop)
}

/// fsconfig(2) with FSCONFIG_SET_STRING: `key=value`.
pub fn configure(context: Fd, key: &CStr, value: &CStr) -> Answer<()> {
    let arguments = [context.raw(), 1, key.as_ptr() as usize, value.as_ptr() as usize, 0, 0];
    call(arch::FSCONFIG, arguments).map(drop)
}

/// fsconfig(2) with FSCONFIG_CMD_CREATE: makes the superblock.
pub fn create_filesystem(context: Fd) -> Answer<()> {
    call(arch::FSCONFIG, [context.raw(), 6, 0, 0, 0, 0]).map(drop)
}

/// fsconfig(2) with FSCONFIG_CMD_RECONFIGURE: gives a superblock the options of its context.
pub fn reconfigure_filesystem(context: Fd) -> Answer<()> {
    call(arch::FSCONFIG, [context.raw(), 7, 0, 0, 0, 0]).map(drop)
}

/// fsmount(2): a detached mount of the superblock, with its attributes.
pub fn mount_filesystem(context: Fd, attributes: u64) -> Answer<Fd> {
    call(arch::FSMOUNT, [context.raw(), 1, attributes as usize, 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// The flag of mount(2) for a word that is an option of every superblock.
pub fn superblock_flag(word: &[u8]) -> Option<usize> {
    Some(match word {
        b"ro" => 1,
        b"sync" => 16,
        b"mand" => 64,
        b"dirsync" => 128,
        b"silent" => 1 << 15,
        b"iversion" => 1 << 23,
        b"lazytime" => 1 << 25,
        _ => return None,
    })
}

/// Does only mount(2) take this option? fsconfig(2) takes none of more than 255 bytes, and a list of many
/// overlay layers is longer.
pub fn needs_mount(option: &CStr) -> bool {
    option.count_bytes() > 255 || is_flag_only(option.to_bytes())
}

/// Is this an option of every superblock that mount(2) has a flag for and fsconfig(2) no word?
pub fn is_flag_only(word: &[u8]) -> bool {
    matches!(word, b"silent" | b"iversion")
}

/// mount(2) of a new filesystem on the working directory: the one call for options longer than fsconfig(2)
/// takes. `attributes` are those of [`attribute`], `superblock` those of [`superblock_flag`]; `data` is at
/// most 4095 bytes long.
pub fn mount_here(
    source: &CStr,
    filesystem: &CStr,
    attributes: u64,
    superblock: usize,
    data: &CStr,
) -> Answer<()> {
    const FLAGS: [(u64, usize); 8] = [
        (attribute::RDONLY, 1),
        (attribute::NOSUID, 2),
        (attribute::NODEV, 4),
        (attribute::NOEXEC, 8),
        (attribute::NOSYMFOLLOW, 256),
        (attribute::NOATIME, 1024),
        (attribute::NODIRATIME, 2048),
        (attribute::STRICTATIME, 1 << 24),
    ];
    let flags = FLAGS
        .iter()
        .filter(|(attribute, _)| attributes & attribute != 0)
        .fold(superblock, |all, (_, flag)| all | flag);
    let here = c".".as_ptr() as usize;
    let (source, filesystem, data) =
        (source.as_ptr() as usize, filesystem.as_ptr() as usize, data.as_ptr() as usize);
    call(arch::MOUNT, [source, here, filesystem, flags, data, 0]).map(drop)
}

/// pivot_root(".", "."): the working directory becomes the root, the old root lies on top of it
/// (pivot_root(2), notes).
pub fn pivot_here() -> Answer<()> {
    let here = c".".as_ptr() as usize;
    call(arch::PIVOT_ROOT, [here, here, 0, 0, 0, 0]).map(drop)
}

/// umount2(2) with MNT_DETACH. `path` may be a link of /proc/self/fd, which leads to the mount itself.
pub fn detach(path: &CStr) -> Answer<()> {
    const MNT_DETACH: usize = 2;
    call(arch::UMOUNT2, [path.as_ptr() as usize, MNT_DETACH, 0, 0, 0, 0]).map(drop)
}

/// umount2(".", MNT_DETACH).
pub fn detach_here() -> Answer<()> {
    detach(c".")
}
