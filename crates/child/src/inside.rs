//! Paths inside the container's root.
//!
//! The image and its volumes belong to somebody hostile, who may swap directories for links while we walk. So
//! no path is ever resolved from the host's root: every look-up is openat2(2) with RESOLVE_IN_ROOT relative
//! to the descriptor of the root, every entry is made by name in a parent that is already open, and what was
//! opened is what is used (docs/threat-model.md, I1 and I2).

use core::ffi::CStr;

use crate_run_plan::operation::target;
use crate_run_plan::report::Call;
use crate_run_sys::files::{self, flag, mode};
use crate_run_sys::{Errno, Fd};

use crate::failure::{Failure, Named, Outcome};

/// PATH_MAX: no path that the kernel takes is longer.
const LONGEST: usize = 4096;

/// A path without its leading slashes, as openat2(2) wants it relative to the root; "." for the root itself.
fn relative(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul();
    let start = bytes.iter().take_while(|byte| **byte == b'/').count();
    match CStr::from_bytes_with_nul(&bytes[start..]) {
        Ok(rest) if !rest.is_empty() => rest,
        _ => c".",
    }
}

/// The beginning of a path, with a NUL of its own.
struct Prefix {
    bytes: [u8; LONGEST],
}

impl Prefix {
    fn of(path: &[u8]) -> Outcome<Self> {
        let mut prefix = Self { bytes: [0; LONGEST] };
        if path.len() + 1 > LONGEST {
            return Err(Failure::of(Call::Openat2, Errno::ENAMETOOLONG));
        }
        prefix.bytes[..path.len()].copy_from_slice(path);
        Ok(prefix)
    }

    fn text(&self) -> &CStr {
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
    let follow = if rule & target::NO_FOLLOW != 0 { flag::O_NOFOLLOW } else { 0 };
    files::openat2(root, relative(path), flag::O_PATH | follow, 0, resolve_flags(rule)).named(Call::Openat2)
}

/// What a mount needs to find at its target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A directory, made with mode 0755 where it is missing.
    Directory,
    /// Anything else, made as an empty file of mode 0644 where it is missing.
    File,
}

/// Opens what is at `path`, making what is missing on the way.
pub fn look_up_or_make(root: Fd, path: &CStr, shape: Shape, rule: u32) -> Outcome<Fd> {
    match look_up(root, path, rule) {
        Err(failure) if failure.is(Errno::ENOENT) => make(root, path, shape, rule, LINKS),
        other => other,
    }
}

/// Opens the target of a mount, making what is missing on the way.
///
/// A target on a procfs is refused unless the rule allows it: an image whose /proc is a trap must not
/// receive what was meant for the real one (CVE-2019-16884).
pub fn mount_target(root: Fd, path: &CStr, shape: Shape, rule: u32) -> Outcome<Fd> {
    let found = look_up_or_make(root, path, shape, rule)?;
    refuse_root(root, found)?;
    let on_proc = files::filesystem_magic(found).named(Call::Fstat)? == files::PROC_MAGIC;
    if on_proc && rule & target::ON_PROC == 0 {
        return Err(Failure::refusal(b"the target lies on a procfs, which nothing may cover"));
    }
    Ok(found)
}

/// What is mounted on the root itself, through a link of the image to "/", covers nothing: who stands in a
/// root already does not see it.
pub fn refuse_root(root: Fd, found: Fd) -> Outcome {
    let (top, here) = (files::status(root).named(Call::Fstat)?, files::status(found).named(Call::Fstat)?);
    if (top.device, top.inode) == (here.device, here.inode) {
        return Err(Failure::refusal(b"a link of the image leads to its root, which cannot be covered"));
    }
    Ok(())
}

/// How many links that lead to nothing are followed on the way to a mount target.
const LINKS: u8 = 16;

/// Makes what is missing. A link of the image to something missing is followed, as it would be by a process
/// inside: many images link /etc/resolv.conf to a file that is only made at run time.
fn make(root: Fd, path: &CStr, shape: Shape, rule: u32, links: u8) -> Outcome<Fd> {
    let (parent, name) = parent_of(root, path, rule)?;
    let made = match shape {
        Shape::Directory => files::make_directory(parent, name.text(), 0o755).named(Call::Mkdirat),
        Shape::File => {
            let flags = flag::O_CREAT | flag::O_EXCL | flag::O_NOFOLLOW | flag::O_WRONLY;
            files::openat2(parent, name.text(), flags, 0o644, 0).named(Call::Openat2).map(files::close)
        }
    };
    let found = match made {
        Err(failure) if !failure.is(Errno::EEXIST) => return Err(failure),
        _ => look_up(root, path, rule),
    };
    let found = match found {
        Err(failure) if failure.is(Errno::ENOENT) && links > 0 => {
            let goal = goal_of(parent, &name, relative(path).to_bytes())?;
            make(root, goal.text(), shape, rule, links - 1)
        }
        other => other,
    };
    files::close(parent);
    found
}

