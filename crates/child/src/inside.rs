//! Paths inside the container's root.
//!
//! The image and its volumes belong to somebody hostile, who may swap directories for links while we walk. So no
//! path is ever resolved from the host's root: every look-up is openat2(2) with RESOLVE_IN_ROOT relative to the
//! descriptor of the root, every entry is made by name in a parent that is already open, and what was opened
//! is what is used (docs/threat-model.md, I1 and I2).

use core::ffi::CStr;

use crate_run_plan::operation::target;
use crate_run_plan::report::Call;
use crate_run_sys::files::{self, flag, mode};
use crate_run_sys::{Errno, Fd};

use crate::failure::{Failure, Named, Outcome};

const LONGEST: usize = 4096;

/// A path under construction, NUL-terminated, on the stack.
struct Prefix {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Prefix {
    fn of(path: &[u8]) -> Outcome<Self> {
        let mut prefix = Self { bytes: [0; LONGEST], length: 0 };
        let start = path.iter().take_while(|byte| **byte == b'/').count();
        let path = &path[start..];
        if path.len() + 2 > LONGEST {
            return Err(Failure::of(Call::Openat2, Errno::ENAMETOOLONG));
        }
        let path = if path.is_empty() { b"." } else { path };
        prefix.bytes[..path.len()].copy_from_slice(path);
        prefix.length = path.len();
        Ok(prefix)
    }

    fn text(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c".")
    }

    /// The part up to and without the slash at `end`, and the name that follows it.
    fn split_at(&mut self, end: usize) -> &CStr {
        self.bytes[end] = 0;
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c".")
    }
}

/// How links on the way are treated, as openat2(2) says it.
fn resolve_flags(rule: u32) -> u64 {
    let links = if rule & target::NO_LINKS != 0 { flag::RESOLVE_NO_SYMLINKS } else { 0 };
    flag::RESOLVE_IN_ROOT | flag::RESOLVE_NO_MAGICLINKS | links
}

/// Opens what is at `path` in `root`, as O_PATH.
pub fn look_up(root: Fd, path: &CStr, rule: u32) -> Outcome<Fd> {
    let prefix = Prefix::of(path.to_bytes())?;
    files::openat2(root, prefix.text(), flag::O_PATH, 0, resolve_flags(rule)).named(Call::Openat2)
}

/// What a mount needs to find at its target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A directory, made with mode 0755 where it is missing.
    Directory,
    /// Anything else, made as an empty file of mode 0644 where it is missing.
    File,
}

/// Opens the target of a mount, making what is missing on the way.
///
/// A target on a procfs is refused unless the rule allows it: an image whose /proc is a trap must not
/// receive what was meant for the real one (CVE-2019-16884).
pub fn mount_target(root: Fd, path: &CStr, shape: Shape, rule: u32) -> Outcome<Fd> {
    let found = match look_up(root, path, rule) {
        Err(failure) if failure.is(Errno::ENOENT) => make(root, path, shape, rule)?,
        other => other?,
    };
    let on_proc = files::filesystem_magic(found).named(Call::Fstat)? == files::PROC_MAGIC;
    if on_proc && rule & target::ON_PROC == 0 {
        return Err(Failure::refusal(b"the target lies on a procfs, which nothing may cover"));
    }
    Ok(found)
}

fn make(root: Fd, path: &CStr, shape: Shape, rule: u32) -> Outcome<Fd> {
    let (parent, name) = parent_of(root, path, rule)?;
    match shape {
        Shape::Directory => match files::make_directory(parent, name.text(), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Failure::of(Call::Mkdirat, errno)),
        },
        Shape::File => {
            let flags = flag::O_CREAT | flag::O_EXCL | flag::O_NOFOLLOW | flag::O_WRONLY;
            match files::openat2(parent, name.text(), flags, 0o644, 0) {
                Ok(file) => files::close(file),
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(Failure::of(Call::Openat2, errno)),
            }
        }
    }
    files::close(parent);
    look_up(root, path, rule)
}

/// The last component of a path.
pub struct Name {
    bytes: [u8; 256],
}

impl Name {
    fn of(component: &[u8]) -> Outcome<Self> {
        let mut name = Self { bytes: [0; 256] };
        if component.len() > 255 {
            return Err(Failure::of(Call::Openat2, Errno::ENAMETOOLONG));
        }
        name.bytes[..component.len()].copy_from_slice(component);
        Ok(name)
    }

    /// As the kernel wants it.
    pub fn text(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c".")
    }
}

/// Opens the directory in which the last component of `path` is to be found or made, making missing directories
/// with mode 0755. `path` has no `.` or `..` (the runtime has cleaned it).
pub fn parent_of(root: Fd, path: &CStr, rule: u32) -> Outcome<(Fd, Name)> {
    let mut prefix = Prefix::of(path.to_bytes())?;
    let path = prefix.bytes;
    let path = &path[..prefix.length];
    let cut = path.iter().rposition(|byte| *byte == b'/');
    let name = Name::of(&path[cut.map_or(0, |cut| cut + 1)..])?;
    let Some(cut) = cut else {
        return Ok((directory(root, c".", rule)?, name));
    };
    if let Ok(parent) = directory(root, prefix.split_at(cut), rule) {
        return Ok((parent, name));
    }
    let mut above = directory(root, c".", rule)?;
    let mut start = 0;
    while start < cut {
        let end = path[start..cut].iter().position(|byte| *byte == b'/').map_or(cut, |at| start + at);
        let component = Name::of(&path[start..end])?;
        let mut here = Prefix::of(&path[..end])?;
        let below = match directory(root, here.split_at(end), rule) {
            Err(failure) if failure.is(Errno::ENOENT) => {
                match files::make_directory(above, component.text(), 0o755) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(Failure::of(Call::Mkdirat, errno)),
                }
                directory(root, here.text(), rule)?
            }
            other => other?,
        };
        files::close(above);
        above = below;
        start = end + 1;
    }
    Ok((above, name))
}

fn directory(root: Fd, path: &CStr, rule: u32) -> Outcome<Fd> {
    let flags = flag::O_PATH | flag::O_DIRECTORY;
    files::openat2(root, path, flags, 0, resolve_flags(rule)).named(Call::Openat2)
}

/// Is this the descriptor of a directory?
pub fn is_directory(fd: Fd) -> Outcome<bool> {
    Ok(files::status(fd).named(Call::Fstat)?.mode & mode::TYPE == mode::DIRECTORY)
}
