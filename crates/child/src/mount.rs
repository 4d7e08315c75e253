//! The container's mounts (mount_namespaces(7)), by descriptors from the source to the target.

use core::ffi::CStr;

use crate_run_plan::operation::Mounts;
use crate_run_plan::operation::{depth as source, target as rules};
use crate_run_plan::report::{Call, WORDS};
use crate_run_plan::slot::{Handle, Slot};
use crate_run_plan::wire::Texts;
use crate_run_sys::files::{self, flag};
use crate_run_sys::mounts::{self, Attributes, Depth, attribute};
use crate_run_sys::{Errno, Fd};

use crate::device;
use crate::failure::{Failure, Named, Outcome};
use crate::inside::{self, Shape};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Mounts) -> Outcome {
    use Mounts as Op;
    match operation {
        Op::Propagate { kind, tree } => propagate(kind, tree),
        Op::AttachRoot { tree } => attach_root(runner, tree),
        Op::MountNew { filesystem, source, options, attributes, propagation, target, rule } => {
            let new = New { filesystem, source, options, attributes, propagation };
            mount_new(runner, &new, target, rule)
        }
        Op::MountTree { tree, target, rule } => mount_tree(runner, tree, target, rule),
        Op::MountLocked {
            source,
            depth,
            one_set,
            one_clear,
            one_propagation,
            tree_set,
            tree_clear,
            tree_propagation,
            further,
            target,
            rule,
        } => {
            let one = change_of(one_set, one_clear, one_propagation);
            let all = change_of(tree_set, tree_clear, tree_propagation);
            mount_locked(runner, &Locked { source, depth, one, all, further }, target, rule)
        }
        Op::AttachLockedRoot { propagation } => attach_locked_root(runner, propagation),
        Op::CloneFile { source, tree } => clone_file(runner, source, tree),
        Op::CopyLink { path, goal, rule } => copy_link(runner, path, goal, rule),
        Op::KeepMount { mount } => keep(runner, mount),
        Op::Reconfigure { mount, options } => reconfigure(runner, mount, options),
        Op::ChangeMount { target, set, clear, propagation, tree } => {
            change(runner, target, change_of(set, clear, propagation), tree)
        }
        Op::PivotRoot {} => pivot(runner),
        Op::HideHostMount { path } => hide_host_mount(path),
        Op::MoveRoot {} => move_root(runner),
        Op::ReadOnlyRoot {} => read_only_root(runner),
    }
}

/// What fsopen(2) and fsconfig(2) need to know of a new filesystem.
pub struct New<'p> {
    /// Its type, as in /proc/filesystems.
    pub filesystem: &'p CStr,
    /// What mountinfo shows as source.
    pub source: &'p CStr,
    /// `key` or `key=value`.
    pub options: Texts<'p>,
    /// MOUNT_ATTR_*.
    pub attributes: u64,
    /// A propagation type, or 0.
    pub propagation: u64,
}

fn depth(tree: u32) -> Depth {
    if tree != 0 { Depth::Tree } else { Depth::One }
}

/// What mount_setattr(2) is to change.
pub fn change_of(set: u64, clear: u64, propagation: u64) -> Attributes {
    Attributes { set, clear, propagation, user_namespace: 0 }
}

/// Keeps what we mount from showing up on the host, and the other way round as asked.
fn propagate(kind: u64, tree: u32) -> Outcome {
    let root = files::openat2(Fd::CWD, c"/", flag::O_PATH, 0, 0).named(Call::Openat2)?;
    mounts::set_attributes(root, depth(tree), &change_of(0, 0, kind)).named(Call::MountSetattr)?;
    files::close(root);
    Ok(())
}

/// The working directory is the directory that holds the root filesystem: the runtime went there before the
/// birth, and the new mount namespace has taken it along. So no path of the host is needed.
fn attach_root(runner: &mut Runner, tree: Handle) -> Outcome {
    let tree = runner.descriptor(tree)?;
    let here = files::openat2(Fd::CWD, c".", flag::O_PATH, 0, 0).named(Call::Openat2)?;
    mounts::attach(tree, here).named(Call::MoveMount)?;
    files::close(here);
    files::enter_directory(tree).named(Call::Chdir)?;
    runner.fill(Slot::ROOT, tree);
    Ok(())
}

/// The same with a clone that is made here: what a mount namespace of a new user namespace has inherited is
/// locked, and so are clones of it. Root inside cannot take back what the host has set (mount_namespaces(7)).
fn attach_locked_root(runner: &mut Runner, propagation: u64) -> Outcome {
    let here = files::openat2(Fd::CWD, c".", flag::O_PATH, 0, 0).named(Call::Openat2)?;
    let tree = mounts::clone_tree(here, c"", Depth::Tree).named(Call::OpenTree)?;
    mounts::set_attributes(tree, Depth::Tree, &change_of(0, 0, propagation)).named(Call::MountSetattr)?;
    files::close(here);
    attach_root(runner, Handle::Inherited(tree.0))
}