/// Where the link `name`, the last component of `path`, leads to.
fn goal_of(parent: Fd, name: &Name, path: &[u8]) -> Outcome<Prefix> {
    let mut goal = [0u8; LONGEST];
    let length = files::read_link(parent, name.text(), &mut goal).named(Call::Readlinkat)?;
    let slashes = goal[..length].iter().rev().take_while(|byte| **byte == b'/').count();
    let length = length - slashes;
    let goal = &goal[..length];
    if goal.starts_with(b"/") {
        return Prefix::of(goal);
    }
    let above = path.iter().rposition(|byte| *byte == b'/').map_or(0, |cut| cut + 1);
    let mut whole = Prefix::of(&path[..above])?;
    let Some(place) = whole.bytes[..LONGEST - 1].get_mut(above..above + length) else {
        return Err(Failure::of(Call::Openat2, Errno::ENAMETOOLONG));
    };
    place.copy_from_slice(goal);
    Ok(whole)
}

/// The last component of a path.
pub struct Name {
    bytes: [u8; 256],
}

impl Name {
    /// A name of at most 255 bytes.
    pub fn of(component: &[u8]) -> Outcome<Self> {
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

/// Opens the directory in which the last component of `path` is to be found or made, making missing
/// directories with mode 0755. `path` has no `.` or `..` (the runtime has cleaned it).
pub fn parent_of(root: Fd, path: &CStr, rule: u32) -> Outcome<(Fd, Name)> {
    let path = relative(path).to_bytes();
    let Some(cut) = path.iter().rposition(|byte| *byte == b'/') else {
        return Ok((directory(root, c".", rule)?, Name::of(path)?));
    };
    let name = Name::of(&path[cut + 1..])?;
    match directory(root, Prefix::of(&path[..cut])?.text(), rule) {
        Err(failure) if failure.is(Errno::ENOENT) => {
            Ok((make_directories(root, &path[..cut], rule, LINKS)?, name))
        }
        parent => Ok((parent?, name)),
    }
}

/// Opens the directory `path`, making each level that is missing, with mode 0755.
fn make_directories(root: Fd, path: &[u8], rule: u32, links: u8) -> Outcome<Fd> {
    let mut above = directory(root, c".", rule)?;
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let mut start = 0;
    for end in ends.chain([path.len()]) {
        let level = Prefix::of(&path[..end])?;
        let below = match directory(root, level.text(), rule) {
            Err(failure) if failure.is(Errno::ENOENT) => {
                make_level(root, above, level.text(), &Name::of(&path[start..end])?, rule, links)?
            }
            other => other?,
        };
        files::close(above);
        above = below;
        start = end + 1;
    }
    Ok(above)
}

/// Makes the directory `name` in `above`; where a link to something missing lies there, its goal.
fn make_level(root: Fd, above: Fd, level: &CStr, name: &Name, rule: u32, links: u8) -> Outcome<Fd> {
    match files::make_directory(above, name.text(), 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(Failure::of(Call::Mkdirat, errno)),
    }
    match directory(root, level, rule) {
        Err(failure) if failure.is(Errno::ENOENT) && links > 0 => {
            let goal = goal_of(above, name, level.to_bytes())?;
            make_directories(root, relative(goal.text()).to_bytes(), rule, links - 1)
        }
        other => other,
    }
}

fn directory(root: Fd, path: &CStr, rule: u32) -> Outcome<Fd> {
    let flags = flag::O_PATH | flag::O_DIRECTORY;
    files::openat2(root, path, flags, 0, resolve_flags(rule)).named(Call::Openat2)
}

/// Is this the descriptor of a directory?
pub fn is_directory(fd: Fd) -> Outcome<bool> {
    Ok(files::status(fd).named(Call::Fstat)?.mode & mode::TYPE == mode::DIRECTORY)
}
