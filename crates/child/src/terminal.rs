//! The container's terminal: a pseudoterminal of its own devpts (pty(7)).

use crate_run_plan::operation::Terminal;
use crate_run_plan::operation::target;
use crate_run_plan::report::{Call, Kind, Report};
use crate_run_plan::slot::{Handle, Slot};
use crate_run_sys::files::{self, flag, mode};
use crate_run_sys::mounts::{self, Depth};
use crate_run_sys::{Errno, Fd, process, sockets, terminal};

use crate::failure::{Failure, Named, Outcome};
use crate::inside::{self, Shape};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Terminal) -> Outcome {
    use Terminal as Op;
    match operation {
        Op::NewSession {} => process::new_session().named(Call::Setsid),
        Op::OpenTerminal { rows, columns, uid } => open(runner, rows, columns, uid),
        Op::PlainLineEnds {} => plain_line_ends(runner),
        Op::MountConsole {} => mount_console(runner),
        Op::SendTerminal { to } => send(runner, to),
        Op::TakeTerminal {} => take(runner),
        Op::LendStreams { uid } => lend_streams(uid),
    }
}

/// Opens both sides. The other side is opened through the master (TIOCGPTPEER), not by the path /dev/pts/N,
/// which could be anything (CVE-2025-52565).
fn open(runner: &mut Runner, rows: u32, columns: u32, uid: u32) -> Outcome {
    let root = runner.slot(Slot::ROOT)?;
    let resolve = flag::RESOLVE_IN_ROOT | flag::RESOLVE_NO_SYMLINKS;
    let access = flag::O_RDWR | flag::O_NOCTTY;
    // Looked at before anything is opened: opening a device of the image can do harm (a watchdog, a tape).
    let directory = files::openat2(root, c"dev/pts", flag::O_PATH, 0, resolve).named(Call::Openat2)?;
    if files::filesystem_magic(directory).named(Call::Fstat)? != files::DEVPTS_MAGIC {
        return Err(Failure::refusal(b"what lies at /dev/pts is not a devpts"));
    }
    let resolve = flag::RESOLVE_BENEATH | flag::RESOLVE_NO_SYMLINKS | flag::RESOLVE_NO_XDEV;
    let master = files::openat2(directory, c"ptmx", access, 0, resolve).named(Call::Openat2)?;
    files::close(directory);
    terminal::unlock(master).named(Call::Ioctl)?;
    let peer = terminal::open_peer(master).named(Call::Ioctl)?;
    if rows != 0 && columns != 0 {
        terminal::set_size(peer, rows as u16, columns as u16).named(Call::Ioctl)?;
    }
    if uid != 0 {
        files::change_owner(peer, uid, u32::MAX).named(Call::Chown)?;
    }
    runner.fill(Slot::MASTER, master);
    runner.fill(Slot::TERMINAL, peer);
    Ok(())
}

/// /dev/console is the same terminal (config.md, process.terminal).
fn mount_console(runner: &Runner) -> Outcome {
    let (root, peer) = (runner.slot(Slot::ROOT)?, runner.slot(Slot::TERMINAL)?);
    let tree = mounts::clone_tree(peer, c"", Depth::One).named(Call::OpenTree)?;
    let console = inside::mount_target(root, c"dev/console", Shape::File, target::NO_LINKS)?;
    mounts::attach(tree, console).named(Call::MoveMount)?;
    files::close(console);
    files::close(tree);
    Ok(())
}

/// Standard streams that are pipes or files get the user for their owner: to open /dev/stdout anew takes more
/// than a descriptor. Devices stay the caller's: his terminal is not for the container. An owner without an
/// id in the user namespace, or a read-only file, is left alone.
fn lend_streams(uid: u32) -> Outcome {
    for stream in (0..3).map(Fd) {
        let Ok(status) = files::status(stream) else { continue };
        let can_be_opened = matches!(status.mode & mode::TYPE, mode::FIFO | mode::REGULAR);
        if !can_be_opened || status.uid == uid {
            continue;
        }
        match files::change_owner(stream, uid, u32::MAX) {
            Ok(()) | Err(Errno::EPERM | Errno::EINVAL | Errno::EROFS) => {}
            Err(errno) => return Err(Failure::of(Call::Chown, errno)),
        }
    }
    Ok(())
}

/// For output that goes to a file or a program, which want a line to end with a newline alone.
fn plain_line_ends(runner: &Runner) -> Outcome {
    terminal::plain_line_ends(runner.slot(Slot::TERMINAL)?).named(Call::Ioctl)
}

/// Exactly one message with the master side, then it is closed here: whoever has it reads the container's
/// output.
fn send(runner: &Runner, to: Handle) -> Outcome {
    let (to, master) = (runner.descriptor(to)?, runner.slot(Slot::MASTER)?);
    if to == runner.line {
        let message = Report::new(Kind::Terminal, 0).encode();
        sockets::send(to, &message, Some(master)).named(Call::Sendmsg)?;
    } else {
        sockets::send(to, sockets::MASTER_NAME.to_bytes(), Some(master)).named(Call::Sendmsg)?;
        files::close(to);
    }
    files::close(master);
    Ok(())
}

/// After setsid(2): the controlling terminal and the three standard streams.
fn take(runner: &Runner) -> Outcome {
    let peer = runner.slot(Slot::TERMINAL)?;
    terminal::make_controlling(peer).named(Call::Ioctl)?;
    for stream in 0..3 {
        files::dup_to(peer, Fd(stream)).named(Call::Dup)?;
    }
    files::close(peer);
    Ok(())
}
