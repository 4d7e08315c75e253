//! Device nodes and links in the container's /dev.

use core::ffi::CStr;

use crate_run_plan::operation::Devices;
use crate_run_plan::operation::target;
use crate_run_plan::report::Call;
use crate_run_plan::slot::{Handle, Slot};
use crate_run_sys::files::{self, device_number, flag, mode};
use crate_run_sys::{Errno, Fd, mounts};

use crate::failure::{Failure, Named, Outcome};
use crate::inside::{self, Name};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Devices) -> Outcome {
    use Devices as Op;
    match operation {
        Op::MakeDevice { path, mode, device, uid, gid } => {
            make(runner, path, &Node { mode, device, uid, gid })
        }
        Op::LendDevice { tree, path, mode, device } => {
            lend(runner, tree, path, &Node { mode, device, uid: 0, gid: 0 })
        }
        Op::MakeLink { path, target } => link(runner, path, target),
        Op::AdoptNull {} => adopt_null(runner),
    }
}

/// The directory in which the last node was made: the next one most often goes there too. What was opened is
/// what is used, so nothing can be put in its place meanwhile.
#[derive(Default)]
pub struct Parent {
    path: [u8; 32],
    length: usize,
    directory: Option<Fd>,
}

impl Parent {
    /// Opens the directory of `path`, or has it open already.
    pub fn of(&mut self, root: Fd, path: &CStr) -> Outcome<(Fd, Name)> {
        let bytes = path.to_bytes();
        let cut = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        if let Some(directory) = self.directory {
            if bytes[..cut] == self.path[..self.length] {
                return Ok((directory, Name::of(&bytes[cut + 1..])?));
            }
            files::close(directory);
            self.directory = None;
        }
        let (directory, name) = inside::parent_of(root, path, target::NO_LINKS)?;
        if cut <= self.path.len() {
            self.path[..cut].copy_from_slice(&bytes[..cut]);
            self.length = cut;
            self.directory = Some(directory);
        }
        Ok((directory, name))
    }
}

/// A device node as the plan wants it.
pub struct Node {
    /// Type and permission bits.
    pub mode: u32,
    /// Its number.
    pub device: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// mknod(2). A node that is there already must be this very one: type and number, for a block device 1:3 has
/// the same number as /dev/null (config-linux.md, Devices: "MUST" error when it does not match).
fn make(runner: &mut Runner, path: &CStr, node: &Node) -> Outcome {
    let (parent, name) = runner.device_parent(path)?;
    match files::make_node(parent, name.text(), node.mode, node.device) {
        Ok(()) => {
            if (node.uid, node.gid) != (0, 0) {
                files::change_owner_of(parent, name.text(), node.uid, node.gid).named(Call::Chown)?;
            }
        }
        Err(Errno::EEXIST) => check(parent, name.text(), node)?,
        Err(errno) => return Err(Failure::of(Call::Mknodat, errno)),
    }
    Ok(())
}

/// Attaches the host's node, which is no directory, on a file that is made for it. What is there already must
/// be this very device, as in [`make`].
fn lend(runner: &mut Runner, tree: Handle, path: &CStr, node: &Node) -> Outcome {
    let tree = runner.descriptor(tree)?;
    let (parent, name) = runner.device_parent(path)?;
    let flags = flag::O_CREAT | flag::O_EXCL | flag::O_NOFOLLOW | flag::O_WRONLY;
    match files::openat2(parent, name.text(), flags, 0o644, 0) {
        Ok(made) => files::close(made),
        Err(Errno::EEXIST) => check(parent, name.text(), node)?,
        Err(errno) => return Err(Failure::of(Call::Openat2, errno)),
    }
    let target = open_name(parent, name.text())?;
    mounts::attach(tree, target).named(Call::MoveMount)?;
    files::close(target);
    files::close(tree);
    Ok(())
}

fn open_name(parent: Fd, name: &CStr) -> Outcome<Fd> {
    files::openat2(parent, name, flag::O_PATH | flag::O_NOFOLLOW, 0, 0).named(Call::Openat2)
}

fn check(parent: Fd, name: &CStr, node: &Node) -> Outcome {
    let there = open_name(parent, name)?;
    let status = files::status(there).named(Call::Fstat)?;
    files::close(there);
    let same_type = status.mode & mode::TYPE == node.mode & mode::TYPE;
    let is_fifo = node.mode & mode::TYPE == mode::FIFO;
    if same_type && (is_fifo || status.special == node.device) {
        return Ok(());
    }
    Err(Failure::of(Call::Mknodat, Errno::EEXIST).say(b"something else than this device is there already"))
}

/// symlink(2). Images carry their own links; one that says something else is replaced, a directory is not.
fn link(runner: &mut Runner, path: &CStr, goal: &CStr) -> Outcome {
    let (parent, name) = runner.device_parent(path)?;
    let name = name.text();
    let made = match files::make_link(goal, parent, name) {
        Err(Errno::EEXIST) if links_to(parent, name, goal) => Ok(()),
        Err(Errno::EEXIST) => {
            files::unlink(parent, name).named(Call::Unlinkat)?;
            files::make_link(goal, parent, name)
        }
        other => other,
    };
    made.named(Call::Symlinkat)
}

/// Is `name` in `parent` a symbolic link to `goal`?
pub fn links_to(parent: Fd, name: &CStr, goal: &CStr) -> bool {
    let mut there = [0u8; 4096];
    files::read_link(parent, name, &mut there).is_ok_and(|length| &there[..length] == goal.to_bytes())
}

const NULL: u64 = device_number(1, 3);

fn is_null(fd: Fd) -> bool {
    files::status(fd).is_ok_and(|s| s.mode & mode::TYPE == mode::CHARACTER && s.special == NULL)
}

/// A stream on the host's /dev/null is a descriptor of the host's filesystem inside the container; the
/// container's own null takes its place, once it is seen to be one.
fn adopt_null(runner: &Runner) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    for number in 0..3 {
        let stream = Fd(number);
        if !is_null(stream) {
            continue;
        }
        let resolve = flag::RESOLVE_IN_ROOT | flag::RESOLVE_NO_SYMLINKS;
        let own = match files::openat2(root, c"dev/null", flag::O_RDWR, 0, resolve) {
            Ok(own) => own,
            Err(Errno::ENOENT | Errno::EACCES) => return Ok(()),
            Err(errno) => return Err(Failure::of(Call::Openat2, errno)),
        };
        if is_null(own) {
            files::dup_to(own, stream).named(Call::Dup)?;
        }
        files::close(own);
    }
    Ok(())
}
