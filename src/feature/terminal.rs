//! # Terminal: a pseudoterminal of the container's own
//!
//! The pty comes from the container's devpts; its master side goes to whoever talks to the container: the
//! foreground of `run`, or the socket that an engine gave with --console-socket. The other side becomes the
//! controlling terminal, the standard streams, and /dev/console (pty(7)).
//!
//! OCI: config.md, process.terminal and consoleSize.
//!
//! Order: after the mounts, for it needs /dev/pts; taken over after setsid(2), and before the root is
//! read-only, for /dev/console may have to be made.

use crate_run_plan::Operation;
use crate_run_plan::slot::Slot;
use crate_run_sys::Errno;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::OutsidePath;
use crate::feature::mounts::{self, Mount};
use crate::plan::{HostAction, Plan};

const FEATURE: &str = "terminal";

/// Does the container have a terminal, and of what size?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminal {
    #[default]
    None,
    /// Rows and columns in characters; 0 for unknown.
    Pty { rows: u16, columns: u16, line_ends: LineEnds },
}

/// How a line ends in what comes out of the terminal (termios(3), ONLCR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// With carriage return and newline, as on a screen.
    Screen,
    /// With a newline alone: the foreground's output is a file or a pipe.
    Plain,
}

impl Terminal {
    /// The same in this size, unless the configuration names one: a program that asks at once must not see 0.
    pub fn or_sized(self, rows: u16, columns: u16) -> Self {
        match self {
            Self::Pty { rows: 0, line_ends, .. } | Self::Pty { columns: 0, line_ends, .. } => {
                Self::Pty { rows, columns, line_ends }
            }
            other => other,
        }
    }

    /// The same for a foreground whose output is no terminal.
    pub fn read_by_a_program(self) -> Self {
        match self {
            Self::Pty { rows, columns, .. } => Self::Pty { rows, columns, line_ends: LineEnds::Plain },
            Self::None => Self::None,
        }
    }
}

/// Where the master side goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Master {
    /// Nowhere: the container has no terminal.
    None,
    /// To the foreground of `run`.
    Foreground,
    /// To a socket.
    Socket(OutsidePath),
}

pub fn resolve(spec: &Spec) -> Terminal {
    let Some(process) = spec.process().as_ref().filter(|process| process.terminal() == Some(true)) else {
        return Terminal::None;
    };
    let size = process.console_size();
    let cells = |count: u64| u16::try_from(count).unwrap_or(u16::MAX);
    Terminal::Pty {
        rows: size.as_ref().map_or(0, |size| cells(size.height())),
        columns: size.as_ref().map_or(0, |size| cells(size.width())),
        line_ends: LineEnds::Screen,
    }
}

/// A size that the kernel's 16 bits cannot hold. Without a terminal the size is ignored.
pub fn size_findings(spec: &Spec) -> Vec<Finding> {
    let process = spec.process().as_ref().filter(|process| process.terminal() == Some(true));
    let Some(size) = process.and_then(|process| process.console_size()) else { return Vec::new() };
    let cells = [("height", size.height()), ("width", size.width())];
    let too_large = |(word, count): (&str, u64)| {
        let at = Pointer::from("/process/consoleSize").key(word);
        let message = format!("the {word} {count} of the console is larger than 65535");
        (count > u16::MAX.into()).then(|| Finding::error(at, message).cure("it is counted in characters"))
    };
    cells.into_iter().filter_map(too_large).collect()
}

/// A terminal and the way to it must be asked for together; the texts are runc's, which engines show.
pub fn findings(terminal: Terminal, master: &Master) -> Vec<Finding> {
    let at = "/process/terminal";
    match (terminal, master) {
        (Terminal::Pty { .. }, Master::None) => {
            let message = "cannot allocate tty if the container will detach without setting console socket";
            vec![Finding::error(at, message).cure("give --console-socket, or set process.terminal to false")]
        }
        (Terminal::None, Master::Socket(_)) => {
            let message = "cannot use console socket if the container will not detach or allocate tty";
            vec![Finding::error(at, message).cure("set process.terminal to true")]
        }
        _ => Vec::new(),
    }
}

/// Before the birth: the connection to the console socket.
pub fn prepare(master: &Master, plan: &mut Plan) {
    if let Master::Socket(path) = master {
        let why = "somebody listens there for the container's terminal";
        plan.host(FEATURE, HostAction::ConnectConsole { path: path.clone() }, why).at("/process/terminal");
    }
}

/// In the view: makes the pty and sends its master side away.
pub fn steps(terminal: Terminal, master: &Master, mounts: &[Mount], uid: u32, plan: &mut Plan) {
    open(terminal, uid, plan);
    if terminal != Terminal::None && !mounts::is_bound(mounts, "/dev") {
        let why = "programs look for the console there";
        plan.child(FEATURE, Operation::MountConsole {}, why).at("/process/terminal");
    }
    send(terminal, master, plan);
}

/// Makes the pty.
pub fn open(terminal: Terminal, uid: u32, plan: &mut Plan) {
    let Terminal::Pty { rows, columns, line_ends } = terminal else { return };
    let open = Operation::OpenTerminal { rows: rows.into(), columns: columns.into(), uid };
    let why = "a pty of the container's own devpts; both sides are reached by descriptor, never by path";
    plan.child(FEATURE, open, why).at("/process/terminal");
    if line_ends == LineEnds::Plain {
        let why = "the output goes to a file or a program: a carriage return would be a foreign character";
        plan.child(FEATURE, Operation::PlainLineEnds {}, why).at("/process/terminal");
    }
}

/// Sends the master side away.
pub fn send(terminal: Terminal, master: &Master, plan: &mut Plan) {
    if terminal == Terminal::None {
        return;
    }
    let to = if matches!(master, Master::Socket(_)) { Slot::CONSOLE } else { Slot::LINE };
    let why = "whoever holds the master side reads and writes the container";
    plan.child(FEATURE, Operation::SendTerminal { to }, why).at("/process/terminal");
}

/// After setsid(2).
pub fn take(terminal: Terminal, plan: &mut Plan) {
    if terminal != Terminal::None {
        let why = "a session leader without a terminal takes it as its controlling one";
        plan.child(FEATURE, Operation::TakeTerminal {}, why).at("/process/terminal");
    }
}

/// What usually mends it when nobody answers at the console socket.
pub const CURE_OF_SOCKET: &str = "somebody must listen on a stream socket at --console-socket";

/// What usually mends it when there is no pty to be had.
pub fn cure(errno: Errno) -> Option<&'static str> {
    (errno == Errno::ENOENT).then_some("a terminal needs a devpts at /dev/pts: add it to mounts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_must_fit_and_is_ignored_without_a_terminal() {
        let found = |terminal: bool, height: u64, width: u64| {
            let spec = serde_json::json!({ "process": {
                "terminal": terminal, "consoleSize": { "height": height, "width": width },
                "user": {}, "cwd": "/"
            } });
            let spec = serde_json::from_value(spec).expect("a configuration");
            size_findings(&spec).into_iter().map(|finding| finding.at.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(true, 65_535, 0), [""; 0]);
        assert_eq!(
            found(true, 65_536, 1 << 40),
            ["/process/consoleSize/height", "/process/consoleSize/width"]
        );
        assert_eq!(found(false, 65_536, 1 << 40), [""; 0]);
    }
}