/// A tree of the host that is cloned in the container's mount namespace.
pub struct Locked<'p> {
    /// Where it lies on the host.
    pub source: &'p CStr,
    /// Bits of `operation::depth`.
    pub depth: u32,
    /// What changes on the mount itself.
    pub one: Attributes,
    /// What changes on the whole tree.
    pub all: Attributes,
    /// More propagation types, as `MountLocked` has them.
    pub further: &'p [u8],
}

/// A bind mount whose locks hold.
fn mount_locked(runner: &mut Runner, locked: &Locked, target: &CStr, rule: u32) -> Outcome {
    let depth = depth(locked.depth & source::TREE);
    let tree = match locked.depth & source::NO_FOLLOW {
        0 => mounts::clone_tree(Fd::CWD, locked.source, depth),
        _ => mounts::clone_unfollowed(Fd::CWD, locked.source, depth),
    };
    let tree = tree.named(Call::OpenTree)?;
    for (depth, change) in [(Depth::Tree, &locked.all), (Depth::One, &locked.one)] {
        if *change != Attributes::default() {
            set_unlocked(tree, depth, change)?;
        }
    }
    for further in locked.further.as_chunks::<4>().0 {
        let further = u32::from_ne_bytes(*further);
        let kind = change_of(0, 0, u64::from(further & !source::TREE));
        set_unlocked(tree, self::depth(further & source::TREE), &kind)?;
    }
    mount_tree(runner, Handle::Inherited(tree.0), target, rule)
}

/// A clone of one file of the host, for a later step.
fn clone_file(runner: &mut Runner, source: &CStr, tree: Handle) -> Outcome {
    let clone = mounts::clone_tree(Fd::CWD, source, Depth::One).named(Call::OpenTree)?;
    runner.fill_handle(tree, clone)
}

/// EPERM here says that a lock is in the way. The clone of the host has none, but it must not be the way
/// around the lock.
fn set_unlocked(tree: Fd, depth: Depth, change: &Attributes) -> Outcome {
    match mounts::set_attributes(tree, depth, change) {
        Err(Errno::EPERM) => Err(Failure::refusal(
            b"the user namespace may not change what the host has set on the source: it is locked",
        )),
        other => other.named(Call::MountSetattr),
    }
}

/// A new filesystem, complete before it is attached.
fn mount_new(runner: &mut Runner, new: &New, target: &CStr, rule: u32) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    if new.options.into_iter().any(mounts::needs_mount) {
        return mount_at_once(runner, new, target, rule);
    }
    let mode = match rule & rules::KEEP_MODE {
        0 => None,
        _ => present_mode(root, target, rule)?,
    };
    let target = inside::mount_target(root, target, Shape::Directory, rule)?;
    let mount = detached(new, mode)?;
    mounts::attach(mount, target).named(Call::MoveMount)?;
    files::close(target);
    runner.attached(mount)
}

