//! Filling a tmpfs with a directory of the image (tmpcopyup), before anybody can see it.
//!
//! The image belongs to somebody hostile, who may change it meanwhile. Every look-up is openat2(2): the
//! directory itself is found as the container would find it, with the image as the root; below it no link is
//! followed at all. The walk keeps a list of directories to do, so neither stack nor descriptors grow with
//! the depth of the tree; a path longer than PATH_MAX is an error. Devices are not copied, for the right to
//! make them is not the image's.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use crate_run_sys::Errno;
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, chownat,
    fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens, mkdirat, mknodat, openat2, readlinkat,
    symlinkat,
};

use crate::bundle::path::InsidePath;
use crate::launch::cause::Cause;
use crate::launch::filesystem;

/// A detached tmpfs with a copy of `path` in `tree`, or empty and owned by `root` (user, group) where nothing
/// is. Errors: of the kernel, with the place; ENOSPC when the tmpfs is too small.
pub fn filled_tmpfs(
    tree: &OwnedFd,
    path: &InsidePath,
    options: &[CString],
    root: (u32, u32),
) -> Result<OwnedFd, Cause> {
    let mount = filesystem::detached(c"tmpfs", c"tmpfs", options)?;
    let to = open_directory(&mount, c".")?;
    let has = |option: &[u8]| options.iter().any(|word| word.to_bytes().starts_with(option));
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let relative = path.as_str().trim_start_matches('/');
    let relative = if relative.is_empty() { "." } else { relative };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let (status, from) = match openat2(tree, relative, flags, Mode::empty(), inside) {
        Ok(from) => (fstat(&from)?, Some(from)),
        Err(rustix::io::Errno::NOENT) => {
            let mut status = fstat(&to)?;
            (status.st_uid, status.st_gid) = root;
            (status, None)
        }
        Err(errno) => return Err(trouble(relative.as_bytes(), errno)),
    };
    let uid = (!has(b"uid=")).then(|| Uid::from_raw(status.st_uid));
    let gid = (!has(b"gid=")).then(|| Gid::from_raw(status.st_gid));
    fchown(&to, uid, gid)?;
    if !has(b"mode=") {
        fchmod(&to, Mode::from_raw_mode(status.st_mode))?;
    }
    if let Some(from) = from {
        Copying { from, to, to_do: vec![c".".to_owned()] }.run()?;
    }
    Ok(mount)
}

fn trouble(path: &[u8], errno: rustix::io::Errno) -> Cause {
    let errno = Errno(errno.raw_os_error() as u16);
    Cause::Said(format!("{} of the image: {errno}", String::from_utf8_lossy(path)))
}

fn open_directory(at: &impl AsFd, path: &CStr) -> rustix::io::Result<OwnedFd> {
    open_below(at, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// No link on the way, and none at its end.
fn open_below(at: &impl AsFd, path: &CStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(at, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// A copy under way.
struct Copying {
    from: OwnedFd,
    to: OwnedFd,
    /// Directories that exist on both sides and whose entries are not copied yet, relative to both.
    to_do: Vec<CString>,
}

impl Copying {
    fn run(mut self) -> Result<(), Cause> {
        while let Some(path) = self.to_do.pop() {
            self.directory(&path).map_err(|errno| trouble(path.to_bytes(), errno))?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &CStr) -> rustix::io::Result<()> {
        let from = open_directory(&self.from, path)?;
        let to = open_directory(&self.to, path)?;
        for entry in Dir::read_from(&from)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            // O_PATH opens anything, a link itself as well, and without side effects.
            let what = openat2(
                &from,
                name,
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::BENEATH,
            )?;
            let status = fstat(&what)?;
            match FileType::from_raw_mode(status.st_mode) {
                FileType::Directory => {
                    mkdirat(&to, name, Mode::RWXU)?;
                    let made = open_directory(&to, name)?;
                    keep(&made, &open_directory(&from, name)?, &status)?;
                    let below = [path.to_bytes(), b"/", name.to_bytes()].concat();
                    self.to_do.push(CString::new(below).expect("names have no NUL"));
                }
                FileType::RegularFile => file(&from, &to, name)?,
                FileType::Symlink => {
                    symlinkat(readlinkat(&what, c"", Vec::new())?, &to, name)?;
                    own(&to, name, &status)?;
                }
                kind @ (FileType::Fifo | FileType::Socket) => {
                    mknodat(&to, name, kind, Mode::from_raw_mode(status.st_mode), 0)?;
                    own(&to, name, &status)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn own(to: &OwnedFd, name: &CStr, status: &Stat) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

fn file(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
    let source = open_below(from, name, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let status = fstat(&source)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        // Swapped between the two looks at it.
        return Err(rustix::io::Errno::STALE);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat2(to, name, flags, Mode::RUSR, ResolveFlags::BENEATH)?;
    let (mut source, mut target) = (File::from(source), File::from(target));
    let copied = std::io::copy(&mut source, &mut target);
    copied.map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))?;
    keep(&target, &source, &status)
}

/// Owner, mode, extended attributes and times, in this order: a change of owner takes the set-user-id bit and
/// the capabilities of a file away.
fn keep(to: &impl AsFd, from: &impl AsFd, status: &Stat) -> rustix::io::Result<()> {
    fchown(to, Some(Uid::from_raw(status.st_uid)), Some(Gid::from_raw(status.st_gid)))?;
    fchmod(to, Mode::from_raw_mode(status.st_mode))?;
    attributes(to, from)?;
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    let times = Timestamps {
        last_access: time(status.st_atime as _, status.st_atime_nsec),
        last_modification: time(status.st_mtime as _, status.st_mtime_nsec),
    };
    futimens(to, &times)
}

/// Extended attributes (xattr(7)); tmpfs does not take all of them, and labels are given by the policy.
fn attributes(to: &impl AsFd, from: &impl AsFd) -> rustix::io::Result<()> {
    use rustix::io::Errno;
    /// XATTR_SIZE_MAX and XATTR_LIST_MAX of linux/limits.h, in bytes.
    const MOST: usize = 65536;
    let mut names = vec![0; 1024];
    let length = match flistxattr(from, &mut names[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(Errno::RANGE) => {
            names.resize(MOST, 0);
            flistxattr(from, &mut names[..])?
        }
        length => length?,
    };
    let mut value = vec![0; MOST];
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::INVAL)?;
        if name.to_bytes() == b"security.selinux" {
            continue;
        }
        let length = fgetxattr(from, name, &mut value[..])?;
        match fsetxattr(to, name, &value[..length], rustix::fs::XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            other => other?,
        }
    }
    Ok(())
}