/// The mode of what the image has there; a directory that is only made for the mount says nothing.
fn present_mode(root: Fd, target: &CStr, rule: u32) -> Outcome<Option<u32>> {
    match inside::look_up(root, target, rule) {
        Ok(directory) => {
            let status = files::status(directory).named(Call::Fstat)?;
            files::close(directory);
            Ok(Some(status.mode & 0o7777))
        }
        Err(failure) if failure.is(Errno::ENOENT) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The way of mount(2): everything in one call, with up to a page of options. The directory is still a
/// descriptor, for the call is made from inside it.
fn mount_at_once(runner: &mut Runner, new: &New, target: &CStr, rule: u32) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    if runner.slot(Slot::DESCRIPTORS).is_ok() {
        return Err(Failure::refusal(
            b"a container that runs gets no mount that can only be found by its path",
        ));
    }
    let mut data = Data { bytes: [0; 4096], length: 0 };
    let mut superblock = 0;
    for option in new.options {
        match mounts::superblock_flag(option.to_bytes()) {
            Some(flag) => superblock |= flag,
            None => data.add(option.to_bytes())?,
        }
    }
    if rule & rules::KEEP_MODE != 0
        && let Some(mode) = present_mode(root, target, rule)?
    {
        data.add(b"mode=")?;
        data.extend(octal(mode, &mut [0; 6]).to_bytes())?;
    }
    let data = CStr::from_bytes_until_nul(&data.bytes).unwrap_or(c"");
    let directory = inside::mount_target(root, target, Shape::Directory, rule)?;
    files::enter_directory(directory).named(Call::Chdir)?;
    mounts::mount_here(new.source, new.filesystem, new.attributes, superblock, data).named(Call::Mount)?;
    files::enter_directory(root).named(Call::Chdir)?;
    files::close(directory);
    // This way leads to no descriptor of the mount.
    runner.keep_in = None;
    match new.propagation {
        0 => Ok(()),
        kind => change(runner, target, change_of(0, 0, kind), 0),
    }
}

/// The options of mount(2), with commas between them. One that holds a comma itself, as a security label
/// does, stands in quotation marks (mount(8), context).
struct Data {
    bytes: [u8; 4096],
    length: usize,
}

impl Data {
    fn add(&mut self, option: &[u8]) -> Outcome {
        if self.length > 0 {
            self.extend(b",")?;
        }
        let label = option.starts_with(b"context=").then(|| option.split_at(8));
        match label {
            Some((key, label)) => {
                for part in [key, b"\"", label, b"\""] {
                    self.extend(part)?;
                }
                Ok(())
            }
            None => self.extend(option),
        }
    }

    /// The last byte stays a NUL.
    fn extend(&mut self, part: &[u8]) -> Outcome {
        let Some(place) = self.bytes[..4095].get_mut(self.length..self.length + part.len()) else {
            return Err(Failure::of(Call::Mount, Errno::ENAMETOOLONG));
        };
        place.copy_from_slice(part);
        self.length += part.len();
        Ok(())
    }
}

/// A detached mount of a new superblock, with this mode of its root when one is given.
pub fn detached(new: &New, mode: Option<u32>) -> Outcome<Fd> {
    let context = mounts::open_filesystem(new.filesystem).named(Call::Fsopen)?;
    if !new.source.is_empty() {
        mounts::configure(context, c"source", new.source).named(Call::Fsconfig)?;
    }
    for (index, option) in new.options.enumerate() {
        configure(context, option).map_err(|failure| explained(context, failure).value(index as u64))?;
    }
    if let Some(mode) = mode {
        mounts::configure(context, c"mode", octal(mode, &mut [0; 6])).named(Call::Fsconfig)?;
    }
    mounts::create_filesystem(context)
        .named(Call::FsconfigCreate)
        .map_err(|failure| explained(context, failure))?;
    let mount = mounts::mount_filesystem(context, new.attributes).named(Call::Fsmount)?;
    files::close(context);
    if new.propagation != 0 {
        mounts::set_attributes(mount, Depth::One, &change_of(0, 0, new.propagation))
            .named(Call::MountSetattr)?;
    }
    Ok(mount)
}

fn configure(context: Fd, option: &CStr) -> Outcome {
    let bytes = option.to_bytes_with_nul();
    let Some(equals) = bytes.iter().position(|byte| *byte == b'=') else {
        return mounts::configure_flag(context, option).named(Call::Fsconfig);
    };
    let mut key = [0u8; 64];
    if equals >= key.len() {
        return Err(Failure::of(Call::Fsconfig, Errno::ENAMETOOLONG));
    }
    key[..equals].copy_from_slice(&bytes[..equals]);
    let key = CStr::from_bytes_until_nul(&key).unwrap_or(c"");
    let value = CStr::from_bytes_with_nul(&bytes[equals + 1..]).unwrap_or(c"");
    mounts::configure(context, key, value).named(Call::Fsconfig)
}

fn octal(mode: u32, digits: &mut [u8; 6]) -> &CStr {
    for (place, digit) in digits[..5].iter_mut().enumerate() {
        *digit = b'0' + (mode >> (3 * (4 - place)) & 7) as u8;
    }
    CStr::from_bytes_until_nul(digits).unwrap_or(c"0755")
}

/// The filesystem's own words about why it refused: reading a context gives its log, one message a read.
fn explained(context: Fd, failure: Failure) -> Failure {
    let mut words = [0u8; WORDS];
    match files::read(context, &mut words) {
        Ok(length) => failure.say(&words[..length]),
        Err(_) => failure,
    }
}

/// A tree that the runtime has prepared: cloned from the host, with its attributes set.
fn mount_tree(runner: &mut Runner, tree: Handle, target: &CStr, rule: u32) -> Outcome {
    let (tree, root) = (runner.descriptor(tree)?, runner.slot(Slot::ROOT)?);
    let directory = inside::is_directory(tree)?;
    let shape = if directory { Shape::Directory } else { Shape::File };
    let target = inside::mount_target(root, target, shape, rule)?;
    if let Err(errno) = mounts::attach(tree, target) {
        // EINVAL has many reasons; this one is everybody's own mistake (move_mount(2)).
        return Err(match inside::is_directory(target)? == directory {
            true => Failure::of(Call::MoveMount, errno),
            false => Failure::refusal(
                b"source and target must both be directories, or neither: one is not a directory",
            ),
        });
    }
    files::close(target);
    runner.attached(tree)
}

/// The symbolic link of a volume, made anew in the root.
fn copy_link(runner: &Runner, path: &CStr, goal: &CStr, rule: u32) -> Outcome {
    let (parent, name) = inside::parent_of(runner.slot(Slot::ROOT)?, path, rule)?;
    match files::make_link(goal, parent, name.text()) {
        Ok(()) => {}
        Err(Errno::EEXIST) if device::links_to(parent, name.text(), goal) => {}
        Err(Errno::EEXIST) => {
            return Err(Failure::refusal(b"something else than this symbolic link is there already"));
        }
        Err(errno) => return Err(Failure::of(Call::Symlinkat, errno)),
    }
    files::close(parent);
    Ok(())
}

/// Keeps the next mount itself: a path may lead to another one by the time that it is to be changed.
fn keep(runner: &mut Runner, slot: Handle) -> Outcome {
    if let Handle::Own(slot) = slot {
        runner.keep_in = Some(Slot(slot as u16));
    }
    Ok(())
}

/// Other options for the superblock of a mount that was kept.
fn reconfigure(runner: &Runner, mount: Handle, options: Texts) -> Outcome {
    let Ok(mount) = runner.descriptor(mount) else {
        return Err(Failure::refusal(
            b"what lies there was mounted in a way that forbids other options later",
        ));
    };
    let context = mounts::pick_filesystem(mount).named(Call::Fspick)?;
    for (index, option) in options.enumerate() {
        configure(context, option).map_err(|failure| explained(context, failure).value(index as u64))?;
    }
    mounts::reconfigure_filesystem(context)
        .named(Call::FsconfigReconfigure)
        .map_err(|failure| explained(context, failure))?;
    files::close(context);
    Ok(())
}

/// Other attributes for what is mounted already.
fn change(runner: &Runner, target: &CStr, change: Attributes, tree: u32) -> Outcome {
    let target = inside::look_up(runner.slot(Slot::ROOT)?, target, 0)?;
    mounts::set_attributes(target, depth(tree), &change).named(Call::MountSetattr)?;
    files::close(target);
    Ok(())
}

/// The root filesystem becomes "/", and the host's tree is gone from sight.
fn pivot(runner: &Runner) -> Outcome {
    files::enter_directory(runner.slot(Slot::ROOT)?).named(Call::Chdir)?;
    mounts::pivot_here().named(Call::PivotRoot)?;
    // The old root lies on top of the new one now; detaching it is what leaves nothing of the host.
    mounts::detach_here().named(Call::Umount)?;
    files::change_directory(c"/").named(Call::Chdir)
}

/// A mount of the host that nobody inside may find. One that is locked cannot go, only be covered
/// (mount_namespaces(7)).
fn hide_host_mount(path: &CStr) -> Outcome {
    match mounts::detach(path) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EINVAL | Errno::EPERM) => {}
        Err(errno) => return Err(Failure::of(Call::Umount, errno)),
    }
    let place = files::openat2(Fd::CWD, path, flag::O_PATH | flag::O_DIRECTORY, 0, 0).named(Call::Openat2)?;
    let context = mounts::open_filesystem(c"tmpfs").named(Call::Fsopen)?;
    mounts::create_filesystem(context).named(Call::FsconfigCreate)?;
    let cover = mounts::mount_filesystem(context, attribute::RDONLY).named(Call::Fsmount)?;
    files::close(context);
    mounts::attach(cover, place).named(Call::MoveMount)?;
    files::close(cover);
    files::close(place);
    Ok(())
}

/// The root filesystem becomes "/" by lying on top of it.
fn move_root(runner: &Runner) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    let top = files::openat2(Fd::CWD, c"/", flag::O_PATH | flag::O_DIRECTORY, 0, 0).named(Call::Openat2)?;
    mounts::attach(root, top).named(Call::MoveMount)?;
    files::close(top);
    files::enter_directory(root).named(Call::Chdir)?;
    files::change_root_here().named(Call::Chroot)?;
    files::change_directory(c"/").named(Call::Chdir)
}

/// Only the mount of the root itself: what is mounted below has its own options.
fn read_only_root(runner: &Runner) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    mounts::set_attributes(root, Depth::One, &change_of(attribute::RDONLY, 0, 0)).named(Call::MountSetattr)
}
